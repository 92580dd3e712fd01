"""What a model says of raw inputs: each network's outputs, probabilities, classes or values."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped
from scipy.special import log_softmax

from jaxmlp.data.arrays import as_floats, as_numbers
from jaxmlp.data.frames import is_table
from jaxmlp.models.calibration import apply_temperature, log_mean
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec
from jaxmlp.nn import mlp
from jaxmlp.nn.network import apply_layers
from jaxmlp.nn.preprocessing import scale_on_host
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.types import AnyArray, InputError, Layers

# Of networks and rows that are computed together: more would leave the caches. Weights are copied side by
# side for it, which is dearer than calls of their own where they are many.
_MAX_NETWORKS, _MAX_WEIGHTS, _MAX_ROWS = 16, 2**20, 500


def network_outputs(
    model: Model, inputs: Shaped[AnyArray, "examples ..."]
) -> Float[np.ndarray, "networks examples outputs"]:
    """What each network puts out for raw ``inputs``, [n, *input_shape]: logits, or values in the targets'
    unit, clipped to the model's ``target_range``. Raises InputError when the shape is another, a value is no
    number that could be computed with, a frame is given to the model of a table, whose columns only
    ``predict_table`` can tell apart, or the backend computes wrong.
    """
    scaled = scale_on_host(model.affine, _check_inputs(inputs, model.spec), model.quantiles)
    check_backend()
    outputs = _all_outputs(model, jnp.asarray(scaled))
    lost = ~np.isfinite(outputs).all(axis=(0, 2))
    if lost.any():
        raise InputError(
            f"inputs: {lost.sum()} of {len(lost)} examples, the first is {lost.argmax()}, lie so far from "
            "the training data that a network has no finite output for them; leave them out"
        )
    if model.targets is not None:
        shift, scale = (np.asarray(part, float) for part in model.targets)
        outputs = outputs * scale + shift
    ranges = model.spec.target_range
    return outputs if ranges is None else np.clip(outputs, *np.transpose(ranges))


def _all_outputs(model: Model, scaled: Array) -> Float[np.ndarray, "networks examples outputs"]:
    groups, parts = list(_groups(model)), []
    for places in groups:
        form = model.spec.networks[places[0]]
        numbers = form.embedding.numbers if form.embedding else ()
        networks = tuple(model.networks[place] for place in places)
        parts.append(_network_outputs(networks, scaled, form.activation, numbers))
    return np.concatenate(parts)[np.argsort(np.concatenate(groups))]


def _groups(model: Model) -> Iterator[list[int]]:
    """The places of all networks, those that one program computes together in one list."""
    alike: dict[tuple, list[int]] = {}
    for place, network in enumerate(model.spec.networks):
        alike.setdefault(network.layers, []).append(place)
    for places in alike.values():
        num_weights = sum(leaf.size for leaf in jax.tree.leaves(model.networks[places[0]]))
        step = min(_MAX_NETWORKS, max(1, _MAX_WEIGHTS // num_weights))
        yield from (places[first : first + step] for first in range(0, len(places), step))


@partial(jax.jit, static_argnames=("activation", "numbers"))
def _network_outputs(
    networks: tuple[Layers, ...], scaled: Array, activation: str, numbers: tuple[int, ...]
) -> Float[Array, "networks examples outputs"]:
    """Of networks of one shape, for batches of rows one after the other, so that memory does not grow."""
    one = partial(apply_layers, numbers=numbers, activation=mlp.get_activation(activation))
    every = jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    num_batches = math.ceil(len(scaled) / _MAX_ROWS)
    # What fills the last batch are rows that are there before.
    batches = jnp.resize(scaled, (num_batches, math.ceil(len(scaled) / num_batches), *scaled.shape[1:]))
    outputs = jax.lax.map(partial(every, stacked), batches)
    return jnp.concatenate(outputs, axis=1)[:, : len(scaled)]


def predict_log_proba(
    model: Model, inputs: Shaped[AnyArray, "examples ..."]
) -> Float[np.ndarray, "examples classes"]:
    """The natural logarithm of ``predict_proba``, finite also where a probability is too small for a number.

    Raises InputError as ``network_outputs`` does, and for a regression, which has no classes.
    """
    if model.spec.head == "regression":
        raise InputError("model: a regression has no classes; use predict for its values")
    logits = network_outputs(model, inputs).astype(float)
    if model.spec.head == "binary":
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    return apply_temperature(log_mean(log_softmax(logits, axis=-1), _counts(model)), model.spec.temperature)


def predict_proba(
    model: Model, inputs: Shaped[AnyArray, "examples ..."]
) -> Float[np.ndarray, "examples classes"]:
    """The probability of each class for raw ``inputs``, [n, *input_shape]; a binary model has two columns.

    Those of an ensemble are the average of its networks', at its temperature. Raises InputError as
    ``predict_log_proba`` does.
    """
    return np.exp(predict_log_proba(model, inputs))


def predict(model: Model, inputs: Shaped[AnyArray, "examples ..."]) -> Shaped[np.ndarray, "examples ..."]:
    """Class labels 0…k−1, or a regression's values, for raw ``inputs``, [n, *input_shape].

    Raises InputError as ``network_outputs`` does.
    """
    if model.spec.head != "regression":
        return np.argmax(predict_log_proba(model, inputs), axis=1).astype(np.int32)
    values = np.average(network_outputs(model, inputs), axis=0, weights=_counts(model))
    return values[:, 0] if values.shape[1] == 1 else values


def _counts(model: Model) -> list[int]:
    return [network.count for network in model.spec.networks]


def _check_inputs(inputs: Any, spec: ModelSpec) -> np.ndarray:
    if spec.columns is not None:
        check_is_no_table(inputs)
    input_shape = spec.input_shape
    if np.ndim(inputs) == 0 or np.shape(inputs)[1:] != input_shape:
        wanted = ", ".join(["n", *map(str, input_shape)])
        raise InputError(f"inputs: must have the shape ({wanted}) of n examples, got {np.shape(inputs)}")
    numbers = as_numbers("inputs", inputs)
    return numbers if numbers.dtype == np.uint8 else as_floats("inputs", numbers)


def check_is_no_table(inputs: Any) -> None:
    """InputError for a table, whose columns may come in any order, to a model that learnt from one."""
    if is_table(inputs):
        raise InputError(
            "inputs: a table has to be read as its columns were learnt; give it to predict_table, or to "
            "read_table as test="
        )
