"""The host loop: drives a run epoch by epoch, validates, keeps the best, shows progress, can be stopped."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, Sharding
from jaxtyping import Array, Float, Integer, Key

from jaxmlp import checks
from jaxmlp.mesh import fetch, place, put, spread
from jaxmlp.train import Info, Train, TrainState
from jaxmlp.types import Dataset, InputError, PyTree

Evaluate = Callable[[PyTree, PyTree, Dataset], dict[str, Array]]


class Best(NamedTuple):
    """The parameters of the best epoch so far; of epochs with equal scores, the latest."""

    params: PyTree
    model_state: PyTree
    score: Float[Array, "*members"]
    epoch: Integer[Array, "*members"]
    last_gain: Integer[Array, "*members"]
    """The last epoch that was strictly better than all before, from which patience counts."""


class FitState(NamedTuple):
    """Everything a run is, between two epochs."""

    train: TrainState
    best: Best


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
    progress: bool = True,
) -> Fit:
    """Train for ``num_epochs`` and return the parameters of the epoch with the best ``monitor`` on
    ``validation``. With ``patience``, stop after that many epochs without a better one.

    ``train`` and ``evaluate`` may be ``vmap``ped, once or several times; then the members stand on the first
    axes of everything in the Fit, and the run ends when every member has run out of patience. A member
    whose loss is no longer finite keeps its best epoch, its ``train_loss`` says so, and the others go on.

    On a ``mesh`` (``mesh.make_mesh`` makes it) the members of the first axis are spread over its devices, and
    the data are on each; ``make_train`` is to have its ``batch_sharding``.

    Ctrl-C ends the run after the current epoch with what it has. Raises FloatingPointError, naming the
    epoch and step, when no loss is finite any more, and InputError for values out of range.
    """
    checks.whole_number("num_epochs", num_epochs, at_least=1)
    if patience is not None:
        checks.whole_number("patience", patience, at_least=1)
    checks.hyperparams(hyperparams)
    checks.dataset_shapes(validation, batch_size=1)
    for name, part in (("training", dataset), ("validation", validation)):
        checks.finite(f"{name} inputs", part.inputs)
        checks.finite(f"{name} targets", part.targets)
    began = time.perf_counter()
    hyperparams = jax.tree.map(lambda value: np.asarray(value, _float_dtype()), hyperparams)
    members, where = len(key) if key.ndim else None, place(mesh, *["members"] * key.ndim)
    dataset, validation, hyperparams = put((dataset, validation, hyperparams), place(mesh))
    if mesh is not None:
        key, data_key = spread(mesh, key), spread(mesh, data_key)
    begin = make_begin(train, where)
    advance = make_epoch(train, evaluate, monitor, higher_is_better, patience, where)
    number = partial(epoch_number, mesh=mesh)
    state = compiled(begin, key, hyperparams)(key, hyperparams)
    jax.block_until_ready(state)
    epoch_program = compiled(advance, state, hyperparams, dataset, validation, number(0), data_key)
    ready = time.perf_counter()
    if progress:
        print(f"compiled in {ready - began:.1f} s", flush=True)
    reports: list[dict[str, np.ndarray]] = []
    with interruptible() as interrupted, _progress_bar(num_epochs, progress) as bar:
        for epoch in range(num_epochs):
            state, (info, report, alive) = epoch_program(
                state, hyperparams, dataset, validation, number(epoch), data_key
            )
            info, report, alive = _first(members, fetch((info, report, alive)))
            _stop_if_not_finite(info, epoch)
            reports.append({"train_loss": info.loss} | {f"validation_{k}": v for k, v in report.items()})
            bar.set_postfix_str(_line(reports[-1], f"validation_{monitor}", higher_is_better), refresh=False)
            bar.update()
            stopped = interrupted()
            if stopped or not np.any(alive):
                break
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


@lru_cache(maxsize=64)
def make_begin(train: Train, where: Sharding | None = None) -> Callable[..., FitState]:
    """(key, hyperparams) -> the state before the first epoch, which lies on the devices as ``where`` says."""

    def begin(key: Key[Array, "*members"], hyperparams: PyTree) -> FitState:
        state = train.start(key, hyperparams)
        # The state's key has every member axis; the key that came in lacks those of shared keys.
        score = jnp.full(state.key.shape, -jnp.inf)
        epoch = jnp.full(state.key.shape, -1)
        params = train.eval_params(state, hyperparams)
        return FitState(state, Best(params, state.model_state, score, epoch, epoch))

    # What runs once is compiled in a third of the time; random draws are long programs.
    fast = {"xla_backend_optimization_level": 1}
    return jax.jit(begin, out_shardings=where, compiler_options=fast)


@lru_cache(maxsize=64)
def make_epoch(
    train: Train,
    evaluate: Evaluate,
    monitor: str,
    higher_is_better: bool,
    patience: int | None,
    where: Sharding | None = None,
) -> Callable:
    """One epoch of training, its validation and the choice of the best, as one program.

    (state, hyperparams, dataset, validation, epoch, data_key) -> (state, (Info, what ``evaluate`` says, who
    has patience left)); the state's memory is used again.
    """

    def advance(
        state: FitState,
        hyperparams: PyTree,
        dataset: Dataset,
        validation: Dataset,
        epoch: Integer[Array, ""],
        data_key: Key[Array, "*orders"],
    ) -> tuple[FitState, tuple[Info, dict[str, Array], Array]]:
        train_state, info = train.advance(state.train, hyperparams, dataset, epoch, data_key)
        params = train.eval_params(train_state, hyperparams)
        report = evaluate(params, train_state.model_state, validation)
        if monitor not in report:
            raise InputError(f"monitor: must be one of the metrics {sorted(report)}, got {monitor!r}")
        score = report[monitor] if higher_is_better else -report[monitor]
        alive = _alive(state.best, epoch - 1, patience)
        # Of a network that is not finite, accuracy is 0, which would be the best of nothing.
        score = jnp.where(jnp.isfinite(info.loss), score, jnp.nan)
        best = _better(state.best, params, train_state.model_state, score, epoch, alive)
        return FitState(train_state, best), (info, report, _alive(best, epoch, patience))

    return jax.jit(advance, donate_argnums=0, out_shardings=where)


def _alive(best: Best, epoch: Integer[Array, ""], patience: int | None) -> Array:
    if patience is None:
        return jnp.full(best.epoch.shape, True)
    return epoch - best.last_gain < patience


def _better(
    best: Best, params: PyTree, model_state: PyTree, score: Array, epoch: Integer[Array, ""], alive: Array
) -> Best:
    """``best``, replaced where the score is at least as good; a member out of patience keeps its own."""
    keep = alive & (score >= best.score)

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(keep.reshape(keep.shape + (1,) * (old.ndim - keep.ndim)), new, old)

    gain = keep & (score > best.score)
    return Best(
        jax.tree.map(choose, params, best.params),
        jax.tree.map(choose, model_state, best.model_state),
        jnp.where(keep, score, best.score),
        jnp.where(keep, epoch, best.epoch),
        jnp.where(gain, epoch, best.last_gain),
    )


def compiled(function: Callable, *arguments: PyTree) -> Callable:
    """``function`` compiled for arguments of these shapes; the same shapes again cost nothing."""
    leaves, structure = jax.tree.flatten(arguments)
    return _compile(function, structure, tuple((jax.typeof(leaf), _where(leaf)) for leaf in leaves))


def _where(leaf: Any) -> Sharding | None:
    """Where a leaf has to be; None where any device will do."""
    return leaf.sharding if isinstance(leaf, Array) and leaf.committed else None


@lru_cache(maxsize=64)
def _compile(function: Any, structure: Any, types: tuple[Any, ...]) -> Callable:
    shapes = [jax.ShapeDtypeStruct(t.shape, t.dtype, sharding=where) for t, where in types]
    return function.lower(*jax.tree.unflatten(structure, shapes)).compile()


def epoch_number(epoch: int, mesh: Mesh | None = None) -> Integer[Array, ""]:
    """The number, from 0, as a compiled epoch takes it."""
    return put(np.int32(epoch), place(mesh))


def _float_dtype() -> Any:
    return jax.dtypes.canonicalize_dtype(float)


def _stop_if_not_finite(info: Info, epoch: int) -> None:
    if not np.any(np.isfinite(info.loss)):
        which, step = " of the last member" if np.ndim(info.loss) else "", np.max(info.first_bad_step)
        raise FloatingPointError(
            f"the loss{which} became non-finite in epoch {epoch + 1}, step {step + 1}; "
            "try a smaller learning rate or clip_norm"
        )


def _line(report: dict[str, np.ndarray], monitored: str, higher_is_better: bool) -> str:
    """Loss and score of the best member, and how many are lost."""
    finite = np.isfinite(report["train_loss"])
    shown = (("train_loss", np.min), (monitored, np.max if higher_is_better else np.min))
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
