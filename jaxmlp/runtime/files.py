"""Files that appear whole or not at all, tensors in them with a checksum, and the folder of caches."""

import contextlib
import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxmlp.types import AnyArray, InputError

# Names of classes are the only part that grows; without a bound, eight bytes of a broken file could ask for
# any amount of memory.
_MAX_HEADER_BYTES = 2**24
_NO_SUM = "0" * 64


def write_atomic(path: str | Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, then rename: there is the old file or the new one, never half."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            # Else the rename may reach the disk before the content does.
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_file(path: str | Path, content: bytes) -> Path:
    """``write_atomic`` into a folder that is made if need be; returns the path. InputError where it cannot be
    written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


class FolderLock:
    """A folder for one process alone: to the end of a with statement, or until nobody holds this any more or
    the process has ended in any way.

    InputError if another one has it. Where the system has no such locks, nothing is locked.
    """

    _entry: int | None = None

    def __init__(self, folder: str | Path) -> None:
        # Some file systems lock nothing, and Windows opens no folder.
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            # Of the folder itself: a file would stay behind.
            self._entry = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(self._entry, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"out: another process is at work in {str(folder)!r}; wait for it, or give another folder"
                ) from None

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *error: Any) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            os.close(entry)

    __del__ = __exit__


def pack(tensors: Mapping[str, AnyArray], texts: Mapping[str, str]) -> bytes:
    """A safetensors file of ``tensors`` and ``texts``, and the SHA-256 of it all, where that is zeros; of the
    same content always the same bytes.
    """
    # safetensors copies memory as it lies, so that a transposed view would be stored transposed.
    arrays = {name: np.array(tensor, order="C") for name, tensor in tensors.items()}
    content = safetensors.numpy.save(arrays, {**texts, "sha256": _NO_SUM})
    end = 8 + int.from_bytes(content[:8], "little")
    # safetensors writes the texts in another order each time.
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    # Tensors begin at a multiple of 8.
    header += b" " * (-len(header) % 8)
    content = len(header).to_bytes(8, "little") + header + content[end:]
    return _with_sum(content, _NO_SUM, hashlib.sha256(content).hexdigest())


def unpack(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and texts that ``pack`` packed.

    InputError for anything else: another kind of file, a part of one, a byte that has changed, a name that
    comes twice.
    """
    size = int.from_bytes(content[:8], "little")
    if size > min(len(content) - 8, _MAX_HEADER_BYTES):
        raise InputError("is not a safetensors file, or only a part of one")
    # Read here, too, because safetensors accepts a key that comes twice.
    header = strict_json(content[8 : 8 + size], "header")
    if not isinstance(header, dict):
        raise InputError("is not a safetensors file: its header is no table of tensors")
    texts = header.get("__metadata__")
    if not isinstance(texts, dict) or not isinstance(texts.get("sha256"), str):
        raise InputError("holds no checksum by jaxmlp; give a file that an experiment saved")
    found = hashlib.sha256(_with_sum(content, texts["sha256"], _NO_SUM)).hexdigest()
    if found != texts.pop("sha256"):
        raise InputError("is damaged: its checksum does not fit its content; save it again")
    try:
        return safetensors.numpy.load(content), texts
    except safetensors.SafetensorError as error:
        raise InputError(f"is damaged or incomplete ({error}); save it again") from None
    except KeyError as error:
        raise InputError(f"holds numbers of the unknown type {error}; save it in float32") from None


def strict_json(text: Any, part: str) -> Any:
    """What ``text`` says; InputError, naming the file's ``part``, if it is not JSON or has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=functools.partial(_unique, part))
    except InputError:
        raise
    except (TypeError, ValueError, RecursionError):
        raise InputError(f"is no file of jaxmlp: its {part} is not JSON") from None


def _with_sum(content: bytes, old: str, new: str) -> bytes:
    """The file with another checksum; within a text the quotes would be escaped."""
    return content.replace(f'"sha256":"{old}"'.encode(), f'"sha256":"{new}"'.encode(), 1)


def _unique(part: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise InputError(f"is damaged: its {part} has {repeated[0]!r} twice; save it again")
    return dict(pairs)


def cache_folder() -> Path:
    """JAXMLP_CACHE_DIR, or else ``jaxmlp`` in the user's folder for caches. It may not exist yet.

    InputError where it lies in the home of a user who has none.
    """
    chosen = os.environ.get("JAXMLP_CACHE_DIR")
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "jaxmlp"
    return expand_user("JAXMLP_CACHE_DIR", chosen or default)


def expand_user(argument: str, path: str | Path) -> Path:
    """``path`` with the home that ``~`` stands for; InputError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(
            f"{argument}: must be a whole path, since there is no home for {str(path)!r}"
        ) from None
