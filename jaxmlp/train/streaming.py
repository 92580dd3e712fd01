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

from jaxmlp import checks
from jaxmlp.runtime.compilation import compile_for
from jaxmlp.runtime.console import tell
from jaxmlp.runtime.devices import device_put, gather, keys_sharding, memory_bytes, num_bytes, sharding
from jaxmlp.train import batching
from jaxmlp.train.state import Info, Train, TrainState, mean_info, zero_info
from jaxmlp.types import AnyArray, AnyMesh, Dataset, InputError, PyTree

_NUM_PARTS = 2
"""Parts on the device: one to train on, and one that arrives."""


class Stream(NamedTuple):
    """Data on the host, or mapped from a file, and how they reach the device."""

    dataset: Dataset
    num_steps: int
    """Of each part but the last."""
    batch_size: int
    where: NamedSharding | None


def place_data(
    dataset: Dataset,
    batch_size: int | None,
    data_key: Key[Array, "*orders"],
    data_bytes: int | None = None,
    mesh: AnyMesh | None = None,
) -> Dataset | Stream:
    """Training data on the devices; of more than ``data_bytes`` (default: half of the memory) the parts
    in which they come, each in the order of every data_key, and a line that says so.

    InputError where not even a step fits, or there is no ``batch_size``, so that nothing takes parts.
    """
    size, most = num_bytes(dataset), max_data_bytes(data_bytes)
    if size <= most:
        return device_put(dataset, sharding(mesh))
    if batch_size is None:
        raise InputError("data_bytes: this train has no advance_part, so its data have to fit on the device")
    checks.dataset_shapes(dataset, batch_size)
    step_bytes = size // len(dataset.inputs) * batch_size * max(1, data_key.size)
    num_steps = most // (_NUM_PARTS * step_bytes)
    if num_steps < 1:
        raise InputError(
            f"data_bytes: must hold {_NUM_PARTS} steps of {step_bytes} bytes, got {most}; "
            "try a smaller batch_size"
        )
    tell(f"{size / 1e9:.2f} GB of training data come in parts of {num_steps} steps")
    return Stream(dataset, num_steps, batch_size, keys_sharding(mesh, data_key))


def max_data_bytes(data_bytes: int | None) -> int:
    """Bytes that training data may take on the device: ``data_bytes``, or half of its memory."""
    return memory_bytes() // 2 if data_bytes is None else checks.integer("data_bytes", data_bytes)


def iterate_parts(stream: Stream, order: Integer[np.ndarray, "*orders examples"]) -> Iterator[Dataset]:
    """The data in this order, part by part; the next one is fetched while one is used."""
    size = stream.num_steps * stream.batch_size

    def fetched(start: int) -> Dataset:
        rows = order[..., start : start + size]
        inputs, targets, weights = stream.dataset
        weights = None if weights is None else np.asarray(weights)[..., rows]
        return Dataset(np.asarray(inputs[rows]), np.asarray(targets[rows]), weights)

    with ThreadPoolExecutor(1) as fetcher:
        arriving = [fetcher.submit(fetched, 0)]
        for start in range(size, order.shape[-1] + size, size):
            part = arriving.pop().result()
            if start < order.shape[-1]:
                arriving.append(fetcher.submit(fetched, start))
            yield device_put(part, stream.where)


def compile_parts(
    train: Train,
    stream: Stream,
    state: TrainState,
    hyperparams: PyTree,
    epoch: Integer[Array, ""],
    data_key: Key[Array, "*orders"],
) -> Info:
    """Compile what ``advance`` calls, for whole parts and the last one; the Info of an epoch that was not
    trained. What was compiled before is found again.
    """
    num_examples, size = len(stream.dataset.inputs), stream.num_steps * stream.batch_size
    begin, step, end = part_programs(train, num_examples)
    info = begin(state)
    compile_for(_order(data_key.ndim, num_examples), data_key, epoch)

    def part_of(rows: int) -> Dataset:
        def shape(leaf: AnyArray, axis: int = 0) -> jax.ShapeDtypeStruct:
            dtype = jax.dtypes.canonicalize_dtype(leaf.dtype)
            sizes = (*leaf.shape[:axis], *data_key.shape, rows, *leaf.shape[axis + 1 :])
            return jax.ShapeDtypeStruct(sizes, dtype, sharding=stream.where)

        inputs, targets, weights = stream.dataset
        counted = None if weights is None else shape(weights, weights.ndim - 1)
        return Dataset(shape(inputs), shape(targets), counted)  # type: ignore[arg-type]

    for rows in {min(size, num_examples), num_examples % size or size}:
        compile_for(step, state, info, hyperparams, part_of(rows), epoch, jnp.asarray(0), data_key)
    return end(info)


def advance_in_parts(
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
    order = order_on_host(data_key, epoch, num_examples)
    begin, step, end = part_programs(train, num_examples)
    info = begin(state)
    for number, part in enumerate(iterate_parts(stream, order)):
        first_step = jnp.asarray(number * stream.num_steps)
        arguments = state, info, hyperparams, part, epoch, first_step, data_key
        state, info = compile_for(step, *arguments)(*arguments)
        # Not ahead by more than the part that arrives.
        jax.block_until_ready(info)
    return state, end(info)


def order_on_host(
    data_key: Key[Array, "*orders"], epoch: Integer[Array, ""], num_examples: int
) -> Integer[np.ndarray, "*orders examples"]:
    """``batching.epoch_order`` of every data_key, on the host."""
    in_order = compile_for(_order(data_key.ndim, num_examples), data_key, epoch)
    return gather(in_order(data_key, epoch))


@lru_cache(maxsize=64)
def _order(num_axes: int, num_examples: int) -> Callable[..., Array]:
    order: Callable[..., Array] = partial(batching.epoch_order, num_examples=num_examples)
    for _ in range(num_axes):
        order = jax.vmap(order, in_axes=(0, None))
    return jax.jit(order)


@lru_cache(maxsize=64)
def part_programs(train: Train, num_examples: int) -> tuple[Callable[..., Any], ...]:
    """What comes before the first part, each part, and what comes after the last one, compiled."""
    assert train.advance_part is not None and train.batch_size is not None
    num_steps = batching.num_batches(num_examples, train.batch_size)

    def begin(state: TrainState) -> Info:
        members = train.members_shape(state)
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, members), zero_info(num_steps))

    end = partial(mean_info, batch_size=train.batch_size, num_examples=num_examples)
    return jax.jit(begin), jax.jit(train.advance_part, donate_argnums=(0, 1)), jax.jit(end)
