"""Processes, on one host or many, that together are one run: JAX's own distributed runtime."""

import importlib.metadata
import socket
import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxmlp import checks
from jaxmlp.types import InputError

PATIENCE = 60
"""Seconds to wait for the others at the start, and without a sign of life before a process is lost."""
_AGREED = ("jax", "jaxlib", "numpy")


def join(coordinator: str | None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Become process ``process_id`` of ``num_processes``, whose devices are then those of all.

    ``coordinator`` is HOST:PORT of process 0, or "auto" where JAX finds all three by itself (SLURM, Open MPI,
    Kubernetes, TPU pods). To be called before the first array is made. InputError for numbers that cannot
    be, a coordinator that does not answer in time, and versions that differ between the processes.
    """
    automatic = coordinator == "auto"
    if coordinator is None or not (
        automatic or (coordinator.rpartition(":")[2].isdecimal() and None not in (num_processes, process_id))
    ):
        raise InputError(
            "coordinator: must be HOST:PORT beside num_processes and process_id, or auto; "
            f"got {coordinator!r}, {num_processes} and {process_id}"
        )
    if num_processes is not None:
        checks.integer("num_processes", num_processes)
    if process_id is not None and checks.integer("process_id", process_id, 0) >= (num_processes or 1):
        raise InputError(f"process_id: must be below num_processes {num_processes}, got {process_id}")
    if process_id and not automatic:
        _wait_for(coordinator)
    try:
        jax.distributed.initialize(
            None if automatic else coordinator,
            num_processes,
            process_id,
            initialization_timeout=PATIENCE,
            heartbeat_timeout_seconds=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"coordinator: {coordinator} cannot join the processes: {reason}") from None
    check_versions([importlib.metadata.version(package) for package in _AGREED])


def broadcast(content: bytes | None) -> bytes | None:
    """What process 0 holds, for all."""
    if jax.process_count() == 1:
        return content
    size = int(multihost_utils.broadcast_one_to_all(np.int32(-1 if content is None else len(content))))
    if size < 0:
        return None
    values = np.zeros(size, np.uint8) if content is None else np.frombuffer(content, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(values), np.uint8).tobytes()


def all_processes_max(number: int) -> int:
    """Of what each process tells."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def _wait_for(coordinator: str) -> None:
    """Return once somebody listens there: JAX itself would end the process with a trace of its own."""
    host, _, port = coordinator.rpartition(":")
    for _ in range(PATIENCE):
        try:
            with socket.create_connection((host, int(port)), timeout=1):
                return
        except OSError as error:
            reason = error
            time.sleep(1)
    raise InputError(f"coordinator: {coordinator} does not answer within {PATIENCE} s ({reason})")


def check_versions(ours: list[str]) -> None:
    """InputError unless all processes run the same versions of what decides the numbers."""
    # A fixed size, as all processes have to hand over the same.
    text = np.frombuffer(" ".join(ours).encode().ljust(128), np.uint8)
    others = multihost_utils.process_allgather(text).reshape(-1, text.size)
    for number, other in enumerate(others):
        for package, here, there in zip(_AGREED, ours, other.tobytes().decode().split(), strict=True):
            if here != there:
                raise InputError(f"{package}: this process has {here}, process {number} has {there}; use one")
