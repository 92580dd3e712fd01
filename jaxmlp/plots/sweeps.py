"""Pictures of a sweep: every member learning, and where in the space the good ones lie.

Each becomes a PNG at ``path``, which is returned.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FormatStrFormatter,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from jaxmlp.plots import charts, lettering
from jaxmlp.plots.charts import COLOURS

_LOGARITHMIC = ("learning_rate", "weight_decay", "hidden_sizes", "clip_norm", "max_norm", "initial_scale")
_FEW = 5
"""Different values, each of which has a label."""
Settings = Mapping[str, Sequence[Any]]
"""Name -> what each member has: numbers, or words."""
_OUTCOMES = dict(zip(("finished", "cut", "not finite"), (COLOURS[0], "#999999", COLOURS[1]), strict=True))


def member_curves(
    losses: Float[np.ndarray, "members epochs"],
    statuses: Sequence[str],
    path: str | Path,
    *,
    ylabel: str,
    best: int,
    title: str = "",
) -> Path:
    """Each member's loss after each epoch, coloured by what became of it; the best one is thick."""
    losses = np.maximum(losses, np.finfo(np.float32).eps)  # which the logarithm needs above 0
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    epochs, opacity = np.arange(1, losses.shape[1] + 1), _opacity(len(losses))
    for outcome, colour in reversed(_OUTCOMES.items()):
        rows = [row for row, status in zip(losses, statuses, strict=True) if status.startswith(outcome)]
        for index, row in enumerate(rows):
            label = f"{outcome} ({len(rows)})" if not index else None
            # A point, too, since one epoch makes no line.
            style: dict[str, Any] = {"color": colour, "linewidth": 0.9, "marker": ".", "markersize": 3}
            axes.plot(epochs, row, alpha=opacity, label=label, **style)
    axes.plot(epochs, losses[best], color="black", linewidth=2.2, label="the best")
    axes.set(xlabel="epoch", ylabel=ylabel, title=title)
    # What matters is how the good ones differ; those that learn nothing would flatten them.
    finite = losses[np.isfinite(losses)]
    low, high = finite.min() / 1.05, np.quantile(finite, 0.9) * 1.05
    axes.set(yscale="log", ylim=(low, high))
    axes.yaxis.set_major_locator(lettering.log_locator(high / low))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    charts.style_axes(axes)
    legend = figure.legend(frameon=False, fontsize="small", loc="outside lower center", ncols=4)
    for handle in filter(None, legend.legend_handles):
        handle.set_alpha(1)
    return charts.save_figure(figure, path)


def score_maps(
    settings: Settings,
    scores: Float[np.ndarray, " members"],
    path: str | Path,
    *,
    score_label: str,
    percent: bool = False,
    title: str = "",
) -> Path:
    """The score over each hyperparameter that was swept, and over learning rate × width in colour.

    Scores so low that they would flatten the others are triangles at the bottom. Hyperparameters that all
    members share are left out.
    """
    varied = {name: values for name, values in settings.items() if len(set(values)) > 1}
    pair = [name for name in ("learning_rate", "hidden_sizes") if name in varied]
    num_panels = len(varied) + (len(pair) == 2)
    columns = min(4, num_panels)
    rows = -(-num_panels // columns)
    figure = Figure(figsize=(3.5 * columns + 0.8, 3.1 * rows + 0.4), layout="constrained")
    figure.suptitle(title)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    low = _outlier_bound(scores)
    if len(pair) == 2:
        _draw_pair(figure, grid.pop(0), varied, pair, scores, low, score_label, percent)
    for name, values in varied.items():
        axes = grid.pop(0)
        places = _axis_positions(axes, name, values, "x")
        for marker, shown in {"o": scores >= low, "v": scores < low}.items():
            heights = np.maximum(scores[shown], low)
            style: dict[str, Any] = {"color": COLOURS[0], "markersize": 4, "markeredgewidth": 0}
            axes.plot(places[shown], heights, marker, alpha=_opacity(len(scores)), **style)
        axes.set(ylabel=score_label)
        charts.style_axes(axes, percent="y" if percent else "")
    for axes in grid:
        axes.set_axis_off()
    return charts.save_figure(figure, path)


def _opacity(number: int) -> float:
    """Of each of so many lines or points, so that thousands show where most of them are."""
    return max(0.05, min(0.7, 200 / number))


def hyperparameter_importance(
    settings: Settings, scores: Float[np.ndarray, " members"]
) -> dict[str, Float[np.ndarray, " repeats"]]:
    """How much worse a random forest explains the scores when one hyperparameter is shuffled, as a loss of R²
    (Breiman 2001), for each that was swept; the most important comes first.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    names = [name for name, values in settings.items() if len(set(values)) > 1]
    finite = np.isfinite(scores)
    columns = [np.unique(np.asarray(settings[name]), return_inverse=True)[1] for name in names]
    places = np.stack(columns, axis=1)[finite]
    forest = RandomForestRegressor(100, random_state=0).fit(places, scores[finite])
    found = permutation_importance(forest, places, scores[finite], n_repeats=10, random_state=0)
    order = np.argsort(-found.importances_mean)
    return {names[index].replace("_", " "): found.importances[index] for index in order}


def _draw_pair(
    figure: Figure,
    axes: Axes,
    settings: Settings,
    pair: Sequence[str],
    scores: Float[np.ndarray, " members"],
    low: float,
    score_label: str,
    percent: bool,
) -> None:
    x, y = (_axis_positions(axes, name, settings[name], side) for name, side in zip(pair, "xy", strict=True))
    drawn = axes.scatter(x, y, c=scores, cmap="viridis", vmin=low, s=28, edgecolors="white", linewidths=0.4)
    form = PercentFormatter(1, symbol=" %") if percent else None
    figure.colorbar(drawn, ax=axes, label=score_label, format=form)
    charts.style_axes(axes)


def _outlier_bound(scores: Float[np.ndarray, " members"]) -> float:
    """The lowest score that is no outlier: at most 1.5 times the quartiles' distance below the lower quartile
    (Tukey 1977).
    """
    finite = scores[np.isfinite(scores)]
    lower, upper = np.quantile(finite, (0.25, 0.75))
    return float(finite[finite >= lower - 1.5 * (upper - lower)].min())


def _axis_positions(axes: Axes, name: str, values: Sequence[Any], side: str) -> np.ndarray:
    """Where the values lie on an axis: numbers in the logarithm if they span decades, words in a row."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_label_text(name.replace("_", " "))
    if any(isinstance(value, str) for value in values):
        words = sorted(set(map(str, values)))
        axis.set_ticks(range(len(words)), [lettering.shorten(word) for word in words])
        return np.array([words.index(str(value)) for value in values], float)
    numbers = np.array(values, float)
    few = sorted(set(numbers))
    if name in _LOGARITHMIC and numbers.min() > 0:
        getattr(axes, f"set_{side}scale")("log")
        axis.set_major_locator(
            FixedLocator(few) if len(few) <= _FEW else lettering.log_locator(few[-1] / few[0])
        )
        axis.set_major_formatter(FormatStrFormatter("%.3g"))
        axis.set_minor_formatter(NullFormatter())
    elif len(few) <= _FEW:
        axis.set_major_locator(FixedLocator(few))
    elif all(isinstance(value, int) for value in values):
        axis.set_major_locator(MaxNLocator(integer=True))
    return numbers
