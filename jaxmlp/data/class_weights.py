"""Examples weighed by their class."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from jaxmlp import checks
from jaxmlp.data.arrays import float_dtype
from jaxmlp.types import Dataset, InputError


def with_class_weights(dataset: Dataset, class_weight: str | Mapping[int, float]) -> Dataset:
    """The data set with its examples weighed by class, on top of their own weights, scaled to mean 1.

    "balanced" gives every class the same total; a mapping gives the relative weight of every label that
    occurs.
    """
    labels = np.asarray(dataset.targets)
    if labels.dtype.kind not in "iu":
        raise InputError(f"class_weight: needs class labels as targets, got {labels.dtype} values")
    if isinstance(class_weight, Mapping):
        _check_class_weight(class_weight, set(np.unique(labels).tolist()))
    elif class_weight != "balanced":
        raise InputError(f"class_weight: must be 'balanced' or {{label: weight}}, got {class_weight!r}")
    own = 1.0 if dataset.weights is None else dataset.weights
    weights = compute_sample_weight(class_weight, labels) * own
    return dataset._replace(weights=(weights / weights.mean()).astype(float_dtype()))


def _check_class_weight(class_weight: Mapping[int, float], labels: set[int]) -> None:
    if set(class_weight) != labels:
        raise InputError(
            f"class_weight: must weigh the labels that occur, {sorted(labels)}, got {list(class_weight)}"
        )
    for label, weight in class_weight.items():
        checks.at_least_zero(f"class_weight[{label}]", weight)
    if not any(class_weight.values()):
        raise InputError("class_weight: at least one weight must be above 0, got only zeros")
