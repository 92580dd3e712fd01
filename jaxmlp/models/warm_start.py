"""What a run begins with: the network, scaling and weights of a saved model, or new ones."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxmlp import checks
from jaxmlp.data.splits import Splits
from jaxmlp.models.model import Model
from jaxmlp.models.training import Loss, Scaling, embed_inputs, fit_scaling
from jaxmlp.nn.mlp import check_sizes, get_activation
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.nn.parametrization import PARAMETRIZATIONS
from jaxmlp.types import Hyperparams, InputError

_HIDDEN_SIZES, _ACTIVATION = (64,), "relu"
_EMBEDDING = "periodic"


def choose_spec(
    splits: Splits,
    start: Model | None,
    hidden_sizes: Sequence[int] | None,
    activation: str | None,
    embedding: str | None,
    parametrization: str,
) -> NetworkSpec:
    """The network asked for, or that of ``start``, which must fit the data and cannot be changed."""
    if embedding is not None:
        checks.known_name("embedding", embedding, (_EMBEDDING,))
    if start is None:
        sizes = check_sizes("hidden_sizes", _HIDDEN_SIZES if hidden_sizes is None else hidden_sizes)
        name = _ACTIVATION if activation is None else activation
        get_activation(name)
        checks.known_name("parametrization", parametrization, PARAMETRIZATIONS)
        return NetworkSpec(tuple(sizes), name, embed_inputs(splits) if embedding else None, parametrization)
    about, (network, *others) = start.spec, start.spec.networks
    if others:
        raise InputError(f"start: must be a single network, got an ensemble of {1 + len(others)}")
    theirs = about.head, about.input_shape, tuple(map(str, about.class_names)), about.columns
    ours = splits.task, splits.train.inputs.shape[1:], tuple(map(str, splits.class_names)), splits.columns
    if differing := [f"{a}, it had {b}" for a, b in zip(ours, theirs, strict=True) if a != b]:
        raise InputError(f"start: was trained on other data: these have {differing[0]}"[:500])
    spec = NetworkSpec(network.layer_sizes[1:-1], network.activation, network.embedding)
    own = *spec[:2], _EMBEDDING if network.embedding else None, "standard"
    asked = hidden_sizes, activation, embedding, parametrization
    for name, given, its in zip(spec._fields, asked, own, strict=True):
        if given is not None and (given if isinstance(given, str) else tuple(given)) != its:
            raise InputError(f"{name}: are those of start, {its}, got {given}; leave it out")
    return spec


def choose_scaling(
    splits: Splits, start: Model | None, loss: Loss | None, numeric_scaling: str | None
) -> Scaling:
    """That of ``start``, or learnt; a loss of one's own gets the targets as they are."""
    if start is None:
        learnt = fit_scaling(splits, "standard" if numeric_scaling is None else numeric_scaling)
        return learnt if loss is None else learnt._replace(targets=None)
    if loss is not None and start.targets is not None:
        raise InputError(
            "loss: your own gets the targets as they are, but start learnt them scaled; leave it or start out"
        )
    own = "standard" if start.quantiles is None else "quantile"
    if numeric_scaling not in (None, own):
        raise InputError(f"numeric_scaling: is that of start, {own}, got {numeric_scaling}; leave it out")
    return Scaling(start.affine, start.targets, start.quantiles)


def with_weights(network: Network, start: Model) -> Network:
    """The network that begins with the weights of ``start``."""

    def init_fn(key: Any, hyperparams: Hyperparams) -> tuple[Any, tuple[()]]:
        for name in ("initial_scale", "frequency_scale"):
            if getattr(hyperparams, name) is not None:
                raise InputError(f"{name}: the initial weights are those of start; leave it out")
        # Of a model that was saved in another precision, in that of this run.
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), start.networks[0]), ()

    return network._replace(init_fn=init_fn)
