"""The nouns of a run: what it carries from step to step and epoch to epoch, and what an epoch reports."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key

from jaxmlp.types import PyTree


class TrainState(NamedTuple):
    """What the next step needs. ``key`` is the run's own, for dropout; it never changes."""

    params: PyTree
    model_state: PyTree
    opt_state: PyTree
    key: Key[Array, ""]


class Info(NamedTuple):
    """What one epoch tells: the mean loss per example, and the first step whose loss was not finite
    (the number of steps when all were)."""

    loss: Float[Array, ""]
    first_bad_step: Integer[Array, ""]


EpochReport = tuple[Info, dict[str, Array], Array]
"""What an epoch tells, what ``evaluate`` says after it, and who has patience left."""


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
    higher_is_better: bool = True
    patience: int | None = None


class FitState(NamedTuple):
    """Everything a run is, between two epochs."""

    train: TrainState
    best: Best


def zero_info(num_steps: int) -> Info:
    """The Info before the first of ``num_steps`` steps."""
    return Info(jnp.zeros(()), jnp.asarray(num_steps))


def mean_info(info: Info, batch_size: int, num_examples: int) -> Info:
    """The Info of a whole epoch, whose steps have added up their losses."""
    return info._replace(loss=info.loss * batch_size / num_examples)
