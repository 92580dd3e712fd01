"""Is one compiled epoch faster than what people would pick instead? The same work, system by system.

    python -m experiments.benchmark

trains the same networks on the same examples with this library, PyTorch, Keras, Flax, Equinox and
scikit-learn, each in a process of its own and in turns, so that all meet the same machine; then populations,
against PyTorch with the members batched; then races from the start of a process to a validation accuracy.
What is not installed is named and left out (pip install -e '.[peers]' brings all). A system whose accuracy
is not that of the others does not count. runs/benchmark then holds record and pictures: seconds per epoch,
ratios to the best of the others, the share of this machine's matrix-product limit, compile times, memory, and
how time grows with examples, width, depth and members.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import peers, receipt, timings, worker
from experiments.command_line import main
from experiments.peers import Data, Work
from experiments.timings import Race, Results, Timed
from experiments.worker import Ask, WorkerError, process
from jaxmlp import checks
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, from_arrays, standardize
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.runtime import compilation
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(receipt.ImageConfig):
    num_seeds: int = 5
    """Epochs of each system that are timed, after a first one that compiles."""
    num_examples: int = 51_200
    """Images to train on, at most."""
    works: tuple[str, ...] = ()
    """Parts of the names of the works to do (default: all)."""
    systems: tuple[str, ...] = ()
    """Parts of the names of the systems to compare, beside this library (default: all)."""
    goal: float = 0.98
    """Validation accuracy on the images that the races go to."""
    num_races: int = 3
    """Races with nothing compiled yet; each is followed by one with what the first left in the cache."""


def works_of(data: dict[str, Data]) -> dict[str, Work]:
    """All that is trained, by name; what comes before the first comma names its picture."""

    def work(*hidden: int, dataset: str = "images", **options: Any) -> Work:
        found = data[dataset]
        sizes = found.inputs.shape[1], *hidden, int(found.labels.max()) + 1
        return Work(sizes, dataset=dataset, **options)

    works = {
        f"{name}, batch {batch_size}": work(*hidden, batch_size=batch_size)
        for name, hidden in {"60": (60,), "512-512": (512, 512)}.items()
        for batch_size in (32, 128, 512)
    }
    works["1024-1024-1024"] = work(1024, 1024, 1024)
    works["table, 256-256"] = work(256, 256, dataset="table")
    works["digits, 100"] = work(100, dataset="digits")
    for num_members in (8, 32, 128):
        works[f"population, {num_members} of 60"] = work(60, num_members=num_members)
    return works


def growing(data: Data) -> dict[str, dict[int, Work]]:
    """Works of this library alone, in each of which one number grows."""
    num_inputs, num_classes = data.inputs.shape[1], int(data.labels.max()) + 1

    def work(width: int = 128, depth: int = 1, **options: Any) -> Work:
        return Work((num_inputs, *(width,) * depth, num_classes), **options)

    most = len(data.inputs)
    # A thousand members at once are for a device that has room for them.
    numbers = (1, 8, 32, 128) if jax.default_backend() == "cpu" else (1, 8, 32, 128, 1024, 8192)
    return {
        "examples": {most // share: work(num_examples=most // share) for share in (8, 4, 2, 1)},
        "width": {width: work(width) for width in (64, 128, 256, 512, 1024)},
        "depth": {depth: work(depth=depth) for depth in (1, 2, 4, 8)},
        "members": {number: work(60, num_members=number) for number in numbers},
    }


def run(config: Config) -> None:
    """Every system at every work, recorded after each."""
    if config.smoke:
        config = replace(config, num_seeds=1, num_races=1, works=config.works or ("60, batch 512", "8 of"))
    checks.fraction("goal", config.goal)
    checks.integer("num_races", config.num_races)
    # On a GPU the first process would otherwise take the memory of all that follow.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    begun, data = receipt.begin(config), load(config)
    works = {name: work for name, work in works_of(data).items() if named(name, config.works)}
    if not works:
        raise InputError(f"works: must name parts of {', '.join(works_of(data))}; got {config.works}")
    results = Results({}, {}, {}, {})
    with tempfile.TemporaryDirectory() as temporary:
        for name, one in data.items():
            worker.save(Path(temporary, name), one)
        for _ in measured(config, works, data, Path(temporary), results):
            receipt.finish(
                begun,
                config,
                dataset=config.dataset,
                metrics=timings.measures(results, works, data),
                tables=timings.tables(results),
                notes={"varied": "epoch", "device": jax.devices()[0].device_kind},
            )
            timings.draw(begun.folder, results)


def measured(
    config: Config, works: dict[str, Work], data: dict[str, Data], folder: Path, results: Results
) -> Iterator[None]:
    """Fill ``results``, and stop after each part of them."""
    for name, work in works.items():
        results.timed[name], results.peaks[name] = compare(config, work, folder)
        timings.tell(name, results.timed[name])
        yield
    for name, goal in {"512-512, batch 128": config.goal, "digits, 100": 0.97}.items():
        if name in works:
            results.races[name] = race(config, works[name], goal, folder)
            yield
    growth = {} if config.works else growing(data["images"])
    for axis, each in growth.items():
        results.grown[axis] = grow(config, each, folder)
        yield


def load(config: Config) -> dict[str, Data]:
    """The images, a table of two classes in 20 columns, and scikit-learn's digits."""
    from sklearn.datasets import make_classification

    largest = checks.integer("num_examples", config.num_examples)
    if largest < 512:
        raise InputError(f"num_examples: must be at least 512, the largest batch, got {largest}")
    images = receipt.load(config, validation_fraction=0.1)
    rows, classes = make_classification(12_500, 20, n_informative=10, random_state=config.seed)
    table = from_arrays(rows, classes, validation_fraction=0.1, test_fraction=0.1)
    digits = sources.load_dataset("digits", validation_fraction=0.25)
    return {
        "images": whole_batches(images, largest, 512),
        "table": whole_batches(table, 10_000, 128),
        "digits": whole_batches(digits, largest, 128),
    }


