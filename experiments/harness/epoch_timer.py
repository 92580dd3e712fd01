"""What an epoch takes."""

import time

import jax
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.train.epoch import epoch_index
from jaxmlp.train.state import Train
from jaxmlp.types import Dataset, PyTree


def epoch_seconds(
    train: Train,
    dataset: Dataset,
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
    num_epochs: int = 5,
) -> list[float]:
    """The wall time of each of ``num_epochs`` epochs of training, without compiling or validation."""
    checks.integer("num_epochs", num_epochs, at_least=1)
    dataset = jax.device_put(dataset)
    state = jax.jit(train.start)(key, hyperparams)
    advance = jax.jit(train.advance, donate_argnums=0)
    seconds = []
    for epoch in range(-1, num_epochs):
        began = time.perf_counter()
        # The first one compiles, and trains on the order of epoch 0 like the next.
        state, _ = jax.block_until_ready(
            advance(state, hyperparams, dataset, epoch_index(max(epoch, 0)), data_key)
        )
        seconds.append(time.perf_counter() - began)
    return seconds[1:]
