"""Images of the data set that a model learnt from, where it can be had offline: some to click, and every kind
of mistake.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Integer, Shaped

from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict_proba
from jaxmlp.page.binary import pack_images
from jaxmlp.statistics import confusion_counts, worst_examples
from jaxmlp.types import InputError

if TYPE_CHECKING:
    from jaxmlp.data.tfds_cache import RawData

_NUM_TYPICAL, _MOST_TYPICAL = 20, 40
_NUM_OF_A_KIND = 6
"""Mistakes of one class for another."""
_MISTAKE_BYTES = 250_000


def read_images(model: Model) -> "RawData | None":
    """The set of images that the model learnt from. None for tables and values, and where the set is not at
    hand or another than it learnt from.
    """
    spec = model.spec
    raw = _read(spec.dataset) if len(spec.input_shape) > 1 and spec.class_names else None
    if raw is None or raw.class_names != tuple(map(str, spec.class_names)):
        return None
    return raw if raw.inputs[0].size == np.prod(spec.input_shape) else None


def find_examples(model: Model, raw: "RawData | None") -> dict[str, Any] | None:
    """Some images of each class, and those that the model takes for another, surest first, with how often
    each class is taken for each; of the test part, where the set has one.
    """
    if raw is None:
        return None
    (images, labels), num_classes = tried_images(model, raw), len(model.spec.class_names)
    probabilities = predict_proba(model, images)
    predicted = probabilities.argmax(axis=1)
    surest = worst_examples(labels, probabilities)
    kinds = labels[surest] * num_classes + predicted[surest]
    kept = surest[_rank_within(kinds) < _NUM_OF_A_KIND][: max(1, _MISTAKE_BYTES // images[0].size)]
    typical = _typical(labels, num_classes)
    return {
        "typical": pack_images(images[typical]) | {"labels": labels[typical].tolist()},
        "mistakes": pack_images(images[kept])
        | {"labels": labels[kept].tolist(), "predicted": predicted[kept].tolist()},
        "confusion": confusion_counts(labels, predicted, num_classes).tolist(),
        "unseen": raw.test is not None,
    }


def tried_images(
    model: Model, raw: "RawData"
) -> tuple[Shaped[np.ndarray, "n ..."], Integer[np.ndarray, " n"]]:
    """Images and labels that a page tries the model on: of the test part, where the set has one."""
    images, labels = (np.asarray(part) for part in raw.test or (raw.inputs, raw.targets))
    return images.reshape(-1, *model.spec.input_shape), labels


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
    first = [np.flatnonzero(labels == label)[:each] for label in range(num_classes)]
    return np.concatenate(first)[:_MOST_TYPICAL]


def _rank_within(kinds: Integer[np.ndarray, " items"]) -> Int[np.ndarray, " items"]:
    """For each item, how many of its kind come before it."""
    order = np.argsort(kinds, kind="stable")
    _, starts, counts = np.unique(kinds[order], return_index=True, return_counts=True)
    ranks = np.empty(len(kinds), int)
    ranks[order] = np.arange(len(kinds)) - np.repeat(starts, counts)
    return ranks
