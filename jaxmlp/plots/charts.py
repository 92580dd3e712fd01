"""Charts of numbers, whatever they mean; each becomes a PNG at ``path``, which is returned."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Array, Float, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FormatStrFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from jaxmlp.plots.lettering import MAX_LABEL_LENGTH, fit_titles, log_locator, plain_texts, shorten
from jaxmlp.statistics import summarize
from jaxmlp.types import InputError, Numbers

DOTS_PER_INCH = 150
# Okabe and Ito's colours, which stay apart for colour-blind eyes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":")


def line_plot(
    panels: Mapping[str, Mapping[str, tuple[Numbers, Numbers]]],
    path: str | Path,
    *,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    percent: bool = False,
    title: str = "",
) -> Path:
    """One panel per title, one line per label: its mean over runs, in a band of one standard error.

    Each line is (x [points], values [runs][points]); nan leaves a gap. The panels share their axes and
    their legend, so a label has one colour in all. ``percent`` writes fractions in percent.
    """
    labels = _labels_of("panels", panels)
    figure = Figure(figsize=(max(6.4, 4.2 * len(panels)), 4.2), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (name, lines_of_panel) in zip(grid, panels.items(), strict=True):
        for label, (x, values) in lines_of_panel.items():
            _draw_band(
                axes, np.asarray(x, float), np.array(values, float), label, _style(labels.index(label))
            )
        axes.set(xlabel=xlabel, title=name, xscale="log" if log_x else "linear")
        style_axes(axes)
        if not log_x and all(np.all(np.mod(x, 1) == 0) for x, _ in lines_of_panel.values()):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0].set(ylabel=ylabel, yscale="log" if log_y else "linear")
    logarithmic = [axes.xaxis for axes in grid] * log_x + [grid[0].yaxis] * log_y
    for axis in logarithmic:
        low, high = axis.get_view_interval()
        # Matplotlib would label the powers of ten alone, or within one decade everything; over many decades
        # more than some powers would run into each other.
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high / low < 100 else log_locator(high / low))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    style_axes(grid[0], percent="y" if percent else "")
    _legend(figure, grid, labels)
    return save_figure(figure, path)


def point_plot(
    panels: Mapping[str, Mapping[str, Numbers]],
    path: str | Path,
    *,
    xlabel: str | Sequence[str],
    percent: bool | Sequence[str] = False,
    title: str = "",
) -> Path:
    """One panel per title, one row per label: each value small, their mean large, its 95 % interval a bar.

    ``xlabel`` is one for all panels or one for each. Rows keep their order, the first on top; values that
    are not finite are left out. ``percent`` writes fractions in percent, in all panels or in those named.
    """
    labels = _labels_of("panels", panels)
    xlabels = [xlabel] * len(panels) if isinstance(xlabel, str) else list(xlabel)
    size = (max(6.4, 4.0 * len(panels) + 1.5), 1.3 + 0.36 * max(len(labels), 3))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (name, rows), measure in zip(grid, panels.items(), xlabels, strict=True):
        for label, values in rows.items():
            _draw_row(axes, np.array(values, float), labels.index(label))
        axes.set(xlabel=measure, title=name)
        in_percent = percent is True or (percent and name in percent)
        style_axes(axes, grid="x", percent="x" if in_percent else "")
        if in_percent:
            # Their labels are wide and would run into each other.
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    grid[0].set_yticks(range(len(labels)), [shorten(label, MAX_LABEL_LENGTH) for label in labels])
    grid[0].set_ylim(len(labels) - 0.5, -0.5)
    return save_figure(figure, path)


def heatmap(
    maps: Mapping[str, Float[Array | np.ndarray, "height width"]],
    extent: Sequence[float | int],
    path: str | Path,
    *,
    xlabel: str,
    ylabel: str,
    colour_label: str,
    boundary: float | int | None = None,
    points: tuple[Numbers, Numbers] | None = None,
    cmap: str = "RdBu_r",
    title: str = "",
) -> Path:
    """Functions of two variables side by side, one colour scale for all: from 0 to 1, or as far as they go.

    Each map is [height, width], its first row at the lowest y; ``extent`` is (left, right, bottom, top).
    ``boundary`` draws the line where a map has that value, ``points`` are (positions [n][2], classes [n]).
    """
    _labels_of("maps", {"": maps})
    shown = {name: np.asarray(values, float) for name, values in maps.items()}
    low = min(0.0, *(float(v.min()) for v in shown.values()))
    high = max(1.0, *(float(v.max()) for v in shown.values()))
    figure = Figure(figsize=(3.6 * len(maps) + 1.2, 4.0), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(1, len(maps), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, values) in zip(grid, shown.items(), strict=True):
        picture = axes.imshow(
            values, origin="lower", extent=extent, aspect="auto", cmap=cmap, vmin=low, vmax=high
        )
        if boundary is not None and values.min() < boundary < values.max():
            axes.contour(values, [boundary], extent=extent, colors="black", linewidths=1.5)
        if points is not None:
            _draw_points(axes, np.asarray(points[0], float), np.asarray(points[1]))
        axes.set(xlabel=xlabel, title=name)
    grid[0].set_ylabel(ylabel)
    figure.colorbar(picture, ax=list(grid), label=colour_label)
    return save_figure(figure, path)


def histograms(
    values: Mapping[str, Numbers], path: str | Path, *, xlabel: str, ylabel: str, title: str = ""
) -> Path:
    """One histogram per label, drawn over each other with the same bins, as shares of each label's values."""
    labels = _labels_of("values", {"": values})
    samples = {label: np.asarray(values[label], float) for label in labels}
    bins = np.histogram_bin_edges(np.concatenate(list(samples.values())), bins=30)
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axes = figure.subplots()
    for index, (name, sample) in enumerate(samples.items()):
        label = shorten(name, MAX_LABEL_LENGTH)
        colour, weights = _style(index)["color"], np.full(len(sample), 1 / max(len(sample), 1))
        axes.hist(sample, bins=bins.tolist(), weights=weights, color=colour, alpha=0.3)
        axes.hist(
            sample, bins=bins.tolist(), weights=weights, color=colour, histtype="step", lw=1.6, label=label
        )
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    style_axes(axes, grid="none", percent="y")
    axes.legend(frameon=False, fontsize="small")
    return save_figure(figure, path)


