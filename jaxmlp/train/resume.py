"""What a run carries from epoch to epoch, on its way to the disk and back."""

from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Key

from jaxmlp.runtime.devices import device_put, pad_members
from jaxmlp.train.checkpoints import Checkpoint, data_fingerprint, key_data_tree, restore
from jaxmlp.train.state import EarlyStopping, Evaluate, FitState, Train
from jaxmlp.types import Dataset, PyTree


def run_fingerprint(
    train: Train,
    evaluate: Evaluate,
    data: tuple[Dataset, Dataset],
    keys: tuple[Key[Array, "*members"], Key[Array, "*orders"]],
    hyperparams: PyTree,
    choice: EarlyStopping,
) -> dict[str, Any]:
    """What makes this run another than others, as far as its functions let one see: for its checkpoints."""
    prints = dict(zip(("training data", "validation data"), map(data_fingerprint, data), strict=True))
    numbers = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), {"hyperparams": hyperparams})
    # By name, to say which of them differs.
    named = getattr(numbers["hyperparams"], "_asdict", lambda: numbers)()
    drawn = [np.asarray(key).tolist() for key in key_data_tree(keys)]
    about = {"batch_size": train.batch_size, "metrics": list(evaluate.metrics), "keys": drawn}
    return {**about, **choice._asdict(), **prints, **named}


def restore_state(
    kept: Checkpoint | None, begun: FitState, members: int | None, where: NamedSharding | None
) -> FitState:
    """The state that was kept, on the devices as ``begun`` is, with which the run would begin; of a
    population with as many ``members``, not counting those that fill up the devices. ``begun`` where nothing
    was kept.
    """
    if kept is None:
        return begun

    def of_members(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape if members is None else (members, *leaf.shape[1:]), leaf.dtype)

    state = restore(kept, "state", jax.tree.map(of_members, begun))
    return device_put(state if members is None else pad_members(state, len(jax.tree.leaves(begun)[0])), where)
