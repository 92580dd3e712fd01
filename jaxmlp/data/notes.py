"""How the columns of a table were read where nobody said it, and nothing is lost by it, in lines."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from jaxmlp.data.cells import Cells, counts_rows, is_dated, is_float, is_plain, sample_words
from jaxmlp.data.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    DroppedColumn,
    NumberColumn,
    infer_from_type,
)
from jaxmlp.data.dates import show_day
from jaxmlp.data.numerals import SECONDS
from jaxmlp.types import DataFrame, Series

_CODE = re.compile(r"\d+[eE]\d+|0\d+")
"""What may be a number, with an exponent or zeros before it, or a code."""
_DECIMALS = re.compile(r"\d+\.\d+")


def note_columns(
    columns: Sequence[Column], cells: Mapping[str, Cells], frame: DataFrame, said: Mapping[str, str]
) -> list[str]:
    """A line for each thing that the user did not say, might not expect, and loses nothing by: columns that
    never change, how texts of ``frame`` are read, and numbers that may only name the rows.
    """
    notes = []
    for column in columns:
        name = column.name
        found = _note_column(column, cells[name], frame[name], name in said) if name in cells else []
        notes += [f"column {name!r}: {note}" for note in found]
    return notes


def _note_column(column: Column, cells: Cells, values: Series, is_said: bool) -> list[str]:
    if isinstance(column, DroppedColumn):
        return [f"is {column.describe()}"]
    if isinstance(column, CategoryColumn):
        return []
    notes = _note_writing(column, values) + _note_versions(column, values)
    if not is_said and isinstance(column, NumberColumn) and counts_rows(cells.values):
        notes.append("holds whole numbers that are all different; if they only name the rows, leave it out")
    return notes


def _note_writing(column: NumberColumn | DateColumn, values: Series) -> list[str]:
    """An example of how texts are read that are more than plain numbers."""
    import pandas

    form, typed = getattr(column, "format", ""), infer_from_type(column.name, values)
    words = [] if typed is not None and (is_dated(values) or not form) else sample_words(values)
    words = [word for word in words if form or _CODE.fullmatch(word) or not is_float(word)]
    numbers = column.read(pandas.Series(words, dtype=object)).values
    for word, number in zip(words, numbers, strict=True):
        if np.isfinite(number):
            return [f"{word!r} is the {_describe(column, number)}"]
    return []


def _describe(column: NumberColumn | DateColumn, number: float) -> str:
    if isinstance(column, DateColumn):
        day = show_day(number, column.format)
        return f"{'date' if '-' in day else 'time'} {day}"
    return f"number{' of seconds' * (column.unit == SECONDS)} {number:.15g}"


def _note_versions(column: NumberColumn | DateColumn, values: Series) -> list[str]:
    """Numbers with and without zeros at their end, as versions have them: 3.9 and 3.10."""
    if is_plain(values) or not isinstance(column, NumberColumn) or column.unit:
        return []
    decimals = {word: word.partition(".")[2] for word in sample_words(values) if _DECIMALS.fullmatch(word)}
    padded = next((word for word, digits in decimals.items() if digits.endswith("0")), None)
    if padded is None or len({*map(len, decimals.values())}) == 1:
        return []
    return [f"{padded!r} is the number {float(padded):.15g}; if these are versions, say that it is text"]
