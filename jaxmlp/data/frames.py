"""A table as people have it, in a file or in memory, as a DataFrame."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxmlp import checks
from jaxmlp.data.text_files import check_names, check_width, read_text
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas

    Table = str | Path | pandas.DataFrame | Mapping[str, Any] | Any
    """What ``as_frame`` takes."""

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


def as_frame(table: Any) -> "pandas.DataFrame":
    """The table in a file, a DataFrame, a table of another library that can become one (polars, pyarrow), or
    columns by name; with names that are texts. Raises InputError.
    """
    pandas = import_pandas()
    if isinstance(table, str | Path):
        return check_frame(read_frame(table))
    if not isinstance(table, Mapping | pandas.DataFrame) and not hasattr(table, "to_pandas"):
        raise InputError(
            "table: must be a file, a table of pandas, polars or pyarrow, or columns by name, got "
            f"{type(table).__name__}; arrays are for from_arrays, and what is lazy has to be collected"
        )
    try:
        frame = table.to_pandas() if hasattr(table, "to_pandas") else pandas.DataFrame(table)
    except (ImportError, TypeError, ValueError) as error:
        raise InputError(f"table: cannot become a DataFrame: {checks.first_line(error)}") from None
    return check_frame(frame)


def read_frame(
    path: str | Path, *, separator: str | None = None, encoding: str | None = None
) -> "pandas.DataFrame":
    """The table in a text file (.csv, .tsv, .txt, …, which may be zipped), whose cells are texts, as they are
    written, or in a Parquet file.

    What was assumed about a text file is said on stderr; ``separator`` and ``encoding`` say it by hand.
    Raises InputError when the file is missing, damaged, empty, of another kind or too large for the memory.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a CSV or Parquet file")
    pandas, suffix = import_pandas(), path.suffix.lower()
    try:
        if suffix in _OTHERS:
            raise InputError(_OTHERS[suffix])
        if suffix in _PARQUET:
            frame = pandas.read_parquet(path)
            check_names(list(frame.columns))
        else:
            frame = read_text(path, separator, encoding)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # pandas and pyarrow raise errors of a dozen kinds on damaged files.
        raise InputError(f"{path}: cannot be read as a table: {checks.first_line(error)}") from None
    if frame.empty:
        raise InputError(f"{path}: must hold at least one row below its header, got none")
    return frame


def check_frame(frame: Any) -> "pandas.DataFrame":
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
