"""Charts that experiments alone draw: curves with their error, functions of two variables, rows of images.

Each becomes a PNG at ``path``, which is returned.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Integer, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from jaxmlp.plots import charts
from jaxmlp.plots.charts import COLOURS, style_axes
from jaxmlp.plots.images import MOSAIC_COLUMNS, fill_grid
from jaxmlp.plots.lettering import MAX_LABEL_LENGTH, log_locator, shorten
from jaxmlp.types import Numbers

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
    labels = list(dict.fromkeys(label for lines in panels.values() for label in lines))
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
    return charts.save_figure(figure, path)


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
    return charts.save_figure(figure, path)


def image_grid(
    images: Shaped[Array | np.ndarray, "images height width *channels"],
    titles: Sequence[str],
    path: str | Path,
    *,
    signed: bool = False,
    columns: int = MOSAIC_COLUMNS,
    title: str = "",
) -> Path:
    """Images in rows, each under its own title.

    ``signed`` images, of one channel, go from blue over white to red, each on a scale of its own from minus
    to plus its largest absolute value.
    """
    images = np.asarray(images)
    columns = min(columns, len(images))
    num_rows = -(-len(images) // columns)
    figure = Figure(figsize=(max(4.0, 1.25 * columns), 1.6 * num_rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = fill_grid(figure, list(images), titles, columns, fontsize=8.0)
    if signed:
        for axes, image in zip(grid, images, strict=True):
            largest = float(np.max(np.abs(image))) or 1.0
            axes.images[0].set(cmap="RdBu_r", clim=(-largest, largest))
    return charts.save_figure(figure, path)


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


def _draw_points(
    axes: Axes, positions: Float[np.ndarray, "points 2"], classes: Integer[np.ndarray, " points"]
) -> None:
    for label, colour in zip(np.unique(classes), ("#2166ac", "#b2182b", *COLOURS), strict=False):
        x, y = positions[classes == label].T
        axes.plot(x, y, "o", markersize=3, color=colour, markeredgecolor="white", markeredgewidth=0.4)
