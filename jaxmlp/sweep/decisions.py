"""What follows from the reports of members: who is lost, who is cut, the ensemble, the time left."""

import sys
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from jaxmlp.runtime import processes
from jaxmlp.sweep import selection
from jaxmlp.sweep.chunks import member_params, scale_num_steps, select_members
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs, select_survivors, snapshot_epochs
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.selection import Candidate, HeldOut
from jaxmlp.sweep.space import Member
from jaxmlp.sweep.state import SweepState
from jaxmlp.train.snapshots import plan_snapshots
from jaxmlp.types import PyTree

TIMED_EPOCHS = [1, 2]
"""After which the time budget is looked at: the first one takes longer than those that follow."""


def next_event(state: SweepState, config: SweepConfig) -> int:
    """The epoch after which something is decided that follows those that all members have behind them."""
    first = [] if config.time_budget is None else TIMED_EPOCHS
    snapshots = snapshot_epochs(state.num_epochs, config.schedule)
    return min(each for each in (*first, *snapshots) if each > state.epoch)


def choose_ensemble(
    state: SweepState, config: SweepConfig, members: Sequence[Member], held_out: HeldOut
) -> SweepState:
    """The ensemble again, from the candidates of before and the members that have trained since, as they are
    now.
    """
    fresh = make_candidates(state, members, held_out)
    now = {candidate.member: candidate_loss(candidate, held_out) for candidate in fresh}
    latest = [now.get(member, np.inf) for member in range(len(members))]
    lowest = [min(pair) for pair in zip(state.losses, latest, strict=True)]
    state, pool = state._replace(outputs={}, losses=lowest), [*state.candidates, *fresh]
    if not fresh:
        return state
    state = state._replace(latest_losses=latest)
    known = np.stack(
        [one.counts > 0 for one in state.candidates] + [one.counts >= 0 for one in fresh], axis=1
    )
    predictions = [one.predictions for one in pool]
    counts = selection.choose(predictions, known, held_out, config.max_ensemble, config.max_candidates)
    places = member_places(state)
    candidates = []
    for place, one in enumerate(pool):
        if counts[:, place].any():
            params = member_params(*places[one.member]) if one.params is None else one.params
            candidates.append(one._replace(counts=counts[:, place], params=params))
    state = state._replace(candidates=candidates)
    return state._replace(ensemble_history=_record_ensemble(state, held_out))


def make_candidates(state: SweepState, members: Sequence[Member], held_out: HeldOut) -> list[Candidate]:
    """The members that have trained since the ensemble was chosen, without their parameters."""
    places, found = member_places(state), []
    for member, outputs in state.outputs.items():
        if not np.isfinite(outputs).all():
            continue
        smoothed = members[member].hyperparams.label_smoothing is not None
        temperature = selection.sharpen(outputs, held_out) if smoothed else 1.0
        honest = selection.sharpen_parts(outputs, held_out) if smoothed else outputs
        predictions = held_out.predict(honest).astype(outputs.dtype)
        counts = np.zeros(selection.num_choices(held_out), int)
        found.append(Candidate(member, places[member][0].epoch, temperature, counts, predictions, None))
    return found


def candidate_loss(candidate: Candidate, held_out: HeldOut) -> float:
    """The mean loss for what it has not learnt from."""
    return float(held_out.losses([candidate.predictions])[0] @ held_out.weights)


def _record_ensemble(state: SweepState, held_out: HeldOut) -> dict[str, list[float]]:
    honest = selection.cross_fitted_predictions(state.candidates, held_out)
    chosen = [one for one in state.candidates if one.counts[0]]
    news = {"loss": float(held_out.losses([honest])[0] @ held_out.weights)}
    news |= {"size": sum(int(one.counts[0]) for one in chosen), "candidates": len(chosen)}
    # Where the time was over, some have come further than all have.
    epoch = max(state.epoch, *(one.epoch for one in chosen))
    news |= {"epochs": epoch, "seconds": state.seconds}
    return {name: [*values, float(news[name])] for name, values in state.ensemble_history.items()}


def prune(state: SweepState, config: SweepConfig) -> SweepState:
    """The state without those who are cut: whose loss is not finite, and at a rung all but the best."""
    alive, factor = alive_members(state), config.halving
    keep = set(alive)
    rungs = rung_epochs(state.num_epochs, factor, len(state.statuses), config.schedule)
    if factor is not None and state.epoch in rungs:
        # What they have come to, since who has collapsed on the way does not recover.
        keep = select_survivors(alive, np.array(state.latest_losses), factor)
    statuses = list(state.statuses)
    for member in set(alive) - keep:
        statuses[member] = f"cut after epoch {state.epoch}"
    return state._replace(statuses=statuses, chunks=select_members(state.chunks, keep))


def fit_to_budget(state: SweepState, config: SweepConfig, seconds: float) -> SweepState:
    """After an epoch whose time is known: as many epochs as there is time for in the ``seconds`` left, at
    most those that were asked for, and chunks with a schedule as long.
    """
    times = [state.seconds - state.train_seconds, *state.ensemble_history["seconds"]]

    def alive(num_epochs: int) -> list[int]:
        return members_per_epoch(len(state.statuses), num_epochs, config.halving, config.schedule)

    last = (times[-1] - times[-2]) / alive(state.num_epochs)[state.epoch - 1]

    def cost(num_epochs: int) -> float:
        return last * sum(alive(num_epochs)[state.epoch :])

    # More epochs never cost less.
    num_epochs = max(state.epoch, bisect_right(range(1, config.num_epochs + 1), seconds, key=cost))
    # One number for all processes, whose clocks differ.
    num_epochs = processes.all_processes_max(num_epochs)
    share = num_epochs / state.num_epochs
    chunks = [scale_num_steps(chunk, share) for chunk in state.chunks]
    return state._replace(num_epochs=num_epochs, chunks=chunks)


def next_snapshot(state: SweepState, config: SweepConfig) -> int:
    """The epoch of the first one that not all members have behind them; beyond all where there is none."""
    planned = plan_snapshots(state.num_epochs, config.num_snapshots)
    return min((epoch for epoch in planned if epoch > state.epoch), default=sys.maxsize)


def keep_snapshot(state: SweepState, config: SweepConfig) -> SweepState:
    """The state with the parameters of all who were not cut, if those after this epoch are to be kept."""
    if state.epoch not in plan_snapshots(state.num_epochs, config.num_snapshots):
        return state
    places = member_places(state).items()
    now: dict[tuple[int, ...], PyTree] = {
        (state.epoch, member): member_params(*place) for member, place in places
    }
    return state._replace(snapshots={**state.snapshots, **now})


def member_places(state: SweepState) -> dict[int, tuple[Chunk, int]]:
    """Where each member is that was not cut."""
    return {member: (chunk, i) for chunk in state.chunks for i, member in enumerate(chunk.members)}


def alive_members(state: SweepState) -> list[int]:
    return [member for member in member_places(state) if state.statuses[member] == "finished"]


def num_member_epochs(state: SweepState, config: SweepConfig) -> int:
    """Of all members together, if none is lost."""
    return sum(members_per_epoch(len(state.statuses), state.num_epochs, config.halving, config.schedule))
