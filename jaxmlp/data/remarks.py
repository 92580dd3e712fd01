"""What somebody should know of how the columns of a table were read, in lines."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np

from jaxmlp.data.cells import (
    Cells,
    are_truths,
    as_word,
    as_words,
    floats_merge,
    has_leading_zeros,
    is_plain,
    sample_words,
    shown,
    tell_alike,
    tell_digits,
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
from jaxmlp.data.dates import are_mostly_dates, may_be_months, show_day
from jaxmlp.data.numerals import (
    find_decimals,
    find_units,
    is_numeral,
    shown_decimals,
    tell_bare,
    without_unit,
)
from jaxmlp.types import DataFrame, Series

_TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|summe|gesamt(summe)?|insgesamt|somme|suma|totale|итого|合计|合計)\s*:?",
    re.IGNORECASE,
)
_OFTEN, _SEVERAL = 0.01, 10
"""The share of rows in which a number that stands for a gap is, and how many others there are beside it."""


def remark_columns(
    columns: Sequence[Column], cells: Mapping[str, Cells], frame: DataFrame, said: Mapping[str, str]
) -> list[str]:
    """A line for each column, category or cell that is lost, which the user did not say; ``cells`` are those
    of the columns by name, as they are read of ``frame``.
    """
    remarks: list[str] = []
    # Once at most, since a table may have thousands of columns.
    shows_decimals = cache(partial(_shows_decimals, frame))
    for column in columns:
        name = column.name
        found = _remark_lost(column, cells[name], frame[name]) if name in cells else []
        if name not in said:
            found += _remark_doubtful(column, cells.get(name), frame[name], shows_decimals)
        remarks += [f"column {name!r}: {remark}" for remark in found]
    return remarks


def remark_last_row(frame: DataFrame) -> list[str]:
    """Whether the last row seems to be the sum of the others, as spreadsheets have it below them."""
    for name in frame:
        values = frame[name]
        word = "" if is_plain(values) else as_word(values.iloc[-1])
        if _TOTAL.fullmatch(word) and (as_words(values) == word).sum() == 1:
            return [f"the last row holds {word!r}; if it sums up the others, leave it out"]
    return []


def _remark_lost(column: Column, cells: Cells, values: Series) -> list[str]:
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


def _remark_doubtful(
    column: Column, cells: Cells | None, values: Series, shows_decimals: Callable[[], bool]
) -> list[str]:
    """What may have been meant otherwise; ``cells`` are None where none were read."""
    if isinstance(column, DroppedColumn) or cells is None:
        left_out = [f"is {column.describe()}"] if cells is None else []
        return left_out + _remark_missed(values)
    if isinstance(column, CategoryColumn):
        return _remark_words(column, cells, values) + _remark_missed(values)
    if isinstance(column, DateColumn):
        return _remark_sentinels(cells.values, is_date=True) + _remark_century(column, cells, values)
    # Those without the unit that the others have.
    bare = without_unit(sample_words(values), column.decimal, column.unit) if column.unit else []
    sentinels = _remark_sentinels(cells.values)
    return sentinels + tell_bare(bare, column.unit) + _remark_thousands(column, values, shows_decimals)


def _remark_missed(values: Series) -> list[str]:
    """Of texts that are no numbers and no dates, what speaks for these."""
    words = [] if infer_from_type("", values) is not None else sample_words(values)
    if may_be_months(words):
        return [f"looks like months of years, such as {words[0]!r}; if it holds these, say that it is date"]
    if (are_dates := are_mostly_dates(words)) is not None and not are_dates.all():
        dates, others = np.array(words, object)[are_dates], np.array(words, object)[~are_dates]
        return [
            f"holds dates such as {dates[0]!r}, and others that are not written so, {shown(others)}; "
            "write all alike, or say that it is date where these stand for gaps"
        ]
    if len(units := find_units(words)) > 1:
        return [f"are numbers with several units, {shown(units)}; give all in one, or say that it is text"]
    return []


def _remark_century(column: DateColumn, cells: Cells, values: Series) -> list[str]:
    """Years of two digits, of which those up to 68 are taken for this century."""
    if "%y" not in column.format or not np.nanmax(cells.values) > np.datetime64("today").astype(int):
        return []
    last = int(np.nanargmax(cells.values))
    return [
        f"{shown(values.iloc[[last]])} is the date {show_day(cells.values[last], column.format)}; if it was "
        "earlier, write years with four digits"
    ]


def _remark_words(column: CategoryColumn, cells: Cells, values: Series) -> list[str]:
    """Categories that may be numbers, or one."""
    if floats_merge(values):
        return ["is taken for categories, since its whole numbers are too long to compute with"]
    if infer_from_type(column.name, values) is not None:
        return []
    words = sample_words(values)
    truths = are_truths({*column.categories} - {""})
    several = tell_alike({*cells.values[cells.known].tolist()}, "categories")
    return (tell_digits(words) if truths else _remark_numerals(words)) + several


def _remark_numerals(words: Sequence[str]) -> list[str]:
    """Categories that are numbers but for a few words, as where "?" stands for a gap."""
    others = [word for word in words if not is_numeral(word)]
    if not others or 2 * len(others) > len(words) or has_leading_zeros(words):
        return []
    return [
        f"is taken for categories, though most are numbers, since others are not, {shown(others)}; where "
        "these stand for gaps, say that it is number"
    ]


def _remark_thousands(column: NumberColumn, values: Series, shows_decimals: Callable[[], bool]) -> list[str]:
    """Numbers such as 1.250, where no column of texts shows what stands before decimals."""
    words = [] if is_plain(values) or column.decimal != "." else sample_words(values)
    grouped = [word for word in words if "." in word]
    if not grouped or len(find_decimals(words, column.unit)) < 2 or shows_decimals():
        return []
    return [f"{grouped[0]!r} is taken for a decimal; if points group thousands, say that it is decimal-comma"]


def _shows_decimals(frame: DataFrame) -> bool:
    texts = (frame[name] for name in frame if not is_plain(frame[name]))
    return any(shown_decimals(sample_words(values)) for values in texts)


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
