"""The machine and the releases at hand."""

import contextlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path


def jaxlib_version() -> str:
    """The release that computes."""
    import jaxlib

    return jaxlib.__version__


def processor() -> str:
    """The processor's name and its instructions, where the system tells them."""
    told = {line for line in _cpu_info() if line.lower().startswith(("model name", "flags", "features"))}
    return "\n".join([platform.machine(), *sorted(told)])


def cpu_model() -> str:
    """The processor's name."""
    names = (line.partition(":")[2].strip() for line in _cpu_info() if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _cpu_info() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def num_cores() -> int:
    """Cores that this process may use, of which PJRT_NPROC, which XLA reads, too, may leave it fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = os.environ.get("PJRT_NPROC", "")
    return min(cores, max(1, int(share))) if share.isdecimal() else cores


def package_version(distribution: str) -> str | None:
    """The release that is installed; None for one that runs without being installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def memory_bytes() -> int:
    """Bytes that this process may use, of which a container may leave it fewer; where the system does not
    tell, as if there were no end of them.
    """
    found = [sys.maxsize]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        # "max" is no number, and no limit.
        with contextlib.suppress(ValueError, OSError):
            found.append(int(Path("/sys/fs/cgroup", limit).read_text("utf-8")))
    return min(found)
