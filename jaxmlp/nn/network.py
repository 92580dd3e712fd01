"""A network of any kind as the functions that a training run takes, and the perceptron as one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.nn.heads import Head, regression
from jaxmlp.nn.matmul import PRODUCTS
from jaxmlp.nn.mlp import Activation, Initializer, apply, init
from jaxmlp.nn.preprocessing import Affine, apply_affine
from jaxmlp.types import Hyperparams, InputError, Params, PyTree


class NetworkSpec(NamedTuple):
    """What shapes a perceptron beside its data."""

    hidden_sizes: tuple[int, ...]
    activation: str
    """A name in ``mlp.ACTIVATIONS``."""


class Network(NamedTuple):
    """A network of any kind as the functions that ``make_train`` and ``make_evaluate`` take."""

    init_fn: Callable[[Key[Array, ""], Any], tuple[PyTree, PyTree]]
    loss_fn: Callable[..., tuple[Array, PyTree]]
    predict_fn: Callable[[PyTree, PyTree, Array], Array]


def make_network(
    layer_sizes: Sequence[int],
    make_head: Callable[..., Head],
    affine: Affine,
    *,
    activation: Activation = jax.nn.relu,
    initializer: Initializer | None = None,
    precision: str = "float32",
) -> Network:
    """The network of raw inputs: ``affine`` first, then the layers, then one of ``heads.HEADS``.

    Dropout, label smoothing and initial scale are those of the Hyperparams at hand. ``precision``, one of
    ``matmul.PRODUCTS``, is that of the matrix products in training; ``predict_fn`` has full precision.
    """
    product = PRODUCTS[checks.known_name("precision", precision, PRODUCTS)]

    def init_fn(key: Key[Array, ""], hyperparams: Hyperparams) -> tuple[Params, tuple[()]]:
        scale = hyperparams.initial_scale
        return init(key, layer_sizes, activation=activation, initializer=initializer, scale=scale), ()

    def loss_fn(
        params: Params,
        model_state: Any,
        example: tuple[Array, Array],
        key: Key[Array, ""] | None,
        hyperparams: Hyperparams,
    ) -> tuple[Array, Any]:
        x, target = example
        logits = apply(
            params,
            apply_affine(affine, x),
            activation=activation,
            dropout=hyperparams.dropout,
            input_dropout=hyperparams.input_dropout,
            key=key,
            product=product,
        )
        smoothing = hyperparams.label_smoothing
        if smoothing is not None and make_head is regression:
            raise InputError("label_smoothing: needs classes, but the head is a regression; leave it out")
        head = make_head() if smoothing is None else make_head(label_smoothing=smoothing)
        return head.loss(logits, target), model_state

    def predict_fn(params: Params, model_state: Any, x: Array) -> Array:
        return apply(params, apply_affine(affine, x), activation=activation)

    return Network(init_fn, loss_fn, predict_fn)
