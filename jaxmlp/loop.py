"""The host loop: drives a run epoch by epoch, validates, keeps the best, shows progress, can be stopped."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Integer, Key

from jaxmlp import checks
from jaxmlp.epochs import Choice, Evaluate, FitState, compiled, epoch_number, make_begin, make_program
from jaxmlp.mesh import fetch, place, put, spread
from jaxmlp.train import Info, Train
from jaxmlp.types import Dataset, PyTree


class Fit(NamedTuple):
    """What ``fit`` returns. A population has its members on the first axis of every array."""

    params: PyTree
    model_state: PyTree
    best_epoch: Integer[np.ndarray, "*members"]
    """Counted from 1; 0 where no epoch was finite, and ``params`` are the initial ones."""
    best_score: Float[np.ndarray, "*members"]
    """What ``monitor`` was in the best epoch."""
    history: dict[str, Float[np.ndarray, "*members epochs"]]
    """``train_loss`` and ``validation_…`` after each epoch."""
    seconds: dict[str, float]
    """``compile`` and ``train``; validation counts as training."""
    interrupted: bool
    """Whether Ctrl-C ended the run before its time."""


def fit(
    train: Train,
    evaluate: Evaluate,
    dataset: Dataset,
    validation: Dataset,
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
    num_epochs: int,
    monitor: str = "accuracy",
    higher_is_better: bool = True,
    patience: int | None = None,
    mesh: Mesh | None = None,
    data_bytes: int | None = None,
    progress: bool = True,
) -> Fit:
    """Train for ``num_epochs`` and return the parameters of the epoch with the best ``monitor`` on
    ``validation``. With ``patience``, stop after that many epochs without a better one.

    ``train`` and ``evaluate`` may be ``vmap``ped, once or several times; then the members stand on the first
    axes of everything in the Fit, and the run ends when every member has run out of patience. A member
    whose loss is no longer finite keeps its best epoch, its ``train_loss`` says so, and the others go on.

    On a ``mesh`` (``mesh.make_mesh`` makes it) the members of the first axis are spread over its devices, and
    the data are on each; ``make_train`` is to have its ``batch_sharding``.

    Training data that take more than ``data_bytes`` (default: half of the device's memory) stay where they
    are, in memory or mapped from a file, and reach the device in parts of that size; the run is the same.

    Ctrl-C ends the run after the current epoch with what it has. Raises FloatingPointError, naming the
    epoch and step, when no loss is finite any more, and InputError for values out of range.
    """
    checks.whole_number("num_epochs", num_epochs, at_least=1)
    if patience is not None:
        checks.whole_number("patience", patience, at_least=1)
    checks.hyperparams(hyperparams)
    checks.dataset_shapes(validation, batch_size=1)
    _check_finite(training=dataset, validation=validation)
    began = time.perf_counter()
    hyperparams = jax.tree.map(lambda value: np.asarray(value, _float_dtype()), hyperparams)
    members, where = len(key) if key.ndim else None, place(mesh, *["members"] * key.ndim)
    validation, hyperparams = put((validation, hyperparams), place(mesh))
    if mesh is not None:
        key, data_key = spread(mesh, key), spread(mesh, data_key)
    state = compiled(make_begin(train, where), key, hyperparams)(key, hyperparams)
    jax.block_until_ready(state)
    program = make_program(
        train,
        evaluate,
        (dataset, validation),
        state,
        hyperparams,
        data_key,
        Choice(monitor, higher_is_better, patience),
        data_bytes=data_bytes,
        mesh=mesh,
        where=where,
    )
    ready = time.perf_counter()
    if progress:
        print(f"compiled in {ready - began:.1f} s", flush=True)
    state, reports, stopped = _drive(
        program, state, num_epochs, members, mesh, partial(_line, monitor, higher_is_better), progress
    )
    best = state.best if mesh is None else _first(members, fetch(state.best))
    return Fit(
        best.params,
        best.model_state,
        1 + np.asarray(best.epoch),
        np.asarray(best.score) * (1 if higher_is_better else -1),
        {name: np.stack([report[name] for report in reports], axis=-1) for name in reports[0]},
        {"compile": ready - began, "train": time.perf_counter() - ready},
        stopped,
    )


def _drive(
    program: Callable[..., Any],
    state: FitState,
    num_epochs: int,
    members: int | None,
    mesh: Mesh | None,
    line: Callable[[dict[str, np.ndarray]], str],
    progress: bool,
) -> tuple[FitState, list[dict[str, np.ndarray]], bool]:
    """The state after the last epoch, what each epoch told, and whether Ctrl-C came."""
    reports: list[dict[str, np.ndarray]] = []
    with interruptible() as interrupted, _progress_bar(num_epochs, progress) as bar:
        for epoch in range(num_epochs):
            state, (info, report, alive) = program(state, epoch_number(epoch, mesh))
            info, report, alive = _first(members, fetch((info, report, alive)))
            _stop_if_not_finite(info, epoch)
            reports.append({"train_loss": info.loss} | {f"validation_{k}": v for k, v in report.items()})
            bar.set_postfix_str(line(reports[-1]), refresh=False)
            bar.update()
            stopped = interrupted()
            if stopped or not np.any(alive):
                break
    return state, reports, stopped


def _check_finite(**parts: Dataset) -> None:
    for name, part in parts.items():
        checks.finite(f"{name} inputs", part.inputs)
        checks.finite(f"{name} targets", part.targets)


def _first(members: int | None, tree: PyTree) -> PyTree:
    """Without the copies that filled the mesh up."""
    return tree if members is None else jax.tree.map(lambda leaf: leaf[:members], tree)


def snapshots(
    train: Train,
    parts: Sequence[Dataset],
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
) -> Iterator[PyTree]:
    """The parameters to evaluate: at the start, then after training once on each of ``parts``.

    Parts are whole epochs or pieces of them. All is compiled before the first parameters are handed out.
    FloatingPointError when no loss is finite any more.
    """
    checks.hyperparams(hyperparams)
    state = jax.jit(train.start)(key, hyperparams)
    advance, eval_params = jax.jit(train.advance), jax.jit(train.eval_params)
    programs = [compiled(advance, state, hyperparams, part, epoch_number(0), data_key) for part in parts]
    yield eval_params(state, hyperparams)
    for index, (program, part) in enumerate(zip(programs, parts, strict=True)):
        state, info = program(state, hyperparams, part, epoch_number(index), data_key)
        _stop_if_not_finite(info, index)
        yield eval_params(state, hyperparams)


def epoch_seconds(
    train: Train,
    dataset: Dataset,
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
    num_epochs: int = 5,
) -> list[float]:
    """The wall time of each of ``num_epochs`` epochs of training, without compiling or validation."""
    checks.whole_number("num_epochs", num_epochs, at_least=1)
    dataset = jax.device_put(dataset)
    state = jax.jit(train.start)(key, hyperparams)
    advance = jax.jit(train.advance, donate_argnums=0)
    seconds = []
    for epoch in range(-1, num_epochs):
        began = time.perf_counter()
        # The first one compiles, and trains on the order of epoch 0 like the next.
        state, _ = jax.block_until_ready(
            advance(state, hyperparams, dataset, epoch_number(max(epoch, 0)), data_key)
        )
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def _float_dtype() -> Any:
    return jax.dtypes.canonicalize_dtype(float)


def _stop_if_not_finite(info: Info, epoch: int) -> None:
    if not np.any(np.isfinite(info.loss)):
        which, step = " of the last member" if np.ndim(info.loss) else "", np.max(info.first_bad_step)
        raise FloatingPointError(
            f"the loss{which} became non-finite in epoch {epoch + 1}, step {step + 1}; "
            "try a smaller learning rate or clip_norm"
        )


def _line(monitor: str, higher_is_better: bool, report: dict[str, np.ndarray]) -> str:
    """Loss and score of the best member, and how many are lost."""
    finite = np.isfinite(report["train_loss"])
    shown = (("train_loss", np.min), (f"validation_{monitor}", np.max if higher_is_better else np.min))
    whose = "best " if finite.ndim else ""
    values = [f"{whose}{name.replace('_', ' ')} {best(report[name][finite]):.4f}" for name, best in shown]
    return ", ".join(values + [f"{np.sum(~finite)} not finite"] * (not finite.all()))


def _progress_bar(num_epochs: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=num_epochs, unit="epoch", disable=not progress, dynamic_ncols=True)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """A flag that Ctrl-C sets; a second Ctrl-C interrupts at once. Outside the main thread it stays unset."""
    hits: list[int] = []

    def handler(signum: int, frame: Any) -> None:
        hits.append(signum)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        previous = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: bool(hits)
    finally:
        signal.signal(signal.SIGINT, previous)
