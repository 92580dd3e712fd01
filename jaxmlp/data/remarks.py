"""What somebody should know of how the columns of a table were read, in lines."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxmlp.data.cells import (
    Cells,
    as_word,
    as_words,
    counts_rows,
    floats_merge,
    has_leading_zeros,
    is_plain,
    sample_words,
    shown,
)
from jaxmlp.data.columns import (
    MAX_CATEGORIES,
    CategoryColumn,
    Column,
    DateColumn,
    DroppedColumn,
    NumberColumn,
    infer_from_type,
)
from jaxmlp.data.dates import may_be_months
from jaxmlp.data.numerals import find_decimals, shown_decimals

if TYPE_CHECKING:
    import pandas

_CODE = re.compile(r"\d+[eE]\d+")
"""What may be a number with an exponent, or a code."""
_TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|summe|gesamt(summe)?|insgesamt|somme|suma|totale|итого|合计|合計)\s*:?",
    re.IGNORECASE,
)
_DECIMALS = re.compile(r"\d+\.\d+")
_OFTEN, _SEVERAL = 0.01, 10
"""The share of rows in which a number that stands for a gap is, and how many others there are beside it."""


def remark_columns(
    columns: Sequence[Column], cells: Mapping[str, Cells], frame: "pandas.DataFrame", said: Mapping[str, str]
) -> list[str]:
    """A line for each column, category or cell that is lost, which the user did not say; ``cells`` are those
    of the columns by name, as they are read of ``frame``.
    """
    remarks = []
    for column in columns:
        name = column.name
        if name in cells:
            found = _remark_lost(column, cells[name], frame[name])
            if name not in said:
                found += _remark_doubtful(column, cells[name], frame[name])
                found += _remark_thousands(column, frame) if isinstance(column, NumberColumn) else []
        else:
            found = [] if name in said else [f"is {column.describe()}"]
        if isinstance(column, CategoryColumn | DroppedColumn) and name not in said:
            found += _remark_months(frame[name])
        remarks += [f"column {name!r}: {remark}" for remark in found]
    return remarks


def remark_last_row(frame: "pandas.DataFrame") -> list[str]:
    """Whether the last row seems to be the sum of the others, as spreadsheets have it below them."""
    for name in frame:
        values = frame[name]
        word = "" if is_plain(values) else as_word(values.iloc[-1])
        if _TOTAL.fullmatch(word) and (as_words(values) == word).sum() == 1:
            return [f"the last row holds {word!r}; if it sums up the others, leave it out"]
    return []


def note_columns(
    columns: Sequence[Column], cells: Mapping[str, Cells], frame: "pandas.DataFrame", said: Mapping[str, str]
) -> list[str]:
    """A line for each thing that the user did not say, might not expect, and loses nothing by: columns that
    never change, how texts of ``frame`` are read, and numbers that may only name the rows.
    """
    notes = []
    for column in columns:
        if isinstance(column, DroppedColumn):
            found = [f"is {column.describe()}"] if column.name in {*cells} - {*said} else []
        elif isinstance(column, CategoryColumn):
            found = []
        else:
            found = _note_numbers(column, cells[column.name], frame[column.name], column.name in said)
        notes += [f"column {column.name!r}: {note}" for note in found]
    return notes


def _remark_lost(column: Column, cells: Cells, values: "pandas.Series") -> list[str]:
    if isinstance(column, DroppedColumn):
        return []
    if isinstance(column, CategoryColumn):
        number = len({*cells.values[cells.known].tolist()})
        text = f"has {number:,} categories, and the {MAX_CATEGORIES} most frequent are learnt"
        return [text] if number > MAX_CATEGORIES else []
    unread = column.unread(cells)
    kind = "dates" if isinstance(column, DateColumn) else "numbers"
    share = f"{int(unread.sum()):,} of {len(unread):,} cells"
    return [f"{share} are no {kind} and count as missing: {shown(values[unread])}"] if unread.any() else []


def _remark_doubtful(column: Column, cells: Cells, values: "pandas.Series") -> list[str]:
    """What may have been meant otherwise."""
    if isinstance(column, CategoryColumn):
        if floats_merge(values):
            return ["is taken for categories, since its whole numbers are too long to compute with"]
        return [] if infer_from_type(column.name, values) is not None else _remark_numerals(values)
    if isinstance(column, NumberColumn):
        return _remark_sentinels(cells.values) + (_remark_bare(column.unit, values) if column.unit else [])
    return _remark_sentinels(cells.values, is_date=True) if isinstance(column, DateColumn) else []


def _remark_months(values: "pandas.Series") -> list[str]:
    """Texts that may be months of a year, or days of any."""
    words = [] if infer_from_type("", values) is not None else sample_words(values)
    if not may_be_months(words):
        return []
    return [f"looks like months of years, such as {words[0]!r}; if it holds these, say that it is date"]


def _remark_numerals(values: "pandas.Series") -> list[str]:
    """Categories that are numbers but for a few words, as where "?" stands for a gap."""
    words = sample_words(values)
    others = [word for word in words if not _is_plain_number(word)]
    if not others or 2 * len(others) > len(words) or has_leading_zeros(words):
        return []
    return [
        f"is taken for categories, though most are numbers, since others are not, {shown(others)}; where "
        "these stand for gaps, say that it is number"
    ]


def _remark_thousands(column: NumberColumn, frame: "pandas.DataFrame") -> list[str]:
    """Numbers such as 1.250, where no column of texts shows what stands before decimals."""
    texts = {name: frame[name] for name in frame if not is_plain(frame[name])}
    words = sample_words(texts[column.name]) if column.name in texts and column.decimal == "." else []
    grouped = [word for word in words if "." in word]
    if not grouped or len(find_decimals(words, column.unit)) < 2:
        return []
    if any(shown_decimals(sample_words(values)) for values in texts.values()):
        return []
    return [f"{grouped[0]!r} is taken for a decimal; if points group thousands, say that it is decimal-comma"]


def _remark_bare(unit: str, values: "pandas.Series") -> list[str]:
    """Numbers without the unit that the others have, among texts."""
    words = [] if is_plain(values) else sample_words(values)
    bare = [word for word in words if _is_plain_number(word) and float(word)]
    return [f"in numbers such as {shown(bare)} {unit!r} is missing, and taken to be meant"] if bare else []


def _note_numbers(
    column: NumberColumn | DateColumn, cells: Cells, values: "pandas.Series", is_said: bool
) -> list[str]:
    notes = _note_writing(column, values) + _note_versions(column, values)
    if not is_said and isinstance(column, NumberColumn) and counts_rows(cells.values):
        notes.append("holds whole numbers that are all different; if they only name the rows, leave it out")
    return notes


def _remark_sentinels(numbers: np.ndarray, *, is_date: bool = False) -> list[str]:
    """A number that is there again and again, and farther from all others than they are from each other, as
    -999 is among ages.
    """
    numbers, remarks = numbers[np.isfinite(numbers)], []
    for end in (np.min, np.max) if len(numbers) else ():
        number = end(numbers)
        others = numbers[numbers != number]
        count = len(numbers) - len(others)
        if count < max(3, _OFTEN * len(numbers)) or len(np.unique(others)) < _SEVERAL:
            continue
        if np.abs(others - number).min() > 2 * np.ptp(others):
            shown_as = np.datetime64(int(number), "D") if is_date else f"{number:.15g}"
            remarks.append(
                f"is {shown_as} in {count:,} rows, far from all others; if that stands for a gap, leave "
                "these cells empty"
            )
    return remarks


def _note_writing(column: NumberColumn | DateColumn, values: "pandas.Series") -> list[str]:
    """An example of how texts are read that are more than plain numbers."""
    import pandas

    words = [] if infer_from_type(column.name, values) is not None else sample_words(values)
    words = [word for word in words if _CODE.fullmatch(word) or not _is_plain_number(word)]
    numbers = column.read(pandas.Series(words, dtype=object)).values
    for word, number in zip(words, numbers, strict=True):
        if np.isfinite(number):
            return [
                f"{word!r} is {f'the number {number:.15g}' if isinstance(column, NumberColumn) else 'a date'}"
            ]
    return []


def _note_versions(column: NumberColumn | DateColumn, values: "pandas.Series") -> list[str]:
    """Numbers with and without zeros at their end, as versions have them: 3.9 and 3.10."""
    if is_plain(values) or not isinstance(column, NumberColumn) or column.unit:
        return []
    decimals = {word: word.partition(".")[2] for word in sample_words(values) if _DECIMALS.fullmatch(word)}
    padded = next((word for word, digits in decimals.items() if digits.endswith("0")), None)
    if padded is None or len({*map(len, decimals.values())}) == 1:
        return []
    return [f"{padded!r} is the number {float(padded):.15g}; if these are versions, say that it is text"]


def _is_plain_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
