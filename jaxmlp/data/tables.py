"""A person's own table, from a file or a DataFrame, split into train, validation and test."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxmlp import checks
from jaxmlp.data import splits
from jaxmlp.data.columns import (
    Column,
    check_frame,
    check_names,
    check_width,
    fit_columns,
    import_pandas,
    is_numeric,
    parse_numbers,
    transform_columns,
)
from jaxmlp.data.splits import Splits
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas


MAX_CLASSES = 20
"""A target of at most so many different whole numbers is taken for classes."""


def read_frame(path: str | Path) -> "pandas.DataFrame":
    """The table in a CSV (.csv, .csv.gz, …) or Parquet (.parquet) file.

    Raises InputError when the file is missing, of another kind, damaged or empty, or lacks pandas to read it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a CSV or Parquet file")
    pandas = import_pandas()
    try:
        if path.suffix == ".parquet":
            frame = pandas.read_parquet(path)
            names = frame.columns
        else:
            # Its header as one text: a very wide table would take minutes to read, only to be refused.
            header = pandas.read_csv(path, header=None, nrows=1, dtype=str, sep="\1", quoting=3)
            check_width(header.iloc[0, 0].count(","), str(path))
            # In pieces, a column that holds a word would be numbers in one and text in another.
            frame = pandas.read_csv(path, low_memory=False)
            # pandas has called the second of two columns of one name otherwise, by their order.
            names = pandas.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].dropna()
    except InputError:
        raise
    except Exception as error:  # pandas and pyarrow raise errors of a dozen kinds on damaged files.
        raise InputError(f"{path}: cannot be read as a table: {checks.first_line(error)}") from None
    check_names(names, str(path))
    if frame.empty:
        raise InputError(f"{path}: must hold at least one row below its header, got none")
    return frame


def read_table(
    table: "str | Path | pandas.DataFrame",
    target: str,
    *,
    task: str | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
) -> tuple[Splits, tuple[Column, ...]]:
    """The rows of ``table`` split as by ``splits.from_arrays``, and how its columns were read.

    The target is taken for classes if it holds words, truth values or at most MAX_CLASSES different whole
    numbers, otherwise for real values; ``task`` says otherwise. What fills gaps and which categories there
    are is learnt from the training rows alone. Raises InputError.
    """
    is_file = isinstance(table, (str, Path))
    frame = check_frame(read_frame(table) if is_file else table)
    _check_target(frame, target)
    targets, class_names = _targets(frame[target], task)
    split = functools.partial(
        splits.from_arrays,
        targets=targets,
        task=task,
        class_names=class_names,
        name=Path(table).stem if is_file else "table",
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    # Once to know the training rows, by their numbers, and in the same way once more.
    row_numbers = split(np.arange(len(frame))[:, None]).train.inputs[:, 0].astype(int)
    columns = fit_columns(frame.drop(columns=target).iloc[row_numbers])
    return split(transform_columns(frame, columns)), columns


def _check_target(frame: "pandas.DataFrame", target: str) -> None:
    checks.known_name("target", target, frame.columns)
    if len(frame.columns) < 2:
        raise InputError(f"table: needs a column besides the target {target!r} to learn from")
    missing = frame[target].isna()
    if missing.any():
        raise InputError(
            f"target: {target!r} is missing in {int(missing.sum())} of {len(frame)} rows, the first is row "
            f"{int(missing.to_numpy().argmax())}; fill or drop them"
        )
    if frame[target].nunique() < 2:
        raise InputError(
            f"target: {target!r} has only one value, {frame[target].iloc[0]!r}; nothing to learn"
        )


def _targets(values: "pandas.Series", task: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The target as labels with their class names, or as real values without any."""
    if not is_numeric(values):
        if task == "regression":
            raise InputError(
                f"target: {values.name!r} must hold numbers for a regression, got {values.iloc[0]!r}"
            )
        return _labels(values.astype(str).to_numpy(object))
    numbers = parse_numbers(str(values.name), values).to_numpy()
    whole = bool((numbers == numbers.round()).all())
    if task == "regression" or (task is None and not (whole and values.nunique() <= MAX_CLASSES)):
        return numbers, ()
    return _labels(numbers.astype(int) if whole else numbers)


def _labels(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    classes, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int32), tuple(map(str, classes.tolist()))
