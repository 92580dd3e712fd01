"""The multilayer perceptron: ``init`` makes its parameters, ``apply`` evaluates it on one example."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Scalar, Shaped

from jaxmlp import checks
from jaxmlp.nn.matmul import Product
from jaxmlp.types import InputError, Layer, Params

Activation = Callable[[Array], Array]
Initializer = Callable[..., Array]

# A program holds each layer; more would compile for many minutes.
MAX_LAYERS = 100

ACTIVATIONS: dict[str, Activation] = {
    function.__name__: function
    for function in (
        *(jax.nn.celu, jax.nn.elu, jax.nn.gelu, jax.nn.hard_sigmoid, jax.nn.hard_silu, jax.nn.hard_tanh),
        *(jax.nn.identity, jax.nn.leaky_relu, jax.nn.log_sigmoid, jax.nn.mish, jax.nn.relu, jax.nn.relu6),
        *(jax.nn.selu, jax.nn.sigmoid, jax.nn.silu, jax.nn.soft_sign, jax.nn.softplus, jax.nn.squareplus),
        jax.nn.tanh,
    )
}

_LECUN = jax.nn.initializers.lecun_normal()
_GLOROT = jax.nn.initializers.glorot_normal()
_HE = jax.nn.initializers.he_normal()
_INITIALIZERS: dict[Activation, Initializer] = {
    **dict.fromkeys((jax.nn.sigmoid, jax.nn.hard_sigmoid, jax.nn.tanh, jax.nn.hard_tanh), _GLOROT),
    **dict.fromkeys((jax.nn.selu, jax.nn.identity, jax.nn.soft_sign), _LECUN),
}


def get_activation(name: str) -> Activation:
    """The function of ``jax.nn`` of that name; an unknown name suggests the nearest."""
    return ACTIVATIONS[checks.known_name("activation", name, ACTIVATIONS)]


def default_initializer(activation: Activation) -> Initializer:
    """The initial distribution that keeps the signal's variance through ``activation``.

    Glorot and Bengio (2010) for sigmoid and tanh, LeCun et al. (1998) for selu and the identity, and
    He et al. (2015) for relu and its kin, which is also the choice for a callable of one's own.
    """
    return _INITIALIZERS.get(activation, _HE)


def init(
    key: Key[Array, ""],
    layer_sizes: Sequence[int],
    *,
    activation: Activation = jax.nn.relu,
    initializer: Initializer | None = None,
    scale: Scalar | float | None = None,
) -> Params:
    """Parameters of a network with ``layer_sizes`` = (inputs, hidden…, outputs).

    ``initializer`` draws the hidden layers' weights, by default fitting ``activation``; the output layer,
    which has no activation, is drawn from LeCun's. ``scale`` multiplies all weights. Biases start at 0.

    Raises InputError when a size is not a whole number above 0, fewer than two are given, or far too many.
    """
    sizes = check_sizes("layer_sizes", layer_sizes)
    if len(sizes) < 2:
        raise InputError(f"layer_sizes: must name at least inputs and outputs, got {tuple(layer_sizes)}")
    hidden = initializer or default_initializer(activation)
    initializers = [hidden] * (len(sizes) - 2) + [_LECUN]
    layers = zip(jax.random.split(key, len(initializers)), pairwise(sizes), initializers, strict=True)
    return tuple(_init_layer(layer_key, shape, draw, scale) for layer_key, shape, draw in layers)


def check_sizes(argument: str, sizes: Sequence[int]) -> list[int]:
    """``sizes`` of layers if they are whole numbers above 0, and not more than could be compiled."""
    if not isinstance(sizes, Sequence | np.ndarray):
        raise InputError(f"{argument}: must be a number for each layer, as (64,), got {sizes!r:.80}")
    if len(sizes) > MAX_LAYERS:
        raise InputError(f"{argument}: must be at most {MAX_LAYERS} layers, got {len(sizes)}")
    return [checks.integer(argument, size) for size in sizes]


def _init_layer(
    key: Key[Array, ""], shape: tuple[int, int], initializer: Initializer, scale: Scalar | float | None
) -> Layer:
    weight = initializer(key, shape)
    return Layer(weight if scale is None else scale * weight, jnp.zeros(shape[1], weight.dtype))


def apply(
    params: Params,
    x: Shaped[Array, "..."],
    *,
    activation: Activation = jax.nn.relu,
    dropout: Scalar | float | None = None,
    input_dropout: Scalar | float | None = None,
    key: Key[Array, ""] | None = None,
    product: Product = jnp.matmul,
) -> Float[Array, " outputs"]:
    """The logits of one example of any shape, which is flattened; ``product(x, weight)`` is that of a layer.

    ``dropout`` is the share of hidden units, and ``input_dropout`` that of inputs, that are set to 0; both
    need a ``key``. Without a key nothing is dropped: that is evaluation.
    """
    keys = [None] * len(params) if key is None else list(jax.random.split(key, len(params)))
    x = drop_units(keys[0], x.ravel().astype(params[0].weight.dtype), input_dropout)
    for layer, layer_key in zip(params[:-1], keys[1:], strict=True):
        x = drop_units(layer_key, activation(product(x, layer.weight) + layer.bias), dropout)
    return product(x, params[-1].weight) + params[-1].bias


def drop_units(
    key: Key[Array, ""] | None, x: Float[Array, " units"], rate: Scalar | float | None
) -> Float[Array, " units"]:
    """Inverted dropout: each unit is 0 with probability ``rate``, otherwise divided by 1 − rate.

    The rate is rounded to a multiple of 2⁻¹⁶ below 1, and the mean is kept (Srivastava et al. 2014).
    """
    if key is None or rate is None:
        return x
    # Two 16-bit draws from each 32-bit word: random bits cost more than a small network's products on CPU.
    words = jax.random.bits(key, ((x.size + 1) // 2,), jnp.uint32)
    draws = jax.lax.bitcast_convert_type(words, jnp.uint16).ravel()[: x.size]
    threshold = jnp.minimum(jnp.round(rate * 2**16), 2**16 - 1)
    keep = draws >= threshold.astype(jnp.uint16)
    return jnp.where(keep, x / (1 - threshold / 2**16).astype(x.dtype), jnp.zeros((), x.dtype))
