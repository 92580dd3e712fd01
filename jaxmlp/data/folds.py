"""Folds: parts of the data that a network never sees, so that its predictions there are honest."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxmlp import checks
from jaxmlp.runtime.console import warn
from jaxmlp.types import AnyArray, ClassName, Dataset, InputError

NO_FOLD = -1
"""Of rows that every network learns from."""


class Folds(NamedTuple):
    """Data as the networks of each fold take them, folds on the first axis of what differs."""

    train: Dataset
    """The examples are shared; ``weights`` [folds, examples] are 0 for what a fold leaves out, and have mean
    1."""
    held_out: Dataset
    """What each fold leaves out, [folds, rows, …]. A fold with fewer rows than another repeats one of them;
    ``weights`` [folds, rows], how much a row counts in what is chosen by, are 0 there."""


def assign_folds(
    targets: Shaped[AnyArray, "rows ..."],
    num_folds: int,
    *,
    seed: int = 0,
    class_names: Sequence[ClassName] = (),
) -> Int[np.ndarray, " rows"]:
    """The fold of each row, 0…num_folds−1, drawn by ``seed``: as much in each as can be of every class
    (targets are integers), or of every stretch of one real target; at random where there are several.

    A class with fewer rows than folds is named on stderr, and its rows are in NO_FOLD. Raises InputError
    unless there are at least two folds, and as many rows to divide.
    """
    checks.integer("num_folds", num_folds, at_least=2)
    draws, values = np.random.default_rng(seed), np.asarray(targets)
    strata = values if values.dtype.kind in "iu" else _strata(values, num_folds)
    classes, counts = np.unique(strata, return_counts=True)
    rare = classes[counts < num_folds] if values.dtype.kind in "iu" else classes[:0]
    (rows,) = np.nonzero(~np.isin(strata, rare))
    if len(rows) < num_folds:
        raise InputError(f"num_folds: must be at most the rows of a class, {counts.max()}, got {num_folds}")
    if len(rare):
        named = ", ".join(repr(class_names[label] if class_names else int(label)) for label in rare)
        warn(f"targets: too few rows for {num_folds} folds, so that all learn from them: class {named}")
    folds = np.full(len(values), NO_FOLD)
    # Dealt out like cards, stratum after stratum, each of them shuffled.
    order = rows[np.lexsort((draws.random(len(rows)), strata[rows]))]
    folds[order] = draws.permutation(num_folds)[np.arange(len(rows)) % num_folds]
    return folds


def _strata(targets: Shaped[np.ndarray, "rows ..."], num_folds: int) -> Int[np.ndarray, " rows"]:
    """Rows that are neighbours in one target, as many as there are folds; of several targets, all rows."""
    if targets[:1].size != 1:
        return np.zeros(len(targets), int)
    ranks = np.argsort(np.argsort(targets.reshape(len(targets)), kind="stable"))
    return ranks // num_folds


def cross_folds(data: Dataset, folds: Int[np.ndarray, " rows"]) -> Folds:
    """``data`` with each fold left out once, by the fold of each row. InputError where nothing else has any
    weight.
    """
    num_folds, num_examples = folds.max() + 1, len(folds)
    own = np.ones(num_examples) if data.weights is None else np.asarray(data.weights, float)
    places = [np.flatnonzero(folds == fold) for fold in range(num_folds)]
    longest = max(map(len, places))
    rows = np.stack([np.resize(place, longest) for place in places])
    counted = np.arange(longest) < np.array([len(place) for place in places])[:, None]
    weights = own * (folds != np.arange(num_folds)[:, None])
    if not weights.any(axis=1).all():
        raise InputError("sample_weight: all weight lies in one fold, so that nothing is left to learn from")
    dtype = jax.dtypes.canonicalize_dtype(float)
    train = data._replace(weights=(weights / weights.mean(axis=1, keepdims=True)).astype(dtype))
    held_out = Dataset(data.inputs[rows], data.targets[rows], (own[rows] * counted).astype(dtype))
    return _without_unseen(Folds(train, held_out))


def _without_unseen(folds: Folds) -> Folds:
    """Folds whose held out rows have nothing that their networks have never seen otherwise."""
    inputs, constants = folds.held_out.inputs, constant_inputs(folds)
    if np.isnan(constants).all():
        return folds
    seen = np.where(np.isnan(constants)[:, None], inputs, constants[:, None]).astype(inputs.dtype)
    return folds._replace(held_out=folds.held_out._replace(inputs=seen))


def constant_inputs(folds: Folds) -> Float[np.ndarray, "folds inputs"]:
    """The value of each input of a table that is the same in all that a fold learns from, such as that of a
    rare category, so that nothing is learnt of another one; NaN for the other inputs.
    """
    inputs, weights = np.asarray(folds.train.inputs), np.asarray(folds.train.weights)
    if inputs.ndim > 2:
        return np.full((len(weights), int(np.prod(inputs.shape[1:]))), np.nan)
    ends = [(inputs[own > 0].min(axis=0), inputs[own > 0].max(axis=0)) for own in weights]
    return np.stack([np.where(low == high, low, np.nan) for low, high in ends])


def single_fold(train: Dataset, validation: Dataset) -> Folds:
    """Data whose ``validation`` part takes the folds' place: all networks learn from all of ``train``."""

    def weights_of(part: Dataset) -> Float[np.ndarray, "1 rows"]:
        own = np.ones(len(part.inputs)) if part.weights is None else np.asarray(part.weights)
        return own.astype(jax.dtypes.canonicalize_dtype(float))[None]

    held_out = Dataset(validation.inputs[None], validation.targets[None], weights_of(validation))
    return _without_unseen(Folds(train._replace(weights=weights_of(train)), held_out))
