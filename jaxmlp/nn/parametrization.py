"""What is trained, and the layers that it stands for: the weights themselves, or such as are divided by what
grows with a layer's width, so that the learning rate depends less on it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmlp.types import Layer, Layers, PyTree


class NTKParams(NamedTuple):
    """A network in the neural tangent parametrisation (Jacot et al. 2018), with a factor on each input of its
    first dense layer: the standardised inputs that matter less can leave quickly.
    """

    input_scale: Float[Array, " inputs"]
    layers: Layers
    """Their weights are those of the network times the root of their number of inputs."""


class Parametrization(NamedTuple):
    """How a network is trained."""

    from_layers: Callable[[Layers], PyTree]
    """What training begins with, of layers just drawn."""
    to_layers: Callable[[PyTree], Layers]
    """The layers that params stand for."""
    initializer: Callable[..., Array] | None = None
    """Of hidden weights; None: the one that fits the activation."""


def _init_ntk(layers: Layers) -> NTKParams:
    """The last layer starts at 0, so that the first steps are those of the targets' mean."""
    *others, last = layers
    first = next(layer for layer in layers if isinstance(layer, Layer))
    zeros = jax.tree.map(jnp.zeros_like, last)
    return NTKParams(jnp.ones(len(first.weight), first.weight.dtype), (*others, zeros))


def _fold_ntk(params: NTKParams) -> Layers:
    """Divisors and input scales become part of the weights."""
    scale, folded = params.input_scale[:, None], []
    for layer in params.layers:
        if isinstance(layer, Layer):
            layer = layer._replace(weight=scale * layer.weight / jnp.sqrt(len(layer.weight)))
            scale = jnp.ones((1, 1), layer.weight.dtype)
        folded.append(layer)
    return tuple(folded)


PARAMETRIZATIONS = {
    "standard": Parametrization(lambda layers: layers, lambda layers: layers),
    "ntk": Parametrization(_init_ntk, _fold_ntk, jax.nn.initializers.normal(1.0)),
}
