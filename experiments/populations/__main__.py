"""What does a population of networks cost, compared with its members one after another?

    python -m experiments.populations

trains 784-60-10 on MNIST with AdamW, learning rate, weight decay and seed different in every member: one
after another with this library and, where PyTorch is installed, with its fused AdamW; and as populations of 1
to 1024 members. Then a sweep of 64 members with successive halving races the same sweep without it to a
validation accuracy within 0.1 point of the best. Repetitions are interleaved.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from experiments.benchmark.measures import training_operations
from experiments.harness import plots
from experiments.harness.answers import Answer, Measures, Record, compared, counted, mean, sign, slug, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Counts, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.populations.measure import SPACE, cost, race
from jaxmlp import checks
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.sweep.space import Choice


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {"sizes": (1, 4), "num_epochs": 2}
    QUICK: ClassVar[Sizes] = {
        "dataset": "digits",
        "sizes": (1, 4, 16, 64),
        "batch_size": 32,
        "num_members": 32,
    }

    num_seeds: int = 5
    """Repetitions of each timing, and races."""
    sizes: Counts = (1, 4, 16, 64, 256, 1024)
    """Members of the populations that are timed."""
    hidden_size: Count = 60
    """Neurons of the hidden layer."""
    num_members: Count = 64
    """Members of the population that races, and of the sweeps."""
    halving: Annotated[int, Rule(partial(checks.integer, at_least=2))] = 4
    """At each rung of the race one member in so many goes on, for so many times as long."""


def run(config: Config) -> Findings:
    splits = load(config, validation_fraction=0.2)
    space = SPACE | {"hidden_sizes": Choice((config.hidden_size,))}
    times, memory, peak = cost(config, splits, space)
    measured = measures(config, splits, times, memory, peak, race(config, splits, space))
    return Findings(splits.name, measured, notes={"varied": "repetition"})


def measures(
    config: Config,
    splits: Splits,
    times: dict[str, list[float]],
    memory: dict[int, float],
    peaks: list[float],
    races: list[dict[str, float]],
) -> Measures:
    """Ratios of the same repetition, and the figures that they come from; halving is compared where it
    reached what the full sweep did.
    """
    seconds, bound = {name: np.array(each) for name, each in times.items()}, limit(config, splits)
    members = seconds[f"race of {config.num_members}"]
    columns = {name: np.array([race[name] for race in races]) for name in races[0]}
    reached = np.isfinite(columns["halving"])
    measured: Measures = {
        f"ratio_{slug(name)}": (seconds[name] / members, "1")
        for name in ("one after another", "PyTorch")
        if name in seconds
    }
    measured["halving_reached"] = reached.astype(float), "fraction"
    measured["ratio_halving"] = (columns["full"] / columns["halving"])[reached], "1"
    measured["ratio_halving_total"] = columns["full_total"] / columns["halving_total"], "1"
    measured["halving_minus_full_validation_accuracy"] = columns["difference"], "fraction"
    measured |= {f"{name}_sweep_time": (columns[f"{name}_total"], "s") for name in ("full", "halving")}
    measured |= {f"epoch_per_member_{slug(name)}": (1000 * each, "ms") for name, each in seconds.items()}
    measured |= {f"memory_{size}": ([gigabytes], "GB") for size, gigabytes in memory.items()}
    measured["peak"] = np.array(peaks) / 1e9, "GFLOP/s"
    measured["limit_per_member"] = 1000 * bound / np.array(peaks), "ms"
    return {name: (values, unit) for name, (values, unit) in measured.items() if len(values)}


def limit(config: Config, splits: Splits) -> float:
    """The floating-point operations of the matrix products of one member's epoch, and of the validation."""
    sizes = layer_sizes(splits, (config.hidden_size,))
    validation = 2 * len(splits.validation.inputs) * sum(a * b for a, b in pairwise(sizes))
    return training_operations(sizes, len(splits.train.inputs)) + validation


def answer(record: Record) -> Answer:
    words: dict[str, Any] = {"above": "faster", "below": "slower", "than": 1}
    first = "ratio_one_after_another"
    told = {"one after another": first, "one after another in PyTorch": "ratio_pytorch"}
    told = {whom: name for whom, name in told.items() if name in record["metrics"]}
    parts = [f"{compared(record, name, **words)} times as fast as {whom}" for whom, name in told.items()]
    if "ratio_halving" in record["metrics"]:
        reached = f"{100 * mean(record, 'halving_reached'):.0f} % of the races"
        halving = compared(record, "ratio_halving", **words)
        parts.append(f"and with halving are, in {reached}, {halving} times as soon at the goal")
    return Answer(
        first,
        f"Side by side, {record['config']['num_members']} networks learn {'; '.join(parts)} "
        f"({counted(record, first)})",
        sign(record, first, than=1) > 0,
    )


def draw(record: Record, folder: Path) -> None:
    """Time and memory against the number of members, with the time of the matrix products alone."""
    end = "epoch_per_member_"
    times = {name.removeprefix(end): values(record, name) for name in record["metrics"] if end in name}
    sizes = [int(name) for name in times if name.isdigit()]
    level = {"its products at the machine's peak": values(record, "limit_per_member")}
    for label, name in {"one after another": "one_after_another", "PyTorch": "pytorch"}.items():
        if name in times:
            level[label] = times[name]
    lines: dict[str, Any] = {"a population": (sizes, np.stack([times[str(s)] for s in sizes], axis=1))}
    lines |= {label: (sizes, np.outer(each, np.ones(len(sizes)))) for label, each in level.items()}
    options: dict[str, Any] = {"xlabel": "members", "log_x": True}
    title, ylabel = "The time of a member, the more train at once", "milliseconds of an epoch per member"
    plots.line_plot({"": lines}, folder / "time.png", ylabel=ylabel, log_y=True, title=title, **options)
    memory = {"": {"memory": (sizes, [[mean(record, f"memory_{size}") for size in sizes]])}}
    title, ylabel = "Memory of the whole process", "GB, the largest so far"
    plots.line_plot(memory, folder / "memory.png", ylabel=ylabel, title=title, **options)


if __name__ == "__main__":
    main(Config, run, draw, answer)
