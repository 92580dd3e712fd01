"""Numbers as people write them: separators, signs, currencies and units."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from jaxmlp.data.cells import Cells, are_numbers, as_words, bare, is_dated, is_duration, map_different, shown
from jaxmlp.types import Series

MOST = 0.95
"""Of the cells of a column of numbers, at least so many are."""
_CURRENCIES = "$€£¥₹₽₩₺₫₴₪฿¢₦₱"
_NUMBER = re.compile(
    rf"""(?P<sign>[+-]?) \s* (?P<before>[A-Z]{{0,3}}[{_CURRENCIES}]|[A-Z]{{3}}\s|) \s* (?P<inner>[+-]?)
    (?P<digits>[.,]?\d|[.,]?\d[\d.,'\s]*\d|\d[\d.,'\s]*[.,]) (?P<exponent>[eE][+-]?\d+)? \s*
    (?P<after>[^\d.,+½¼¾-]{{0,12}}|[^\d.,+½¼¾-]{{0,10}}(?:m|ft)[23])""",
    re.VERBOSE,
)
_MARKS = str.maketrans({"−": "-", "–": "-", "’": "'"})
# For each decimal mark: whole numbers in groups, and others.
_WRITTEN = {
    mark: re.compile(
        rf"(?:\d+|[1-9]\d{{0,2}}(?P<group>[{other}'\s])\d{{3}}(?:(?P=group)\d{{3}})*{indian}|)"
        rf"(?:{re.escape(mark)}\d*)?"
    )
    for mark, other, indian in ((".", ",", r"|[1-9]\d?(?:,\d\d)+,\d{3}"), (",", ".", ""))
}
_DECIMALS = tuple(_WRITTEN)
SECONDS = "seconds"
"""The unit of spans of time."""
_SPAN = re.compile(r"-?P[\dDTHMS.]+|(?:[+-]?\d+(?:\.\d+)? ?[A-Za-z]+,? ?)*(?:[+-]?\d+:\d\d:\d\d(?:\.\d+)?)?")
MARK_NAMES = {".": "decimal points", ",": "decimal commas"}
# What a number beside them means without one is not what it means with it.
_MAGNITUDES = frozenset(
    ("k", "K", "M", "B", "bn", "mn", "Mio", "Mrd", "Tsd", "thousand", "million", "billion")
)
# So many numbers with a unit.
_SEVERAL = 4


def read_numbers(values: Series, decimal: str = ".", unit: str = "") -> Cells:
    """The cells as numbers; those in texts have this ``decimal`` mark, and this ``unit`` or, unless it is one
    such as thousands, none.
    """
    import pandas

    if is_duration(values):
        values = pandas.to_timedelta(values).dt.total_seconds()
    numbers = np.full(len(values), np.nan)
    if not is_dated(values) and not _is_magnitude(unit):
        # What pandas cannot take for a number is read like texts.
        with contextlib.suppress(OverflowError, TypeError):
            own = values if decimal == "." else values.where(are_numbers(values))
            numbers = pandas.to_numeric(own, errors="coerce").to_numpy(float, copy=True, na_value=np.nan)
    known = values.notna().to_numpy(bool, copy=True)
    if (rest := known & np.isnan(numbers)).any():
        left = values[rest]
        numbers[rest] = map_different(left, lambda cells: parse_numbers(cells, decimal, unit), np.nan)
        known[rest] = as_words(left) != ""
    return Cells(np.where(np.isinf(numbers), np.nan, numbers), known)


def _number(cell: object, decimal: str, unit: str) -> float:
    sign, digits, exponent, own = split_number(str(cell))
    written = _WRITTEN[decimal].fullmatch(digits)
    if not digits or written is None or (own != unit and (own or _is_magnitude(unit))):
        return np.nan
    kept = re.sub(rf"[^\d{decimal}]", "", digits).replace(decimal, ".")
    return float(f"{sign}{kept}{exponent}")


def _is_magnitude(unit: str) -> bool:
    return unit.rpartition(" ")[2] in _MAGNITUDES


def split_number(text: str) -> tuple[str, str, str, str]:
    """Sign, digits with their marks, exponent and unit; no digits where it is no number."""
    text = bare(text).translate(_MARKS)
    if text.startswith("(") and text.endswith(")"):
        # As accountants write it.
        text = f"-{text[1:-1]}"
    found = _NUMBER.fullmatch(text)
    if found is None or (found["sign"] and found["inner"]):
        return "", "", "", ""
    unit = f"{found['before'].strip()} {found['after'].strip()}".strip()
    return found["sign"] or found["inner"], found["digits"], found["exponent"] or "", unit


def is_numeral(word: str) -> bool:
    """Whether it is a number, with any decimal mark and any unit or none."""
    digits = split_number(word)[1]
    return bool(digits) and any(written.fullmatch(digits) for written in _WRITTEN.values())


def without_unit(words: Sequence[str], decimal: str, unit: str) -> list[str]:
    """Those of them that have no unit and are read as if they had this one; but for 0, the same in any."""
    bare = [word for word in words if not split_number(word)[3]]
    return [word for word in bare if np.nan_to_num(_number(word, decimal, unit))]


def tell_bare(numbers: Sequence[object], unit: str) -> list[str]:
    """That these have no unit where others have this one, in a line; none without any."""
    return (
        [f"in numbers such as {shown(numbers)} {unit!r} is missing, and taken to be meant"] if numbers else []
    )


def find_unit(words: Sequence[str]) -> str:
    """The unit that most of the numbers among ``words`` share."""
    units = [unit for _, digits, _, unit in map(split_number, words) if digits]
    named = [unit for unit in units if unit]
    return max(set(named), key=named.count) if 2 * len(named) > len(units) else ""


def find_units(words: Sequence[str]) -> list[str]:
    """The units of ``words``, the most frequent first, if nearly all are numbers with some."""
    units = Counter(unit for _, digits, _, unit in map(split_number, words) if digits and unit)
    often = [unit for unit, count in units.most_common() if count >= _SEVERAL]
    return often if sum(units[unit] for unit in often) >= MOST * len(words) else []


def find_decimals(words: Sequence[str], unit: str) -> list[str]:
    """The decimal marks with which most of ``words`` are numbers: two where they are other numbers with each,
    as "9,604" is, and nothing decides.
    """
    read = {mark: parse_numbers(words, mark, unit) for mark in _DECIMALS}
    counts = {mark: int(np.isfinite(numbers).sum()) for mark, numbers in read.items()}
    best = [mark for mark in _DECIMALS if counts[mark] == max(counts.values())]
    if len(best) < 2 or np.array_equal(read["."], read[","], equal_nan=True):
        return best[:1]
    digits = [split_number(word)[1] for word in words]
    if any(re.match(r"\d{4}", one) for one in digits):
        # Thousands stand beside each other here, so what separates is no group.
        return [mark for mark in _DECIMALS if any(mark in one for one in digits)] or best
    return best


def shown_decimals(words: Sequence[str]) -> list[str]:
    """The decimal mark of ``words`` that nearly all are numbers of which one has decimals; none where two
    marks fit.
    """
    unit = find_unit(words)
    marks = find_decimals(words, unit)
    is_shown = len(marks) == 1 and any(marks[0] in word for word in words)
    return marks if is_shown and np.isfinite(parse_numbers(words, marks[0], unit)).mean() >= MOST else []


def parse_numbers(words: Iterable[object], decimal: str, unit: str) -> Float[np.ndarray, " words"]:
    """As ``read_numbers`` reads texts, nan where one is no number."""
    numbers = np.array([_number(word, decimal, unit) for word in words], float)
    return np.where(np.isnan(numbers), _parse_spans(words), numbers) if unit == SECONDS else numbers


def _parse_spans(words: Iterable[object]) -> Float[np.ndarray, " words"]:
    """The seconds of spans of time such as "2h 30m" or "1 day 02:03:04"."""
    import pandas

    texts = pandas.Series([bare(str(word)) for word in words], dtype=object)
    # Elsewhere pandas takes a number without a unit for nanoseconds.
    texts = texts.where([bool(_SPAN.fullmatch(text)) for text in texts], "")
    return pandas.to_timedelta(texts, errors="coerce").dt.total_seconds().to_numpy(float)
