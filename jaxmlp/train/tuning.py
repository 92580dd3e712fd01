"""A grid of settings with several seeds each, as one program, and the best setting."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Float

from jaxmlp.nn.metrics import METRICS, Metric
from jaxmlp.nn.network import Network
from jaxmlp.printing import printable
from jaxmlp.statistics import format_mean, summarize
from jaxmlp.train.batching import default_batch_size
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import MakeOptimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.state import Evaluate, RunResult
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, PyTree


def fit_population(
    network: Network,
    optimizer: str | optax.GradientTransformation | MakeOptimizer,
    dataset: Dataset,
    validation: Dataset,
    *,
    seeds: Sequence[int],
    hyperparams: PyTree,
    metrics: Mapping[str, Metric] | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> tuple[RunResult, Evaluate]:
    """``fit`` of every seed in every setting (``hyperparams`` as ``grid`` makes them), as one program.

    Arrays of the RunResult are [seeds, settings, …]. The other return value is ``evaluate(fit.params,
    fit.model_state, dataset)``, compiled, which gives each metric as [seeds, settings]. ``metrics`` are those
    of the network's head, and ``batch_size`` is what suits the size of the data, unless given. ``options``
    are those of ``fit``, whose errors are raised.
    """
    if batch_size is None:
        batch_size = default_batch_size(len(dataset.inputs))
    train = make_train(network.init_fn, network.loss_fn, optimizer, batch_size)
    evaluate = make_evaluate(network.predict_fn, metrics or METRICS.get(str(network.head), {}))
    train, evaluate = vmap_runs(*vmap_runs(train, evaluate, "hyperparams"), "key", "data_key")
    key, data_key = seed_keys(seeds)
    options |= {"key": key, "data_key": data_key, "hyperparams": hyperparams}
    fitted = fit(train, evaluate, dataset, validation, **options)
    return fitted, Evaluate(jax.jit(evaluate.function), evaluate.metrics)


@printable
class TuneResult(NamedTuple):
    """The networks of the setting that validates best, one for each seed."""

    setting: int
    """Its index among the settings."""
    scores: Float[np.ndarray, "seeds settings"]
    """The monitored validation score of every network, at its best epoch."""
    params: PyTree
    model_state: PyTree
    fit: RunResult
    """The fit of all settings."""
    evaluate: Evaluate
    """``evaluate(params, model_state, dataset)`` -> each metric as [seeds], compiled."""

    def summary(self) -> dict[str, Any]:
        """What was chosen, in words."""
        mean, error, _, n = summarize(self.scores[:, self.setting])
        reached = f"{format_mean(mean, error, '1')} (n = {n} seeds)"
        return {
            "setting": f"index {self.setting} of {self.scores.shape[1]} settings",
            f"validation {self.fit.choice.monitor}": reached,
        }


def tune(
    network: Network,
    optimizer: str | optax.GradientTransformation | MakeOptimizer,
    dataset: Dataset,
    validation: Dataset,
    **options: Any,
) -> TuneResult:
    """``fit_population``, and of its settings the one with the best mean over seeds of the ``monitor``, by
    default the first metric.

    A setting in which a seed's loss was not finite in the last epoch cannot win; FloatingPointError if that
    leaves none.
    """
    fitted, measured = fit_population(network, optimizer, dataset, validation, **options)
    lost = ~np.isfinite(fitted.history["train_loss"][..., -1])
    if lost.any(axis=0).all():
        raise FloatingPointError("no setting stayed finite in every seed; try smaller learning rates")
    worth = np.where(lost, -np.inf, fitted.best_score * (1 if fitted.choice.higher_is_better else -1))
    setting = int(np.argmax(worth.mean(axis=0)))
    params, model_state = jax.tree.map(lambda leaf: leaf[:, setting], (fitted.params, fitted.model_state))
    of_one = make_evaluate(network.predict_fn, measured.metrics).function
    evaluate = Evaluate(jax.jit(jax.vmap(of_one, in_axes=(0, 0, None))), measured.metrics)
    return TuneResult(setting, fitted.best_score, params, model_state, fitted, evaluate)
