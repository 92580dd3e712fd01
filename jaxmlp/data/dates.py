"""Dates and times as people write them, as days since 1970."""

import contextlib
import datetime
import re
from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from jaxmlp.data.cells import Cells, as_words, bare, is_dated, is_plain, sample_words
from jaxmlp.types import Series

ISO = "ISO8601"
_YEAR_FIRST = tuple(f"%Y{mark}%m{mark}%d" for mark in "/.")
_DAY_FIRST = tuple(f"%d{mark}%m{mark}{year}" for year, mark in product(("%Y", "%y"), "/.-"))
_MONTH_FIRST = tuple(f"%m{mark}%d{mark}{year}" for year, mark in product(("%Y", "%y"), "/.-"))
_NAMED = (
    *("%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d%b%Y", "%B %Y", "%b %Y"),
    *(f"{month} %d{mark} %Y" for mark, month in product((",", ""), ("%B", "%b"))),
)
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_DAYS = (*_YEAR_FIRST, *_DAY_FIRST, *_MONTH_FIRST, *_NAMED)
_MONTHS = ("%m/%Y", "%m.%Y", "%m-%Y", "%b-%Y", "%B-%Y")
_SHORT_YEARS = ("%b-%y", "%b %y", "%b/%y", "%B-%y", "%B %y")
"""Formats whose year may be a day as well."""
_FORMATS = (
    ISO,
    *_DAYS,
    *_MONTHS,
    *_SHORT_YEARS,
    *_TIMES,
    *(f"{day} {time}" for day, time in product(_DAYS, _TIMES)),
)
_DATED = tuple(form for form in _FORMATS if form not in (*_TIMES, *_SHORT_YEARS))
# What no date lacks: two groups of digits, or the name of a month and a year.
_LOOKS = re.compile(r"\d\D+\d|[^\W\d]{3,9}[ /-]\d{2}")
_QUARTER = re.compile(r"(?P<year>\d{4})[ -]?[Qq](?P<number>[1-4])|[Qq](?P<first>[1-4])[ -/](?P<last>\d{4})")
_MONTH, _DAY, _HOUR, _SIXTY = (
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])",
    r"(?:0[1-9]|[12]\d|3[01])",
    r"(?:[01]\d|2[0-3])",
    r"[0-5]\d",
)
_COMPACT = {
    "%Y%m": re.compile(_MONTH),
    "%Y%m%d": re.compile(_MONTH + _DAY),
    "%Y%m%d%H": re.compile(_MONTH + _DAY + _HOUR),
    "%Y%m%d%H%M": re.compile(_MONTH + _DAY + _HOUR + _SIXTY),
    "%Y%m%d%H%M%S": re.compile(_MONTH + _DAY + _HOUR + _SIXTY + _SIXTY),
}
"""Formats without marks, and what numbers have by chance too seldom to be a column of them."""
# Of months, more than of days, since one number in eight ends with one.
_FEWEST = {"%Y%m": 6}
# Minutes and seconds have two digits; what has one is a score.
_SCORE = re.compile(r":\d(?!\d)")
_WEEK, _MONTH_OF = re.compile(r"(\d{4})-?W(\d{2})"), re.compile(r"^((?:19|20)\d\d)-?M(\d{2})$")
# Before a time, beside a space.
_BETWEEN = re.compile(r"(?<=\d{4})(?:, |:)(?=\d\d?:)")
_SAMPLE = 50
_FEW, _LEAST = 0.05, 190001
CYCLES = {"day": 1.0, "week": 7.0, "year": 365.2425}
"""What may repeat itself, and after how many days."""


def read_days(values: Series, form: str) -> Cells:
    """Days since 1970, in universal time where a zone is given; texts are written in the format ``form``."""
    import pandas

    known = as_words(values) != ""
    if pandas.api.types.is_numeric_dtype(values.dtype):
        if form not in _COMPACT:
            # Of what unit would they be?
            return Cells(np.full(len(values), np.nan), known)
        values = pandas.Series(as_words(values), dtype=object)
    if isinstance(values.dtype, pandas.PeriodDtype):
        values = values.dt.to_timestamp()
    options = {} if is_dated(values) else {"format": form}
    if options:
        values = values.astype(object).where(known).map(_as_day, na_action="ignore")
        if form in _COMPACT:
            # That of strptime takes fewer digits, too.
            values = values.where(values.astype(str).str.fullmatch(_COMPACT[form]))
    times = pandas.to_datetime(values, errors="coerce", utc=True, **options)
    days = times.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64) / 86_400e6
    return Cells(np.where(times.isna(), np.nan, days), known)


