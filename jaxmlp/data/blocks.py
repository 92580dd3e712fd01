"""Rows that belong together, or follow each other in time: what lies whole on one side of every split."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped
from numpy.typing import ArrayLike

from jaxmlp.types import InputError

_MOST_DEALT = 5000


class Blocks(NamedTuple):
    """Which rows must not be separated: those of one group, or of one time."""

    of_row: Int[np.ndarray, " rows"]
    """The number of each row's block."""
    ordered: bool = False
    """Whether the numbers are an order in time, so that nothing is learnt from what comes later."""

    def take(self, rows: Any) -> "Blocks":
        return self._replace(of_row=self.of_row[rows])

    @property
    def argument(self) -> str:
        """What they were given as."""
        return "time" if self.ordered else "groups"

    def describe(self) -> str:
        """How rows are split, in words."""
        number = len(np.unique(self.of_row))
        return (
            f"{number:,} times, split in their order" if self.ordered else f"{number:,} groups, split whole"
        )


def make_blocks(groups: ArrayLike | None, time: ArrayLike | None, num_rows: int) -> Blocks | None:
    """The blocks of rows whose group or time is given, in the order of time; None without. InputError for
    both, for rows without one, and for a time that has no order.
    """
    if groups is not None and time is not None:
        raise InputError(
            "groups, time: give one of them; a group with rows at several times would lie on both sides"
        )
    if groups is None and time is None:
        return None
    name, given = ("groups", groups) if time is None else ("time", time)
    values = as_key(name, given, num_rows)
    missing = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else _is_missing(values)
    if missing.any():
        raise InputError(
            f"{name}: is missing in {missing.sum()} of {num_rows} rows, the first is row {missing.argmax()}; "
            "fill or drop them"
        )
    try:
        different, of_row = np.unique(_as_times(values) if time is not None else values, return_inverse=True)
    except TypeError:
        kinds = " and ".join(sorted({type(value).__name__ for value in values}))
        raise InputError(f"{name}: must be of one kind, got {kinds}") from None
    if len(different) < 2:
        raise InputError(f"{name}: is the same in all rows, {different[0]!s:.40}; leave it out")
    return Blocks(of_row, ordered=time is not None)


def as_key(name: str, given: Any, num_rows: int) -> Shaped[np.ndarray, " rows"]:
    """The group or the time of each row, a masked one as such. InputError for any other number of them."""
    values = given if isinstance(given, np.ma.MaskedArray) else unmixed(given)
    if values.shape != (num_rows,):
        raise InputError(f"{name}: must be one for each of the {num_rows} examples, got shape {values.shape}")
    return values


def unmixed(values: ArrayLike) -> np.ndarray:
    """The values as an array; those of a list with words stay what they are, since as words numbers and gaps
    would be words, too.
    """
    array = np.asarray(values)
    return array if hasattr(values, "dtype") or array.dtype.kind not in "US" else np.asarray(values, object)


