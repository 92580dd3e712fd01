"""The rows of each part of a data set: given by hand, or cut off at random, stratified by class."""

import math
import tempfile
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data.arrays import as_numbers, check_same_shapes, float_dtype, make_dataset
from jaxmlp.data.blocks import Blocks, cut_blocks
from jaxmlp.runtime import files
from jaxmlp.runtime.console import warn
from jaxmlp.types import AnyArray, ClassName, Dataset, InputError

_BATCH_SIZE = 1000
"""Examples that are copied together from file to file."""
_FAR = 2
"""Times as large or small as was asked for, beyond which the size of a part is said."""

Part = tuple[ArrayLike, ArrayLike] | ArrayLike
"""Examples of one's own for a part, (inputs, targets), or the rows of it: indices, or a mask."""


def take_part(
    data: Dataset,
    rows: np.ndarray,
    part: str,
    given: Part | None,
    fraction: float,
    *,
    class_names: tuple[ClassName, ...],
    split_seed: int,
    blocks: Blocks | None,
) -> tuple[np.ndarray, np.ndarray, Dataset]:
    """Which of ``rows`` remain, which are the part's, and the part: examples of its own, which are no rows of
    these, rows that are given, or a fraction.
    """
    if isinstance(given, tuple):
        if len(given) != 2:
            raise InputError(f"{part}: must be a tuple (inputs, targets), got one of {len(given)}")
        inputs, targets = given
        own = make_dataset(f"{part} ", inputs, targets, class_names)
        check_same_shapes(part, data, own)
        return rows, rows[:0], own._replace(inputs=own.inputs.astype(data.inputs.dtype, copy=False))
    if given is not None:
        cut = _check_rows(part, given, rows, len(data.inputs))
        kept = np.setdiff1d(rows, cut)
        if blocks is not None:
            _check_sides(part, blocks.take(kept), blocks.take(cut))
    elif checks.fraction(f"{part}_fraction", fraction) == 0:
        kept, cut = rows, rows[:0]
    elif blocks is not None:
        kept, cut = _cut_blocks(rows, data.targets, part, fraction, split_seed, blocks)
    else:
        labels = _labels_to_cut(data.targets, class_names)
        alone = _find_alone(rows, labels)
        others = rows[~alone]
        of_others = None if labels is None else labels[others]
        kept, cut = _cut(others, of_others, f"{part}_fraction", fraction, split_seed)
        kept = np.concatenate([kept, rows[alone]])
    lost = set(np.unique(data.targets[rows])) - set(np.unique(data.targets[kept])) if class_names else set()
    if lost or not len(kept):
        what = f"example of class {class_names[min(lost)]!r}" if lost else "training example"
        raise InputError(f"{part}: taking {len(cut)} of {len(rows)} examples leaves no {what}; take fewer")
    return kept, cut, select(data, cut)


