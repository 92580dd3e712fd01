"""The cells of a table's column: which are missing, and what they are as words."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from numbers import Number
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped

if TYPE_CHECKING:
    from jaxmlp.types import Series

_MISSING_NUMBERS = ("nan", "-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "#n/a n/a", "#na", "<na>", "nat", "null", "none", *_MISSING_NUMBERS)
)
"""Words in small letters that stand for nothing, among them all that pandas takes for gaps."""
_LONG = re.compile(r"-?\d{16,300}")
_WHOLE = re.compile(r"(-?\d+)\.0+")
# So many cells, evenly spread, show how a column is written.
_SAMPLE = 5000
# So many of the words, where these are not all as long.
_PADDED = 0.05
_TRUTH = {"true": "True", "false": "False"}
# Spaces, and what is copied along with a text and is not seen.
_UNSEEN = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200e\u200f\u2060\ufeff"


class Cells(NamedTuple):
    """A column as its kind reads it."""

    values: Shaped[np.ndarray, " rows"]
    """Floats, nan where there is none, or words."""
    known: Bool[np.ndarray, " rows"]
    """Where there is something; what a column of numbers holds there and cannot read is nan all the same."""

    def take(self, rows: Any) -> "Cells":
        return Cells(self.values[rows], self.known[rows])


def is_plain(values: "Series") -> bool:
    """Whether the column's type says that it holds numbers, so that nothing needs to be read."""
    from pandas.api import types

    return types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)


def are_numbers(values: "Series") -> Bool[np.ndarray, " rows"]:
    """Which cells are numbers by their type, so that no decimal mark of texts among them is theirs."""
    from pandas.api import types

    if values.dtype == object:
        return np.array([isinstance(cell, Number) for cell in values], bool)
    return np.full(len(values), types.is_numeric_dtype(values.dtype))


def is_duration(values: "Series") -> bool:
    """Whether the column holds spans of time."""
    from pandas.api import types

    return types.infer_dtype(values, skipna=True) in ("timedelta", "timedelta64")


def is_dated(values: "Series") -> bool:
    """Whether the column's type says that it holds dates, or months and the like."""
    from pandas.api import types

    return types.is_datetime64_any_dtype(values.dtype) or str(values.dtype).startswith("period[")


def different(values: "Series") -> tuple[np.ndarray, np.ndarray]:
    """The number of each cell among the different ones, -1 where there is none, and these."""
    import pandas

    if values.dtype == object:
        # As texts, since True and 1 are one object to Python, and lists cannot be told apart at all.
        values = values.map(_text, na_action="ignore")
    try:
        codes, uniques = pandas.factorize(values)
    except NotImplementedError:
        # Lists in a column of pyarrow.
        codes, uniques = pandas.factorize(values.map(str))
    return codes, np.asarray(uniques, object)


def _text(cell: Any) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def map_different(values: "Series", read: Callable[[np.ndarray], Any], missing: Any) -> np.ndarray:
    """``read`` of the different cells, brought to where they stand; ``missing`` where there is none."""
    codes, uniques = different(values)
    # As objects, since an array of texts gives each the room of the longest.
    return np.array([*read(uniques), missing], object)[codes]


def as_words(values: "Series") -> np.ndarray:
    """Each cell as text without space around it, so that 1, 1.0 and "1", or True and "true", are one word;
    "" where there is none, or one of MISSING.
    """
    return map_different(values, lambda cells: map(as_word, cells), "")


def sample_words(values: "Series") -> list[str]:
    """Different words of the column."""
    words = as_words(values.iloc[:: max(1, len(values) // _SAMPLE)])
    if not (words != "").any():
        words = as_words(values)
    return [word for word in dict.fromkeys(words.tolist()) if word]


def trimmed(text: str) -> str:
    """The text without space and what else is not seen around it; a letter and its accent are one."""
    return unicodedata.normalize("NFC", text.strip(_UNSEEN))


def bare(text: str) -> str:
    """The text trimmed, without that with which spreadsheets keep a number from being one: '012, ="012"."""
    text = trimmed(text)
    if text[:1] not in ("=", "'"):
        # Nearly all, of which a table may have many.
        return text
    if re.fullmatch(r'="[^"]*"', text):
        return trimmed(text[2:-1])
    return text[1:] if re.match(r"'[-+]?[\d.,]", text) else text


def tell_alike(words: Iterable[str], what: str) -> list[str]:
    """Which of the words, ``what`` they are, differ only in capitals, or in the space within, in a line; none
    without any.
    """
    folded = {word: " ".join(word.casefold().split()) for word in words}
    counts = Counter(folded.values())
    several = [word for word, small in folded.items() if counts[small] > 1]
    named = shown(sorted(several, key=lambda word: (folded[word], word)))
    return [f"{named} are different {what}; write them alike if they are one"] if several else []


def as_word(cell: Any) -> str:
    """One cell of ``as_words``."""
    word = bare(str(cell))
    if (small := word.casefold()) in MISSING:
        return ""
    whole = _WHOLE.fullmatch(word)
    # Whole numbers beside gaps are read as floats.
    return whole[1] if whole else _TRUTH.get(small, word)


def is_float(word: str) -> bool:
    """Whether Python itself reads it as a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def are_truths(words: AbstractSet[str]) -> bool:
    """Whether they are truth values, of which some may be written as 1 and 0."""
    return words <= {"True", "False", "0", "1"} and not words.isdisjoint(("True", "False"))


def tell_digits(words: Iterable[str]) -> list[str]:
    """Which of the words of a column of truth values are digits, in a line; none without any."""
    digits = [word for word in words if word in ("0", "1")]
    return [f"is taken for truth values, and {shown(digits)} among them for True or False"] if digits else []


def counts_rows(numbers: np.ndarray) -> bool:
    """Whether they are whole and all different, as those that only name the rows are."""
    whole = np.isfinite(numbers).all() and (numbers == numbers.round()).all()
    return bool(whole) and len(np.unique(numbers)) == len(numbers)


def floats_merge(values: "Series") -> bool:
    """Whether different whole numbers among the cells would be one float, as those of 17 digits may be."""
    if values.dtype.kind in "fc" or not any(map(_LONG.fullmatch, sample_words(values))):
        return False
    words = {word for word in as_words(values).tolist() if _LONG.fullmatch(word)}
    return len({*map(float, words)}) < len({*map(int, words)})


def has_leading_zeros(words: Sequence[str]) -> bool:
    """Whether they are digits that begin with 0 as numbers do not, such as postal codes."""
    digits = [word for word in words if re.fullmatch(r"\d{2,}", word)]
    padded = sum(word.startswith("0") for word in digits)
    alike = len({*map(len, digits)}) == 1
    return padded > 0 and (alike or padded >= _PADDED * len(words))


def shown(cells: Iterable[Any], number: int = 3) -> str:
    """The first few different ones, for a message."""
    # By how they are written, since lists and the like cannot be told apart otherwise.
    names = list(dict.fromkeys(repr(cell)[:40] for cell in cells))
    return ", ".join(names[:number]) + (", …" if len(names) > number else "")
