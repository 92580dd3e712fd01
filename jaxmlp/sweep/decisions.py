"""What follows from the reports of members: who is lost, who is cut, the ensemble, the time left."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmlp.nn.metrics import METRICS
from jaxmlp.sweep import selection
from jaxmlp.sweep.chunks import member_params, scale_num_steps, select_members
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs, select_survivors, snapshot_epochs
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.state import SweepState


def next_event(state: SweepState, config: SweepConfig) -> int:
    """The epoch after which something is decided that follows those that all members have behind them."""
    rungs = rung_epochs(state.num_epochs, config.halving, len(state.statuses))
    first = [] if config.time_budget is None else [1]
    return min(each for each in (*first, *rungs, *snapshot_epochs(state.num_epochs)) if each > state.epoch)


def record_reports(state: SweepState, chunk: Chunk, report: Mapping[str, Any]) -> SweepState:
    """The state with what the members of ``chunk`` reported of the epochs that begin with its own; those
    whose loss is not finite are lost from there on.
    """
    statuses, history, contributions = list(state.statuses), dict(state.history), dict(state.contributions)
    loss, names = report["train_loss"], report.keys() - {"validation_contribution", "first_bad_step"}
    first, end = chunk.epoch, chunk.epoch + loss.shape[1]
    for name in names:
        rows = history.get(name, np.empty((len(statuses), 0)))
        missing = max(0, end - rows.shape[1])
        history[name] = np.pad(rows, ((0, 0), (0, missing)), constant_values=np.nan)
    for place, member in enumerate(chunk.members):
        if statuses[member] != "finished":
            continue
        lost = np.flatnonzero(~np.isfinite(loss[place]))
        seen = 1 + lost[0] if len(lost) else end - first
        for name in names:
            history[name][member, first : first + seen] = report[name][place, :seen]
        contributions[member] = report["validation_contribution"][place]
        if len(lost):
            statuses[member] = f"not finite in epoch {first + seen}"
            del contributions[member]
    return state._replace(history=history, statuses=statuses, contributions=contributions)


def choose_ensemble(state: SweepState, config: SweepConfig) -> SweepState:
    """The ensemble again, from those of before and the members that have trained since, as they are now."""
    if not state.contributions:
        return state
    places, members = member_places(state), list(state.contributions)
    epochs = [places[member][0].epoch for member in members]
    losses = selection.contribution_loss(config.task)
    ensemble = selection.update_ensemble(
        state.ensemble,
        list(zip(members, epochs, strict=True)),
        np.stack([state.contributions[member] for member in members]),
        lambda index: member_params(*places[members[index]]),
        losses=losses,
        max_size=config.max_ensemble,
        num_bags=config.num_bags,
    )
    counts = [c.count for c in ensemble]
    contribution = np.average([c.contribution for c in ensemble], axis=0, weights=counts)
    news = {"loss": float(losses(contribution).mean()), "size": sum(counts), "networks": len(counts)}
    news |= {"epochs": max(epochs), "seconds": state.seconds}
    history = {name: [*values, news[name]] for name, values in state.ensemble_history.items()}
    return state._replace(ensemble=ensemble, ensemble_history=history, contributions={})


def prune(state: SweepState, config: SweepConfig) -> SweepState:
    """The state without those who are cut: whose loss is not finite, and at a rung all but the best."""
    alive, epoch = alive_members(state), state.epoch
    if not alive:
        raise FloatingPointError("no member's loss is finite any more; try smaller learning rates")
    keep, factor = set(alive), config.halving
    if factor is not None and epoch in rung_epochs(state.num_epochs, factor, len(state.statuses)):
        losses = state.history[loss_name(config)][:, epoch - 1]
        keep = select_survivors(alive, best_scores(state, config), losses, factor)
    statuses = list(state.statuses)
    for member in set(alive) - keep:
        statuses[member] = f"cut after epoch {epoch}"
    return state._replace(statuses=statuses, chunks=select_members(state.chunks, keep))


def shorten_to_budget(state: SweepState, config: SweepConfig, seconds: float) -> SweepState:
    """After the first epoch, whose time is known: as many epochs as there is time for in the ``seconds``
    left, and chunks with a schedule as long.
    """

    def cost(num_epochs: int) -> float:
        alive = members_per_epoch(len(state.statuses), num_epochs, config.halving)
        return state.train_seconds * sum(alive[1:]) / len(state.statuses)

    # More epochs never cost less.
    num_epochs = max(1, bisect_right(range(1, state.num_epochs + 1), seconds, key=cost))
    share = num_epochs / state.num_epochs
    chunks = [scale_num_steps(chunk, share) for chunk in state.chunks]
    return state._replace(num_epochs=num_epochs, chunks=chunks)


def member_places(state: SweepState) -> dict[int, tuple[Chunk, int]]:
    """Where each member is that was not cut."""
    return {member: (chunk, i) for chunk in state.chunks for i, member in enumerate(chunk.members)}


def alive_members(state: SweepState) -> list[int]:
    return [member for member in member_places(state) if state.statuses[member] == "finished"]


def loss_name(config: SweepConfig) -> str:
    """What decides between equal scores: the task's second measure, of which less is better."""
    _, second, *_ = METRICS[config.task]
    return f"validation_{second}"


def best_scores(state: SweepState, config: SweepConfig) -> Float[np.ndarray, " members"]:
    """Each member's best so far; minus infinity where there is none."""
    history = state.history[f"validation_{next(iter(METRICS[config.task]))}"]
    return np.nanmax(np.nan_to_num(history, nan=-np.inf), axis=1)


def num_member_epochs(state: SweepState, config: SweepConfig) -> int:
    """Of all members together, if none is lost."""
    return sum(members_per_epoch(len(state.statuses), state.num_epochs, config.halving))
