"""The host loop of a sweep: chunk by chunk, all members train until something is to be decided."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Key

from jaxmlp.data.folds import Folds
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.runtime import processes
from jaxmlp.runtime.console import progress_bar, tell_stop
from jaxmlp.runtime.devices import device_put, num_concurrent_calls, sharding
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import interruptible, note_stop
from jaxmlp.sweep import chunks
from jaxmlp.sweep.calls import advance_chunks
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.decisions import (
    TIMED_EPOCHS,
    alive_members,
    candidate_loss,
    choose_ensemble,
    fit_to_budget,
    keep_snapshot,
    next_event,
    next_snapshot,
    num_member_epochs,
    prune,
)
from jaxmlp.sweep.programs import Chunk, check_config, make_groups
from jaxmlp.sweep.resume import restore_sweep, save_sweep, sweep_fingerprint
from jaxmlp.sweep.selection import HeldOut, held_out_rows
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
    folds: Folds,
    config: SweepConfig,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> SweepResult:
    """Train ``members`` (``sampling.draw_members`` makes them), each with a network for each of ``folds``,
    and choose the best of them and an ensemble by what these have not learnt from.

    ``network_of(spec)`` is the network of a NetworkSpec. Ctrl-C, a signal of ``stop_on``, or the end of
    the time budget, ends the sweep with what it has. With ``checkpoints`` it can be gone on with from any
    epoch, to the same bits. Raises InputError, and FloatingPointError when no member's loss is finite.
    """
    check_config(config, members, folds.train)
    check_backend()
    began, budget = time.perf_counter(), config.time_budget
    run = sweep_fingerprint(members, config, folds, checkpoints.run) if checkpoints else {}
    held_out = held_out_rows(config.task, folds)
    state = _resume(init_sweep(members, network_of, config, folds), members, checkpoints, run)
    arrays = _place(folds, config)
    # As if it had begun so much earlier.
    began -= state.seconds
    bar_of = _progress_bar(state, config, show=progress)
    ahead = chunks.compile_ahead(state.chunks, *arrays)
    with interruptible() as asked_to_stop, bar_of as bar, ahead as find:

        def stop() -> bool:
            seconds = time.perf_counter() - began
            return bool(
                processes.all_processes_max(asked_to_stop() or (budget is not None and seconds > budget))
            )

        if budget is not None:
            _compile_all(state, find, stop)
        state = _add_compiling(state, time.perf_counter() - began - state.seconds)
        ended = False
        while state.epoch < state.num_epochs and not ended:
            event = next_event(state, config)
            until = min(event, _next_kept(checkpoints, state, config))
            state, whole = advance_chunks(state, until, find, stop, bar, _at_once(arrays[0]))
            state = state._replace(seconds=time.perf_counter() - began)
            if asked := processes.all_processes_max(asked_to_stop()):
                note_stop(asked)
            if whole and until == event:
                state = _decide(choose_ensemble(state, config, members, held_out), config, bar)
            state = _keep_if_due(checkpoints, state, config, run, whole=whole, stopped=bool(asked))
            ended = not whole
        if ended:
            # Not in the checkpoint: all will have come further when it is chosen there.
            state = choose_ensemble(state, config, members, held_out)
        stopped = processes.all_processes_max(asked_to_stop())
    tell_stop(stopped, state.epoch, state.num_epochs)
    return _make_result(state, members, config, held_out, stopped)


def _at_once(data: Dataset | Stream) -> int:
    """Chunks that train at the same time; data in parts fill the device."""
    return 1 if isinstance(data, Stream) else num_concurrent_calls()


def _progress_bar(state: SweepState, config: SweepConfig, *, show: bool) -> Any:
    """Over the epochs of all members."""
    trained = state.history.get("train_loss", np.empty(0))
    return progress_bar(num_member_epochs(state, config), int(np.sum(~np.isnan(trained))), show=show)


def _resume(
    begun: SweepState, members: Sequence[Member], checkpoints: Checkpoints | None, run: dict[str, Any]
) -> SweepState:
    """The state of the last checkpoint, where there is one and it is to be gone on with."""
    if (kept := load_checkpoint(checkpoints, run)) is None:
        return begun
    state = restore_sweep(kept, begun, members)
    print(f"resumed after epoch {state.epoch}", flush=True)
    return state


def _compile_all(state: SweepState, find: Callable[[Chunk], Advance], stop: Callable[[], bool]) -> None:
    """Wait until every program is there, so that the time of the first epoch is that of the others, or until
    no time is left.
    """
    for chunk in state.chunks:
        if stop():
            return
        find(chunk)


def _add_compiling(state: SweepState, seconds: float) -> SweepState:
    """The state, in whose making and for whose programs ``seconds`` went by."""
    return state._replace(compile_seconds=state.compile_seconds + seconds)


def _place(folds: Folds, config: SweepConfig) -> tuple[Dataset | Stream, Dataset, Key[Array, ""]]:
    """Training data, what is held out and the key of the order, on the devices."""
    _, (data_key,) = seed_keys([config.seed])
    data_key, held_out = device_put((data_key, folds.held_out), sharding(config.mesh))
    data = place_data(folds.train, config.batch_size, data_key, config.data_bytes, config.mesh)
    return data, held_out, data_key


def _decide(state: SweepState, config: SweepConfig, bar: Any) -> SweepState:
    """After the first epochs the time looked at, and the members cut."""
    if not state.candidates or not alive_members(state):
        raise FloatingPointError("no member's loss is finite any more; try smaller learning rates")
    budget = config.time_budget
    if state.epoch in TIMED_EPOCHS and budget is not None:
        state = fit_to_budget(state, config, budget - state.seconds)
        bar.total = num_member_epochs(state, config)
    bar.set_postfix_str(_progress_text(state), refresh=False)
    return prune(state, config)


def _next_kept(checkpoints: Checkpoints | None, state: SweepState, config: SweepConfig) -> int:
    """The epoch after which the next checkpoint or snapshot is due."""
    return min(next_save(checkpoints, state.epoch, state.num_epochs), next_snapshot(state, config))


def _keep_if_due(
    checkpoints: Checkpoints | None,
    state: SweepState,
    config: SweepConfig,
    run: dict[str, Any],
    *,
    whole: bool,
    stopped: bool,
) -> SweepState:
    """The state, with a snapshot where all members have come equally far, and its checkpoint, if due."""
    state = keep_snapshot(state, config) if whole else state
    if checkpoints is not None:
        last = state.epoch == state.num_epochs
        if should_save(checkpoints, state.epoch, last=last, stopped=stopped):
            save_sweep(checkpoints, state, run)
    return state


def init_sweep(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    config: SweepConfig,
    folds: Folds,
) -> SweepState:
    """The state before the first step."""
    num_folds, num_examples = len(folds.held_out.inputs), len(folds.train.inputs)
    made = make_groups(members, network_of, config, num_examples, num_folds)
    state = SweepState(
        chunks=[chunk for group in made for chunk in chunks.init_chunks(group, num_folds)],
        num_epochs=config.num_epochs,
        history={},
        statuses=["finished"] * len(members),
        outputs={},
        candidates=[],
        ensemble_history={"epochs": [], "loss": [], "size": [], "candidates": [], "seconds": []},
        losses=[math.inf] * len(members),
        latest_losses=[math.inf] * len(members),
        num_measured=num_folds - folds.ends_with_all,
    )
    return keep_snapshot(state, config)


def _progress_text(state: SweepState) -> str:
    """The best member, who is alive, and the ensemble."""
    best = int(np.argmin(state.losses))
    text = f"lowest loss {state.losses[best]:.4f} (member {best}), {len(alive_members(state))} alive"
    return f"{text}, ensemble {state.ensemble_history['loss'][-1]:.4f}" if state.candidates else text


def _make_result(
    state: SweepState,
    members: Sequence[Member],
    config: SweepConfig,
    held_out: HeldOut,
    interrupted: int,
) -> SweepResult:
    """What the sweep found; KeyboardInterrupt or InputError if there was no time to find anything."""
    if not state.ensemble_history["loss"]:
        if interrupted:
            raise KeyboardInterrupt
        raise InputError(
            f"time_budget: {config.time_budget:g} s were over before a member had trained for an epoch; "
            "give it more, or fewer members"
        )
    return SweepResult(
        members=members,
        history=state.history,
        losses=np.array(state.losses),
        statuses=state.statuses,
        best=min(state.candidates, key=lambda candidate: candidate_loss(candidate, held_out)),
        candidates=state.candidates,
        held_out=held_out,
        ensemble_history=state.ensemble_history,
        seconds={"compile": state.compile_seconds, "train": state.train_seconds},
        num_programs=len(group_by_structure(members)),
        interrupted=interrupted,
        snapshots=state.snapshots,
    )
