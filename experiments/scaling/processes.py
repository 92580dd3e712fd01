"""Runs of experiments.mnist as several processes that are one, each on a core of its own."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmlp.models import numpy_predictor
from jaxmlp.types import Dataset

if TYPE_CHECKING:
    from experiments.scaling.__main__ import Config


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
        core = {cores()[index % len(cores())]} if number else set(cores())
        with (folder / f"{index}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    command,
                    env=os.environ | environment,
                    stdout=log,
                    stderr=log,
                    preexec_fn=partial(os.sched_setaffinity, 0, core),
                )
            )
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


def agreement(config: "Config", folder: Path) -> dict[str, tuple[Any, str]]:
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


def kinds(config: "Config", train: Dataset) -> dict[str, dict[Any, dict[str, Any]]]:
    """What is timed: of each kind the ways to be compared, as arguments of ``trained``."""
    network = "--hidden-sizes", *map(str, config.hidden_sizes)
    size, members = config.batch_size, config.num_members

    def data(number: int, batch_size: int) -> dict[str, Any]:
        flags = *network, "--batch-size", str(batch_size), "--mesh", f"data={number}"
        return {"flags": flags, "number": number}

    def population(number: int, num_members: int) -> dict[str, Any]:
        flags = "--hidden-sizes", "60", "--num-seeds", str(num_members), "--mesh", f"members={number}"
        return {"flags": flags, "number": number}

    numbers = config.processes
    wide = "--hidden-sizes", *map(str, config.deformed_sizes)
    # Two of a tenth of the data are on the device, the one in use and the next.
    part = str(max(train.inputs.nbytes // 5, 300 * train.inputs[0].nbytes))
    shared: dict[str, dict[Any, dict[str, Any]]] = {
        "strong data": {n: data(n, size) for n in numbers},
        "weak data": {n: data(n, size * n) for n in numbers},
        "strong members": {n: population(n, members) for n in numbers},
        "weak members": {n: population(n, members * n) for n in numbers},
    }
    return {kind: ways for kind, ways in shared.items() if kind.split()[1] in config.axes} | {
        "streaming": {"in memory": {"flags": network}, "parts": {"flags": (*network, "--data-bytes", part)}},
        "deformation": {"as it is": {"flags": wide}, "deformed": {"flags": (*wide, "--augment")}},
    }


def timed(config: "Config", folder: Path, ways: dict[Any, dict[str, Any]]) -> dict[Any, list[float]]:
    """Seconds of training of each way, in turns."""
    seconds: dict[Any, list[float]] = {way: [] for way in ways}
    for _ in range(config.num_seeds):
        for way, arguments in ways.items():
            record = trained(config, folder, *arguments["flags"], number=arguments.get("number"))
            seconds[way].append(record["seconds"]["train"])
    return seconds
