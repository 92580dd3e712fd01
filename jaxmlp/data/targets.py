"""The column of a table that is predicted: classes, or real values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxmlp.data.arrays import MAX_CLASSES
from jaxmlp.data.cells import (
    MISSING,
    are_truths,
    as_word,
    as_words,
    bare,
    floats_merge,
    has_leading_zeros,
    is_dated,
    sample_words,
    shown,
    tell_alike,
    tell_digits,
)
from jaxmlp.data.columns import DateColumn, NumberColumn
from jaxmlp.data.encoding import check_marks
from jaxmlp.data.frames import import_pandas
from jaxmlp.data.inference import NUMBER_KINDS, infer_columns
from jaxmlp.data.numerals import SECONDS, find_decimals, find_unit, parse_numbers
from jaxmlp.runtime.console import warn
from jaxmlp.types import InputError, Series

_PLACEHOLDERS = frozenset(("?", "-", "--", "."))
UNKNOWN = -1
"""The label of a class that was not learnt."""
_KINDS = {".": "decimal-point", ",": "decimal-comma"}
_TIMES = ("datetime", "datetime64", "date", "time", "timedelta", "timedelta64")


def read_target(values: Series, said: str | None) -> tuple[Series, str | None]:
    """The column as it would be with a type: texts that are all numbers as numbers, truth values as such,
    others without the space around them; nothing where there is no value. Only in a column of numbers do
    words such as "NA" stand for nothing: elsewhere they may be classes.

    With it the kind, of ``inference.KINDS``, by which the same column of other tables is read; ``said`` is
    that of this one, None where it is found by looking.
    """
    kind = import_pandas().api.types.infer_dtype(values, skipna=True)
    if is_dated(values) or kind in _TIMES:
        raise _dated_error(values)
    if kind not in ("string", "mixed", "mixed-integer"):
        return values, said
    texts = values.astype(object).map(_as_class)
    texts = texts.where(texts.notna() & (texts != ""))
    words = texts.dropna().astype(str)
    if are_truths({*map(as_word, words.unique())}):
        return texts.map(lambda cell: as_word(cell) in ("True", "1"), na_action="ignore"), said
    numbers = words[~words.str.casefold().isin(MISSING)]
    if not has_leading_zeros(numbers.unique().tolist()):
        is_said = said in NUMBER_KINDS
        plain = import_pandas().to_numeric(numbers, errors="coerce")
        merges = plain.dtype.kind == "f" and floats_merge(numbers)
        if not is_said and not merges and len(plain) and plain.notna().all():
            return plain.reindex(values.index), said
        if is_said or numbers.nunique() > MAX_CLASSES:
            written, kind = _as_numbers(numbers, said)
            if written is not None:
                return written.reindex(values.index), kind
    return texts, said


def _dated_error(values: Series) -> InputError:
    return InputError(f"target: {values.name!r} holds dates or times; give it as numbers, such as days")


def _as_class(cell: Any) -> Any:
    if isinstance(cell, str):
        return bare(cell)
    # Lists and the like cannot be told apart but as texts.
    return cell if import_pandas().api.types.is_hashable(cell) else str(cell)


def _as_numbers(words: Series, said: str | None) -> tuple[Series | None, str]:
    """Words that are numbers with separators or units, and how they are written; None where most are none."""
    (column,) = infer_columns(words.to_frame(), {} if said is None else {str(words.name): said})
    spans = getattr(column, "unit", "") == SECONDS != find_unit(words.tolist())
    if spans or isinstance(column, DateColumn):
        raise _dated_error(words)
    if not isinstance(column, NumberColumn):
        return None, ""
    cells = column.read(words)
    if (unread := column.unread(cells)).any():
        raise InputError(
            f"target: {words.name!r} holds numbers, but in {unread.sum()} of {len(unread)} rows others, "
            f"{shown(words[unread])}; mend or drop these rows"
        )
    return import_pandas().Series(cells.values, words.index, name=words.name), _KINDS[column.decimal]


def fit_targets(values: Series, task: str | None, kind: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """What ``read_target`` gives as labels and the classes in their order, or as real values: what the task
    says, or the kind of a column that is text or numbers.
    """
    numeric = is_numeric(values)
    if task is None and kind is not None:
        task = "regression" if kind in NUMBER_KINDS else "multiclass"
    if not numeric and task == "regression":
        raise InputError(
            f"target: {values.name!r} must hold numbers for a regression, got {values.iloc[0]!r}"
        )
    classes = _class_values(values)
    few = classes.dtype.kind != "f" and (not numeric or values.nunique() <= MAX_CLASSES)
    if task == "regression" or (task is None and not few):
        return strict_numbers(str(values.name), values), None
    classes, labels = np.unique(classes, return_inverse=True)
    return labels.astype(np.int32), classes


def transform_targets(values: Series, class_names: Sequence[Any]) -> np.ndarray:
    """The target of other rows as labels of these classes, or as real values where there are none."""
    if not class_names:
        return strict_numbers(str(values.name), values)
    labels = _find_labels(values, class_names)
    if (unknown := labels == UNKNOWN).any():
        odd = shown(values[unknown], 1)
        raise InputError(f"target: {values.name!r} has the class {odd}, which was not learnt")
    return labels


def _find_labels(values: Series, class_names: Sequence[Any]) -> Int[np.ndarray, " rows"]:
    texts = list(map(str, class_names))
    # A class 1.0 is 1 among whole numbers; what is written in full goes first.
    places = {word: place for place, text in enumerate(texts) if (word := as_word(text))}
    places |= {text: place for place, text in enumerate(texts)}
    found = map(str, _class_values(values).tolist())
    return np.array([places.get(text, places.get(as_word(text), UNKNOWN)) for text in found], np.int32)


def read_known(
    values: Series, kind: str | None, class_names: Sequence[Any]
) -> tuple[np.ndarray, Bool[np.ndarray, " rows"]]:
    """The target of new rows as ``transform_targets`` gives it, but UNKNOWN or nan where it is none that was
    learnt; and where there is nothing at all. InputError for another decimal mark than that of ``kind``, and
    for dates.
    """
    if class_names:
        values, _ = read_target(values, kind)
        there = values.notna().to_numpy(bool)
        labels = np.full(len(values), UNKNOWN)
        labels[there] = _find_labels(values[there], class_names)
        return labels, ~there
    decimal = "," if kind == "decimal-comma" else "."
    column = NumberColumn(str(values.name), decimal=decimal, unit=find_unit(sample_words(values)))
    check_marks(column, values)
    cells = column.read(values)
    return cells.values, ~cells.known


def tell_classes(before: Series, after: Series) -> None:
    """Say it where classes differ only in the space around them, or in capitals, stand for a gap elsewhere,
    or may be numbers.
    """
    names = sorted({cell for cell in after if isinstance(cell, str)})
    texts = {cell for cell in before if isinstance(cell, str)} if names else set()
    is_truth = import_pandas().api.types.infer_dtype(after, skipna=True) == "boolean"
    found = tell_digits(sorted({*as_words(before).tolist()})) if is_truth else []
    if len(texts) > len(names):
        padded = sorted(text for text in texts if text != bare(text))
        found.append(f"space around a class does not count: {shown(padded)}")
    found += tell_alike(names, "classes")
    if gaps := [name for name in names if name.casefold() in MISSING | _PLACEHOLDERS]:
        found.append(f"{shown(gaps)} is taken for a class; where it stands for a gap, drop these rows")
    if kinds := _number_kinds(names):
        found.append(
            f"{shown(names)} are taken for classes; if they are numbers, say {' or '.join(kinds)} of it"
        )
    for remark in found:
        warn(f"target: {before.name!r}: {remark}")


def _number_kinds(names: Sequence[str]) -> list[str]:
    """What a target may be said to be if its classes are numbers, all with one unit or with commas."""
    unit = find_unit(names)
    if has_leading_zeros(names) or not (unit or any("," in name for name in names)):
        return []
    marks = find_decimals(names, unit)
    return [_KINDS[mark] for mark in marks if np.isfinite(parse_numbers(names, mark, unit)).all()]


def is_numeric(values: Series) -> bool:
    """Whether all are numbers, also where their type is "object"; truth values are none."""
    kind = import_pandas().api.types.infer_dtype(values, skipna=True)
    return kind in ("integer", "floating", "mixed-integer-float", "decimal")


def strict_numbers(name: str, values: Series) -> np.ndarray:
    """The column as numbers. InputError for a cell that is none."""
    column = NumberColumn(name)
    cells = column.read(values)
    if (wrong := np.isnan(cells.values)).any():
        raise InputError(f"column {name!r}: must hold numbers, got {shown(values[wrong], 1)}")
    return cells.values


def _class_values(values: Series) -> np.ndarray:
    """Each value as the name of its class: text, a truth value, a whole number, or another one."""
    types = import_pandas().api.types
    if types.infer_dtype(values) == "categorical" and values.cat.categories.dtype.kind in "iub":
        return values.to_numpy(values.cat.categories.dtype)
    if types.infer_dtype(values) == "boolean":
        return values.to_numpy(bool)
    if not is_numeric(values):
        return values.astype(str).to_numpy(object)
    if types.infer_dtype(values) == "integer":
        # Not by way of floats, which cannot tell long ones apart.
        return values.to_numpy()
    numbers = strict_numbers(str(values.name), values)
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    return whole if (whole == numbers).all() else numbers
