"""Processes that train on digits with a checkpoint after every epoch, and are killed at any moment."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxmlp import records

if TYPE_CHECKING:
    from experiments.durability.__main__ import Config


PATIENCE = 600
"""Seconds that a process may take for anything."""


class Life(NamedTuple):
    """What became of one process."""

    epochs: int
    """Trained when it was killed, by the last checkpoint."""
    writing: bool
    """Whether a half-written file was left."""


def started(config: "Config", out: Path, *flags: str) -> subprocess.Popen[str]:
    """A process that trains on digits into ``out``, with a checkpoint after every epoch."""
    command = [sys.executable, "-m", "experiments.digits", "--out", str(out), "--no-progress"]
    command += ["--num-epochs", str(config.num_epochs), "--hidden-sizes", "256", "256"]
    command += ["--num-seeds", str(config.num_seeds), "--seed", str(config.seed)]
    command += ["--checkpoint-every", "1", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed(config: "Config", folder: Path) -> tuple[list[list[Life]], list[bool]]:
    """The lives of each run's processes, and whether each run ended as the one that was never killed."""
    draws = np.random.default_rng(config.seed)
    lives: list[list[Life]] = []
    same: list[bool] = []
    while sum(map(len, lives)) < config.num_kills:
        out = folder / f"run-{len(lives)}"
        lives.append([])
        while (life := one_life(config, out, draws)) is not None:
            lives[-1].append(life)
        same.append(results_of(out) == results_of(folder / "never"))
        print(f"{out.name}: {len(lives[-1])} kills, the same bits: {same[-1]}", flush=True)
        shutil.rmtree(out)
    return lives, same


def one_life(config: "Config", out: Path, draws: np.random.Generator) -> Life | None:
    """A process that goes on with the run in ``out``, and how it was killed; None if the run was over first.

    One in ten is killed at any moment of its start, the others after their first new checkpoint: half of
    them soon, and half while they write one.
    """
    process, before = started(config, out, "--resume"), epochs_of(out)
    if draws.random() < 0.1:
        time.sleep(draws.uniform(0, 3))
    else:
        wait_for(lambda: epochs_of(out) != before, process)
        if draws.random() < 0.5:
            time.sleep(draws.uniform(0, 0.6))
        else:
            wait_for(lambda: is_writing(out), process)
    process.kill()
    _, errors = process.communicate()
    if process.returncode == 0:
        return None
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"a resumed run failed: {errors}")
    return Life(epochs_of(out), is_writing(out))


def is_writing(out: Path) -> bool:
    """Whether there is a half-written file."""
    return any(out.glob("checkpoints/*/.*.tmp"))


def epochs_of(out: Path) -> int:
    """Epochs of the newest checkpoint."""
    numbers = [int(path.stem.partition("-")[2]) for path in out.glob("checkpoints/*/epoch-*.safetensors")]
    return max(numbers, default=0)


def results_of(out: Path) -> tuple[bytes, Any]:
    """The model, byte by byte, and the learning curves."""
    return (out / "model.safetensors").read_bytes(), records.read_record(out / "record.json")["curves"]


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The status of a process, and its last line on stderr or else on stdout."""
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, ((errors or out).strip().splitlines() or [""])[-1]


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Return once it is so, or the process has ended; RuntimeError if that takes too long."""
    limit = time.perf_counter() + PATIENCE
    while process.poll() is None and not ready():
        if time.perf_counter() > limit:
            process.kill()
            raise RuntimeError(f"nothing happened for {PATIENCE} s: {process.communicate()[1]}")
        # A file is half written for longer, and the process needs the core.
        time.sleep(0.0005)
