"""A sweep on its way to the disk and back."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jaxmlp.runtime.devices import gather
from jaxmlp.sweep.chunks import restore_chunk
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.selection import EnsembleMember
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
from jaxmlp.types import Dataset, PyTree

_NOTES = (
    "num_epochs",
    "statuses",
    "ensemble_history",
    "compile_seconds",
    "train_seconds",
    "seconds",
    "epoch",
)
"""Parts of the state that JSON has."""


def sweep_fingerprint(
    members: Sequence[Member], config: SweepConfig, data: Sequence[Dataset], run: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes this sweep another than others, for its checkpoints."""
    # Devices, memory and time may be others when it is gone on with.
    fixed = config._replace(mesh=None, time_budget=None, data_bytes=None)._asdict()
    names = ("training data", "validation data")
    prints = {name: data_fingerprint(part) for name, part in zip(names, data, strict=True)}
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
    structures = _structures(state.chunks)
    trees = {
        "chunks": [gather((chunk.hyperparams, key_data_tree(chunk.state))) for chunk in state.chunks],
        "ensemble": [(c.contribution, c.params) for c in state.ensemble],
        "history": state.history,
        "contributions": {str(member): contribution for member, contribution in state.contributions.items()},
    }
    notes = {
        "chunks": [[structures.index(c.program.structure), c.members, c.epoch] for c in state.chunks],
        "ensemble": [c[:3] for c in state.ensemble],
        "structures": [repr(structure) for structure in structures],
    }
    notes |= {name: getattr(state, name) for name in _NOTES}
    save_checkpoint(checkpoints, state.epoch, trees, run, notes)


def restore_sweep(kept: Checkpoint, begun: SweepState, members: Sequence[Member]) -> SweepState:
    """The state that ``save_sweep`` saved, of the sweep that begins with ``begun``."""
    programs = {repr(chunk.program.structure): chunk for chunk in begun.chunks}
    like = [programs[kept.notes["structures"][number]] for number, *_ in kept.notes["chunks"]]
    carried = restore(kept, "chunks", [(chunk.hyperparams, chunk.state) for chunk in like])
    chunks = [
        restore_chunk(chunk.program, *about, *arrays)
        for chunk, (_, *about), arrays in zip(like, kept.notes["chunks"], carried, strict=True)
    ]
    return begun._replace(
        chunks=chunks,
        ensemble=_restore_ensemble(kept, programs, members),
        history=restore_arrays(kept, "history"),
        contributions={
            int(member): contribution
            for member, contribution in restore_arrays(kept, "contributions").items()
        },
        **{name: kept.notes[name] for name in _NOTES},
    )


def _restore_ensemble(
    kept: Checkpoint, programs: Mapping[str, Chunk], members: Sequence[Member]
) -> list[EnsembleMember]:
    """The ensemble, whose parameters look like those of the programs' members."""
    noted, templates = kept.notes["ensemble"], []
    for number, (member, *_) in enumerate(noted):
        chunk = programs[repr(members[member].structure)]
        contribution = kept.tensors[f"ensemble[{number}][0]"]
        templates.append((contribution, jax.tree.map(_member_shape, chunk.state.best.params)))
    trees = restore(kept, "ensemble", templates)
    return [EnsembleMember(*who, *what) for who, what in zip(noted, trees, strict=True)]


def _member_shape(leaf: Any) -> PyTree:
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _structures(chunks: Sequence[Chunk]) -> list[Any]:
    return list(dict.fromkeys(chunk.program.structure for chunk in chunks))
