"""A convolutional network of one image, and convolution in two ways."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxmlp
from jaxmlp import Hyperparams, Network
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.nn import heads, mlp
from jaxmlp.nn.augment import random_shift, with_augmentation

if TYPE_CHECKING:
    from experiments.cnn.__main__ import Config

HIDDEN = 128
Convolve = Callable[[jax.Array, jax.Array], jax.Array]
"""(x [height, width, channels], weight) -> convolved and 2×2-max-pooled [height / 2, width / 2, filters]."""


class Params(NamedTuple):
    """Each convolution's weight [side, side, channels, filters] and bias, and the layers after them."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    dense: jaxmlp.Params


def init(key: jax.Array, convolutions: Any, shape: Sequence[int], num_outputs: int) -> Params:
    """Weights as He et al. (2015) draw them, biases 0; ``shape`` is an image's."""
    *keys, dense_key = jax.random.split(key, len(convolutions) + 1)
    channels = [int(np.prod(shape[2:])), *(num_filters for _, num_filters in convolutions)]
    shapes = [(side, side, *channels[i : i + 2]) for i, (side, _) in enumerate(convolutions)]
    height, width = (size >> len(convolutions) for size in shape[:2])
    weights = tuple(map(jax.nn.initializers.he_normal(), keys, shapes))
    dense = mlp.init(dense_key, (height * width * channels[-1], HIDDEN, num_outputs))
    return Params(weights, tuple(map(jnp.zeros, channels[1:])), dense)


def apply(params: Params, image: jax.Array, convolve: Convolve, **dropout: Any) -> jax.Array:
    """The logits of one image; ``dropout`` are options of ``mlp.apply``."""
    x = image.reshape(*image.shape[:2], -1)
    for weight, bias in zip(params.weights, params.biases, strict=True):
        x = jax.nn.relu(convolve(x, weight) + bias[None, None])
    return mlp.apply(params.dense, x, **dropout)


def patches_times_matrix(x: jax.Array, weight: jax.Array) -> jax.Array:
    """A filter's answers at four neighbouring places come from one patch of whole 2×2 blocks of pixels: the
    matrix is the filter laid into the patch at each of the four, and pooling keeps the largest answer.
    """
    side, height, width = len(weight), x.shape[0] // 2, x.shape[1] // 2
    before, reach = (side - 1) // 2, side // 2 + 1
    padding = [(before, 2 * (size // 2 + reach - 1) - size - before) for size in x.shape[:2]]
    blocks = by_blocks(jnp.pad(x, (*padding, (0, 0))))
    # Slices rather than a gather, whose gradient is a scatter: slow on CPU.
    views = [blocks[i : i + height, j : j + width] for i, j in np.ndindex(reach, reach)]
    gap = 2 * reach - side
    laid = [jnp.pad(weight, ((i, gap - i), (j, gap - j), (0, 0), (0, 0))) for i, j in np.ndindex(2, 2)]
    matrix = by_blocks(jnp.stack(laid, axis=3)).reshape(-1, 4 * weight.shape[-1])
    answers = jnp.concatenate(views, axis=-1) @ matrix
    # The gradient of a maximum over an axis would pass over all answers several times.
    return reduce(jnp.maximum, jnp.split(answers, 4, axis=-1))


def by_blocks(x: jax.Array) -> jax.Array:
    """[2 height, 2 width, …] -> [height, width, numbers]: those of each 2×2 block in one row."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    return x.reshape(height, 2, width, 2, -1).swapaxes(1, 2).reshape(height, width, -1)


def lax_convolution(x: jax.Array, weight: jax.Array) -> jax.Array:
    """The same by XLA's own convolution."""
    layout, height, width = ("NHWC", "HWIO", "NHWC"), x.shape[0] // 2, x.shape[1] // 2
    answers = jax.lax.conv_general_dilated(x[None], weight, (1, 1), "SAME", dimension_numbers=layout)[0]
    return answers[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).max(axis=(1, 3))


def make_cnn(config: "Config", splits: Splits, convolve: Convolve = patches_times_matrix) -> Network:
    """The convolutional network of raw images, which are moved while it trains."""
    affine, head = jaxmlp.fit_affine(splits.train.inputs), heads.HEADS[splits.task]()
    shape, (_, num_outputs) = splits.train.inputs.shape[1:], layer_sizes(splits, ())

    def init_fn(key: jax.Array, hyperparams: Hyperparams) -> Any:
        return init(key, config.convolutions, shape, num_outputs), ()

    def logits(params: Any, image: jax.Array, **dropout: Any) -> jax.Array:
        return apply(params, jaxmlp.apply_affine(affine, image), convolve, **dropout)

    def loss_fn(params: Params, model_state: Any, example: Any, key: Any, hyperparams: Hyperparams) -> Any:
        image, target = example
        return head.loss(logits(params, image, dropout=hyperparams.dropout, key=key), target), model_state

    network = Network(init_fn, loss_fn, lambda params, model_state, image: logits(params, image))
    return moving(network, config)


def moving(network: Network, config: "Config") -> Network:
    """The network that meets each training image moved a little, anew in each pass."""
    return with_augmentation(network, partial(random_shift, largest=config.shift))


def first_answers(params: Params, splits: Splits) -> np.ndarray:
    """[filters, height, width] What each first filter answers to the first test image; ``params`` has a
    leading axis of seeds, of which the first counts.
    """
    affine, image = jaxmlp.fit_affine(splits.train.inputs), jnp.asarray(splits.test.inputs[0])
    x = jaxmlp.apply_affine(affine, image).reshape(*image.shape[:2], -1)
    answers = patches_times_matrix(x, params.weights[0][0]) + params.biases[0][0][None, None]
    return np.moveaxis(np.maximum(answers, 0), -1, 0)
