"""What the benchmark measured: ratios to the best of the others, and shares of the limit."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from experiments.benchmark.peers import PRODUCTS
from experiments.benchmark.work import Data, Work
from experiments.harness.answers import Measures, slug


class Timed(Struct):
    """One system at one work."""

    first: float
    """Seconds of the first epoch, which compiles."""
    epochs: list[float]
    accuracy: float
    memory: float | None
    """Peak of its process, in GB; None where the system does not tell it."""


class Race(Struct):
    """Seconds from the start of its process until a system reached the goal, None where it never did."""

    goal: float | None

    @property
    def seconds(self) -> float:
        return np.inf if self.goal is None else self.goal


class Results(Struct):
    """What was measured so far: of each work the systems and the machine's peak in operations per second, the
    races of some works in each way, and of each number that grows the seconds of the epochs.
    """

    timed: dict[str, dict[str, Timed]] = {}
    peaks: dict[str, list[float]] = {}
    races: dict[str, dict[str, dict[str, list[Race]]]] = {}
    grown: dict[str, dict[int, list[float]]] = {}


def is_ours(name: str) -> bool:
    """Whether the system is this library, at whatever precision."""
    return name.startswith("jaxmlp")


def measures(results: Results, works: dict[str, Work], data: dict[str, Data]) -> Measures:
    """Ratios to the best of the others first, turn by turn, and then the rest."""
    measured = ratios(results.timed, works, data)
    for name, way, goals in each_race(results):
        measured |= ratio(f"ratio_{way}_to_goal_{slug(name)}", goals)
        measured |= {f"{way}_to_goal_{slug(name)}_{slug(s)}": (times, "s") for s, times in goals.items()}
    for axis, seconds in results.grown.items():
        # Of each turn the slope of log time over log number.
        numbers, times = np.log(list(seconds)), np.log(np.array(list(seconds.values())))
        measured[f"exponent_{axis}"] = np.polyfit(numbers, times, 1)[0], "1"
    for name, row in results.timed.items():
        if PRODUCTS in row and "jaxmlp" in row:
            work = works[name]
            operations = training_operations(work.layer_sizes, len(data[work.dataset].inputs))
            bound = operations / np.array(results.peaks[name])
            measured[f"share_of_peak_{slug(name)}"] = bound / row["jaxmlp"].epochs, "fraction"
            measured[f"products_share_of_peak_{slug(name)}"] = bound / row[PRODUCTS].epochs, "fraction"
        for system, one in row.items():
            measured[f"epoch_{slug(name)}_{slug(system)}"] = 1000 * np.array(one.epochs), "ms"
    return measured


def ratios(timed: dict[str, dict[str, Timed]], works: dict[str, Work], data: dict[str, Data]) -> Measures:
    """Of each work those of its epochs, and of populations also those to one network after another."""
    measured = Measures()
    of = {n: counted(row, len(data[works[n].dataset].validation_labels)) for n, row in timed.items()}
    for name, kinds in of.items():
        for kind, seconds in kinds.items():
            measured |= ratio(f"ratio_{slug(name)}{kind}", seconds)
            if (number := works[name].num_members) > 1:
                ours = {system: turns for system, turns in seconds.items() if is_ours(system)}
                single = of.get("60, batch 128", {}).get(kind, {})
                others = {s: [number * one for one in turns] for s, turns in single.items() if not is_ours(s)}
                measured |= ratio(f"ratio_{slug(name)}_one_after_another{kind}", ours | others)
    return measured


def each_race(results: Results) -> Iterator[tuple[str, str, dict[str, list[float]]]]:
    """Of each work and way the seconds to the goal of each system, inf where it never came there."""
    for name, ways in results.races.items():
        for way, each in ways.items():
            yield name, way, {system: [run.seconds for run in runs] for system, runs in each.items()}


def ratio(name: str, seconds: dict[str, list[float]]) -> Measures:
    """How many times as long the best of the others takes as the best of ours, turn by turn; nothing if there
    is none of either.
    """
    ours, others = (
        [times for system, times in seconds.items() if is_ours(system) is own] for own in (True, False)
    )
    if not ours or not others:
        return {}
    with np.errstate(invalid="ignore"):  # of two that never arrive none is faster
        return {name: (np.array(min(others, key=np.median)) / min(ours, key=np.median), "1")}


def counted(row: dict[str, Timed], num_examples: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of the systems whose accuracy is ours, with 32-bit products, with 16-bit ones and with any."""
    if "jaxmlp" not in row:
        return {}
    expected = row["jaxmlp"].accuracy
    agreeing = {
        name: one.epochs
        for name, one in row.items()
        if name != PRODUCTS and agrees(one.accuracy, expected, num_examples)
    }
    half = {name: epochs for name, epochs in agreeing.items() if "bfloat16" in name}
    whole = {name: epochs for name, epochs in agreeing.items() if name not in half}
    return {"": whole, "_bfloat16": half, "_any_precision": agreeing}


def agrees(accuracy: float, other: float, num_examples: int) -> bool:
    """Whether two accuracies on the same examples differ by no more than networks of two seeds do."""
    share = (accuracy + other) / 2
    return abs(accuracy - other) <= 4 * np.sqrt(2 * share * (1 - share) / num_examples)


def training_operations(sizes: Sequence[int], num_examples: int) -> float:
    """Of an epoch's matrix products: forward, to the weights, and to all layers but the first."""
    first, *rest = (a * b for a, b in pairwise(sizes))
    return 2 * num_examples * (2 * first + 3 * sum(rest))
