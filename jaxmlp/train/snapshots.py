"""A run's parameters on the way."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.runtime.compilation import compile_for
from jaxmlp.train.divergence import failure_message
from jaxmlp.train.epoch import epoch_index
from jaxmlp.train.state import Train
from jaxmlp.types import Dataset, PyTree


def parameter_snapshots(
    train: Train,
    parts: Sequence[Dataset],
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
) -> Iterator[PyTree]:
    """The parameters to evaluate: at the start, then after training once on each of ``parts``.

    Parts are whole epochs or pieces of them. All is compiled before the first parameters are handed out.
    FloatingPointError when no loss is finite any more.
    """
    checks.hyperparams(hyperparams)
    state = jax.jit(train.start)(key, hyperparams)
    advance, eval_params = jax.jit(train.advance), jax.jit(train.eval_params)
    programs = [compile_for(advance, state, hyperparams, part, epoch_index(0), data_key) for part in parts]
    yield eval_params(state, hyperparams)
    for index, (program, part) in enumerate(zip(programs, parts, strict=True)):
        state, info = program(state, hyperparams, part, epoch_index(index), data_key)
        if not np.any(np.isfinite(info.loss)):
            raise FloatingPointError(failure_message(info, index))
        yield eval_params(state, hyperparams)


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
