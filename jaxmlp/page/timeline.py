"""The way of a network through its training: which of its snapshots a page shows."""

from collections.abc import Mapping

import jax
import numpy as np

from jaxmlp.models.model import Model
from jaxmlp.types import InputError

MAX_BYTES = 2_000_000
"""Of all snapshots in a page; of more, some are left out."""


def choose_frames(model: Model, snapshots: Mapping[int, Model]) -> dict[int, Model]:
    """Those of the ``snapshots``, by the number of epochs before, for which there is room in MAX_BYTES.

    Raises InputError where they are of another model, or do not end with this one.
    """
    for epoch, one in snapshots.items():
        if one.spec.networks != model.spec.networks or one.spec.input_shape != model.spec.input_shape:
            raise InputError(f"snapshots: that of epoch {epoch} is of another network; save them again")
    epochs = list(snapshots)
    if epochs and not _same(model, snapshots[epochs[-1]]):
        raise InputError(f"snapshots: the last, of epoch {epochs[-1]}, is not the model; save them again")
    return {epoch: snapshots[epoch] for epoch in _thin(epochs, model)}


def _same(model: Model, other: Model) -> bool:
    pairs = zip(jax.tree.leaves(model.networks), jax.tree.leaves(other.networks), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def _thin(epochs: list[int], model: Model) -> list[int]:
    """The first, the last and as many between as there is room for."""
    size = sum(8 * leaf.size / 3 for leaf in jax.tree.leaves(model.networks))
    places = np.linspace(0, len(epochs) - 1, min(len(epochs), max(2, int(MAX_BYTES / size))))
    return [epochs[round(place)] for place in places.tolist()]
