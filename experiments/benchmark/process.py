"""One system of the benchmark in a process of its own, which does what it is told line by line."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from experiments.benchmark import peers
from experiments.benchmark.work import Data, Work
from experiments.harness import apart
from experiments.harness.apart import Ask


def load(path: Path) -> Data:
    """What ``save`` saved."""
    return Data(**np.load(path.with_suffix(".npz")))


def save(path: Path, data: Data) -> None:
    """The data as one file, which every system reads in the same time."""
    np.savez(path.with_suffix(".npz"), **data._asdict())


def peak_memory() -> float:
    """Of this process, in GB; nan where the system does not tell it."""
    # What getrusage says would include the process that started this one.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM")), math.nan)


def started(
    system: str, work: Work, folder: Path, environment: Mapping[str, str] | None = None
) -> AbstractContextManager[Ask]:
    """A process with ``system`` at ``work``, told "epoch", whose answer are its seconds, "accuracy", "memory"
    in GB, or "peak", the machine's operations per second.
    """
    arguments = system, json.dumps(work), folder
    return apart.started("experiments.benchmark.process", *arguments, environment=environment)


def commands_of(system: str, work: Work, folder: Path) -> dict[str, Callable[[], float]]:
    """What such a process is told to do."""
    data = load(folder / work.dataset)
    if work.num_examples is not None:
        fewer = {name: getattr(data, name)[: work.num_examples] for name in ("inputs", "labels", "pixels")}
        data = data._replace(**fewer)
    trainer = peers.systems_for(work)[system](work, data)

    def epoch() -> float:
        began = time.perf_counter()
        trainer.epoch()
        return time.perf_counter() - began

    def peak() -> float:
        # Here, since another system's process is not to load what it does not need.
        from jaxmlp.sweep.cost import measure_peak

        return measure_peak(1536)

    return {"epoch": epoch, "accuracy": trainer.accuracy, "memory": peak_memory, "peak": peak}


if __name__ == "__main__":
    system, fields, folder = sys.argv[1:]
    work = Work(*json.loads(fields))
    work = work._replace(layer_sizes=tuple(work.layer_sizes))
    apart.serve(lambda: commands_of(system, work, Path(folder)))
