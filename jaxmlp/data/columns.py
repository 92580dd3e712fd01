"""The columns of a table as numbers, and new rows as the same numbers.

What a column is (numbers, dates, categories) is found by ``inference``; here is what each makes
of its cells. A gap is filled with the median of the training rows; where there were gaps, a second number
says so.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

from jaxmlp.data.cells import Cells, are_truths, as_words, is_dated, is_duration, is_plain
from jaxmlp.data.dates import ISO, cycle_parts, find_cycles, read_days, show_day
from jaxmlp.data.numerals import SECONDS, read_numbers
from jaxmlp.printing import one_line
from jaxmlp.types import Series


class NumberColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="number", tag_field="kind"):
    """How a column of numbers is read."""

    name: str
    fill: float = 0.0
    """What stands for a missing number."""
    gaps: bool = False
    """Whether a second number says that the first was missing."""
    decimal: str = "."
    """What stands before the decimals, in texts."""
    unit: str = ""
    """What stands beside the numbers, in texts."""

    def read(self, values: Series) -> Cells:
        return read_numbers(values, self.decimal, self.unit)

    def fit(self, cells: Cells) -> "Column":
        return _fit_numbers(self, cells, "{:.15g}".format)

    def unread(self, cells: Cells) -> np.ndarray:
        return cells.known & np.isnan(cells.values)

    def encode(self, cells: Cells) -> list[np.ndarray]:
        return _fill(cells.values, self.fill, self.gaps)

    def describe(self) -> str:
        written = f"{' in ' if self.unit else ''}{self.unit}{' with decimal commas' * (self.decimal == ',')}"
        return f"numbers{written}{_describe_fill(f'{self.fill:.6g}', self.gaps)}"


class DateColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="date", tag_field="kind"):
    """How a column of dates or times is read: as days since 1970, and where in its cycles each lies."""

    name: str
    format: str
    """Of dates that are texts: that of strptime, or "ISO8601"."""
    fill: float = 0.0
    """What stands for a missing date, in days."""
    gaps: bool = False
    """Whether a second number says that the first was missing."""
    cycles: tuple[str, ...] = ()
    """Names in ``dates.CYCLES``."""

    def read(self, values: Series) -> Cells:
        return read_days(values, self.format)

    def fit(self, cells: Cells) -> "Column":
        cycled = msgspec.structs.replace(self, cycles=find_cycles(cells.values))
        return _fit_numbers(cycled, cells, lambda day: show_day(day, self.format))

    def unread(self, cells: Cells) -> np.ndarray:
        return cells.known & np.isnan(cells.values)

    def encode(self, cells: Cells) -> list[np.ndarray]:
        waves = [wave for cycle in self.cycles for wave in cycle_parts(cells.values, cycle)]
        return _fill(cells.values, self.fill, self.gaps) + waves

    def describe(self) -> str:
        also = f", and where in the {' and '.join(self.cycles)}" if self.cycles else ""
        written = "" if self.format == ISO else f", written {self.format},"
        # Of a date, without its time.
        day = show_day(self.fill, self.format).split()[0]
        return f"dates{written} as days{also}{_describe_fill(day, self.gaps)}"


class CategoryColumn(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="category", tag_field="kind"
):
    """How a column of anything else is read."""

    name: str
    categories: tuple[str, ...] = ()
    """Each becomes a number, 1 where it holds; any other value is 0 in all of them."""

    def read(self, values: Series) -> Cells:
        """The cells as words; where the others are truth values, 1 and 0 are, too."""
        words = as_words(values)
        if are_truths({*(self.categories or words.tolist())} - {""}):
            words = np.where(words == "1", "True", np.where(words == "0", "False", words))
        return Cells(words, words != "")

    def fit(self, cells: Cells) -> "Column":
        counts = Counter(cells.values.tolist())
        if len(counts) < 2:
            return DroppedColumn(self.name, _never_changes(next(iter(counts))))
        frequent = [word for word, _ in counts.most_common(MAX_CATEGORIES) if len(word) <= MAX_LENGTH]
        return CategoryColumn(self.name, tuple(sorted(frequent)))

    def unread(self, cells: Cells) -> np.ndarray:
        return cells.known & ~np.isin(cells.values, self.categories)

    def encode(self, cells: Cells) -> list[np.ndarray]:
        return [cells.values == category for category in self.categories]

    def describe(self) -> str:
        names = [" ".join(name.split())[:40] or "(missing)" for name in self.categories]
        return f"{len(names)} categories, {', '.join(names[:6])}{', …' if len(names) > 6 else ''}"


class DroppedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="dropped", tag_field="kind"):
    """A column that is left out; new rows need not have it."""

    name: str
    reason: str

    def describe(self) -> str:
        return f"left out: {self.reason}"


Used = NumberColumn | DateColumn | CategoryColumn
"""Each can ``read`` cells, ``fit`` itself to those of the training rows, tell which are ``unread`` although
something is there, ``encode`` them as the network's inputs, and ``describe`` in words how it reads."""
Column = Used | DroppedColumn
"""How one column of a table becomes numbers."""


