"""Training at all rates, what the networks at the chosen rate show, and what a step costs."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.harness.answers import Measures
from experiments.harness.training import all_rates, epoch_timer, make_network
from jaxmlp import Network, Splits, Train, apply_affine, fit_affine, make_train, seed_keys
from jaxmlp.nn import metrics, mlp
from jaxmlp.train import batching, optimizers
from jaxmlp.train.tuning import fit_population
from jaxmlp.types import Dataset, Hyperparams, Params

if TYPE_CHECKING:
    from experiments.activations.__main__ import Config

Cell = tuple[int, str]
"""A number of hidden layers and an activation."""
RATES = np.logspace(-5, -1, 9)
NUM_TIMINGS = 7


class Outcome(NamedTuple):
    """What the networks of a cell showed, one row per seed, and how to train one of them alone."""

    seen: dict[str, np.ndarray]
    alone: tuple[Train, Hyperparams]
    seconds: dict[str, float]


def train(config: "Config", splits: Splits, depth: int, name: str) -> Outcome:
    """All seeds at all learning rates as one program; then a look into the networks at the chosen rate."""
    activation, adam = mlp.get_activation(name), optimizers.make_optimizer("adam")
    network = make_network(splits, (config.width,) * depth, activation)
    # Most get there in a quarter of the epochs; training all for all of them takes several times as long.
    for num_epochs in sorted({-(-config.num_epochs // (1 if config.smoke else 4)), config.num_epochs}):
        fitted, _ = fit_population(
            *(network, adam, splits.train, splits.validation),
            metrics={"accuracy": metrics.CLASSIFICATION["accuracy"]},
            **all_rates(config, RATES, num_epochs=num_epochs),
        )
        accuracy = fitted.history["validation_accuracy"]
        epochs = epochs_to(config.goal, accuracy)
        if np.isfinite(epochs).all(axis=0).any():
            break
    chosen = choose(epochs, accuracy[..., -1])
    alone = make_train(network.init_fn, network.loss_fn, adam, config.batch_size)
    hyperparams = Hyperparams(learning_rate=float(RATES[chosen]))
    start = jax.jit(jax.vmap(alone.start, in_axes=(0, None)))
    initial = start(seed_keys(config.seeds)[0], hyperparams).params
    kept = jax.tree.map(lambda values: values[:, chosen], fitted.params)
    batch = Dataset(*(jnp.asarray(values[: config.batch_size]) for values in splits.train[:2]))
    inputs = jax.vmap(partial(apply_affine, fit_affine(splits.train.inputs)))(
        jnp.asarray(splits.validation.inputs)
    )
    dead = jax.jit(jax.vmap(partial(dead_share, activation, inputs)))
    norms = jax.jit(jax.vmap(partial(gradient_norms, network, batch)))
    seen = {"learning_rates": RATES, "all_epochs": epochs, "all_last_accuracies": accuracy[..., -1]}
    seen |= {"learning_rate": RATES[chosen], "epochs": epochs[:, chosen], "wrong": 1 - accuracy[:, chosen]}
    seen |= {"gradient_norms": norms(initial), "dead": dead(kept)}
    reached = f"{np.isfinite(seen['epochs']).sum()} of {config.num_seeds} seeds got to {config.goal:.0%}"
    print(f"{name}, hidden layers: {depth}, learning rate {RATES[chosen]:.2g}: {reached}", flush=True)
    return Outcome(jax.tree.map(np.asarray, seen), (alone, hyperparams), fitted.seconds)


def choose(epochs: np.ndarray, accuracy: np.ndarray) -> int:
    """The column of [seeds][rates] with the fewest mean ``epochs``, nan being infinite; of equal ones, that
    with the highest mean ``accuracy``."""
    mean_epochs = np.where(np.isnan(epochs), np.inf, epochs).mean(axis=0)
    return int(np.lexsort((-accuracy.mean(axis=0), mean_epochs))[0])


def measures(config: "Config", dataset: Dataset, outcomes: Mapping[Cell, Outcome]) -> dict[Cell, Measures]:
    """What the record says of each cell, the cost of training among it. A seed that did not get to the goal
    counts as one epoch more than there were, the least it can be."""
    runs = [outcome.alone for outcome in outcomes.values()]
    costs = dict(zip(outcomes, seconds_in_turn(runs, dataset, NUM_TIMINGS), strict=True))
    num_steps = batching.num_batches(len(dataset.inputs), config.batch_size)
    found: dict[Cell, Measures] = {}
    for (depth, name), (seen, _, _) in outcomes.items():
        cost, norms = costs[depth, name], seen["gradient_norms"]
        epochs = np.nan_to_num(seen["epochs"], nan=config.num_epochs + 1)
        found[depth, name] = {
            "epochs_at_least": (epochs, "epochs"),
            "seconds_at_least": (epochs * cost.mean(), "s"),
            "step_time": (1e6 * cost / num_steps, "µs"),
            "step_time_ratio": (cost / costs[depth, config.activations[0]], "1"),
            "reached": (np.isfinite(seen["epochs"]), "fraction"),
            "gradient_fade": (np.log10(norms[:, -1] / norms[:, 0]), "decades"),
            "dead": (seen["dead"], "fraction"),
        }
    return found


def epochs_to(goal: float, accuracy: np.ndarray) -> np.ndarray:
    """The first epoch, counted from 1 along the last axis, with at least ``goal``; nan if there is none."""
    reached = accuracy >= goal
    return np.where(reached.any(axis=-1), 1.0 + reached.argmax(axis=-1), np.nan)


def seconds_in_turn(
    runs: Iterable[tuple[Train, Hyperparams]], dataset: Dataset, num_rounds: int
) -> np.ndarray:
    """Seconds of an epoch as [runs][rounds]: all in each round, so that a slow minute meets them alike."""
    dataset = jax.device_put(dataset)
    epochs = [epoch_timer(train, dataset, hyperparams) for train, hyperparams in runs]
    return np.array([[epoch() for epoch in epochs] for _ in range(num_rounds)]).T


def dead_share(activation: mlp.Activation, inputs: Array, params: Params) -> Array:
    """The share of hidden neurons whose activation has slope 0, in the floats at hand, at every input."""
    x, dead = inputs.reshape(len(inputs), -1), []
    for layer in params[:-1]:
        received = x @ layer.weight + layer.bias[None]
        x, slopes = jax.jvp(activation, (received,), (jnp.ones_like(received),))
        dead.append((slopes == 0).all(axis=0))
    return jnp.mean(jnp.concatenate(dead))


def gradient_norms(network: Network, batch: Dataset, params: Params) -> Array:
    """The length of the gradient of the batch's mean loss over each layer's weights, first layer first."""

    def loss(params: Params) -> Array:
        example = partial(network.loss_fn, params, ())
        return jnp.mean(jax.vmap(lambda x, y: example((x, y), None, Hyperparams())[0])(*batch[:2]))

    return jnp.stack([jnp.linalg.norm(layer.weight) for layer in jax.grad(loss)(params)])
