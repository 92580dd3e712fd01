"""Training images that are never twice the same: pure functions of (key, image), inside the compiled step."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, Key, Shaped

from jaxmlp import checks
from jaxmlp.nn.network import Network
from jaxmlp.types import InputError, Scalar

Augment = Callable[[Key[Array, ""], Array], Array]
"""(key, image) -> another image of the same shape."""


class Deformation(NamedTuple):
    """How far an image is deformed at most; lengths are shares of its longer side, whatever its size.

    The defaults are about those that served handwriting (Simard et al. 2003; Cireşan et al. 2010).
    """

    rotation: float = 15.0
    """Degrees, either way."""
    shear: float = 0.15
    scale: float = 0.15
    """Of each direction: from 1 − scale to 1 + scale."""
    shift: float = 0.05
    elastic: float = 0.04
    """Root mean square of a smooth random displacement of each pixel, in each direction."""
    smoothness: float = 0.18
    """Standard deviation of the Gaussian that makes it smooth."""


_HANDWRITING = Deformation()


def scale_deformation(strength: Scalar | float) -> Deformation:
    """The default limits times ``strength``; displacements stay as smooth."""
    limits = {name: strength * limit for name, limit in _HANDWRITING._asdict().items()}
    return Deformation(**limits)._replace(smoothness=_HANDWRITING.smoothness)


def with_augmentation(network: Network, augment: Augment) -> Network:
    """The network that meets each training image as ``augment`` makes it, anew in each pass; where no key is
    given, which is evaluation, the image stays.
    """

    def loss_fn(params: Any, model_state: Any, example: Any, key: Any, hyperparams: Any) -> Any:
        if key is not None:
            image_key, key = jax.random.split(key)
            example = augment(image_key, example[0]), example[1]
        return network.loss_fn(params, model_state, example, key, hyperparams)

    return network._replace(loss_fn=loss_fn)


def with_deformation(network: Network) -> Network:
    """The network that meets each training image deformed anew in each pass, as far as the Hyperparams at
    hand say; where these share a key, they share the draws. InputError for examples that are no images.
    """

    def loss_fn(params: Any, model_state: Any, example: Any, key: Any, hyperparams: Any) -> Any:
        strength = checks.as_hyperparams(hyperparams).deformation
        if strength is None:
            return network.loss_fn(params, model_state, example, key, hyperparams)
        if example[0].ndim < 2:
            shape = example[0].shape
            raise InputError(f"deformation: is for images, but an example has shape {shape}; leave it out")
        augment = partial(random_deformation, limits=scale_deformation(strength))
        return with_augmentation(network, augment).loss_fn(params, model_state, example, key, hyperparams)

    return network._replace(loss_fn=loss_fn)


def random_shift(
    key: Key[Array, ""], image: Shaped[Array, "height width *channels"], largest: int
) -> Shaped[Array, "height width *channels"]:
    """``image`` moved both ways by up to ``largest`` pixels; its border is repeated into the gap."""
    moves = jax.random.randint(key, (2,), -largest, largest + 1)
    rows, columns = (jnp.clip(jnp.arange(image.shape[i]) + moves[i], 0, image.shape[i] - 1) for i in (0, 1))
    return image[rows[:, None], columns[None]]


def random_deformation(
    key: Key[Array, ""], image: Shaped[Array, "height width *channels"], limits: Deformation = _HANDWRITING
) -> Float[Array, "height width *channels"]:
    """``image`` turned, sheared, scaled, moved and bent at random, each evenly within its limits."""
    (height, width), (key, noise_key) = image.shape[:2], jax.random.split(key)
    side = max(height, width)
    draws = jax.random.uniform(key, (6,), minval=-1.0, maxval=1.0)
    angle = jnp.deg2rad(limits.rotation) * draws[0]
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    shear = jnp.eye(2).at[0, 1].set(limits.shear * draws[1])
    scale = jnp.diag(1 + limits.scale * draws[2:4])
    moves = side * limits.shift * draws[4:]
    bend = side * limits.elastic * smooth_noise(noise_key, (height, width), side * limits.smoothness)
    return warp(image, turn @ shear @ scale, moves[:, None, None] + bend)


def warp(
    image: Shaped[Array, "height width *channels"],
    matrix: Float[Array, "2 2"],
    displacement: Float[Array, "2 #height #width"],
) -> Float[Array, "height width *channels"]:
    """The image whose pixel at (row, column), seen from the centre, is that of ``image`` at
    ``matrix`` @ (row, column) + ``displacement``, between pixels a straight line; its border goes on outside.
    """
    centre = (jnp.array(image.shape[:2], float)[:, None, None] - 1) / 2
    places = jnp.indices(image.shape[:2], dtype=float) - centre
    sources = jnp.einsum("ij,jhw->ihw", matrix, places) + centre + displacement

    def sampled(channel: Float[Array, "height width"]) -> Float[Array, "height width"]:
        return map_coordinates(channel, list(sources), order=1, mode="nearest")

    channels = image.astype(float).reshape(*image.shape[:2], -1)
    return jax.vmap(sampled, in_axes=2, out_axes=2)(channels).reshape(image.shape)


def smooth_noise(
    key: Key[Array, ""], shape: tuple[int, int], deviation: float
) -> Float[Array, "2 height width"]:
    """Two random fields with mean 0 and variance 1, smoothed by a Gaussian of ``deviation`` pixels."""
    size = 2 * shape[0] * shape[1]
    # Random bits cost more than all else here, and of a sum of many numbers a byte of each is enough.
    words = jax.random.bits(key, ((size + 3) // 4,), jnp.uint32)
    draws = jax.lax.bitcast_convert_type(words, jnp.uint8).ravel()[:size].reshape(2, *shape)
    noise = (draws - 127.5) / math.sqrt((256**2 - 1) / 12)
    down, across = (_smoothing_matrix(size, deviation) for size in shape)
    # Each row of a smoothing keeps the variance.
    return jnp.einsum("hi,kij,wj->khw", down, noise, across)


def _smoothing_matrix(size: int, deviation: float) -> Float[Array, "size size"]:
    """The matrix of a Gaussian over ``size`` pixels whose rows keep the variance of independent numbers."""
    places = jnp.arange(size, dtype=float)
    weights = jnp.exp(-(((places[:, None] - places[None]) / deviation) ** 2) / 2)
    return weights / jnp.sqrt(jnp.sum(weights**2, axis=1, keepdims=True))
