"""Whether the backend computes right: programs that releases of JAX got wrong, each against NumPy.

A wrong kernel says nothing: on jaxlib 0.10.2 sums of products were off by a factor of thousands, and only a
comparison with numbers from elsewhere shows it. The programs are those of ``miscompilations``. They run once
for each jaxlib, device and set of XLA's flags, within two seconds; what they found is kept in the cache's
folder.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxmlp.runtime import compilation, files, flags, host, miscompilations
from jaxmlp.runtime.console import note, warn
from jaxmlp.runtime.devices import local_device
from jaxmlp.runtime.miscompilations import Case
from jaxmlp.types import InputError

EXCLUDED = {
    "0.10.2": "jax#39103 and jax#39257",
    "0.11.0": "jax#39257 and jax#40633",
    "0.11.1": "jax#40633 and jax#40101",
    "0.11.2": "xla#49121 and xla#48713",
}
"""Releases of jaxlib that pyproject.toml does not admit, and where it is reported what they do."""
RIGHT = "0.12.0.1" if sys.version_info >= (3, 12) else "0.10.1"
"""The release to take instead, for this Python."""
TOLERANCE = 0.02
"""Largest error, as a share of what is right and its standard deviation together. A product in TF32, which
rounds factors to 11 bits, stays below a tenth of it; a value from a wrong place errs by about 1."""


class Outcome(NamedTuple):
    """What the test found."""

    wrong: tuple[str, ...]
    """Programs of the kinds that this library compiles, with their reports; none where all is right."""
    wrong_elsewhere: tuple[str, ...]
    """Programs of other kinds, of which a user's own functions may be."""
    found_again: bool | None
    """Whether a compiled program is found again in JAX's compilation cache; None where that is off."""


def check_backend() -> None:
    """InputError where the backend computes wrong: what, where that is reported, and which release to take.

    With JAXMLP_SELFTEST=warn it is a line on stderr instead. Another such line, once in a process, says
    that compiled programs are not found again.
    """
    _check_backend(os.environ.get("JAXMLP_SELFTEST") == "warn")


@lru_cache
def _check_backend(only_warn: bool) -> None:
    found = outcome()
    if found.found_again is False:
        note("this processor does not find compiled programs again, so each process compiles (jax#38445)")
    if not found.wrong:
        return
    message = (
        f"jaxlib: {host.jaxlib_version()} computes wrong on {local_device().device_kind}: "
        f"{', '.join(found.wrong)}; {_remedy()} (JAXMLP_SELFTEST=warn goes on all the same)"
    )
    if not only_warn:
        raise InputError(message)
    warn(message)


def _remedy() -> str:
    version = host.jaxlib_version()
    if flag := flags.REQUIRED.get(version):
        return f"import jaxmlp before JAX computes anything, or set XLA_FLAGS={flag}"
    return f"pip install 'jax=={RIGHT}'" if version != RIGHT else "report it, and take another release"


@lru_cache
def outcome() -> Outcome:
    """What the test finds here, or found in an earlier process with the same jaxlib, device and flags."""
    name = f"{_fingerprint()}.json"
    with contextlib.suppress(InputError, OSError, ValueError, KeyError, TypeError):
        kept = json.loads((files.cache_folder() / "selftest" / name).read_text("utf-8"))
        return Outcome(tuple(kept["wrong"]), tuple(kept["wrong_elsewhere"]), kept["found_again"])
    wrong = [case for case in miscompilations.cases() if not is_right(case)]
    needed, elsewhere = (tuple(case for case in wrong if case.needed == needed) for needed in (True, False))
    found = Outcome(_case_names(needed), _case_names(elsewhere), compilation.cache_works())
    with contextlib.suppress(InputError, OSError):
        folder = files.cache_folder() / "selftest"
        folder.mkdir(parents=True, exist_ok=True)
        files.write_atomic(folder / name, json.dumps(found._asdict()).encode())
    return found


def _case_names(cases: Iterable[Case]) -> tuple[str, ...]:
    """What is wrong, for each report of it."""
    reports = groupby(cases, lambda case: case.report)
    return tuple(f"{', '.join(case.what for case in group)} ({report})" for report, group in reports)


def outcome_text() -> str:
    """The outcome in words, as it stands in records."""
    found = outcome()
    text = f"wrong: {', '.join(found.wrong)}" if found.wrong else "passed"
    return text + (f"; wrong elsewhere: {', '.join(found.wrong_elsewhere)}" if found.wrong_elsewhere else "")


def is_right(case: Case) -> bool:
    """Whether the program gives what NumPy gives, up to rounding."""
    expected = case.reference(*(a.astype(float) if a.dtype.kind == "f" else a for a in case.arguments))
    # What comes from a wrong place may be any number, and NaN is right nowhere.
    with jax.enable_x64(True), jax.debug_nans(False), jax.disable_jit(False), np.errstate(all="ignore"):
        # Not to a device by name, with which some come out right.
        found = np.asarray(case.program(*jax.device_put(case.arguments)), float)
        return bool(np.all(np.abs(found - expected) <= TOLERANCE * (np.abs(expected) + np.std(expected))))


def _fingerprint() -> str:
    """Of all that a wrong kernel may depend on, and of the programs."""
    device = local_device()
    parts = (
        *(jax.__version__, host.jaxlib_version()),
        *(device.platform, device.device_kind, device.client.platform_version, host.processor()),
        *(os.environ.get("XLA_FLAGS"), jax.config.values["jax_disable_most_optimizations"]),
        bool(jax.config.values["jax_compilation_cache_dir"]),
        *(Path(file).read_text("utf-8") for file in (__file__, miscompilations.__file__)),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
