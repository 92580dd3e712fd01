"""Where things rest that cost time to make again: prepared data sets, and compiled programs."""

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Sharding
from jaxtyping import Array

from jaxmlp.types import PyTree

# Loading a program takes a few hundredths of a second, so what compiles faster is not worth a file.
MIN_COMPILE_SECONDS = 0.1
_HIT = "/jax/compilation_cache/cache_hits"
_hits: list[str] = []


def folder() -> Path:
    """JAXMLP_CACHE_DIR, or else ``jaxmlp`` in the user's folder for caches. It may not exist yet."""
    if chosen := os.environ.get("JAXMLP_CACHE_DIR"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxmlp"


def keep_compiled(root: Path | None = None) -> Path | None:
    """Keep the programs that JAX compiles, so that later processes load them; the folder, None if off.

    One folder in ``root`` (default: :func:`folder`) for each jaxlib and processor, since a program may hold
    instructions that another processor lacks, which JAX's own key does not tell. To be called before the
    first array is made. JAX's settings go first: JAX_COMPILATION_CACHE_DIR names another folder, and
    JAX_ENABLE_COMPILATION_CACHE=false turns the cache off. A folder that cannot be written to turns it off
    too, and never stops a run.
    """
    import jaxlib

    settings = jax.config.values
    if settings["jax_compilation_cache_dir"] or not settings["jax_enable_compilation_cache"]:
        return None
    processor = hashlib.sha256(_processor().encode()).hexdigest()[:8]
    kept = (root or folder()) / "compiled" / f"jaxlib-{jaxlib.__version__}-{processor}"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=kept):
            pass
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(kept))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    jax.monitoring.register_event_listener(lambda event, **_: _hits.append(event) if event == _HIT else None)
    return kept


def num_loaded() -> int:
    """How many programs this process has loaded instead of compiling: without it compile times say little."""
    return len(_hits)


def _processor() -> str:
    """The processor's name and its instructions, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = {line for line in lines if line.lower().startswith(("model name", "flags", "features"))}
    return "\n".join([platform.machine(), *sorted(told)])


def compiled(function: Callable, *arguments: PyTree) -> Callable:
    """``function`` compiled for arguments of these shapes; the same shapes again cost nothing."""
    leaves, structure = jax.tree.flatten(arguments)
    return _compile(function, structure, tuple((jax.typeof(leaf), _where(leaf)) for leaf in leaves))


def _where(leaf: Any) -> Sharding | None:
    """Where a leaf, or the array of that shape, has to be; None where any device will do."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf.sharding
    return leaf.sharding if isinstance(leaf, Array) and leaf.committed else None


@lru_cache(maxsize=64)
def _compile(function: Any, structure: Any, types: tuple[Any, ...]) -> Callable:
    shapes = [jax.ShapeDtypeStruct(t.shape, t.dtype, sharding=where) for t, where in types]
    return function.lower(*jax.tree.unflatten(structure, shapes)).compile()
