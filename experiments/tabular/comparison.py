"""What the measured losses say together: ranks, ratios to this library's, and who wins how often."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from experiments.harness.answers import slug
from experiments.tabular.measure import Outcome
from experiments.tabular.peers import OURS

NUM_RESAMPLES = 10_000
LOSSES = {"log_loss": "nats", "rmse": "target's unit"}
"""What systems are compared by, and its unit."""
Tables = Mapping[str, Mapping[str, Mapping[int, Outcome]]]
"""Table -> system -> split -> outcome."""


class Ratio(NamedTuple):
    """How many times this library's loss another system's is, the geometric mean over tables; above 1 this
    library is better. ``interval`` is the 95 % interval of the bootstrap over tables.
    """

    mean: float
    interval: tuple[float, float] | None
    without_two_largest: float | None
    """The same without the two tables on which this library wins most."""
    wins: int
    """Tables on which this library's loss is the smaller one."""
    num_tables: int


def by_table(outcomes: Iterable[Outcome]) -> Tables:
    """The outcomes by table, system and split; tables and systems in the order of their first."""
    found: dict[str, dict[str, dict[int, Outcome]]] = {}
    for one in outcomes:
        found.setdefault(one.table, {}).setdefault(one.system, {})[one.split] = one
    return found


def systems_of(tables: Tables) -> list[str]:
    """All that were measured on any table, this library first."""
    names = dict.fromkeys(system for systems in tables.values() for system in systems)
    return sorted(names, key=lambda name: name != OURS)


def is_ablation(system: str) -> bool:
    """Whether it is this library without a part of its recipe."""
    return system.startswith(f"{OURS} ")


def loss(outcome: Outcome) -> float:
    """What systems are compared by."""
    return next(value for name, value in outcome.measured.losses.items() if name in LOSSES)


def mean_loss(splits: Mapping[int, Outcome]) -> float:
    return float(np.mean([loss(one) for one in splits.values()]))


def log_ratios(tables: Tables, system: str) -> dict[str, np.ndarray]:
    """Of each table on which both were measured, the logarithm of the system's loss over this library's, on
    the splits that both have.
    """
    found = {}
    for name, systems in tables.items():
        ours, theirs = systems.get(OURS, {}), systems.get(system, {})
        if common := sorted(ours.keys() & theirs.keys()):
            found[name] = np.array([np.log(loss(theirs[split]) / loss(ours[split])) for split in common])
    return found


def compare(tables: Tables, system: str) -> Ratio | None:
    """The Ratio of a system's losses to this library's; None if they have no table in common."""
    of_tables = np.sort([values.mean() for values in log_ratios(tables, system).values()])
    if not len(of_tables):
        return None
    fewer = of_tables[:-2]
    return Ratio(
        mean=float(np.exp(of_tables.mean())),
        interval=bootstrap_interval(of_tables),
        without_two_largest=float(np.exp(fewer.mean())) if len(fewer) else None,
        wins=int(np.sum(of_tables > 0)),
        num_tables=len(of_tables),
    )


def bootstrap_interval(logarithms: np.ndarray) -> tuple[float, float] | None:
    """The middle 95 % of the geometric means of as many tables drawn with replacement; None of fewer than
    two.
    """
    if len(logarithms) < 2:
        return None
    draws = np.random.default_rng(0)
    drawn = draws.choice(logarithms, (NUM_RESAMPLES, len(logarithms)))
    low, high = np.exp(np.quantile(drawn.mean(axis=1), (0.025, 0.975))).tolist()
    return low, high


def ranks(tables: Tables) -> dict[str, list[float]]:
    """Of each system its rank by mean loss, from 1, on each table on which all of them were measured."""
    compared = [system for system in systems_of(tables) if not is_ablation(system)]
    complete = [systems for systems in tables.values() if all(name in systems for name in compared)]
    each = [rankdata([mean_loss(systems[name]) for name in compared]) for systems in complete]
    return {name: [float(row[i]) for row in each] for i, name in enumerate(compared) if each}


def measures(tables: Tables) -> dict[str, Any]:
    """Ranks first, then the logarithms of the ratios, table by table, then all losses and seconds."""
    measured: dict[str, Any] = {
        f"mean_rank_{slug(system)}": (values, "1") for system, values in ranks(tables).items()
    }
    for system in systems_of(tables):
        each = log_ratios(tables, system)
        if system != OURS and each:
            means = [values.mean() for values in each.values()]
            measured[f"log_loss_ratio_{slug(system)}"] = means, "1"
    for name, systems in tables.items():
        for system, splits in systems.items():
            measured |= _of_splits(f"{slug(name)}_{slug(system)}", list(splits.values()))
    return measured


def _of_splits(label: str, outcomes: list[Outcome]) -> dict[str, Any]:
    """Every loss and all seconds of one system on one table."""
    units = LOSSES | {"accuracy": "fraction"}
    losses = {name: [one.measured.losses[name] for one in outcomes] for name in outcomes[0].measured.losses}
    clocks = outcomes[0].measured.seconds
    seconds = {name: [one.measured.seconds[name] for one in outcomes] for name in clocks}
    return {f"{label}_{name}": (values, units[name]) for name, values in losses.items()} | {
        f"{label}_{name}_time": (values, "s") for name, values in seconds.items()
    }


def summaries(tables: Tables) -> dict[str, Any]:
    """For the record: the ratios, on which tables the ranks are, and the versions of the systems."""
    others = [system for system in systems_of(tables) if system != OURS]
    ratios = {system: compare(tables, system) for system in others}
    return {
        "ratios": {system: ratio for system, ratio in ratios.items() if ratio is not None},
        "ranks": ranks(tables),
        "versions": {system: versions(tables, system) for system in systems_of(tables)},
    }


def versions(tables: Tables, system: str) -> list[str]:
    """Those that a system was measured in."""
    found = [systems.get(system, {}).values() for systems in tables.values()]
    return sorted({one.measured.version for splits in found for one in splits})
