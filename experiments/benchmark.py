"""Is one compiled epoch faster than what people would pick instead? The same work, system by system.

    python -m experiments.benchmark

trains the same networks on the same images with this library, PyTorch, Keras, Flax, Equinox and
scikit-learn, each in a process of its own and in turns, so that all meet the same machine; then populations,
against PyTorch with the members batched; then races from the start of a process to a validation accuracy.
What is not installed is named and left out (pip install -e '.[peers]' brings all). A system whose accuracy
is not that of the others does not count. results/benchmark then holds record and pictures: seconds per epoch,
ratios to the best of the others, the share of this machine's matrix-product limit, compile times, memory, and
how time grows with examples, width, depth and members.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments import peers, receipt, worker
from experiments.command_line import main
from experiments.peers import Data, Work
from experiments.worker import WorkerError, process
from jaxmlp import caches, charts, checks
from jaxmlp.plan import measured_peak
from jaxmlp.statistics import summarize, with_error
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(receipt.ImageConfig):
    num_seeds: int = 5
    """Epochs of each system that are timed, after a first one that compiles."""
    num_examples: int = 51_200
    """Images to train on: whole batches of every size, so that nobody has to pad."""
    works: tuple[str, ...] = ()
    """Parts of the names of the works to do (default: all)."""
    systems: tuple[str, ...] = ()
    """Parts of the names of the systems to compare, beside this library (default: all)."""
    goal: float = 0.98
    """Validation accuracy that the races go to."""
    num_races: int = 3
    """Races with nothing compiled yet; each is followed by one with what the first left in the cache."""


class Timed(NamedTuple):
    """One system at one work."""

    first: float
    """Seconds of the first epoch, which compiles."""
    epochs: list[float]
    accuracy: float
    memory: float
    """Peak of its process, in GB."""


class Race(NamedTuple):
    """Seconds since its process was started until a system had trained for an epoch, and until the goal."""

    start: float
    goal: float


def works_of(data: Data) -> dict[str, Work]:
    """All that is trained, by name."""
    num_inputs, num_classes = data.inputs.shape[1], int(data.labels.max()) + 1
    works = {
        f"{name}, batch {batch_size}": Work((num_inputs, *hidden, num_classes), batch_size)
        for name, hidden in {"60": (60,), "512-512": (512, 512)}.items()
        for batch_size in (32, 128, 512)
    }
    works["1024-1024-1024"] = Work((num_inputs, 1024, 1024, 1024, num_classes))
    for num_members in (8, 32, 128):
        works[f"{num_members} of 60"] = Work((num_inputs, 60, num_classes), num_members=num_members)
    return works


class Results(NamedTuple):
    """What was measured so far: of each work the systems and the machine's peak in operations per second, the
    races of each way, and of each number that grows the seconds of the epochs.
    """

    timed: dict[str, dict[str, Timed]]
    peaks: dict[str, list[float]]
    races: dict[str, dict[str, list[Race]]]
    grown: dict[str, dict[int, list[float]]]


RACED = "512-512, batch 128"


def growing(data: Data) -> dict[str, dict[int, Work]]:
    """Works of this library alone, in each of which one number grows."""
    num_inputs, num_classes = data.inputs.shape[1], int(data.labels.max()) + 1

    def work(width: int = 128, depth: int = 1, **options: Any) -> Work:
        return Work((num_inputs, *(width,) * depth, num_classes), **options)

    most = len(data.inputs)
    return {
        "examples": {most // share: work(num_examples=most // share) for share in (8, 4, 2, 1)},
        "width": {width: work(width) for width in (64, 128, 256, 512, 1024)},
        "depth": {depth: work(depth=depth) for depth in (1, 2, 4, 8)},
        "members": {number: work(60, num_members=number) for number in (2, 8, 32, 128)},
    }


def run(config: Config) -> None:
    """Every system at every work, recorded after each."""
    if config.smoke:
        config = replace(config, num_seeds=1, num_races=1, works=config.works or ("60, batch 512", "8 of"))
    checks.fraction("goal", config.goal)
    checks.whole_number("num_races", config.num_races)
    begun, data = receipt.begin(config), load(config)
    works = {name: work for name, work in works_of(data).items() if named(name, config.works)}
    if not works:
        raise InputError(f"works: must name parts of {', '.join(works_of(data))}; got {config.works}")
    results = Results({}, {}, {}, {})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        worker.save(folder, data)

        def record() -> None:
            receipt.finish(
                begun,
                config,
                dataset=config.dataset,
                metrics=measures(results, works, data),
                tables={"timed": table(results.timed)},
                notes={"varied": "epoch"},
            )
            draw(begun.folder, results)

        for name, work in works.items():
            results.timed[name], results.peaks[name] = compare(config, work, folder)
            tell(name, results.timed[name])
            record()
        if RACED in works:
            results.races.update(race(config, works[RACED], folder))
            record()
        if not config.works:
            results.grown.update({axis: grow(config, each, folder) for axis, each in growing(data).items()})
            record()


def load(config: Config) -> Data:
    """The images as numbers from 0 to 1; what is not trained on is validated on."""
    splits = receipt.load(config, validation_fraction=0.1)
    parts = splits.train, splits.validation
    inputs = np.concatenate([part.inputs.reshape(len(part.inputs), -1) for part in parts])
    inputs = np.asarray(inputs, np.float32) / inputs.max()
    labels = np.concatenate([part.targets for part in parts]).astype(np.int32)
    cut = min(checks.whole_number("num_examples", config.num_examples), len(splits.train.inputs))
    if cut < 512:
        raise InputError(f"num_examples: must be at least 512, the largest batch, got {cut}")
    cut -= cut % 512
    return Data(inputs[:cut], labels[:cut], inputs[cut:], labels[cut:])


def named(name: str, parts: Sequence[str]) -> bool:
    """Whether one of ``parts`` is in the name, or none is given."""
    return not parts or any(part in name for part in parts)


def compare(config: Config, work: Work, folder: Path) -> tuple[dict[str, Timed], list[float]]:
    """All systems at one work in turns, and in each turn the machine's peak."""
    names = [
        name
        for name in peers.systems_for(work)
        if name == "jaxmlp" or name in peers.PARTS or named(name, config.systems)
    ]
    peaks: list[float] = []
    epochs: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        ask, first = {}, {}
        for name in names:
            try:
                ask[name] = stack.enter_context(process(name, work, folder))
                first[name] = ask[name]("epoch")
            except WorkerError as error:
                print(f"{name} is left out: {error}", flush=True)
                ask.pop(name, None)
        for _ in range(config.num_seeds):
            peaks.append(measured_peak(1536))
            for name, one in ask.items():
                epochs[name].append(one("epoch"))
        found = {
            name: Timed(first[name], epochs[name], one("accuracy"), one("memory"))
            for name, one in ask.items()
        }
    return found, peaks


