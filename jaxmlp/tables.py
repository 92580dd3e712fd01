"""EDGE: a person's own table, from a file or a DataFrame, as numbers, and new rows as the same numbers.

A column of numbers has its gaps filled with the median of the training rows, and, if it has gaps there, a
second column that says where; any other column becomes one column for each category.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmlp import checks, datasets, ensemble, models
from jaxmlp.datasets import Splits
from jaxmlp.description import Column
from jaxmlp.models import Model
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas


MAX_CATEGORIES = 64
MAX_COLUMNS = 50_000
MAX_CLASSES = 20
"""A target of at most so many different whole numbers is taken for classes."""
_MISSING = ""


def read(path: str | Path) -> "pandas.DataFrame":
    """The table in a CSV (.csv, .csv.gz, …) or Parquet (.parquet) file.

    Raises InputError when the file is missing, of another kind, damaged or empty, or lacks pandas to read it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a CSV or Parquet file")
    pandas = _pandas()
    try:
        if path.suffix == ".parquet":
            frame = pandas.read_parquet(path)
            names = frame.columns
        else:
            # Its header as one text: a very wide table would take minutes to read, only to be refused.
            header = pandas.read_csv(path, header=None, nrows=1, dtype=str, sep="\1", quoting=3)
            _check_width(header.iloc[0, 0].count(","), str(path))
            # In pieces, a column that holds a word would be numbers in one and text in another.
            frame = pandas.read_csv(path, low_memory=False)
            # pandas has called the second of two columns of one name otherwise, by their order.
            names = pandas.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].dropna()
    except InputError:
        raise
    except Exception as error:  # pandas and pyarrow raise errors of a dozen kinds on damaged files.
        raise InputError(f"{path}: cannot be read as a table: {checks.first_line(error)}") from None
    _check_names(names, str(path))
    if frame.empty:
        raise InputError(f"{path}: must hold at least one row below its header, got none")
    return frame


