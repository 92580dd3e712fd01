"""Predictions of a saved model with NumPy alone, for places that have no JAX; copy this file there.

    from jaxmlp.models import numpy_predictor as predictor
    model = predictor.load("model.safetensors")
    predictor.predict_proba(model, images)

The same functions as in ``models``, with the same answers to rounding. Inputs are arrays; what turns the rows
of a table into one is in ``tables``.
"""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}
_FORMATS = (3, 4, 5)
_LARGEST = 1e37
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x + 3, 0, 6) / 6


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


# As jax.nn defines them; gelu by its tanh approximation, which is the default there.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "celu": _elu,
    "elu": _elu,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x >= 0, x, 0.01 * x),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: _SCALE * np.where(x > 0, x, _ALPHA * np.expm1(np.minimum(x, 0))),
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "soft_sign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "tanh": np.tanh,
}


class NumpyModel(NamedTuple):
    """What a file holds: its tensors by name, and its description as JSON has it."""

    tensors: dict[str, np.ndarray]
    description: dict[str, Any]


def load(path: str | Path) -> NumpyModel:
    """The model that ``model.save`` wrote to ``path``.

    Raises ValueError when the file is none. It trusts more than ``model.load``, which checks every field.
    """
    content = Path(path).read_bytes()
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size])
        texts = header.pop("__metadata__")
        _check_sum(content, texts["sha256"])
        description = json.loads(texts["jaxmlp"])
        tensors = {name: _tensor(content[8 + size :], **entry) for name, entry in header.items()}
        number = description["format"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: is no model of jaxmlp, or a damaged one ({error})") from None
    if number not in _FORMATS:
        raise ValueError(f"{path}: has format {number!r:.80}, and this file reads 3 to 5; copy another")
    return NumpyModel(tensors, description)


def _check_sum(content: bytes, found: str) -> None:
    """ValueError unless ``found`` is the SHA-256 of the file, in which it counts as zeros."""
    place = '"sha256":"{}"'.format
    bare = content.replace(place(found).encode(), place("0" * 64).encode(), 1)
    if hashlib.sha256(bare).hexdigest() != found:
        raise ValueError("its checksum does not fit its content")


def _tensor(content: bytes, *, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    first, last = data_offsets
    return np.frombuffer(content[first:last], _DTYPES[dtype]).reshape(shape)


def network_outputs(model: NumpyModel, inputs: np.ndarray) -> np.ndarray:
    """What each network puts out for raw ``inputs`` [n, *input_shape], as [networks, n, outputs]: logits, or
    values in the targets' unit, clipped to the model's range. Raises ValueError for another shape and for
    values that are not finite.
    """
    shape, inputs = tuple(model.description["input_shape"]), np.asarray(inputs)
    if inputs.shape[1:] != shape or not np.all(np.abs(inputs) <= _LARGEST):
        raise ValueError(
            f"inputs: must be finite numbers of shape (n, *{shape}) and at most {_LARGEST:.0e}, "
            f"got {inputs.shape}"
        )
    tensors = model.tensors
    # In double precision, since of large numbers with small differences float32 would keep none.
    x = inputs.astype(float)
    if "preprocess.knots" in tensors:
        for place, knots in zip(tensors["preprocess.numbers"], tensors["preprocess.knots"], strict=True):
            x[:, place] = _share_below(knots, x[:, place])
    x = (x - tensors["preprocess.shift"]) / tensors["preprocess.scale"]
    dtype = next(tensor.dtype for name, tensor in tensors.items() if name.startswith("networks."))
    x = x.astype(dtype).reshape(len(inputs), -1)
    networks = enumerate(model.description["networks"])
    values = np.stack([_network(tensors, number, network, x) for number, network in networks])
    if not np.isfinite(values).all():
        raise ValueError("inputs: some lie so far from the training data that there is no finite output")
    if "targets.shift" in tensors:
        values = values * tensors["targets.scale"].astype(float) + tensors["targets.shift"]
    # Formats before the fifth have none.
    ranges = model.description.get("target_range")
    return values if ranges is None else np.clip(values, *np.transpose(ranges))


def _share_below(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The share of training examples below each, and half of those that equal it, from 0 to 1."""
    # Where the training inputs were of single precision, only such equal them. The factor, which changes no
    # bit, lets no slope between subnormal numbers overflow.
    knots, x = (2.0**64 * values.astype(float) for values in (knots, x.astype(knots.dtype)))
    ranks = np.arange(len(knots))
    # Of equal knots, the one finds the last and the other the first.
    last, first = np.interp(x, knots, ranks), -np.interp(-x, -knots[::-1], -ranks[::-1])
    return (first + last) / (2 * ranks[-1])


def _network(
    tensors: dict[str, np.ndarray], number: int, network: dict[str, Any], x: np.ndarray
) -> np.ndarray:
    for index, layer in enumerate(_layers(network)):
        name = f"networks.{number}.layers.{index}"
        own = {field.rpartition(".")[2]: t for field, t in tensors.items() if field.startswith(f"{name}.")}
        x = _embedding(x, layer["numbers"], **own) if layer["kind"] == "periodic" else _dense(x, layer, **own)
    return x


def _dense(x: np.ndarray, layer: dict[str, Any], weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return ACTIVATIONS[layer["activation"]](x @ weight + bias)


def _embedding(
    x: np.ndarray, numbers: list[int], frequencies: np.ndarray, phases: np.ndarray, mixing: np.ndarray
) -> np.ndarray:
    """The inputs, then for each number its waves @ mixing."""
    # Whole turns are left out before single precision would lose what is beyond them.
    turns = x[:, numbers, None] * frequencies + phases / (2 * math.pi)
    waves = np.cos(2 * math.pi * (turns - np.round(turns))).astype(x.dtype)
    return np.concatenate([x, np.einsum("enf,nfo->eno", waves, mixing).reshape(len(x), -1)], axis=1)


def _layers(network: dict[str, Any]) -> list[dict[str, Any]]:
    """The third format has dense ones alone, and an activation for all but the last."""
    if "layers" in network:
        return network["layers"]
    names = [network["activation"]] * (len(network["layer_sizes"]) - 2) + ["identity"]
    return [{"kind": "dense", "activation": name} for name in names]


def predict_proba(model: NumpyModel, inputs: np.ndarray) -> np.ndarray:
    """The probability of each class [n, classes]: the networks' average by votes, at the model's temperature.

    Raises ValueError as ``network_outputs`` does, and for a regression, which has no classes.
    """
    if model.description["head"] == "regression":
        raise ValueError("model: a regression has no classes; use predict for its values")
    logits = network_outputs(model, inputs).astype(float)
    if model.description["head"] == "binary":
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    average = np.logaddexp.reduce(_log_softmax(logits) + np.log(_shares(model))[:, None, None])
    return np.exp(_log_softmax(average / model.description["temperature"]))


def predict(model: NumpyModel, inputs: np.ndarray) -> np.ndarray:
    """Class labels 0…k−1, or a regression's values, for raw ``inputs``.

    Raises ValueError as ``network_outputs`` does.
    """
    if model.description["head"] != "regression":
        return predict_proba(model, inputs).argmax(axis=1).astype(np.int32)
    values = np.average(network_outputs(model, inputs), axis=0, weights=_shares(model))
    return values[:, 0] if values.shape[1] == 1 else values


def _shares(model: NumpyModel) -> np.ndarray:
    """How much each network counts; their number of votes in the third format."""
    counts = [network.get("count", network.get("votes")) for network in model.description["networks"]]
    return np.array(counts, float) / sum(counts)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
