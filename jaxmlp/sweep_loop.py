"""A sweep: members train in step, those that fall behind are cut, the ensemble is chosen as they learn."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from jaxmlp import ensemble, population
from jaxmlp.halving import planned, rungs, survivors
from jaxmlp.nn.metrics import METRICS
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.population import Chunk
from jaxmlp.runtime import processes
from jaxmlp.runtime.devices import device_put, gather, sharding
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import interruptible, note_stop
from jaxmlp.settings import Settings, check, make_groups
from jaxmlp.space import Member, groups
from jaxmlp.sweep_state import SweepState, identity, store, stored
from jaxmlp.swept import Swept
from jaxmlp.train.checkpoints import Checkpoints, load, should_save
from jaxmlp.train.population import seed_keys
from jaxmlp.train.streaming import Stream, place_data
from jaxmlp.types import Dataset, InputError


def sweep(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    dataset: Dataset,
    validation: Dataset,
    settings: Settings,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> Swept:
    """Train ``members`` (``space.draw`` makes them) and choose the best of them and an ensemble.

    ``network_of(spec)`` is the network of a NetworkSpec. Ctrl-C, SIGTERM, or the end of the time budget,
    ends the sweep with what it has. With ``checkpoints`` it can be gone on with from any epoch, to the same
    bits. Raises InputError, and FloatingPointError when no member's loss is finite.
    """
    check(settings, members, dataset)
    check_backend()
    began, budget = time.perf_counter(), settings.time_budget
    run = identity(members, settings, (dataset, validation), checkpoints.run) if checkpoints else {}
    _, (data_key,) = seed_keys([settings.seed])
    state = begin(members, network_of, settings, len(dataset.inputs))
    if (kept := load(checkpoints, run)) is not None:
        state = stored(kept, state, members)
        print(f"resumed after epoch {state.epoch}", flush=True)
    data_key, validation = device_put((data_key, validation), sharding(settings.mesh))
    data = place_data(dataset, settings.batch_size, data_key, settings.data_bytes, settings.mesh)
    # As if it had begun so much earlier.
    began -= state.seconds
    with interruptible() as asked_to_stop, _progress_bar(state, settings, progress) as bar:

        def stop() -> bool:
            seconds = time.perf_counter() - began
            return bool(
                processes.all_processes_max(asked_to_stop() or (budget is not None and seconds > budget))
            )

        ended = False
        while state.epoch < state.num_epochs and not ended:
            state, whole = advance(state, (data, validation, data_key), stop, bar)
            state = state._replace(seconds=time.perf_counter() - began)
            if asked := processes.all_processes_max(asked_to_stop()):
                note_stop(asked)
            if not whole:
                # Before the ensemble is chosen from those who have trained: all will have, later.
                _store(checkpoints, state, run, stopped=bool(asked))
            state = _after_epoch(state, settings, bar, whole=whole)
            ended = not whole
            if whole:
                _store(checkpoints, state, run, stopped=bool(asked))
        return _found(state, members, settings, processes.all_processes_max(asked_to_stop()))


def _after_epoch(state: SweepState, settings: Settings, bar: Any, *, whole: bool) -> SweepState:
    """The ensemble chosen again and, after a whole epoch, the time looked at and the members cut."""
    state, budget = choose(state, settings), settings.time_budget
    if not whole:
        return state
    if state.epoch == 0 and budget is not None:
        state = fit_budget(state, settings, budget - state.seconds)
        bar.total = _num_epochs(state, settings)
    bar.set_postfix_str(_line(state, settings), refresh=False)
    return cut(state, settings)._replace(epoch=state.epoch + 1, num_advanced=0)


def _store(checkpoints: Checkpoints | None, state: SweepState, run: dict[str, Any], *, stopped: bool) -> None:
    """A checkpoint, if one is due."""
    if checkpoints is not None:
        last = state.epoch == state.num_epochs
        if should_save(checkpoints, state.epoch, last=last, stopped=stopped):
            store(checkpoints, state, run)


def begin(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    settings: Settings,
    num_examples: int,
) -> SweepState:
    """The state before the first step."""
    made = make_groups(members, network_of, settings, num_examples)
    return SweepState(
        chunks=[chunk for group in made for chunk in population.begin(group)],
        num_epochs=settings.num_epochs,
        history={},
        fates=["finished"] * len(members),
        shares={},
        chosen=[],
        growth={"loss": [], "size": [], "networks": [], "seconds": []},
    )


def advance(
    state: SweepState,
    arrays: tuple[Dataset | Stream, Dataset, Key[Array, ""]],
    stop: Callable[[], bool],
    bar: Any,
) -> tuple[SweepState, bool]:
    """Every chunk after one more epoch; False with it, if ``stop`` said so in between.

    ``arrays`` are the training data, the validation data and the key of the order.
    """
    shares = state.shares if state.num_advanced else {}
    state = state._replace(chunks=list(state.chunks), shares=shares)
    arguments = *arrays[:2], state.epoch, arrays[2]
    for index in range(state.num_advanced, len(state.chunks)):
        if stop():
            return state, False
        chunk, began = population.arrived(state.chunks[index]), time.perf_counter()
        population.compile_epoch(chunk, *arguments)
        ready = time.perf_counter()
        state.chunks[index], report = population.advance(chunk, *arguments)
        state = _written(state, chunk.members, report)
        state = state._replace(
            compile_seconds=state.compile_seconds + ready - began,
            train_seconds=state.train_seconds + time.perf_counter() - ready,
            num_advanced=index + 1,
        )
        bar.update(len(chunk.members))
    return state, True


def _written(state: SweepState, members: Sequence[int], report: dict[str, np.ndarray]) -> SweepState:
    """The state with what ``members`` reported; those whose loss is not finite are lost from here on."""
    epoch = state.epoch
    finite = np.isfinite(report["train_loss"])
    shares = dict(zip(members, report["validation_share"], strict=True))
    fates, history = list(state.fates), dict(state.history)
    for member in np.array(members)[~finite].tolist():
        fates[member] = f"not finite in epoch {epoch + 1}"
        del shares[member]
    for name in report.keys() - {"validation_share"}:
        rows = history.get(name, np.empty((len(fates), 0)))
        # A column for each epoch until this one.
        history[name] = np.pad(rows, ((0, 0), (0, epoch + 1 - rows.shape[1])), constant_values=np.nan)
        history[name][list(members), epoch] = report[name]
    return state._replace(history=history, fates=fates, shares=state.shares | shares)


def choose(state: SweepState, settings: Settings) -> SweepState:
    """The ensemble again, from those of before and the members as they are now."""
    if not state.shares:
        return state
    places, members = _places(state), list(state.shares)
    losses = ensemble.losses_of(settings.task)
    chosen = ensemble.choose_again(
        state.chosen,
        members,
        np.stack([state.shares[member] for member in members]),
        lambda index: population.params_of(*places[members[index]]),
        epoch=state.epoch + 1,
        losses=losses,
        max_size=settings.max_ensemble,
        num_bags=settings.num_bags,
    )
    votes = [c.votes for c in chosen]
    share = np.average([c.share for c in chosen], axis=0, weights=votes)
    news = {"loss": float(losses(share).mean()), "size": sum(votes), "networks": len(votes)}
    news |= {"seconds": state.seconds}
    growth = {name: [*values, news[name]] for name, values in state.growth.items()}
    return state._replace(chosen=chosen, growth=growth)


def cut(state: SweepState, settings: Settings) -> SweepState:
    """The state of those who go on: at a rung the best, and always those whose loss is finite."""
    alive, epoch = _alive(state), state.epoch
    if not alive:
        raise FloatingPointError("no member's loss is finite any more; try smaller learning rates")
    keep, factor = set(alive), settings.halving
    if factor is not None and epoch + 1 in rungs(state.num_epochs, factor, len(state.fates)):
        losses = state.history[_loss(settings)][:, epoch]
        keep = survivors(alive, _scores(state, settings), losses, factor)
    fates = list(state.fates)
    for member in set(alive) - keep:
        fates[member] = f"cut after epoch {epoch + 1}"
    return state._replace(fates=fates, chunks=population.keep(state.chunks, keep))


def fit_budget(state: SweepState, settings: Settings, seconds: float) -> SweepState:
    """After the first epoch, whose time is known: as many epochs as there is time for in the ``seconds``
    left, and chunks with a schedule as long.
    """

    def cost(num_epochs: int) -> float:
        alive = planned(len(state.fates), num_epochs, settings.halving)
        return state.train_seconds * sum(alive[1:]) / len(state.fates)

    # More epochs never cost less.
    num_epochs = max(1, bisect_right(range(1, state.num_epochs + 1), seconds, key=cost))
    share = num_epochs / state.num_epochs
    chunks = [population.with_num_steps(chunk, share) for chunk in state.chunks]
    return state._replace(num_epochs=num_epochs, chunks=chunks)


def _places(state: SweepState) -> dict[int, tuple[Chunk, int]]:
    """Where each member is that was not cut."""
    return {member: (chunk, i) for chunk in state.chunks for i, member in enumerate(chunk.members)}


def _alive(state: SweepState) -> list[int]:
    return [member for member in _places(state) if state.fates[member] == "finished"]


def _loss(settings: Settings) -> str:
    """What decides between equal scores: the task's second measure, of which less is better."""
    _, second, *_ = METRICS[settings.task]
    return f"validation_{second}"