def _labels_of(argument: str, panels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every label of every panel, in order of appearance; InputError if there is none."""
    labels = list(dict.fromkeys(label for panel in panels.values() for label in panel))
    if not labels:
        raise InputError(f"{argument}: must hold at least one, got none")
    return labels


def _style(index: int) -> dict[str, Any]:
    """Another colour for each line, and another dash once the colours are used up."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index // len(COLOURS) % len(DASHES)]}


def _draw_band(
    axes: Axes,
    x: Float[np.ndarray, " points"],
    rows: Float[np.ndarray, "runs points"],
    label: str,
    style: dict[str, Any],
) -> None:
    mean = rows.mean(axis=0)
    marker = "o" if len(x) <= 12 else None
    axes.plot(x, mean, label=label, linewidth=1.8, marker=marker, markersize=3.5, **style)
    if len(rows) > 1:
        with np.errstate(invalid="ignore"):  # an infinite run has no deviation
            error = rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
        axes.fill_between(x, mean - error, mean + error, color=style["color"], alpha=0.2, linewidth=0)


def _legend(figure: Figure, grid: Iterable[Axes], labels: Sequence[str]) -> None:
    """One legend for all panels, beside the last; none for a single line."""
    if len(labels) > 1:
        handles = {line.get_label(): line for axes in grid for line in axes.get_lines()}
        figure.legend(
            [handles[label] for label in labels],
            [shorten(label, MAX_LABEL_LENGTH) for label in labels],
            loc="outside right center",
            frameon=False,
            fontsize=9,
        )


def _draw_row(axes: Axes, values: Float[np.ndarray, " runs"], row: int) -> None:
    values = values[np.isfinite(values)]
    if not len(values):
        return
    mean, _, interval, _ = summarize(values.tolist())
    axes.plot(
        values, np.full(len(values), row), "o", color="#999999", markersize=3, alpha=0.6, linestyle="none"
    )
    if interval is not None:
        axes.plot(interval, (row, row), color=COLOURS[0], linewidth=2.2)
    axes.plot([mean], [row], "o", color=COLOURS[0], markersize=6.5)


def _draw_points(
    axes: Axes, positions: Float[np.ndarray, "points 2"], classes: Integer[np.ndarray, " points"]
) -> None:
    for label, colour in zip(np.unique(classes), ("#2166ac", "#b2182b", *COLOURS), strict=False):
        x, y = positions[classes == label].T
        axes.plot(x, y, "o", markersize=3, color=colour, markeredgecolor="white", markeredgewidth=0.4)


def style_axes(axes: Axes, *, grid: Literal["both", "x", "y", "none"] = "both", percent: str = "") -> None:
    """Thin grid lines across "x", "y", "both" or "none", no frame above and on the right, and fractions in
    percent on the axes that ``percent`` names, as "xy".
    """
    if grid != "none":
        axes.grid(alpha=0.25, axis=grid)
    axes.spines[["top", "right"]].set_visible(False)
    for name in percent:
        getattr(axes, f"{name}axis").set_major_formatter(PercentFormatter(1, symbol=" %"))


def save_figure(figure: Figure, path: str | Path) -> Path:
    """The figure as a PNG: its texts as they stand, its titles no wider than their panels."""
    with plain_texts(figure):
        fit_titles(figure)
        # Without the writer's version the same figure is the same bytes, and git sees no change.
        figure.savefig(path, dpi=DOTS_PER_INCH, format="png", metadata={"Software": None})
    return Path(path)
