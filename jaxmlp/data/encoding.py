"""The rows of a table as numbers: those that are learnt from, and new ones, which are looked at first."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmlp import checks
from jaxmlp.data.arrays import MAX_NUMBER
from jaxmlp.data.cells import Cells, are_numbers, is_duration, is_plain, sample_words, shown
from jaxmlp.data.columns import CategoryColumn, Column, DateColumn, NumberColumn, Used, used_columns
from jaxmlp.data.frames import check_frame
from jaxmlp.data.numerals import MARK_NAMES, SECONDS, parse_numbers, tell_bare, without_unit
from jaxmlp.runtime.console import warn
from jaxmlp.types import DataFrame, InputError, Series

# What is wrong with cells that cannot be read, and what they count as.
_UNREAD = {
    NumberColumn: ("are no numbers", "missing"),
    DateColumn: ("are no dates", "missing"),
    CategoryColumn: ("were not learnt", "none of the known categories"),
}


def read_cells(frame: DataFrame, columns: Sequence[Column]) -> list[tuple[Used, Cells]]:
    """Each column that is not left out, with its cells. InputError for one that ``frame`` lacks."""
    found = []
    for column in used_columns(columns):
        if column.name not in frame:
            nearest = checks.nearest_name(column.name, frame.columns)
            there = (
                f"; did you mean {nearest!r}?" if nearest else f", which has {_format_names(frame.columns)}"
            )
            raise InputError(f"column {column.name!r}: is not in the table{there}")
        found.append((column, column.read(frame[column.name])))
    return found


def encode_cells(read: Iterable[tuple[Used, Cells]]) -> Float[np.ndarray, "rows values"]:
    """The rows as numbers. InputError for numbers that a device cannot compute with."""
    values: list[np.ndarray] = []
    for column, cells in read:
        if not isinstance(column, CategoryColumn):
            large = np.abs(cells.values, where=cells.known, out=np.zeros(len(cells.values))) > MAX_NUMBER
            if large.any():
                raise InputError(
                    f"column {column.name!r}: must hold numbers of at most {MAX_NUMBER:.0e}, got "
                    f"{cells.values[large][0]:g} in row {int(large.argmax())}"
                )
        values += column.encode(cells)
    return np.column_stack(values).astype(float)


def transform_columns(frame: DataFrame, columns: Sequence[Column]) -> Float[np.ndarray, "rows values"]:
    """The rows of ``frame`` as numbers; its columns may come in any order, and others are left out.

    A line on stderr tells of each column with cells that are new or cannot be read, or that misses what the
    training rows had. InputError for a column that is not there, or in which two rows or more have something,
    and nothing that can be read.
    """
    frame = check_frame(frame)
    read = read_cells(frame, columns)
    for column, cells in read:
        if isinstance(column, NumberColumn):
            check_marks(column, frame[column.name])
            for told in _tell_units(column, cells, frame[column.name]):
                warn(f"column {column.name!r}: {told}")
        check_new_cells(column, cells, frame[column.name])
    return encode_cells(read)


def check_marks(column: NumberColumn, values: Series) -> None:
    """InputError where more of the texts are numbers with another decimal mark than with the one that was
    learnt; a warning where as many are, and are other numbers, as "9,604" is.
    """
    words = sample_words(values[~are_numbers(values)])
    (other,) = {*MARK_NAMES} - {column.decimal}
    own, swapped = (parse_numbers(words, mark, column.unit) for mark in (column.decimal, other))
    learnt = f"it was learnt with {MARK_NAMES[column.decimal]}"
    more = np.isfinite(swapped).sum() - np.isfinite(own).sum()
    if more > 0:
        word = words[int((np.isfinite(swapped) & np.isnan(own)).argmax())]
        raise InputError(
            f"column {column.name!r}: has {MARK_NAMES[other]}, as in {word!r}, and {learnt}; write it so"
        )
    both = zip(words, own, swapped, strict=True)
    grouped = [(word, one) for word, one, two in both if other in word and np.isfinite(two) and one != two]
    if more == 0 and grouped:
        warn(f"column {column.name!r}: {grouped[0][0]!r} is the number {grouped[0][1]:.15g}, since {learnt}")


def _tell_units(column: NumberColumn, cells: Cells, values: Series) -> list[str]:
    """That plain numbers are read as those with the unit that was learnt, or spans of time as others were."""
    if is_duration(values) and values.notna().any():
        told = "holds spans of time, and was learnt as numbers; they count in seconds"
        return [] if column.unit == SECONDS else [told]
    bare = _find_bare(column, cells, values) if column.unit else []
    if column.unit == SECONDS:
        return ["holds numbers, and was learnt as spans of time; they count in seconds"] if bare else []
    return tell_bare(bare, column.unit)


def _find_bare(column: NumberColumn, cells: Cells, values: Series) -> list[Any]:
    """Some numbers without the unit that was learnt."""
    if is_plain(values):
        return values[np.isfinite(cells.values)].head().tolist()
    return without_unit(sample_words(values), column.decimal, column.unit)


def check_new_cells(column: Used, cells: Cells, values: Series | np.ndarray) -> None:
    """Warn of cells of other rows, ``values``, that are new, cannot be read, or are missing against what was
    learnt. InputError where there are several and nothing that can be read.
    """
    unread, total = column.unread(cells), len(cells.known)
    if unread.any():
        fault, counted = _UNREAD[type(column)]
        line = f"column {column.name!r}: {_share(unread)} cells {fault}: {shown(values[unread])}"
        if unread.sum() > 1 and (unread == cells.known).all():
            raise InputError(f"{line}; was learnt as {column.describe()}")
        warn(f"{line}; they count as {counted}")
    learnt = "" in column.categories if isinstance(column, CategoryColumn) else column.gaps
    missing = int((~cells.known).sum())
    # Of a single row, a gap as in training tells nothing.
    if missing and (not learnt or 2 * missing > max(total, 2)):
        never = "" if learnt else ", and never was in training"
        warn(f"column {column.name!r}: is missing in {_share(~cells.known)} rows{never}")


def _share(mask: np.ndarray) -> str:
    return f"{int(mask.sum()):,} of {len(mask):,}"


def _format_names(names: Any) -> str:
    first = ", ".join(map(repr, list(map(str, names))[:8]))
    return f"{first}, …" if len(names) > 8 else first
