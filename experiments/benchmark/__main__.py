"""Is one compiled epoch faster than what people would pick instead? The same work, system by system.

    python -m experiments.benchmark

trains the same networks on the same examples with this library, PyTorch, Keras, Flax, Equinox and
scikit-learn, each in a process of its own and in turns, so that all meet the same machine; then populations,
against PyTorch with the members batched; then races from the start of a process to a validation accuracy.
What is not installed is named and left out (pip install -e '.[peers]' brings all). A system whose accuracy
is not that of the others does not count.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import msgspec
import numpy as np

from experiments.benchmark import measures, peers
from experiments.benchmark.figures import draw
from experiments.benchmark.measures import Race, Results, Timed
from experiments.benchmark.process import save, started
from experiments.benchmark.work import Data, Work
from experiments.benchmark.workloads import growing, load_all, works_of
from experiments.harness.answers import Answer, Record, by_sign, counted, said, slug
from experiments.harness.apart import Ask, ProcessError
from experiments.harness.command import main
from experiments.harness.flags import Count, ImageConfig, Share, Sizes
from experiments.harness.receipt import Findings
from jaxmlp.runtime import compilation
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(ImageConfig):
    SMOKE: ClassVar[Sizes] = {"num_seeds": 1, "num_races": 1, "works": ("60, batch 512", "8 of")}
    QUICK: ClassVar[Sizes] = {"dataset": "digits", "works": ("60, batch 128",)}

    num_seeds: int = 3
    """Epochs of each system that are timed, after a first one that compiles."""
    num_examples: Count = 51_200
    """Images to train on, at most."""
    works: tuple[str, ...] = ()
    """Parts of the names of the works to do (default: all)."""
    systems: tuple[str, ...] = ()
    """Parts of the names of the systems to compare, beside this library (default: all)."""
    goal: Share = 0.97
    """Validation accuracy that the races go to."""
    num_races: Count = 2
    """Races with nothing compiled yet; each is followed by one with what the first left in the cache."""


def run(config: Config) -> Iterator[Findings]:
    # On a GPU the first process would otherwise take the memory of all that follow.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    data = load_all(config)
    works = {name: work for name, work in works_of(data).items() if named(name, config.works)}
    if not works:
        raise InputError(f"works: must name parts of {', '.join(works_of(data))}; got {config.works}")
    results = Results()
    with tempfile.TemporaryDirectory() as temporary:
        for name, one in data.items():
            save(Path(temporary, name), one)
        for _ in measured(config, works, data, Path(temporary), results):
            yield Findings(
                config.dataset,
                measures.measures(results, works, data),
                tables=msgspec.to_builtins(results, str_keys=True),
                notes={"varied": "epoch", "device": jax.devices()[0].device_kind},
            )


def measured(
    config: Config, works: dict[str, Work], data: dict[str, Data], folder: Path, results: Results
) -> Iterator[None]:
    """Fill ``results``, and stop after each part of them."""
    for name, work in works.items():
        results.timed[name], results.peaks[name] = compare(config, work, folder)
        for system, one in results.timed[name].items():
            told = f"{1000 * np.mean(one.epochs):.4g} ms an epoch, accuracy {one.accuracy:.4f}"
            print(f"{name}: {system} {told}", flush=True)
        yield
    for name in ("512-512, batch 128", "digits, 100"):
        if name in works:
            results.races[name] = race(config, works[name], folder)
            yield
    growth = {} if config.works else growing(data["images"])
    for axis, each in growth.items():
        results.grown[axis] = grow(config, each, folder)
        yield


def named(name: str, parts: Sequence[str]) -> bool:
    """Whether one of ``parts`` is in the name, or none is given."""
    return not parts or any(part in name for part in parts)


def compared(config: Config, names: Iterable[str]) -> list[str]:
    """This library, the products alone, and the systems that the flags name."""
    always = {"jaxmlp", peers.PRODUCTS}
    return [name for name in names if name in always or named(name, config.systems)]


def compare(config: Config, work: Work, folder: Path) -> tuple[dict[str, Timed], list[float]]:
    """All systems at one work in turns, and in each turn the machine's peak."""
    asks: dict[str, Ask] = {}
    first: dict[str, float] = {}
    turns: list[dict[str, float]] = []
    peaks: list[float] = []
    with ExitStack() as stack:
        for name in compared(config, peers.systems_for(work)):
            asks[name] = stack.enter_context(started(name, work, folder))
            # Before the next process starts, which would disturb it.
            first |= answers(asks, "epoch", [name])
        for _ in range(config.num_seeds):
            peaks += answers(asks, "peak", [peers.PRODUCTS]).values()
            turns.append(answers(asks, "epoch"))
        accuracy, memory = answers(asks, "accuracy"), answers(asks, "memory")
    found = {
        name: Timed(first[name], [turn[name] for turn in turns], accuracy[name], memory[name])
        for name in asks
    }
    return found, peaks


