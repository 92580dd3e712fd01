"""How the lines of a text file are cut into cells: its encoding, separator and names, found by looking."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxmlp.data.cells import is_float, trimmed
from jaxmlp.types import InputError

_SEPARATORS = (",", ";", "\t", "|", " ")
SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_BY_NAME = {"\\t": "\t", "tab": "\t"}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SAMPLE_BYTES, _MOST_BYTES, _SAMPLE_LINES = 2**18, 2**25, 200
# With it, a first line tells spreadsheets how the others are cut.
_SAID_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
MAX_COLUMNS = 50_000


class Layout(NamedTuple):
    """How the lines of a text file are cut into cells."""

    encoding: str
    separator: str
    names: list[str]
    notes: list[str]
    """What was assumed, in words."""
    num_skipped: int
    """Lines before the header."""


def read_sample(file: Any) -> bytes:
    """The beginning of a text, with its header and a row, however long these are."""
    sample = file.read(_SAMPLE_BYTES)
    while len(sample) < _MOST_BYTES and sample.strip().count(b"\n") < 3:
        if not (more := file.read(len(sample))):
            break
        sample += more
    return sample


def find_layout(sample: bytes, separator: str | None, encoding: str | None) -> Layout:
    """How the text that begins with ``sample`` is written, as far as its first lines show."""
    notes: list[str] = []
    encoding = encoding or _find_encoding(sample, notes)
    lines, num_skipped, said = _read_lines(sample, encoding)
    separator = separator or said
    if separator is None:
        separator = _find_separator(lines)
        if separator != "," and separator in lines[0]:
            notes.append(f"its columns are separated by {SEPARATOR_NAMES[separator]}")
    elif len(separator := _BY_NAME.get(separator, separator)) != 1:
        raise InputError(f"separator: must be one character, got {separator!r}")
    check_width(lines[0].count(separator))
    header, *rows = read_rows(lines, separator)
    return Layout(encoding, separator, _names(header, rows, notes), notes, num_skipped)


def _read_lines(sample: bytes, encoding: str) -> tuple[list[str], int, str | None]:
    """The first lines in which something stands, how many stand before them, and the separator that the very
    first one says.
    """
    try:
        text = io.TextIOWrapper(io.BytesIO(sample), encoding, errors="replace", newline="").read()
    except LookupError:
        raise InputError(f"encoding: {encoding!r} is unknown; try utf-8, cp1252 or utf-16") from None
    if "\0" in text:
        raise InputError("is no text; give a CSV or Parquet file")
    # Not by splitlines, which cuts at marks that are within cells.
    every = [*io.StringIO(text, newline="")][:_SAMPLE_LINES]
    said = _SAID_SEPARATOR.match(every[0]) if every else None
    every = every[said is not None :]
    lines = [line for line in every if line.strip()]
    if not lines:
        raise InputError("must hold at least one row below its header, got none")
    if len(sample) >= _SAMPLE_BYTES and 2 < len(lines) < _SAMPLE_LINES:
        # The last one may be cut off.
        lines = lines[:-1]
    return lines, every.index(lines[0]) + (said is not None), said and said[1]


def _find_encoding(sample: bytes, notes: list[str]) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return encoding
    try:
        # Without the last line, in which a letter may be cut in two.
        sample[: sample.rfind(b"\n") + 1 or None].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        raise InputError("is no text, or in an encoding that has to be named; give --encoding") from None
    notes.append("its letters were read as cp1252 (--encoding names another)")
    return "cp1252"


def read_rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """The cells of each row."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield from csv.reader(lines, delimiter=separator, skipinitialspace=True)
    finally:
        csv.field_size_limit(limit)


def _find_separator(lines: Sequence[str]) -> str:
    """The one that cuts the most lines into as many cells, of which there are at least two; a tab where none
    does.
    """

    def agreement(separator: str) -> tuple[float, int]:
        header, *rows = read_rows(lines, separator)
        widths = [len(header), *map(len, rows)]
        usual = max(set(widths), key=widths.count)
        within = len(header) == 1 and (usual == 2 or separator == " ") and not _are_cut(rows, lines[1:])
        return (0.0, 1) if usual == 1 or within else (widths.count(usual) / len(widths), usual)

    # Of equals the first; spaces stand within texts, too.
    best = max(_SEPARATORS, key=lambda one: (agreement(one)[0] >= 0.9 and one != " ", agreement(one)))
    return best if agreement(best)[0] else "\t"


def _are_cut(rows: Sequence[Sequence[str]], lines: Sequence[str]) -> bool:
    """Whether rows of more cells than the single one of their header have names, or end with a separator; in
    others it stands within the cell, as a decimal comma does.
    """
    first = [row[0] for row in rows]
    counted = any(first == [str(start + place) for place in range(len(rows))] for start in (0, 1))
    return (
        (counted and len(rows) > 2)
        or all(line.startswith('"') for line in lines)
        or not any(row[-1].strip() for row in rows)
    )


def _names(header: list[str], rows: list[list[str]], notes: list[str]) -> list[str]:
    """A name for each cell of the rows, which may have one more than the header."""
    names = [" ".join(trimmed(name).split()) or f"Unnamed: {place}" for place, name in enumerate(header)]
    check_names(names)
    if len(names) > 1 and all(is_float(name) and not name.isdecimal() for name in names):
        raise InputError(
            f"its first line holds numbers, {', '.join(names[:4])}, and no names; add a line of names"
        )
    more = [len(row) - len(names) for row in rows]
    if {*more} == {1}:
        if not any(row[-1].strip() for row in rows):
            notes.append("its rows end with a separator that the header lacks")
            return [*names, ""]
        # Rows are named each by another name; a column that is cut in two has one number several times.
        if len({row[0] for row in rows}) == len(rows):
            notes.append("its rows begin with a cell that the header lacks: it is taken for their names")
            return ["Unnamed: 0", *names]
    if max(more, default=0) > 0:
        raise _too_long(names, rows)
    return names


def _too_long(names: Sequence[str], rows: Sequence[Sequence[str]]) -> InputError:
    place = next(place for place, row in enumerate(rows) if len(row) > len(names))
    if len(names) == 1 and place == 0:
        return InputError(f"its first line, {names[0]!r:.60}, is no line of names; drop what is above it")
    return InputError(
        f"its row {place + 1} has {len(rows[place])} cells, and its header {len(names)} names; "
        "quote what holds a separator, or give --separator"
    )


def check_width(num_columns: int) -> None:
    if num_columns > MAX_COLUMNS:
        raise InputError(f"must have at most {MAX_COLUMNS} columns, got about {num_columns}")


def check_names(names: Iterable[Any]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"has two columns called {name!r}; rename one")
