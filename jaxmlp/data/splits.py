"""Data sets as NumPy arrays on the host, checked and split into train, validation and test."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Shaped
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data.arrays import (
    TASKS,
    as_labels,
    as_numbers,
    check_targets,
    check_task,
    infer_class_names,
    is_classification,
    make_dataset,
)
from jaxmlp.data.blocks import Blocks, make_blocks
from jaxmlp.data.cells import shown
from jaxmlp.data.class_weights import ClassWeight, weigh_classes
from jaxmlp.data.columns import MAX_LINES, Column
from jaxmlp.data.parts import Part, read_weights, scale_sample_weight, select, take_part
from jaxmlp.nn.preprocessing import MIN_SPAN, Affine, Quantiles, fit_affine, scale_on_host
from jaxmlp.printing import printable
from jaxmlp.runtime.console import note, warn
from jaxmlp.types import AnyArray, ClassName, Dataset, InputError

_MIN_SPAN = 1e-37
"""Of smaller numbers the squares might be none in double precision, and the scale none on a device."""


@printable
class Splits(NamedTuple):
    """A data set in three disjoint parts, all NumPy arrays; ``class_names`` is empty for regression."""

    train: Dataset
    validation: Dataset
    test: Dataset
    task: str
    class_names: tuple[ClassName, ...]
    name: str
    split_seed: int
    rows: Shaped[np.ndarray, " rows"]
    """What each row of ``join_parts`` is called where it came from: its place in arrays, its name in a frame,
    its number below the header of a file, from 1."""
    columns: tuple[Column, ...] | None = None
    """How each column of a table was read; None for arrays."""
    target: str | None = None
    """The column of a table that is predicted."""
    target_kind: str | None = None
    """How it is written, of ``inference.KINDS``; None where nothing has to be known."""
    validation_is_cut: bool = False
    """Whether the validation part was cut off from the training part, and not given by whoever has the data:
    who chooses in another way may learn from it."""
    blocks: Blocks | None = None
    """The groups or times of the training rows, and then of the rows of a validation part that was cut off
    from them; None where no row belongs with another."""
    test_groups: Shaped[np.ndarray, " test"] | None = None
    """The groups of the test rows that were cut off from these, or given as some of them."""
    input_names: tuple[str, ...] = ()
    """Of the inputs of arrays, where they are known."""
    leaks: tuple[str, ...] = ()
    """What ``find_leaks`` found in a table."""
    class_weights: tuple[float, ...] = ()
    """The factor in the weights of each class's rows; none where classes count as often as they come."""

    @property
    def is_ordered(self) -> bool:
        """Whether nothing is to be learnt from rows that are later than what is measured."""
        return self.blocks is not None and self.blocks.ordered

    def summary(self) -> dict[str, Any]:
        """What there is, in words; of a table also how each column is read."""
        sizes = {"training": self.train, "validation": self.validation, "test": self.test}
        examples = ", ".join(f"{len(part.inputs):,} {name}" for name, part in sizes.items())
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        shape = "×".join(map(str, self.train.inputs.shape[1:]))
        found = {"data": self.name, "task": self.task + classes, "examples": examples}
        found |= {"inputs": f"{shape} of {self.train.inputs.dtype}"}
        if self.blocks is not None:
            found["rows"] = self.blocks.describe()
        columns = (self.columns or ())[:MAX_LINES]
        return found | {f"column {column.name}": column.describe() for column in columns}


