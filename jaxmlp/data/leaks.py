"""Leaks: what makes a score better than new rows will bear out. They are looked for and told, and never an
error, since only whoever has the data knows when a column is known.

1. Rows on both sides of a split, with the same inputs and target: told from 1 % of a part on, since fewer
   cannot move its score by more than that, and from two rows on; and unless rows are alike by chance, as
   in a table of few categories.
2. A column that alone gives the target away: by a tree of this column, held out rows are ranked with an AUC
   of 0.99, or the ranks of a real target are explained to an R² of 0.99. Columns that are honest rarely come
   so far alone, and where they do it is worth knowing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.stats import rankdata

from jaxmlp.data.columns import column_places
from jaxmlp.data.folds import draw_folds, learnt_rows
from jaxmlp.data.splits import Splits
from jaxmlp.runtime.console import warn
from jaxmlp.types import Dataset, InputError

_SHARE, _BY_CHANCE = 0.01, 0.01
"""Twins from so many of a part's rows on are told, up to so many that a row has by chance."""
_PERFECT = 0.99
_ROWS, _COLUMNS, _FOLDS, _LEAF = 2000, 100, 3, 5
"""So many rows and columns at most, each of which takes some hundredths of a second."""
_FEWEST = 10
"""Held out rows, also of a class, below which nothing can be said."""


def find_leaks(splits: Splits) -> list[str]:
    """A line for each leak that a table seems to have."""
    return [*_remark_twins(splits), *_remark_columns(splits)]


def warn_leaks(splits: Splits) -> Splits:
    """The splits with what ``find_leaks`` finds in them, which is said on stderr."""
    leaks = find_leaks(splits)
    for leak in leaks:
        warn(leak)
    return splits._replace(leaks=tuple(leaks))


def _remark_twins(splits: Splits) -> Iterator[str]:
    """The parts that have rows of those that are learnt from; and of these, from which folds or a validation
    part are held out by chance, those that are there twice.
    """
    train, cut = _hash_rows(splits.train), splits.validation_is_cut
    learnt = Counter(train + _hash_rows(splits.validation) if cut else train)
    parts = {} if cut else {"validation": splits.validation}
    for name, part in {**parts, "test": splits.test}.items():
        rows = _hash_rows(part)
        number = sum(row in learnt for row in rows)
        told = f"{name}: {number:,} of {len(rows):,} rows have twins among those to learn from"
        yield from _tell_twins(told, number, len(rows), splits)
    number = sum(count for count in learnt.values() if count > 1)
    if cut and splits.blocks is None:
        told = f"rows: {number:,} of {learnt.total():,} to learn from have twins among the others"
        yield from _tell_twins(told, number, learnt.total(), splits)


def _tell_twins(told: str, number: int, num_rows: int, splits: Splits) -> Iterator[str]:
    if number >= max(2, _SHARE * num_rows) and not _has_twins_by_chance(splits):
        yield (
            f"{told}, with all inputs and the target, so that a score is too good whose rows are held out by "
            "chance; drop one of each, or name what they share as groups"
        )


def _hash_rows(part: Dataset) -> list[int]:
    pairs = zip(np.asarray(part.inputs), np.asarray(part.targets), strict=True)
    return [hash(inputs.tobytes() + target.tobytes()) for inputs, target in pairs]


def _has_twins_by_chance(splits: Splits) -> bool:
    """Whether other training rows would be like one of them, if columns knew nothing of each other."""
    rows = _sample(len(splits.train.inputs))
    targets = splits.train.targets.reshape(len(splits.train.targets), -1)
    expected, columns = float(len(splits.train.inputs)), iter([targets, *_columns(splits).values()])
    while expected > _BY_CHANCE and (values := next(columns, None)) is not None:
        counts = np.array([*Counter(row.tobytes() for row in values[rows]).values()])
        expected *= (counts * (counts - 1)).sum() / (len(rows) * max(1, len(rows) - 1))
    return bool(expected > _BY_CHANCE)


