"""A run whose loss is no longer finite: what failed first, found by going through its epoch again."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Integer, Key

from jaxmlp.runtime.devices import gather
from jaxmlp.train import streaming
from jaxmlp.train.state import Info, Train, TrainState
from jaxmlp.train.streaming import Stream
from jaxmlp.types import Dataset, PyTree


def first_failure(
    train: Train,
    hyperparams: PyTree,
    dataset: Dataset,
    data_key: Key[Array, "*orders"],
    where: NamedSharding | None,
    state: TrainState,
    epoch: Integer[Array, ""],
    member: tuple[int, ...],
) -> tuple[int, str] | None:
    """The step, from 0, of an epoch that begins with ``state`` after which something of ``member`` was not
    finite, and its name: ``loss``, a part of ``opt_state``, which holds the gradients, or of ``params``.

    One step at a time, and the memory of ``state`` is used again; None where that is not possible, or all
    stays finite this time.
    """
    if train.advance_part is None or train.batch_size is None:
        return None
    stream = Stream(dataset, 1, train.batch_size, where)
    num_examples = len(dataset.inputs)
    order = streaming.order_on_host(data_key, epoch, num_examples)
    begin, advance_part, _ = streaming.part_programs(train, num_examples)
    info = begin(state)
    for number, part in enumerate(streaming.iterate_parts(stream, order)):
        state, info = advance_part(state, info, hyperparams, part, epoch, jnp.asarray(number), data_key)
        # The loss first, then what follows from it.
        found = {"loss": info.loss, "opt_state": state.opt_state, "params": state.params}
        finite = gather(_finite(train.num_axes)(found))
        for name, tree in ((name, finite[name]) for name in found):
            for path, good in jax.tree_util.tree_flatten_with_path(tree)[0]:
                if not good[member]:
                    return number, name + jax.tree_util.keystr(path)
    return None


def failure_message(info: Info, epoch: int, first: tuple[int, str] | None = None) -> str:
    """The line of an error: ``epoch``, from 0, and step that lost the last finite loss; what failed first."""
    member = last_member(info)
    which, step = " of the last member" if member else "", info.first_bad_step[member]
    text = f"the loss{which} became non-finite in epoch {epoch + 1}, step {step + 1}"
    if first is not None and first != (step, "loss"):
        text += f", and before it {first[1]} in step {first[0] + 1}"
    return f"{text}; try a smaller learning rate or clip_norm"


def last_member(info: Info) -> tuple[int, ...]:
    """Where the member is that held out longest."""
    steps = np.asarray(info.first_bad_step)
    return tuple(map(int, np.unravel_index(np.argmax(steps), steps.shape)))


@lru_cache(maxsize=8)
def _finite(num_axes: int) -> Any:
    """Of each array, whether all numbers of each member are finite; members are on the first axes."""

    def one(leaf: Array) -> Array:
        return jnp.isfinite(leaf).all(axis=tuple(range(num_axes, leaf.ndim)))

    return jax.jit(lambda tree: jax.tree.map(one, tree))
