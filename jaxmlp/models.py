"""A trained network on disk, and back: one safetensors file with the weights and what they mean.

Reading runs nothing that the file brings (no pickle), and what does not fit together is refused in one line.
"""

import functools
import itertools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Array, Float, Shaped

from jaxmlp import checks, mlp
from jaxmlp.description import FORMAT as FORMAT
from jaxmlp.description import Description, from_json, strict_json, to_json
from jaxmlp.files import write_whole
from jaxmlp.losses import HEADS
from jaxmlp.preprocessing import Affine, apply_affine
from jaxmlp.types import InputError, Layer, Params

# Names of classes are the only part that grows; without a bound, eight bytes of a broken file could ask for
# any amount of memory.
_MAX_HEADER_BYTES = 2**24
_PREPROCESS = ("preprocess.shift", "preprocess.scale")


class Model(NamedTuple):
    """A trained network with all it takes to predict from raw values."""

    params: Params
    affine: Affine
    description: Description


def save(path: str | Path, model: Model) -> Path:
    """Writes ``model`` to ``path`` as one file; the folder is made. Returns the path.

    The file appears whole or not at all: it is written beside ``path`` and then renamed.

    Raises InputError when the model is one that ``load`` would refuse (an activation without a name, weights
    that are not finite, shapes that disagree) or when the file cannot be written.
    """
    path = Path(path)
    checks.known_name("activation", str(model.description.activation), mlp.ACTIVATIONS)
    metadata = {"jaxmlp": to_json(model.description)}
    content = safetensors.numpy.save(_to_tensors(model), metadata)
    # Reading back before writing: one set of rules serves both directions.
    try:
        _from_bytes(content)
    except InputError as error:
        raise InputError(f"model: cannot be saved: {error}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
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


def logits(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Float[np.ndarray, "examples outputs"]:
    """The network's outputs for raw ``inputs``, [n, *input_shape].

    Raises InputError when the shape is another or a value is not a finite number.
    """
    description = model.description
    checked = _check_inputs(inputs, description.input_shape)
    return np.asarray(
        _logits(model.params, model.affine, checked, mlp.activation_named(description.activation))
    )


def probabilities(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Float[np.ndarray, "examples classes"]:
    """The probability of each class for raw ``inputs``, [n, *input_shape]; a binary model has two columns.

    Raises InputError as ``logits`` does, and for a regression, which has no classes.
    """
    if model.description.head == "regression":
        raise InputError("model: a regression has no classes; use predict for its values")
    links = np.asarray(jax.vmap(HEADS[model.description.head]().link)(jnp.asarray(logits(model, inputs))))
    return np.stack([1 - links, links], axis=1) if links.ndim == 1 else links


def predict(
    model: Model, inputs: Shaped[Array | np.ndarray, "examples ..."]
) -> Shaped[np.ndarray, "examples ..."]:
    """Class labels 0…k−1, or a regression's values, for raw ``inputs``, [n, *input_shape].

    Raises InputError as ``logits`` does.
    """
    return np.asarray(jax.vmap(HEADS[model.description.head]().predict)(jnp.asarray(logits(model, inputs))))


@functools.partial(jax.jit, static_argnames="activation")
def _logits(params: Params, affine: Affine, inputs: Array, activation: mlp.Activation) -> Array:
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


def _to_tensors(model: Model) -> dict[str, np.ndarray]:
    layers = {
        f"layers.{index}.{field}": value
        for index, layer in enumerate(model.params)
        for field, value in layer._asdict().items()
    }
    preprocess = {f"preprocess.{field}": value for field, value in model.affine._asdict().items()}
    # safetensors copies memory as it lies, so that a transposed view would be stored transposed.
    return {name: np.array(value, order="C") for name, value in (layers | preprocess).items()}


def _from_bytes(content: bytes) -> Model:
    metadata = _header(content).get("__metadata__")
    if not isinstance(metadata, dict) or "jaxmlp" not in metadata:
        raise InputError("holds no description by jaxmlp; give a model that an experiment saved")
    description = from_json(metadata["jaxmlp"])
    tensors = _tensors(content)
    _check_shapes(tensors, description)
    _check_values(tensors)
    arrays = {name: jnp.asarray(tensor) for name, tensor in tensors.items()}
    params = tuple(
        Layer(arrays[f"layers.{index}.weight"], arrays[f"layers.{index}.bias"])
        for index in range(len(description.layer_sizes) - 1)
    )
    return Model(params, Affine(arrays["preprocess.shift"], arrays["preprocess.scale"]), description)


def _header(content: bytes) -> dict[str, Any]:
    """The file's table of tensors, read here because safetensors accepts a key that comes twice."""
    size = int.from_bytes(content[:8], "little")
    if size > min(len(content) - 8, _MAX_HEADER_BYTES):
        raise InputError("is not a safetensors file, or only a part of one")
    header = strict_json(content[8 : 8 + size], "header")
    if not isinstance(header, dict):
        raise InputError("is not a safetensors file: its header is no table of tensors")
    return header


def _tensors(content: bytes) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise InputError(f"is damaged or incomplete ({error}); save the model again") from None
    except KeyError as error:
        raise InputError(f"holds numbers of the unknown type {error}; save the model in float32") from None


def _check_shapes(tensors: dict[str, np.ndarray], description: Description) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (num_inputs, num_outputs) in enumerate(itertools.pairwise(description.layer_sizes)):
        shapes |= {
            f"layers.{index}.weight": (num_inputs, num_outputs),
            f"layers.{index}.bias": (num_outputs,),
        }
    differing = sorted({*shapes, *_PREPROCESS} ^ set(tensors))
    if differing:
        raise InputError(f"lacks or adds the tensor {differing[0]!r}, against its layer_sizes; save it again")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise InputError(f"its tensor {name} must have the shape {shape}, got {tensors[name].shape}")
    for name in _PREPROCESS:
        if not _broadcasts(tensors[name].shape, description.input_shape):
            raise InputError(
                f"its tensor {name} must fit the input_shape {description.input_shape}, "
                f"got {tensors[name].shape}"
            )


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
    if not np.all(tensors["preprocess.scale"]):
        raise InputError("its tensor preprocess.scale must not hold 0; save the model again")
