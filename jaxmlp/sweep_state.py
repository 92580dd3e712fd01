"""What a sweep carries from epoch to epoch, and its way to the disk and back."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxmlp import population
from jaxmlp.ensemble import Chosen
from jaxmlp.population import Chunk
from jaxmlp.runtime.devices import gather
from jaxmlp.settings import Settings
from jaxmlp.space import Member, columns
from jaxmlp.train.checkpoints import (
    Checkpoint,
    Checkpoints,
    data_fingerprint,
    key_data_tree,
    restore,
    restore_arrays,
    save,
)
from jaxmlp.types import Dataset, PyTree


class SweepState(NamedTuple):
    """What a sweep carries from epoch to epoch."""

    chunks: list[Chunk]
    """Of the members that go on."""
    num_epochs: int
    """As many as there is time for."""
    history: dict[str, Float[np.ndarray, "members epochs"]]
    fates: list[str]
    shares: dict[int, Float[np.ndarray, " examples"]]
    """Of each member that trained in the last epoch, and is finite."""
    chosen: list[Chosen]
    growth: dict[str, list[float]]
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    seconds: float = 0.0
    """Since the beginning."""
    epoch: int = 0
    """The one that comes next, or goes on."""
    num_advanced: int = 0
    """Chunks that have trained in it already."""


def identity(
    members: Sequence[Member], settings: Settings, data: Sequence[Dataset], run: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes this sweep another than others, for its checkpoints."""
    # Devices, memory and time may be others when it is gone on with.
    fixed = settings._replace(mesh=None, time_budget=None, data_bytes=None)._asdict()
    names = ("training data", "validation data")
    prints = {name: data_fingerprint(part) for name, part in zip(names, data, strict=True)}
    # Their shapes and numbers by name, to say what differs, and all that they are.
    return {**fixed, **prints, **columns(members), "members": zlib.crc32(repr(members).encode()), **run}


def store(checkpoints: Checkpoints, state: SweepState, run: Mapping[str, Any]) -> None:
    """The state as a checkpoint."""
    structures = _structures(state.chunks)
    trees = {
        "chunks": [gather((chunk.hyperparams, key_data_tree(chunk.state))) for chunk in state.chunks],
        "chosen": [(c.share, c.params) for c in state.chosen],
        "history": state.history,
        "shares": {str(member): share for member, share in state.shares.items()},
    }
    notes = {
        "chunks": [[structures.index(c.program.structure), c.members] for c in state.chunks],
        "chosen": [c[:3] for c in state.chosen],
        "structures": [repr(structure) for structure in structures],
    }
    notes |= {name: getattr(state, name) for name in _NOTED}
    save(checkpoints, state.epoch, trees, run, notes)


_NOTED = (
    "num_epochs",
    "fates",
    "growth",
    "compile_seconds",
    "train_seconds",
    "seconds",
    "epoch",
    "num_advanced",
)


def stored(kept: Checkpoint, begun: SweepState, members: Sequence[Member]) -> SweepState:
    """The state that ``store`` stored, of the sweep that begins with ``begun``."""
    programs = {repr(chunk.program.structure): chunk for chunk in begun.chunks}
    like = [programs[kept.notes["structures"][number]] for number, _ in kept.notes["chunks"]]
    carried = restore(kept, "chunks", [(chunk.hyperparams, chunk.state) for chunk in like])
    chunks = [
        population.restored(chunk.program, numbers, *arrays)
        for chunk, (_, numbers), arrays in zip(like, kept.notes["chunks"], carried, strict=True)
    ]
    return begun._replace(
        chunks=chunks,
        chosen=_chosen(kept, programs, members),
        history=restore_arrays(kept, "history"),
        shares={int(member): share for member, share in restore_arrays(kept, "shares").items()},
        **{name: kept.notes[name] for name in _NOTED},
    )


def _chosen(kept: Checkpoint, programs: Mapping[str, Chunk], members: Sequence[Member]) -> list[Chosen]:
    """The ensemble, whose parameters look like those of the programs' members."""
    noted, templates = kept.notes["chosen"], []
    for number, (member, *_) in enumerate(noted):
        chunk = programs[repr(members[member].structure)]
        share = kept.tensors[f"chosen[{number}][0]"]
        templates.append((share, jax.tree.map(_of_one, chunk.state.best.params)))
    trees = restore(kept, "chosen", templates)
    return [Chosen(*who, *what) for who, what in zip(noted, trees, strict=True)]


def _of_one(leaf: Any) -> PyTree:
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _structures(chunks: Sequence[Chunk]) -> list[Any]:
    return list(dict.fromkeys(chunk.program.structure for chunk in chunks))
