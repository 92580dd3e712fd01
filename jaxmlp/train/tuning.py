"""A grid of settings with several seeds each, as one program, and the best setting."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.nn.metrics import Metric
from jaxmlp.nn.network import Network
from jaxmlp.train.loop import FitResult, fit
from jaxmlp.train.optimizers import MakeOptimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.step import Evaluate, make_evaluate, make_train
from jaxmlp.types import AnyArray, Dataset, Hyperparams, PyTree


def fit_population(
    network: Network,
    make_optimizer: MakeOptimizer,
    dataset: Dataset,
    validation: Dataset,
    *,
    seeds: Sequence[int],
    hyperparams: Hyperparams,
    metrics: Mapping[str, Metric],
    batch_size: int,
    num_epochs: int,
    **options: Any,
) -> tuple[FitResult, Evaluate]:
    """``fit`` of every seed in every setting (``hyperparams`` as ``grid`` makes them), as one program.

    Arrays of the FitResult are [seeds, settings, …]. The other return value is ``evaluate(fit.params,
    fit.model_state, dataset)``, compiled, which gives each metric as [seeds, settings]. ``options`` are
    those of ``fit``, whose errors are raised.
    """
    train = make_train(network.init_fn, network.loss_fn, make_optimizer, batch_size)
    settings = vmap_runs(train, make_evaluate(network.predict_fn, metrics), "hyperparams")
    train, evaluate = vmap_runs(*settings, "key", "data_key")
    key, data_key = seed_keys(seeds)
    options |= {"key": key, "data_key": data_key, "hyperparams": hyperparams, "num_epochs": num_epochs}
    fitted = fit(train, evaluate, dataset, validation, **options)
    return fitted, jax.jit(evaluate)


class TuneResult(NamedTuple):
    """The networks of the setting that validates best, one for each seed."""

    setting: int
    """Its index among the settings."""
    scores: Float[np.ndarray, "seeds settings"]
    """The monitored validation score of every network, at its best epoch."""
    params: PyTree
    model_state: PyTree
    fit: FitResult
    """The fit of all settings."""
    evaluate: Evaluate
    """``evaluate(params, model_state, dataset)`` -> each metric as [seeds], compiled."""


def tune(
    network: Network,
    make_optimizer: MakeOptimizer,
    dataset: Dataset,
    validation: Dataset,
    *,
    metrics: Mapping[str, Metric],
    monitor: str = "accuracy",
    higher_is_better: bool = True,
    **options: Any,
) -> TuneResult:
    """``fit_population``, and of its settings the one with the best mean over seeds of the ``monitor``.

    A setting in which a seed's loss was not finite in the last epoch cannot win; FloatingPointError if that
    leaves none.
    """
    options |= {"metrics": metrics, "monitor": monitor, "higher_is_better": higher_is_better}
    fitted, _ = fit_population(network, make_optimizer, dataset, validation, **options)
    lost = ~np.isfinite(fitted.history["train_loss"][..., -1])
    if lost.any(axis=0).all():
        raise FloatingPointError("no setting stayed finite in every seed; try smaller learning rates")
    worth = np.where(lost, -np.inf, fitted.best_score * (1 if higher_is_better else -1))
    setting = int(np.argmax(worth.mean(axis=0)))
    params, model_state = jax.tree.map(lambda leaf: leaf[:, setting], (fitted.params, fitted.model_state))
    evaluate = jax.jit(jax.vmap(make_evaluate(network.predict_fn, metrics), in_axes=(0, 0, None)))
    return TuneResult(setting, fitted.best_score, params, model_state, fitted, evaluate)


def population_logits(
    network: Network, params: PyTree, inputs: Shaped[AnyArray, "examples ..."], model_state: PyTree = ()
) -> Float[np.ndarray, "members examples outputs"]:
    """What each member of a population, along the first axis of ``params``, puts out for each example."""
    of_one = jax.vmap(network.predict_fn, in_axes=(None, None, 0))
    of_all = jax.jit(jax.vmap(of_one, in_axes=(0, 0, None)))
    return np.asarray(of_all(params, model_state, jnp.asarray(inputs)))
