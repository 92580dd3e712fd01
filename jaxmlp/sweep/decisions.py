"""What follows from an epoch's reports: who is lost, who is cut, the ensemble, the time left."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxmlp.nn.metrics import METRICS
from jaxmlp.sweep import selection
from jaxmlp.sweep.chunks import member_params, scale_num_steps, select_members
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs, select_survivors
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.state import SweepState


def record_reports(state: SweepState, members: Sequence[int], report: dict[str, np.ndarray]) -> SweepState:
    """The state with what ``members`` reported; those whose loss is not finite are lost from here on."""
    epoch = state.epoch
    finite = np.isfinite(report["train_loss"])
    contributions = dict(zip(members, report["validation_contribution"], strict=True))
    statuses, history = list(state.statuses), dict(state.history)
    for member in np.array(members)[~finite].tolist():
        statuses[member] = f"not finite in epoch {epoch + 1}"
        del contributions[member]
    for name in report.keys() - {"validation_contribution"}:
        rows = history.get(name, np.empty((len(statuses), 0)))
        # A column for each epoch until this one.
        history[name] = np.pad(rows, ((0, 0), (0, epoch + 1 - rows.shape[1])), constant_values=np.nan)
        history[name][list(members), epoch] = report[name]
    return state._replace(
        history=history, statuses=statuses, contributions=state.contributions | contributions
    )


def choose_ensemble(state: SweepState, config: SweepConfig) -> SweepState:
    """The ensemble again, from those of before and the members as they are now."""
    if not state.contributions:
        return state
    places, members = member_places(state), list(state.contributions)
    losses = selection.contribution_loss(config.task)
    ensemble = selection.update_ensemble(
        state.ensemble,
        members,
        np.stack([state.contributions[member] for member in members]),
        lambda index: member_params(*places[members[index]]),
        epoch=state.epoch + 1,
        losses=losses,
        max_size=config.max_ensemble,
        num_bags=config.num_bags,
    )
    counts = [c.count for c in ensemble]
    contribution = np.average([c.contribution for c in ensemble], axis=0, weights=counts)
    news = {"loss": float(losses(contribution).mean()), "size": sum(counts), "networks": len(counts)}
    news |= {"seconds": state.seconds}
    history = {name: [*values, news[name]] for name, values in state.ensemble_history.items()}
    return state._replace(ensemble=ensemble, ensemble_history=history)


def prune(state: SweepState, config: SweepConfig) -> SweepState:
    """The state without those who are cut: whose loss is not finite, and at a rung all but the best."""
    alive, epoch = alive_members(state), state.epoch
    if not alive:
        raise FloatingPointError("no member's loss is finite any more; try smaller learning rates")
    keep, factor = set(alive), config.halving
    if factor is not None and epoch + 1 in rung_epochs(state.num_epochs, factor, len(state.statuses)):
        losses = state.history[loss_name(config)][:, epoch]
        keep = select_survivors(alive, best_scores(state, config), losses, factor)
    statuses = list(state.statuses)
    for member in set(alive) - keep:
        statuses[member] = f"cut after epoch {epoch + 1}"
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
