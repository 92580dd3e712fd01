"""What a sweep found, and two that followed each other as one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmlp.ensemble import Chosen
from jaxmlp.space import Member, groups
from jaxmlp.types import PyTree


class Swept(NamedTuple):
    """What a sweep found. Members and epochs that were not trained are nan in ``history``."""

    members: Sequence[Member]
    history: dict[str, Float[np.ndarray, "members epochs"]]
    scores: Float[np.ndarray, " members"]
    """The best validation score of each member: accuracy, or R²."""
    fates: list[str]
    """Of each member: "finished", "cut after epoch 2", "not finite in epoch 1", …"""
    best: int
    """The member with the best score, and its parameters in its best epoch."""
    best_params: PyTree
    chosen: list[Chosen]
    """The ensemble."""
    growth: dict[str, list[float]]
    """After each epoch the ensemble's validation ``loss``, its ``size``, the number of different ``networks``
    in it, and the ``seconds`` since the beginning."""
    seconds: dict[str, float]
    """``compile`` and ``train``."""
    num_programs: int
    interrupted: int
    """The number of the signal that ended the sweep before its time; 0 if none did."""


def merged(first: Swept, second: Swept) -> Swept:
    """Two sweeps as one; the second was given the ensemble of the first, as ``before`` numbers it."""
    offset = len(first.members)
    better = second.scores[second.best] > first.scores[first.best]
    later = second.growth | {"seconds": [first.growth["seconds"][-1] + s for s in second.growth["seconds"]]}
    members = [*first.members, *second.members]
    return Swept(
        members=members,
        history={name: _rows(first.history[name], second.history[name]) for name in first.history},
        scores=np.concatenate([first.scores, second.scores]),
        fates=first.fates + second.fates,
        best=second.best + offset if better else first.best,
        best_params=second.best_params if better else first.best_params,
        chosen=before(second.chosen, -offset),
        growth={name: first.growth[name] + values for name, values in later.items()},
        seconds={name: first.seconds[name] + second.seconds[name] for name in first.seconds},
        num_programs=len(groups(members)),
        interrupted=second.interrupted,
    )


def before(chosen: Sequence[Chosen], offset: int) -> list[Chosen]:
    """An ensemble as a later sweep knows it, whose own members count from 0: numbers less ``offset``."""
    return [c._replace(member=c.member - offset) for c in chosen]


def _rows(*histories: Float[np.ndarray, "_ _"]) -> Float[np.ndarray, "members epochs"]:
    """The rows of all, the shorter ones filled up with nan."""
    most = max(history.shape[1] for history in histories)
    widths = [((0, 0), (0, most - history.shape[1])) for history in histories]
    filled = zip(histories, widths, strict=True)
    return np.concatenate([np.pad(history, width, constant_values=np.nan) for history, width in filled])
