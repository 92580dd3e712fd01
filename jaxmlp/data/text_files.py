"""A table in a text file as people have it, packed or not; what was assumed of how it is written is said."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from jaxmlp.data.cells import is_plain, sample_words
from jaxmlp.data.numerals import MARK_NAMES, shown_decimals
from jaxmlp.data.text_layout import SEPARATOR_NAMES, Layout, find_layout, read_rows, read_sample
from jaxmlp.runtime.console import warn
from jaxmlp.runtime.devices import memory_bytes
from jaxmlp.types import DataFrame, InputError


def _open_zip(path: Path) -> Any:
    archive = zipfile.ZipFile(path)
    # Beside each file a Mac puts one of its own.
    members = [name for name in archive.namelist() if not re.match(r"__MACOSX/|.*/$", name)]
    if len(members) != 1:
        raise InputError(f"holds {len(members)} files; take out the one that is meant")
    return archive.open(members[0])


_LAYOUT = "layout of jaxmlp"
"""The attribute of a frame that says how its file separates cells and stores letters."""
_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _open_zip,
}


def _open(path: Path) -> Any:
    return _OPENERS.get(path.suffix.lower(), lambda plain: plain.open("rb"))(path)


def read_text(path: Path, separator: str | None, encoding: str | None) -> DataFrame:
    """The rows of the file, whose cells are texts, as they are written; what is assumed is said."""
    with _open(path) as file:
        sample = read_sample(file)
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
    notes = layout.notes + _note_short(path, layout, frame) + _note_swallowed(frame, layout.separator)
    for note in notes:
        warn(note)
    frame.attrs[_LAYOUT] = layout.separator, layout.encoding
    return frame


def write_like(path: Path, frame: DataFrame, original: DataFrame) -> str:
    """Write ``frame`` as a text file that opens where the one opens that ``original`` was read from: with its
    separator and decimal mark, and letters that a spreadsheet finds. Where no number shows a mark, it is a
    comma between semicolons, as spreadsheets have it. Returns in words what is no plain comma or point.
    """
    separator, encoding = original.attrs.get(_LAYOUT, (",", "utf-8"))
    texts = [original[name] for name in original if not is_plain(original[name])]
    marks = {mark for values in texts for mark in shown_decimals(sample_words(values))}
    decimal = marks.pop() if len(marks) == 1 else "," if separator == ";" else "."
    # Of another encoding, not all letters of the classes may be had.
    encoding = encoding if encoding.lower().startswith("utf") else "utf-8-sig"
    frame.to_csv(path, index=False, sep=separator, decimal=decimal, encoding=encoding)
    named = [SEPARATOR_NAMES.get(separator, repr(separator)), MARK_NAMES[decimal]]
    return "" if (separator, decimal) == (",", ".") else " and ".join(named)


def _read_cells(path: Path, layout: Layout) -> DataFrame:
    import pandas

    is_single = len(layout.names) == 1
    with _open(path) as file:
        frame = pandas.read_csv(
            _without_end(file, layout.encoding) if is_single else file,
            sep=layout.separator,
            encoding=layout.encoding,
            header=0,
            names=layout.names,
            skiprows=layout.num_skipped,
            skipinitialspace=True,
            # Of a single column, an empty line is a missing cell.
            skip_blank_lines=not is_single,
            # What each column is, is found by rules of our own, which new rows then follow, too.
            dtype=str,
            keep_default_na=False,
        )
    return _without_last(frame) if layout.names[-1] == "" else frame


def _note_short(path: Path, layout: Layout, frame: DataFrame) -> list[str]:
    """Whether a row has fewer cells than the header has names, so that its last one is empty, too."""
    names = [name for name in layout.names if name]
    if (frame[names[-1]] != "").all():
        return []
    with _open(path) as file:
        lines = islice(io.TextIOWrapper(file, layout.encoding, newline=""), layout.num_skipped, None)
        rows = (row for row in read_rows(lines, layout.separator) if len(row) > 1 or any(row))
        for place, row in enumerate(rows):
            if len(row) < len(names):
                return [
                    f"its row {place} has {len(row)} cells, and its header {len(names)} names: "
                    "what is not there counts as missing at its end"
                ]
    return []


def _note_swallowed(frame: DataFrame, separator: str) -> list[str]:
    """Whether a quote that was never closed took rows into its cell: then all cells of several lines hold as
    many separators as so many rows.
    """
    for name in frame if len(frame.columns) > 1 else ():
        cells = frame[name][frame[name].str.contains("\n", regex=False)]
        rows = cells.str.count("\n")
        if len(cells) and (cells.str.count(re.escape(separator)) == rows * (len(frame.columns) - 1)).all():
            return [
                f"its row {cells.index[0] + 1} has a cell with {rows.iloc[0]} more rows in it, "
                f"{cells.iloc[0]!r:.60}; if a quote was not closed there, mend it"
            ]
    return []


def _without_end(file: Any, encoding: str) -> io.StringIO:
    """The text without the empty lines at its end, which are no cells."""
    return io.StringIO(io.TextIOWrapper(file, encoding, newline="").read().rstrip())


def _without_last(frame: DataFrame) -> DataFrame:
    """The table without what stands after the last separator of each row, which must be nothing."""
    cells = frame[""].fillna("").str.strip().to_numpy()
    if (cells != "").any():
        row = int((cells != "").argmax())
        raise InputError(
            f"its row {row + 1} has a cell more, {cells[row]!r:.40}, than the header has names; "
            "quote what holds a separator, or give --separator"
        )
    return frame.drop(columns="")


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
