"""When a sweep decides: after which epochs its ensemble is chosen, and, in successive halving (Jamieson and
Talwalkar 2016), members are cut; who goes on.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxmlp.train.schedules import CYCLE_ENDS

NUM_SNAPSHOTS = 8
"""Of each member that is not cut; candidates after every epoch would take longer to choose from."""


def snapshot_epochs(num_epochs: int, schedule: str = "constant") -> list[int]:
    """The epochs, from 1, after which all members are candidates of the ensemble: at even shares of the run,
    or where a cycle of the schedule ends.
    """
    even = [k / NUM_SNAPSHOTS for k in range(1, NUM_SNAPSHOTS + 1)]
    shares = CYCLE_ENDS if schedule == "cycles" else even
    return sorted({max(1, round(num_epochs * share)) for share in shares})


def rung_epochs(
    num_epochs: int, factor: int | None, num_members: int, schedule: str = "constant"
) -> list[int]:
    """The epochs, from 1, after which members are cut: the snapshots nearest to where each is ``factor``
    times the one before, as many as leave somebody and the last before the end.
    """
    if factor is None:
        return []
    num_rungs = int(min(math.log(max(num_members, 1), factor), math.log(num_epochs, factor)) + 1e-9)
    wanted = [num_epochs / factor**power for power in range(1, num_rungs + 1)]
    snapshots = snapshot_epochs(num_epochs, schedule)[:-1]
    if not snapshots:
        return []
    return sorted({min(snapshots, key=lambda epoch: abs(epoch - rung)) for rung in wanted})


def members_per_epoch(
    num_members: int, num_epochs: int, factor: int | None, schedule: str = "constant"
) -> list[int]:
    """How many members train in each epoch if none is lost."""
    cuts, alive = rung_epochs(num_epochs, factor, num_members, schedule), []
    for epoch in range(num_epochs):
        if factor is not None and epoch in cuts:
            num_members = math.ceil(num_members / factor)
        alive.append(num_members)
    return alive


def select_survivors(alive: Sequence[int], losses: Float[np.ndarray, " members"], factor: int) -> set[int]:
    """The best of ``alive``, one in ``factor`` but at least one, by their losses."""
    order = sorted(alive, key=lambda member: losses[member])
    return set(order[: math.ceil(len(order) / factor)])
