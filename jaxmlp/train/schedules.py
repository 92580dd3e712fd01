"""How the learning rate changes over a run."""

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

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
"""Factors on the learning rate, as functions of progress through the run in ticks."""
