"""The embedding of numbers: with it, a perceptron learns the sharp steps that are common in tables.

Beside each number x stand a few mixtures of cos(2πwx + b) at several frequencies w, all of them trained
(Gorishniy et al. 2022; the form without a bias or activation after it is Holzmüller et al. 2024's).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Scalar, Shaped
from numpy.polynomial import Chebyshev, Polynomial

from jaxmlp.types import Embedding

NUM_FEATURES = 3
"""What each number is embedded in, beside itself."""
_FREQUENCIES = (16, 16), (100, 8), (float("inf"), 4)
"""Of each of at most so many numbers."""
_FREQUENCY_SCALE = 0.25


class EmbeddingSpec(NamedTuple):
    """Which inputs are numbers, and at how many frequencies each is seen."""

    numbers: tuple[int, ...]
    """Their places among the inputs, from 0."""
    num_frequencies: int

    def num_outputs(self, num_inputs: int) -> int:
        """The inputs themselves and what is beside them."""
        return num_inputs + NUM_FEATURES * len(self.numbers)


def embed_numbers(numbers: tuple[int, ...]) -> EmbeddingSpec:
    """The embedding of these inputs: fewer frequencies where there are many, which cost more and overfit."""
    return EmbeddingSpec(numbers, next(count for most, count in _FREQUENCIES if len(numbers) <= most))


def init_embedding(
    key: Key[Array, ""], spec: EmbeddingSpec, frequency_scale: Scalar | float | None = None
) -> Embedding:
    """Frequencies from N(0, ``frequency_scale``²), by default ¼: about as many turns of a wave to a standard
    deviation of its input. Phases are uniform.
    """
    keys, shape = jax.random.split(key, 3), (len(spec.numbers), spec.num_frequencies)
    spread = _FREQUENCY_SCALE if frequency_scale is None else frequency_scale
    return Embedding(
        spread * jax.random.normal(keys[0], shape),
        jax.random.uniform(keys[1], shape, minval=-jnp.pi, maxval=jnp.pi),
        jax.random.normal(keys[2], (*shape, NUM_FEATURES)) / np.sqrt(spec.num_frequencies),
    )


def apply_embedding(
    embedding: Embedding, x: Shaped[Array, "..."], numbers: tuple[int, ...]
) -> Float[Array, " outputs"]:
    """All inputs of one example, then the features of each of its ``numbers``."""
    x = x.ravel().astype(embedding.phases.dtype)
    turns = embedding.frequencies * x[np.array(numbers)][:, None] + embedding.phases / (2 * np.pi)
    # A product of matrices, since XLA makes the cosines of a sum once for each feature.
    features = jnp.einsum("nf,nfk->nk", cos_turns(turns), embedding.mixing)
    return jnp.concatenate([x, features.ravel()])


def cos_turns(turns: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """cos(2π ``turns``) by a polynomial: closer in float32 than the cosine of the rounded product, and faster
    on a CPU, where a cosine is dear.
    """
    # A quarter turn from where the cosine is 0, it is odd.
    rest = jnp.abs(turns - jnp.round(turns)) - 0.25
    coefficients = _SINE_SINGLE if turns.dtype == jnp.float32 else _SINE_DOUBLE
    return -rest * jnp.polyval(jnp.asarray(coefficients, turns.dtype), rest**2, unroll=len(coefficients))


def _sine_coefficients(degree: int) -> Float[np.ndarray, " coefficients"]:
    """Of sin(2πr) / r in r², highest first, for r of at most a quarter."""

    def values(squares: np.ndarray) -> np.ndarray:
        return 2 * np.pi * np.sinc(2 * np.sqrt(squares))

    interpolated = Chebyshev.interpolate(values, degree, domain=[0, 1 / 16])
    return interpolated.convert(kind=Polynomial).coef[::-1]


_SINE_SINGLE, _SINE_DOUBLE = _sine_coefficients(4), _sine_coefficients(9)
