"""How the learning rate changes over a run."""

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxmlp.runtime.console import warn

TICKS = 10_000
"""Optax's schedules count whole steps; a run's progress is measured in this many."""


CYCLE_ENDS = tuple((2**k - 1) / 31 for k in range(1, 6))
"""Shares of the run that are over when a cycle of the schedule "cycles" ends."""


def _cycles(count: Any) -> Array:
    """Five cycles, each twice as long as the one before, with ``CYCLE_ENDS``. In each, the factor rises from
    0 to 1 and falls to 0 (Holzmüller et al. 2024).
    """
    return (1 - jnp.cos(2 * jnp.pi * jnp.log2(1 + 31 * count / TICKS))) / 2


SCHEDULES: dict[str, optax.Schedule] = {
    "constant": optax.constant_schedule(1.0),
    "cosine": optax.cosine_decay_schedule(1.0, TICKS),
    "warmup_cosine": optax.warmup_cosine_decay_schedule(0.0, 1.0, TICKS // 10, TICKS),
    "one_cycle": optax.cosine_onecycle_schedule(TICKS, 1.0),
    "cycles": _cycles,
}
"""Factors on the learning rate, as functions of progress through the run in ticks. Two begin at 0, so that
the first step changes nothing."""


def warn_few_steps(schedule: str, num_steps: float | int | None) -> None:
    """Say where a run, of so many steps if it has a schedule, ends before the rate has left its beginning."""
    if num_steps is None or num_steps > 2:
        return
    most = max(float(SCHEDULES[schedule](TICKS * step / num_steps)) for step in range(int(num_steps)))
    if most < 0.1:
        warn(
            f"schedule: with as few steps as {num_steps:g}, {schedule!r} reaches {most:.0%} of the learning "
            "rate, so that next to nothing is learnt; take more epochs, smaller batches or 'constant'"
        )
