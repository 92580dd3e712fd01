"""A trained network or ensemble on disk, and back: one safetensors file with weights and what they mean.

Reading runs nothing that the file brings (no pickle), and what does not fit together is refused in one line.
"""

import functools
import itertools
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxmlp import checks
from jaxmlp.models.calibration import apply_temperature, weighted_mean
from jaxmlp.models.schema import FORMAT as FORMAT
from jaxmlp.models.schema import ModelSpec, from_json, to_json
from jaxmlp.nn import mlp
from jaxmlp.nn.heads import HEADS
from jaxmlp.nn.preprocessing import Affine, apply_affine
from jaxmlp.printing import printable
from jaxmlp.runtime.files import pack, unpack, write_atomic
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.types import AnyArray, InputError, Layer, Params

_AFFINES = ("preprocess", "targets")


@printable
class Model(NamedTuple):
    """One or more trained networks with all it takes to predict from raw values."""

    networks: tuple[Params, ...]
    affine: Affine
    description: ModelSpec
    targets: Affine | None = None
    """Of a regression whose targets were scaled: value = output × scale + shift."""

    def summary(self) -> dict[str, Any]:
        """What it is and what it reached, in words."""
        about = self.description
        shapes = [f"{'-'.join(map(str, one.layer_sizes))} {one.activation}" for one in about.networks]
        shown = {
            "task": about.head,
            "networks": f"{len(shapes)}: {', '.join(dict.fromkeys(shapes))}",
            "inputs": "×".join(map(str, about.input_shape)),
            "classes": ", ".join(map(str, about.class_names)),
            "trained on": about.dataset,
            **{name.replace("_", " "): f"{value:.4g}" for name, value in about.metrics.items()},
        }
        return {name: shorten(value, 100) for name, value in shown.items() if value}


