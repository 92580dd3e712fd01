"""Pictures of a classifier's record: how it learnt, what it confused, how sure it may be.

Each becomes a PNG at ``path``, which is returned.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from jaxmlp.plots import charts, lettering
from jaxmlp.statistics import wilson_interval
from jaxmlp.types import ClassName, Numbers

SPLIT_COLOURS = dict(zip(("train", "validation", "test"), charts.COLOURS, strict=False))
OTHER_COLOURS = charts.COLOURS[len(SPLIT_COLOURS) :]
MAX_NUMBERED_CLASSES = 20
_NUM_BINS = 10

Curves = Mapping[str, Sequence[Sequence[float | None]]]
"""Name → [num_runs][num_epochs], one run for each seed or split; nan or None where a run has ended early."""


def learning_curves(
    curves: Curves, path: str | Path, *, epochs: Sequence[int] | None = None, title: str = ""
) -> Path:
    """Each measure against the epoch: one panel for all losses, one for each other family of measures.

    ``train_accuracy`` and ``validation_accuracy`` are one family. A thin line is a seed, a thick one the mean
    of several, drawn as far as every seed goes. ``epochs`` are those of the values, from 1 if not given (a
    record keeps them beside its thinned curves). Accuracies are fractions.
    """
    families: dict[str, list[str]] = {}
    for name in curves:
        families.setdefault(_family(name), []).append(name)
    figure = Figure(figsize=(5.2 * len(families), 3.9), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(families), squeeze=False)[0]
    for axes, (family, names) in zip(panels, families.items(), strict=True):
        for index, name in enumerate(names):
            _draw_curve(axes, name, np.array(curves[name], dtype=float), epochs, OTHER_COLOURS[index % 4])
        _label_curves(axes, family, max(len(curves[name]) for name in names))
    return charts.save_figure(figure, path)


def confusion_matrix(
    counts: Integer[np.ndarray, "true predicted"], class_names: Sequence[ClassName], path: str | Path
) -> Path:
    """How many examples of each class (row) were taken for each class (column), as ``confusion_counts`` has
    them.

    The colour is the share of the row, on a scale that shows a per cent; the numbers are counts, written for
    up to 20 classes.
    """
    num_classes = len(class_names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.48 * num_classes, 2.6, 12))
    figure = Figure(figsize=(side + 2.8, side + 1.8), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.4, vmin=0, vmax=1))
    bar = figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0 %", "1 %", "5 %", "20 %", "50 %", "100 %"])
    axes.set_title(f"{100 * np.trace(counts) / counts.sum():.2f} % of {counts.sum()} examples right")
    _name_classes(axes, [lettering.shorten(name) for name in class_names], side / num_classes)
    if num_classes <= MAX_NUMBERED_CLASSES:
        _write_counts(axes, counts, shares)
    return charts.save_figure(figure, path)


def reliability(panels: Mapping[str, tuple[Numbers, Numbers]], path: str | Path) -> Path:
    """Is what was called 80 % sure right in 80 % of cases? One panel per title: (confidences, whether right).

    Predictions are put into ten equal bins of confidence. A dot's height is the share that was
    right, its bar that share's 95 % interval (Wilson 1927), its size the number of predictions; on the
    diagonal the calibration is perfect.
    """
    figure = Figure(figsize=(3.8 * len(panels) + 0.6, 4.7), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (name, (confidences, right)) in zip(grid, panels.items(), strict=True):
        _draw_reliability(axes, np.asarray(confidences, float), np.asarray(right, bool))
        axes.set(xlabel="confidence", title=name, xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        charts.style_axes(axes, percent="xy")
    grid[0].set_ylabel("share that was right")
    return charts.save_figure(figure, path)


def _family(name: str) -> str:
    """The measure that ``name`` is an instance of: ``accuracy`` for ``train_accuracy``."""
    if name.endswith("loss"):
        return "loss"
    split, _, measure = name.partition("_")
    return measure if split in SPLIT_COLOURS and measure else name


def _draw_curve(
    axes: Axes,
    name: str,
    rows: Float[np.ndarray, "runs epochs"],
    epochs: Sequence[int] | None,
    other_colour: str,
) -> None:
    steps = np.arange(1, rows.shape[1] + 1) if epochs is None else np.asarray(epochs)
    split = name.partition("_")[0]
    colour = SPLIT_COLOURS.get(split, other_colour)
    label = split if split in SPLIT_COLOURS else name.replace("_", " ")
    # A line of one point is invisible; so are short ones without their points.
    style: dict[str, Any] = {"color": colour, "marker": "o" if len(steps) <= 20 else None, "markersize": 3}
    if len(rows) == 1:
        axes.plot(steps, rows[0], label=label, linewidth=1.8, **style)
        return
    axes.plot(steps, rows.T, linewidth=0.7, alpha=0.35, **style)
    # nan wherever a seed has stopped: the mean of those that went on would jump there.
    axes.plot(steps, rows.mean(axis=0), label=label, linewidth=2.2, **style)


def _label_curves(axes: Axes, family: str, num_runs: int) -> None:
    axes.set(xlabel="epoch", ylabel=family.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()])
    values = values[np.isfinite(values)]
    if family == "loss" and values.size and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif values.size and values.max() > 1 and (values == values.round()).all():
        # Counts, as of networks.
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    charts.style_axes(axes, percent="y" if family.endswith("accuracy") else "")
    meaning = f"thick: mean of {num_runs} runs" if num_runs > 1 else None
    axes.legend(title=meaning, title_fontsize="small", fontsize="small", frameon=False)


def _name_classes(axes: Axes, names: Sequence[str], cell_inches: float) -> None:
    ticks = range(len(names))
    font_size = min(10, 72 * 0.8 * cell_inches)
    # A letter is about 0.6 of the font's size wide.
    fits = max(len(name) for name in names) * 0.6 * font_size < 72 * cell_inches
    axes.set_xticks(ticks, names, fontsize=font_size, rotation=0 if fits else 90)
    axes.set_yticks(ticks, names, fontsize=font_size)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_counts(
    axes: Axes, counts: Integer[np.ndarray, "true predicted"], shares: Float[np.ndarray, "true predicted"]
) -> None:
    font_size = 9 if counts.max() < 1000 else 7
    for (row, column), count in np.ndenumerate(counts):
        # The colour scale is dark from about a third of a row on.
        colour = "white" if shares[row, column] > 0.3 else "black" if count else "#999999"
        text = axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=font_size)
        # Within its cell it needs no room, and to measure a hundred takes a tenth of a second.
        text.set_in_layout(False)


def _draw_reliability(
    axes: Axes, confidences: Float[np.ndarray, " examples"], right: Bool[np.ndarray, " examples"]
) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    bins = np.minimum((confidences * _NUM_BINS).astype(int), _NUM_BINS - 1)
    for index in np.unique(bins):
        chosen = bins == index
        n, x = int(chosen.sum()), float(confidences[chosen].mean())
        interval = wilson_interval(int(right[chosen].sum()), n)
        axes.plot([x, x], interval, color=charts.COLOURS[0], linewidth=1.4)
        size = 3 + 9 * np.sqrt(n / len(right))
        axes.plot([x], [right[chosen].mean()], "o", color=charts.COLOURS[0], markersize=size)
