"""Data sets as NumPy arrays on the host, checked and cut into train, validation and test.

They come from the user, from scikit-learn, or by way of ``prepared`` from tensorflow-datasets.
"""

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.datasets
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from jaxmlp import checks, prepared
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.prepared import Raw
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


_AT_ONCE = 1000
"""Examples that are copied together from file to file."""
TASKS = ("binary", "multiclass", "regression")

_SCIKIT_LEARN: dict[str, Callable[[], Any]] = {
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    # Scaled, its columns would already carry the mean and spread of the test part.
    "diabetes": functools.partial(sklearn.datasets.load_diabetes, scaled=False),
    "linnerud": sklearn.datasets.load_linnerud,
}


def load(
    name: str,
    *,
    manual_dir: str | Path | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
) -> Splits:
    """The data set called ``name``, split as by ``from_arrays``.

    ``name`` is one that scikit-learn ships (digits as 8×8 images, iris, wine, breast_cancer, diabetes,
    linnerud) or any tensorflow-datasets image classification set of one image size, as ``set`` or
    ``set/config``. Of the latter the parts called train and test are used, and only those; without a test
    part one is cut off train. A channel axis of length 1 is dropped.

    ``manual_dir`` (or the environment variable JAXMLP_MANUAL_DIR) is a folder of files downloaded
    beforehand, looked at only while the set is prepared. Prepared sets rest in JAXMLP_CACHE_DIR, or
    ``jaxmlp`` in the user's cache folder. Everything that can go wrong raises InputError.
    """
    if name in _SCIKIT_LEARN:
        raw = _read_scikit_learn(name)
    else:
        raw = prepared.read(name, manual_dir, others=tuple(_SCIKIT_LEARN))
    return from_arrays(
        raw.inputs,
        raw.targets,
        class_names=raw.class_names,
        name=name,
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        test=raw.test,
    )


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
    values = _as_numbers("targets", targets)
    if task is not None:
        checks.known_name("task", task, TASKS)
    if class_names or (_are_classes(values) if task is None else task != "regression"):
        class_names = tuple(map(str, class_names)) or _number_classes(_as_labels("targets", values))
    task = task or {0: "regression", 2: "binary"}.get(len(class_names), "multiclass")
    _check_task(task, class_names)
    rest = _check_part("", inputs, values, class_names)
    if class_names and len(np.unique(rest.targets)) < 2:
        raise InputError(f"targets: at least two classes must occur, got only label {rest.targets[0]}")
    cut = functools.partial(_cut, stratify=bool(class_names), split_seed=split_seed)
    if test is None:
        rest, test_part = cut(rest, "test_fraction", test_fraction)
    else:
        test_part = _check_part("test ", *test, class_names)
        _check_same_shapes(rest, test_part)
    train, validation = cut(rest, "validation_fraction", validation_fraction)
    return Splits(train, validation, test_part, task, tuple(class_names), name, split_seed)


def layer_sizes(splits: Splits, hidden_sizes: Sequence[int]) -> tuple[int, ...]:
    """Inputs, hidden layers and outputs: one logit for two classes, otherwise one for each class or value."""
    num_inputs = int(np.prod(splits.train.inputs.shape[1:]))
    num_values = int(np.prod(splits.train.targets.shape[1:]))
    num_outputs = {"binary": 1, "multiclass": len(splits.class_names), "regression": num_values}[splits.task]
    return num_inputs, *hidden_sizes, num_outputs


def scaled(splits: Splits) -> Splits:
    """The splits with examples as rows of floats, scaled by ``fit_affine`` of the training part: images to
    [0, 1], columns to mean 0 and deviation 1; real targets are standardised too.
    """
    fields = ("inputs", "targets") if splits.task == "regression" else ("inputs",)
    affines = {field: fit_affine(getattr(splits.train, field)) for field in fields}

    def rows(part: Dataset, field: str) -> np.ndarray:
        values, (shift, scale) = getattr(part, field), affines[field]
        scaled = ((values - shift) / scale).astype(_float_dtype())
        return scaled.reshape(len(values), -1) if field == "inputs" else scaled

    return _map_parts(lambda part: part._replace(**{field: rows(part, field) for field in fields}), splits)


def head(splits: Splits, num_examples: int) -> Splits:
    """The splits with at most the first ``num_examples`` of each part."""
    return _map_parts(lambda part: jax.tree.map(lambda values: values[:num_examples], part), splits)


def _map_parts(function: Callable[[Dataset], Dataset], splits: Splits) -> Splits:
    train, validation, test = map(function, (splits.train, splits.validation, splits.test))
    return splits._replace(train=train, validation=validation, test=test)


