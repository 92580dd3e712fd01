"""What somebody should know of how the columns of a table were read, in lines."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxmlp.data.cells import shown
from jaxmlp.data.columns import (
    MAX_CATEGORIES,
    CategoryColumn,
    Column,
    DateColumn,
    DroppedColumn,
    NumberColumn,
)
from jaxmlp.data.inference import counts_rows, of_type, sample_words

if TYPE_CHECKING:
    import pandas


def remark_columns(
    columns: Sequence[Column], frame: "pandas.DataFrame", said: Mapping[str, str]
) -> list[str]:
    """A line for each thing in ``frame`` that the user did not say, and might not expect."""
    return [remark for column in columns for remark in _remarks(column, frame[column.name], said)]


def _remarks(column: Column, values: "pandas.Series", said: Mapping[str, str]) -> list[str]:
    """What somebody should know of how a column is read."""
    begin = f"column {column.name!r}:"
    if isinstance(column, DroppedColumn):
        return [] if column.name in said else [f"{begin} is {column.describe()}"]
    cells = column.read(values)
    if isinstance(column, CategoryColumn):
        num_different = len({*cells.values[cells.known].tolist()})
        rest = f"{begin} has {num_different:,} categories, and the {MAX_CATEGORIES} most frequent are learnt"
        return [rest] if num_different > MAX_CATEGORIES else []
    unread = column.unread(cells)
    kind = "dates" if isinstance(column, DateColumn) else "numbers"
    notes = _remark_reading(column, values)
    if unread.any():
        share = f"{int(unread.sum()):,} of {len(unread):,} cells"
        notes.append(f"{begin} {share} are no {kind} and count as missing: {shown(values[unread])}")
    if column.name not in said and isinstance(column, NumberColumn) and counts_rows(cells.values):
        notes.append(
            f"{begin} holds whole numbers that are all different; if they only name the rows, leave it out"
        )
    return notes


def _remark_reading(column: NumberColumn | DateColumn, values: "pandas.Series") -> list[str]:
    """An example of how texts are read that are more than plain numbers."""
    if of_type(column.name, values) is not None:
        return []
    plain = NumberColumn(column.name)
    for word in sample_words(values):
        cell = values.iloc[:0].reindex([0], fill_value=word)
        if not np.isfinite(plain.read(cell).values[0]) and np.isfinite(number := column.read(cell).values[0]):
            read = f"{number:.15g}" if isinstance(column, NumberColumn) else "a date"
            return [
                f"column {column.name!r}: is read as {column.describe().split(';')[0]}: {word!r} is {read}"
            ]
    return []
