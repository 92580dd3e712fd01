"""Is ReLU cheaper than sigmoid, and does a network learn faster with it? Seven activations at three depths.

    python -m experiments.activations

trains networks of 1, 3 and 6 hidden layers of 64 neurons with Adam, at 9 learning rates from 1e-5 to 0.1 and
with 5 seeds: all 45 networks of an activation and a depth are one compiled program. Their rate is the one
with the fewest epochs to 95 % validation accuracy, in the mean over seeds; a seed that does not get there
makes it infinite, and equal means are told apart by the mean accuracy after the last epoch. A program runs
for 5 epochs, and for 20 if no rate took all seeds there in 5. The test set is not read. What a step costs is
timed on one network alone, in turn with all others. runs/activations then holds the record and pictures
of epochs, seconds, cost, learning curves, gradients before training, and dead neurons.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.command_line import main
from experiments.epoch_timer import epoch_seconds
from experiments.receipt import ImageConfig, begin, finish, load, seeds
from jaxmlp import checks
from jaxmlp.data.splits import Splits, layer_sizes
from jaxmlp.nn import heads, metrics, mlp
from jaxmlp.nn.network import Network, make_network
from jaxmlp.nn.preprocessing import apply_affine, fit_affine
from jaxmlp.plots import charts
from jaxmlp.statistics import format_mean, significant_sign, summarize
from jaxmlp.train import batching, optimizers
from jaxmlp.train.population import grid, seed_keys
from jaxmlp.train.state import Train
from jaxmlp.train.step import make_train
from jaxmlp.train.tuning import fit_population
from jaxmlp.types import Dataset, Hyperparams, Params

Cell = tuple[int, str]
"""A number of hidden layers and an activation."""
Measures = dict[str, tuple[np.ndarray, str]]
"""Name → (one value for each seed, of a cost one for each timing; unit)."""
RATES = np.logspace(-5, -1, 9)
NUM_TIMINGS = 7


@dataclass(frozen=True)
class Config(ImageConfig):
    activations: tuple[str, ...] = ("relu", "sigmoid", "tanh", "gelu", "silu", "elu", "leaky_relu")
    """Functions of jax.nn; the first is compared with each of the others."""
    depths: tuple[int, ...] = (1, 3, 6)
    """Numbers of hidden layers."""
    width: int = 64
    """Neurons in each hidden layer."""
    num_epochs: int = 20
    """Passes through the training data, at most."""
    batch_size: int = 256
    """Examples per step."""
    goal: float = 0.95
    """The validation accuracy to reach."""


class Outcome(NamedTuple):
    """What the networks of a cell showed, one row per seed, and how to train one of them alone."""

    seen: dict[str, np.ndarray]
    alone: tuple[Train, Hyperparams]
    seconds: dict[str, float]


def run(config: Config) -> None:
    """Train every activation at every depth, time them, record, draw and judge."""
    check(config)
    receipt, splits = begin(config), load(config)
    if config.smoke:
        config = dataclasses.replace(
            config, activations=config.activations[:2], depths=config.depths[:1], num_epochs=2
        )
    first, *others = config.activations
    outcomes = {cell: train(config, splits, *cell) for cell in product(config.depths, config.activations)}
    found = measures(config, splits.train, outcomes)
    compared = {(d, n): minus(found[d, first], found[d, n]) for n, d in product(others, config.depths)}
    finish(
        receipt,
        config,
        dataset=config.dataset,
        metrics=flat(f"{first}_minus_", compared) | flat("", found),
        tables={f"{name}_depth{depth}": outcome.seen for (depth, name), outcome in outcomes.items()},
        seconds={part: sum(o.seconds[part] for o in outcomes.values()) for part in ("compile", "train")},
    )
    draw(receipt.folder, config, found, outcomes)
    for (depth, name), difference in compared.items():
        print(f"{first} minus {name}, hidden layers: {depth}: {verdict(difference)}")
    for name in others:
        print(conclusion(first, name, {depth: compared[depth, name] for depth in config.depths}))


def check(config: Config) -> None:
    checks.each("activations", config.activations, lambda _, name: mlp.get_activation(name))
    checks.each("depths", config.depths, checks.integer)
    for argument in ("width", "num_epochs", "batch_size"):
        checks.integer(argument, getattr(config, argument))
    checks.fraction("goal", checks.positive("goal", config.goal))


def train(config: Config, splits: Splits, depth: int, name: str) -> Outcome:
    """All seeds at all learning rates as one program; then a look into the networks at the chosen rate."""
    activation, affine = mlp.get_activation(name), fit_affine(splits.train.inputs)
    sizes = layer_sizes(splits, (config.width,) * depth)
    network = make_network(sizes, heads.HEADS[splits.task], affine, activation=activation)
    adam = optimizers.make_optimizer("adam")
    # Most get there in a quarter of the epochs; training all for all of them takes several times as long.
    for num_epochs in sorted({-(-config.num_epochs // (1 if config.smoke else 4)), config.num_epochs}):
        fitted, _ = fit_population(
            *(network, adam, splits.train, splits.validation),
            seeds=seeds(config),
            hyperparams=grid(Hyperparams(), learning_rate=RATES),
            metrics={"accuracy": metrics.CLASSIFICATION["accuracy"]},
            batch_size=config.batch_size,
            num_epochs=num_epochs,
            progress=config.progress,
        )
        accuracy = fitted.history["validation_accuracy"]
        epochs = epochs_to(config.goal, accuracy)
        if np.isfinite(epochs).all(axis=0).any():
            break
    chosen = choose(epochs, accuracy[..., -1])
    alone = make_train(network.init_fn, network.loss_fn, adam, config.batch_size)
    hyperparams = Hyperparams(learning_rate=float(RATES[chosen]))
    start = jax.jit(jax.vmap(alone.start, in_axes=(0, None)))
    initial = start(seed_keys(seeds(config))[0], hyperparams).params
    kept = jax.tree.map(lambda values: values[:, chosen], fitted.params)
    batch = Dataset(*(jnp.asarray(values[: config.batch_size]) for values in splits.train[:2]))
    inputs = jax.vmap(partial(apply_affine, affine))(jnp.asarray(splits.validation.inputs))
    dead = jax.jit(jax.vmap(partial(dead_share, activation, inputs)))
    norms = jax.jit(jax.vmap(partial(gradient_norms, network, batch)))
    seen = {"learning_rates": RATES, "all_epochs": epochs, "all_last_accuracies": accuracy[..., -1]}
    seen |= {"learning_rate": RATES[chosen], "epochs": epochs[:, chosen], "wrong": 1 - accuracy[:, chosen]}
    seen |= {"gradient_norms": norms(initial), "dead_at_start": dead(initial), "dead": dead(kept)}
    reached = f"{np.isfinite(seen['epochs']).sum()} of {config.num_seeds} seeds got to {config.goal:.0%}"
    print(f"{name}, hidden layers: {depth}, learning rate {RATES[chosen]:.2g}: {reached}", flush=True)
    return Outcome(jax.tree.map(np.asarray, seen), (alone, hyperparams), fitted.seconds)


def choose(epochs: np.ndarray, accuracy: np.ndarray) -> int:
    """The column of [seeds][rates] with the fewest mean ``epochs``, nan being infinite; of equal ones, that
    with the highest mean ``accuracy``."""
    mean_epochs = np.where(np.isnan(epochs), np.inf, epochs).mean(axis=0)
    return int(np.lexsort((-accuracy.mean(axis=0), mean_epochs))[0])


def measures(config: Config, dataset: Dataset, outcomes: Mapping[Cell, Outcome]) -> dict[Cell, Measures]:
    """What the record says of each cell, the cost of training among it. A seed that did not get to the goal
    counts as one epoch more than there were, the least it can be."""
    runs = [outcome.alone for outcome in outcomes.values()]
    costs = dict(zip(outcomes, seconds_in_turn(runs, dataset, config.seed, NUM_TIMINGS), strict=True))
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
            "dead_at_start": (seen["dead_at_start"], "fraction"),
            "dead": (seen["dead"], "fraction"),
        }
    return found


def minus(ours: Measures, theirs: Measures) -> Measures:
    """Differences in pairs: of seeds, and of timings for the step."""
    names = ("epochs_at_least", "seconds_at_least", "step_time")
    return {name: (ours[name][0] - theirs[name][0], ours[name][1]) for name in names}


def flat(prefix: str, cells: Mapping[Cell, Measures]) -> Measures:
    return {f"{prefix}{n}_depth{d}_{key}": m[key] for (d, n), m in cells.items() for key in m}


def verdict(difference: Measures) -> str:
    """The differences, and whether they show the first to be faster, in epochs, and cheaper."""
    epochs, seconds, step = (
        format_mean(*summarize(values)[:2], unit) for values, unit in difference.values()
    )
    answers = {-1: "yes", 0: "no difference shown", 1: "no"}
    faster, _, cheaper = (answers[significant_sign(values)] for values, _ in difference.values())
    return f"{epochs} and {seconds} to the goal, {step} a step; faster: {faster}; cheaper: {cheaper}"


def conclusion(first: str, name: str, by_depth: Mapping[int, Measures]) -> str:
    """Where the claim is shown: fewer epochs, and less time for a step."""
    claim = ("epochs_at_least", "step_time")
    holds = {
        depth: all(significant_sign(found[m][0]) < 0 for m in claim) for depth, found in by_depth.items()
    }
    shown, other = (", ".join(str(d) for d in holds if holds[d] == so) or "none" for so in (True, False))
    return f"{first} is cheaper and faster than {name}: shown at hidden layers {shown}; not at {other}"


def draw(
    folder: Path, config: Config, found: Mapping[Cell, Measures], outcomes: Mapping[Cell, Outcome]
) -> None:
    """Dots of four measures, the learning curves, and the gradient of each layer at the start."""
    labels = {n: f"{n} ({initializer_name(mlp.get_activation(n))})" for n in config.activations}

    def by_depth(values: Mapping[Cell, Any]) -> dict[str, dict[str, Any]]:
        depths = {f"hidden layers: {depth}": depth for depth in config.depths}
        return {title: {labels[n]: values[d, n] for n in config.activations} for title, d in depths.items()}

    to_goal = f"to {config.goal:.0%} validation accuracy"
    for name, xlabel in {
        "epochs_at_least": f"epochs {to_goal}\n({config.num_epochs + 1}: not in {config.num_epochs})",
        "seconds_at_least": f"seconds {to_goal}\n(not in {config.num_epochs} epochs: those of one more)",
        "step_time_ratio": f"time of a step relative to {config.activations[0]}'s",
        "dead": "neurons that are dead after training",
    }.items():
        rows = by_depth({cell: values[name][0] for cell, values in found.items()})
        charts.point_plot(rows, folder / f"{name}.png", xlabel=xlabel, percent=name == "dead")
    for name, xlabel, ylabel in (
        ("wrong", "epoch", f"validation examples that are wrong (goal: {1 - config.goal:.0%})"),
        ("gradient_norms", "layer, the last is the output", "length of the gradient before training"),
    ):
        path, lines = folder / f"{name}.png", {cell: numbered(o.seen[name]) for cell, o in outcomes.items()}
        note, percent = "In brackets: how the initial weights are drawn", name == "wrong"
        charts.line_plot(
            by_depth(lines), path, xlabel=xlabel, ylabel=ylabel, log_y=True, percent=percent, title=note
        )


def numbered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 1 + np.arange(rows.shape[1]), rows


def epochs_to(goal: float, accuracy: np.ndarray) -> np.ndarray:
    """The first epoch, counted from 1 along the last axis, with at least ``goal``; nan if there is none."""
    reached = accuracy >= goal
    return np.where(reached.any(axis=-1), 1.0 + reached.argmax(axis=-1), np.nan)


def seconds_in_turn(
    runs: Sequence[tuple[Train, Hyperparams]], dataset: Dataset, seed: int, num_rounds: int
) -> np.ndarray:
    """Seconds of an epoch as [runs][rounds]: all in each round, so that a slow minute meets them alike."""
    key, data_key = jax.random.split(jax.random.key(seed))
    once = partial(epoch_seconds, dataset=dataset, key=key, data_key=data_key, num_epochs=1)
    return np.array([[once(train, hyperparams=own)[0] for train, own in runs] for _ in range(num_rounds)]).T


def initializer_name(activation: mlp.Activation) -> str:
    """Whose distribution the weights before ``activation`` are drawn from by default."""
    known = {jax.nn.relu: "He", jax.nn.tanh: "Glorot", jax.nn.identity: "LeCun"}
    names = {mlp.default_initializer(function): name for function, name in known.items()}
    return names[mlp.default_initializer(activation)]


def pre_activations(activation: mlp.Activation, params: Params, x: Array) -> list[Array]:
    """What each hidden layer's neurons receive from one example, before their activation."""
    x, received = x.ravel(), []
    for layer in params[:-1]:
        received.append(x @ layer.weight + layer.bias)
        x = activation(received[-1])
    return received


def dead_share(activation: mlp.Activation, inputs: Array, params: Params) -> Array:
    """The share of hidden neurons whose activation has slope 0, in the floats at hand, at every input."""
    received = jax.vmap(lambda x: jnp.concatenate(pre_activations(activation, params, x)))(inputs)
    _, slopes = jax.jvp(activation, (received,), (jnp.ones_like(received),))
    return jnp.mean((slopes == 0).all(axis=0))


def gradient_norms(network: Network, batch: Dataset, params: Params) -> Array:
    """The length of the gradient of the batch's mean loss over each layer's weights, first layer first."""

    def loss(params: Params) -> Array:
        example = partial(network.loss_fn, params, ())
        return jnp.mean(jax.vmap(lambda x, y: example((x, y), None, Hyperparams())[0])(*batch[:2]))

    return jnp.stack([jnp.linalg.norm(layer.weight) for layer in jax.grad(loss)(params)])


if __name__ == "__main__":
    main(Config, run)