def race(config: Config, work: Work, folder: Path) -> dict[str, dict[str, list[Race]]]:
    """Each system from the start of its process to the goal, with nothing compiled before ("cold"), and with
    what that left in the caches ("warm").
    """
    races: dict[str, dict[str, list[Race]]] = {"cold": {}, "warm": {}}
    for _ in range(config.num_races):
        for name in (name for name in peers.SYSTEMS if name == "jaxmlp" or named(name, config.systems)):
            with tempfile.TemporaryDirectory() as cache:
                environment = dict.fromkeys(("JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"), cache)
                # Of JAX's own, which would keep only what compiles for a second.
                environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(caches.MIN_COMPILE_SECONDS)
                for way, each in races.items():
                    try:
                        each.setdefault(name, []).append(race_once(config, name, work, folder, environment))
                    except WorkerError as error:
                        print(f"{name} is left out of the {way} races: {error}", flush=True)
    return races


def race_once(config: Config, name: str, work: Work, folder: Path, environment: dict[str, str]) -> Race:
    """One system in a new process, validated after each epoch; of 50 epochs none may be enough."""
    began = time.perf_counter()
    with process(name, work, folder, environment) as ask:
        ask("epoch")
        start = time.perf_counter() - began
        for _ in range(50):
            if ask("accuracy") >= config.goal:
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


def measures(results: Results, works: dict[str, Work], data: Data) -> dict[str, Any]:
    """Ratios to the best of the others first, turn by turn, and then the rest."""
    measured: dict[str, Any] = {}
    for name, row in results.timed.items():
        for kind, others in kinds(row, len(data.validation_labels)).items():
            seconds = {other: row[other].epochs for other in ["jaxmlp", *others]}
            measured |= ratio(f"ratio_{slug(name)}{kind}", seconds)
        if "products" in row:
            bound = limit(works[name], len(data.inputs)) / np.array(results.peaks[name])
            measured[f"share_of_peak_{slug(name)}"] = bound / row["jaxmlp"].epochs, "fraction"
            measured[f"products_share_of_peak_{slug(name)}"] = bound / row["products"].epochs, "fraction"
    measured |= population_ratios(results.timed, works, len(data.validation_labels))
    for way, each in results.races.items():
        goals = {name: [run.goal for run in runs] for name, runs in each.items()}
        measured |= ratio(f"ratio_{way}_to_goal", goals)
        measured |= {f"{way}_to_goal_{slug(name)}": (seconds, "s") for name, seconds in goals.items()}
        measured |= {
            f"{way}_start_{slug(name)}": ([r.start for r in runs], "s") for name, runs in each.items()
        }
    measured |= {f"exponent_{axis}": (exponents(each), "1") for axis, each in results.grown.items()}
    for name, row in results.timed.items():
        for system, one in row.items():
            measured[f"epoch_{slug(name)}_{slug(system)}"] = 1000 * np.array(one.epochs), "ms"
    return measured


