"""What a sweep found, and two that followed each other as one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmlp.ensemble import Chosen
from jaxmlp.space import Member
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
