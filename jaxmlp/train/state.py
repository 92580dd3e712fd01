"""The nouns of a run: its functions, what it carries from step to step and epoch to epoch, its reports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer, Shaped

from jaxmlp import checks
from jaxmlp.nn.metrics import Metric
from jaxmlp.printing import printable
from jaxmlp.types import AnyArray, AnyMesh, Dataset, PyTree


class TrainState(NamedTuple):
    """What the next step needs."""

    params: PyTree
    model_state: PyTree
    opt_state: PyTree


class Info(NamedTuple):
    """What one epoch tells: the mean loss per example, and the first step whose loss was not finite
    (the number of steps when all were)."""

    loss: Float[Array, ""]
    first_bad_step: Integer[Array, ""]


class Train(NamedTuple):
    """A run as pure functions; ``vmap`` them for many runs.

    ``start(key, hyperparams) -> TrainState``,
    ``advance(state, hyperparams, dataset, epoch, data_key) -> (TrainState, Info)`` is one epoch, and
    ``eval_params(state, hyperparams) -> params`` are those to evaluate and to keep.
    ``advance_part(state, info, hyperparams, part, epoch, first_step, data_key) -> (TrainState, Info)`` is the
    piece of an epoch from ``first_step`` on whose examples are ``part``, in their order; the Info adds up the
    losses of its steps. An epoch whose order is that of its parts has the same steps.

    The order of the data and what is random in a step, such as dropout, are pure functions of ``data_key``
    and the epoch: runs that share it share both, and what they share is computed once.
    """

    start: Callable[..., TrainState]
    advance: Callable[..., tuple[TrainState, Info]]
    eval_params: Callable[[TrainState, PyTree], PyTree]
    advance_part: Callable[..., tuple[TrainState, Info]] | None = None
    batch_size: int | None = None
    mesh: AnyMesh | None = None
    """The devices, where there are several."""
    num_axes: int = 0
    """Axes of members, which stand first in every array of the state."""

    def members_shape(self, state: TrainState) -> tuple[int, ...]:
        """How many members there are along each axis."""
        return jax.tree.leaves(state.params)[0].shape[: self.num_axes]


@dataclass(frozen=True, eq=False)
class Evaluate:
    """``evaluate(params, model_state, dataset)`` -> each metric's value on the whole set."""

    function: Callable[[PyTree, PyTree, Dataset], dict[str, Array]]
    metrics: Mapping[str, Metric]
    """What it measures; of these, the first one is the default to choose by."""

    def __call__(self, params: PyTree, model_state: PyTree, dataset: Any) -> dict[str, Array]:
        return self.function(params, model_state, checks.as_dataset("dataset", dataset))


class EpochReport(NamedTuple):
    """What the epochs of one call tell."""

    curves: dict[str, Shaped[AnyArray, "*members epochs"]]
    """``train_loss``, ``first_bad_step`` and each ``validation_…`` that is a number, with room for more."""
    last: dict[str, Shaped[AnyArray, "..."]]
    """Each ``validation_…`` that is an array, after the last epoch alone; members are on the first axes."""
    alive: Bool[AnyArray, "*members"]
    """Who has patience left."""
    num_epochs: Integer[AnyArray, "*members"]
    """How many there were; the same for all."""


class Best(NamedTuple):
    """The parameters of the best epoch so far; of epochs with equal scores, the latest."""

    params: PyTree
    model_state: PyTree
    score: Float[Array, "*members"]
    epoch: Integer[Array, "*members"]
    last_improvement: Integer[Array, "*members"]
    """The last epoch that was strictly better than all before, from which patience counts."""


class EarlyStopping(NamedTuple):
    """What makes an epoch the best of its run, and how many epochs a run goes on without a better one."""

    monitor: str
    higher_is_better: bool
    patience: int | None = None


class FitState(NamedTuple):
    """Everything a run is, between two epochs."""

    train: TrainState
    best: Best | None
    """None where no epoch is chosen, as in a sweep."""


@printable
class RunResult(NamedTuple):
    """What ``fit`` returns. A population has its members on the first axis of every array."""

    params: PyTree
    model_state: PyTree
    best_epoch: Integer[np.ndarray, "*members"]
    """Counted from 1; 0 where no epoch was finite, and ``params`` are the initial ones."""
    best_score: Float[np.ndarray, "*members"]
    """What ``monitor`` was in the best epoch."""
    choice: EarlyStopping
    """What chose it."""
    history: dict[str, Float[np.ndarray, "*members epochs"]]
    """``train_loss`` and ``validation_…`` after each epoch."""
    seconds: dict[str, float]
    """``compile`` and ``train``; validation counts as training."""
    interrupted: int
    """The number of the signal that ended the run before its time; 0 if none did."""
    snapshots: Mapping[int, PyTree] = {}
    """Parameters on the way, by the number of epochs before."""

    def summary(self) -> dict[str, Any]:
        """How the run went, in words."""
        num_epochs, seconds = self.history["train_loss"].shape[-1], sum(self.seconds.values())
        stopped = {"stopped": f"by signal {self.interrupted}"} if self.interrupted else {}
        return {
            "best epoch": np.array2string(self.best_epoch, threshold=10, edgeitems=2),
            f"validation {self.choice.monitor}": np.array2string(
                self.best_score, precision=4, threshold=10, edgeitems=2
            ),
            "trained": f"{num_epochs} epochs in {seconds:.1f} s",
        } | stopped


def zero_info(num_steps: int) -> Info:
    """The Info before the first of ``num_steps`` steps."""
    return Info(jnp.zeros(()), jnp.asarray(num_steps))


def mean_info(info: Info, batch_size: int, num_examples: int) -> Info:
    """The Info of a whole epoch, whose steps have added up their losses."""
    return info._replace(loss=info.loss * batch_size / num_examples)
