"""What the columns of a table are: the rules by which a column is numbers, dates or categories, or left out.

Of a column of texts, what stands for nothing aside:

1. with leading zeros, as postal codes have them: categories; whole numbers so long that floats would merge
   them, as identifiers are: texts, with which 4 and 5 go on; months as 03.2024 or 202403, days as 20240331,
   hours and minutes as 202403311259, but for one in twenty or one that stands for a gap: dates;
2. of which 95 % are numbers, after separators, signs and a unit that they share: numbers, the others missing;
3. of which 95 % are dates or times: dates; of which 95 % are spans of time as "2h 30m": their seconds;
4. that are pages, or all different: left out;
5. that are at most 64 different, or of which at most 5 % are numbers: categories, the 64 most frequent;
6. what remains is refused until somebody says what it is.

Columns that have a type in memory are what it says, but for such dates. The index that a file was saved with
is left out; whole numbers that are all different stay, since they may be a price, with a warning.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxmlp import checks
from jaxmlp.data.cells import (
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
    MAX_LENGTH,
    CategoryColumn,
    Column,
    DateColumn,
    DroppedColumn,
    NumberColumn,
    infer_from_type,
)
from jaxmlp.data.dates import find_compact, find_formats
from jaxmlp.data.frames import import_pandas
from jaxmlp.data.numerals import MOST, SECONDS, find_decimals, find_unit, parse_numbers, without_unit
from jaxmlp.types import DataFrame, InputError, Series

KINDS = ("number", "decimal-point", "decimal-comma", "date", "day-first", "month-first", "text", "drop")
"""What a column may be said to be."""
NUMBER_KINDS = KINDS[:3]
_KINDS_OF = {NumberColumn: NUMBER_KINDS, DateColumn: KINDS[3:6]}
_FEW, _NEARLY_ALL = 0.05, 0.9
_SAMPLE = 50
_MONTH = re.compile(r"(0?[1-9]|1[0-2])\.(19|20)\d\d")
_UNNAMED = re.compile(r"(Unnamed: \d+|index|level_0|)")


class _UndecidedError(Exception):
    """What a column may be, of KINDS."""


def infer_columns(frame: DataFrame, said: Mapping[str, str]) -> tuple[Column, ...]:
    """How to read each column, before it has learnt from any row; ``said`` names the KINDS of some.

    InputError that names the columns which somebody has to say something about.
    """
    names = [str(name) for name in frame.columns]
    for name, kind in said.items():
        checks.known_name("columns", name, names)
        checks.known_name(f"column {name!r}", kind, KINDS)
    found = {name: _infer_or_ask(name, frame[name], said.get(name, ""), None) for name in names}
    if any(isinstance(column, str) for column in found.values()):
        # Once more, for those that the others may decide.
        marks = {mark for name, column in found.items() for mark in _decimal_marks(column, frame[name])}
        found |= {
            name: _infer_or_ask(name, frame[name], said.get(name, ""), marks)
            for name, column in found.items()
            if isinstance(column, str)
        }
    if questions := [column for column in found.values() if isinstance(column, str)]:
        more = f"; {len(questions) - 3} more columns are like that" if len(questions) > 3 else ""
        raise InputError(
            f"{'; '.join(questions[:3])}{more}; say it as --column NAME=KIND, or columns={{NAME: KIND}}"
        )
    given = (column for column in found.values() if not isinstance(column, str))
    return tuple(_without_index(column, frame[column.name], said) for column in given)


def _infer_or_ask(name: str, values: Series, said: str, marks: set[str] | None) -> Column | str:
    """The column, or the question that it poses."""
    try:
        return _infer(name, values, said, marks)
    except _UndecidedError as error:
        return f"column {name!r}: {error}"


def _infer(name: str, values: Series, said: str, marks: set[str] | None) -> Column:
    if import_pandas().api.types.infer_dtype(values, skipna=True) == "complex":
        raise InputError(f"column {name!r}: must hold real numbers, got complex ones; drop it")
    if said in ("drop", "text"):
        return CategoryColumn(name) if said == "text" else DroppedColumn(name, "as was said")
    if said in ("", "date") and (form := find_compact(values)):
        return DateColumn(name, form)
    typed = infer_from_type(name, values)
    if not said and not isinstance(typed, CategoryColumn | DateColumn) and floats_merge(values):
        return _as_texts(name, values, 0.0)
    if typed is not None and (not said or said in _KINDS_OF.get(type(typed), ())):
        return typed
    sample = sample_words(values)
    if not sample:
        return DroppedColumn(name, "it has no value in any row")
    return _of_texts(name, values, sample, said, marks)


def _of_texts(name: str, values: Series, sample: Sequence[str], said: str, marks: set[str] | None) -> Column:
    """What a column is by its texts, of which ``sample`` shows how they are written."""
    if not said and has_leading_zeros(sample):
        return CategoryColumn(name)
    share = 0.0
    if not said and all(map(_MONTH.fullmatch, sample)) and len(sample) > 1:
        return DateColumn(name, "%m.%Y")
    if said in ("", *NUMBER_KINDS):
        column: Column = _as_numbers(name, values, sample, said, marks)
        share = _share_read(column, values)
        if said and not share:
            raise InputError(f"column {name!r}: was said to hold numbers, got {shown(sample)}")
        if said or share >= MOST:
            return column
    if said or share <= _FEW:
        dates = _as_dates(name, values, sample, said)
        if dates is not None:
            return dates
    return _as_spans(name, values, sample) or _as_texts(name, values, share)


def _share_read(column: Any, values: Series) -> float:
    """Of the cells that hold something, those that can be read."""
    cells = column.read(values)
    return 1 - column.unread(cells).sum() / max(1, cells.known.sum())


def _as_numbers(
    name: str, values: Series, words: Sequence[str], said: str, marks: set[str] | None
) -> NumberColumn:
    unit = find_unit(words)
    decimals = {"decimal-point": ["."], "decimal-comma": [","]}.get(said) or find_decimals(words, unit)
    columns = [NumberColumn(name, decimal=mark, unit=unit) for mark in decimals]
    if len(columns) == 1 or _share_read(columns[0], values) < MOST:
        return columns[0]
    commas = [word for word in words if "," in word]
    if marks is not None and (len(marks) == 1 or not commas):
        return next((column for column in columns if column.decimal in marks), columns[0])
    example = (commas or words)[0]
    cell = import_pandas().Series([example], dtype=object)
    numbers = [column.read(cell).values[0] for column in columns]
    raise _UndecidedError(
        f"{example!r} may be {numbers[0]:g} (decimal-point) or {numbers[1]:g} (decimal-comma)"
    )


def _decimal_marks(column: Column | str, values: Series) -> set[str]:
    """What stands before the decimals of a column of texts that is decided."""
    if not isinstance(column, NumberColumn) or is_plain(values):
        return set()
    written = re.compile(rf"\d{re.escape(column.decimal)}\d")
    return {column.decimal} if any(map(written.search, sample_words(values))) else set()


def _as_dates(name: str, values: Series, words: Sequence[str], said: str) -> Column | None:
    formats = find_formats(words, {"day-first": True, "month-first": False}.get(said), is_said=bool(said))
    columns = [DateColumn(name, form) for form in formats]
    if not columns or (not said and _share_read(columns[0], values) < MOST):
        if said:
            raise InputError(f"column {name!r}: was said to hold dates, got {shown(words)}")
        return None
    if len(columns) > 1:
        raise _UndecidedError(f"{words[0]!r} may have its day first (day-first) or its month (month-first)")
    return columns[0]


def _as_spans(name: str, values: Series, words: Sequence[str]) -> Column | None:
    """Spans of time, whose units are there; a plain number beside them could be any."""
    column, few = NumberColumn(name, unit=SECONDS), parse_numbers(words[:_SAMPLE], ".", SECONDS)
    if 2 * np.isfinite(few).sum() < len(few) or without_unit(words, ".", SECONDS):
        return None
    return column if _share_read(column, values) >= MOST else None


def _as_texts(name: str, values: Series, share: float) -> Column:
    words = as_words(values)
    words = words[words != ""]
    if np.mean([len(word) > MAX_LENGTH for word in words]) > _FEW:
        return DroppedColumn(name, "it holds pages of text")
    num_different = len({*words.tolist()})
    all_different = num_different > _NEARLY_ALL * len(words)
    if share > _FEW and (all_different or num_different > MAX_CATEGORIES):
        odd = NumberColumn(name)
        cells = odd.read(values)
        raise _UndecidedError(
            f"{share:.0%} of its cells are numbers, and others are not, such as "
            f"{shown(values[odd.unread(cells)])}: it may be number (these count as missing), text or drop"
        )
    if all_different:
        return DroppedColumn(
            name, f"its texts are {'' if num_different == len(words) else 'nearly '}all different"
        )
    return CategoryColumn(name)


def _without_index(column: Column, values: Series, said: Mapping[str, str]) -> Column:
    """The column, left out if it is the index that a file was saved with: it has no name, and counts."""
    if column.name in said or not _UNNAMED.fullmatch(column.name) or not isinstance(column, NumberColumn):
        return column
    counts = counts_rows(column.read(values).values)
    return DroppedColumn(column.name, "it counts the rows, as a saved index does") if counts else column
