"""Does a run that is killed, again and again, end in the same bits as one that never was?

    python -m experiments.durability

starts experiments.digits with a checkpoint after every epoch, kills it with SIGKILL at a random moment, while
it starts, trains or writes, and goes on with --resume, until the run is over; model file and learning curves
must be those of the run that was never killed, bit for bit. Then whatever else happens to runs and files: a
full disk, a folder that is read-only or vanishes, signals, a second process, odd paths, and checkpoints and
models with a bit flipped or an end missing at hundreds of places. Each must end in the right result or in one
clear line, and harm nothing that was good.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.durability.damage import damage_cases
from experiments.durability.processes import killed, started
from experiments.durability.storage import storage_cases
from experiments.harness import flags, plots
from experiments.harness.answers import Answer, Record, mean, values
from experiments.harness.command import main
from experiments.harness.receipt import Findings


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {"num_kills": 3, "num_epochs": 12, "num_flips": 20}
    QUICK: ClassVar[flags.Sizes] = {"num_kills": 3, "num_epochs": 4, "num_flips": 50}

    num_seeds: int = 1
    """Networks of each run that is killed."""
    num_kills: flags.Count = 200
    """Times that a process is killed, at least; every run that was begun is brought to its end."""
    num_epochs: flags.Count = 300
    """Of each of these runs."""
    num_flips: flags.Count = 500
    """Places at which a bit of each file is flipped, and at which it is cut off."""


def run(config: Config) -> Findings:
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor() as pool:
        folder = Path(temporary)
        of_storage = pool.submit(storage_cases, config, folder)
        started(config, folder / "never").wait()
        lives, same = killed(config, folder)
        cases = of_storage.result() | damage_cases(folder / "never", config.num_flips, config.seed)
    for name, case in cases.items():
        print(f"{'held' if case['held'] else 'BROKEN'}: {name}: {case['outcome']}")
    held = [case["held"] for case in cases.values()]
    return Findings(
        "digits",
        {
            "kills": ([sum(map(len, lives))], "1"),
            "kills_while_writing": ([sum(life.writing for each in lives for life in each)], "1"),
            "runs_with_the_same_bits": (np.array(same, float), "fraction"),
            "cases_held": (np.array(held, float), "fraction"),
        },
        curves={"epochs_at_each_kill": [[float(life.epochs) for life in each] for each in lives]},
        tables={"cases": [{"case": name} | case for name, case in cases.items()]},
        notes={"varied": "run"},
    )


def answer(record: Record) -> Answer:
    same, held = (values(record, name) for name in ("runs_with_the_same_bits", "cases_held"))
    writing = f"{mean(record, 'kills_while_writing'):.0f} of them while it wrote"
    return Answer(
        "runs_with_the_same_bits",
        f"{'Yes' if same.all() else 'No'}: {same.sum():.0f} of {len(same)} runs end in the same bits, after "
        f"{mean(record, 'kills'):.0f} kills, {writing}; {held.sum():.0f} of {len(held)} other mishaps ended "
        "in the right result or in one clear line",
    )


def draw(record: Record, folder: Path) -> None:
    """How far each run had come at each kill."""
    found = record["curves"]["epochs_at_each_kill"]
    lives = [[epoch for epoch in each if epoch is not None] for each in found]
    lines = {f"run {i + 1}": (range(1, len(each) + 1), [each]) for i, each in enumerate(lives)}
    xlabel, ylabel = "times killed" if any(lives) else "", "epochs, by the last checkpoint"
    path, title = folder / "kills.png", "Runs that were killed and gone on with"
    plots.line_plot({"": lines}, path, xlabel=xlabel, ylabel=ylabel, title=title)


if __name__ == "__main__":
    main(Config, run, draw, answer)
