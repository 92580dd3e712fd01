"""The columns of a table as numbers, and new rows as the same numbers.

A column of numbers has its gaps filled with the median of the training rows, and, if it has gaps there, a
second column that says where; any other column becomes one column for each category.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from jaxtyping import Float

from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas


class NumberColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="number", tag_field="kind"):
    """How a column of numbers is read."""

    name: str
    fill: float
    """What stands for a missing number."""
    gaps: bool
    """Whether a second number says that the first was missing."""

    def transform(self, values: "pandas.Series") -> list[np.ndarray]:
        """The numbers, with their gaps filled."""
        numbers = parse_numbers(self.name, values).to_numpy()
        missing = np.isnan(numbers)
        return [np.where(missing, self.fill, numbers), *([missing] if self.gaps else [])]


class CategoryColumn(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="category", tag_field="kind"
):
    """How a column of anything else is read."""

    name: str
    categories: tuple[str, ...]
    """Each becomes a number, 1 where it holds; any other value is 0 in all of them."""

    def transform(self, values: "pandas.Series") -> list[np.ndarray]:
        """For each category, where it holds."""
        words = _as_category_names(values).to_numpy(object)
        return [words == category for category in self.categories]


Column = NumberColumn | CategoryColumn
"""How one column of a table becomes numbers."""


MAX_CATEGORIES = 64
MAX_COLUMNS = 50_000
_MISSING = ""


def fit_columns(frame: "pandas.DataFrame") -> tuple[Column, ...]:
    """How to read each column of ``frame``, learnt from its rows; InputError for one without any value."""
    return tuple(_fit_column(str(name), frame[name]) for name in frame.columns)


def _fit_column(name: str, values: "pandas.Series") -> Column:
    numeric = is_numeric(values)
    known = parse_numbers(name, values) if numeric else values
    if known.isna().all():
        raise InputError(f"column {name!r}: has no value in any training row; drop it from the table")
    if numeric:
        return NumberColumn(name, float(known.median()), bool(known.isna().any()))
    frequent = _as_category_names(values).value_counts().index[:MAX_CATEGORIES]
    return CategoryColumn(name, tuple(sorted(frequent)))


def transform_columns(
    frame: "pandas.DataFrame", columns: Sequence[Column]
) -> Float[np.ndarray, "rows values"]:
    """The rows of ``frame`` as numbers; its columns may come in any order, and others are left out.

    InputError for a column that is not there or holds what is no number where numbers were learnt.
    """
    frame = check_frame(frame)
    values: list[np.ndarray] = []
    for column in columns:
        if column.name not in frame:
            raise InputError(
                f"column {column.name!r}: is not in the table, which has {_format_names(frame.columns)}"
            )
        values += column.transform(frame[column.name])
    return np.column_stack(values).astype(float)


def check_frame(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """The table with text as its columns' names, if it has rows and no two columns of one name."""
    if not len(frame):
        raise InputError("table: must hold at least one row, got none")
    frame = frame.rename(columns=str)
    try:
        check_width(frame.shape[1])
        check_names(frame.columns)
    except InputError as error:
        raise InputError(f"table: {error}") from None
    return frame


def check_width(num_columns: int) -> None:
    if num_columns > MAX_COLUMNS:
        raise InputError(f"must have at most {MAX_COLUMNS} columns, got about {num_columns}")


def check_names(names: Iterable[Any]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"has two columns called {name!r}; rename one")


def is_numeric(values: "pandas.Series") -> bool:
    """Whether all are numbers, also where their type is "object"; truth values are none."""
    kind = import_pandas().api.types.infer_dtype(values, skipna=True)
    return kind in ("integer", "floating", "mixed-integer-float", "decimal")


def _as_category_names(values: "pandas.Series") -> "pandas.Series":
    """Each value as text, so that 1, 1.0 and "1", or True and "True", are one category; a gap is one, too."""
    words = values.astype(object).where(values.notna(), _MISSING).astype(str)
    # Whole numbers beside gaps are read as floats.
    return words.str.removesuffix(".0")


def parse_numbers(name: str, values: "pandas.Series") -> "pandas.Series":
    numbers = import_pandas().to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        raise InputError(f"column {name!r}: must hold numbers, got {values[wrong].iloc[0]!r}")
    return numbers.replace([np.inf, -np.inf], np.nan)


def _format_names(names: Any) -> str:
    shown = ", ".join(map(repr, list(map(str, names))[:8]))
    return f"{shown}, …" if len(names) > 8 else shown


def import_pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise InputError("tables need pandas; install the extra: pip install 'jaxmlp[tables]'") from None
    return pandas
