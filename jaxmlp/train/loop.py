"""The host loop: drives a run call by call, keeps its history, shows progress, can be stopped."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxmlp.checks import as_dataset, fit_arguments
from jaxmlp.runtime import processes
from jaxmlp.runtime.console import progress_bar, tell_stop, warn
from jaxmlp.runtime.devices import (
    check_memory,
    device_put,
    gather,
    keys_sharding,
    num_bytes,
    shard_keys,
    sharding,
    unpad_members,
)
from jaxmlp.runtime.selftest import check_backend
from jaxmlp.runtime.signals import interruptible, note_stop
from jaxmlp.train.checkpoints import (
    Checkpoint,
    Checkpoints,
    key_data_tree,
    load_checkpoint,
    next_save,
    restore_arrays,
    save_checkpoint,
    should_save,
)
from jaxmlp.train.divergence import failure_message, first_failure, last_member
from jaxmlp.train.epoch import Advance, RunFunctions, epoch_index, lower_epochs, make_init, next_num_epochs
from jaxmlp.train.history import Told, append_curves, progress_text
from jaxmlp.train.resume import restore_state, run_fingerprint
from jaxmlp.train.snapshots import Snapshots, flatten_snapshots, plan_snapshots, unflatten_snapshots
from jaxmlp.train.state import EarlyStopping, Evaluate, FitState, Info, RunResult, Train
from jaxmlp.train.step import early_stopping
from jaxmlp.train.streaming import place_data
from jaxmlp.types import AnyMesh, Hyperparams, InputError, PyTree

_DEFAULTS = Hyperparams()


class LoopConfig(NamedTuple):
    """What stays the same from call to call."""

    program: Advance
    hyperparams: PyTree
    num_epochs: int
    members: int | None
    mesh: AnyMesh | None
    choice: EarlyStopping
    first_failure: Callable[..., tuple[int, str] | None]
    checkpoints: Checkpoints | None
    run: dict[str, Any]
    """What it is, for its checkpoints."""
    snapshots: Snapshots


def fit(
    train: Train,
    evaluate: Evaluate,
    dataset: Any,
    validation: Any,
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree = _DEFAULTS,
    num_epochs: int,
    monitor: str | None = None,
    patience: int | None = None,
    data_bytes: int | None = None,
    checkpoints: Checkpoints | None = None,
    num_snapshots: int = 0,
    progress: bool = True,
) -> RunResult:
    """Train for ``num_epochs`` and return the parameters of the epoch with the best ``monitor`` on
    ``validation``, one of the metrics of ``evaluate`` and by default the first; examples count there by their
    weights, too. With ``patience``, stop after that many epochs without a better one.

    ``train`` and ``evaluate`` may be ``vmap``ped, once or several times; then the members stand on the first
    axes of everything in the RunResult, and the run ends when every member has run out of patience. A member
    whose loss is no longer finite keeps its best epoch, its ``train_loss`` says so, and the others go on.

    Where ``make_train`` was given a mesh, the members of the first axis are spread over its devices, and the
    data are on each.

    Training data that take more than ``data_bytes`` (default: half of the device's memory) stay where they
    are, in memory or mapped from a file, and reach the device in parts of that size. The steps are the
    same; XLA may round a part otherwise than the whole, in the last digit.

    With ``checkpoints``, what the run is between two epochs goes to disk every so often, and a run that
    resumes goes on from there, to the same bits as if it had never ended.

    With ``num_snapshots``, the parameters at so many epochs are kept, from before the first to the last, most
    of them early, where networks change most.

    Ctrl-C, and within ``stop_on`` other signals, end the run with what it has, within half a second or an
    epoch. Raises FloatingPointError when no loss is finite any more, naming epoch, step and what failed
    first, and InputError for values out of range, or where the backend computes wrong.
    """
    choice, mesh = early_stopping(evaluate, monitor, patience), train.mesh
    dataset, validation = as_dataset("dataset", dataset), as_dataset("validation", validation)
    fit_arguments(dataset, validation, hyperparams, num_epochs, patience)
    check_backend()
    snapshots = Snapshots(plan_snapshots(num_epochs, num_snapshots), jax.jit(train.eval_params))
    began = time.perf_counter()
    dtype = jax.dtypes.canonicalize_dtype(float)
    hyperparams = jax.tree.map(lambda value: np.asarray(value, dtype), hyperparams)
    _check_room(train, key, hyperparams, mesh)
    given = (dataset, validation), (key, data_key), hyperparams, choice
    run = run_fingerprint(train, evaluate, *given) | dict(checkpoints.run) if checkpoints else {}
    members, where = len(key) if key.ndim else None, keys_sharding(mesh, key)
    kept = load_checkpoint(checkpoints, run)
    held_out, hyperparams = device_put((validation, hyperparams), sharding(mesh))
    key, data_key = shard_keys(mesh, key), shard_keys(mesh, data_key)
    state = restore_state(kept, make_init(train, where)(key, hyperparams), members, where)
    batch_size = train.batch_size if train.advance_part else None
    data = place_data(dataset, batch_size, data_key, data_bytes, mesh)
    functions = RunFunctions(train, evaluate, choice, where)
    program = lower_epochs(functions, state, hyperparams, data, held_out, data_key)()
    failure = partial(first_failure, train, hyperparams, dataset, data_key, keys_sharding(mesh, data_key))
    ready = time.perf_counter()
    if progress:
        print(f"compiled in {ready - began:.1f} s", flush=True)
    course = LoopConfig(
        program, hyperparams, num_epochs, members, mesh, choice, failure, checkpoints, run, snapshots
    )
    state, told, seconds, stopped = _run_epochs(course, state, kept, progress)
    return _make_result(course, state, told, {"compile": ready - began, "train": seconds}, stopped)


def _make_result(
    course: LoopConfig, state: FitState, told: Told, seconds: dict[str, float], stopped: int
) -> RunResult:
    best: Any = state.best
    best = best if course.mesh is None else unpad_members(gather(best), course.members)
    score = np.asarray(best.score) * (1 if course.choice.higher_is_better else -1)
    epoch = 1 + np.asarray(best.epoch)
    if not np.any(epoch):
        warn(f"monitor: {course.choice.monitor} was no number in any epoch, so the network is untrained")
    taken = unflatten_snapshots(told["snapshots"], lambda _: best.params)
    outcome = epoch, score, course.choice, told["history"], seconds, stopped
    snapshots = {done: params for (done,), params in taken.items()}
    return RunResult(best.params, best.model_state, *outcome, snapshots)


def _run_epochs(
    course: LoopConfig, state: FitState, kept: Checkpoint | None, progress: bool
) -> tuple[FitState, Told, float, int]:
    """The state after the last epoch, what was told before, the seconds, and the signal that came, if any."""
    told: Told = {"history": {}, "snapshots": {}}
    done, notes = 0, {"seconds": 0.0, "ended": False}
    if kept is not None:
        done, notes = kept.epoch, kept.notes
        told = {name: restore_arrays(kept, name) for name in told}
        if done > course.num_epochs:
            raise InputError(
                f"num_epochs: must be at least the {done} of the checkpoint, got {course.num_epochs}"
            )
        print(f"resumed after epoch {done}", flush=True)
    began, stopped, pace = time.perf_counter() - notes["seconds"], 0, 1
    with interruptible() as asked_to_stop, progress_bar(course.num_epochs, done, show=progress) as bar:
        while done < course.num_epochs and not notes["ended"] and not stopped:
            told = _with_snapshot(course, told, state, done)
            until = min(next_save(course.checkpoints, done, course.num_epochs), course.snapshots.next(done))
            pace = processes.all_processes_max(min(pace, until - done))
            called = time.perf_counter()
            state, report = _advance(course, state, done, pace, told, notes)
            num_epochs = report.curves["train_loss"].shape[-1]
            pace = next_num_epochs(num_epochs, time.perf_counter() - called)
            done, told = done + num_epochs, append_curves(told, report.curves)
            bar.set_postfix_str(progress_text(course.choice, told["history"]), refresh=False)
            bar.update(num_epochs)
            if stopped := processes.all_processes_max(asked_to_stop()):
                note_stop(stopped)
            notes = {"seconds": time.perf_counter() - began, "ended": not np.any(report.alive)}
            _save(course, done, state, told, notes, stopped=bool(stopped))
    # Asked again, for a signal that came while the last checkpoint was written.
    stopped = processes.all_processes_max(asked_to_stop())
    tell_stop(stopped, done, course.num_epochs)
    return state, _with_snapshot(course, told, state, done), time.perf_counter() - began, stopped


def _advance(
    course: LoopConfig, state: FitState, done: int, num_epochs: int, told: Told, notes: dict[str, Any]
) -> tuple[FitState, Any]:
    """The state after a call of at most so many epochs, and their report; else ``_fail``."""
    before = _copy(state)
    state, report = course.program(state, course.hyperparams, done, num_epochs)
    report = unpad_members(report, course.members)
    if not np.any(np.isfinite(report.curves["train_loss"][..., -1])):
        _fail(course, before, done, report.curves, told, notes)
    return state, report


def _fail(
    course: LoopConfig, before: FitState, done: int, curves: dict[str, Any], told: Told, notes: dict[str, Any]
) -> NoReturn:
    """FloatingPointError for the last epoch of a call that began with ``before``. The state before that epoch
    is found by going through the others again, and saved.
    """
    info = Info(curves["train_loss"][..., -1], curves["first_bad_step"][..., -1])
    good = curves["train_loss"].shape[-1] - 1
    if good:
        before, _ = course.program(before, course.hyperparams, done, good)
        told = append_curves(told, {name: values[..., :-1] for name, values in curves.items()})
    if done + good:
        _save(course, done + good, before, told, notes, stopped=True)
    first = course.first_failure(before.train, epoch_index(done + good, course.mesh), last_member(info))
    raise FloatingPointError(failure_message(info, done + good, first))


def _save(
    course: LoopConfig, done: int, state: FitState, told: Told, notes: dict[str, Any], *, stopped: bool
) -> None:
    """A checkpoint, if one is due."""
    last = done == course.num_epochs or notes["ended"]
    if course.checkpoints is not None and should_save(course.checkpoints, done, last=last, stopped=stopped):
        trees = {"state": unpad_members(gather(key_data_tree(state)), course.members), **told}
        save_checkpoint(course.checkpoints, done, trees, course.run, notes)


def _with_snapshot(course: LoopConfig, told: Told, state: FitState, done: int) -> Told:
    """With the parameters after ``done`` epochs, if they are to be kept."""
    if done not in course.snapshots.epochs:
        return told
    params = course.snapshots.eval_params(state.train, course.hyperparams)
    taken = flatten_snapshots({(done,): unpad_members(gather(params), course.members)})
    return told | {"snapshots": told["snapshots"] | taken}


@jax.jit
def _copy(state: FitState) -> FitState:
    """A copy that stays when the memory of ``state`` is used again."""
    return jax.tree.map(jnp.copy, state)


def _check_room(train: Train, key: Key[Array, "*members"], hyperparams: PyTree, mesh: AnyMesh | None) -> None:
    """InputError where what a run carries from step to step would not fit into memory."""
    state = jax.eval_shape(make_init(train), key, hyperparams)
    shares = mesh.shape["members"] if mesh and key.ndim else 1
    check_memory(num_bytes(state) // shares)
