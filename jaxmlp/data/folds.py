"""Folds: parts of the data that a network never sees, so that its predictions there are honest."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxmlp import checks
from jaxmlp.data.blocks import Blocks, deal_groups, rank_targets, stretch_folds
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
    rows: Int[np.ndarray, "folds rows"]
    """Which of the examples, and behind them of those of a validation part, each held out row is."""

    @property
    def ends_with_all(self) -> bool:
        """Whether the last one leaves nothing out, so that models are made of it alone: as those in time,
        of whom the first know little, and none of the others what was last.
        """
        return not np.asarray(self.held_out.weights)[-1].any()


def assign_folds(
    targets: Shaped[AnyArray, "rows ..."],
    num_folds: int,
    *,
    seed: int = 0,
    class_names: Sequence[ClassName] = (),
    blocks: Blocks | None = None,
) -> Int[np.ndarray, " rows"]:
    """The fold of each row, 0…num_folds−1, drawn by ``seed``: as much in each as can be of every class
    (targets are integers), or of every stretch of one real target; at random where there are several.
    No group of ``blocks`` is in two folds; those in time follow each other, and the earliest rows are in
    NO_FOLD.

    A class with fewer rows than folds, or in a single fold, is named on stderr, and its rows or groups are in
    NO_FOLD. Raises InputError unless there are at least two folds, and as many rows or blocks to divide, and
    where the earliest rows lack a class.
    """
    folds, rare = draw_folds(np.asarray(targets), num_folds, seed, blocks)
    if len(rare):
        named = ", ".join(map(repr, (class_names[label] if class_names else int(label) for label in rare)))
        if blocks is None or not blocks.ordered:
            what = "rows" if blocks is None else "groups"
            warn(f"targets: too few {what} for {num_folds} folds, so that all learn from them: class {named}")
        else:
            raise InputError(
                f"time: the first fold learns from the earliest {(folds == NO_FOLD).sum()} of {len(folds)} "
                f"rows, which lack class {named}; take fewer folds, or put it with another class"
            )
    return folds


def draw_folds(
    targets: Shaped[np.ndarray, "rows ..."], num_folds: int, seed: int = 0, blocks: Blocks | None = None
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rare"]]:
    """``assign_folds`` without a word, and the classes that it would name."""
    checks.integer("num_folds", num_folds, at_least=2)
    if blocks is None:
        return _deal_rows(targets, num_folds, seed)
    classes = np.unique(targets) if targets.dtype.kind in "iu" else np.zeros(0, int)
    if blocks.ordered:
        folds = stretch_folds(blocks.of_row, num_folds)
        return folds, np.setdiff1d(classes, targets[folds == NO_FOLD])
    return _deal_folds(targets, classes, num_folds, seed, blocks)


def _deal_rows(
    targets: Shaped[np.ndarray, "rows ..."], num_folds: int, seed: int
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rare"]]:
    draws = np.random.default_rng(seed)
    # Of one real target neighbours, as many as there are folds.
    strata = targets if targets.dtype.kind in "iu" else rank_targets(targets) // num_folds
    classes, counts = np.unique(strata, return_counts=True)
    is_class = targets.dtype.kind in "iu"
    rare = classes[counts < num_folds] if is_class else classes[:0]
    (rows,) = np.nonzero(~np.isin(strata, rare))
    if len(rows) < num_folds:
        of_class = " of a class" * is_class
        raise InputError(f"num_folds: must be at most the rows{of_class}, {counts.max()}, got {num_folds}")
    folds = np.full(len(targets), NO_FOLD)
    # Dealt out like cards, stratum after stratum, each of them shuffled.
    order = rows[np.lexsort((draws.random(len(rows)), strata[rows]))]
    folds[order] = draws.permutation(num_folds)[np.arange(len(rows)) % num_folds]
    return folds, rare


def _deal_folds(
    targets: Shaped[np.ndarray, "rows ..."],
    classes: Int[np.ndarray, " classes"],
    num_folds: int,
    seed: int,
    blocks: Blocks,
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rare"]]:
    """Whole groups; those of a class that would lie in a single fold, whose networks would not know it, are
    in none.
    """
    if (number := len(np.unique(blocks.of_row))) < num_folds:
        raise InputError(f"num_folds: must be at most the number of groups, {number}, got {num_folds}")
    sides = deal_groups(blocks.of_row, targets, [1.0] * num_folds, seed)
    folds = np.random.default_rng(seed).permutation(num_folds)[sides]
    alone = [label for label in classes if len(np.unique(folds[targets == label])) == 1]
    if alone:
        folds[np.isin(blocks.of_row, blocks.of_row[np.isin(targets, alone)])] = NO_FOLD
    if len(np.unique(folds[folds != NO_FOLD])) < num_folds:
        raise InputError(
            f"groups: {len(alone)} of {len(classes)} classes lie in too few of the {number} groups to be "
            f"both learnt and held out in {num_folds} folds; take fewer folds, or put classes together"
        )
    return folds, np.array(alone, int)


def cross_folds(data: Dataset, folds: Int[np.ndarray, " rows"], *, ordered: bool = False) -> Folds:
    """``data`` with each fold left out once, by the fold of each row. Of ``ordered`` ones, the later folds
    are left out, too, and a last one learns from all. InputError where nothing else has any weight.
    """
    num_folds, num_examples = folds.max() + 1, len(folds)
    own = np.ones(num_examples) if data.weights is None else np.asarray(data.weights, float)
    places = [np.flatnonzero(folds == fold) for fold in range(num_folds)]
    longest = max(map(len, places))
    rows = np.stack([np.resize(place, longest) for place in places])
    counted = np.arange(longest) < np.array([len(place) for place in places])[:, None]
    learnt = learnt_rows(folds, ordered=ordered)
    if ordered:
        learnt, rows = np.vstack([learnt, learnt[:1] | True]), np.vstack([rows, rows[-1:]])
        counted = np.vstack([counted, counted[:1] & False])
    weights = own * learnt
    if not weights.any(axis=1).all():
        raise InputError("sample_weight: all weight lies in one fold, so that nothing is left to learn from")
    dtype = jax.dtypes.canonicalize_dtype(float)
    train = data._replace(weights=(weights / weights.mean(axis=1, keepdims=True)).astype(dtype))
    held_out = Dataset(data.inputs[rows], data.targets[rows], (own[rows] * counted).astype(dtype))
    return _without_unseen(Folds(train, held_out, rows))


def learnt_rows(folds: Int[np.ndarray, " rows"], *, ordered: bool) -> Bool[np.ndarray, "folds rows"]:
    """What the networks of each fold learn from: all other rows, or all earlier ones."""
    numbers = np.arange(folds.max() + 1)[:, None]
    return folds < numbers if ordered else folds != numbers


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
    rows = len(train.inputs) + np.arange(len(validation.inputs))[None]
    return _without_unseen(Folds(train._replace(weights=weights_of(train)), held_out, rows))
