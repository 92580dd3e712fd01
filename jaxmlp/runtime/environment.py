"""What a number may depend on besides the code: versions, processor, device, flags."""

import os
import platform
from typing import Any

import jax

from jaxmlp.runtime import compilation, devices, host, selftest


def describe() -> dict[str, Any]:
    """Versions, device and processor of this process, and whether its backend computes right."""
    packages = ("jaxmlp", "jax", "jaxlib", "optax", "numpy")
    return {
        "python": platform.python_version(),
        **{name: host.package_version(name) for name in packages},
        **conditions(),
        "platform": devices.all_devices()[0].platform,
        "cpu": host.cpu_model(),
        "programs_loaded": compilation.num_cache_hits(),
        "selftest": selftest.outcome_text(),
    }


def conditions() -> dict[str, Any]:
    """What the bits of a result depend on beside the run itself."""
    return {
        "jaxlib": host.jaxlib_version(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "device": devices.all_devices()[0].device_kind,
        "devices": jax.device_count(),
        "cores": host.num_cores(),
    }
