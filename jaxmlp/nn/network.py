"""A network of any kind as the functions that a training run takes, and the perceptron as one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.nn.heads import HEADS, Head, regression
from jaxmlp.nn.matmul import PRODUCTS
from jaxmlp.nn.mlp import Activation, Initializer, apply, init
from jaxmlp.nn.preprocessing import Affine, apply_affine
from jaxmlp.types import InputError, Params, PyTree


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
    head: str | None = None
    """A name in ``heads.HEADS``, if it is one of these, which have metrics of their own."""


def make_network(
    layer_sizes: Sequence[int],
    head: str | Callable[..., Head],
    affine: Affine,
    *,
    activation: Activation = jax.nn.relu,
    initializer: Initializer | None = None,
    precision: str = "float32",
    loss: Callable[[Array, Array], Array] | None = None,
) -> Network:
    """The network of raw inputs: ``affine`` first, then the layers, then ``head``, one of ``heads.HEADS`` or
    its name.

    Dropout, label smoothing and initial scale are those of the Hyperparams at hand. ``precision``, one of
    ``matmul.PRODUCTS``, is that of the matrix products in training; ``predict_fn`` has full precision.
    ``loss(logits, target)`` of one example takes the place of the head's.
    """
    product = PRODUCTS[checks.known_name("precision", precision, PRODUCTS)]
    make_head = HEADS[checks.known_name("head", head, HEADS)] if isinstance(head, str) else head

    def init_fn(key: Key[Array, ""], hyperparams: Any) -> tuple[Params, tuple[()]]:
        scale = checks.as_hyperparams(hyperparams).initial_scale
        return init(key, layer_sizes, activation=activation, initializer=initializer, scale=scale), ()

    def loss_fn(
        params: Params,
        model_state: Any,
        example: tuple[Array, Array],
        key: Key[Array, ""] | None,
        hyperparams: Any,
    ) -> tuple[Array, Any]:
        hyperparams, (x, target) = checks.as_hyperparams(hyperparams), example
        logits = apply(
            params,
            apply_affine(affine, x),
            activation=activation,
            dropout=hyperparams.dropout,
            input_dropout=hyperparams.input_dropout,
            key=key,
            product=product,
        )
        return _loss_of(make_head, loss, hyperparams.label_smoothing)(logits, target), model_state

    def predict_fn(params: Params, model_state: Any, x: Array) -> Array:
        return apply(params, apply_affine(affine, x), activation=activation)

    name = next((name for name, known in HEADS.items() if known is make_head), None)
    return Network(init_fn, loss_fn, predict_fn, name)


def _loss_of(
    make_head: Callable[..., Head], loss: Callable[[Array, Array], Array] | None, smoothing: Any
) -> Callable[[Array, Array], Array]:
    """The head's loss, smoothed if so, or one's own."""
    if smoothing is None:
        return loss or make_head().loss
    if loss is not None or make_head is regression:
        whose = "the loss is your own" if loss else "the head is a regression"
        raise InputError(f"label_smoothing: needs classes and their cross-entropy, but {whose}; leave it out")
    return make_head(label_smoothing=smoothing).loss
