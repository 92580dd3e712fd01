"""What estimators are given, as numbers: frames by their columns, arrays as columns of numbers with gaps."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped
from sklearn.utils import check_array

from jaxmlp import checks
from jaxmlp.data.arrays import check_unmasked
from jaxmlp.data.blocks import is_nothing, unmixed
from jaxmlp.data.cells import Cells
from jaxmlp.data.columns import Column, DroppedColumn, NumberColumn, used_columns
from jaxmlp.data.encoding import check_new_cells, encode_cells, transform_columns
from jaxmlp.data.folds import NO_FOLD, assign_folds
from jaxmlp.data.frames import as_frame, import_pandas
from jaxmlp.data.learning import learn_columns
from jaxmlp.runtime.console import warn
from jaxmlp.types import AnyArray, DataFrame, InputError

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


def place_left_out(frame: DataFrame, columns: Sequence[Column]) -> DataFrame:
    """The frame with the columns that nothing was learnt from where they were in ``fit``, and empty where it
    lacks them: new rows need not have them.
    """
    left_out = {place: one.name for place, one in enumerate(columns) if isinstance(one, DroppedColumn)}
    unused = {*left_out.values()}
    names = [name for name in frame if name not in unused]
    for place, name in left_out.items():
        names.insert(place, name)
    return frame if names == [*frame] else frame.reindex(columns=names)


def as_array(X: Any, columns: Sequence[Column] | None, estimator: Any) -> Features:
    """What is no frame as an array, whose NaN are gaps: of numbers in ``fit``, where no columns are known
    yet, and where all that is read of them are numbers. A ValueError for what is none.
    """
    check_unmasked("X", X)
    X = check_array(
        X,
        dtype="numeric" if columns is None or are_numbers(columns) else None,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if columns is None else 1,
        estimator=estimator,
        input_name="X",
    )
    check_undated("X", X)
    return X


def name_target(y: Any, targets: Shaped[np.ndarray, "rows ..."]) -> str | None:
    """What a target is called in the table that it comes from, "y" elsewhere; None for several."""
    if targets.ndim > 1:
        return None
    name = y.columns[0] if is_frame(y) else getattr(y, "name", None)
    return "y" if name in (None, "") else str(name)


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
    if kinds == {int}:
        checks.class_names("y", {*cells})
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
    """About this share of the rows, drawn as folds are; None, with a warning, where there are too few, and
    where the share is 0.
    """
    if not (share := checks.fraction("validation_fraction", share)):
        return None
    held = Fraction(share).limit_denominator(max(10, round(1 / min(share, 1 - share))))
    largest = np.bincount(targets).max() if len(class_names) else len(targets)
    if largest < held.denominator:
        warn(f"validation_fraction: {len(targets)} rows are too few to hold any out, and all are learnt from")
        return None
    folds = assign_folds(targets, held.denominator, seed=seed, class_names=class_names)
    return np.flatnonzero((folds != NO_FOLD) & (folds < held.numerator))
