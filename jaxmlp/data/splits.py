"""Data sets as NumPy arrays on the host, checked and split into train, validation and test."""

import functools
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split

from jaxmlp import checks
from jaxmlp.data.arrays import (
    TASKS,
    as_labels,
    as_numbers,
    check_same_shapes,
    check_task,
    infer_class_names,
    is_classification,
    make_dataset,
)
from jaxmlp.nn.preprocessing import Affine, fit_affine
from jaxmlp.runtime import files
from jaxmlp.types import AnyArray, Dataset, InputError


class Splits(NamedTuple):
    """A data set in three disjoint parts, all NumPy arrays; ``class_names`` is empty for regression."""

    train: Dataset
    validation: Dataset
    test: Dataset
    task: str
    class_names: tuple[str, ...]
    name: str
    split_seed: int


_BATCH_SIZE = 1000
"""Examples that are copied together from file to file."""


def from_arrays(
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    task: str | None = None,
    class_names: Sequence[str] = (),
    name: str = "arrays",
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    test: tuple[ArrayLike, ArrayLike] | None = None,
) -> Splits:
    """Check arrays whose first axis counts examples, and split them, stratified by class where there are any.

    The test part is ``test`` if given, else ``test_fraction`` of all examples; the validation part is
    ``validation_fraction`` of what remains. The same ``split_seed`` gives the same split.

    Bytes mapped from a file (``np.load(…, mmap_mode="r")``) stay on disk: each part rests in a file of its
    own in the cache's folder, which is gone with the process.

    Without ``task``, integers, booleans or given ``class_names`` mean classes (two are "binary", more
    "multiclass") and floats mean regression. Labels are 0…k−1, with k the number of ``class_names``; without
    names k is the largest label + 1, and each label below must occur. Inputs other than uint8, and regression
    targets, become JAX's default float; labels become int32.
    """
    values = as_numbers("targets", targets)
    if task is not None:
        checks.known_name("task", task, TASKS)
    if class_names or (is_classification(values) if task is None else task != "regression"):
        class_names = tuple(map(str, class_names)) or infer_class_names(as_labels("targets", values))
    task = task or {0: "regression", 2: "binary"}.get(len(class_names), "multiclass")
    check_task(task, class_names)
    rest = make_dataset("", inputs, values, class_names)
    if class_names and len(np.unique(rest.targets)) < 2:
        raise InputError(f"targets: at least two classes must occur, got only label {rest.targets[0]}")
    cut = functools.partial(_split_off, stratify=bool(class_names), split_seed=split_seed)
    if test is None:
        rest, test_part = cut(rest, "test_fraction", test_fraction)
    else:
        test_part = make_dataset("test ", *test, class_names)
        check_same_shapes(rest, test_part)
    train, validation = cut(rest, "validation_fraction", validation_fraction)
    return Splits(train, validation, test_part, task, tuple(class_names), name, split_seed)


def layer_sizes(splits: Splits, hidden_sizes: Sequence[int]) -> tuple[int, ...]:
    """Inputs, hidden layers and outputs: one logit for two classes, otherwise one for each class or value."""
    num_inputs = int(np.prod(splits.train.inputs.shape[1:]))
    num_values = int(np.prod(splits.train.targets.shape[1:]))
    num_outputs = {"binary": 1, "multiclass": len(splits.class_names), "regression": num_values}[splits.task]
    return num_inputs, *hidden_sizes, num_outputs


def standardize(splits: Splits) -> Splits:
    """The splits with examples as rows of floats, scaled by ``fit_affine`` of the training part: images to
    [0, 1], columns to mean 0 and deviation 1; real targets are standardised too.
    """
    inputs, targets = fit_affine(splits.train.inputs), fit_target_affine(splits)

    def in_rows(part: Dataset) -> Dataset:
        part = scale_part(part, inputs, targets)
        return part._replace(inputs=part.inputs.reshape(len(part.inputs), -1))

    return _map_splits(in_rows, splits)


def first_examples(splits: Splits, num_examples: int) -> Splits:
    """The splits with at most the first ``num_examples`` of each part."""
    return _map_splits(lambda part: jax.tree.map(lambda values: values[:num_examples], part), splits)


def _map_splits(function: Callable[[Dataset], Dataset], splits: Splits) -> Splits:
    train, validation, test = map(function, (splits.train, splits.validation, splits.test))
    return splits._replace(train=train, validation=validation, test=test)


def _split_off(
    data: Dataset, argument: str, fraction: float, *, stratify: bool, split_seed: int
) -> tuple[Dataset, Dataset]:
    """What remains, and ``fraction`` of the examples; every class that occurs must remain."""
    checks.fraction(argument, checks.positive(argument, fraction))
    checks.integer("split_seed", split_seed, at_least=0)
    labels = data.targets if stratify else None
    try:
        kept, cut = train_test_split(
            np.arange(len(data.inputs)), test_size=fraction, random_state=split_seed, stratify=labels
        )
    except ValueError as error:
        raise InputError(
            f"{argument}: cannot cut {fraction} off {len(data.inputs)} examples: {checks.first_line(error)}"
        ) from error
    rest, part = (Dataset(_select_rows(data.inputs, rows), data.targets[rows]) for rows in (kept, cut))
    if stratify and (lost := set(np.unique(data.targets)) - set(np.unique(rest.targets))):
        raise InputError(
            f"{argument}: cutting {fraction} off leaves no example of class {min(lost)}; lower it"
        )
    return rest, part


def _select_rows(values: AnyArray, rows: np.ndarray) -> AnyArray:
    """``values[rows]``; those of a mapped file are mapped, too, from a file that is gone with the process."""
    if not _is_mapped(values):
        return values[rows]
    folder = files.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, len(rows), _BATCH_SIZE):
                file.write(values[rows[start : start + _BATCH_SIZE]].tobytes())
            file.flush()
            return np.asarray(np.memmap(file, values.dtype, "c", shape=(len(rows), *values.shape[1:])))
    except OSError as error:
        raise InputError(
            f"dataset: its parts cannot be kept in {folder}: {checks.first_line(error)}; "
            "set JAXMLP_CACHE_DIR to another folder"
        ) from error


def _is_mapped(values: Any) -> bool:
    """Whether an array rests in a file."""
    while isinstance(values, np.ndarray) and not isinstance(values, np.memmap):
        values = values.base
    return isinstance(values, np.memmap)


def fit_target_affine(splits: Splits) -> Affine | None:
    """What standardises each output of a regression."""
    if splits.task != "regression":
        return None
    return fit_affine(splits.train.targets.reshape(len(splits.train.targets), -1))


def scale_part(part: Dataset, inputs: Affine | None, targets: Affine | None) -> Dataset:
    """The part with its inputs and its targets scaled; those without an affine stay."""
    if inputs is not None:
        part = part._replace(
            inputs=np.asarray((part.inputs - inputs.shift) / inputs.scale, inputs.shift.dtype)
        )
    if targets is not None:
        values = part.targets.reshape(len(part.targets), -1)
        values = np.asarray((values - targets.shift) / targets.scale, targets.shift.dtype)
        part = part._replace(targets=values.reshape(part.targets.shape))
    return part
