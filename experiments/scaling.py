"""Does the same experiment scale to more processes, to more data than fit, and to deformed images?

    python -m experiments.scaling

starts experiments.mnist as 1, 2 and 4 processes that are one run, each on a core of its own as far as there
are cores, and tells how much faster the same work gets (strong scaling) and how many times as much work is
done in the same time (weak scaling), with the batches or the networks shared out; first, in double precision,
that the result is that of one process. Then what it costs to stream the training data in parts, whether
memory stays flat when they grow tenfold, and what share of the time deforming each image takes. What no
machine here can show, it works out on paper: from which batch on one host of 8 H100, and 64 such hosts,
would be busy. runs/scaling holds record and picture.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks
from jaxmlp.data.splits import from_arrays
from jaxmlp.models import numpy_predictor
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.plots import charts
from jaxmlp.statistics import format_mean, summarize
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams, InputError

# Per GPU, of NVIDIA's data sheets for the H100 SXM and the DGX H100: not measured here.
OPERATIONS = {"tf32": 495e12, "bfloat16": 989e12}
MEMORY_BANDWIDTH = 3.35e12
LINKS = {"8 GPUs of one host": (8, 450e9), "64 hosts of 8 GPUs": (512, 50e9)}
"""GPUs, and bytes per second and direction of the slowest link of each: NVLink, and a 400 Gb/s network."""
STEP_SECONDS = 8e-6
"""What a GPU spends on an iteration of a compiled loop however small its work."""
ATTAINED = 0.5
"""Share of the operations that products of such sizes attain."""


@dataclass(frozen=True)
class Config(receipt.ImageConfig):
    num_seeds: int = 3
    """Repetitions of each timing."""
    processes: tuple[int, ...] = (1, 2, 4)
    """How many processes share the work."""
    hidden_sizes: tuple[int, ...] = (512, 512)
    """Hidden layers of the network that is timed alone."""
    batch_size: int = 512
    """Images per step, of all processes together or, as weak scaling, of each."""
    num_members: int = 8
    """Networks of 60 neurons, of all processes together or, as weak scaling, of each."""
    num_epochs: int = 6
    """Passes of each run; what happens once in a run counts for less, the more there are."""


def run(config: Config) -> None:
    """Agree, time, measure, work out, record and draw."""
    if config.smoke:
        config = replace(
            config, num_seeds=1, processes=(1, 2), hidden_sizes=(32,), num_epochs=1, batch_size=128
        )
    checks.each("processes", config.processes, checks.integer)
    if config.processes[0] != 1:
        raise InputError(f"processes: must begin with 1, the reference, got {config.processes}")
    for name in ("batch_size", "num_members", "num_epochs"):
        checks.integer(name, getattr(config, name))
    begun = receipt.begin(config)
    # Prepared here, before several processes ask for it, and for the sizes of its images.
    splits = receipt.load(config)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        measured = agreement(config, folder) | memory(config, folder)
        seconds = {kind: timed(config, folder, ways) for kind, ways in kinds(config, splits.train).items()}
    measured |= scaling(config, seconds) | costs(seconds)
    receipt.finish(
        begun,
        config,
        dataset=splits.name,
        metrics=measured,
        tables={"seconds": {name: {str(key): v for key, v in ways.items()} for name, ways in seconds.items()}}
        | {"roofline": roofline()},
        notes={"varied": "repetition", "cores": len(cores())},
    )
    draw(begun.folder, config, measured)
    for name, (values, unit) in measured.items():
        mean, error, _, _ = summarize(values)
        print(f"{name.replace('_', ' ')}: {format_mean(mean, error, unit)}")


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def trained(config: Config, folder: Path, *flags: str, number: int | None = None, **environment: str) -> Any:
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


def agreement(config: Config, folder: Path) -> dict[str, tuple[Any, str]]:
    """The largest difference of a weight from that of one process, in double precision, of each number."""

    def weights(number: int, axis: str) -> np.ndarray:
        flags = ["--hidden-sizes", "60", "--num-seeds", str(config.num_members), "--batch-size", "512"]
        mesh = "--mesh", f"{axis}={number}"
        trained(config, folder, *flags, *mesh, number=number, JAX_ENABLE_X64="1")
        tensors = numpy_predictor.load(folder / "0" / "model.safetensors").tensors
        return np.concatenate([np.ravel(tensor) for _, tensor in sorted(tensors.items())])

    found = {}
    for axis in ("data", "members"):
        alone = weights(1, axis)
        for number in config.processes[1:]:
            differences = np.abs(weights(number, axis) - alone)
            found[f"difference_{axis}_{number}"] = [float(differences.max())], "1"
    return found


def kinds(config: Config, train: Dataset) -> dict[str, dict[Any, dict[str, Any]]]:
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
    wide = "--hidden-sizes", *(("32",) if config.smoke else ("1024", "1024", "1024"))
    # Two of a tenth of the data are on the device, the one in use and the next.
    part = str(max(train.inputs.nbytes // 5, 300 * train.inputs[0].nbytes))
    return {
        "strong data": {n: data(n, size) for n in numbers},
        "weak data": {n: data(n, size * n) for n in numbers},
        "strong members": {n: population(n, members) for n in numbers},
        "weak members": {n: population(n, members * n) for n in numbers},
        "streaming": {"in memory": {"flags": network}, "parts": {"flags": (*network, "--data-bytes", part)}},
        "deformation": {"as it is": {"flags": wide}, "deformed": {"flags": (*wide, "--augment")}},
    }


def timed(config: Config, folder: Path, ways: dict[Any, dict[str, Any]]) -> dict[Any, list[float]]:
    """Seconds of training of each way, in turns."""
    seconds: dict[Any, list[float]] = {way: [] for way in ways}
    for _ in range(config.num_seeds):
        for way, arguments in ways.items():
            record = trained(config, folder, *arguments["flags"], number=arguments.get("number"))
            seconds[way].append(record["seconds"]["train"])
    return seconds


def scaling(config: Config, seconds: dict[str, dict[Any, list[float]]]) -> dict[str, tuple[Any, str]]:
    """How many times as much is done per second by more processes, of each kind."""
    found = {}
    for axis in ("data", "members"):
        for kind in ("strong", "weak"):
            times = {n: np.array(values) for n, values in seconds[f"{kind} {axis}"].items()}
            for number in config.processes[1:]:
                # An epoch is as much work with larger batches, but more with more networks.
                work = number if (kind, axis) == ("weak", "members") else 1
                found[f"{kind}_{axis}_{number}"] = work * times[1] / times[number], "1"
    return found


def costs(seconds: dict[str, dict[Any, list[float]]]) -> dict[str, tuple[Any, str]]:
    """The speed of parts as a share of that in memory, and the share of the time that deforming takes."""
    whole, parts = (np.array(seconds["streaming"][way]) for way in ("in memory", "parts"))
    plain, deformed = (np.array(seconds["deformation"][way]) for way in ("as it is", "deformed"))
    return {
        "streaming_speed": (whole / parts, "fraction"),
        "deformation_share": (1 - plain / deformed, "fraction"),
    }


def memory(config: Config, folder: Path) -> dict[str, tuple[Any, str]]:
    """What a process takes beside the mapped file that it streams, and beside ten times as large a one."""
    found = {}
    for times in (1, 10):
        # A process of its own, whose memory is that of this run alone.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peak = pool.submit(streamed_memory, folder, times * (512 if config.smoke else 60_000)).result()
        found[f"memory_streaming_{times}"] = [peak], "MB"
    return found


def streamed_memory(folder: Path, num_examples: int) -> float:
    """The most MB that this process held, without what is mapped from files, while it trained on random
    images of 28×28 in parts of 10 MB.
    """
    path, draws = folder / f"{num_examples}.npy", np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (num_examples, 28, 28))
    for start in range(0, num_examples, 512):
        images[start : start + 512] = draws.integers(0, 256, images[start : start + 512].shape)
    images.flush()
    splits = from_arrays(
        np.load(path, mmap_mode="r"),
        draws.integers(0, 10, num_examples),
        validation_fraction=100 / num_examples,
        test_fraction=100 / num_examples,
    )
    network = make_network((784, 60, 10), heads.multiclass, Affine(jnp.zeros(()), jnp.asarray(255.0)))
    key, data_key = jax.random.split(jax.random.key(0))
    with watched_memory() as most:
        fit(
            make_train(network.init_fn, network.loss_fn, make_optimizer("adam"), 128),
            make_evaluate(network.predict_fn, CLASSIFICATION),
            splits.train,
            splits.validation,
            key=key,
            data_key=data_key,
            hyperparams=Hyperparams(1e-3),
            num_epochs=1,
            data_bytes=20_000_000,
            progress=False,
        )
    return most()


@contextmanager
def watched_memory() -> Iterator[Callable[[], float]]:
    """A function that says the most MB so far that this process held for itself alone."""
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(float(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            most[0] = max(most[0], now / 1e3)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        watcher.join()


def roofline() -> list[dict[str, Any]]:
    """From which batch on GPUs would be busy with the products of a perceptron, on paper.

    Of P parameters and B images per GPU a step takes 6PB operations (forward, to the weights, to the layer
    before), a ring sends 2(N−1)/N · 4P bytes of gradient over N GPUs, and Adam with both passes moves 36P
    bytes through the memory. P cancels out: what counts is B. Networks on GPUs of their own send nothing,
    and as many at once are wanted as fill the time that a step takes in any case.
    """
    network = 784 * 512 + 512 * 512 + 512 * 10 + 512 + 512 + 10
    rows = []
    for name, (number, link) in LINKS.items():
        for precision, peak in OPERATIONS.items():
            attained = ATTAINED * peak
            batch = 2 * (number - 1) / number * 4 * attained / (6 * link)
            rows.append(
                {
                    "devices": name,
                    "precision": precision,
                    "gradient_mb": 4 * network / 1e6,
                    "gradient_us": 2e6 * (number - 1) / number * 4 * network / link,
                    "images_per_gpu_for_one_network": round(batch),
                    "images_per_step_for_one_network": round(batch * number),
                    "images_per_gpu_for_memory": round(36 * attained / (6 * MEMORY_BANDWIDTH)),
                    "networks_per_gpu_to_fill_a_step_of_128": round(
                        STEP_SECONDS * attained / (6 * 128 * network), 1
                    ),
                }
            )
    return rows


def draw(folder: Path, config: Config, measured: dict[str, tuple[Any, str]]) -> None:
    """How many times as much is done, against the number of processes, and what the cores would allow."""
    numbers = config.processes
    bound = [[min(number, len(cores())) for number in numbers]]
    panels: dict[str, Any] = {}
    for axis, title in {"data": "batches shared out", "members": "networks shared out"}.items():
        lines: dict[str, Any] = {f"{len(cores())} cores": (numbers, bound)}
        for kind, text in {"strong": "the same work", "weak": "work for each"}.items():
            of_each = [np.ravel(measured[f"{kind}_{axis}_{number}"][0]) for number in numbers[1:]]
            lines[text] = numbers, np.stack([np.ones_like(of_each[0]), *of_each], axis=1)
        panels[title] = lines
    charts.line_plot(
        panels,
        folder / "scaling.png",
        xlabel="processes",
        ylabel="work per second, one process = 1",
        title="What more processes on the cores of one machine do",
    )


if __name__ == "__main__":
    main(Config, run)