def ratio(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """How many times as long the best of the others takes, turn by turn; nothing if there is none."""
    others = [other for other in seconds if other != "jaxmlp"]
    if not others or "jaxmlp" not in seconds:
        return {}
    best = min(others, key=lambda other: float(np.median(seconds[other])))
    return {name: (np.array(seconds[best]) / seconds["jaxmlp"], "1")}


def kinds(row: dict[str, Timed], num_validation: int) -> dict[str, list[str]]:
    """The others that count, of 32-bit products and of any."""
    others = [name for name in row if name != "jaxmlp" and name not in peers.PARTS]
    others = [name for name in others if agrees(row[name].accuracy, row["jaxmlp"].accuracy, num_validation)]
    return {"": [name for name in others if "bfloat16" not in name], "_any_precision": others}


def agrees(accuracy: float, other: float, num_examples: int) -> bool:
    """Whether two accuracies on the same examples differ by no more than networks of two seeds do."""
    share = (accuracy + other) / 2
    return abs(accuracy - other) <= 4 * np.sqrt(2 * share * (1 - share) / num_examples)


def population_ratios(
    timed: dict[str, dict[str, Timed]], works: dict[str, Work], num_validation: int
) -> dict[str, Any]:
    """Of populations against the best of the others with one network after another."""
    single: dict[str, Timed] = timed.get("60, batch 128", {})
    counted = kinds(single, num_validation)["_any_precision"] if single else []
    others = {name: single[name].epochs for name in counted}
    measured: dict[str, Any] = {}
    for name, row in timed.items():
        number = works[name].num_members
        if number > 1:
            seconds = {other: [number * one for one in epochs] for other, epochs in others.items()}
            label = f"ratio_{slug(name)}_one_after_another"
            measured |= ratio(label, seconds | {"jaxmlp": row["jaxmlp"].epochs})
    return measured


def limit(work: Work, num_examples: int) -> float:
    """Operations of an epoch's matrix products: forward, to the weights, and to all layers but the first."""
    first, *rest = (a * b for a, b in zip(work.layer_sizes, work.layer_sizes[1:], strict=False))
    return 2 * num_examples * (2 * first + 3 * sum(rest))


def exponents(seconds: dict[int, list[float]]) -> np.ndarray:
    """Of each turn the slope of log time over log number."""
    numbers, times = np.log(list(seconds)), np.log(np.array(list(seconds.values())))
    return np.polyfit(numbers, times, 1)[0]


def slug(name: str) -> str:
    """The name as part of a metric's."""
    return "_".join("".join(c if c.isalnum() else " " for c in name).lower().split())


def table(timed: dict[str, dict[str, Timed]]) -> dict[str, Any]:
    """All that was measured of each system at each work."""
    return {name: {system: one._asdict() for system, one in row.items()} for name, row in timed.items()}


def tell(name: str, row: dict[str, Timed]) -> None:
    """One work in lines."""
    for system, one in row.items():
        mean, error, _, _ = summarize(1000 * np.array(one.epochs))
        print(
            f"{name}: {system} {with_error(mean, error, 'ms')} an epoch, first {one.first:.1f} s, "
            f"accuracy {one.accuracy:.4f}, {one.memory:.2f} GB",
            flush=True,
        )


def draw(folder: Path, results: Results) -> None:
    """Seconds per epoch of each system, and how this library's grow."""
    shown = {
        name: {system: one.epochs for system, one in row.items() if system not in peers.PARTS}
        for name, row in results.timed.items()
    }
    charts.dots(shown, folder / "epochs.png", xlabel="seconds per epoch", title="An epoch of the same work")
    for axis, each in results.grown.items():
        charts.lines(
            {"": {"jaxmlp": (list(each), np.array(list(each.values())).T)}},
            folder / f"growth_{axis}.png",
            xlabel=axis,
            ylabel="seconds per epoch",
            log_x=True,
            log_y=True,
            title="The time of an epoch of this library",
        )


if __name__ == "__main__":
    main(Config, run)
