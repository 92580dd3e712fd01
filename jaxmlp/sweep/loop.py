"""The host loop of a sweep: chunk by chunk, all members train until something is to be decided."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmlp.nn.metrics import METRICS
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.runtime import processes
from jaxmlp.runtime.console import progress_bar, tell_stop
from jaxmlp.runtime.devices import device_put, gather, sharding
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import interruptible, note_stop
from jaxmlp.sweep import chunks
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.decisions import (
    alive_members,
    best_scores,
    choose_ensemble,
    member_places,
    next_event,
    num_member_epochs,
    prune,
    record_reports,
    shorten_to_budget,
)
from jaxmlp.sweep.programs import Chunk, check_config, make_groups
from jaxmlp.sweep.resume import restore_sweep, save_sweep, sweep_fingerprint
from jaxmlp.sweep.space import Member, group_by_structure
from jaxmlp.sweep.state import SweepResult, SweepState
from jaxmlp.train.checkpoints import Checkpoints, load_checkpoint, next_save, should_save
from jaxmlp.train.epoch import Advance
from jaxmlp.train.population import seed_keys
from jaxmlp.train.streaming import Stream, place_data
from jaxmlp.types import Dataset, InputError


def run_sweep(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    dataset: Dataset,
    validation: Dataset,
    config: SweepConfig,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> SweepResult:
    """Train ``members`` (``sampling.draw_members`` makes them) and choose the best of them and an ensemble.

    ``network_of(spec)`` is the network of a NetworkSpec. Ctrl-C, a signal of ``stop_on``, or the end of
    the time budget, ends the sweep with what it has. With ``checkpoints`` it can be gone on with from any
    epoch, to the same bits. Raises InputError, and FloatingPointError when no member's loss is finite.
    """
    check_config(config, members, dataset)
    check_backend()
    began, budget = time.perf_counter(), config.time_budget
    run = sweep_fingerprint(members, config, (dataset, validation), checkpoints.run) if checkpoints else {}
    state = init_sweep(members, network_of, config, len(dataset.inputs))
    if (kept := load_checkpoint(checkpoints, run)) is not None:
        state = restore_sweep(kept, state, members)
        print(f"resumed after epoch {state.epoch}", flush=True)
    arrays = _place(dataset, validation, config)
    # As if it had begun so much earlier.
    began -= state.seconds
    total, trained = num_member_epochs(state, config), state.history.get("train_loss", np.empty(0))
    bar_of = progress_bar(total, int(np.sum(~np.isnan(trained))), show=progress)
    ahead = chunks.compile_ahead(state.chunks, *arrays)
    with interruptible() as asked_to_stop, bar_of as bar, ahead as find:

        def stop() -> bool:
            seconds = time.perf_counter() - began
            return bool(
                processes.all_processes_max(asked_to_stop() or (budget is not None and seconds > budget))
            )

        ended = False
        while state.epoch < state.num_epochs and not ended:
            event = next_event(state, config)
            until = min(event, next_save(checkpoints, state.epoch, state.num_epochs))
            state, whole = advance_chunks(state, until, find, stop, bar)
            state = state._replace(seconds=time.perf_counter() - began)
            if asked := processes.all_processes_max(asked_to_stop()):
                note_stop(asked)
            if whole and until == event:
                state = _decide(state, config, bar)
            _save_if_due(checkpoints, state, run, stopped=bool(asked))
            ended = not whole
        if ended:
            # Not in the checkpoint: all will have come further when it is chosen there.
            state = choose_ensemble(state, config)
        stopped = processes.all_processes_max(asked_to_stop())
    tell_stop(stopped, state.epoch, state.num_epochs)
    return _make_result(state, members, config, stopped)


def _place(
    dataset: Dataset, validation: Dataset, config: SweepConfig
) -> tuple[Dataset | Stream, Dataset, Key[Array, ""]]:
    """Training data, validation data and the key of the order, on the devices."""
    _, (data_key,) = seed_keys([config.seed])
    data_key, validation = device_put((data_key, validation), sharding(config.mesh))
    data = place_data(dataset, config.batch_size, data_key, config.data_bytes, config.mesh)
    return data, validation, data_key


def _decide(state: SweepState, config: SweepConfig, bar: Any) -> SweepState:
    """The ensemble chosen again, after the first epoch the time looked at, and the members cut."""
    state, budget = choose_ensemble(state, config), config.time_budget
    if state.epoch == 1 and budget is not None:
        state = shorten_to_budget(state, config, budget - state.seconds)
        bar.total = num_member_epochs(state, config)
    bar.set_postfix_str(_progress_text(state, config), refresh=False)
    return prune(state, config)


def _save_if_due(
    checkpoints: Checkpoints | None, state: SweepState, run: dict[str, Any], *, stopped: bool
) -> None:
    """A checkpoint, if one is due."""
    if checkpoints is not None:
        last = state.epoch == state.num_epochs
        if should_save(checkpoints, state.epoch, last=last, stopped=stopped):
            save_sweep(checkpoints, state, run)


def init_sweep(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    config: SweepConfig,
    num_examples: int,
) -> SweepState:
    """The state before the first step."""
    made = make_groups(members, network_of, config, num_examples)
    return SweepState(
        chunks=[chunk for group in made for chunk in chunks.init_chunks(group)],
        num_epochs=config.num_epochs,
        history={},
        statuses=["finished"] * len(members),
        contributions={},
        ensemble=[],
        ensemble_history={"epochs": [], "loss": [], "size": [], "networks": [], "seconds": []},
    )


def advance_chunks(
    state: SweepState,
    until: int,
    find: Callable[[Chunk], Advance],
    stop: Callable[[], bool],
    bar: Any,
) -> tuple[SweepState, bool]:
    """Every chunk in which a member is finite after epoch ``until``; False with it, if ``stop`` said so
    between two calls. ``find`` gives a chunk's program.
    """
    state = state._replace(chunks=list(state.chunks))
    for index, chunk in enumerate(state.chunks):
        if not _is_behind(state, chunk, until):
            continue
        chunk, stopped = chunks.to_device(chunk), False
        while _is_behind(state, chunk, until) and not (stopped := stop()):
            began, before = time.perf_counter(), chunk
            advance = find(chunk)
            ready = time.perf_counter()
            num_epochs = processes.all_processes_max(min(chunk.pace, until - chunk.epoch))
            chunk, report = chunks.advance_chunk(chunk, advance, num_epochs)
            state = record_reports(state, before, report)._replace(
                compile_seconds=state.compile_seconds + ready - began,
                train_seconds=state.train_seconds + time.perf_counter() - ready,
            )
            bar.update(len(chunk.members) * (chunk.epoch - before.epoch))
        state.chunks[index] = chunks.to_host(chunk)
        if stopped:
            return state, False
    return state._replace(epoch=until), True


def _is_behind(state: SweepState, chunk: Chunk, until: int) -> bool:
    """Whether a chunk has to train to be where the others are."""
    return chunk.epoch < until and any(state.statuses[member] == "finished" for member in chunk.members)


def _progress_text(state: SweepState, config: SweepConfig) -> str:
    """The best member, who is alive, and the ensemble."""
    scores = best_scores(state, config)
    best, measure = int(np.argmax(scores)), next(iter(METRICS[config.task]))
    text = f"best validation {measure} {scores[best]:.4f} (member {best}), {len(alive_members(state))} alive"
    return f"{text}, ensemble loss {state.ensemble_history['loss'][-1]:.4f}" if state.ensemble else text


def _make_result(
    state: SweepState, members: Sequence[Member], config: SweepConfig, interrupted: int
) -> SweepResult:
    """What the sweep found; KeyboardInterrupt or InputError if there was no time to find anything."""
    if not state.ensemble_history["loss"]:
        if interrupted:
            raise KeyboardInterrupt
        raise InputError(
            f"time_budget: {config.time_budget:g} s were over before a member had trained for an epoch; "
            "give it more, or fewer members"
        )
    scores = best_scores(state, config)
    best = max(alive_members(state), key=lambda member: scores[member])
    chunk, index = member_places(state)[best]
    return SweepResult(
        members=members,
        history=state.history,
        scores=scores,
        statuses=state.statuses,
        best=best,
        best_params=jax.tree.map(lambda leaf: np.array(leaf[index]), gather(chunk.state.best.params)),
        ensemble=state.ensemble,
        ensemble_history=state.ensemble_history,
        seconds={"compile": state.compile_seconds, "train": state.train_seconds},
        num_programs=len(group_by_structure(members)),
        interrupted=interrupted,
    )
