"""One system of the benchmark in a process of its own, which does what it is told line by line."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmark import peers
from experiments.benchmark.work import Data, Work

Ask = Callable[[str], float]
"""Command -> what it returned."""


class ProcessError(RuntimeError):
    """The system is not installed, or its process ended before its time."""


def load(path: Path) -> Data:
    """What ``save`` saved."""
    with np.load(path) as arrays:
        return Data(**arrays)


def save(path: Path, data: Data) -> None:
    """The data as one file, which every system reads in the same time."""
    with path.open("wb") as file:
        np.savez(file, **data._asdict())


def peak_memory() -> float:
    """Of this process, in GB; nan where the system does not tell it."""
    # What getrusage says would include the process that started this one.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM")), math.nan)


@contextmanager
def started(
    system: str, work: Work, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Ask]:
    """A process with ``system`` at ``work``, as a function that tells it what to do: "epoch", whose answer
    are its seconds, "accuracy", "memory" in GB, or "peak", the machine's operations per second. That function
    raises ProcessError.
    """
    command = [sys.executable, "-m", "experiments.benchmark.process", system, json.dumps(work), str(folder)]
    with tempfile.TemporaryFile("w+") as errors:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
        with subprocess.Popen(command, env=os.environ | dict(environment or {}), **pipes) as child:

            def ask(command: str) -> float:
                assert child.stdin is not None and child.stdout is not None
                # Where it has ended, its last words say why.
                with suppress(BrokenPipeError):
                    print(command, file=child.stdin, flush=True)
                line = child.stdout.readline()
                if not line:
                    child.wait()
                    errors.seek(0)
                    raise ProcessError((errors.read().strip() or "it ended without a word").splitlines()[-1])
                return json.loads(line)

            try:
                yield ask
            finally:
                child.kill()


def serve(system: str, work: Work, folder: Path) -> None:
    """Answer each command on standard input in a line of JSON."""
    # What a system prints goes elsewhere.
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        data = load(folder / work.dataset)
        if work.num_examples is not None:
            fewer = {
                name: getattr(data, name)[: work.num_examples] for name in ("inputs", "labels", "pixels")
            }
            data = data._replace(**fewer)
        trainer = peers.systems_for(work)[system](work, data)
        commands: dict[str, Callable[[], float]] = {
            "epoch": lambda: seconds_of(trainer.epoch),
            "accuracy": trainer.accuracy,
            "memory": peak_memory,
            "peak": machine_peak,
        }
        for line in sys.stdin:
            print(json.dumps(commands[line.strip()]()), file=answers)


def machine_peak() -> float:
    """Operations per second of a large matrix product."""
    # Here, since another system's process is not to load what it does not need.
    from jaxmlp.sweep.cost import measure_peak

    return measure_peak(1536)


def seconds_of(function: Callable[[], Any]) -> float:
    """What a call of ``function`` takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


if __name__ == "__main__":
    system, fields, folder = sys.argv[1:]
    work = Work(*json.loads(fields))
    serve(system, work._replace(layer_sizes=tuple(work.layer_sizes)), Path(folder))