def _is_missing(values: Shaped[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    if values.dtype.kind in "fmM":
        return np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
    return np.array([is_nothing(value) or value == "" for value in values.tolist()], bool)


def is_nothing(value: Any) -> bool:
    """Whether it is a gap: None, NaN, or that of pandas."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # The gap of pandas, which compares to nothing.
        return True


def _as_times(values: Shaped[np.ndarray, " rows"]) -> Shaped[np.ndarray, " rows"]:
    """What has an order: numbers, or times in universal time."""
    if values.dtype == object and not any(map(np.ndim, cells := values.tolist())):
        # Numbers, also where they came as objects.
        values = plain if (plain := np.array(cells)).dtype.kind in "iufmM" else values
    if values.dtype.kind in "iufmM":
        return values
    if not all(isinstance(value, datetime.date) for value in values):
        odd = next(value for value in values.tolist() if not isinstance(value, datetime.date))
        raise InputError(f"time: must be numbers or datetimes, which have an order, got {odd!r:.40}")
    zones = {getattr(value, "tzinfo", None) is not None for value in values}
    if len(zones) > 1:
        raise InputError("time: must have a zone in all rows, or in none")
    if zones == {True}:
        return np.array([one.astimezone(datetime.UTC).replace(tzinfo=None) for one in values], "M8[us]")
    return values.astype("M8[us]")


def deal_groups(
    of_row: Int[np.ndarray, " rows"],
    targets: Shaped[np.ndarray, "rows ..."],
    shares: Sequence[float],
    seed: int,
) -> Int[np.ndarray, " rows"]:
    """The side of each row, 0…len(shares)−1, that of its whole group: on each as near as can be to its share
    of all rows, and of those of every class, or of every fifth of one real target.

    The largest first, each group goes where it makes the sum of squares of what a side has, over its share,
    the least (as sklearn's StratifiedGroupKFold deals by the deviation, but by their number of rows, too).
    Very many groups are dealt in bundles, drawn at random.
    """
    draws, (numbers, group) = np.random.default_rng(seed), np.unique(of_row, return_inverse=True)
    group = draws.permutation(len(numbers))[group] % _MOST_DEALT
    strata = targets if targets.dtype.kind in "iu" else rank_targets(targets) * 5 // len(targets)
    kinds, stratum = np.unique(strata, return_inverse=True)
    counts = np.zeros((group.max() + 1, len(kinds)))
    np.add.at(counts, (group, stratum), 1)
    # The number of rows weighs as much as all strata together.
    weights = np.append(1.0, np.full(len(kinds), 1 / len(kinds)))
    parts = np.column_stack([counts.sum(axis=1), counts]) / np.append(len(of_row), counts.sum(axis=0))
    sides, held = np.zeros(len(parts), int), np.zeros((len(shares), len(weights)))
    for one in np.lexsort((draws.random(len(parts)), -(parts @ weights))):
        own = parts[one]
        sides[one] = np.argmin((2 * held + own) @ (weights * own) / np.asarray(shares))
        held[sides[one]] += own
    return sides[group]


def rank_targets(targets: Shaped[np.ndarray, "rows ..."]) -> Int[np.ndarray, " rows"]:
    """Of one real target the place of each row in its order; of several nothing to tell apart."""
    if targets[:1].size != 1:
        return np.zeros(len(targets), int)
    return np.argsort(np.argsort(targets.reshape(len(targets)), kind="stable"))


def find_starts(of_row: Int[np.ndarray, " rows"], places: Int[np.ndarray, " stretches"]) -> np.ndarray:
    """The block with which each stretch of time begins, so that as near as can be to its place of the rows
    lie before; none is empty, and none begins with the first. InputError for fewer times than stretches.
    """
    numbers, counts = np.unique(of_row, return_counts=True)
    order = np.arange(len(places))
    if len(numbers) <= len(places):
        raise InputError(
            f"time: must have at least {len(places) + 1} different values to be cut {len(places)} times, "
            f"got {len(numbers)}"
        )
    before = np.cumsum(counts) - counts
    above = np.clip(np.searchsorted(before, places), 1, len(before) - 1)
    nearest = above - (places - before[above - 1] < before[above] - places)
    rising = np.maximum.accumulate(nearest - order) + order
    return numbers[np.clip(rising, 1 + order, len(numbers) - len(places) + order)]


def cut_blocks(
    blocks: Blocks, targets: Shaped[np.ndarray, "rows ..."], fraction: float, seed: int
) -> Bool[np.ndarray, " rows"]:
    """Which rows are cut off: the latest, or whole groups, about a ``fraction`` of all and of every class.
    InputError where there is but one block.
    """
    of_row, wanted = blocks.of_row, int(np.ceil(fraction * len(blocks.of_row)))
    numbers, counts = np.unique(of_row, return_counts=True)
    if len(numbers) < 2:
        raise InputError(
            f"{blocks.argument}: all of the {len(of_row)} rows to cut a part off have one value; "
            "take fewer parts, or make them smaller"
        )
    if blocks.ordered:
        return of_row >= find_starts(of_row, np.array([len(of_row) - wanted]))[0]
    cut = deal_groups(of_row, targets, (1 - fraction, fraction), seed) == 1
    # Where even the smallest is more than is wanted.
    return cut if cut.any() else of_row == numbers[counts.argmin()]


def stretch_folds(of_row: Int[np.ndarray, " rows"], num_folds: int) -> Int[np.ndarray, " rows"]:
    """The fold of each row, -1 in the earliest stretch of time: as long as each other, like those of
    sklearn's TimeSeriesSplit.
    """
    size = len(of_row) // (num_folds + 1)
    starts = find_starts(of_row, len(of_row) - size * np.arange(num_folds, 0, -1))
    return np.searchsorted(starts, of_row, side="right") - 1
