"""Prepared image sets: read again without TensorFlow, mapped from their files."""

import json
import os
import sys
import tempfile
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxmlp import checks
from jaxmlp.data import tfds
from jaxmlp.runtime import files
from jaxmlp.types import InputError


class RawData(NamedTuple):
    """A data set as its source delivers it; ``test`` is None where the source has no test part."""

    inputs: np.ndarray
    targets: np.ndarray
    class_names: tuple[str, ...]
    test: tuple[np.ndarray, np.ndarray] | None
    input_names: tuple[str, ...] = ()


def read_tfds(name: str, manual_dir: str | Path | None, others: Sequence[str] = ()) -> RawData:
    """The set ``name`` (or ``name/config``) from our cache, prepared first if it is not there or damaged.

    ``manual_dir``, or else JAXMLP_MANUAL_DIR, is a folder of files downloaded beforehand, looked at only
    while the set is prepared. ``others`` are names the caller has elsewhere, for the hints in errors.

    The entry appears by one rename, so a reader never sees half of it, and of two processes that prepare the
    same set the second to finish keeps the first one's entry. Everything that can go wrong raises InputError.
    """
    raw = read_prepared(name)
    if raw is not None:
        return raw
    entry = _entry_of(name)
    root = entry.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=root, prefix=".preparing-", ignore_cleanup_errors=True
        ) as scratch:
            tfds.prepare(name, _manual_dir(manual_dir), Path(scratch), others)
            raw = _read_entry(Path(scratch, "entry"))
            _publish(Path(scratch, "entry"), entry)
    except OSError as error:
        raise InputError(
            f"dataset: cannot keep {name!r} in {root}: {checks.first_line(error)}; "
            "set JAXMLP_CACHE_DIR to another folder"
        ) from error
    if raw is None:
        raise InputError(f"dataset: {name!r} is not as it was written to {root}; check the disk")
    return raw


def read_prepared(name: str) -> RawData | None:
    """The set ``name`` from our cache; None if it is not there, or damaged."""
    return _read_entry(_entry_of(name))


def _entry_of(name: str) -> Path:
    return files.cache_folder() / f"{urllib.parse.quote(name, safe='')}-v1"


def _manual_dir(given: str | Path | None) -> Path | None:
    chosen = given or os.environ.get("JAXMLP_MANUAL_DIR")
    if not chosen:
        return None
    folder = files.expand_user("manual_dir", chosen)
    if not folder.is_dir():
        raise InputError(f"manual_dir: must be an existing folder, got {str(chosen)!r}")
    return folder


def _read_entry(entry: Path) -> RawData | None:
    """What ``_write_entry`` wrote, mapped from its files; None if it is not there, or not whole."""
    if not entry.exists():
        return None
    try:
        meta = json.loads((entry / "meta.json").read_text())
        arrays = {stem: _read_array(entry / f"{stem}.npy", crc) for stem, crc in meta["crc32"].items()}
        test = (arrays["test_inputs"], arrays["test_targets"]) if "test_inputs" in arrays else None
        return RawData(arrays["inputs"], arrays["targets"], tuple(meta["class_names"]), test)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        print(f"the cached copy in {entry} is damaged and will be replaced", file=sys.stderr)
        return None


def _read_array(path: Path, crc: int) -> np.ndarray:
    if tfds.checksum(path) != crc:
        raise ValueError(f"{path} has changed")
    # Who writes to it gets a copy of that page.
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


def _publish(complete: Path, entry: Path) -> None:
    """Rename ``complete`` to ``entry``, unless another process did so first; what is damaged moves aside."""
    try:
        complete.replace(entry)
    except OSError:
        if _read_entry(entry) is None:
            entry.replace(complete.with_name("damaged"))
            complete.replace(entry)
