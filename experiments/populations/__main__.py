"""What does a population of networks cost, compared with its members one after another?

    python -m experiments.populations

trains 784-60-10 on MNIST with AdamW, learning rate, weight decay and seed different in every member: one
after another with this library and, where PyTorch is installed, with its fused AdamW; and as populations of 1
to 1024 members. Then a sweep of 64 members with successive halving races the same sweep without it to a
validation accuracy within 0.1 point of the best. Repetitions are interleaved. runs/populations then holds
the record and pictures.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from experiments.harness.answers import Answer, Measures, Record, mean, said, sign, values
from experiments.harness.command import main
from experiments.harness.flags import Count, Counts, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.populations.measure import SPACE, cost, race
from jaxmlp import checks
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.plots import charts
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
    """Time and race."""
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
    members = np.array(times[f"race of {config.num_members}"])
    measured: Measures = {}
    measured["ratio_one_after_another"] = np.array(times["one after another"]) / members, "1"
    if "PyTorch" in times:
        measured["ratio_pytorch"] = np.array(times["PyTorch"]) / members, "1"
    columns = {name: np.array([race[name] for race in races]) for name in races[0]}
    reached = np.isfinite(columns["halving"])
    measured["halving_reached"] = reached.astype(float), "fraction"
    measured["ratio_halving"] = (columns["full"] / columns["halving"])[reached], "1"
    measured["ratio_halving_total"] = columns["full_total"] / columns["halving_total"], "1"
    measured["halving_minus_full_validation_accuracy"] = columns["difference"], "fraction"
    measured |= {f"{name}_sweep_time": (columns[f"{name}_total"], "s") for name in ("full", "halving")}
    for name, seconds in times.items():
        measured[f"epoch_per_member_{name.replace(' ', '_')}".lower()] = 1000 * np.array(seconds), "ms"
    measured |= {f"memory_{size}": ([gigabytes], "GB") for size, gigabytes in memory.items()}
    measured["peak"] = np.array(peaks) / 1e9, "GFLOP/s"
    measured["limit_per_member"] = 1000 * limit(config, splits) / np.array(peaks), "ms"
    return {name: (values, unit) for name, (values, unit) in measured.items() if len(values)}


def limit(config: Config, splits: Splits) -> float:
    """The floating-point operations of the matrix products of one member's epoch: forward, backward to the
    weights of both layers and to the hidden layer, and the validation.
    """
    num_inputs, num_outputs = layer_sizes(splits, ())
    first, second = num_inputs * config.hidden_size, config.hidden_size * num_outputs
    training = len(splits.train.inputs) * (2 * first + 3 * second)
    return 2 * (training + len(splits.validation.inputs) * (first + second))


def answer(record: Record) -> Answer:
    """How many times as fast a member of a population trains."""
    config, metrics = record["config"], record["metrics"]
    parts = [f"{said(record, 'ratio_one_after_another')} times as fast as one after another"]
    if "ratio_pytorch" in metrics:
        parts.append(f"{said(record, 'ratio_pytorch')} times as fast as one after another in PyTorch")
    if "ratio_halving" in metrics:
        reached = f"{100 * mean(record, 'halving_reached'):.0f} % of the races"
        parts.append(
            f"and with halving are, in {reached}, {said(record, 'ratio_halving')} times as soon at the goal"
        )
    level = "" if sign(record, "ratio_one_after_another", than=1) else " (no difference shown to the first)"
    return Answer(
        "ratio_one_after_another",
        f"Side by side, {config['num_members']} networks learn {'; '.join(parts)}{level}",
        sign(record, "ratio_one_after_another", than=1) > 0,
    )


def draw(record: Record, folder: Path) -> None:
    """Time and memory against the number of members, with the time of the matrix products alone."""
    end = "epoch_per_member_"
    times = {name.removeprefix(end): values(record, name) for name in record["metrics"] if end in name}
    sizes = [int(name) for name in times if name.isdigit()]
    ones = np.ones(len(sizes))
    lines: dict[str, Any] = {
        "a population": (sizes, np.stack([times[str(size)] for size in sizes], axis=1)),
        "its products at the machine's peak": (
            sizes,
            np.outer(values(record, "limit_per_member"), ones),
        ),
    }
    for label, name in {"one after another": "one_after_another", "PyTorch": "pytorch"}.items():
        if name in times:
            lines[label] = sizes, np.outer(times[name], ones)
    charts.line_plot(
        {"": lines},
        folder / "time.png",
        xlabel="members",
        ylabel="milliseconds of an epoch per member",
        log_x=True,
        log_y=True,
        title="The time of a member, the more train at once",
    )
    charts.line_plot(
        {"": {"memory": (sizes, [[mean(record, f"memory_{size}") for size in sizes]])}},
        folder / "memory.png",
        xlabel="members",
        ylabel="GB, the largest so far",
        log_x=True,
        title="Memory of the whole process",
    )


if __name__ == "__main__":
    main(Config, run, draw, answer)
