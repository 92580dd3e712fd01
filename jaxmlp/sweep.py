"""Many runs as one program: ``vmap`` of a run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from jaxmlp import checks
from jaxmlp.epochs import Evaluate
from jaxmlp.loop import Fit, fit
from jaxmlp.nn.metrics import Metric
from jaxmlp.nn.network import Network
from jaxmlp.optimizers import MakeOptimizer
from jaxmlp.train import Train, make_evaluate, make_train
from jaxmlp.types import AnyArray, Dataset, Hyperparams, InputError, PyTree

VARIED = ("key", "hyperparams", "dataset", "data_key")


def over(train: Train, evaluate: Evaluate, *differing: str) -> tuple[Train, Evaluate]:
    """Runs that differ in the arguments called ``differing``, each on its first axis, and share the rest.

    - ``"key", "data_key"``: seeds. Each has its own order of the data; a shared one understates their spread.
    - ``"hyperparams"``: settings, every field an array, with the same initial draw, dropout and order, to be
      compared in pairs.
    - ``"key", "hyperparams"``: members of a sweep, which share the order, and so the reading of the data.
    - ``"key", "dataset", "data_key"``: splits; every array of every Dataset has them on its first axis.

    Seeds × settings are ``over(*over(train, evaluate, "hyperparams"), "key", "data_key")``. InputError for
    another name, or when the runs would all start alike.
    """
    for name in differing:
        checks.known_name("differing", name, VARIED)
    if not {"key", "hyperparams"} & set(differing):
        raise InputError(f"differing: must name 'key' or 'hyperparams', got {differing}")
    key, hyperparams, dataset, data_key = (0 if name in differing else None for name in VARIED)
    population = Train(
        start=jax.vmap(train.start, in_axes=(key, hyperparams)),
        advance=jax.vmap(train.advance, in_axes=(0, hyperparams, dataset, None, data_key)),
        eval_params=jax.vmap(train.eval_params, in_axes=(0, hyperparams)),
        advance_part=None if dataset == 0 else _parts_over(train, hyperparams, data_key),
        batch_size=train.batch_size,
    )
    return population, jax.vmap(evaluate, in_axes=(0, 0, dataset))


def _parts_over(train: Train, hyperparams: int | None, data_key: int | None) -> Callable | None:
    """``advance_part`` of many runs: those with an order of their own see parts of their own."""
    if train.advance_part is None:
        return None
    return jax.vmap(train.advance_part, in_axes=(0, 0, hyperparams, data_key, None, None))


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
) -> tuple[Fit, Evaluate]:
    """``fit`` of every seed in every setting (``hyperparams`` as ``grid`` makes them), as one program.

    Arrays of the Fit are [seeds, settings, …]. The other return value is ``evaluate(fit.params,
    fit.model_state, dataset)``, compiled, which gives each metric as [seeds, settings]. ``options`` are
    those of ``fit``, whose errors are raised.
    """
    train = make_train(network.init_fn, network.loss_fn, make_optimizer, batch_size)
    settings = over(train, make_evaluate(network.predict_fn, metrics), "hyperparams")
    train, evaluate = over(*settings, "key", "data_key")
    key, data_key = seed_keys(seeds)
    options |= {"key": key, "data_key": data_key, "hyperparams": hyperparams, "num_epochs": num_epochs}
    fitted = fit(train, evaluate, dataset, validation, **options)
    return fitted, jax.jit(evaluate)


class Tuned(NamedTuple):
    """The networks of the setting that validates best, one for each seed."""

    setting: int
    """Its index among the settings."""
    scores: Float[np.ndarray, "seeds settings"]
    """The monitored validation score of every network, at its best epoch."""
    params: PyTree
    model_state: PyTree
    fit: Fit
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
) -> Tuned:
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
    return Tuned(setting, fitted.best_score, params, model_state, fitted, evaluate)


def outputs(
    network: Network, params: PyTree, inputs: Shaped[AnyArray, "examples ..."], model_state: PyTree = ()
) -> Float[np.ndarray, "members examples outputs"]:
    """What each member of a population, along the first axis of ``params``, puts out for each example."""
    of_one = jax.vmap(network.predict_fn, in_axes=(None, None, 0))
    of_all = jax.jit(jax.vmap(of_one, in_axes=(0, 0, None)))
    return np.asarray(of_all(params, model_state, jnp.asarray(inputs)))


def grid(hyperparams: Hyperparams, **values: Iterable[float | int]) -> Hyperparams:
    """Every combination of ``values``, the last varying fastest, each field an array over the settings.

    Fields that are not in ``values`` keep what ``hyperparams`` says. Raises InputError for a name that is no
    hyperparameter or has no values.
    """
    for name in values:
        checks.known_name("values", name, Hyperparams._fields)
    rows = list(product(*values.values()))
    if not rows:
        raise InputError("values: every hyperparameter needs at least one value")
    settings = [hyperparams._replace(**dict(zip(values, row, strict=True))) for row in rows]
    return jax.tree.map(lambda *numbers: jnp.asarray(numbers, float), *settings)


def seed_keys(seeds: Sequence[int]) -> tuple[Key[Array, " seeds"], Key[Array, " seeds"]]:
    """The key of each run and of its order of the data, as ``jax.random.split(jax.random.key(seed))``."""
    keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.asarray(seeds))
    return keys[:, 0], keys[:, 1]
