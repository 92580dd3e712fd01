"""Runs that can be gone on with: what a run is between two epochs, on disk, and back, bit for bit."""

import contextlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmlp import checks
from jaxmlp.runtime import environment, processes
from jaxmlp.runtime.console import warn
from jaxmlp.runtime.files import pack, strict_json, unpack, write_atomic
from jaxmlp.types import Dataset, InputError, PyTree

FORMAT = 5
NUM_KEPT = 2
"""Checkpoints that stay: the last, and the one before, should the last be damaged."""


class Checkpoints(NamedTuple):
    """Where the checkpoints of one run are, when they are written, and whether the run goes on from them."""

    folder: str | Path
    every: int | None = None
    """Epochs from one to the next; None: only where a signal or a loss that is not finite ends the run."""
    resume: bool = False
    """Go on from the newest that is whole; without any, begin."""
    run: Mapping[str, Any] = {}
    """What the run is, in values that JSON has: a checkpoint of another one is refused."""

    @property
    def path(self) -> Path:
        return Path(self.folder)


class Checkpoint(NamedTuple):
    """A checkpoint that was read."""

    epoch: int
    """Epochs that were trained."""
    tensors: dict[str, np.ndarray]
    notes: Any
    """What was noted beside them."""


def should_save(checkpoints: Checkpoints, epoch: int, *, last: bool, stopped: bool) -> bool:
    """Whether to save after ``epoch`` (from 1), which may be the last one, or the one that a signal ended."""
    return stopped or (checkpoints.every is not None and (last or epoch % checkpoints.every == 0))


def next_save(checkpoints: Checkpoints | None, epoch: int, num_epochs: int) -> int:
    """The epoch after which the next one is due that follows ``epoch``, or the last."""
    every = checkpoints.every if checkpoints else None
    return num_epochs if every is None else min(num_epochs, epoch - epoch % every + every)


def save_checkpoint(
    checkpoints: Checkpoints, epoch: int, trees: Mapping[str, PyTree], run: Mapping[str, Any], notes: Any
) -> None:
    """The state after ``epoch`` epochs as one file, and the one before stays.

    ``trees`` are on the host and hold no random keys, but their data (``key_data_tree``); ``load_checkpoint``
    is given ``run``, too. A disk that is full, or gone, costs a warning and never the run; what was there
    before stays.
    """
    if jax.process_index() > 0:
        return
    about = {"format": FORMAT, "epoch": epoch, "run": dict(run), "environment": environment.conditions()}
    tensors = {
        name: np.asarray(leaf) for key, tree in trees.items() for name, leaf in _flat(key, tree).items()
    }
    content = pack(tensors, {"jaxmlp": json.dumps(about | {"notes": notes}, default=float)})
    path = checkpoints.path / f"epoch-{epoch:08d}.safetensors"
    try:
        checkpoints.path.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
        files = _files(checkpoints.path)
        # Those of later epochs are of a run that was here before.
        place = files.index(path)
        for old in files[:place] + files[place + NUM_KEPT :]:
            old.unlink()
        for half in checkpoints.path.glob(".*.tmp"):
            half.unlink()
    except OSError as error:
        warn(f"no checkpoint of epoch {epoch}: {checkpoints.path}: {error.strerror or error}")


def load_checkpoint(checkpoints: Checkpoints | None, run: Mapping[str, Any]) -> Checkpoint | None:
    """The newest checkpoint that is whole; None where there is none, or the run is not to be resumed.

    Damaged ones are named on stderr and passed over. InputError for one of another run or a newer format,
    and where all are damaged. Of several processes the first one reads, for all.
    """
    if checkpoints is None:
        return None
    checks.of_type("folder", checkpoints.folder, str, Path)
    if checkpoints.every is not None:
        checks.integer("every", checkpoints.every)
    if not checkpoints.resume:
        return None
    content = processes.broadcast(_newest(checkpoints.path) if jax.process_index() == 0 else None)
    if content is None:
        print(f"nothing to resume in {checkpoints.path}: the run begins", flush=True)
        return None
    tensors, about = decode(content)
    # As it reads after having been written.
    run = json.loads(json.dumps(dict(run), default=float))
    if changed := _changes(about["run"], run):
        raise InputError(f"resume: {checkpoints.path} is of another run: {'; '.join(changed[:3])}")
    if changed := _changes(about["environment"], environment.conditions()):
        warn(f"resumed under other conditions, so the last digits may differ: {'; '.join(changed)}")
    return Checkpoint(about["epoch"], tensors, about["notes"])