def save(path: str | Path, model: Model) -> Path:
    """Writes ``model`` to ``path`` as one file; the folder is made. Returns the path.

    The file appears whole or not at all: it is written beside ``path`` and then renamed.

    Raises InputError when the model is one that ``load`` would refuse (an activation without a name, weights
    that are not finite, shapes that disagree) or when the file cannot be written.
    """
    path = Path(path)
    for form in model.description.networks:
        checks.known_name("activation", str(form.activation), mlp.ACTIVATIONS)
    content = pack(_to_tensors(model), {"jaxmlp": to_json(model.description)})
    # Reading back before writing: one set of rules serves both directions.
    try:
        _from_bytes(content)
    except InputError as error:
        raise InputError(f"model: cannot be saved: {error}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def load(path: str | Path) -> Model:
    """The model that ``save`` wrote to ``path``; its predictions are the same, bit for bit.

    Raises InputError when the file is missing, is not a safetensors file, was not written by ``save`` or by
    a newer one, when names, shapes or dtypes of its tensors disagree with its description, or when a weight
    is not finite.
    """
    try:
        if not Path(path).is_file():
            raise InputError("no such file; give the path of a model that an experiment saved")
        return _from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def network_outputs(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Float[np.ndarray, "networks examples outputs"]:
    """What each network puts out for raw ``inputs``, [n, *input_shape]: logits, or values in the targets'
    unit. Raises InputError when the shape is another, a value is not a finite number, or the backend computes
    wrong.
    """
    checked = _check_inputs(inputs, model.description.input_shape)
    check_backend()
    raw = [
        np.asarray(_network_outputs(params, model.affine, checked, mlp.get_activation(form.activation)))
        for params, form in zip(model.networks, model.description.networks, strict=True)
    ]
    if model.targets is None:
        return np.stack(raw)
    return np.stack(raw) * np.asarray(model.targets.scale) + np.asarray(model.targets.shift)


def predict_proba(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Float[np.ndarray, "examples classes"]:
    """The probability of each class for raw ``inputs``, [n, *input_shape]; a binary model has two columns.

    Those of an ensemble are the average of its networks', at its temperature. Raises InputError as
    ``network_outputs`` does, and for a regression, which has no classes.
    """
    head, temperature = model.description.head, model.description.temperature
    if head == "regression":
        raise InputError("model: a regression has no classes; use predict for its values")
    links = np.asarray(jax.vmap(jax.vmap(HEADS[head]().link))(jnp.asarray(network_outputs(model, inputs))))
    average = weighted_mean(
        np.stack([1 - links, links], axis=-1) if head == "binary" else links, _counts(model)
    )
    return average if temperature == 1 else apply_temperature(average, temperature).astype(average.dtype)


def predict(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Shaped[np.ndarray, "examples ..."]:
    """Class labels 0…k−1, or a regression's values, for raw ``inputs``, [n, *input_shape].

    Raises InputError as ``network_outputs`` does.
    """
    if model.description.head != "regression":
        return np.argmax(predict_proba(model, inputs), axis=1).astype(np.int32)
    values = weighted_mean(network_outputs(model, inputs), _counts(model))
    return values[:, 0] if values.shape[1] == 1 else values


def _counts(model: Model) -> list[int]:
    return [network.count for network in model.description.networks]


@functools.partial(jax.jit, static_argnames="activation")
def _network_outputs(params: Params, affine: Affine, inputs: Array, activation: mlp.Activation) -> Array:
    def one(x: Array) -> Array:
        return mlp.apply(params, apply_affine(affine, x), activation=activation)

    return jax.vmap(one)(inputs)


def _check_inputs(inputs: Array | np.ndarray, input_shape: tuple[int, ...]) -> Array:
    checked = np.asarray(inputs)
    if checked.ndim == 0 or checked.shape[1:] != input_shape:
        wanted = ", ".join(["n", *map(str, input_shape)])
        raise InputError(f"inputs: must have the shape ({wanted}) of n examples, got {checked.shape}")
    if checked.dtype.kind not in "buif" or not np.isfinite(checked).all():
        raise InputError(f"inputs: must be finite numbers, got some {checked.dtype} that are not")
    return jnp.asarray(checked)


def _to_tensors(model: Model) -> dict[str, AnyArray]:
    tensors = {
        f"networks.{number}.layers.{index}.{field}": value
        for number, params in enumerate(model.networks)
        for index, layer in enumerate(params)
        for field, value in layer._asdict().items()
    }
    for name, affine in zip(_AFFINES, (model.affine, model.targets), strict=True):
        tensors |= {f"{name}.{field}": value for field, value in (affine._asdict() if affine else {}).items()}
    return tensors


def _from_bytes(content: bytes) -> Model:
    tensors, texts = unpack(content)
    if "jaxmlp" not in texts:
        raise InputError("holds no description by jaxmlp; give a model that an experiment saved")
    description = from_json(texts["jaxmlp"])
    _check_shapes(tensors, description)
    _check_values(tensors)
    arrays = {name: jnp.asarray(tensor) for name, tensor in tensors.items()}
    networks = tuple(
        tuple(
            Layer(*(arrays[f"networks.{number}.layers.{index}.{field}"] for field in Layer._fields))
            for index in range(len(form.layer_sizes) - 1)
        )
        for number, form in enumerate(description.networks)
    )
    affine, targets = (
        Affine(arrays[f"{name}.shift"], arrays[f"{name}.scale"]) if f"{name}.shift" in arrays else None
        for name in _AFFINES
    )
    assert affine is not None
    return Model(networks, affine, description, targets)


def _check_shapes(tensors: dict[str, np.ndarray], description: ModelSpec) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for number, form in enumerate(description.networks):
        for index, (num_inputs, num_outputs) in enumerate(itertools.pairwise(form.layer_sizes)):
            layer = f"networks.{number}.layers.{index}"
            shapes |= {f"{layer}.weight": (num_inputs, num_outputs), f"{layer}.bias": (num_outputs,)}
    for name, shape in shapes.items():
        if name in tensors and tensors[name].shape != shape:
            raise InputError(f"its tensor {name} must have the shape {shape}, got {tensors[name].shape}")
    # The targets of a regression may have been scaled or not.
    scaled = description.head == "regression" and "targets.shift" in tensors
    targets = {"preprocess": description.input_shape} | ({"targets": (num_outputs,)} if scaled else {})
    affines = {f"{name}.{field}": shape for name, shape in targets.items() for field in Affine._fields}
    differing = sorted({*shapes, *affines} ^ set(tensors))
    if differing:
        raise InputError(f"lacks or adds the tensor {differing[0]!r}, against its networks; save it again")
    for name, shape in affines.items():
        if not _broadcasts(tensors[name].shape, shape):
            raise InputError(f"its tensor {name} must fit the shape {shape}, got {tensors[name].shape}")


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(size in (1, wanted) for size, wanted in pairs)


def _check_values(tensors: dict[str, np.ndarray]) -> None:
    dtypes = sorted({str(tensor.dtype) for tensor in tensors.values()})
    if dtypes not in (["float32"], ["float64"]):
        raise InputError(f"its tensors must be all float32 or all float64, got {', '.join(dtypes)}")
    if dtypes == ["float64"] and jnp.zeros(()).dtype != "float64":
        # JAX would round the weights to float32 without a word.
        raise InputError("its tensors are float64; set JAX_ENABLE_X64=1, or save them as float32")
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise InputError(f"its tensor {name} has values that are not finite; train it again")
    for name in ("preprocess.scale", "targets.scale"):
        if not np.all(tensors.get(name, 1)):
            raise InputError(f"its tensor {name} must not hold 0; save the model again")


def with_spec(model: Model, **changes: Any) -> Model:
    """The model with ``changes`` to its description."""
    return model._replace(description=msgspec.structs.replace(model.description, **changes))
