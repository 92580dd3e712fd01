"""A model as JSON for the scripts of a page: its description as it is, its weights in base64."""

from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.data.columns import used_columns
from jaxmlp.models.calibration import interval_margin
from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.models.schema import Dense, SavedNetwork
from jaxmlp.nn.preprocessing import Affine, Quantiles
from jaxmlp.page.binary import pack_array
from jaxmlp.types import AnyArray, Embedding, InputError, Layer, Layers

TOLERANCE = 5e-4
"""By how much rounded weights may change a probability, or of a regression the share of its predictions' own
deviation: half of what a page promises.
"""
_NUM_PROBES = 200
_PLAIN = "head", "dataset", "target", "temperature", "drawing_extent", "input_shape", "target_range"


def pack_model(model: Model) -> dict[str, Any]:
    """What ``nn.js`` reads: with weights in half precision if that changes no prediction by more than the
    TOLERANCE, otherwise in single precision.
    """
    spec = model.spec
    return {name: getattr(spec, name) for name in _PLAIN} | {
        "class_names": [str(name) for name in spec.class_names],
        "columns": None if spec.columns is None else msgspec.to_builtins(used_columns(spec.columns)),
        "margins": spec.noise_scale and interval_margin(np.array(spec.noise_scale)).tolist(),
        "preprocess": _pack_affine(model.affine, spec.input_shape)
        | {"quantiles": _pack_quantiles(model.quantiles)},
        "targets": None if model.targets is None else _pack_affine(model.targets, ()),
        "networks": pack_networks(model),
    }


def pack_networks(model: Model) -> list[dict[str, Any]]:
    """The weights alone, in that precision."""
    dtype, networks = _weight_dtype(model), zip(model.spec.networks, model.networks, strict=True)
    return [_pack_network(saved, layers, dtype) for saved, layers in networks]


def draw_inputs(model: Model, num_examples: int = _NUM_PROBES) -> Float[np.ndarray, "examples ..."]:
    """Raw inputs like those that the model learnt from, as far as it knows: images of noise of every
    contrast, columns of a table with their mean and deviation, or with their quantiles.
    """
    draws, shape = np.random.default_rng(0), (num_examples, *model.spec.input_shape)
    shift, scale = (np.asarray(part, float) for part in model.affine)
    scale = np.where(np.isfinite(scale), scale, 0)
    if len(shape) > 2:
        contrast = draws.uniform(size=(num_examples, *[1] * (len(shape) - 1)))
        return shift + scale * contrast * draws.uniform(size=shape)
    values = np.array(shift + scale * draws.normal(size=shape))
    if model.quantiles is not None:
        for place, knots in zip(*model.quantiles, strict=True):
            values[:, place] = draws.choice(knots, num_examples)
    return values


def _weight_dtype(model: Model) -> str:
    inputs = draw_inputs(model)
    halves = model._replace(networks=tuple(tuple(map(_round_layer, layers)) for layers in model.networks))
    finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(halves.networks))
    return "float16" if finite and _deviation(model, halves, inputs) <= TOLERANCE else "float32"


def _round_layer(layer: Layer | Embedding) -> Layer | Embedding:
    if isinstance(layer, Embedding):
        return layer
    with np.errstate(over="ignore"):
        halves = np.asarray(layer.weight).astype(np.float16)
    return layer._replace(weight=jnp.asarray(halves, layer.weight.dtype))


def _deviation(model: Model, other: Model, inputs: Shaped[np.ndarray, "examples ..."]) -> float:
    """How far their predictions differ at most."""
    try:
        if model.spec.head != "regression":
            return float(np.max(np.abs(predict_proba(model, inputs) - predict_proba(other, inputs))))
        values, others = predict(model, inputs), predict(other, inputs)
    except InputError:
        # Rows of noise may lie where nothing is finite.
        return np.inf
    spread = np.maximum(np.std(values, axis=0), np.finfo(float).tiny)
    return float(np.max(np.abs(values - others) / spread))


def _pack_affine(affine: Affine, shape: tuple[int, ...]) -> dict[str, Any]:
    """One number for all, or one for each; an infinite scale, which JSON lacks, is null."""

    def listed(part: AnyArray) -> list[float | None]:
        values = np.asarray(part, float)
        whole = values if values.size == 1 or not shape else np.broadcast_to(values, shape)
        return [value if np.isfinite(value) else None for value in whole.ravel().tolist()]

    return {"shift": listed(affine.shift), "scale": listed(affine.scale)}


def _pack_quantiles(quantiles: Quantiles | None) -> dict[str, Any]:
    numbers, knots = quantiles or ([], np.zeros(0))
    return {"numbers": np.asarray(numbers, int).tolist(), "knots": pack_array(knots, str(knots.dtype))}


def _pack_network(saved: SavedNetwork, layers: Layers, dtype: str) -> dict[str, Any]:
    return {
        "count": saved.count,
        "layers": [_pack_layer(one, layer, dtype) for one, layer in zip(saved.layers, layers, strict=True)],
    }


def _pack_layer(saved: Any, layer: Any, dtype: str) -> dict[str, Any]:
    # Of an embedding, frequencies and phases stay whole: a wave repeats what is rounded in them.
    small = dtype if isinstance(saved, Dense) else "float32"
    tensors = {
        name: pack_array(values, small if name == "weight" else "float32")
        for name, values in layer._asdict().items()
    }
    return msgspec.to_builtins(saved) | tensors