def whole_batches(splits: Splits, largest: int, batch_size: int) -> Data:
    """Rows of scaled numbers: ``largest`` to train on at most, in whole batches, so that nobody has to pad;
    the rest, but for the test part, is validated on.
    """
    parts = standardize(splits)[:2]
    inputs = np.concatenate([part.inputs for part in parts]).astype(np.float32)
    labels = np.concatenate([part.targets for part in parts]).astype(np.int32)
    cut = min(largest, len(splits.train.inputs)) // batch_size * batch_size
    data = Data(inputs[:cut], labels[:cut], inputs[cut:], labels[cut:])
    raw, (shift, scale) = np.asarray(splits.train.inputs[:cut]), fit_affine(splits.train.inputs)
    if raw.dtype == np.uint8 and not np.any(shift):
        return data._replace(pixels=raw.reshape(cut, -1), brightest=np.asarray(scale))
    return data


def named(name: str, parts: Sequence[str]) -> bool:
    """Whether one of ``parts`` is in the name, or none is given."""
    return not parts or any(part in name for part in parts)


def compared(config: Config, names: Iterable[str]) -> list[str]:
    """This library, the parts of its work, and the systems that the flags name."""
    always = {"jaxmlp", *peers.PARTS}
    return [name for name in names if name in always or named(name, config.systems)]


def compare(config: Config, work: Work, folder: Path) -> tuple[dict[str, Timed], list[float]]:
    """All systems at one work in turns, and in each turn the machine's peak."""
    asks: dict[str, Ask] = {}
    first: dict[str, float] = {}
    turns: list[dict[str, float]] = []
    peaks: list[float] = []
    with ExitStack() as stack:
        for name in compared(config, peers.systems_for(work)):
            asks[name] = stack.enter_context(process(name, work, folder))
            # Before the next process starts, which would disturb it.
            first |= answers(asks, "epoch", [name])
        for _ in range(config.num_seeds):
            peaks += answers(asks, "peak", ["products"]).values()
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
        except WorkerError as error:
            print(f"{name} is left out: {error}", flush=True)
            del asks[name]
    return found


def race(config: Config, work: Work, goal: float, folder: Path) -> dict[str, dict[str, list[Race]]]:
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
                        each.setdefault(name, []).append(race_once(name, work, goal, folder, environment))
                    except WorkerError as error:
                        print(f"{name} is left out of the {way} races: {error}", flush=True)
    return {way: {name: runs for name, runs in each.items() if runs} for way, each in races.items()}


def race_once(name: str, work: Work, goal: float, folder: Path, environment: dict[str, str]) -> Race:
    """One system in a new process, validated after each epoch; 300 epochs may not be enough."""
    began = time.perf_counter()
    with process(name, work, folder, environment) as ask:
        ask("epoch")
        start = time.perf_counter() - began
        for _ in range(300):
            if ask("accuracy") >= goal:
                return Race(start, time.perf_counter() - began)
            ask("epoch")
    return Race(start, np.inf)


def grow(config: Config, works: dict[int, Work], folder: Path) -> dict[int, list[float]]:
    """Seconds of the epochs of this library at each of ``works``."""
    seconds = {}
    for number, work in works.items():
        with process("jaxmlp", work, folder) as ask:
            ask("epoch")
            seconds[number] = [ask("epoch") for _ in range(config.num_seeds)]
    return seconds


if __name__ == "__main__":
    main(Config, run)
