"""When a sweep decides: after which epochs its ensemble is chosen, and, in successive halving (Jamieson and
Talwalkar 2016), members are cut; who goes on.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

NUM_SNAPSHOTS = 8
"""Of each member that is not cut. Candidates after every epoch would take longer to choose from, and only fit
the validation data more closely."""


def rung_epochs(num_epochs: int, factor: int | None, num_members: int) -> list[int]:
    """The epochs, from 1, after which members are cut: each ``factor`` times the one before, as many as leave
    somebody and the last before the end.
    """
    if factor is None:
        return []
    num_rungs = int(min(math.log(max(num_members, 1), factor), math.log(num_epochs, factor)) + 1e-9)
    epochs = {max(1, round(num_epochs / factor**power)) for power in range(1, num_rungs + 1)}
    return sorted(epochs - {num_epochs})


def snapshot_epochs(num_epochs: int) -> list[int]:
    """The epochs, from 1, after which all members are candidates of the ensemble: at even shares of the run,
    and the last.
    """
    return sorted({max(1, round(num_epochs * k / NUM_SNAPSHOTS)) for k in range(1, NUM_SNAPSHOTS + 1)})


def members_per_epoch(num_members: int, num_epochs: int, factor: int | None) -> list[int]:
    """How many members train in each epoch if none is lost."""
    cuts, alive = rung_epochs(num_epochs, factor, num_members), []
    for epoch in range(num_epochs):
        if factor is not None and epoch in cuts:
            num_members = math.ceil(num_members / factor)
        alive.append(num_members)
    return alive


def select_survivors(
    alive: Sequence[int],
    scores: Float[np.ndarray, " members"],
    losses: Float[np.ndarray, " members"],
    factor: int,
) -> set[int]:
    """The best of ``alive``, one in ``factor`` but at least one, by score and then by loss."""
    order = sorted(alive, key=lambda member: (-scores[member], losses[member]))
    return set(order[: math.ceil(len(order) / factor)])
