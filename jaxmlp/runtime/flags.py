"""What XLA has to be told before JAX starts: the flags without which an admitted release of jaxlib computes
wrong, and how many cores are its own.
"""

import multiprocessing
import os
import sys
from importlib import metadata

REQUIRED = {"0.10.1": "--xla_cpu_experimental_ynn_fusion_type=-reduce"}
"""Release → flag. On CPU 0.10.1 fuses a product with the sum or the maximum of its entries, and reads rows
beyond the first 2^15 from the wrong place (jax#39103); without that fusion it is right, and as fast."""


def set_required() -> None:
    """Add the flag that this jaxlib requires to XLA_FLAGS, unless the user has decided on it, or JAX has
    started and would not read it any more (``selftest`` then finds what is wrong).
    """
    # Newer Pythons have newer releases, and are spared reading the version.
    flag = REQUIRED.get(metadata.version("jaxlib"), "") if sys.version_info < (3, 12) else ""
    given = os.environ.get("XLA_FLAGS", "")
    if flag and flag.split("=")[0] not in given and not _backend_started():
        os.environ["XLA_FLAGS"] = f"{given} {flag}".strip()


def share_cores() -> None:
    """In a worker of a pool that says in OMP_NUM_THREADS how many threads compute there, as those of joblib
    do, XLA has as many, and not one for each core of the machine, unless the user has decided on it.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    in_pool = multiprocessing.current_process().name != "MainProcess"
    if in_pool and share.isdecimal() and not _backend_started():
        os.environ.setdefault("PJRT_NPROC", share)


def _backend_started() -> bool:
    """Whether JAX has read its flags. It does not tell, except to itself."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()
