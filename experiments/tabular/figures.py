"""The pictures of the comparison on tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from experiments.tabular.comparison import log_ratios, ranks, systems_of
from experiments.tabular.peers import OURS
from experiments.tabular.tables import Frame
from jaxmlp.plots import charts
from jaxmlp.plots.lettering import MAX_LABEL_LENGTH, log_locator, shorten
from jaxmlp.statistics import summarize

MAX_ACROSS = 4
"""Panels side by side."""
Panels = Mapping[str, Mapping[str, np.ndarray]]


def draw(folder: Path, frame: Frame) -> None:
    """The ranks of all systems, their losses over this library's, and the seconds they train for."""
    if placed := ranks(frame):
        rows = dict(sorted(placed.items(), key=lambda row: np.mean(row[1])))
        title = "Rank by loss on each table (small), their mean and its 95 % interval"
        charts.point_plot({"": rows}, folder / "ranks.png", xlabel="rank; 1 is best", title=title)
    ratios: dict[str, dict[str, np.ndarray]] = {table: {} for table in frame["table"].unique()}
    for system, each in log_ratios(frame).items():
        for table, logarithms in each.items():
            ratios[table][system] = np.exp(logarithms)
    if any(ratios.values()):
        log_points(
            {name: rows for name, rows in ratios.items() if rows},
            folder / "ratios.png",
            xlabel=f"loss / that of {OURS}",
            title=f"Loss on each split as a multiple of that of {OURS}: right of the line {OURS} is better",
            line=1.0,
        )
    log_points(seconds(frame), folder / "seconds.png", xlabel="seconds", title="Seconds of the training")


def seconds(frame: Frame) -> dict[str, dict[str, np.ndarray]]:
    """Of each table and system those on the clock; of this library with an empty cache and a full one."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for table, rows in frame.groupby("table", sort=False):
        of_table = found[str(table)] = {}
        for system in systems_of(rows):
            own = rows[rows["system"] == system]
            of_table[system] = own["wall"].to_numpy()
            if system == OURS:
                of_table[f"{OURS}, compiled before"] = own["warm_wall"].to_numpy()
    return found


def log_points(panels: Panels, path: Path, *, xlabel: str, title: str, line: float | None = None) -> Path:
    """``charts.point_plot`` with logarithmic axes, geometric means and at most four panels in a row."""
    labels = list(dict.fromkeys(label for rows in panels.values() for label in rows))
    across = min(len(panels), MAX_ACROSS)
    down = -(-len(panels) // across)
    size = (max(6.4, 3.4 * across + 1.8), 0.6 + (0.9 + 0.3 * max(len(labels), 3)) * down)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes, (name, rows) in zip(grid, panels.items(), strict=False):
        _draw_panel(axes, rows, labels)
        axes.set(xlabel=xlabel, title=name)
        if line is not None:
            axes.axvline(line, color="black", linewidth=0.8)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    grid[0].set_yticks(range(len(labels)), [shorten(label, MAX_LABEL_LENGTH) for label in labels])
    grid[0].set_ylim(len(labels) - 0.5, -0.5)
    return charts.save_figure(figure, path)


def _draw_panel(axes: Axes, rows: Mapping[str, np.ndarray], labels: Sequence[str]) -> None:
    for label, values in rows.items():
        row = labels.index(label)
        axes.plot(values, np.full(len(values), row), "o", color="#999999", markersize=3, alpha=0.6)
        mean, _, interval, _ = summarize(np.log(values))
        if interval is not None:
            axes.plot(np.exp(interval), (row, row), color=charts.COLOURS[0], linewidth=2.2)
        axes.plot([np.exp(mean)], [row], "o", color=charts.COLOURS[0], markersize=6)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(log_locator(high / low))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    charts.style_axes(axes, grid="x")