def with_class_weights(dataset: Dataset, class_weight: str | Mapping[int, float]) -> Dataset:
    """The data set with one weight per example, by its class, scaled to mean 1; earlier weights are replaced.

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
    weights = compute_sample_weight(class_weight, labels)
    return dataset._replace(weights=(weights / weights.mean()).astype(_float_dtype()))


def _check_class_weight(class_weight: Mapping[int, float], labels: set[int]) -> None:
    if set(class_weight) != labels:
        raise InputError(
            f"class_weight: must weigh the labels that occur, {sorted(labels)}, got {list(class_weight)}"
        )
    for label, weight in class_weight.items():
        checks.at_least_zero(f"class_weight[{label}]", weight)
    if not any(class_weight.values()):
        raise InputError("class_weight: at least one weight must be above 0, got only zeros")


def _float_dtype() -> np.dtype:
    return jnp.zeros(()).dtype


def _as_numbers(argument: str, values: ArrayLike) -> np.ndarray:
    if np.ma.is_masked(values):
        raise InputError(
            f"{argument}: must have no masked values, which would be taken as they are; fill them"
        )
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


def _as_floats(argument: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        floats = array.astype(_float_dtype())
    for good, rule in (
        (np.isfinite(floats), "got NaN or infinity"),
        # Their differences must be finite, too.
        (np.abs(floats) <= np.finfo(floats.dtype).max / 16, "got numbers near the largest there is"),
    ):
        broken = ~good.reshape(len(floats), -1).all(axis=1)
        if broken.any():
            raise InputError(
                f"{argument}: must be finite as {floats.dtype}, {rule} in {broken.sum()} of "
                f"{len(broken)} rows, the first is row {broken.argmax()}; fill or drop them"
            )
    return floats


def _as_labels(argument: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise InputError(
            f"{argument}: must be one label per example, got shape {array.shape}; "
            "of one-hot rows pass argmax(axis=1)"
        )
    if array.dtype.kind == "f":
        broken = _as_floats(argument, array) % 1 != 0
        if broken.any():
            row = int(broken.argmax())
            raise InputError(f"{argument}: labels must be whole numbers, got {array[row]} in row {row}")
    return array


def _are_classes(targets: np.ndarray) -> bool:
    """Whether targets given without a task are labels; rows of whole numbers could be either."""
    if targets.dtype.kind != "f" and targets.ndim > 1:
        raise InputError(
            f"task: cannot be inferred from whole-number targets of shape {targets.shape}; pass 'regression'"
        )
    return targets.dtype.kind != "f"


def _number_classes(labels: np.ndarray) -> tuple[str, ...]:
    """The numbers "0"…"k−1" as names, if each occurs."""
    occurring = np.unique(labels)
    if occurring[0] >= 0 and not np.array_equal(occurring, np.arange(len(occurring))):
        missing = int(np.argmax(occurring != np.arange(len(occurring))))
        raise InputError(
            f"targets: labels must be 0…k-1, but {missing} never occurs and {occurring[-1]} does; "
            "renumber them, give class_names, or pass task='regression'"
        )
    return tuple(map(str, range(len(occurring))))


def _check_task(task: str, class_names: Sequence[str]) -> None:
    if task == "regression" and class_names:
        raise InputError(f"class_names: must be empty for regression, got {tuple(class_names)}")
    if task == "binary" and len(class_names) > 2:
        raise InputError(f"task: 'binary' has two classes, got {len(class_names)}; pass 'multiclass'")


def _check_part(part: str, inputs: ArrayLike, targets: ArrayLike, class_names: Sequence[str]) -> Dataset:
    """Inputs and targets as one Dataset; ``part`` is put before the argument's name in errors."""
    examples: Any = _as_numbers(f"{part}inputs", inputs)
    values: Any = _as_numbers(f"{part}targets", targets)
    if examples.ndim < 2:
        raise InputError(f"{part}inputs: need an axis of values per example, got shape {examples.shape}")
    if len(examples) != len(values):
        raise InputError(f"{part}targets: must be as many as inputs, got {len(values)} for {len(examples)}")
    if examples.dtype != np.uint8:
        examples = _as_floats(f"{part}inputs", examples)
    if not class_names:
        values = _as_floats(f"{part}targets", values)
        return Dataset(examples, values)
    labels: Any = _as_labels(f"{part}targets", values)
    outside = (labels < 0) | (labels >= len(class_names))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"{part}targets: labels must be 0…{len(class_names) - 1}, got {labels[row]} in row {row}"
        )
    return Dataset(examples, labels.astype(np.int32))


def _check_same_shapes(train: Dataset, test: Dataset) -> None:
    pairs = (("inputs", train.inputs, test.inputs), ("targets", train.targets, test.targets))
    for argument, ours, theirs in pairs:
        if ours.shape[1:] != theirs.shape[1:] or ours.dtype != theirs.dtype:
            raise InputError(
                f"test {argument}: must be like the training {argument}, {ours.dtype}{ours.shape[1:]} each, "
                f"got {theirs.dtype}{theirs.shape[1:]}"
            )


def _cut(
    data: Dataset, argument: str, fraction: float, *, stratify: bool, split_seed: int
) -> tuple[Dataset, Dataset]:
    """What remains, and ``fraction`` of the examples; every class that occurs must remain."""
    checks.fraction(argument, checks.positive(argument, fraction))
    checks.whole_number("split_seed", split_seed, at_least=0)
    labels = data.targets if stratify else None
    try:
        kept, cut = train_test_split(
            np.arange(len(data.inputs)), test_size=fraction, random_state=split_seed, stratify=labels
        )
    except ValueError as error:
        raise InputError(
            f"{argument}: cannot cut {fraction} off {len(data.inputs)} examples: {checks.first_line(error)}"
        ) from error
    rest, part = (Dataset(_taken(data.inputs, rows), data.targets[rows]) for rows in (kept, cut))
    if stratify and (lost := set(np.unique(data.targets)) - set(np.unique(rest.targets))):
        raise InputError(
            f"{argument}: cutting {fraction} off leaves no example of class {min(lost)}; lower it"
        )
    return rest, part


def _taken(values: AnyArray, rows: np.ndarray) -> AnyArray:
    """``values[rows]``; those of a mapped file are mapped, too, from a file that is gone with the process."""
    if not _is_mapped(values):
        return values[rows]
    folder = files.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, len(rows), _AT_ONCE):
                file.write(values[rows[start : start + _AT_ONCE]].tobytes())
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


def _read_scikit_learn(name: str) -> Raw:
    bunch = _SCIKIT_LEARN[name]()
    # Only digits has images: whole numbers 0…16 stored as floats.
    inputs = bunch.images.astype(np.uint8) if "images" in bunch else bunch.data
    class_names = tuple(map(str, bunch.target_names)) if bunch.target.dtype.kind in "iu" else ()
    return Raw(inputs, bunch.target, class_names, None)
