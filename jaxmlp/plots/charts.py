"""Charts of numbers, whatever they mean; each becomes a PNG at ``path``, which is returned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jaxmlp.plots.lettering import MAX_LABEL_LENGTH, fit_titles, plain_texts, shorten
from jaxmlp.statistics import summarize
from jaxmlp.types import Numbers

DOTS_PER_INCH = 150
# Okabe and Ito's colours, which stay apart for colour-blind eyes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


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
    labels = list(dict.fromkeys(label for rows in panels.values() for label in rows))
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
