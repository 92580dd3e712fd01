"""From splits to what a run takes, and from trained parameters to a model."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxmlp import checks
from jaxmlp.data.columns import CategoryColumn, Column, column_places
from jaxmlp.data.splits import Splits, fit_target_affine, layer_sizes, scale_part
from jaxmlp.models.model import Model
from jaxmlp.models.schema import LOSSES, ModelSpec, dense_network
from jaxmlp.nn import mlp
from jaxmlp.nn.augment import with_deformation
from jaxmlp.nn.embeddings import EmbeddingSpec, embed_numbers
from jaxmlp.nn.heads import HEADS
from jaxmlp.nn.matmul import PRODUCTS
from jaxmlp.nn.network import Network, NetworkSpec, make_network
from jaxmlp.nn.parametrization import PARAMETRIZATIONS
from jaxmlp.nn.preprocessing import (
    Affine,
    Quantiles,
    fit_affine,
    fit_quantiles,
    fit_uniform_affine,
    has_several,
)
from jaxmlp.runtime.devices import all_devices
from jaxmlp.runtime.host import package_version
from jaxmlp.types import InputError, Layer, Layers, PyTree

Loss = Callable[[Array, Array], Array]
"""(logits, target) -> loss of one example."""
NUMERIC_SCALINGS = ("standard", "quantile")


class Scaling(NamedTuple):
    """What brings inputs, and real targets, to the scale that networks learn at."""

    inputs: Affine
    targets: Affine | None = None
    quantiles: Quantiles | None = None
    """What inputs go through first."""


class TrainedNetwork(NamedTuple):
    """A network of a model."""

    spec: NetworkSpec
    params: PyTree
    count: int = 1  # type: ignore[assignment]  # hides the method of tuples, which nobody calls here
    """How often it counts in the average."""
    temperature: float = 1.0
    """By which its logits are divided."""
    constants: Float[np.ndarray, " inputs"] | None = None
    """The value of each input that was the same in all that it learnt from, so that nothing was learnt of
    another one; NaN for the other inputs."""


def fit_scaling(splits: Splits, numeric_scaling: str = "standard") -> Scaling:
    """The scaling learnt from the training part: "standard" is ``fit_affine``, "quantile" brings the numbers
    of a table to a uniform distribution and two values to ±1, but for 0 and 1 of several categories and gaps.

    Raises InputError for another name, and for the quantiles of images.
    """
    checks.known_name("numeric_scaling", numeric_scaling, NUMERIC_SCALINGS)
    inputs, targets = splits.train.inputs, fit_target_affine(splits)
    if numeric_scaling == "standard":
        return Scaling(fit_affine(inputs), targets)
    if inputs.ndim > 2:
        raise InputError("numeric_scaling: quantiles are for the columns of a table, not for images")
    quantiles = fit_quantiles(inputs)
    indicators = np.zeros(inputs.shape[1], bool) if splits.columns is None else _indicators(splits.columns)
    return Scaling(fit_uniform_affine(inputs, quantiles, indicators), targets, quantiles)


def _indicators(columns: Sequence[Column]) -> Bool[np.ndarray, " inputs"]:
    """Which inputs tell one of several categories, or a gap, which comes second."""
    found: list[bool] = []
    for column, places in column_places(columns):
        if isinstance(column, CategoryColumn):
            found += [len(places) > 2] * len(places)
        else:
            found += [column.gaps and place == places.start + 1 for place in places]
    return np.array(found)


def prepare_training(
    splits: Splits, precision: str = "float32", scaling: Scaling | None = None, loss: Loss | None = None
) -> tuple[Callable[[NetworkSpec], Network], Splits]:
    """The network of each specification, and the data that these networks learn and choose by as they take
    them, on ``scaling`` or that of the training part.

    Images of bytes are scaled inside the program and rest as bytes. Tables, also of bytes, and real targets
    are scaled here: their numbers would be part of the program, which another split could then not use again.
    """
    all_devices()
    checks.known_name("precision", precision, PRODUCTS)
    affine, targets, quantiles = scaling or fit_scaling(splits)
    pixels = splits.train.inputs.dtype == np.uint8 and splits.train.inputs.ndim > 2
    inside = (float(affine.shift), float(affine.scale)) if pixels else None
    network_of = partial(_make_network, layer_sizes(splits, ()), splits.task, inside, precision, loss)
    inputs = None if pixels else affine
    train, validation = (scale_part(part, inputs, targets, quantiles) for part in splits[:2])
    return network_of, splits._replace(train=train, validation=validation)


@lru_cache(maxsize=64)
def _make_network(
    ends: tuple[int, int],
    task: str,
    affine: tuple[float, float] | None,
    precision: str,
    loss: Loss | None,
    spec: NetworkSpec,
) -> Network:
    """The same functions for the same arguments, so that what was compiled for them is found again."""
    num_inputs, num_outputs = ends
    network = make_network(
        (num_inputs, *spec.hidden_sizes, num_outputs),
        HEADS[task],
        # Of NumPy, so that they take the precision of a run, and not of the first one that asked.
        Affine(*map(np.asarray, affine or (0.0, 1.0))),
        activation=mlp.get_activation(spec.activation),
        embedding=spec.embedding,
        parametrization=spec.parametrization,
        precision=precision,
        loss=loss,
    )
    return with_deformation(network)


def embed_inputs(splits: Splits) -> EmbeddingSpec:
    """The embedding of the inputs that are numbers, of which more than two occur in training: any input of
    arrays, and of a table the numbers and dates themselves. InputError where there are none, and for images.
    """
    inputs = splits.train.inputs
    if inputs.ndim > 2:
        raise InputError("embedding: is for the columns of a table, not for images; leave it out")
    candidates: Iterable[int] = range(inputs.shape[1])
    if splits.columns is not None:
        # What stands first of each column; beside it categories, cycles, and what tells of gaps.
        candidates = (places.start for _, places in column_places(splits.columns))
    numbers = tuple(place for place in candidates if has_several(inputs[:, place]))
    if not numbers:
        raise InputError("embedding: no input is a number of more than two values; leave it out")
    return embed_numbers(numbers)


def build_model(
    splits: Splits,
    scaling: Scaling,
    networks: Sequence[TrainedNetwork],
    loss: Loss | None = None,
    clip: bool = False,
) -> Model:
    """The model of networks, trained on ``splits`` as ``prepare_training`` scales them, perhaps with a loss
    of one's own. With ``clip``, each network of a regression predicts within the range of the training
    targets; InputError for classes, which have none.
    """
    # Enough of them to know: they may rest in a file larger than memory.
    images = np.asarray(splits.train.inputs[:10_000]) if splits.train.inputs.ndim > 2 else None
    description = ModelSpec(
        networks=tuple(
            dense_network(layer_sizes(splits, spec.hidden_sizes), spec.activation, count, spec.embedding)
            for spec, _, count, *_ in networks
        ),
        head=splits.task,
        input_shape=splits.train.inputs.shape[1:],
        class_names=splits.class_names,
        dataset=splits.name,
        metrics={},
        versions={name: package_version(name) for name in ("jaxmlp", "jax", "numpy")},
        drawing_extent=None if images is None else _drawing_extent(images),
        loss=LOSSES[splits.task] if loss is None else f"own: {getattr(loss, '__name__', loss)}",
        columns=splits.columns,
        target=splits.target,
        target_kind=splits.target_kind,
        target_range=_target_range(splits) if clip else None,
    )
    layers = tuple(map(_to_layers, networks))
    return Model(layers, scaling.inputs, description, scaling.targets, scaling.quantiles)


def _to_layers(network: TrainedNetwork) -> Layers:
    """What the parameters stand for, with the temperature as a part of the last layer, and weights of 0 for
    inputs that never changed, whose part is that of a bias.
    """
    *others, last = PARAMETRIZATIONS[network.spec.parametrization].to_layers(network.params)
    layers = [*others, jax.tree.map(lambda leaf: leaf / network.temperature, last)]
    first = 1 if network.spec.embedding else 0
    dense = layers[first]
    if network.constants is not None and isinstance(dense, Layer):
        (places,) = np.nonzero(~np.isnan(network.constants))
        weight, constants = jnp.asarray(dense.weight), network.constants[places].astype(dense.weight.dtype)
        layers[first] = Layer(weight.at[places].set(0), dense.bias + constants @ weight[places])
    return tuple(layers)


def _target_range(splits: Splits) -> tuple[tuple[float, float], ...]:
    """The lowest and highest training target of each output."""
    if splits.task != "regression":
        raise InputError("clip: is for the values of a regression, not for classes; leave it out")
    targets = splits.train.targets.reshape(len(splits.train.targets), -1)
    return tuple((float(np.min(values)), float(np.max(values))) for values in targets.T)


def _drawing_extent(images: np.ndarray) -> float | None:
    # Here, since a table needs nothing that reads pictures.
    from jaxmlp.data.drawings import drawing_extent

    return drawing_extent(images) or None
