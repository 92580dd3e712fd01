"""The nouns of a sweep: what it carries from call to call, and what it found."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmlp.printing import printable
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.selection import Candidate, HeldOut
from jaxmlp.sweep.space import Member
from jaxmlp.types import PyTree


@printable
class SweepResult(NamedTuple):
    """What a sweep found. Members and epochs that were not trained are nan in ``history``."""

    members: Sequence[Member]
    history: dict[str, Float[np.ndarray, "members epochs"]]
    losses: Float[np.ndarray, " members"]
    """The lowest loss of each member for what it has not learnt from: cross-entropy in nats, or the mean
    squared error of standardised targets."""
    statuses: list[str]
    """Of each member: "finished", "cut after epoch 2", "not finite in epoch 1", …"""
    best: Candidate
    """The member with the lowest loss, as it was then."""
    candidates: list[Candidate]
    """Those of the ensemble, and of the ensembles that measure it."""
    held_out: HeldOut
    """What they were judged by."""
    ensemble_history: dict[str, list[float]]
    """Each time that it was chosen: after how many ``epochs``, its cross-fitted ``loss``, its ``size``, the
    number of different ``candidates`` in it, and the ``seconds`` since the beginning."""
    seconds: dict[str, float]
    """``compile``: until states and programs were there; ``train``: of the calls that trained."""
    num_programs: int
    interrupted: int
    """The number of the signal that ended the sweep before its time; 0 if none did."""
    snapshots: Mapping[tuple[int, ...], PyTree] = {}
    """By the number of epochs before and the member, the parameters of each that went on then; folds on the
    first axis."""

    @property
    def ensemble(self) -> list[Candidate]:
        """Those that count in the ensemble."""
        return [one for one in self.candidates if one.counts[0]]

    def summary(self) -> dict[str, Any]:
        """What was found, in words."""
        stopped = {"stopped": f"by signal {self.interrupted}"} if self.interrupted else {}
        return {
            "members": f"{len(self.members)} in {self.num_programs} programs",
            "best member": f"{self.best.member}, with a loss of {self.losses[self.best.member]:.4g}",
            "ensemble": f"{len(self.ensemble)} candidates",
            "loss of the ensemble": f"{self.ensemble_history['loss'][-1]:.4g}",
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
    outputs: dict[int, Float[np.ndarray, "rows outputs"]]
    """Of each member that has trained since the ensemble was chosen, and is finite: as it is now."""
    candidates: list[Candidate]
    """Those of the ensemble, and of the ensembles that measure it. The best one always counts."""
    ensemble_history: dict[str, list[float]]
    losses: list[float]
    """The lowest of each member; infinite where there is none."""
    latest_losses: list[float]
    """Of each member when the ensemble was last chosen; infinite where there was none."""
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    seconds: float = 0.0
    """Since the beginning."""
    epoch: int = 0
    """Epochs that all have behind them; some chunks may be further, on the way to what comes next."""
    snapshots: Mapping[tuple[int, ...], PyTree] = {}
    """As in SweepResult."""
    num_measured: int | None = None
    """Folds whose measures count: all, or but the last, which has learnt what it would be measured on."""