def answers(asks: dict[str, Ask], command: str, names: Iterable[str] | None = None) -> dict[str, float]:
    """What each system answers, of those called ``names``; who fails is named and asked no more."""
    found = {}
    for name in list(asks if names is None else set(names) & set(asks)):
        try:
            found[name] = asks[name](command)
        except ProcessError as error:
            print(f"{name} is left out: {error}", flush=True)
            del asks[name]
    return found


def race(config: Config, work: Work, folder: Path) -> dict[str, dict[str, list[Race]]]:
    """Each system from the start of its process to the goal, with nothing compiled before ("cold"), and with
    what that left in the caches ("warm").
    """
    races: dict[str, dict[str, list[Race]]] = {"cold": {}, "warm": {}}
    for _ in range(config.num_races):
        for name in compared(config, peers.SYSTEMS):
            with tempfile.TemporaryDirectory() as cache:
                environment = dict.fromkeys(("JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"), cache)
                # Of JAX's own, which would keep only what compiles for a second.
                environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(
                    compilation.MIN_COMPILE_SECONDS
                )
                for way, each in races.items():
                    try:
                        run = race_once(name, work, config.goal, folder, environment)
                        each.setdefault(name, []).append(run)
                    except ProcessError as error:
                        print(f"{name} is left out of the {way} races: {error}", flush=True)
    return {way: {name: runs for name, runs in each.items() if runs} for way, each in races.items()}


def race_once(name: str, work: Work, goal: float, folder: Path, environment: dict[str, str]) -> Race:
    """One system in a new process, validated after each epoch; 300 epochs may not be enough."""
    began = time.perf_counter()
    with started(name, work, folder, environment) as ask:
        for _ in range(300):
            ask("epoch")
            if ask("accuracy") >= goal:
                return Race(time.perf_counter() - began)
    return Race(None)


def grow(config: Config, works: dict[int, Work], folder: Path) -> dict[int, list[float]]:
    """Seconds of the epochs of this library at each of ``works``."""
    seconds = {}
    for number, work in works.items():
        with started("jaxmlp", work, folder) as ask:
            ask("epoch")
            seconds[number] = [ask("epoch") for _ in range(config.num_seeds)]
    return seconds


def answer(record: Record) -> Answer:
    ratios = {name: f"ratio_{slug(name)}" for name in record["tables"]["timed"]}
    ratios = {name: ratio for name, ratio in ratios.items() if ratio in record["metrics"]}
    if not ratios:
        return Answer(next(iter(record["metrics"])), "Nothing to compare with is installed", shown=False)
    told, at = [], by_sign(record, ratios, than=1)
    for found, word in {1: "faster", -1: "slower", 0: "no difference shown"}.items():
        names = [f"{name}: {said(record, ratios[name])}" for name in at[found]]
        told += [f"{word} at {len(names)} of {len(ratios)} works ({'; '.join(names)})"] if names else []
    name, ratio = next(iter(ratios.items()))
    text = f"Times as fast as the best of the others in float32: {', '.join(told)} ({counted(record, ratio)})"
    return Answer(ratio, text, name not in at[0])


if __name__ == "__main__":
    main(Config, run, draw, answer)
