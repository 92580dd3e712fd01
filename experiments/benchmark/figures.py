"""The pictures of the benchmark."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from experiments.benchmark.measures import Results, Timed, each_race
from experiments.benchmark.peers import POPULATIONS, SYSTEMS
from experiments.harness import plots
from experiments.harness.answers import Record, slug
from jaxmlp.plots import charts


def draw(record: Record, folder: Path) -> None:
    """Seconds per epoch of each system, what else they cost, the races, and how this library's time grows."""
    results = msgspec.convert(record["tables"], Results, str_keys=True)
    names = {*SYSTEMS, *POPULATIONS}
    timed = {work: {s: one for s, one in row.items() if s in names} for work, row in results.timed.items()}
    # A picture for what each work's name begins with, a panel for each work.
    pictures: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, row in timed.items():
        pictures[name.partition(",")[0]][name] = {system: one.epochs for system, one in row.items()}
    for name, panels in pictures.items():
        path = folder / f"epochs_{slug(name)}.png"
        charts.point_plot(panels, path, xlabel="seconds per epoch", title="An epoch of the same work")
    draw_costs(folder, timed)
    races: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, way, seconds in each_race(results):
        races[name][way] = seconds
    for name, goals in races.items():
        path = folder / f"races_{slug(name)}.png"
        title = f"{name}: from the start of the process to the goal"
        charts.point_plot(goals, path, xlabel="seconds", title=title)
    for axis, each in results.grown.items():
        lines = {"jaxmlp": (list(each), np.array(list(each.values())).T)}
        options: dict[str, Any] = {"xlabel": axis, "ylabel": "seconds per epoch"}
        path, title = folder / f"growth_{axis}.png", "The time of an epoch of this library"
        plots.line_plot({"": lines}, path, title=title, log_x=True, log_y=True, **options)


def draw_costs(folder: Path, timed: dict[str, dict[str, Timed]]) -> None:
    """Of each system what its first epoch takes longer than the others, and its memory."""
    compiling: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, list[float]] = defaultdict(list)
    for row in timed.values():
        for system, one in row.items():
            compiling[system].append(one.first - float(np.median(one.epochs)))
            memory[system].append(np.nan if one.memory is None else one.memory)
    panels = {"first epoch less a later one": compiling, "peak memory of the process": memory}
    title = "What else it costs, work by work"
    charts.point_plot(panels, folder / "costs.png", xlabel=["seconds", "GB"], title=title)