def restore(kept: Checkpoint, name: str, template: PyTree) -> PyTree:
    """The tree that was saved as ``name``, on the host, with the structure of ``template``, whose leaves need
    no more than shape and dtype.

    InputError, naming the leaf, where shapes, dtypes or names differ: another network, or another optimizer.
    """
    wanted = _flat(name, template)
    found = {key: tensor for key, tensor in kept.tensors.items() if re.match(rf"{name}(\W|$)", key)}
    if differing := {*wanted} ^ {*found}:
        key = min(differing)
        has = "lacks" if key in wanted else "has"
        raise InputError(f"resume: the checkpoint is of another network or optimizer: it {has} {key}")
    for key, leaf in wanted.items():
        theirs, ours = (f"{x.dtype}{list(x.shape)}" for x in (found[key], jax.eval_shape(_key_data, leaf)))
        if ours != theirs:
            raise InputError(
                f"resume: the checkpoint is of another run: {key} is {theirs}, here it is {ours}"
            )
    leaves, structure = jax.tree.flatten(template)
    pairs = zip(leaves, wanted, strict=True)
    return jax.tree.unflatten(structure, [_as_key(found[key], leaf) for leaf, key in pairs])


def restore_arrays(kept: Checkpoint, name: str) -> dict[str, np.ndarray]:
    """The dictionary of arrays, of whatever shapes, that was saved as ``name``."""
    keys = {key: re.fullmatch(rf"{name}\['(.*)'\]", key) for key in kept.tensors}
    return {found[1]: kept.tensors[key] for key, found in keys.items() if found}


def key_data_tree(tree: PyTree) -> PyTree:
    """The tree with the numbers that random keys consist of in place of the keys."""
    return jax.tree.map(_key_data, tree)


def clear_checkpoints(checkpoints: Checkpoints) -> None:
    """Remove those of a run that is over, and the folders that are then empty."""
    for path in _files(checkpoints.path):
        path.unlink(missing_ok=True)
    for folder in (checkpoints.path, checkpoints.path.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def data_fingerprint(dataset: Dataset) -> dict[str, Any]:
    """Shape and checksum of each array, to tell one data set from another."""
    fields = dataset._asdict().items()
    return {name: [list(values.shape), _crc(values)] for name, values in fields if values is not None}


def _crc(values: Any) -> int:
    """Some rows at a time, since mapped files may be larger than memory."""
    total = 0
    for start in range(0, len(values), 4096):
        total = zlib.crc32(np.ascontiguousarray(values[start : start + 4096]).data, total)
    return total


def _files(folder: Path) -> list[Path]:
    """The checkpoints, newest first."""
    named = re.compile(r"epoch-\d{8,}\.safetensors").fullmatch
    return sorted((p for p in folder.glob("epoch-*") if named(p.name)), reverse=True)


def _newest(folder: Path) -> bytes | None:
    """The content of the newest whole checkpoint."""
    files = _files(folder)
    for path in files:
        try:
            content = path.read_bytes()
            decode(content)
        except (InputError, OSError) as error:
            if isinstance(error, _OtherFormatError):
                raise InputError(f"resume: {path} {error}") from None
            warn(f"{path} is passed over: it {error}")
        else:
            return content
    if files:
        raise InputError(
            f"resume: none of the {len(files)} checkpoints in {folder} is whole; begin without it"
        )
    return None


class _OtherFormatError(InputError):
    pass


def decode(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of a checkpoint, and what is noted beside them. InputError unless it is a whole one."""
    tensors, texts = unpack(content)
    about = strict_json(texts.get("jaxmlp"), "notes")
    if not isinstance(about, dict) or "epoch" not in about:
        raise InputError("is no checkpoint; give the folder of a run that wrote some")
    if about["format"] != FORMAT:
        newer = about["format"] > FORMAT
        remedy = "upgrade jaxmlp" if newer else "resume it with the release that wrote it, or begin anew"
        raise _OtherFormatError(f"has format {about['format']}, and this jaxmlp reads {FORMAT}; {remedy}")
    return tensors, about


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in words."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [f"{name} was {before.get(name)!r:.80}, and is {now.get(name)!r:.80}" for name in names]


def _flat(name: str, tree: PyTree) -> dict[str, Any]:
    """Each leaf by where it is in the tree."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {name + jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _key_data(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _as_key(values: Any, leaf: Any) -> Any:
    """``values`` as a key, where ``leaf`` is one."""
    return jax.random.wrap_key_data(values) if _is_key(leaf) else values
