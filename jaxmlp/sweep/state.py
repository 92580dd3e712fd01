"""The nouns of a sweep: what it carries from call to call, and what it found."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmlp.printing import printable
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.selection import EnsembleMember
from jaxmlp.sweep.space import Member
from jaxmlp.types import PyTree


@printable
class SweepResult(NamedTuple):
    """What a sweep found. Members and epochs that were not trained are nan in ``history``."""

    members: Sequence[Member]
    history: dict[str, Float[np.ndarray, "members epochs"]]
    scores: Float[np.ndarray, " members"]
    """The best validation score of each member: accuracy, or R²."""
    statuses: list[str]
    """Of each member: "finished", "cut after epoch 2", "not finite in epoch 1", …"""
    best: int
    """The member with the best score, and its parameters in its best epoch."""
    best_params: PyTree
    ensemble: list[EnsembleMember]
    """The ensemble."""
    ensemble_history: dict[str, list[float]]
    """Each time that it was chosen: after how many ``epochs``, its validation ``loss``, its ``size``, the
    number of different ``networks`` in it, and the ``seconds`` since the beginning."""
    seconds: dict[str, float]
    """``compile`` and ``train``."""
    num_programs: int
    interrupted: int
    """The number of the signal that ended the sweep before its time; 0 if none did."""

    def summary(self) -> dict[str, Any]:
        """What was found, in words."""
        stopped = {"stopped": f"by signal {self.interrupted}"} if self.interrupted else {}
        return {
            "members": f"{len(self.members)} in {self.num_programs} programs",
            "best member": f"{self.best}, with a validation score of {self.scores[self.best]:.4g}",
            "ensemble": f"{len(self.ensemble)} networks, {sum(c.count for c in self.ensemble)} votes",
            "validation loss": f"{self.ensemble_history['loss'][-1]:.4g}",
            "trained": f"{sum(self.seconds.values()):.1f} s",
        } | stopped


class SweepState(NamedTuple):
    """What a sweep carries from call to call."""

    chunks: list[Chunk]
    """Of the members that go on."""
    num_epochs: int
    """As many as there is time for."""
    history: dict[str, Float[np.ndarray, "members epochs"]]
    statuses: list[str]
    contributions: dict[int, Float[np.ndarray, " examples"]]
    """Of each member that has trained since the ensemble was chosen, and is finite: as it is now."""
    ensemble: list[EnsembleMember]
    ensemble_history: dict[str, list[float]]
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    seconds: float = 0.0
    """Since the beginning."""
    epoch: int = 0
    """Epochs that all have behind them; some chunks may be further, on the way to what comes next."""