def from_arrays(
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    task: str | None = None,
    class_names: Sequence[ClassName] = (),
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    name: str = "arrays",
    split_seed: int = 0,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    validation: Part | None = None,
    test: Part | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
) -> Splits:
    """Check arrays whose first axis counts examples, and split them, stratified by class where there are any.

    The test part is ``test``, a tuple of other inputs and targets or the rows it has here, if given, else
    ``test_fraction`` of all examples; the validation part is ``validation``, or ``validation_fraction`` of
    what remains. The same ``split_seed`` gives the same split. ``sample_weight`` says how much each example
    counts in training and in what is chosen by, before it is scaled to a mean of 1, and ``class_weight``,
    "balanced" or a weight for each label, how much each class does on top; in parts that are given as inputs
    and targets, and in the test part, all count alike.

    ``groups`` says which rows belong together, such as those of one person: no group lies on two sides of a
    split, of the parts or of the folds that a search makes. ``time``, numbers or datetimes, says when a row
    was: the test part is the latest, a validation part that is cut off the latest of the rest, and no
    network of a fold learns from what is later than what it is measured on.

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
    class_names = checks.class_names("class_names", class_names)
    if class_names or (is_classification(values) if task is None else task != "regression"):
        class_names = class_names or infer_class_names(as_labels("targets", values))
    task = task or {0: "regression", 2: "binary"}.get(len(class_names), "multiclass")
    check_task(task, class_names)
    checks.integer("split_seed", split_seed, at_least=0)
    data = make_dataset("", inputs, values, class_names)
    check_targets(data.targets, class_names)
    data, rows = data._replace(weights=read_weights(sample_weight, len(values))), np.arange(len(values))
    blocks = make_blocks(groups, time, len(rows))
    take = functools.partial(take_part, class_names=tuple(class_names), split_seed=split_seed, blocks=blocks)
    rows, tested, test_part = take(data, rows, "test", test, test_fraction)
    weights: tuple[float, ...] = ()
    if class_weight is not None:
        data, weights = weigh_classes(data, rows, class_weight)
    rows, cut, validation_part = take(data, rows, "validation", validation, validation_fraction)
    test_groups = None if blocks is None or blocks.ordered or not len(tested) else blocks.of_row[tested]
    blocks = None if blocks is None else blocks.take(np.concatenate([rows, cut]))
    train, validation_part = scale_sample_weight(select(data, rows), validation_part)
    check_inputs(train.inputs)
    parts = train, validation_part, test_part._replace(weights=None)
    places = np.arange(len(validation_part.inputs)) if isinstance(validation, tuple) else cut
    own: dict[str, Any] = {"validation_is_cut": validation is None, "blocks": blocks}
    own |= {"rows": np.concatenate([rows, places]), "class_weights": weights, "test_groups": test_groups}
    return Splits(*parts, task, tuple(class_names), name, split_seed, **own)


def join_parts(splits: Splits) -> Splits:
    """The splits with the validation part among the training examples, and empty itself."""
    parts = splits.train, splits.validation
    own = [np.ones(len(p.inputs)) if p.weights is None else p.weights for p in parts]
    weights = np.concatenate(own) if any(part.weights is not None for part in parts) else None
    inputs, targets = (np.concatenate([part[field] for part in parts]) for field in (0, 1))
    empty = Dataset(inputs[:0], targets[:0])
    return splits._replace(train=Dataset(inputs, targets, weights), validation=empty)


def check_inputs(inputs: AnyArray) -> None:
    """Say which columns of a table ``fit_affine`` leaves out; InputError for images that are alike."""
    if inputs.ndim > 2:
        if inputs.dtype.kind == "f" and (span := float(np.max(inputs)) - float(np.min(inputs))) < _MIN_SPAN:
            raise InputError(f"inputs: images differ by {span:g} at most, too little to learn from")
    elif inputs.ndim == 2:
        span = np.subtract(np.max(inputs, axis=0), np.min(inputs, axis=0), dtype=float)
        _tell_left_out(note, (span == 0) & (len(span) > 1), "never change in training and are left out")
        narrow = (span > 0) & (span < MIN_SPAN)
        _tell_left_out(warn, narrow, f"differ by less than {MIN_SPAN:g}, too little to learn from")


def _tell_left_out(tell: Callable[[str], None], columns: Bool[np.ndarray, " columns"], why: str) -> None:
    if len(places := np.flatnonzero(columns)):
        tell(f"inputs: {len(places)} of {len(columns)} columns {why}: {shown(places.tolist(), 5)}")


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
    first = _map_splits(lambda part: jax.tree.map(lambda values: values[:num_examples], part), splits)
    parts = np.split(np.arange(len(splits.rows)), [len(splits.train.inputs)])
    kept = np.concatenate([places[:num_examples] for places in parts])
    blocks = splits.blocks and splits.blocks.take(kept[kept < len(splits.blocks.of_row)])
    tested = None if splits.test_groups is None else splits.test_groups[:num_examples]
    return first._replace(blocks=blocks, test_groups=tested, rows=splits.rows[kept])


def _map_splits(function: Callable[[Dataset], Dataset], splits: Splits) -> Splits:
    train, validation, test = map(function, (splits.train, splits.validation, splits.test))
    return splits._replace(train=train, validation=validation, test=test)


def fit_target_affine(splits: Splits) -> Affine | None:
    """What standardises each output of a regression. InputError where that would be no normal number."""
    if splits.task != "regression":
        return None
    values = splits.train.targets.reshape(len(splits.train.targets), -1)
    shift, scale = fit_affine(values)
    span = np.ptp(values, axis=0)
    if (narrow := (span > 0) & (span < _MIN_SPAN)).any():
        raise InputError(
            f"targets: differ by {span[narrow][0]:g} at most, too little to compute with; give another unit"
        )
    return Affine(shift, np.where(np.isfinite(scale), scale, 1.0))


def scale_part(
    part: Dataset, inputs: Affine | None, targets: Affine | None, quantiles: Quantiles | None = None
) -> Dataset:
    """The part with its inputs, perhaps first through their quantiles, and its targets scaled; those without
    an affine stay.
    """
    if inputs is not None:
        part = part._replace(inputs=scale_on_host(inputs, part.inputs, quantiles))
    if targets is not None:
        num_values = int(np.prod(part.targets.shape[1:]))
        values = scale_on_host(targets, part.targets.reshape(len(part.targets), num_values))
        part = part._replace(targets=values.reshape(part.targets.shape))
    return part
