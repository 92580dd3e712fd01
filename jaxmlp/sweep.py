"""Many runs as one program: ``vmap`` of a run."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxmlp.loop import Evaluate
from jaxmlp.train import Train


def over_seeds(train: Train, evaluate: Evaluate) -> tuple[Train, Evaluate]:
    """Runs that differ in their key and in the order of the data, but share hyperparameters and data.

    Each seed has its own order because a shared one understates their spread.
    """
    population = Train(
        start=jax.vmap(train.start, in_axes=(0, None)),
        advance=jax.vmap(train.advance, in_axes=(0, None, None, None, 0)),
        eval_params=jax.vmap(train.eval_params, in_axes=(0, None)),
    )
    return population, jax.vmap(evaluate, in_axes=(0, 0, None))


def seed_keys(seeds: Sequence[int]) -> tuple[Key[Array, " seeds"], Key[Array, " seeds"]]:
    """The key of each run and of its order of the data, as ``jax.random.split(jax.random.key(seed))``."""
    keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.asarray(seeds))
    return keys[:, 0], keys[:, 1]
