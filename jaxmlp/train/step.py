"""A training run as pure functions, ``start`` and ``advance``, which ``loop.fit`` drives.

Nothing here knows what a layer is: the model comes in as functions, the optimizer too.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer, Key

from jaxmlp import checks
from jaxmlp.nn.metrics import Metric
from jaxmlp.runtime.devices import batch_sharding
from jaxmlp.train import batching, optimizers
from jaxmlp.train.optimizers import MakeOptimizer
from jaxmlp.train.state import EarlyStopping, Evaluate, Info, Train, TrainState, mean_info, zero_info
from jaxmlp.types import AnyMesh, Dataset, InputError, PyTree

InitFn = Callable[[Key[Array, ""], PyTree], tuple[PyTree, PyTree]]
"""(key, hyperparams) -> (params, model_state)."""
LossFn = Callable[..., tuple[Array, PyTree]]
"""(params, model_state, (x, target), key, hyperparams) -> (loss, model_state), for one example."""
PredictFn = Callable[[PyTree, PyTree, Array], Array]
"""(params, model_state, x) -> logits, for one example."""
_OPTIMIZER = 2**32 - 1


def make_train(
    init_fn: InitFn,
    loss_fn: LossFn,
    optimizer: str | optax.GradientTransformation | MakeOptimizer,
    batch_size: int,
    *,
    mesh: AnyMesh | None = None,
) -> Train:
    """The functions of a run. ``loss_fn`` is for one example; its mean over a step is taken here, once:
    Σ wᵢ lᵢ / batch_size, with weight 0 on the padding of a partial last batch.

    A ``loss_fn`` that needs its batch finds it under the axis name ``"batch"``. ``optimizer`` is what
    ``make_optimizer`` makes, or takes. On a ``mesh`` (of ``devices.make_mesh``) the devices along "data"
    share each batch.
    """
    checks.integer("batch_size", batch_size)
    make_optimizer = optimizer if callable(optimizer) else optimizers.make_optimizer(optimizer)
    shares = partial(_batch_loss, loss_fn), make_optimizer, batch_sharding(mesh)
    train_on = partial(_train_steps, *shares)

    def start(key: Key[Array, ""], hyperparams: PyTree) -> TrainState:
        params, model_state = init_fn(key, hyperparams)
        opt_state = make_optimizer(hyperparams)[0].init(params)
        return TrainState(params, model_state, jax.tree.map(partial(_with_seed, key), opt_state))

    def advance(
        state: TrainState, hyperparams: PyTree, dataset: Dataset, epoch: Integer[Array, ""], data_key: Array
    ) -> tuple[TrainState, Info]:
        checks.dataset_shapes(dataset, batch_size)
        order = batching.epoch_order(data_key, epoch, len(dataset.inputs))
        batches = batching.make_batches(order, dataset.weights, batch_size)
        begun, key = (state, zero_info(len(batches.indices))), batching.epoch_key(data_key, epoch)
        state, info = train_on(*begun, hyperparams, dataset, batches, key, jnp.asarray(0))
        return state, mean_info(info, batch_size, len(dataset.inputs))

    def advance_part(
        state: TrainState,
        info: Info,
        hyperparams: PyTree,
        part: Dataset,
        epoch: Integer[Array, ""],
        first_step: Integer[Array, ""],
        data_key: Key[Array, ""],
    ) -> tuple[TrainState, Info]:
        batches = batching.make_batches(jnp.arange(len(part.inputs)), part.weights, batch_size)
        key = batching.epoch_key(data_key, epoch)
        return train_on(state, info, hyperparams, part, batches, key, first_step)

    def eval_params(state: TrainState, hyperparams: PyTree) -> PyTree:
        return make_optimizer(hyperparams)[1](state.opt_state, state.params)

    return Train(start, advance, eval_params, advance_part, batch_size, mesh)


def _with_seed(key: Key[Array, ""], leaf: Any) -> Any:
    """A leaf of an optimizer's state: a random key, which optax has alike in all runs, is made this run's."""
    if not jnp.issubdtype(jax.typeof(leaf).dtype, jax.dtypes.prng_key):
        return leaf
    return jax.random.fold_in(leaf, jax.random.bits(jax.random.fold_in(key, _OPTIMIZER)))


def _train_steps(
    batch_loss: Callable[..., tuple[Array, PyTree]],
    make_optimizer: Callable,
    batch_sharding: jax.sharding.Sharding | None,
    state: TrainState,
    info: Info,
    hyperparams: PyTree,
    dataset: Dataset,
    batches: batching.Batches,
    epoch_key: Key[Array, ""],
    first_step: Integer[Array, ""],
) -> tuple[TrainState, Info]:
    """The state and the Info after a step on each of ``batches`` of ``dataset``."""
    # Arrays of NumPy cannot be indexed by what the scan traces.
    dataset = jax.tree.map(jnp.asarray, dataset)
    optimizer = optax.with_extra_args_support(make_optimizer(hyperparams)[0])

    def step(
        carry: tuple[TrainState, Info], now: tuple[Array, batching.Batches]
    ) -> tuple[tuple[TrainState, Info], None]:
        (params, model_state, opt_state), info = carry
        index, (indices, weights) = now
        if batch_sharding is not None:
            indices, weights = jax.lax.with_sharding_constraint((indices, weights), batch_sharding)
        batch = dataset.inputs[indices], dataset.targets[indices], weights
        step_key = jax.random.fold_in(epoch_key, index)
        (loss, model_state), grads = jax.value_and_grad(batch_loss, has_aux=True)(
            params, model_state, batch, step_key, hyperparams
        )
        updates, opt_state = optimizer.update(grads, opt_state, params, value=loss)
        params = optax.apply_updates(params, updates)
        bad = jnp.where(jnp.isfinite(loss), info.first_bad_step, index)
        info = Info(info.loss + loss, jnp.minimum(info.first_bad_step, bad))
        return (TrainState(params, model_state, opt_state), info), None

    # Reduced in the carry: one number per epoch leaves the scan.
    steps = first_step + jnp.arange(len(batches.indices))
    (state, info), _ = jax.lax.scan(step, (state, info), (steps, batches))
    return state, info


def _batch_loss(
    loss_fn: LossFn,
    params: PyTree,
    model_state: PyTree,
    batch: tuple[Array, Array, Array],
    key: Key[Array, ""],
    hyperparams: PyTree,
) -> tuple[Float[Array, ""], PyTree]:
    """Σ wᵢ lᵢ / batch_size, with a key of its own for each example."""
    inputs, targets, weights = batch
    losses, model_state = jax.vmap(
        loss_fn, in_axes=(None, None, 0, 0, None), out_axes=(0, None), axis_name="batch"
    )(params, model_state, (inputs, targets), jax.random.split(key, len(weights)), hyperparams)
    return jnp.sum(weights * losses) / len(weights), model_state


def make_evaluate(
    predict_fn: PredictFn, metrics: Mapping[str, Metric | Callable[..., Array]], batch_size: int = 1024
) -> Evaluate:
    """The companion of ``make_train``. ``metrics`` are functions ``(logits, targets) -> scalar``, as a Metric
    where one of them is to be monitored, which says in what direction it improves, or to know of weights.

    Examples pass through the network ``batch_size`` at a time, so that memory stays flat.
    """
    if not metrics:
        raise InputError("metrics: name at least one, got none")
    known = {name: m if isinstance(m, Metric) else Metric(m) for name, m in metrics.items()}

    def evaluate(params: PyTree, model_state: PyTree, dataset: Dataset) -> dict[str, Array]:
        checks.dataset_shapes(dataset, batch_size=1)
        inputs, targets, weights = jax.tree.map(jnp.asarray, dataset)
        logits = jax.lax.map(lambda x: predict_fn(params, model_state, x), inputs, batch_size=batch_size)
        return {name: metric.measure(logits, targets, weights) for name, metric in known.items()}

    return Evaluate(evaluate, known)


def early_stopping(evaluate: Evaluate, monitor: str | None, patience: int | None) -> EarlyStopping:
    """What chooses the best epoch: the metric called ``monitor``, by default the first, in its direction."""
    monitor = next(iter(evaluate.metrics)) if monitor is None else monitor
    metric = evaluate.metrics[checks.known_name("monitor", monitor, evaluate.metrics)]
    if metric.higher_is_better is None:
        raise InputError(
            f"monitor: nothing says whether more of {monitor!r} is better; "
            "give it as jaxmlp.Metric(function, higher_is_better=…)"
        )
    return EarlyStopping(monitor, metric.higher_is_better, patience)
