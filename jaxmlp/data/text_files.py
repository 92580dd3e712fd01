"""A table in a text file as people have it: its encoding and separator are found by looking, and said."""

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxmlp.runtime.console import warn
from jaxmlp.runtime.devices import memory_bytes
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas

_SEPARATORS = (",", ";", "\t", "|", " ")
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_BY_NAME = {"\\t": "\t", "tab": "\t"}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SAMPLE_BYTES, _SAMPLE_LINES = 2**18, 200
MAX_COLUMNS = 50_000


def _open_zip(path: Path) -> Any:
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if not name.endswith("/")]
    if len(members) != 1:
        raise InputError(f"holds {len(members)} files; take out the one that is meant")
    return archive.open(members[0])


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _open_zip,
}


class Layout(NamedTuple):
    """How the lines of a text file are cut into cells."""

    encoding: str
    separator: str
    names: list[str]
    notes: list[str]
    """What was assumed, in words."""


def _open(path: Path) -> Any:
    return _OPENERS.get(path.suffix.lower(), lambda plain: plain.open("rb"))(path)


def read_text(path: Path, separator: str | None, encoding: str | None) -> "pandas.DataFrame":
    """The rows of the file, whose cells are texts, as they are written; what is assumed is said."""
    with _open(path) as file:
        sample = file.read(_SAMPLE_BYTES)
    layout = find_layout(sample, separator, encoding)
    _check_room(path, sample, len(layout.names))
    try:
        frame = _read_cells(path, layout)
    except UnicodeDecodeError:
        if encoding is not None:
            raise
        # What is no UTF-8 stands further down.
        layout = find_layout(sample, separator, "cp1252")
        layout.notes.append("its letters were read as cp1252 (--encoding names another)")
        frame = _read_cells(path, layout)
    for note in layout.notes:
        warn(note)
    return frame


def _read_cells(path: Path, layout: Layout) -> "pandas.DataFrame":
    import pandas

    with _open(path) as file:
        return pandas.read_csv(
            file,
            sep=layout.separator,
            encoding=layout.encoding,
            header=0,
            names=layout.names,
            # With it, rows that are too long would be cut without a word.
            usecols=layout.names[:-1] if layout.names[-1] == "" else None,
            skipinitialspace=True,
            # What each column is, is found by rules of our own, which new rows then follow, too.
            dtype=str,
            keep_default_na=False,
        )


def find_layout(sample: bytes, separator: str | None, encoding: str | None) -> Layout:
    """How the text that begins with ``sample`` is written, as far as its first lines show."""
    notes: list[str] = []
    encoding = encoding or _find_encoding(sample, notes)
    try:
        text = io.TextIOWrapper(io.BytesIO(sample), encoding, errors="replace", newline="").read()
    except LookupError:
        raise InputError(f"encoding: {encoding!r} is unknown; try utf-8, cp1252 or utf-16") from None
    if "\0" in text:
        raise InputError("is no text; give a CSV or Parquet file")
    lines = [line for line in text.splitlines(keepends=True)[:_SAMPLE_LINES] if line.strip()]
    if not lines:
        raise InputError("must hold at least one row below its header, got none")
    if len(sample) == _SAMPLE_BYTES and 2 < len(lines) < _SAMPLE_LINES:
        # The last one may be cut off.
        lines = lines[:-1]
    check_width(max(lines[0].count(one) for one in _SEPARATORS))
    if separator is None:
        separator = _find_separator(lines)
        if separator != ",":
            notes.append(f"its columns are separated by {_SEPARATOR_NAMES[separator]}")
    elif len(separator := _BY_NAME.get(separator, separator)) != 1:
        raise InputError(f"separator: must be one character, got {separator!r}")
    header, *rows = _cells(lines, separator)
    return Layout(encoding, separator, _names(header, rows, notes), notes)


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


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    limit = csv.field_size_limit(2 * _SAMPLE_BYTES)
    try:
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    finally:
        csv.field_size_limit(limit)


def _find_separator(lines: Sequence[str]) -> str:
    """The one that cuts the most lines into as many cells, of which there are at least two."""

    def agreement(separator: str) -> tuple[float, int]:
        widths = [len(row) for row in _cells(lines, separator)]
        usual = max(set(widths), key=widths.count)
        return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 1)

    # Of equals the first; spaces stand within texts, too.
    return max(_SEPARATORS, key=lambda one: (agreement(one)[0] >= 0.9 and one != " ", agreement(one)))


def _names(header: list[str], rows: list[list[str]], notes: list[str]) -> list[str]:
    """A name for each cell of the rows, which may have one more than the header."""
    names = [name.strip() or f"Unnamed: {place}" for place, name in enumerate(header)]
    check_names(names)
    if len(names) > 1 and all(_is_number(name) and not name.isdecimal() for name in names):
        raise InputError(
            f"its first line holds numbers, {', '.join(names[:4])}, and no names; add a line of names"
        )
    more = {len(row) - len(names) for row in rows}
    if more == {1}:
        if any(row[-1].strip() for row in rows):
            notes.append("its rows begin with a cell that the header lacks: it is taken for their names")
            return ["Unnamed: 0", *names]
        notes.append("its rows end with a separator that the header lacks")
        return [*names, ""]
    if any(number > 0 for number in more):
        place = next(place for place, row in enumerate(rows) if len(row) > len(names))
        raise InputError(
            f"its row {place + 1} has {len(rows[place])} cells, and its header {len(names)} names; "
            "quote what holds a separator, or give --separator"
        )
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_room(path: Path, sample: bytes, num_columns: int) -> None:
    """InputError where the cells, as texts and as numbers, would not fit into the memory."""
    packed = path.suffix.lower() in _OPENERS
    # Of a packed text nobody knows the length; it shrinks to a fifth or so.
    num_bytes = path.stat().st_size * (5 if packed else 1)
    num_rows = num_bytes / max(1, len(sample) / max(1, sample.count(b"\n")))
    needed = 2 * num_bytes + 16 * num_rows * num_columns
    if needed > memory_bytes():
        raise InputError(
            f"would take about {needed / 1e9:.3g} GB for some {num_rows:,.0f} rows of {num_columns} columns, "
            f"and there are {memory_bytes() / 1e9:.3g} GB; give fewer rows or columns"
        )


def check_width(num_columns: int) -> None:
    if num_columns > MAX_COLUMNS:
        raise InputError(f"must have at most {MAX_COLUMNS} columns, got about {num_columns}")


def check_names(names: Iterable[Any]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"has two columns called {name!r}; rename one")