def _as_day(cell: object) -> str:
    """The cell as a text; of a quarter or a week its first day."""
    text = bare(str(cell))
    if _SCORE.search(text):
        return ""
    if found := _QUARTER.fullmatch(text):
        number = int(found["number"] or found["first"])
        return f"{found['year'] or found['last']}-{3 * number - 2:02}-01"
    with contextlib.suppress(ValueError):
        if found := _WEEK.fullmatch(text):
            return datetime.date.fromisocalendar(int(found[1]), int(found[2]), 1).isoformat()
    text = _MONTH_OF.sub(r"\1-\2", text)
    return _BETWEEN.sub(" ", text.removesuffix(" UTC").removesuffix(" GMT"))


def find_compact(values: Series) -> str | None:
    """The format of days such as 20240131, of months or of minutes, with which numbers have nothing but
    digits in common; all words are written so but one in twenty, or one that stands for a gap.
    """
    if is_plain(values) and not values.dropna().head(_SAMPLE).astype(float).median() >= _LEAST:
        return None
    words = sample_words(values)
    for form, written in _COMPACT.items():
        count = sum(map(bool, map(written.fullmatch, words)))
        if count >= _FEWEST.get(form, 2) and len(words) - count <= max(1, _FEW * len(words)):
            return form
    return None


def find_formats(words: Sequence[str], day_first: bool | None = None, *, is_said: bool = False) -> list[str]:
    """The formats in which most of ``words`` are dates: several where they are other dates in each, as
    "01/02/2024" is, unless it is said whether the day stands first. None where these are no dates, or may be
    days of any year, as "Jan-14", unless it is said that they are dates.
    """
    words = [word for word in words if _LOOKS.search(word)]
    if not words:
        return []
    others = {None: (), True: _MONTH_FIRST, False: _DAY_FIRST}[day_first]
    # Most formats fit not even the first few.
    few = [
        form for form in _FORMATS if _days(words[:_SAMPLE], form)[1] and not form.startswith(others or "-")
    ]
    read = {form: _days(words, form) for form in few}
    if not is_said:
        read = {form: own for form, own in read.items() if not _may_be_days(words, form, own[1])}
    most = max((count for _, count in read.values()), default=0)
    best: dict[bytes, str] = {}
    for form, (days, count) in read.items():
        if count == most:
            best.setdefault(days.tobytes(), form)
    return list(best.values()) if 2 * most > len(words) else []


def may_be_months(words: Sequence[str]) -> bool:
    """Whether most of ``words`` are months with two digits, which may be a year or a day."""
    few = [word for word in words[:_SAMPLE] if _LOOKS.search(word)]
    return any(2 * _days(few, form)[1] > len(words[:_SAMPLE]) for form in _SHORT_YEARS if few)


def are_mostly_dates(words: Sequence[str]) -> Bool[np.ndarray, " words"] | None:
    """Which of ``words`` are dates, in the format of most, where at least half are in any; otherwise None."""
    few = words[:_SAMPLE]
    if 2 * sum(bool(_LOOKS.search(word)) for word in few) < max(1, len(few)):
        return None
    fitting = [form for form in _DATED if _days(few, form)[1]]
    read = [np.isfinite(_days(words, form)[0]) for form in fitting]
    is_most = bool(read) and 2 * np.any(read, axis=0).sum() >= len(words)
    return max(read, key=np.sum) if is_most else None


def _may_be_days(words: Sequence[str], form: str, count: int) -> bool:
    return form in _SHORT_YEARS and _days(words, form.replace("%y", "%d"))[1] == count


def _days(words: Sequence[str], form: str) -> tuple[Float[np.ndarray, " words"], int]:
    import pandas

    days = read_days(pandas.Series(words, dtype=object), form).values
    return days, int(np.isfinite(days).sum())


def show_day(day: float, form: str) -> str:
    """A number of days as people write it: a date, with its time if it has one, or a time alone."""
    date, time = str(np.datetime64(round(day * 86_400), "s")).split("T")
    if form in _TIMES:
        return time
    return date if time == "00:00:00" else f"{date} {time}"


def find_cycles(days: Float[np.ndarray, " rows"]) -> tuple[str, ...]:
    """The cycles that the days go through at least twice, and in which they differ."""
    days = days[np.isfinite(days)]
    return tuple(
        name
        for name, period in CYCLES.items()
        if len(days) and np.ptp(days) >= 2 * period and np.ptp(days / period % 1) > 1e-9
    )


def cycle_parts(days: Float[np.ndarray, " rows"], cycle: str) -> list[Float[np.ndarray, " rows"]]:
    """Where in a cycle each day lies, as sine and cosine; 0 where there is no day."""
    angle = 2 * np.pi * np.nan_to_num(days) / CYCLES[cycle]
    return [np.where(np.isnan(days), 0.0, wave(angle)) for wave in (np.sin, np.cos)]