def _scores(state: SweepState, settings: Settings) -> Float[np.ndarray, " members"]:
    """Each member's best so far; minus infinity where there is none."""
    history = state.history[f"validation_{next(iter(METRICS[settings.task]))}"]
    return np.nanmax(np.nan_to_num(history, nan=-np.inf), axis=1)


def _num_epochs(state: SweepState, settings: Settings) -> int:
    """Of all members together, if none is lost."""
    return sum(planned(len(state.fates), state.num_epochs, settings.halving))


def _progress_bar(state: SweepState, settings: Settings, progress: bool) -> Any:
    from tqdm import tqdm

    total, trained = _num_epochs(state, settings), state.history.get("train_loss", np.empty(0))
    done = int(np.sum(~np.isnan(trained)))
    return tqdm(total=total, initial=done, unit="epoch", disable=not progress, dynamic_ncols=True)


def _line(state: SweepState, settings: Settings) -> str:
    """The best member, who is alive, and the ensemble."""
    scores = _scores(state, settings)
    best, measure = int(np.argmax(scores)), next(iter(METRICS[settings.task]))
    text = f"best validation {measure} {scores[best]:.4f} (member {best}), {len(_alive(state))} alive"
    return f"{text}, ensemble loss {state.growth['loss'][-1]:.4f}" if state.chosen else text


def _found(state: SweepState, members: Sequence[Member], settings: Settings, interrupted: int) -> Swept:
    """What the sweep found; KeyboardInterrupt or InputError if there was no time to find anything."""
    if not state.growth["loss"]:
        if interrupted:
            raise KeyboardInterrupt
        raise InputError(
            f"time_budget: {settings.time_budget:g} s were over before a member had trained for an epoch; "
            "give it more, or fewer members"
        )
    scores = _scores(state, settings)
    best = max(_alive(state), key=lambda member: scores[member])
    chunk, index = _places(state)[best]
    return Swept(
        members=members,
        history=state.history,
        scores=scores,
        fates=state.fates,
        best=best,
        best_params=jax.tree.map(lambda leaf: np.array(leaf[index]), gather(chunk.state.best.params)),
        chosen=state.chosen,
        growth=state.growth,
        seconds={"compile": state.compile_seconds, "train": state.train_seconds},
        num_programs=len(groups(members)),
        interrupted=interrupted,
    )