def _cut_blocks(
    rows: np.ndarray, targets: AnyArray, part: str, fraction: float, split_seed: int, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """Like ``_cut``, but with each block whole on one side; where that makes it another size, it is said."""
    is_cut = cut_blocks(blocks.take(rows), np.asarray(targets[rows]), fraction, split_seed)
    if not 1 / _FAR <= is_cut.mean() / fraction <= _FAR:
        warn(
            f"{part}_fraction: {is_cut.sum():,} of {len(rows):,} rows, {is_cut.mean():.0%} instead of "
            f"{fraction:.0%}, since what has one value of {blocks.argument} stays on one side"
        )
    return rows[~is_cut], rows[is_cut]


def _check_sides(part: str, kept: Blocks, cut: Blocks) -> None:
    """InputError where rows that are given for a part separate a group, or are not the latest."""
    if kept.ordered and len(kept.of_row) and cut.of_row.min() <= kept.of_row.max():
        raise InputError(f"{part}: must be the latest rows by time, but others are as late; leave time out")
    if shared := np.isin(cut.of_row, kept.of_row).sum():
        raise InputError(
            f"{part}: {shared} of {len(cut.of_row)} rows are of groups that have rows elsewhere, too; "
            "take whole groups, or leave groups out"
        )


def _labels_to_cut(targets: AnyArray, class_names: tuple[ClassName, ...]) -> AnyArray | None:
    """None of real values; InputError for a class with a single example."""
    if not class_names:
        return None
    for label, count in zip(*np.unique(targets, return_counts=True), strict=True):
        if count == 1:
            is_number = type(class_names[label]) in (int, float)
            hint = "; if these are no classes but numbers, give task='regression'" if is_number else ""
            raise InputError(
                f"targets: class {class_names[label]!r} has a single example, which cannot be both learnt "
                f"and measured; find more of it, drop it, or put it with another class{hint}"
            )
    return targets


def _find_alone(rows: np.ndarray, labels: AnyArray | None) -> Bool[np.ndarray, " rows"]:
    """Which of ``rows`` is the last of its class, of which another part has the others: it is learnt."""
    if labels is None:
        return np.zeros(len(rows), bool)
    _, places, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    return counts[places] == 1


def _cut(
    rows: np.ndarray, labels: AnyArray | None, argument: str, fraction: float, split_seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows without a ``fraction`` of them, and that fraction."""
    # Here, since it takes a second that help and predictions need not wait for.
    from sklearn.model_selection import train_test_split

    num_cut = math.ceil(fraction * len(rows))
    # A single row measures no classes.
    if not (1 if labels is None else 2) <= num_cut < len(rows):
        raise InputError(
            f"{argument}: cannot cut {fraction} off {len(rows)} examples; take another share, 0 for none, or "
            "find more examples"
        )
    num_classes = 1 if labels is None else len(np.unique(labels))
    if labels is not None and min(num_cut, len(rows) - num_cut) < num_classes:
        warn(f"{argument}: {num_cut} of {len(rows)} examples are too few for each of {num_classes} classes")
        is_cut = _deal_cut(labels, num_cut, split_seed)
        return rows[~is_cut], rows[is_cut]
    kept, cut = train_test_split(rows, test_size=num_cut, random_state=split_seed, stratify=labels)
    return kept, cut


def _deal_cut(labels: AnyArray, num_cut: int, split_seed: int) -> Bool[np.ndarray, " rows"]:
    """So many rows, at equal steps of all, which are sorted by class and otherwise shuffled."""
    draws, is_cut = np.random.default_rng(split_seed), np.zeros(len(labels), bool)
    order = np.lexsort((draws.random(len(labels)), labels))
    places = (np.arange(num_cut) + draws.random()) * (len(labels) / num_cut)
    is_cut[order[places.astype(int)]] = True
    return is_cut


def _check_rows(part: str, given: ArrayLike, rows: np.ndarray, num_examples: int) -> np.ndarray:
    """Those of ``rows`` that are given, by their indices or by a mask of all examples."""
    try:
        chosen = np.asarray(given)
    except ValueError:
        # Of several shapes, as inputs and targets in a list are.
        chosen = np.asarray(None)
    if chosen.dtype == bool and chosen.shape == (num_examples,):
        chosen = np.flatnonzero(chosen)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not len(chosen):
        raise InputError(
            f"{part}: must be a tuple (inputs, targets), rows, or a mask of the {num_examples} rows, "
            f"got {chosen.dtype} values of shape {chosen.shape}"
        )
    if len(np.unique(chosen)) < len(chosen) or not np.isin(chosen, rows).all():
        raise InputError(
            f"{part}: must name rows from 0 to {num_examples - 1}, each once, and none of another part"
        )
    return chosen


def read_weights(sample_weight: ArrayLike | None, num_examples: int) -> Float[np.ndarray, " examples"] | None:
    """How much each example counts; None where all count alike."""
    if sample_weight is None:
        return None
    weights = as_numbers("sample_weight", sample_weight).astype(float)
    if weights.shape != (num_examples,):
        raise InputError(
            f"sample_weight: must be one number for each of the {num_examples} examples, "
            f"got shape {weights.shape}"
        )
    checks.weights("sample_weight", weights)
    return weights


def scale_sample_weight(train: Dataset, validation: Dataset) -> tuple[Dataset, Dataset]:
    """Both parts with their weights scaled to mean 1 in training. InputError for weights that cannot be."""
    if train.weights is None:
        return train, validation
    checks.weights("sample_weight", train.weights)
    unit = train.weights.mean()
    scaled = [
        part if part.weights is None else part._replace(weights=(part.weights / unit).astype(float_dtype()))
        for part in (train, validation)
    ]
    return scaled[0], scaled[1]


def select(data: Dataset, rows: np.ndarray) -> Dataset:
    weights = None if data.weights is None else data.weights[rows]
    return Dataset(_select_rows(data.inputs, rows), data.targets[rows], weights)


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
    while isinstance(values, np.ndarray) and not isinstance(values, np.memmap):
        values = values.base
    return isinstance(values, np.memmap)
