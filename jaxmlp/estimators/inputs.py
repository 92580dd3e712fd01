"""What estimators are given, as numbers: frames by their columns, arrays as columns of numbers with gaps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from jaxmlp import checks
from jaxmlp.data.arrays import check_unmasked
from jaxmlp.data.blocks import is_nothing, unmixed
from jaxmlp.data.cells import Cells
from jaxmlp.data.columns import Column, DroppedColumn, NumberColumn, used_columns
from jaxmlp.data.encoding import check_new_cells, encode_cells, transform_columns
from jaxmlp.data.folds import assign_folds
from jaxmlp.data.frames import as_frame, import_pandas
from jaxmlp.data.learning import learn_columns
from jaxmlp.runtime.console import warn
from jaxmlp.types import AnyArray, InputError

Inputs = Shaped[np.ndarray, "rows inputs"]
Features = Shaped[np.ndarray, "rows features"]


def is_frame(X: Any) -> bool:
    """Whether it is a table of pandas, polars or pyarrow, whose columns have names and types."""
    return hasattr(X, "columns")


def learn_inputs(table: Any, said: Mapping[str, str] | None) -> tuple[tuple[Column, ...], Inputs]:
    """How each column of a frame or of an array of numbers is read, and its rows as numbers. What a frame's
    columns are follows the rules of ``inference``, which ``said`` overrules; missing numbers of an array,
    called x0, x1, …, are filled as those of a table are. InputError where no column is left.
    """
    if is_frame(table):
        frame = as_frame(table)
        columns, cells = learn_columns(frame, np.arange(len(frame)), said or {})
        return columns, encode_cells(cells)
    if said:
        raise InputError(f"columns: are those of a frame, and X is an array; leave out {dict(said)}")
    columns = tuple(NumberColumn(f"x{place}").fit(_cells(values)) for place, values in enumerate(table.T))
    if not used_columns(columns):
        raise InputError("X: no feature changes from row to row, so that there is nothing to learn from")
    return columns, _encode_array(table, columns)


def read_inputs(table: Any, columns: Sequence[Column]) -> Inputs:
    """Other rows, with the same columns in the same order, as the same numbers. Warns, and raises InputError,
    as ``transform_columns`` does.
    """
    names = [column.name for column in columns]
    if is_frame(table):
        return transform_columns(as_frame(table).set_axis(names, axis=1), columns)
    if are_numbers(columns):
        return _encode_array(table, columns)
    return transform_columns(import_pandas().DataFrame(table, columns=names), columns)


def as_labels(y: Any) -> Any:
    """Classes as an array, with the type that they have: whole numbers of pandas would become floats, and
    gaps beside words would become words. InputError for these, and for classes of several kinds.
    """
    check_unmasked("y", y)
    values = unmixed(y)
    if values.ndim == 0:
        # No array at all, which is scikit-learn's to refuse.
        return y
    return _of_one_kind(values) if values.dtype == object else values


def _of_one_kind(values: Shaped[np.ndarray, "..."]) -> np.ndarray:
    cells = values.ravel().tolist()
    if (missing := np.array([is_nothing(cell) for cell in cells], bool)).any():
        raise InputError(
            f"y: is missing in {missing.sum()} of {len(cells)} rows, the first is row {missing.argmax()}; "
            "fill or drop them"
        )
    if len(kinds := {type(cell) for cell in cells}) > 1:
        named = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"y: classes must be of one kind, got {named}; write them as one, such as texts")
    return np.array(cells).reshape(values.shape) if kinds <= {bool, int, float} else values


def check_undated(argument: str, values: Shaped[np.ndarray, "..."]) -> None:
    if values.dtype.kind in "mM":
        raise InputError(f"{argument}: holds dates or times; give numbers, such as days, or as X a DataFrame")


def are_numbers(columns: Sequence[Column]) -> bool:
    """Whether an array of numbers has all that is read of these columns."""
    return all(isinstance(column, NumberColumn | DroppedColumn) for column in columns)


def _encode_array(array: Features, columns: Sequence[Column]) -> Inputs:
    """The array without what is left out; as it is where there are no gaps, since it may be large."""
    used = [column for column in columns if isinstance(column, NumberColumn)]
    places = [place for place, column in enumerate(columns) if column in used]
    kept = array if len(used) == len(columns) else array[:, places]
    if not any(column.gaps for column in used) and not np.isnan(kept).any():
        return kept
    read = list(zip(used, map(_cells, kept.T), strict=True))
    for column, cells in read:
        check_new_cells(column, cells, cells.values)
    return encode_cells(read)


def _cells(values: Shaped[np.ndarray, " rows"]) -> Cells:
    return Cells(values, ~np.isnan(values))


def hold_out(
    targets: Shaped[AnyArray, "rows ..."], share: float, seed: int, class_names: Sequence[Any]
) -> Int[np.ndarray, " held_out"] | None:
    """About this share of the rows, drawn as a fold is; None, with a warning, where there are too few, and
    where the share is 0.
    """
    if not checks.fraction("validation_fraction", share):
        return None
    num_folds = max(2, round(1 / share))
    largest = np.bincount(targets).max() if len(class_names) else len(targets)
    if largest < num_folds:
        warn(f"validation_fraction: {len(targets)} rows are too few to hold any out, and all are learnt from")
        return None
    return np.flatnonzero(assign_folds(targets, num_folds, seed=seed, class_names=class_names) == 0)
