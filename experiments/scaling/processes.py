"""Runs of experiments.mnist as several processes that are one, each on a core of its own."""

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.harness import apart
from experiments.harness.answers import Measures
from jaxmlp.models import numpy_predictor
from jaxmlp.types import Dataset

if TYPE_CHECKING:
    from experiments.scaling.__main__ import Config

WORKER = "experiments.scaling.worker"
Way = tuple[int | None, tuple[str, ...]]
"""Processes, None for one on all cores, and flags of experiments.mnist."""


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


@contextmanager
def started(
    config: "Config", folder: Path, number: int | None, ways: Mapping[str, Sequence[str]], **environment: str
) -> Iterator[Callable[[str], float]]:
    """Way -> the seconds that ``number`` processes train with its flags, each on one core and the slowest of
    them counting; as None, one process on all cores. The model is in ``folder/NUMBER-0``.
    """
    shared = ["--dataset", config.dataset, "--num-epochs", str(config.num_epochs), "--no-progress"]
    shared += ["--manual-dir", str(config.manual_dir)] if config.manual_dir else []
    shared += ["--smoke"] if config.smoke else []
    address, size = f"127.0.0.1:{free_port()}", number or 1
    with ThreadPoolExecutor(size) as pool, ExitStack() as stack:

        def start(index: int) -> apart.Ask:
            core = cores()[index % len(cores())] if number else None
            joined = (address, size, index) if size > 1 else None
            own = [*shared, "--out", str(folder / f"{number}-{index}")]
            arguments = core, joined, {way: [*flags, *own] for way, flags in ways.items()}
            process = apart.started(WORKER, *map(json.dumps, arguments), environment=environment)
            return stack.enter_context(process)

        asks = [start(index) for index in range(size)]
        yield lambda way: max(pool.map(lambda ask: ask(way), asks))
        # Together, since each waits for the others before it goes.
        list(pool.map(lambda ask: ask("end"), asks))


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def agreement(config: "Config", folder: Path) -> Measures:
    """The largest difference of a weight from that of one process, in double precision, of each number."""
    flags = "--hidden-sizes", "60", "--num-seeds", str(config.num_members), "--batch-size", "512"
    found: Measures = {}
    alone: dict[str, np.ndarray] = {}
    for number in config.processes:
        ways = {axis: (*flags, "--mesh", f"{axis}={number}") for axis in config.axes}
        with started(config, folder, number, ways, JAX_ENABLE_X64="1") as train:
            for axis in ways:
                train(axis)
                tensors = numpy_predictor.load(folder / f"{number}-0" / "model.safetensors").tensors
                weights = np.concatenate([np.ravel(tensor) for _, tensor in sorted(tensors.items())])
                difference = np.abs(weights - alone.setdefault(axis, weights)).max()
                found |= {f"difference_{axis}_{number}": ([float(difference)], "1")} if number > 1 else {}
    return found


def ways_of(config: "Config", train: Dataset) -> dict[str, Way]:
    """What is timed, and as what: the work of all processes together or, as weak scaling, of each."""
    network, wide = (
        ("--hidden-sizes", *map(str, sizes)) for sizes in (config.hidden_sizes, config.deformed_sizes)
    )

    def shared(axis: str, number: int, times: int) -> Way:
        of_members = "--hidden-sizes", "60", "--num-seeds", str(config.num_members * times)
        of_data = *network, "--batch-size", str(config.batch_size * times)
        return number, (*(of_members if axis == "members" else of_data), "--mesh", f"{axis}={number}")

    ways: dict[str, Way] = {}
    for axis in config.axes:
        ways |= {f"strong {axis} {number}": shared(axis, number, 1) for number in config.processes}
        ways |= {f"weak {axis} {number}": shared(axis, number, number) for number in config.processes[1:]}
    # Two of a tenth of the data are on the device, the one in use and the next.
    part = str(max(train.inputs.nbytes // 5, 300 * train.inputs[0].nbytes))
    ways |= {"in memory": (None, network), "parts": (None, (*network, "--data-bytes", part))}
    return ways | {"as it is": (None, wide), "deformed": (None, (*wide, "--augment"))}


def timed(config: "Config", folder: Path, ways: dict[str, Way]) -> dict[str, list[float]]:
    """Seconds of training of each way, in turns, by processes that stay for all turns."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with ExitStack() as stack:
        train = {}
        for number in dict.fromkeys(number for number, _ in ways.values()):
            own = {way: flags for way, (wanted, flags) in ways.items() if wanted == number}
            train[number] = stack.enter_context(started(config, folder, number, own))
        for _ in range(config.num_seeds):
            for way, (number, _) in ways.items():
                seconds[way].append(train[number](way))
    return seconds
