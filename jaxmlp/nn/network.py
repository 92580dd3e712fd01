"""A network of any kind as the functions that a training run takes, and the perceptron as one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Key

from jaxmlp import checks
from jaxmlp.nn.embeddings import EmbeddingSpec, apply_embedding, init_embedding
from jaxmlp.nn.heads import HEADS, Head, regression
from jaxmlp.nn.matmul import PRODUCTS
from jaxmlp.nn.mlp import Activation, Initializer, apply, init
from jaxmlp.nn.parametrization import PARAMETRIZATIONS
from jaxmlp.nn.preprocessing import Affine, apply_affine
from jaxmlp.types import Embedding, Hyperparams, InputError, Layer, Layers, PyTree


class NetworkSpec(NamedTuple):
    """What shapes a perceptron beside its data."""

    hidden_sizes: tuple[int, ...]
    activation: str
    """A name in ``mlp.ACTIVATIONS``."""
    embedding: EmbeddingSpec | None = None
    parametrization: str = "standard"
    """A name in ``parametrization.PARAMETRIZATIONS``."""


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
    embedding: EmbeddingSpec | None = None,
    parametrization: str = "standard",
    precision: str = "float32",
    loss: Callable[[Array, Array], Array] | None = None,
) -> Network:
    """The network of raw inputs: ``affine`` first, then the ``embedding`` of those that are numbers, then the
    layers, then ``head``, one of ``heads.HEADS`` or its name.

    Dropout, label smoothing and initial scales are those of the Hyperparams at hand; what an embedding adds
    to the inputs is dropped as they are. ``parametrization``, one of ``PARAMETRIZATIONS``, says what is
    trained. ``precision``, one of ``matmul.PRODUCTS``, is that of the matrix products in training;
    ``predict_fn`` has full precision. ``loss(logits, target)`` of one example takes the place of the head's.
    """
    product = PRODUCTS[checks.known_name("precision", precision, PRODUCTS)]
    make_head = HEADS[checks.known_name("head", head, HEADS)] if isinstance(head, str) else head
    form = PARAMETRIZATIONS[checks.known_name("parametrization", parametrization, PARAMETRIZATIONS)]
    spread = {"activation": activation, "initializer": initializer or form.initializer}
    numbers = embedding.numbers if embedding else ()

    def init_fn(key: Key[Array, ""], hyperparams: Any) -> tuple[PyTree, tuple[()]]:
        hyperparams = checks.as_hyperparams(hyperparams)
        if hyperparams.frequency_scale is not None and embedding is None:
            raise InputError("frequency_scale: is that of an embedding, and there is none; leave it out")
        return form.from_layers(init_layers(key, layer_sizes, embedding, hyperparams, **spread)), ()

    def loss_fn(
        params: PyTree,
        model_state: Any,
        example: tuple[Array, Array],
        key: Key[Array, ""] | None,
        hyperparams: Any,
    ) -> tuple[Array, Any]:
        hyperparams, (x, target) = checks.as_hyperparams(hyperparams), example
        if hyperparams.max_norm is not None and (embedding or parametrization != "standard"):
            raise InputError("max_norm: is for plain weights; leave it out, or embedding and parametrization")
        dropout = {"dropout": hyperparams.dropout, "input_dropout": hyperparams.input_dropout, "key": key}
        options = {"activation": activation, "product": product, **dropout}
        logits = apply_layers(form.to_layers(params), apply_affine(affine, x), numbers, **options)
        return _loss_of(make_head, loss, hyperparams.label_smoothing)(logits, target), model_state

    def predict_fn(params: PyTree, model_state: Any, x: Array) -> Array:
        return apply_layers(form.to_layers(params), apply_affine(affine, x), numbers, activation=activation)

    name = next((name for name, known in HEADS.items() if known is make_head), None)
    return Network(init_fn, loss_fn, predict_fn, name)


def init_layers(
    key: Key[Array, ""],
    layer_sizes: Sequence[int],
    embedding: EmbeddingSpec | None,
    hyperparams: Hyperparams,
    **options: Any,
) -> Layers:
    """The layers of a perceptron, as ``mlp.init`` draws them with ``options``, with their ``embedding``."""
    options["scale"] = hyperparams.initial_scale
    if embedding is None:
        return init(key, layer_sizes, **options)
    embedding_key, key = jax.random.split(key)
    first = init_embedding(embedding_key, embedding, hyperparams.frequency_scale)
    num_inputs, *sizes = layer_sizes
    return first, *init(key, (embedding.num_outputs(num_inputs), *sizes), **options)


def apply_layers(
    layers: Layers, x: Array, numbers: tuple[int, ...], **options: Any
) -> Float[Array, " outputs"]:
    """The logits of one example, as ``mlp.apply`` gives them with ``options``; the first of the layers may be
    the embedding of the inputs that are ``numbers``.
    """
    first = layers[0]
    if isinstance(first, Embedding):
        x = apply_embedding(first, x, numbers)
    return apply(tuple(layer for layer in layers if isinstance(layer, Layer)), x, **options)


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
