"""One system on one split of one table, in a process of its own, and the file of all that was measured.

    python -m experiments.tabular.measure SYSTEM SOURCE SPLIT [smoke]

prints losses, seconds and more as JSON.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from experiments.benchmark.process import ProcessError
from experiments.harness.provenance import CHECKOUT, commit
from experiments.tabular import tables
from experiments.tabular.peers import OURS, SMOKE, ablations, peers
from experiments.tabular.tables import Split
from jaxmlp.runtime.files import write_atomic
from jaxmlp.types import InputError

SMOKE_ROWS = 300


class Measured(msgspec.Struct, frozen=True):
    """What one process tells."""

    num_rows: int
    """Rows that were trained on."""
    losses: dict[str, float]
    """The loss that systems are compared by, log_loss or rmse, and of classes the accuracy."""
    seconds: dict[str, float]
    """Of the training: on the clock (wall) and of all cores together (cpu); of this library from an empty
    cache, and as warm_wall and warm_cpu with all that it compiled then."""
    version: str
    """The package and its version, or this library's commit."""


class Outcome(msgspec.Struct, frozen=True):
    """One system on one split of one table."""

    table: str
    system: str
    split: int
    measured: Measured


class Outcomes:
    """All that was measured, in the order of the measuring; with a ``path`` a file, a line of JSON for each.

    InputError if the file is damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._found: dict[tuple[str, str, int], Outcome] = {}
        if path is not None and path.exists():
            try:
                found = msgspec.json.Decoder(Outcome).decode_lines(path.read_bytes())
            except msgspec.MsgspecError as error:
                raise InputError(f"out: {str(path)!r} is damaged: {error}") from None
            self._found = {_key(one): one for one in found}

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._found.values())

    def __contains__(self, key: tuple[str, str, int]) -> bool:
        """Whether table, system and split were measured."""
        return key in self._found

    def add(self, outcome: Outcome) -> None:
        """Keep it, in the place of one of the same table, system and split."""
        self._found[_key(outcome)] = outcome
        if self._path is not None:
            write_atomic(self._path, msgspec.json.Encoder().encode_lines(list(self._found.values())))


def _key(outcome: Outcome) -> tuple[str, str, int]:
    return outcome.table, outcome.system, outcome.split


def measure_apart(system: str, source: str, seed: int, smoke: bool) -> Measured:
    """What ``measure`` tells in a process of its own; of this library cold, and then again for the time.

    ProcessError if the system could not do it.
    """
    arguments = [system, source, str(seed), *["smoke"] * smoke]
    if system != OURS:
        return _in_process(arguments, {})
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (_in_process(arguments, {"JAXMLP_CACHE_DIR": cache}) for _ in range(2))
    again = {f"warm_{clock}": seconds for clock, seconds in warm.seconds.items()}
    return msgspec.structs.replace(cold, seconds=cold.seconds | again)


def _in_process(arguments: list[str], environment: dict[str, str]) -> Measured:
    command = [sys.executable, "-m", "experiments.tabular.measure", *arguments]
    options: dict[str, Any] = {"cwd": CHECKOUT, "env": os.environ | environment, "capture_output": True}
    done = subprocess.run(command, **options)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ProcessError(lines[-1] if lines else f"it ended with status {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Measured)


def measure(system: str, source: str, seed: int, smoke: bool = False) -> Measured:
    """Train one system on one split of one table, and test it."""
    frame = tables.read_rows(source)
    if smoke:
        frame = frame.sample(min(len(frame), SMOKE_ROWS), random_state=seed)
    split = tables.cut(frame, seed)
    peer = (peers() | ablations())[system]
    ours = peer.package == OURS
    work = peer.make(split, **SMOKE if smoke and ours else {})
    began = time.perf_counter(), time.process_time()
    fitted = work.fit()
    seconds = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
    losses = losses_of(split, work.predict(fitted))
    return Measured(len(split.train), losses, seconds, _commit() if ours else _version(peer.package))


def losses_of(split: Split, predictions: np.ndarray) -> dict[str, float]:
    """The measures of probabilities, [rows, classes], or of values, on the rows to test on.

    ValueError where one is not finite, or there are not as many as rows and classes.
    """
    from sklearn.metrics import log_loss, root_mean_squared_error

    predictions, targets = np.asarray(predictions, float), split.test_targets
    if not split.classes:
        return {"rmse": float(root_mean_squared_error(targets, predictions))}
    # Those of 32 bits sum to 1 but for their rounding.
    probabilities = predictions / predictions.sum(axis=1, keepdims=True)
    labels = range(len(split.classes))
    return {
        "log_loss": float(log_loss(targets, probabilities, labels=labels)),
        "accuracy": float(np.mean(predictions.argmax(axis=1) == targets)),
    }


def _version(package: str) -> str:
    name = {"sklearn": "scikit-learn"}.get(package, package)
    return f"{name} {version(name)}"


def _commit() -> str:
    found = commit()
    return f"{OURS} {(found.commit or 'unknown')[:7]}{' dirty' * bool(found.dirty)}"


def main() -> None:
    """Answer on standard output; whatever a system prints goes elsewhere."""
    system, source, seed, *rest = sys.argv[1:]
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        warnings.simplefilter("ignore")
        answer.write(msgspec.json.encode(measure(system, source, int(seed), smoke=bool(rest))))


if __name__ == "__main__":
    main()
