"""The order of the data and its cut into batches, as pure functions of a key and the epoch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key

from jaxmlp import checks
from jaxmlp.types import AnyArray

_NO_EPOCH = 2**32 - 1


class Batches(NamedTuple):
    """Which examples each step sees. Padding points at example 0 with weight 0."""

    indices: Integer[Array, "steps batch"]
    weights: Float[Array, "steps batch"]


def num_batches(num_examples: int, batch_size: int) -> int:
    """Steps per epoch; a partial last batch counts."""
    return -(-num_examples // batch_size)


def default_batch_size(num_examples: int) -> int:
    """128, or less for a small data set, so that an epoch has eight steps at least; never more than all."""
    return int(min(128, num_examples, max(8, 2 ** (num_examples // 8).bit_length() // 2)))


def default_num_epochs(num_examples: int, batch_size: int) -> int:
    """20, or more for a small data set: as many as make some 3,000 steps, at most 300."""
    return min(300, max(20, 3000 // num_batches(num_examples, batch_size)))


def choose_sizes(num_examples: int, batch_size: int | None, num_epochs: int | None) -> tuple[int, int]:
    """``batch_size`` and ``num_epochs``, checked, or where there is none what suits so many examples."""
    batch_size = default_batch_size(num_examples) if batch_size is None else batch_size
    checks.integer("batch_size", batch_size)
    num_epochs = default_num_epochs(num_examples, batch_size) if num_epochs is None else num_epochs
    return batch_size, checks.integer("num_epochs", num_epochs)


def epoch_order(
    data_key: Key[Array, ""], epoch: Integer[Array, ""], num_examples: int
) -> Integer[Array, " examples"]:
    """A uniformly random order of the examples, another one for each epoch.

    One sort by 32 random bits each, where ``jax.random.permutation`` sorts twice: among n examples about
    n² / 2³³ pairs draw the same bits and keep their order.
    """
    bits = jax.random.bits(jax.random.fold_in(data_key, epoch), (num_examples,), jnp.uint32)
    return jnp.argsort(bits)


def epoch_key(data_key: Key[Array, ""], epoch: Integer[Array, ""]) -> Key[Array, ""]:
    """The key of what else is random in an epoch."""
    return jax.random.fold_in(jax.random.fold_in(data_key, _NO_EPOCH), epoch)


def make_batches(
    order: Integer[Array, " examples"], weights: Float[AnyArray, " examples"] | None, batch_size: int
) -> Batches:
    """``order`` in rows of ``batch_size``, the last one padded with weight 0."""
    num_examples = len(order)
    shape = num_batches(num_examples, batch_size), batch_size
    padding = (0, shape[0] * batch_size - num_examples)
    weights = jnp.ones(num_examples) if weights is None else jnp.asarray(weights)[order]
    return Batches(
        jnp.pad(order, padding).reshape(shape),
        jnp.pad(weights, padding).reshape(shape),
    )
