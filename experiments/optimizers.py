"""Is swapping the optimizer one word, and does the word matter? Twelve of optax's optimizers on MNIST.

    python -m experiments.optimizers

trains 784-60-10 with each optimizer at 11 learning rates, half a decade apart around its own default, and
5 seeds: all 55 networks of an optimizer are one compiled program. The learning rate is chosen on validation
data and the test set is read once for the chosen one. Some 24 minutes on 2 cores, a third of them muon's;
runs/optimizers then holds the record and two pictures: accuracy and cost of each optimizer, and how much
its accuracy depends on the learning rate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

import jaxmlp
from experiments.command_line import main
from experiments.epoch_timer import epoch_seconds
from experiments.receipt import ImageConfig, begin, finish, load, seeds
from jaxmlp import Hyperparams, checks, statistics
from jaxmlp.data import splits as data_splits
from jaxmlp.data.splits import Splits
from jaxmlp.nn import heads, metrics
from jaxmlp.plots import charts
from jaxmlp.train import optimizers
from jaxmlp.types import Numbers


@dataclass(frozen=True)
class Config(ImageConfig):
    optimizers: tuple[str, ...] = (
        *("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam", "lion", "lamb"),
        *("schedule_free_adamw", "muon"),
    )
    """Names of optimizers, each one word."""
    hidden_sizes: tuple[int, ...] = (60,)
    """Neurons in each hidden layer."""
    num_rates: int = 11
    """Learning rates to try, over five decades around each optimizer's default."""
    num_epochs: int = 10
    """Passes through the training data."""
    batch_size: int = 128
    """Examples per step."""


class Outcome(NamedTuple):
    """One optimizer: validation accuracy of all its networks, the rest of the seeds at the chosen rate."""

    rates: np.ndarray
    validation: np.ndarray
    chosen: int
    test: np.ndarray
    curves: dict[str, np.ndarray]
    epoch_seconds: list[float]
    seconds: dict[str, float]


def run(config: Config) -> None:
    """Train every optimizer in turn, record and draw."""
    checks.each("optimizers", config.optimizers, lambda _, name: optimizers.get_recipe(name))
    for name in ("num_rates", "num_epochs", "batch_size"):
        checks.integer(name, getattr(config, name))
    receipt = begin(config)
    splits = load(config)
    outcomes = {}
    for name in config.optimizers:
        outcomes[name] = train(config, splits, name)
        print(f"{name}: {sentence(outcomes[name])}", flush=True)
    ranking = sorted(outcomes, key=lambda name: -outcomes[name].validation.mean(axis=0).max())
    measured = {f"{name}_{measure}": value for name in ranking for measure, value in measures(outcomes[name])}
    finish(
        receipt,
        config,
        dataset=config.dataset,
        metrics=measured,
        curves={f"{name}_{curve}": v for name in ranking for curve, v in outcomes[name].curves.items()},
        tables={
            name: {"learning_rates": outcome.rates, "validation_accuracy": outcome.validation}
            for name, outcome in outcomes.items()
        },
        seconds={key: sum(o.seconds[key] for o in outcomes.values()) for key in ("compile", "train")},
    )
    draw(receipt.folder, {name: outcomes[name] for name in ranking})


def train(config: Config, splits: Splits, name: str) -> Outcome:
    """All seeds at all learning rates as one program."""
    if config.progress:
        print(f"{name}: {config.num_seeds} seeds × {config.num_rates} learning rates")
    recipe = optimizers.get_recipe(name)
    rates = recipe.learning_rate * np.logspace(-2.5, 2.5, config.num_rates)
    layer_sizes = data_splits.layer_sizes(splits, config.hidden_sizes)
    network = jaxmlp.make_network(
        layer_sizes, heads.HEADS[splits.task], jaxmlp.fit_affine(splits.train.inputs)
    )
    make_optimizer = optimizers.make_optimizer(name)
    base = Hyperparams(weight_decay=recipe.weight_decay)
    tuned = jaxmlp.tune(
        network,
        make_optimizer,
        splits.train,
        splits.validation,
        seeds=seeds(config),
        hyperparams=jaxmlp.grid(base, learning_rate=rates),
        metrics=metrics.CLASSIFICATION,
        batch_size=config.batch_size,
        num_epochs=2 if config.smoke else config.num_epochs,
        progress=config.progress,
    )
    alone = jaxmlp.make_train(network.init_fn, network.loss_fn, make_optimizer, config.batch_size)
    key, data_key = jax.random.split(jax.random.key(config.seed))
    hyperparams = base._replace(learning_rate=float(rates[tuned.setting]))
    return Outcome(
        rates,
        tuned.scores,
        tuned.setting,
        np.asarray(tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"]),
        {curve: values[:, tuned.setting] for curve, values in tuned.fit.history.items()},
        epoch_seconds(alone, splits.train, key=key, data_key=data_key, hyperparams=hyperparams),
        tuned.fit.seconds,
    )


def measures(outcome: Outcome) -> list[tuple[str, tuple[Numbers, str]]]:
    """What the record says of one optimizer."""
    return [
        ("test_accuracy", (outcome.test, "fraction")),
        ("validation_accuracy", (outcome.validation[:, outcome.chosen], "fraction")),
        ("learning_rate", (outcome.rates[outcome.chosen], "1")),
        ("epoch_seconds", (outcome.epoch_seconds, "s")),
        ("usable_decades", (usable_decades(outcome), "decades")),
    ]


def usable_decades(outcome: Outcome) -> np.ndarray:
    """For each seed, over how many decades of the learning rate it stays within one point of its best."""
    near = outcome.validation >= outcome.validation.max(axis=1, keepdims=True) - 0.01
    return near.sum(axis=1) * 5 / max(len(outcome.rates) - 1, 1)


def sentence(outcome: Outcome) -> str:
    mean, error, _, n = statistics.summarize(outcome.test)
    accuracy = statistics.format_mean(mean, error, "fraction")
    return f"test accuracy {accuracy} (n = {n}) at learning rate {outcome.rates[outcome.chosen]:.2g}"


def draw(folder: Path, outcomes: dict[str, Outcome]) -> None:
    """Accuracy and cost, and the sensitivity to the learning rate."""
    charts.point_plot(
        {
            "at the rate chosen on validation data": {n: o.test for n, o in outcomes.items()},
            "cost": {n: o.epoch_seconds for n, o in outcomes.items()},
        },
        folder / "optimizers.png",
        xlabel=["test accuracy", "seconds per epoch, one network alone"],
        percent=["at the rate chosen on validation data"],
    )
    charts.line_plot(
        {"": {n: (o.rates, o.validation) for n, o in outcomes.items()}},
        folder / "learning_rates.png",
        xlabel="learning rate",
        ylabel="validation accuracy",
        log_x=True,
        percent=True,
        title="How much depends on the learning rate",
    )


if __name__ == "__main__":
    main(Config, run)
