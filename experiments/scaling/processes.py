"""Runs of experiments.mnist as several processes that are one, each on a core of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.harness.answers import Measures
from jaxmlp.models import numpy_predictor
from jaxmlp.types import Dataset

if TYPE_CHECKING:
    from experiments.scaling.__main__ import Config

Way = tuple[int | None, tuple[str, ...]]
"""Processes, None for one on all cores, and flags of experiments.mnist."""


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def trained(
    config: "Config", folder: Path, *flags: str, number: int | None = None, **environment: str
) -> Any:
    """The record of experiments.mnist with these flags, as ``number`` processes, each on one core, that are
    one run; as None, as one process on all cores. RuntimeError with its last words where one fails.
    """
    shared = ["--dataset", config.dataset, "--num-epochs", str(config.num_epochs), "--no-progress"]
    shared += ["--manual-dir", str(config.manual_dir)] if config.manual_dir else []
    shared += ["--smoke"] if config.smoke else []
    address = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", str(number)]
    started = []
    for index in range(number or 1):
        own = ["--out", str(folder / str(index))]
        own += [*address, "--process-id", str(index)] if (number or 1) > 1 else []
        command = [sys.executable, "-m", "experiments.mnist", *shared, *flags, *own]
        with (folder / f"{index}.log").open("w") as log:
            process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        if number:
            os.sched_setaffinity(process.pid, {cores()[index % len(cores())]})
        started.append(process)
    for index, process in enumerate(started):
        if process.wait() != 0:
            for other in started:
                other.kill()
            raise RuntimeError((folder / f"{index}.log").read_text().strip().splitlines()[-1])
    return json.loads((folder / "0" / "record.json").read_text())


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def agreement(config: "Config", folder: Path) -> Measures:
    """The largest difference of a weight from that of one process, in double precision, of each number."""

    def weights(number: int, axis: str) -> np.ndarray:
        flags = ["--hidden-sizes", "60", "--num-seeds", str(config.num_members), "--batch-size", "512"]
        mesh = "--mesh", f"{axis}={number}"
        trained(config, folder, *flags, *mesh, number=number, JAX_ENABLE_X64="1")
        tensors = numpy_predictor.load(folder / "0" / "model.safetensors").tensors
        return np.concatenate([np.ravel(tensor) for _, tensor in sorted(tensors.items())])

    found = {}
    for axis in config.axes:
        alone = weights(1, axis)
        for number in config.processes[1:]:
            differences = np.abs(weights(number, axis) - alone)
            found[f"difference_{axis}_{number}"] = [float(differences.max())], "1"
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
    """Seconds of training of each way, in turns."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(config.num_seeds):
        for way, (number, flags) in ways.items():
            record = trained(config, folder, *flags, number=number)
            seconds[way].append(record["seconds"]["train"])
    return seconds
