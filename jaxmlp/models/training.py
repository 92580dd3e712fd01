"""From splits to what a run takes, and from trained parameters to a model."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmlp import checks
from jaxmlp.data.splits import Splits, fit_target_affine, layer_sizes, scale_part
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec, SavedNetwork
from jaxmlp.nn import mlp
from jaxmlp.nn.heads import HEADS
from jaxmlp.nn.network import Network, NetworkSpec, make_network
from jaxmlp.nn.preprocessing import Affine, fit_affine
from jaxmlp.train import batching


def prepare_training(
    splits: Splits, precision: str = "float32"
) -> tuple[Callable[[NetworkSpec], Network], Splits]:
    """The network of each specification, and the data as these networks take them.

    Pixels are scaled inside the program and rest as bytes. Tables and real targets are scaled here: their
    numbers would be part of the program, which another split could then not use again.
    """
    affine, targets = fit_affine(splits.train.inputs), fit_target_affine(splits)
    pixels = splits.train.inputs.dtype == np.uint8
    inside = (float(affine.shift), float(affine.scale)) if pixels else None
    network_of = partial(_make_network, layer_sizes(splits, ()), splits.task, inside, precision)
    inputs = None if pixels else affine
    train, validation, test = (scale_part(part, inputs, targets) for part in splits[:3])
    return network_of, splits._replace(train=train, validation=validation, test=test)


def default_batch_size(splits: Splits) -> int:
    """128, or less for a small data set, so that an epoch has eight steps at least."""
    return int(min(128, max(8, 2 ** (len(splits.train.inputs) // 8).bit_length() // 2)))


def default_num_epochs(splits: Splits, batch_size: int) -> int:
    """20, or more for a small data set: as many as make some 3,000 steps, at most 300."""
    num_steps = batching.num_batches(len(splits.train.inputs), checks.integer("batch_size", batch_size))
    return min(300, max(20, 3000 // num_steps))


@lru_cache(maxsize=64)
def _make_network(
    ends: tuple[int, int],
    task: str,
    affine: tuple[float, float] | None,
    precision: str,
    spec: NetworkSpec,
) -> Network:
    """The same functions for the same arguments, so that what was compiled for them is found again."""
    num_inputs, num_outputs = ends
    return make_network(
        (num_inputs, *spec.hidden_sizes, num_outputs),
        HEADS[task],
        Affine(*map(jnp.asarray, affine or (0.0, 1.0))),
        activation=mlp.get_activation(spec.activation),
        precision=precision,
    )


def build_model(
    splits: Splits, affine: Affine, targets: Affine | None, networks: Sequence[tuple[NetworkSpec, int, Any]]
) -> Model:
    """The model of networks with their counts and parameters, trained on ``splits`` as ``prepare_training``
    scales them.
    """
    description = ModelSpec(
        networks=tuple(
            SavedNetwork(layer_sizes(splits, spec.hidden_sizes), spec.activation, count)
            for spec, count, _ in networks
        ),
        head=splits.task,
        input_shape=splits.train.inputs.shape[1:],
        class_names=splits.class_names,
        dataset=splits.name,
        metrics={},
        versions={},
    )
    return Model(tuple(params for *_, params in networks), affine, description, targets)
