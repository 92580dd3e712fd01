"""Data that do not fit on the device: an epoch in parts, each fetched while the one before trains."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Integer, Key

from jaxmlp import batching, checks
from jaxmlp.caches import compiled
from jaxmlp.mesh import memory, num_bytes, put
from jaxmlp.train import Info, Train, TrainState, nothing, per_example
from jaxmlp.types import Dataset, InputError, PyTree

_AT_ONCE = 2
"""Parts on the device: one to train on, and one that arrives."""


class Stream(NamedTuple):
    """Data on the host, or mapped from a file, and how they reach the device."""

    dataset: Dataset
    num_steps: int
    """Of each part but the last."""
    batch_size: int
    where: NamedSharding | None


def room() -> int:
    """Bytes that training data may take: half of the device's memory, which on a CPU is the machine's."""
    return memory() // 2


def make_stream(
    train: Train,
    dataset: Dataset,
    data_key: Key[Array, "*orders"],
    data_bytes: int,
    where: NamedSharding | None,
) -> Stream:
    """Parts of as many whole steps as fit into ``data_bytes`` twice, of each order of its own.

    InputError where not even a step fits, or ``train`` is not made of parts.
    """
    checks.whole_number("data_bytes", data_bytes)
    checks.dataset_shapes(dataset, train.batch_size or 1)
    if train.advance_part is None or train.batch_size is None:
        raise InputError("data_bytes: this train has no advance_part, so its data have to fit on the device")
    example = num_bytes(jax.tree.map(lambda leaf: leaf[:1], dataset))
    step_bytes = example * train.batch_size * max(1, data_key.size)
    num_steps = data_bytes // (_AT_ONCE * step_bytes)
    if num_steps < 1:
        raise InputError(
            f"data_bytes: must hold {_AT_ONCE} steps of {step_bytes} bytes, got {data_bytes}; "
            "try a smaller batch_size"
        )
    return Stream(dataset, num_steps, train.batch_size, where)


def parts(stream: Stream, order: Integer[np.ndarray, "*orders examples"]) -> Iterator[Dataset]:
    """The data in this order, part by part; the next one is fetched while one is used."""
    size = stream.num_steps * stream.batch_size

    def fetched(start: int) -> Dataset:
        rows = order[..., start : start + size]
        return jax.tree.map(lambda leaf: np.asarray(leaf[rows]), stream.dataset)

    with ThreadPoolExecutor(1) as fetcher:
        arriving = [fetcher.submit(fetched, 0)]
        for start in range(size, order.shape[-1] + size, size):
            part = arriving.pop().result()
            if start < order.shape[-1]:
                arriving.append(fetcher.submit(fetched, start))
            yield put(part, stream.where)


def compile_parts(
    train: Train,
    stream: Stream,
    state: TrainState,
    hyperparams: PyTree,
    epoch: Integer[Array, ""],
    data_key: Key[Array, "*orders"],
) -> Info:
    """Compile what ``advance`` calls, for whole parts and the last one; the Info of an epoch that was not
    trained.
    """
    num_examples = len(stream.dataset.inputs)
    begin, step, end = _programs(train, num_examples)
    info = begin(state.key)
    size = stream.num_steps * stream.batch_size
    for rows in {min(size, num_examples), num_examples % size or size}:
        order = np.broadcast_to(np.arange(rows), (*data_key.shape, rows))
        (part,) = parts(stream._replace(num_steps=-(-rows // stream.batch_size)), order)
        compiled(step, state, info, hyperparams, part, epoch, jnp.asarray(0))
    return end(info)


def advance(
    train: Train,
    stream: Stream,
    state: TrainState,
    hyperparams: PyTree,
    epoch: Integer[Array, ""],
    data_key: Key[Array, "*orders"],
) -> tuple[TrainState, Info]:
    """One epoch of the same order and the same steps as ``train.advance`` makes; the memory of ``state`` is
    used again.
    """
    num_examples = len(stream.dataset.inputs)
    order = np.asarray(order_of(data_key.ndim, num_examples)(data_key, epoch))
    begin, step, end = _programs(train, num_examples)
    info = begin(state.key)
    for number, part in enumerate(parts(stream, order)):
        arguments = state, info, hyperparams, part, epoch, jnp.asarray(number * stream.num_steps)
        state, info = compiled(step, *arguments)(*arguments)
        # Not ahead by more than the part that arrives.
        jax.block_until_ready(info)
    return state, end(info)


@lru_cache(maxsize=64)
def order_of(num_axes: int, num_examples: int) -> Callable[..., Array]:
    """``batching.order`` of every data_key, compiled."""
    order: Callable[..., Array] = partial(batching.order, num_examples=num_examples)
    for _ in range(num_axes):
        order = jax.vmap(order, in_axes=(0, None))
    return jax.jit(order)


@lru_cache(maxsize=64)
def _programs(train: Train, num_examples: int) -> tuple[Callable[..., Any], ...]:
    """What comes before the first part, each part, and what comes after the last one, compiled."""
    assert train.advance_part is not None and train.batch_size is not None
    num_steps = batching.num_batches(num_examples, train.batch_size)

    def begin(keys: Key[Array, "*members"]) -> Info:
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, keys.shape), nothing(num_steps))

    end = partial(per_example, batch_size=train.batch_size, num_examples=num_examples)
    return jax.jit(begin), jax.jit(train.advance_part, donate_argnums=(0, 1)), jax.jit(end)