def _remark_columns(splits: Splits) -> Iterator[str]:
    measure = "an AUC" if splits.class_names else "an R² of ranks"
    for name, score in measure_columns(splits).items():
        if score >= _PERFECT:
            yield (
                f"column {name!r}: alone gives the target away, with {measure} of {score:.3f} on held out "
                "rows; leave it out if it is not known before the target is"
            )


def measure_columns(splits: Splits) -> dict[str, float]:
    """What each column alone tells of the target, on some training rows that are held out of a tree: the AUC,
    as a mean over the classes, or the R² of the target's ranks. Empty where there are too few rows to tell.
    """
    from sklearn.metrics import r2_score, roc_auc_score

    rows, score = _sample(len(splits.train.inputs)), roc_auc_score if splits.class_names else r2_score
    targets = np.asarray(splits.train.targets)[rows]
    try:
        blocks = None if splits.blocks is None else splits.blocks.take(rows)
        folds, _ = draw_folds(targets, _FOLDS, blocks=blocks)
    except InputError:
        return {}
    held_out, learnt = folds >= 0, learnt_rows(folds, ordered=splits.is_ordered)
    values = _as_values(targets, held_out) if splits.class_names else rankdata(targets, axis=0)
    values, found = values.reshape(len(rows), -1), {}
    if held_out.sum() < _FEWEST or not values.shape[1]:
        return {}
    columns = {name: inputs[rows] for name, inputs in _columns(splits).items()}
    for name in _likeliest(columns, values):
        predictions = _predict(columns[name], values, folds, learnt)
        found[name] = float(score(values[held_out], predictions[held_out]))
    return found


def _sample(num_rows: int) -> Int[np.ndarray, " sample"]:
    if num_rows <= _ROWS:
        return np.arange(num_rows)
    return np.sort(np.random.default_rng(0).choice(num_rows, _ROWS, replace=False))


def _columns(splits: Splits) -> dict[str, Shaped[np.ndarray, "rows width"]]:
    """The training inputs of each column of a table; of arrays each input alone."""
    inputs, columns = np.asarray(splits.train.inputs), splits.columns
    if columns is None:
        return {str(place): inputs[:, place, None] for place in range(inputs.shape[1])}
    return {column.name: inputs[:, places.start : places.stop] for column, places in column_places(columns)}


def _likeliest(
    columns: Mapping[str, Shaped[np.ndarray, "rows width"]], values: Float[np.ndarray, "rows outputs"]
) -> list[str]:
    """All columns, or of very many those whose first input is most correlated with some output."""
    if len(columns) <= _COLUMNS:
        return [*columns]
    centred = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    deviations = {name: inputs[:, 0] - inputs[:, 0].mean() for name, inputs in columns.items()}

    def strength(name: str) -> float:
        own = deviations[name]
        return float(np.abs(own @ centred).max() / max(float(np.linalg.norm(own)), 1e-9))

    return sorted(columns, key=strength, reverse=True)[:_COLUMNS]


def _as_values(
    labels: Int[np.ndarray, " rows"], held_out: Bool[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows classes"]:
    """For each class of which, and of others, enough is held out, whether a row is of it."""
    classes, counts = np.unique(labels[held_out], return_counts=True)
    enough = np.minimum(counts, held_out.sum() - counts) >= _FEWEST
    return (labels[:, None] == classes[enough]).astype(float)


def _predict(
    inputs: Shaped[np.ndarray, "rows width"],
    values: Float[np.ndarray, "rows outputs"],
    folds: Int[np.ndarray, " rows"],
    learnt: Bool[np.ndarray, "folds rows"],
) -> Float[np.ndarray, "rows outputs"]:
    """Of the rows of each fold, by a tree that learns from others."""
    # Here, since it takes a second that help and predictions need not wait for.
    from sklearn.tree import DecisionTreeRegressor

    predictions = np.zeros(values.shape)
    for fold, own in enumerate(learnt):
        tree = DecisionTreeRegressor(min_samples_leaf=_LEAF, random_state=0).fit(inputs[own], values[own])
        predictions[folds == fold] = tree.predict(inputs[folds == fold]).reshape(-1, values.shape[1])
    return predictions
