"""Examples to click: images of the data set that a model learnt from, where it can be had offline."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Integer

from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict_proba
from jaxmlp.page.binary import pack_array
from jaxmlp.types import InputError

if TYPE_CHECKING:
    from jaxmlp.data.tfds_cache import RawData

_NUM_TYPICAL, _NUM_MISTAKES = 20, 12


def find_examples(model: Model) -> dict[str, Any] | None:
    """Some images of each class, and those that the model takes for another most surely; of the test part,
    where the set has one. None for tables, and where the set is not at hand or another than it learnt from.
    """
    spec = model.spec
    raw = _read(spec.dataset) if len(spec.input_shape) > 1 and spec.class_names else None
    if raw is None or raw.class_names != tuple(map(str, spec.class_names)):
        return None
    images, labels = raw.test or (raw.inputs, raw.targets)
    images, labels = np.asarray(images), np.asarray(labels)
    if images[0].size != np.prod(spec.input_shape):
        return None
    images = images.reshape(-1, *spec.input_shape)
    probabilities = predict_proba(model, images)
    chosen = {
        "typical": _typical(labels, len(spec.class_names)),
        "mistakes": _mistakes(probabilities, labels),
    }
    groups = {
        name: {"images": pack_array(images[rows], "float32"), "labels": labels[rows].tolist()}
        for name, rows in chosen.items()
    }
    return groups | {"unseen": raw.test is not None}


def _read(name: str) -> "RawData | None":
    from jaxmlp.data.sources import read_offline

    try:
        return read_offline(name)
    except (OSError, InputError):
        # There is no cache, or no file could have such a name.
        return None


def _typical(labels: Integer[np.ndarray, " examples"], num_classes: int) -> Integer[np.ndarray, " chosen"]:
    """The first few of each class, one class after the other."""
    each = max(1, _NUM_TYPICAL // num_classes)
    return np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(num_classes)])[:40]


def _mistakes(
    probabilities: Float[np.ndarray, "examples classes"], labels: Integer[np.ndarray, " examples"]
) -> Integer[np.ndarray, " chosen"]:
    """The wrong answers, surest first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:_NUM_MISTAKES]
