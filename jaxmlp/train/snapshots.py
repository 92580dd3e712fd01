"""A run's parameters on the way."""

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from jaxmlp import checks
from jaxmlp.types import PyTree


class Snapshots(NamedTuple):
    """Which parameters of a run are kept on the way."""

    epochs: tuple[int, ...]
    """Ascending; 0 is before the first."""
    eval_params: Callable[..., PyTree]
    """Of ``Train``, compiled."""

    def next(self, done: int) -> int:
        """The epoch of the first one after ``done`` epochs; beyond all where there is none."""
        return min((epoch for epoch in self.epochs if epoch > done), default=sys.maxsize)


def plan_snapshots(num_epochs: int, num_snapshots: int) -> tuple[int, ...]:
    """At most ``num_snapshots`` epochs, and at least two: 0, the last, and others at equal ratios."""
    if not checks.integer("num_snapshots", num_snapshots, at_least=0):
        return ()
    ratios = np.geomspace(num_epochs, 1, max(1, num_snapshots - 1))
    return tuple(sorted({0, *map(round, ratios.tolist())}))


def flatten_snapshots(snapshots: Mapping[tuple[int, ...], PyTree]) -> dict[str, np.ndarray]:
    """Their leaves on the host, by the numbers that name each and by place."""
    return {
        "/".join(map(str, (*numbers, place))): np.asarray(leaf)
        for numbers, params in snapshots.items()
        for place, leaf in enumerate(jax.tree.leaves(params))
    }


def unflatten_snapshots(
    flat: Mapping[str, np.ndarray], like: Callable[[tuple[int, ...]], PyTree]
) -> dict[tuple[int, ...], PyTree]:
    """The parameters by the numbers that name each, ascending, of the structure of ``like(numbers)``."""
    leaves: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
    for name, leaf in flat.items():
        *numbers, place = map(int, name.split("/"))
        leaves.setdefault(tuple(numbers), {})[place] = leaf
    return {
        numbers: jax.tree.unflatten(jax.tree.structure(like(numbers)), [each[i] for i in range(len(each))])
        for numbers, each in sorted(leaves.items())
    }
