"""Examples weighed by their class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from jaxmlp import checks
from jaxmlp.data.arrays import float_dtype
from jaxmlp.data.cells import shown
from jaxmlp.runtime.console import warn
from jaxmlp.types import AnyArray, Dataset, InputError

ClassWeight = str | Mapping[Any, float | int]
"""What a person says of classes: "balanced", or a weight for each label."""


def weights_by_label(class_weight: ClassWeight | None, classes: Sequence[Any]) -> ClassWeight | None:
    """Weights for ``classes``, by their names, as weights for labels. A class without one counts 1, as with
    scikit-learn, and a weight without a class nothing; both are said. InputError where no class has one.
    """
    if not isinstance(class_weight, Mapping) or not classes:
        return class_weight
    for name, weight in class_weight.items():
        checks.at_least_zero(f"class_weight[{name!r}]", weight)
    others = [name for name in class_weight if name not in classes]
    lacking = [name for name in classes if name not in class_weight]
    if len(lacking) == len(classes):
        raise InputError(f"class_weight: must weigh classes, {shown(classes)}, got {shown(class_weight)}")
    if others:
        warn(f"class_weight: weighs {shown(others)}, which does not occur; classes are {shown(classes)}")
    if lacking:
        warn(f"class_weight: says nothing of {shown(lacking)}, which counts 1")
    return {label: class_weight.get(name, 1) for label, name in enumerate(classes)}


def weigh_parts(train: Dataset, validation: Dataset, class_weight: ClassWeight) -> tuple[Dataset, Dataset]:
    """Both parts with their examples weighed by class, on top of their own weights, by what suits ``train``,
    where they have mean 1; a class that does not occur there counts 1.

    "balanced" gives every class the same total, by the weights that its rows have; a mapping gives the
    relative weight of every label that occurs.
    """
    factors = class_factors(train.targets, class_weight, train.weights)
    unknown = max(0, 1 + int(np.max(validation.targets, initial=-1)) - len(factors))
    factors = np.pad(factors, (0, unknown), constant_values=1.0)
    weights = [_weigh(part, factors) for part in (train, validation)]
    own, others = ((each / weights[0].mean()).astype(float_dtype()) for each in weights)
    return train._replace(weights=own), validation._replace(weights=others)


def weigh_classes(
    dataset: Dataset, rows: Integer[np.ndarray, " rows"], class_weight: ClassWeight
) -> tuple[Dataset, tuple[float, ...]]:
    """The data set with its examples weighed by class, on top of their own weights, by what suits ``rows``,
    among which every class is; and the factor of each class.
    """
    own = None if dataset.weights is None else dataset.weights[rows]
    factors = class_factors(dataset.targets[rows], class_weight, own)
    return dataset._replace(weights=_weigh(dataset, factors)), tuple(factors.tolist())


def class_factors(
    labels: Integer[AnyArray, " rows"] | Float[AnyArray, "rows ..."],
    class_weight: ClassWeight,
    weights: Float[AnyArray, " rows"] | None = None,
) -> Float[np.ndarray, " classes"]:
    """The factor of each class, 0…the largest label, that ``class_weight`` means for ``labels`` that count by
    their ``weights``; InputError where these are none, or it does not fit them.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise InputError(f"class_weight: needs class labels as targets, got {labels.dtype} values")
    occurring = np.unique(labels)
    factors = np.ones(occurring[-1] + 1)
    if isinstance(class_weight, Mapping):
        _check_class_weight(class_weight, set(occurring.tolist()))
        factors[occurring] = [class_weight[label] for label in occurring.tolist()]
        return factors
    if class_weight != "balanced":
        raise InputError(f"class_weight: must be 'balanced' or {{label: weight}}, got {class_weight!r}")
    # As scikit-learn's compute_class_weight has it, which learnt of weights only lately.
    totals = np.bincount(labels, weights)
    present = totals > 0
    factors[present] = totals.sum() / (present.sum() * totals[present])
    return factors


def _weigh(dataset: Dataset, factors: Float[np.ndarray, " classes"]) -> np.ndarray:
    own = 1.0 if dataset.weights is None else dataset.weights
    return own * factors[np.asarray(dataset.targets)]


def _check_class_weight(class_weight: Mapping[int, float | int], labels: set[int]) -> None:
    if set(class_weight) != labels:
        raise InputError(
            f"class_weight: must weigh the labels that occur, {sorted(labels)}, got {list(class_weight)}"
        )
    for label, weight in class_weight.items():
        checks.at_least_zero(f"class_weight[{label}]", weight)
    if not any(class_weight.values()):
        raise InputError("class_weight: at least one weight must be above 0, got only zeros")
