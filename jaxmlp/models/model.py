"""A trained network or ensemble on disk, and back: one safetensors file with weights and what they mean.

Reading runs nothing that the file brings (no pickle), and what does not fit together is refused in one line.
"""

from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import jax.numpy as jnp
import msgspec
import numpy as np

from jaxmlp import checks
from jaxmlp.models.schema import Dense, ModelSpec, Periodic, from_json, to_json
from jaxmlp.nn import mlp
from jaxmlp.nn.metrics import metric_unit
from jaxmlp.nn.preprocessing import Affine, Quantiles
from jaxmlp.printing import printable
from jaxmlp.runtime.files import pack, unpack, write_file
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.statistics import format_mean
from jaxmlp.types import AnyArray, Embedding, InputError, Layer, Layers

# Fields of a model, with the beginning of their tensors' names.
_SCALINGS: dict[str, tuple[str, type[Affine] | type[Quantiles]]] = {
    "affine": ("preprocess", Affine),
    "targets": ("targets", Affine),
    "quantiles": ("preprocess", Quantiles),
}
_QUANTILES = {"preprocess.numbers", "preprocess.knots"}
_KINDS: dict[type, type[Layer] | type[Embedding]] = {Dense: Layer, Periodic: Embedding}


@printable
class Model(NamedTuple):
    """One or more trained networks with all it takes to predict from raw values."""

    networks: tuple[Layers, ...]
    affine: Affine
    spec: ModelSpec
    targets: Affine | None = None
    """Of a regression whose targets were scaled: value = output × scale + shift."""
    quantiles: Quantiles | None = None
    """Of a table whose numbers were made uniform before ``affine``."""

    def summary(self) -> dict[str, Any]:
        """What it is and what it reached, in words."""
        about = self.spec
        shapes = [f"{'-'.join(map(str, one.layer_sizes))} {one.activation}" for one in about.networks]
        metrics = {name: value for name, value in about.metrics.items() if value is not None}
        shown = {
            "task": about.head,
            "networks": f"{len(shapes)}: {', '.join(dict.fromkeys(shapes))}",
            "inputs": "×".join(map(str, about.input_shape)),
            "classes": ", ".join(map(str, about.class_names)),
            "trained on": about.dataset,
            **{name.replace("_", " "): _format_metric(name, value) for name, value in metrics.items()},
        }
        return {name: shorten(value, 100) for name, value in shown.items() if value}


def _format_metric(name: str, value: float) -> str:
    return format_mean(value, None, "fraction") if metric_unit(name) == "fraction" else f"{value:.4g}"


def save(path: str | Path, model: Model) -> Path:
    """Writes ``model`` to ``path`` as one file; the folder is made. Returns the path.

    The file appears whole or not at all: it is written beside ``path`` and then renamed.

    Raises InputError when the model is one that ``load`` would refuse (an activation without a name, weights
    that are not finite, shapes that disagree) or when the file cannot be written.
    """
    return write_file(path, to_bytes(model))


def to_bytes(model: Model) -> bytes:
    """What ``save`` writes. Raises InputError for a model that ``load`` would refuse."""
    for network in model.spec.networks:
        for layer in network.dense:
            checks.known_name("activation", str(layer.activation), mlp.ACTIVATIONS)
    content = pack(_to_tensors(model), {"jaxmlp": to_json(model.spec)})
    # Reading back before writing: one set of rules serves both directions.
    try:
        from_bytes(content)
    except InputError as error:
        raise InputError(f"model: cannot be saved: {error}") from None
    return content


def load(path: str | Path) -> Model:
    """The model that ``save`` wrote to ``path``, or to model.safetensors in this folder; its predictions are
    the same, bit for bit.

    Raises InputError when the file is missing, is not a safetensors file, was not written by ``save`` or by
    a newer one, when names, shapes or dtypes of its tensors disagree with its description, or when a weight
    is not finite.
    """
    check_backend()
    path = Path(path) / "model.safetensors" if Path(path).is_dir() else Path(path)
    try:
        if not path.is_file():
            raise InputError("no such file; give the path of a saved model, or the folder of a run")
        return from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _to_tensors(model: Model) -> dict[str, AnyArray]:
    tensors = {
        f"networks.{number}.layers.{index}.{field}": value
        for number, params in enumerate(model.networks)
        for index, layer in enumerate(params)
        for field, value in layer._asdict().items()
    }
    for field, (name, _) in _SCALINGS.items():
        part = getattr(model, field)
        tensors |= {f"{name}.{key}": value for key, value in (part._asdict() if part else {}).items()}
    return tensors


