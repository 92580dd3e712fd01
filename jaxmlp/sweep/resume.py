"""A sweep on its way to the disk and back."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxmlp.data.folds import Folds
from jaxmlp.runtime.devices import gather, unpad_members
from jaxmlp.sweep.chunks import fill_chunks
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.selection import Candidate
from jaxmlp.sweep.space import Member, member_columns
from jaxmlp.sweep.state import SweepState
from jaxmlp.train.checkpoints import (
    Checkpoint,
    Checkpoints,
    data_fingerprint,
    key_data_tree,
    restore,
    restore_arrays,
    save_checkpoint,
)
from jaxmlp.train.snapshots import flatten_snapshots, unflatten_snapshots
from jaxmlp.types import PyTree

_NOTES = (
    "num_epochs",
    "statuses",
    "ensemble_history",
    "losses",
    "latest_losses",
    "compile_seconds",
    "train_seconds",
    "seconds",
    "epoch",
)
"""Parts of the state that JSON has."""


def sweep_fingerprint(
    members: Sequence[Member], config: SweepConfig, folds: Folds, run: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes this sweep another than others, for its checkpoints."""
    # Devices, memory, time and what is kept may be others when it is gone on with.
    fixed = config._replace(mesh=None, time_budget=None, data_bytes=None, num_snapshots=0)._asdict()
    names = ("training data", "held out data")
    prints = {name: data_fingerprint(part) for name, part in zip(names, folds[:2], strict=True)}
    # Their shapes and numbers by name, to say what differs, and all that they are.
    return {
        **fixed,
        **prints,
        **member_columns(members),
        "members": zlib.crc32(repr(members).encode()),
        **run,
    }


def save_sweep(checkpoints: Checkpoints, state: SweepState, run: Mapping[str, Any]) -> None:
    """The state as a checkpoint."""
    structures = list(dict.fromkeys(chunk.program.structure for chunk in state.chunks))
    trees = {
        "chunks": [gather((chunk.hyperparams, key_data_tree(chunk.state))) for chunk in state.chunks],
        "candidates": [c.params for c in state.candidates],
        "predictions": {str(number): c.predictions for number, c in enumerate(state.candidates)},
        "history": state.history,
        "outputs": {str(member): outputs for member, outputs in state.outputs.items()},
        "snapshots": flatten_snapshots(state.snapshots),
    }
    notes = {
        "chunks": [[structures.index(c.program.structure), c.members, c.epoch] for c in state.chunks],
        "candidates": [[*c[:3], c.counts.tolist()] for c in state.candidates],
        "structures": [repr(structure) for structure in structures],
    }
    notes |= {name: getattr(state, name) for name in _NOTES}
    save_checkpoint(checkpoints, state.epoch, trees, run, notes)


def restore_sweep(kept: Checkpoint, begun: SweepState, members: Sequence[Member]) -> SweepState:
    """The state that ``save_sweep`` saved, of the sweep that begins with ``begun``."""
    programs = {repr(chunk.program.structure): chunk for chunk in begun.chunks}

    def params_like(member: int) -> PyTree:
        chunk = programs[repr(members[member].structure)]
        return jax.tree.map(_member_shape, chunk.state.train.params)

    return begun._replace(
        chunks=_restore_chunks(kept, programs),
        candidates=_restore_candidates(kept, params_like),
        snapshots=unflatten_snapshots(restore_arrays(kept, "snapshots"), lambda key: params_like(key[1])),
        history=restore_arrays(kept, "history"),
        outputs={int(member): outputs for member, outputs in restore_arrays(kept, "outputs").items()},
        **{name: kept.notes[name] for name in _NOTES},
    )


def _restore_chunks(kept: Checkpoint, programs: Mapping[str, Chunk]) -> list[Chunk]:
    """Those that were saved, in chunks of the size that suits the devices at hand."""
    noted, equally_far = kept.notes["chunks"], defaultdict(list)
    like = [programs[kept.notes["structures"][number]] for number, *_ in noted]
    saved = restore(kept, "chunks", [_as_saved(kept, *each) for each in enumerate(like)])
    for place, (number, _, epoch) in enumerate(noted):
        equally_far[number, epoch].append(place)
    chunks = []
    for (_, epoch), own in equally_far.items():
        members = [member for place in own for member in noted[place][1]]
        carried = [unpad_members(saved[place], len(noted[place][1])) for place in own]
        places = {member: place for place, member in enumerate(members)}
        chunks += fill_chunks(like[own[0]].program, places, epoch, carried)
    return chunks


def _as_saved(kept: Checkpoint, place: int, chunk: Chunk) -> PyTree:
    """The shapes of what a chunk carries, for as many members as were saved at this place."""
    own = f"chunks[{place}]"
    size = next(len(tensor) for name, tensor in kept.tensors.items() if name.startswith(own))

    def shape(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype)

    return jax.tree.map(shape, (chunk.hyperparams, chunk.state))


def _restore_candidates(kept: Checkpoint, params_like: Callable[[int], PyTree]) -> list[Candidate]:
    """The candidates, whose parameters look like those of their members."""
    noted = kept.notes["candidates"]
    templates = [params_like(member) for member, *_ in noted]
    params, predictions = restore(kept, "candidates", templates), restore_arrays(kept, "predictions")
    return [
        Candidate(member, epoch, temperature, np.array(counts), predictions[str(number)], params[number])
        for number, (member, epoch, temperature, counts) in enumerate(noted)
    ]


def _member_shape(leaf: Any) -> PyTree:
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)
