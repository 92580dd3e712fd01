"""Is swapping the optimizer one word, and does the word matter? Twelve of optax's optimizers on MNIST.

    python -m experiments.optimizers

trains 784-60-10 with each optimizer at 11 learning rates, half a decade apart around its own default, and
5 seeds: all 55 networks of an optimizer are one compiled program. The learning rate is chosen on validation
data and the test set is read once for the chosen one. Half an hour on 2 cores; runs/optimizers then holds the
record and two pictures: accuracy and cost of each optimizer, and how much its accuracy depends on the rate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

import jaxmlp
from experiments.harness.answers import Answer, Record, compared, mean, said, values
from experiments.harness.command import main
from experiments.harness.flags import Count, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.harness.training import all_rates, epoch_timer, make_network, total_seconds
from jaxmlp import Hyperparams, Splits
from jaxmlp.plots import charts
from jaxmlp.records import metric_summary
from jaxmlp.statistics import significant_sign
from jaxmlp.train import optimizers
from jaxmlp.types import Numbers

NUM_TIMINGS = 5


@dataclass(frozen=True)
class Config(TrainingConfig, ImageConfig):
    SMOKE: ClassVar[Sizes] = {"num_epochs": 2}
    QUICK: ClassVar[Sizes] = {
        "dataset": "digits",
        "optimizers": ("sgd", "momentum", "adam", "lion", "schedule_free_adamw"),
        "num_epochs": 20,
        "batch_size": 32,
    }

    optimizers: Annotated[tuple[str, ...], Rule(lambda _, name: optimizers.get_recipe(name))] = (
        *("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam", "lion", "lamb"),
        *("schedule_free_adamw", "muon"),
    )
    """Names of optimizers, each one word."""
    hidden_sizes: tuple[int, ...] = (60,)
    """Neurons in each hidden layer."""
    num_rates: Count = 11
    """Learning rates to try, over five decades around each optimizer's default."""
    num_epochs: Count = 10


class Outcome(NamedTuple):
    """One optimizer: validation accuracy of all its networks, the rest of the seeds at the chosen rate."""

    rates: np.ndarray
    validation: np.ndarray
    chosen: int
    test: np.ndarray
    curves: dict[str, np.ndarray]
    epoch_seconds: list[float]
    seconds: dict[str, float]


def run(config: Config) -> Findings:
    """Train every optimizer in turn."""
    splits = load(config)
    outcomes = {name: train(config, splits, name) for name in config.optimizers}
    ranking = sorted(outcomes, key=lambda name: -outcomes[name].validation.mean(axis=0).max())
    return Findings(
        config.dataset,
        {f"{name}_{measure}": value for name in ranking for measure, value in measures(outcomes[name])},
        curves={f"{name}_{curve}": v for name in ranking for curve, v in outcomes[name].curves.items()},
        tables={
            name: {"learning_rates": outcome.rates, "validation_accuracy": outcome.validation}
            for name, outcome in outcomes.items()
        },
        seconds=total_seconds(outcome.seconds for outcome in outcomes.values()),
    )


def train(config: Config, splits: Splits, name: str) -> Outcome:
    """All seeds at all learning rates as one program."""
    print(f"{name}: {config.num_seeds} seeds × {config.num_rates} learning rates", flush=True)
    recipe = optimizers.get_recipe(name)
    rates = recipe.learning_rate * np.logspace(-2.5, 2.5, config.num_rates)
    network, base = make_network(splits, config.hidden_sizes), Hyperparams(weight_decay=recipe.weight_decay)
    options = all_rates(config, rates, base)
    tuned = jaxmlp.tune(network, name, splits.train, splits.validation, **options)
    alone = jaxmlp.make_train(network.init_fn, network.loss_fn, name, config.batch_size)
    hyperparams = base._replace(learning_rate=float(rates[tuned.setting]))
    epoch = epoch_timer(alone, splits.train, hyperparams)
    return Outcome(
        rates,
        tuned.scores,
        tuned.setting,
        np.asarray(tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"]),
        {curve: values[:, tuned.setting] for curve, values in tuned.fit.history.items()},
        [epoch() for _ in range(NUM_TIMINGS)],
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


def ranked(record: Record) -> list[str]:
    """The optimizers, the best on validation data first."""
    end = "_validation_accuracy"
    return [name.removesuffix(end) for name in record["metrics"] if name.endswith(end)]


def answer(record: Record) -> Answer:
    """How far the words are apart, each at its own best rate, and how far the rates of one word."""
    best, *others = ranked(record)
    usual = "adam" if "adam" in others else [best, *others][-1]
    ahead = values(record, f"{best}_test_accuracy") - values(record, f"{usual}_test_accuracy")
    difference = compared({"metrics": {"ahead": metric_summary(ahead, "fraction")}}, "ahead")
    decades = [mean(record, f"{name}_usable_decades") for name in (best, *others)]
    rows = [np.array(record["tables"][name]["validation_accuracy"], float) for name in (best, *others)]
    lost = 100 * max(float(np.ptp(row.mean(axis=0))) for row in rows)
    return Answer(
        f"{best}_test_accuracy",
        f"Each at its best rate, {best}, the first on validation data, reaches "
        f"{said(record, f'{best}_test_accuracy')} and {usual} {said(record, f'{usual}_test_accuracy')}, the "
        f"one minus the other: {difference}. The rate matters more: each word is within a point of "
        f"its best over {min(decades):.1f} to {max(decades):.1f} decades, and a wrong one costs {lost:.0f} %",
        significant_sign(ahead) != 0,
    )


def draw(record: Record, folder: Path) -> None:
    """Accuracy and cost, and the sensitivity to the learning rate."""
    names, title = ranked(record), "at the rate chosen on validation data"
    charts.point_plot(
        {
            title: {name: values(record, f"{name}_test_accuracy") for name in names},
            "cost": {name: values(record, f"{name}_epoch_seconds") for name in names},
        },
        folder / "optimizers.png",
        xlabel=["test accuracy", "seconds per epoch, one network alone"],
        percent=[title],
    )
    tables = {name: record["tables"][name] for name in names}
    charts.line_plot(
        {"": {n: (table["learning_rates"], table["validation_accuracy"]) for n, table in tables.items()}},
        folder / "learning_rates.png",
        xlabel="learning rate",
        ylabel="validation accuracy",
        log_x=True,
        percent=True,
        title="How much depends on the learning rate",
    )


if __name__ == "__main__":
    main(Config, run, draw, answer)
