"""One system on one split of one table, in a process of its own, and the file of all that was measured."""

import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from sklearn.metrics import log_loss, root_mean_squared_error

from experiments.harness.apart import serve, started
from experiments.harness.provenance import commit
from experiments.tabular import tables
from experiments.tabular.peers import OURS, SMOKE, Peer, ablations, peers
from experiments.tabular.tables import Split
from jaxmlp.runtime.files import write_atomic
from jaxmlp.types import InputError


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


class Outcome(msgspec.Struct, frozen=True):
    """One system on one split of one table."""

    table: str
    system: str
    split: int
    measured: Measured


Outcomes = dict[tuple[str, str, int], Outcome]
"""All that was measured, by table, system and split, in the order of the measuring."""


def read_outcomes(path: Path) -> Outcomes:
    """Those that ``write_outcomes`` wrote, none if there is no file; InputError if it is damaged."""
    try:
        found = msgspec.json.Decoder(Outcome).decode_lines(path.read_bytes() if path.exists() else b"")
    except msgspec.MsgspecError as error:
        raise InputError(f"out: {str(path)!r} is damaged: {error}") from None
    return {(one.table, one.system, one.split): one for one in found}


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """A line of JSON for each."""
    write_atomic(path, msgspec.json.Encoder().encode_lines(list(outcomes.values())))


def measure_apart(system: str, source: str, seed: int, smoke: bool) -> Measured:
    """What ``measure`` tells in a process of its own; of this library cold, and then again for the time.

    ProcessError if the system could not do it.
    """

    def once(**environment: str) -> Measured:
        arguments = system, source, seed, *["smoke"] * smoke
        with started("experiments.tabular.measure", *arguments, environment=environment) as ask:
            return msgspec.convert(ask("measure"), Measured)

    if system != OURS:
        return once()
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (once(JAXMLP_CACHE_DIR=cache) for _ in range(2))
    again = {f"warm_{clock}": seconds for clock, seconds in warm.seconds.items()}
    return msgspec.structs.replace(cold, seconds=cold.seconds | again)


def measure(system: str, source: str, seed: int, smoke: bool = False) -> Measured:
    """Train one system on one split of one table, and test it."""
    split = tables.cut(tables.read_rows(source, smoke), seed)
    peer = (peers() | ablations())[system]
    work = peer.make(split, **SMOKE if smoke and peer.package == OURS else {})
    began = time.perf_counter(), time.process_time()
    fitted = work.fit()
    seconds = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
    losses = losses_of(split, work.predict(fitted))
    return Measured(len(split.train), losses, seconds, version_of(peer))


def losses_of(split: Split, predictions: np.ndarray) -> dict[str, float]:
    """The measures of probabilities, [rows, classes], or of values, on the rows to test on.

    ValueError where one is not finite, or there are not as many as rows and classes.
    """
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


def version_of(peer: Peer) -> str:
    """The package and its version, or this library's commit."""
    if peer.package == OURS:
        code = commit()
        return f"{OURS} {(code.commit or 'unknown')[:7]}{' dirty' * bool(code.dirty)}"
    name = {"sklearn": "scikit-learn"}.get(peer.package, peer.package)
    return f"{name} {version(name)}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    system, source, seed, *rest = sys.argv[1:]
    serve(lambda: {"measure": lambda: msgspec.to_builtins(measure(system, source, int(seed), bool(rest)))})
