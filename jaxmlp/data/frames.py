"""A table as people have it, in a file or in memory, as a DataFrame."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from jaxmlp import checks
from jaxmlp.data.text_files import read_text
from jaxmlp.data.text_layout import check_names, check_width
from jaxmlp.runtime.console import about
from jaxmlp.types import DataFrame, InputError

Table = str | Path | DataFrame | Mapping[str, Any] | Any
"""What ``as_frame`` takes."""

_FILE = "file of jaxmlp"
"""The attribute of a frame that says where it was read."""
_PARQUET = (".parquet", ".pq")
_OTHERS = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "is a spreadsheet; save its sheet as CSV"),
    **dict.fromkeys((".json", ".jsonl"), "is JSON; read it with pandas and save it as CSV or Parquet"),
}


def import_pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise InputError("tables need pandas; install the extra: pip install 'jaxmlp[tables]'") from None
    return pandas


def is_table(given: Any) -> bool:
    """Whether it is what ``as_frame`` takes, rather than an array."""
    return isinstance(given, str | Path | Mapping) or hasattr(given, "columns")


def as_frame(table: Any) -> DataFrame:
    """The table in a file, a DataFrame, a table of another library that can become one (polars, pyarrow), or
    columns by name; with names that are texts. Raises InputError.
    """
    pandas = import_pandas()
    if isinstance(table, str | Path):
        return check_frame(read_frame(table))
    try:
        if hasattr(table, "to_pandas"):
            table = _with_index(table.to_pandas())
        elif isinstance(table, Mapping):
            table = pandas.DataFrame(table)
    except (ImportError, TypeError, ValueError) as error:
        raise InputError(f"table: cannot become a DataFrame: {checks.first_line(error)}") from None
    if not isinstance(table, pandas.DataFrame):
        raise InputError(
            "table: must be a file, a table of pandas, polars or pyarrow, or columns by name, got "
            f"{type(table).__name__}; arrays are for from_arrays, and what is lazy has to be collected"
        )
    return check_frame(table)


def read_frame(path: str | Path, *, separator: str | None = None, encoding: str | None = None) -> DataFrame:
    """The table in a text file (.csv, .tsv, .txt, …, which may be zipped), whose cells are texts, as they are
    written, or in a Parquet file.

    What was assumed about a text file is said on stderr; ``separator`` and ``encoding`` say it by hand.
    Rows are numbered from 1. Raises InputError when the file is missing, damaged, empty, of another kind or
    too large for the memory.
    """
    path, pandas = Path(path), import_pandas()
    with about(str(path)):
        if not path.is_file():
            raise InputError("no such file; give the path of a CSV or Parquet file")
        frame = _read_file(path, separator, encoding)
        if frame.empty:
            raise InputError("must hold at least one row below its header, got none")
    # Of which messages tell, and whose rows people count from 1.
    frame.attrs[_FILE], frame.index = str(path), pandas.RangeIndex(1, len(frame) + 1)
    return frame


def _read_file(path: Path, separator: str | None, encoding: str | None) -> DataFrame:
    pandas, suffix = import_pandas(), path.suffix.lower()
    try:
        if suffix in _OTHERS:
            raise InputError(_OTHERS[suffix])
        if suffix in _PARQUET:
            frame = _with_index(pandas.read_parquet(path))
            check_names(list(frame.columns))
            return frame
        return read_text(path, separator, encoding)
    except InputError:
        raise
    except pandas.errors.ParserError as error:
        raise InputError(
            f"cannot be read as a table: {checks.first_line(error)}; quote what holds a separator, and close "
            "every quote"
        ) from None
    except Exception as error:  # pandas and pyarrow raise errors of a dozen kinds on damaged files.
        raise InputError(f"cannot be read as a table: {checks.first_line(error)}") from None


def _with_index(frame: Any) -> Any:
    """The table with an index that has names as columns: elsewhere than in pandas they are."""
    index = getattr(frame, "index", None)
    is_named = any(name is not None for name in getattr(index, "names", ()))
    return frame.reset_index() if is_named else frame


def about_part(part: str, frame: DataFrame) -> AbstractContextManager[None]:
    """``about`` a part that has a table of its own, with its file where it has one."""
    return about(f"{part} ({frame.attrs[_FILE]})" if _FILE in frame.attrs else part)


def check_frame(frame: Any) -> DataFrame:
    """The table with text as its columns' names, if it has rows and no two columns of one name."""
    for axis, what in enumerate(("row", "column")):
        if not frame.shape[axis]:
            raise InputError(f"table: must hold at least one {what}, got none")
    # Not by rename, which takes names of several levels apart.
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    try:
        check_width(frame.shape[1])
        check_names(frame.columns)
    except InputError as error:
        raise InputError(f"table: {error}") from None
    return frame
