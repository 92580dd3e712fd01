"""Does the same experiment scale to more processes, to more data than fit, and to deformed images?

    python -m experiments.scaling

trains as experiments.mnist does, as 1, 2 and 4 processes that are one run, each on a core of its own as far
as there are cores, and tells how much faster the same work gets (strong scaling) and how many times as much
is done in the same time (weak scaling), with batches or networks shared out; first, in double precision,
that the result is that of one process. Then what it costs to stream the training data in parts, whether
memory stays flat when they grow tenfold, and what share of the time deforming each image takes. What no
machine here can show, it works out on paper: from which batch on one host of 8 H100, and 64 such hosts,
would be busy.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from experiments.harness import plots
from experiments.harness.answers import Answer, Measures, Record, compared, counted, mean, sign, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Counts, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.scaling.memory import memory
from experiments.scaling.processes import agreement, cores, timed, ways_of
from experiments.scaling.roofline import roofline
from jaxmlp import InputError, checks

AXES = {"data": "batches shared out", "members": "networks shared out"}
KINDS = {"strong": "the same work", "weak": "work for each"}
SAME = 1e-12
"""Of weights in double precision, what other sums of the same numbers may make of them."""


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {
        "num_seeds": 1,
        "processes": (1, 2),
        "hidden_sizes": (32,),
        "deformed_sizes": (32,),
        "num_epochs": 1,
        "batch_size": 128,
        "num_streamed": 512,
    }
    QUICK: ClassVar[Sizes] = {
        "dataset": "digits",
        "num_seeds": 2,
        "processes": (1, 2),
        "axes": ("members",),
        "hidden_sizes": (64,),
        "deformed_sizes": (64,),
        "num_epochs": 100,
        "batch_size": 128,
        "num_streamed": 2000,
    }

    num_seeds: int = 3
    """Repetitions of each timing."""
    processes: Counts = (1, 2, 4)
    """How many processes share the work."""
    hidden_sizes: tuple[int, ...] = (512, 512)
    """Hidden layers of the network that is timed alone."""
    batch_size: Count = 512
    """Images per step, of all processes together or, as weak scaling, of each."""
    num_members: Count = 8
    """Networks of 60 neurons, of all processes together or, as weak scaling, of each."""
    num_epochs: Count = 6
    """Passes of each run; what happens once in a run counts for less, the more there are."""
    axes: Annotated[tuple[str, ...], Rule(partial(checks.known_name, known=AXES))] = tuple(AXES)
    """What is shared out: data, members."""
    deformed_sizes: tuple[int, ...] = (1024, 1024, 1024)
    """Hidden layers of the network whose images are deformed."""
    num_streamed: Count = 60_000
    """Images that are streamed to measure memory, and ten times as many."""


def run(config: Config) -> Findings:
    if config.processes[0] != 1:
        raise InputError(f"processes: must begin with 1, the reference, got {config.processes}")
    # Prepared here, before several processes ask for it, and for the sizes of its images.
    splits = load(config)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        measured = agreement(config, folder) | memory(folder, config.num_streamed)
        seconds = timed(config, folder, ways_of(config, splits.train))
    return Findings(
        splits.name,
        measured | measures(config, seconds),
        tables={"seconds": seconds, "roofline": roofline()},
        notes={"varied": "repetition", "cores": len(cores())},
    )


def measures(config: Config, seconds: dict[str, list[float]]) -> Measures:
    """How many times as much is done per second by more processes, of each kind; the speed of parts as a
    share of that in memory, and the share of the time that deforming takes.
    """
    found: Measures = {}
    for axis, number in product(config.axes, config.processes[1:]):
        alone = np.array(seconds[f"strong {axis} 1"])
        found[f"strong_{axis}_{number}"] = alone / seconds[f"strong {axis} {number}"], "1"
        # An epoch is as much work with larger batches, but more with more networks.
        work = number if axis == "members" else 1
        found[f"weak_{axis}_{number}"] = work * alone / seconds[f"weak {axis} {number}"], "1"
    found["streaming_speed"] = np.divide(seconds["in memory"], seconds["parts"]), "fraction"
    found["deformation_share"] = 1 - np.divide(seconds["as it is"], seconds["deformed"]), "fraction"
    return found


def answer(record: Record) -> Answer:
    config, metrics = record["config"], record["metrics"]
    worst = max((mean(record, name) for name in metrics if name.startswith("difference_")), default=0.0)
    number = min(config["processes"][1:], default=1)
    names = {axis: f"strong_{axis}_{number}" for axis in AXES if f"strong_{axis}_{number}" in metrics}
    of = {axis: compared(record, name, "more", "less", than=1) for axis, name in names.items()}
    parts = [f"with {AXES[axis]}, {text} times as much" for axis, text in of.items()]
    name = names.get("members", next(iter(metrics)))
    return Answer(
        name,
        f"The result is {'the same' if worst < SAME else 'another one'}: no weight is off by more than "
        f"{worst:.1e}. In the same time {number} processes on {config['cores']} cores do, "
        f"{' and '.join(parts) or 'no more'}; data in parts train at "
        f"{compared(record, 'streaming_speed', 'faster', 'slower', than=1)} of the speed, deforming images "
        f"takes {compared(record, 'deformation_share', 'more', 'less')} of the time "
        f"({counted(record, 'streaming_speed')})",
        sign(record, name, than=1) != 0,
    )


def draw(record: Record, folder: Path) -> None:
    """How many times as much is done, against the number of processes, and what the cores would allow."""
    numbers, num_cores = record["config"]["processes"], record["config"]["cores"]
    bound = [[min(number, num_cores) for number in numbers]]
    panels: dict[str, Any] = {}
    for axis, title in AXES.items():
        if f"strong_{axis}_{numbers[-1]}" not in record["metrics"]:
            continue
        panels[title] = {f"{num_cores} cores": (numbers, bound)}
        for kind, text in KINDS.items():
            of_each = [values(record, f"{kind}_{axis}_{number}") for number in numbers[1:]]
            panels[title][text] = numbers, np.stack([np.ones_like(of_each[0]), *of_each], axis=1)
    ylabel, title = "work per second, one process = 1", "What more processes on the cores of one machine do"
    plots.line_plot(panels, folder / "scaling.png", xlabel="processes", ylabel=ylabel, title=title)


if __name__ == "__main__":
    main(Config, run, draw, answer)
