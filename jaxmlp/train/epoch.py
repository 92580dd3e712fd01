"""What is compiled of a run: its state before the first step, and many epochs with their validation."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding
from jaxtyping import Array, Integer, Key

from jaxmlp.runtime.compilation import compile_for, lower_for
from jaxmlp.runtime.devices import device_put, gather, sharding
from jaxmlp.train import streaming
from jaxmlp.train.state import Best, EarlyStopping, EpochReport, Evaluate, FitState, Info, Train, TrainState
from jaxmlp.train.streaming import Stream
from jaxmlp.types import AnyMesh, Dataset, PyTree

CALL_SECONDS = 0.25
"""What a call takes, about: long beside what it costs to make one, short for whoever waits for its end."""
MAX_EPOCHS = 256
"""Of one call."""


class RunFunctions(NamedTuple):
    """What a run consists of, and where its members lie."""

    train: Train
    evaluate: Evaluate
    choice: EarlyStopping | None
    """None: no epoch is chosen, and nobody loses patience."""
    where: Sharding | None = None


Advance = Callable[[FitState, PyTree, int, int], tuple[FitState, EpochReport]]
"""(state, hyperparams, epoch, num_epochs) -> what ``make_epochs`` says, the report on the host and of as many
epochs as there were: of data in parts a single one."""


def lower_epochs(
    run: RunFunctions,
    state: FitState,
    hyperparams: PyTree,
    data: Dataset | Stream,
    validation: Dataset,
    data_key: Key[Array, "*orders"],
) -> Callable[[], Advance]:
    """What compiles the epochs of such arguments when it is called, in any thread."""
    mesh, zero = run.train.mesh, epoch_index(0, run.train.mesh)
    if isinstance(data, Stream):
        in_parts = _compile_parts(run, state, hyperparams, data, validation, data_key)
        return lambda: in_parts
    lowered = lower_for(make_epochs(*run), state, hyperparams, data, validation, zero, zero, data_key)

    def advance(state: FitState, hyperparams: PyTree, epoch: int, num_epochs: int) -> Any:
        numbers = epoch_index(epoch, mesh), epoch_index(num_epochs, mesh)
        return _to_host(lowered()(state, hyperparams, data, validation, *numbers, data_key))

    def compiled() -> Advance:
        lowered()
        return advance

    return compiled


def _compile_parts(
    run: RunFunctions,
    state: FitState,
    hyperparams: PyTree,
    data: Stream,
    validation: Dataset,
    data_key: Key[Array, "*orders"],
) -> Advance:
    zero = epoch_index(0, run.train.mesh)
    info = streaming.compile_parts(run.train, data, state.train, hyperparams, zero, data_key)
    judge = compile_for(make_validate(*run), state.best, state.train, info, hyperparams, validation, zero)

    def in_parts(state: FitState, hyperparams: PyTree, epoch: int, num_epochs: int) -> Any:
        number = epoch_index(epoch, run.train.mesh)
        told = streaming.advance_in_parts(run.train, data, state.train, hyperparams, number, data_key)
        return _to_host(judge(state.best, *told, hyperparams, validation, number))

    return in_parts


@lru_cache(maxsize=64)
def make_init(
    train: Train, where: Sharding | None = None, *, keeps_best: bool = True
) -> Callable[..., FitState]:
    """(key, hyperparams) -> the state before the first epoch, which lies on the devices as ``where`` says."""

    def begin(key: Key[Array, "*members"], hyperparams: PyTree) -> FitState:
        state = train.start(key, hyperparams)
        if not keeps_best:
            return FitState(state, None)
        score = jnp.full(train.members_shape(state), -jnp.inf, float)
        epoch = jnp.full(score.shape, -1, int)
        params = train.eval_params(state, hyperparams)
        return FitState(state, Best(params, state.model_state, score, epoch, epoch))

    # What runs once is compiled in a third of the time; random draws are long programs.
    fast = {"xla_backend_optimization_level": 1}
    return jax.jit(begin, out_shardings=where, compiler_options=fast)


@lru_cache(maxsize=64)
def make_epochs(
    train: Train, evaluate: Evaluate, choice: EarlyStopping | None, where: Sharding | None = None
) -> Callable:
    """Epochs of training, each with its validation and the choice of the best, as one program.

    (state, hyperparams, dataset, validation, epoch, num_epochs, data_key) -> (state, EpochReport) of
    ``num_epochs`` epochs from ``epoch`` on, or fewer: none follows one after which nobody has patience left,
    or in which no loss was finite. How many a call has changes no bit. The state's memory is used again.
    """
    judge = partial(_validate, train, evaluate, choice)

    def advance(
        state: FitState,
        hyperparams: PyTree,
        dataset: Dataset,
        validation: Dataset,
        first: Integer[Array, ""],
        num_epochs: Integer[Array, ""],
        data_key: Key[Array, "*orders"],
    ) -> tuple[FitState, EpochReport]:
        def one(carry: tuple[FitState, EpochReport, Array, Array]) -> tuple[Any, ...]:
            state, report, number, _ = carry
            epoch = first + number
            train_state, info = train.advance(state.train, hyperparams, dataset, epoch, data_key)
            state, told = judge(state.best, train_state, info, hyperparams, validation, epoch)
            goes_on = jnp.any(told.alive) & jnp.any(jnp.isfinite(info.loss))
            return state, _write(report, told, number), number + 1, goes_on

        members = train.members_shape(state.train)
        info = Info(jnp.zeros(members), jnp.zeros(members, int))
        _, like = jax.eval_shape(judge, state.best, state.train, info, hyperparams, validation, first)
        report = _empty_report(like)
        carry = state, report, jnp.zeros_like(num_epochs), jnp.asarray(True)
        state, report, *_ = jax.lax.while_loop(lambda now: now[3] & (now[2] < num_epochs), one, carry)
        return state, report

    return jax.jit(advance, donate_argnums=0, out_shardings=where)


@lru_cache(maxsize=64)
def make_validate(
    train: Train, evaluate: Evaluate, choice: EarlyStopping | None, where: Sharding | None = None
) -> Callable:
    """The second half of an epoch: (best, train_state, info, hyperparams, validation, epoch) -> (state, the
    EpochReport of this epoch).
    """
    judge = partial(_validate, train, evaluate, choice)
    return jax.jit(judge, donate_argnums=(0, 1), out_shardings=where)


def _validate(
    train: Train,
    evaluate: Evaluate,
    choice: EarlyStopping | None,
    best: Best | None,
    train_state: TrainState,
    info: Info,
    hyperparams: PyTree,
    validation: Dataset,
    epoch: Integer[Array, ""],
) -> tuple[FitState, EpochReport]:
    params = train.eval_params(train_state, hyperparams)
    measured, alive = evaluate(params, train_state.model_state, validation), jnp.full(info.loss.shape, True)
    if choice is not None and best is not None:
        monitor, higher_is_better, patience = choice
        score = measured[monitor] if higher_is_better else -measured[monitor]
        # Whatever a measure makes of a network that is not finite.
        score = jnp.where(jnp.isfinite(info.loss), score, jnp.nan)
        had_patience = _has_patience(best, epoch - 1, patience)
        best = _update_best(best, params, train_state.model_state, score, epoch, had_patience)
        alive = _has_patience(best, epoch, patience)
    return FitState(train_state, best), _make_report(info, measured, alive)


def _make_report(info: Info, measured: dict[str, Array], alive: Array) -> EpochReport:
    """What a single epoch tells."""
    told = {"train_loss": info.loss, "first_bad_step": info.first_bad_step}
    told |= {f"validation_{name}": jnp.asarray(value) for name, value in measured.items()}
    curves: dict[str, Any] = {n: value[..., None] for n, value in told.items() if value.ndim == alive.ndim}
    last: dict[str, Any] = {name: value for name, value in told.items() if name not in curves}
    return EpochReport(curves, last, alive, jnp.ones(alive.shape, int))


def _empty_report(like: EpochReport) -> EpochReport:
    """That of no epoch, with room for many that are ``like`` this one."""
    room = {name: jnp.zeros((*one.shape[:-1], MAX_EPOCHS), one.dtype) for name, one in like.curves.items()}
    rest = jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), like._replace(curves={}))
    return rest._replace(curves=room)


def _write(report: EpochReport, told: EpochReport, number: Integer[Array, ""]) -> EpochReport:
    """``report`` of the epochs before ``number``, and what this one told."""

    def put(room: Array, value: Array) -> Array:
        return jax.lax.dynamic_update_slice_in_dim(room, value.astype(room.dtype), number, axis=-1)

    curves = jax.tree.map(put, report.curves, told.curves)
    return told._replace(curves=curves, num_epochs=report.num_epochs + 1)


def _to_host(told: tuple[FitState, EpochReport]) -> tuple[FitState, EpochReport]:
    """The state, and the report on the host and of the epochs alone that there were."""
    state, report = told[0], gather(told[1])
    num_epochs = int(np.ravel(report.num_epochs)[0])
    curves = {name: values[..., :num_epochs] for name, values in report.curves.items()}
    return state, report._replace(curves=curves)


def next_num_epochs(num_epochs: int, seconds: float) -> int:
    """Of a call that takes about ``CALL_SECONDS``, after one of ``num_epochs`` that took ``seconds``."""
    share = min(CALL_SECONDS / max(seconds, 1e-9), 4)
    return min(max(1, int(num_epochs * share)), MAX_EPOCHS)


def _has_patience(best: Best, epoch: Integer[Array, ""], patience: int | None) -> Array:
    if patience is None:
        return jnp.full(best.epoch.shape, True)
    return epoch - best.last_improvement < patience


def _update_best(
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
        jnp.where(gain, epoch, best.last_improvement),
    )


def epoch_index(epoch: int, mesh: AnyMesh | None = None) -> Integer[Array, ""]:
    """The number, from 0, as a compiled epoch takes it."""
    return device_put(np.int32(epoch), sharding(mesh))
