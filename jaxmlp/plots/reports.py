"""Pictures of a report: how well rows are told apart, how far values are off, what a column does.

Each becomes a PNG at ``path``, which is returned.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxmlp.plots import charts, lettering
from jaxmlp.printing import format_number

Curve = tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]
"""Of as many points each."""
MANY, _FEW = 3000, 4
"""Points that would cover each other, and different values, each of which has a label."""
_PLAIN: dict[str, Any] = {"style": "sci", "scilimits": (-4, 9), "useOffset": False}
"""Of numbers on axes, which are powers of ten only where people would write such."""


class EffectPanel(NamedTuple):
    """One column's values, and what is predicted at each."""

    name: str
    values: Sequence[float] | Sequence[str]
    """Numbers that rise, or words."""
    averages: Float[np.ndarray, "values lines"]


def ranking_curves(
    roc: Mapping[str, Curve],
    precision_recall: Mapping[str, Curve],
    path: str | Path,
    *,
    rates: Mapping[str, float],
) -> Path:
    """Side by side, by the name of each class: the share of its rows that is found against that of the others
    which is wrongly taken for it, and the share that is right among those taken for it against the share
    found; dashed, what guessing does, of a class that ``rates`` of all rows belong to.
    """
    figure = Figure(figsize=(9.2, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, curves in ((left, roc), (right, precision_recall)):
        for index, (name, (x, y)) in enumerate(curves.items()):
            label = lettering.shorten(name)
            axes.plot(x, y, color=charts.COLOURS[index % 7], linewidth=1.6, label=label)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), aspect="equal")
        charts.style_axes(axes, percent="xy")
    left.plot([0, 1], [0, 1], "--", color="#999999", linewidth=1)
    for rate in rates.values():
        right.axhline(rate, linestyle="--", color="#999999", linewidth=1)
    left.set(title="ROC", xlabel="others taken for it", ylabel="found")
    right.set(title="precision and recall", xlabel="found (recall)", ylabel="right (precision)")
    right.legend(framealpha=0.9, edgecolor="none", fontsize="small", loc="lower left", title="class")
    return charts.save_figure(figure, path)


def residuals(
    predictions: Float[np.ndarray, " rows"],
    errors: Float[np.ndarray, " rows"],
    margin: float,
    coverage: Curve,
    path: str | Path,
    *,
    unit: str = "",
) -> Path:
    """How far predictions are off (what is true minus what was predicted), dashed the interval of half the
    width ``margin`` that should hold 90 %; and beside it how many of the targets intervals hold that should
    hold as many, (should, do).
    """
    figure = Figure(figsize=(9.2, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = np.random.default_rng(0).permutation(len(errors))[:MANY]
    opacity = max(0.15, min(0.7, 200 / len(errors)))
    left.plot(
        predictions[shown],
        errors[shown],
        "o",
        markersize=3,
        alpha=opacity,
        color=charts.COLOURS[0],
        markeredgewidth=0,
    )
    left.axhline(0, color="black", linewidth=1)
    for side in (-margin, margin):
        left.axhline(side, color=charts.COLOURS[1], linewidth=1.2, linestyle="--")
    beside = f" ({lettering.shorten(unit)})" if unit else ""
    left.set(title="residuals", xlabel=f"predicted{beside}", ylabel=f"true minus predicted{beside}")
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.ticklabel_format(**_PLAIN)
    charts.style_axes(left)
    right.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    right.plot(*coverage, "o-", color=charts.COLOURS[0], markersize=5)
    right.set(
        title="intervals", xlabel="should hold", ylabel="hold", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal"
    )
    charts.style_axes(right, percent="xy")
    return charts.save_figure(figure, path)


def effect_panels(
    panels: Sequence[EffectPanel], lines: Sequence[str], path: str | Path, *, ylabel: str, percent: bool
) -> Path:
    """One panel for each column: the average prediction at its values; several ``lines`` by colour."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns + 0.6, 3.3 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_effect(axes, panel, lines)
        charts.style_axes(axes, percent="y" if percent else "")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(lettering.shorten(ylabel, 36))
        if not percent:
            axes.ticklabel_format(axis="y", **_PLAIN)
    if len(lines) > 1:
        handles = grid.flat[0].get_lines()
        names = [lettering.shorten(name) for name in lines]
        figure.legend(handles, names, frameon=False, fontsize="small", loc="outside lower center", ncols=3)
    return charts.save_figure(figure, path)


def _draw_effect(axes: Axes, panel: EffectPanel, lines: Sequence[str]) -> None:
    words = any(isinstance(value, str) for value in panel.values)
    places = np.arange(len(panel.values)) if words else np.asarray(panel.values, float)
    for index in range(len(lines)):
        style = "o" if words else "o-"
        colour = charts.COLOURS[index % len(charts.COLOURS)]
        axes.plot(places, panel.averages[:, index], style, color=colour, markersize=4, linewidth=1.6)
    if words:
        names = [lettering.shorten(str(value), 16) for value in panel.values]
        long = len(names) > 3 or max(map(len, names)) > 7
        axes.set_xticks(
            places, names, rotation=35 if long else 0, ha="right" if long else "center", fontsize=8
        )
        axes.margins(x=0.15)
    elif len(places) <= _FEW:
        axes.set_xticks(places, [format_number(place) for place in places])
        axes.margins(x=0.15)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", **_PLAIN)
    axes.set_title(lettering.shorten(panel.name, 30), fontsize=10)
