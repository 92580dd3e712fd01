"""A person's own table, from a file or in memory, split into train, validation and test."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data import splits
from jaxmlp.data.cells import shown
from jaxmlp.data.class_weights import ClassWeight, weights_by_label
from jaxmlp.data.encoding import encode_cells, transform_columns
from jaxmlp.data.frames import Table, about_part, as_frame, is_table
from jaxmlp.data.inference import NUMBER_KINDS
from jaxmlp.data.leaks import warn_leaks
from jaxmlp.data.learning import learn_columns
from jaxmlp.data.row_keys import find_keys
from jaxmlp.data.splits import Splits, join_parts
from jaxmlp.data.targets import fit_targets, read_target, strict_numbers, tell_classes, transform_targets
from jaxmlp.runtime.console import about
from jaxmlp.types import DataFrame, Dataset, InputError


def read_table(
    table: Table,
    target: str,
    *,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    sample_weight: str | None = None,
    class_weight: ClassWeight | None = None,
    split_seed: int = 0,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    validation: Table | ArrayLike | None = None,
    test: Table | ArrayLike | None = None,
    groups: str | None = None,
    time: str | None = None,
) -> Splits:
    """The rows of ``table`` (a file, a table of pandas, polars or pyarrow, or columns by name), split as by
    ``splits.from_arrays``, with how its columns were read; ``validation`` and ``test`` are tables of their
    own or rows of this one.

    What each column is follows the rules of ``inference``; what they leave out or take for missing is said
    on stderr, and ``columns`` overrules them: ``{"day": "text", "id": "drop"}``, of ``inference.KINDS``.

    The target is taken for classes if it holds words, truth values or at most 20 different whole numbers,
    otherwise for real values; ``task`` says otherwise, or ``columns`` that it is text or number.
    ``sample_weight`` names a column that says how much a row counts, ``groups`` one whose values never lie on
    two sides of a split, and ``time`` one of dates or numbers, by which the rows are split in their order;
    none of these is an input. ``class_weight`` is "balanced", or a weight for each class by its name. What
    fills gaps and which categories there are is learnt from the training rows and those of a validation part
    that is cut off here, never from parts of their own or the test part. What ``leaks`` finds is said on
    stderr. Raises InputError.
    """
    said = dict(columns or {})
    frame, target_kind = _read_checked(table, target, said)
    named = {"target": target, "sample_weight": sample_weight, "groups": groups, "time": time}
    others = {argument: name for argument, name in named.items() if name is not None}
    _check_learnable(frame, others)
    keys = find_keys(frame, groups, time, said)
    targets, classes = fit_targets(frame[target], task, target_kind)
    class_names = () if classes is None else tuple(classes.tolist())
    given: dict[str, Any] = {"validation": validation, "test": test}
    own: dict[str, DataFrame] = {}
    for part, rows in given.items():
        if isinstance(rows, tuple):
            raise InputError(f"{part}: must be a table with its target, or rows of this one, got a tuple")
        if is_table(rows):
            own[part], given[part] = _read_part(part, rows, target, target_kind, class_names)
    numbered = splits.from_arrays(
        _row_numbers(frame),
        targets,
        task="regression" if classes is None else task,
        class_names=class_names,
        sample_weight=None if sample_weight is None else strict_numbers(sample_weight, frame[sample_weight]),
        class_weight=weights_by_label(class_weight, class_names),
        name=data_name(table) if isinstance(table, str | Path) else "table",
        split_seed=split_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        **given,
        **{key.argument: key.read_all(frame) for key in keys},
    )
    names = _name_rows(numbered, frame, own.get("validation", frame))
    numbered = numbered._replace(target=target, target_kind=target_kind, rows=names)
    said = {name: kind for name, kind in said.items() if name not in (target, groups, time)}
    found = _with_inputs(numbered, frame.drop(columns={*others.values()}), own, said)
    for part, rows in own.items():
        with about_part(part, rows):
            for key in keys:
                key.tell_shared(rows, frame)
    return warn_leaks(found)


def _with_inputs(
    numbered: Splits,
    frame: DataFrame,
    own: Mapping[str, DataFrame],
    said: Mapping[str, str],
) -> Splits:
    """The splits with their columns as inputs, where they have the numbers of rows of ``frame``, or of a
    table of a part's ``own``. What is an input, and how it is read, is learnt from the training rows.
    """
    known = join_parts(numbered) if numbered.validation_is_cut else numbered
    learnt, cells = learn_columns(frame, _numbers_of(known.train), said)
    values, parts = encode_cells(cells), {}
    for name in ("train", "validation", "test"):
        part = getattr(numbered, name)
        if name in own:
            with about_part(name, own[name]):
                parts[name] = part._replace(inputs=transform_columns(own[name], learnt))
        else:
            parts[name] = part._replace(inputs=values[_numbers_of(part)])
    splits.check_inputs(parts["train"].inputs)
    return numbered._replace(**parts, columns=learnt)


def _read_checked(table: Any, target: str, said: Mapping[str, str]) -> tuple[DataFrame, str | None]:
    """The table, whose target is there in every row, and the kind of its target."""
    frame = as_frame(table)
    checks.known_name("target", target, frame.columns)
    if target in said:
        checks.known_name(f"column {target!r}", said[target], (*NUMBER_KINDS, "text"))
    # By their places, since two rows may have one name.
    values, kind = read_target(frame[target].reset_index(drop=True), said.get(target))
    values = values.set_axis(frame.index)
    missing = values.isna()
    if missing.any():
        raise InputError(
            f"target: {target!r} is missing in {int(missing.sum())} of {len(frame)} rows, the first is row "
            f"{missing.idxmax()}; fill or drop them"
        )
    tell_classes(frame[target], values)
    return frame.assign(**{target: values}), kind


def _read_part(
    part: str, table: Any, target: str, kind: str | None, class_names: Sequence[Any]
) -> tuple[DataFrame, tuple[np.ndarray, np.ndarray]]:
    """The table that a part has of its own, and the part as ``from_arrays`` takes it."""
    with about(part):
        frame = as_frame(table)
    with about_part(part, frame):
        frame, _ = _read_checked(frame, target, {} if kind is None else {target: kind})
        return frame, (_row_numbers(frame), transform_targets(frame[target], class_names))


def _name_rows(numbered: Splits, frame: DataFrame, chosen_on: DataFrame) -> Shaped[np.ndarray, " rows"]:
    """What the training rows, and behind them those to choose by, are called in their tables."""
    rows = np.split(numbered.rows, [len(numbered.train.inputs)])
    tables = zip((frame, chosen_on), rows, strict=True)
    return np.concatenate([np.asarray(one.index[own], object) for one, own in tables])


def _row_numbers(frame: DataFrame) -> np.ndarray:
    return np.arange(len(frame), dtype=float)[:, None]


def _numbers_of(part: Dataset) -> np.ndarray:
    return np.asarray(part.inputs[:, 0], int)


def _check_learnable(frame: DataFrame, others: Mapping[str, str]) -> None:
    """InputError where the columns that are no inputs are not there, or all that there are."""
    for argument, name in others.items():
        checks.known_name(argument, name, frame.columns)
        if argument != "target" and name == others["target"]:
            raise InputError(f"{argument}: must be another column than the target, got {name!r}")
    target, named = others["target"], " and ".join(map(repr, dict.fromkeys(others.values())))
    if len(frame.columns) <= len({*others.values()}):
        raise InputError(f"table: needs a column besides {named} to learn from")
    if frame[target].nunique() < 2:
        raise InputError(
            f"target: {target!r} has only one value, {shown(frame[target], 1)}; nothing to learn"
        )


def data_name(path: str | Path) -> str:
    """The file's name, of which a model tells: as UTF-8, where the system's are any bytes."""
    return os.fsencode(Path(path).stem).decode("utf-8", "backslashreplace")
