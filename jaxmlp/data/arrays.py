"""Arrays of a person's own as inputs and targets, or an error of one line that says what is wrong."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.runtime.console import note, warn
from jaxmlp.types import ClassName, Dataset, InputError

MAX_NUMBER = 1e37
"""Of larger ones, a device could not compute the scale."""
MAX_CLASSES = 20
"""So many different whole numbers, at most, look like classes."""
TASKS = ("binary", "multiclass", "regression")


def float_dtype() -> np.dtype:
    return jax.dtypes.canonicalize_dtype(float)


def check_unmasked(argument: str, values: Any) -> None:
    if np.ma.is_masked(values):
        raise InputError(
            f"{argument}: must have no masked values, which would be taken as they are; fill them"
        )


def as_numbers(argument: str, values: ArrayLike) -> np.ndarray:
    check_unmasked(argument, values)
    if hasattr(values, "toarray"):
        raise InputError(f"{argument}: must be dense, got a sparse matrix; pass its toarray()")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{argument}: rows must have one shape; {checks.first_line(error)}") from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{argument}: must be an array of real numbers, got dtype {array.dtype}; encode it as numbers"
        )
    if array.size == 0 or array.ndim == 0:
        raise InputError(f"{argument}: must hold at least one example and value, got shape {array.shape}")
    return array


def as_floats(argument: str, array: np.ndarray) -> np.ndarray:
    """Finite numbers as floats. Those of a table keep the precision that they came in, or have double: they
    are centred before a device rounds them. Images have JAX's own.
    """
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    with np.errstate(over="ignore"):
        floats = array.astype(float_dtype() if array.ndim > 2 else np.float32 if single else float)
    for good, rule in (
        (np.isfinite(floats), "got NaN or infinity"),
        # Their squares must be finite in double precision, their scale on a device.
        (np.abs(floats) <= MAX_NUMBER, "got numbers near the largest there is"),
    ):
        broken = ~good.reshape(len(floats), -1).all(axis=1)
        if broken.any():
            raise InputError(
                f"{argument}: must be finite numbers of at most {MAX_NUMBER:.0e}, {rule} in {broken.sum()} "
                f"of {len(broken)} rows, the first is row {broken.argmax()}; fill or drop them"
            )
    return floats


def as_labels(argument: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise InputError(
            f"{argument}: must be one label per example, got shape {array.shape}; "
            "pass ravel(), or of one-hot rows argmax(axis=1)"
        )
    if array.dtype.kind == "f":
        broken = as_floats(argument, array) % 1 != 0
        if broken.any():
            row = int(broken.argmax())
            raise InputError(f"{argument}: labels must be whole numbers, got {array[row]} in row {row}")
    return array


def is_classification(targets: np.ndarray) -> bool:
    """Whether targets given without a task are labels; rows of whole numbers could be either."""
    if targets.dtype.kind != "f" and targets.ndim > 1:
        raise InputError(
            f"task: cannot be inferred from whole-number targets of shape {targets.shape}; pass labels as "
            "one row, with ravel(), or task='regression'"
        )
    if targets.dtype.kind == "f":
        _note_labels(targets)
    return targets.dtype.kind != "f"


def _note_labels(targets: np.ndarray) -> None:
    if targets.ndim == 1 and (targets == np.round(targets)).all() and len(np.unique(targets)) <= MAX_CLASSES:
        note("targets: are floats and taken for real values; if they are classes, pass whole numbers")
    if targets.ndim == 2 and np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all():
        note("targets: are floats and taken for real values; if they are one-hot, pass argmax(axis=1)")


def infer_class_names(labels: np.ndarray) -> tuple[str, ...]:
    """The numbers "0"…"k−1" as names, if each occurs."""
    occurring = np.unique(labels)
    if occurring[0] >= 0 and not np.array_equal(occurring, np.arange(len(occurring))):
        missing = int(np.argmax(occurring != np.arange(len(occurring))))
        raise InputError(
            f"targets: labels must be 0…k-1, but {missing} never occurs and {occurring[-1]} does; "
            "renumber them, give class_names, or pass task='regression'"
        )
    return tuple(map(str, range(len(occurring))))


def check_task(task: str, class_names: Sequence[ClassName]) -> None:
    if task == "regression" and class_names:
        raise InputError(f"class_names: must be empty for regression, got {tuple(class_names)}")
    if task == "binary" and len(class_names) > 2:
        raise InputError(f"task: 'binary' has two classes, got {len(class_names)}; pass 'multiclass'")


def check_targets(targets: Any, class_names: Sequence[ClassName]) -> None:
    """InputError for a single class or value; where one of several values never changes, it is said."""
    constant = np.all(targets == targets[:1], axis=0)
    if class_names and constant:
        raise InputError(f"targets: at least two classes must occur, got only label {targets[0]}")
    if len(targets) > 1 and constant.all():
        raise InputError(f"targets: must differ, got only {np.ravel(targets)[0]:g}; nothing to learn")
    if len(targets) > 1 and constant.any():
        warn(f"targets: {constant.sum()} of {constant.size} values never change; nothing is learnt of them")


def make_dataset(
    part: str, inputs: ArrayLike, targets: ArrayLike, class_names: Sequence[ClassName]
) -> Dataset:
    """Inputs and targets as one Dataset; ``part`` is put before the argument's name in errors."""
    examples: Any = as_numbers(f"{part}inputs", inputs)
    values: Any = as_numbers(f"{part}targets", targets)
    if examples.ndim < 2:
        raise InputError(f"{part}inputs: need an axis of values per example, got shape {examples.shape}")
    if len(examples) != len(values):
        raise InputError(f"{part}targets: must be as many as inputs, got {len(values)} for {len(examples)}")
    if examples.dtype != np.uint8:
        examples = as_floats(f"{part}inputs", examples)
    if not class_names:
        values = as_floats(f"{part}targets", values)
        return Dataset(examples, values)
    labels: Any = as_labels(f"{part}targets", values)
    outside = (labels < 0) | (labels >= len(class_names))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"{part}targets: labels must be 0…{len(class_names) - 1}, got {labels[row]} in row {row}"
        )
    return Dataset(examples, labels.astype(np.int32))


def check_same_shapes(part: str, train: Dataset, own: Dataset) -> None:
    pairs = (("inputs", train.inputs, own.inputs), ("targets", train.targets, own.targets))
    for argument, ours, theirs in pairs:
        if ours.shape[1:] != theirs.shape[1:] or ours.dtype.kind != theirs.dtype.kind:
            raise InputError(
                f"{part} {argument}: must be like the training {argument}, {ours.dtype}{ours.shape[1:]}, "
                f"got {theirs.dtype}{theirs.shape[1:]}"
            )
