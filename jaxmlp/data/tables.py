"""A person's own table, from a file or a DataFrame, split into train, validation and test."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data import splits
from jaxmlp.data.columns import (
    check_frame,
    fit_columns,
    import_pandas,
    is_numeric,
    parse_numbers,
    transform_columns,
)
from jaxmlp.data.frames import read_frame
from jaxmlp.data.splits import Splits
from jaxmlp.types import InputError

if TYPE_CHECKING:
    import pandas

    from jaxmlp.data.frames import Table

MAX_CLASSES = 20
"""A target of at most so many different whole numbers is taken for classes."""


def read_table(
    table: "Table",
    target: str,
    *,
    task: str | None = None,
    sample_weight: str | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    validation: "Table | ArrayLike | None" = None,
    test: "Table | ArrayLike | None" = None,
) -> Splits:
    """The rows of ``table``, a file or a DataFrame, split as by ``splits.from_arrays``, with how its columns
    were read; ``validation`` and ``test`` are tables of their own or rows of this one.

    The target is taken for classes if it holds words, truth values or at most MAX_CLASSES different whole
    numbers, otherwise for real values; ``task`` says otherwise. ``sample_weight`` names a column that says
    how much a row counts. What fills gaps and which categories there are is learnt from the training rows
    alone. Raises InputError.
    """
    frame = _read_checked(table, target)
    others = [target] if sample_weight is None else [target, sample_weight]
    _check_learnable(frame, others)
    targets, classes = _fit_targets(frame[target], task)
    class_names = () if classes is None else tuple(classes.tolist())
    split = functools.partial(
        splits.from_arrays,
        targets=targets,
        task=task,
        class_names=class_names,
        sample_weight=None if sample_weight is None else _weights(frame, sample_weight),
        name=_data_name(table) if isinstance(table, str | Path) else "table",
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    given = {"validation": validation, "test": test}
    own = {part: _read_checked(rows, target) for part, rows in given.items() if _is_table(rows)}
    labels = {part: transform_targets(part, rows[target], class_names) for part, rows in own.items()}

    def parts(inputs_of: Callable[["pandas.DataFrame"], np.ndarray]) -> dict[str, Any]:
        return given | {part: (inputs_of(rows), labels[part]) for part, rows in own.items()}

    # Once to know the training rows, by their numbers, and in the same way once more.
    numbered = split(_row_numbers(frame), **parts(_row_numbers)).train.inputs[:, 0].astype(int)
    columns = fit_columns(frame.drop(columns=others).iloc[numbered])
    read = functools.partial(transform_columns, columns=columns)
    return split(read(frame), **parts(read))._replace(columns=columns, target=target)


def _is_table(given: Any) -> bool:
    return isinstance(given, str | Path) or hasattr(given, "columns")


def _read_checked(table: Any, target: str) -> "pandas.DataFrame":
    """The table, whose target is there in every row."""
    frame = check_frame(read_frame(table) if isinstance(table, str | Path) else table)
    checks.known_name("target", target, frame.columns)
    missing = frame[target].isna()
    if missing.any():
        raise InputError(
            f"target: {target!r} is missing in {int(missing.sum())} of {len(frame)} rows, the first is row "
            f"{int(missing.to_numpy().argmax())}; fill or drop them"
        )
    return frame


def _row_numbers(frame: "pandas.DataFrame") -> np.ndarray:
    return np.arange(len(frame), dtype=float)[:, None]


def _weights(frame: "pandas.DataFrame", name: str) -> np.ndarray:
    return parse_numbers(name, frame[name]).to_numpy()


def _check_learnable(frame: "pandas.DataFrame", others: list[str]) -> None:
    target, *weights = others
    for name in weights:
        checks.known_name("sample_weight", name, frame.columns)
    if len(frame.columns) <= len(others):
        named = " and ".join(map(repr, others))
        raise InputError(f"table: needs a column besides {named} to learn from")
    if frame[target].nunique() < 2:
        raise InputError(
            f"target: {target!r} has only one value, {frame[target].iloc[0]!r}; nothing to learn"
        )


def _fit_targets(values: "pandas.Series", task: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The target as labels and its classes in their order, or as real values."""
    numeric = is_numeric(values)
    if not numeric and task == "regression":
        raise InputError(
            f"target: {values.name!r} must hold numbers for a regression, got {values.iloc[0]!r}"
        )
    classes = _class_values(values)
    few = classes.dtype.kind != "f" and (not numeric or values.nunique() <= MAX_CLASSES)
    if task == "regression" or (task is None and not few):
        return parse_numbers(str(values.name), values).to_numpy(), None
    classes, labels = np.unique(classes, return_inverse=True)
    return labels.astype(np.int32), classes


def transform_targets(part: str, values: "pandas.Series", class_names: Sequence[Any]) -> np.ndarray:
    """The target of other rows as labels of these classes, or as real values where there are none."""
    if not class_names:
        return parse_numbers(str(values.name), values).to_numpy()
    texts = list(map(str, class_names))
    # A class 1.0 is 1 among whole numbers; what is written in full goes first.
    places = {text.removesuffix(".0"): place for place, text in enumerate(texts)}
    places |= {text: place for place, text in enumerate(texts)}
    found = [str(value) for value in _class_values(values).tolist()]
    found = [text if text in places else text.removesuffix(".0") for text in found]
    if unknown := sorted({*found} - {*places}):
        raise InputError(f"{part}: {values.name!r} has the class {unknown[0]!r}, which was not learnt")
    return np.array([places[name] for name in found], np.int32)


def _class_values(values: "pandas.Series") -> np.ndarray:
    """Each value as the name of its class: text, a truth value, a whole number, or another one."""
    types = import_pandas().api.types
    if types.infer_dtype(values) == "boolean":
        return values.to_numpy(bool)
    if not is_numeric(values):
        return values.astype(str).to_numpy(object)
    if types.is_integer_dtype(values.dtype):
        # Not by way of floats, which cannot tell long ones apart.
        return values.to_numpy()
    numbers = parse_numbers(str(values.name), values).to_numpy()
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    return whole if (whole == numbers).all() else numbers


def _data_name(path: str | Path) -> str:
    """The file's name, of which a model tells: as UTF-8, where the system's are any bytes."""
    return os.fsencode(Path(path).stem).decode("utf-8", "backslashreplace")
