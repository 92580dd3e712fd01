"""Output heads: how logits become probabilities or values, what an error costs, what is predicted.

Every function is for one example; ``vmap`` makes the batch. Logarithms are natural.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer, Scalar, Shaped


class Head(NamedTuple):
    """The last step of a network, as three functions of one example's logits."""

    link: Callable[[Array], Array]
    """logits -> the distribution's mean: class probabilities, or the value itself."""
    loss: Callable[[Array, Array], Array]
    """(logits, target) -> loss, a scalar."""
    predict: Callable[[Array], Array]
    """logits -> class label, or the value itself."""


def binary(label_smoothing: Scalar | float | None = None) -> Head:
    """Two classes, one logit: sigmoid and cross-entropy. ``link`` is the probability of class 1.

    ``label_smoothing`` α moves the target from y to (1 − α) y + α / 2.
    """

    def loss(logits: Float[Array, "1"], label: Integer[Array, ""]) -> Float[Array, ""]:
        target = label.astype(logits.dtype)
        if label_smoothing is not None:
            target = (1 - label_smoothing) * target + label_smoothing / 2
        return optax.sigmoid_binary_cross_entropy(logits[0], target)

    return Head(
        link=lambda logits: jax.nn.sigmoid(logits[0]),
        loss=loss,
        predict=lambda logits: (logits[0] > 0).astype(jnp.int32),
    )


def multiclass(label_smoothing: Scalar | float | None = None) -> Head:
    """k classes, k logits: softmax and cross-entropy.

    ``label_smoothing`` α gives the true class 1 − α + α / k and the others α / k (Szegedy et al. 2016, §7).
    """

    def loss(logits: Float[Array, " classes"], label: Integer[Array, ""]) -> Float[Array, ""]:
        # One-hot rather than a gather: its gradient has no scatter, which runs serially on CPU.
        target = jax.nn.one_hot(label, logits.shape[-1], dtype=logits.dtype)
        if label_smoothing is not None:
            target = optax.smooth_labels(target, label_smoothing)
        return optax.softmax_cross_entropy(logits, target)

    return Head(link=jax.nn.softmax, loss=loss, predict=lambda logits: jnp.argmax(logits).astype(jnp.int32))


def regression() -> Head:
    """One or several real values: identity and squared error, (prediction − target)², without the half.

    Several outputs are averaged.
    """

    def loss(logits: Float[Array, " outputs"], target: Float[Array, "..."]) -> Float[Array, ""]:
        return jnp.mean(optax.squared_error(logits, target.reshape(logits.shape)))

    def value(logits: Float[Array, " outputs"]) -> Shaped[Array, "..."]:
        return logits[0] if logits.shape == (1,) else logits

    return Head(link=value, loss=loss, predict=value)


HEADS: dict[str, Callable[..., Head]] = {
    "binary": binary,
    "multiclass": multiclass,
    "regression": regression,
}
