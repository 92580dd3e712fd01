"""What is compiled of a run: its state before the first step, and each epoch with its validation."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding
from jaxtyping import Array, Integer, Key

from jaxmlp.runtime.compilation import compile_for
from jaxmlp.runtime.devices import device_put, sharding
from jaxmlp.train import streaming
from jaxmlp.train.state import Best, EarlyStopping, EpochReport, Evaluate, FitState, Info, Train, TrainState
from jaxmlp.train.streaming import Stream
from jaxmlp.types import AnyMesh, Dataset, PyTree


class RunFunctions(NamedTuple):
    """What a run consists of, and where its members lie."""

    train: Train
    evaluate: Evaluate
    choice: EarlyStopping
    where: Sharding | None = None


def compile_epoch(
    run: RunFunctions,
    state: FitState,
    hyperparams: PyTree,
    data: Dataset | Stream,
    validation: Dataset,
    epoch: Integer[Array, ""],
    data_key: Key[Array, "*orders"],
) -> Callable[[FitState, Integer[Array, ""]], tuple[FitState, EpochReport]]:
    """(state, epoch) -> what ``make_epoch`` says; what was compiled for such arguments is found again."""
    if not isinstance(data, Stream):
        arguments = hyperparams, data, validation
        whole = compile_for(make_epoch(*run), state, *arguments, epoch, data_key)
        return lambda state, epoch: whole(state, *arguments, epoch, data_key)
    info = streaming.compile_parts(run.train, data, state.train, hyperparams, epoch, data_key)
    judge = compile_for(make_validate(*run), state.best, state.train, info, hyperparams, validation, epoch)

    def in_parts(state: FitState, epoch: Integer[Array, ""]) -> tuple[FitState, EpochReport]:
        train_state, info = streaming.advance_in_parts(
            run.train, data, state.train, hyperparams, epoch, data_key
        )
        return judge(state.best, train_state, info, hyperparams, validation, epoch)

    return in_parts


@lru_cache(maxsize=64)
def make_init(train: Train, where: Sharding | None = None) -> Callable[..., FitState]:
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
    train: Train, evaluate: Evaluate, choice: EarlyStopping, where: Sharding | None = None
) -> Callable:
    """One epoch of training, its validation and the choice of the best, as one program.

    (state, hyperparams, dataset, validation, epoch, data_key) -> (state, (Info, what ``evaluate`` says, who
    has patience left)); the state's memory is used again.
    """
    judge = partial(_validate, train, evaluate, choice)

    def advance(
        state: FitState,
        hyperparams: PyTree,
        dataset: Dataset,
        validation: Dataset,
        epoch: Integer[Array, ""],
        data_key: Key[Array, "*orders"],
    ) -> tuple[FitState, EpochReport]:
        train_state, info = train.advance(state.train, hyperparams, dataset, epoch, data_key)
        return judge(state.best, train_state, info, hyperparams, validation, epoch)

    return jax.jit(advance, donate_argnums=0, out_shardings=where)


@lru_cache(maxsize=64)
def make_validate(
    train: Train, evaluate: Evaluate, choice: EarlyStopping, where: Sharding | None = None
) -> Callable:
    """The second half of ``make_epoch``, from (best, train_state, info, hyperparams, validation, epoch)."""
    judge = partial(_validate, train, evaluate, choice)
    return jax.jit(judge, donate_argnums=(0, 1), out_shardings=where)


def _validate(
    train: Train,
    evaluate: Evaluate,
    choice: EarlyStopping,
    best: Best,
    train_state: TrainState,
    info: Info,
    hyperparams: PyTree,
    validation: Dataset,
    epoch: Integer[Array, ""],
) -> tuple[FitState, EpochReport]:
    monitor, higher_is_better, patience = choice
    params = train.eval_params(train_state, hyperparams)
    report = evaluate(params, train_state.model_state, validation)
    score = report[monitor] if higher_is_better else -report[monitor]
    alive = _has_patience(best, epoch - 1, patience)
    # Of a network that is not finite, accuracy is 0, which would be the best of nothing.
    score = jnp.where(jnp.isfinite(info.loss), score, jnp.nan)
    best = _update_best(best, params, train_state.model_state, score, epoch, alive)
    return FitState(train_state, best), (info, report, _has_patience(best, epoch, patience))


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
