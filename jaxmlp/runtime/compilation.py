"""Programs compiled for arguments of given shapes, and kept so that later processes load them."""

import hashlib
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding
from jaxtyping import Array

from jaxmlp.checks import first_line
from jaxmlp.runtime.console import note
from jaxmlp.runtime.files import cache_folder
from jaxmlp.runtime.host import jaxlib_version, processor
from jaxmlp.types import InputError, PyTree

# Every program: a small one is loaded in 3 ms and compiled in 15, and a short run compiles dozens of them.
MIN_COMPILE_SECONDS = 0.0
_SETTINGS = "jax_enable_x64", "jax_default_matmul_precision"
"""Of JAX, by which the same function for the same arguments is another program."""
_HIT = "/jax/compilation_cache/cache_hits"
_hits: list[str] = []
jax.monitoring.register_event_listener(lambda event, **_: _hits.append(event) if event == _HIT else None)


def enable_cache() -> Path | None:
    """Keep the programs that JAX compiles, so that later processes load them; the folder, None if off.

    Below ``files.cache_folder`` one for each jaxlib and processor, since a program may hold
    instructions that another processor lacks, which JAX's own key does not tell. To be called before the
    first array is made. JAX's settings go first: JAX_COMPILATION_CACHE_DIR names another folder, and
    JAX_ENABLE_COMPILATION_CACHE=false turns the cache off. A folder that cannot be written to turns it off
    too, which a line on stderr says, and never stops a run.
    """
    settings = jax.config.values
    if jaxlib_version() == "0.10.1":
        _silence_cache_warnings()
    if settings["jax_compilation_cache_dir"] or not settings["jax_enable_compilation_cache"]:
        return None
    digest = hashlib.sha256(processor().encode()).hexdigest()[:8]
    try:
        kept = cache_folder() / "compiled" / f"jaxlib-{jaxlib_version()}-{digest}"
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=kept):
            pass
    except (InputError, OSError) as error:
        reason = first_line(error).removeprefix("JAXMLP_CACHE_DIR: ")
        note(f"compiled programs are not kept; set JAXMLP_CACHE_DIR to a folder ({reason})")
        return None
    jax.config.update("jax_compilation_cache_dir", str(kept))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    return kept


def _silence_cache_warnings() -> None:
    """On many processors jaxlib 0.10.1 reports kilobytes for each program it loads, in the tone of an error:
    they lack "prefer-no-gather", which is no instruction but a preference (jax#38445). It loads them all the
    same.
    """
    chosen = jax.config.values["jax_logging_level"]
    if chosen in (None, "NOTSET"):
        # Of the level, what is said in C++ stays when Python's goes back.
        for level in ("CRITICAL", chosen):
            jax.config.update("jax_logging_level", level)


def num_cache_hits() -> int:
    """How many programs this process has loaded instead of compiling: without it compile times say little."""
    return len(_hits)


def cache_works() -> bool | None:
    """Whether JAX finds a program again that it has compiled and kept; None where it keeps none.

    On some processors it refuses all that it has kept itself (jax#38445).
    """
    if not (
        jax.config.values["jax_compilation_cache_dir"] and jax.config.values["jax_enable_compilation_cache"]
    ):
        return None
    before, least = num_cache_hits(), jax.config.values["jax_persistent_cache_min_compile_time_secs"]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    try:
        # Another function each time, since JAX remembers what it has compiled for one.
        for _ in range(2):
            jax.jit(lambda x: jnp.cos(x) @ x).lower(jax.ShapeDtypeStruct((7, 7), np.float32)).compile()
    finally:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", least)
    return num_cache_hits() > before


def compile_for(function: Callable, *arguments: PyTree) -> Callable:
    """``function`` compiled for arguments of these shapes; what was compiled is found again."""
    return lower_for(function, *arguments)()


def lower_for(function: Callable, *arguments: PyTree) -> Callable[[], Callable]:
    """What compiles ``function`` for arguments of these shapes, in whichever thread calls it first: traced
    here, where settings of JAX may hold for this thread alone.
    """
    leaves, structure = jax.tree.flatten(arguments)
    types = tuple((jax.typeof(leaf), _sharding_of(leaf)) for leaf in leaves)
    return _lower(function, structure, types, tuple(getattr(jax.config, name) for name in _SETTINGS))


def _sharding_of(leaf: Any) -> Sharding | None:
    """Where a leaf, or the array of that shape, has to be; None where any device will do."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf.sharding
    return leaf.sharding if isinstance(leaf, Array) and leaf.committed else None


@lru_cache(maxsize=64)
def _lower(
    function: Any, structure: Any, types: tuple[Any, ...], settings: tuple[Any, ...]
) -> Callable[[], Callable]:
    shapes = [jax.ShapeDtypeStruct(t.shape, t.dtype, sharding=where) for t, where in types]
    return cache(function.lower(*jax.tree.unflatten(structure, shapes)).compile)
