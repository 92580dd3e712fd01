"""The laws of softmax tried out, beside the formula as it is printed."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmlp.nn import heads

SIZES = np.logspace(0, 4, 81)


def naive_softmax(logits: Array) -> Array:
    return jnp.exp(logits) / jnp.sum(jnp.exp(logits))


def naive_loss(logits: Array, label: Array) -> Array:
    return -jnp.log(naive_softmax(logits)[label])


def softmax_laws(key: Array) -> dict[str, Array]:
    """How far softmax strays from its laws on 1000 random rows of 10, and who stays finite at ±10,000."""
    logits_key, sign_key = jax.random.split(key)
    # In steps of 1/64, adding 1000 is exact: what changes then is the formula's doing.
    logits = jnp.round(640 * jax.random.normal(logits_key, (1000, 10))) / 64
    extreme = 1e4 * jax.random.rademacher(sign_key, logits.shape, float)
    softmax, epsilon = jax.vmap(heads.multiclass().link), jnp.finfo(logits.dtype).eps
    return {
        "softmax_sum_off_by": jnp.abs(softmax(logits).sum(axis=1) - 1).max() / epsilon,
        "softmax_changed_by_shift": jnp.abs(softmax(logits + 1000) - softmax(logits)).max() / epsilon,
        "softmax_finite_share": jnp.isfinite(softmax(extreme)).all(axis=1).mean(),
        "naive_softmax_finite_share": jnp.isfinite(jax.vmap(naive_softmax)(extreme)).all(axis=1).mean(),
    }


def loss_by_size(loss: Callable[..., Array]) -> np.ndarray:
    """The loss when the true class has logit -size and the largest of nine others +size."""
    logits = jnp.asarray(np.outer(SIZES, np.linspace(-1, 1, 10)))
    return np.asarray(jax.vmap(loss, (0, None))(logits, jnp.zeros((), int)))