def from_bytes(content: bytes) -> Model:
    """The model of ``to_bytes``. Raises InputError as ``load`` does."""
    tensors, texts = unpack(content)
    if "jaxmlp" not in texts:
        raise InputError("holds no description by jaxmlp; give a model that an experiment saved")
    spec = from_json(texts["jaxmlp"])
    _check_shapes(tensors, spec)
    _check_values(tensors)
    if "preprocess.knots" in tensors:
        _check_quantiles(tensors["preprocess.numbers"], tensors["preprocess.knots"], spec.input_shape)
    networks = tuple(
        tuple(_layer(tensors, f"networks.{n}.layers.{index}", one) for index, one in enumerate(saved.layers))
        for n, saved in enumerate(spec.networks)
    )
    # These stay on the host, where they are used in double precision.
    scalings: dict[str, Any] = {
        field: kind(*(tensors[f"{name}.{key}"] for key in kind._fields))
        for field, (name, kind) in _SCALINGS.items()
        if f"{name}.{kind._fields[0]}" in tensors
    }
    return Model(networks, spec=spec, **scalings)


def _layer(tensors: dict[str, np.ndarray], name: str, saved: Dense | Periodic) -> Layer | Embedding:
    return _KINDS[type(saved)](**{field: jnp.asarray(tensors[f"{name}.{field}"]) for field in saved.shapes()})


def _check_shapes(tensors: dict[str, np.ndarray], spec: ModelSpec) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for number, network in enumerate(spec.networks):
        for index, layer in enumerate(network.layers):
            own = layer.shapes().items()
            shapes |= {f"networks.{number}.layers.{index}.{field}": shape for field, shape in own}
    for name, shape in shapes.items():
        if name in tensors and tensors[name].shape != shape:
            raise InputError(f"its tensor {name} must have the shape {shape}, got {tensors[name].shape}")
    # The targets of a regression may have been scaled or not.
    scaled = spec.head == "regression" and "targets.shift" in tensors
    num_outputs = spec.networks[0].layer_sizes[-1]
    targets = {"preprocess": spec.input_shape} | ({"targets": (num_outputs,)} if scaled else {})
    affines = {f"{name}.{field}": shape for name, shape in targets.items() for field in Affine._fields}
    # Only a table's numbers may have them.
    quantiles = _QUANTILES if _QUANTILES & set(tensors) else set()
    differing = sorted({*shapes, *affines, *quantiles} ^ set(tensors))
    if differing:
        raise InputError(f"lacks or adds the tensor {differing[0]!r}, against its networks; save it again")
    for name, shape in affines.items():
        if not _broadcasts(tensors[name].shape, shape):
            raise InputError(f"its tensor {name} must fit the shape {shape}, got {tensors[name].shape}")


def _check_quantiles(numbers: np.ndarray, knots: np.ndarray, input_shape: tuple[int, ...]) -> None:
    num_inputs = input_shape[0] if len(input_shape) == 1 else 0
    whole = numbers.dtype == "int64" and numbers.ndim == 1 and len(numbers)
    if not whole or numbers[0] < 0 or numbers[-1] >= num_inputs or (np.diff(numbers) <= 0).any():
        rule = f"must ascend, below its {num_inputs} inputs"
        raise InputError(f"its tensor preprocess.numbers {rule}, got {numbers.tolist()}"[:200])
    if knots.ndim != 2 or len(knots) != len(numbers) or knots.shape[1] < 2 or knots.dtype.kind != "f":
        rule = f"must have a row of floats for each of {len(numbers)} numbers"
        raise InputError(f"its tensor preprocess.knots {rule}, got {knots.dtype} of shape {knots.shape}")
    if (np.diff(knots) < 0).any():
        raise InputError("its tensor preprocess.knots must ascend in each row; save the model again")


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(size in (1, wanted) for size, wanted in pairs)


def _check_values(tensors: dict[str, np.ndarray]) -> None:
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("networks.")}
    dtypes = sorted({str(tensor.dtype) for tensor in weights.values()})
    if dtypes not in (["float32"], ["float64"]):
        raise InputError(f"its weights must be all float32 or all float64, got {', '.join(dtypes)}")
    if dtypes == ["float64"] and jnp.zeros(()).dtype != "float64":
        # JAX would round the weights to float32 without a word.
        raise InputError("its weights are float64; set JAX_ENABLE_X64=1, or save them as float32")
    for name, tensor in tensors.items():
        # A column of infinite scale is left out.
        if not np.isfinite(tensor[tensor != np.inf] if name == "preprocess.scale" else tensor).all():
            raise InputError(f"its tensor {name} has values that are not finite; train it again")
    for name in ("preprocess.scale", "targets.scale"):
        if not np.all(tensors.get(name, 1)):
            raise InputError(f"its tensor {name} must not hold 0; save the model again")


def with_spec(model: Model, **changes: Any) -> Model:
    """The model with ``changes`` to its description."""
    return model._replace(spec=msgspec.structs.replace(model.spec, **changes))