MAX_CATEGORIES = 64
MAX_LENGTH = 200
"""Letters of a category; what is longer is a page of text."""
MAX_LINES = 60


def infer_from_type(name: str, values: Series) -> Column | None:
    """What a column is by its type in memory."""
    from pandas.api import types

    if is_duration(values):
        return NumberColumn(name, unit=SECONDS)
    if is_plain(values):
        return NumberColumn(name)
    if is_dated(values):
        return DateColumn(name, ISO)
    truth = types.infer_dtype(values, skipna=True) == "boolean"
    return CategoryColumn(name) if truth or values.dtype == "category" else None


def _fit_numbers(column: Any, cells: Cells, show: Callable[[float], str]) -> Column:
    numbers = cells.values[np.isfinite(cells.values)]
    gaps = len(numbers) < len(cells.values)
    if not len(numbers) or (not gaps and numbers.min() == numbers.max()):
        return DroppedColumn(column.name, _never_changes(show(numbers[0]) if len(numbers) else ""))
    return msgspec.structs.replace(column, fill=float(np.median(numbers)), gaps=gaps)


def _never_changes(word: str) -> str:
    return (
        f"it never changes in the training rows ({word:.40})"
        if word
        else "it has no value in any training row"
    )


def _fill(numbers: np.ndarray, fill: float, gaps: bool) -> list[np.ndarray]:
    missing = np.isnan(numbers)
    return [np.where(missing, fill, numbers), *([missing] if gaps else [])]


def _describe_fill(fill: str, gaps: bool) -> str:
    return f"; a missing one is taken for {fill}{', and whether it was missing' if gaps else ''}"


def describe_columns(columns: Sequence[Column]) -> str:
    """A line for each column, of which the first MAX_LINES are shown."""
    pairs = [(one_line(column.name), one_line(column.describe())) for column in columns[:MAX_LINES]]
    width = max(len(name) for name, _ in pairs)
    lines = [f"{name:{width}}  {how}" for name, how in pairs]
    more = len(columns) - len(lines)
    return "\n".join(lines + [f"and {more} more columns"] * (more > 0))


def used_columns(columns: Sequence[Column]) -> list[Used]:
    """Those that are not left out."""
    return [column for column in columns if not isinstance(column, DroppedColumn)]


def column_places(columns: Sequence[Column]) -> list[tuple[Used, range]]:
    """The columns that are used, each with the places of its inputs among all."""
    nothing, used = Cells(np.zeros(0), np.zeros(0, bool)), used_columns(columns)
    ends = list(accumulate(len(column.encode(nothing)) for column in used))
    return list(zip(used, map(range, [0, *ends], ends), strict=True))