def load(
    table: "str | Path | pandas.DataFrame",
    target: str,
    *,
    task: str | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
) -> tuple[Splits, tuple[Column, ...]]:
    """The rows of ``table`` split as by ``datasets.from_arrays``, and how its columns were read.

    The target is taken for classes if it holds words, truth values or at most MAX_CLASSES different whole
    numbers, otherwise for real values; ``task`` says otherwise. What fills gaps and which categories there
    are is learnt from the training rows alone. Raises InputError.
    """
    is_file = isinstance(table, (str, Path))
    frame = _checked(read(table) if is_file else table)
    _check_target(frame, target)
    targets, class_names = _targets(frame[target], task)
    split = functools.partial(
        datasets.from_arrays,
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
    return split(encode(frame, columns)), columns


def fit_columns(frame: "pandas.DataFrame") -> tuple[Column, ...]:
    """How to read each column of ``frame``, learnt from its rows; InputError for one without any value."""
    return tuple(_fit_column(str(name), frame[name]) for name in frame.columns)


def _fit_column(name: str, values: "pandas.Series") -> Column:
    numeric = _is_numeric(values)
    known = _numbers(name, values) if numeric else values
    if known.isna().all():
        raise InputError(f"column {name!r}: has no value in any training row; drop it from the table")
    if numeric:
        return Column(name, float(known.median()), bool(known.isna().any()), ())
    frequent = _words(values).value_counts().index[:MAX_CATEGORIES]
    return Column(name, None, False, tuple(sorted(frequent)))


def encode(frame: "pandas.DataFrame", columns: Sequence[Column]) -> Float[np.ndarray, "rows values"]:
    """The rows of ``frame`` as numbers; its columns may come in any order, and others are left out.

    InputError for a column that is not there or holds what is no number where numbers were learnt.
    """
    frame = _checked(frame)
    values: list[np.ndarray] = []
    for name, fill, gaps, categories in columns:
        if name not in frame:
            raise InputError(f"column {name!r}: is not in the table, which has {_listed(frame.columns)}")
        if fill is None:
            words = _words(frame[name]).to_numpy(object)
            values += [words == category for category in categories]
        else:
            numbers = _numbers(name, frame[name]).to_numpy()
            missing = np.isnan(numbers)
            values += [np.where(missing, fill, numbers), *([missing] if gaps else [])]
    return np.column_stack(values).astype(float)


def _checked(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """The table with text as its columns' names, if it has rows and no two columns of one name."""
    if not len(frame):
        raise InputError("table: must hold at least one row, got none")
    frame = frame.rename(columns=str)
    _check_width(frame.shape[1], "table")
    _check_names(frame.columns, "table")
    return frame


def _check_width(num_columns: int, table: str) -> None:
    if num_columns > MAX_COLUMNS:
        raise InputError(f"{table}: must have at most {MAX_COLUMNS} columns, got about {num_columns}")


def _check_names(names: Any, table: str) -> None:
    repeated = list(names[names.duplicated()])
    if repeated:
        raise InputError(f"{table}: has two columns called {repeated[0]!r}; rename one")


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
    if not _is_numeric(values):
        if task == "regression":
            raise InputError(
                f"target: {values.name!r} must hold numbers for a regression, got {values.iloc[0]!r}"
            )
        return _labels(values.astype(str).to_numpy(object))
    numbers = _numbers(str(values.name), values).to_numpy()
    whole = bool((numbers == numbers.round()).all())
    if task == "regression" or (task is None and not (whole and values.nunique() <= MAX_CLASSES)):
        return numbers, ()
    return _labels(numbers.astype(int) if whole else numbers)


def _labels(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    classes, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int32), tuple(map(str, classes.tolist()))


def _is_numeric(values: "pandas.Series") -> bool:
    """Whether all are numbers, also where their type is "object"; truth values are none."""
    kind = _pandas().api.types.infer_dtype(values, skipna=True)
    return kind in ("integer", "floating", "mixed-integer-float", "decimal")


def _words(values: "pandas.Series") -> "pandas.Series":
    """Each value as text, so that 1, 1.0 and "1", or True and "True", are one category; a gap is one, too."""
    words = values.astype(object).where(values.notna(), _MISSING).astype(str)
    # Whole numbers beside gaps are read as floats.
    return words.str.removesuffix(".0")


def _numbers(name: str, values: "pandas.Series") -> "pandas.Series":
    numbers = _pandas().to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        raise InputError(f"column {name!r}: must hold numbers, got {values[wrong].iloc[0]!r}")
    return numbers.replace([np.inf, -np.inf], np.nan)


def _listed(names: Any) -> str:
    shown = ", ".join(map(repr, list(map(str, names))[:8]))
    return f"{shown}, …" if len(names) > 8 else shown


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise InputError("tables need pandas; install the extra: pip install 'jaxmlp[tables]'") from None
    return pandas


def predict(model: Model, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """A prediction for each row: the class's name and each class's probability, or the value and the ends of
    the interval that should hold 90 % of what is measured.

    Raises InputError when the model was not trained on a table, or a column does not fit.
    """
    description = model.description
    if description.columns is None:
        raise InputError("model: was not trained on a table; give it arrays, with models.predict")
    inputs, names = encode(frame, description.columns), description.class_names
    if names:
        probabilities = models.probabilities(model, inputs)
        columns = {"prediction": np.asarray(names)[probabilities.argmax(axis=1)]}
        columns |= {f"probability of {name}": probabilities[:, i] for i, name in enumerate(names)}
    else:
        values = models.predict(model, inputs)
        columns = {"prediction": values}
        if description.noise_scale is not None:
            margin = ensemble.interval_margin(description.noise_scale[0])
            columns |= {"5 %": values - margin, "95 %": values + margin}
    return _pandas().DataFrame(columns, index=frame.index)
