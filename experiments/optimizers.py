"""Is swapping the optimizer one word, and does the word matter? Twelve of optax's optimizers on MNIST.

    python -m experiments.optimizers

trains 784-60-10 with each optimizer at 11 learning rates, half a decade apart around its own default, and
5 seeds: all 55 networks of an optimizer are one compiled program. The learning rate is chosen on validation
data and the test set is read once for the chosen one. Half an hour on 2 cores.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

import jaxmlp
from experiments.harness import plots
from experiments.harness.answers import Answer, Record, compared, counted, mean, paired, said, sign, values
from experiments.harness.command import main
from experiments.harness.flags import Count, ImageConfig, Rule, Sizes, TrainingConfig, load
from experiments.harness.receipt import Findings
from experiments.harness.training import all_rates, epoch_timer, make_network, total_seconds
from jaxmlp import Hyperparams, Splits
from jaxmlp.plots import charts
from jaxmlp.train import optimizers

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
    """One optimizer: what the seeds reached at the chosen rate, and what all of its networks validated."""

    measures: dict[str, tuple[Any, str]]
    curves: dict[str, np.ndarray]
    table: dict[str, np.ndarray]
    seconds: dict[str, float]


def run(config: Config) -> Findings:
    splits = load(config)
    outcomes = {name: train(config, splits, name) for name in config.optimizers}
    tables = {name: outcome.table for name, outcome in outcomes.items()}
    ranking = sorted(tables, key=lambda name: -tables[name]["validation_accuracy"].mean(axis=0).max())
    return Findings(
        config.dataset,
        {f"{name}_{measure}": v for name in ranking for measure, v in outcomes[name].measures.items()},
        curves={f"{name}_{curve}": v for name in ranking for curve, v in outcomes[name].curves.items()},
        tables=tables,
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
    chosen = tuned.setting
    alone = jaxmlp.make_train(network.init_fn, network.loss_fn, name, config.batch_size)
    epoch = epoch_timer(alone, splits.train, base._replace(learning_rate=float(rates[chosen])))
    tested = np.asarray(tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"])
    measures = {
        "test_accuracy": (tested, "fraction"),
        "validation_accuracy": (tuned.scores[:, chosen], "fraction"),
        "learning_rate": (rates[chosen], "1"),
        "epoch_seconds": ([epoch() for _ in range(NUM_TIMINGS)], "s"),
        "usable_decades": (usable_decades(tuned.scores), "decades"),
    }
    curves = {curve: values[:, chosen] for curve, values in tuned.fit.history.items()}
    table = {"learning_rates": rates, "validation_accuracy": tuned.scores}
    return Outcome(measures, curves, table, tuned.fit.seconds)


def usable_decades(validation: np.ndarray) -> np.ndarray:
    """For each seed, over how many decades of the learning rate it stays within one point of its best, of
    accuracies [seeds, rates] over five decades."""
    near = validation >= validation.max(axis=1, keepdims=True) - 0.01
    return near.sum(axis=1) * 5 / max(validation.shape[1] - 1, 1)


def ranked(record: Record) -> list[str]:
    """The optimizers, the best on validation data first."""
    end = "_validation_accuracy"
    return [name.removesuffix(end) for name in record["metrics"] if name.endswith(end)]


def answer(record: Record) -> Answer:
    best, *others = names = ranked(record)
    usual = "adam" if "adam" in others else names[-1]
    test = f"{best}_test_accuracy"
    pair = paired(record, test, f"{usual}_test_accuracy")
    decades = [mean(record, f"{name}_usable_decades") for name in names]
    rows = [np.array(record["tables"][name]["validation_accuracy"], float) for name in names]
    of_rates = max(float(np.ptp(row.mean(axis=0))) for row in rows)
    of_words = float(np.ptp([mean(record, f"{name}_test_accuracy") for name in names]))
    return Answer(
        test,
        f"Each at its best rate, {best}, the first on validation data, reaches {said(record, test)} and "
        f"{usual} {said(record, f'{usual}_test_accuracy')}, the one minus the other: "
        f"{compared(pair, 'difference')} ({counted(record, test)}). The "
        f"{'rate' if of_rates > of_words else 'word'} matters more: each word is within a point of its best "
        f"over {min(decades):.1f} to {max(decades):.1f} decades, a wrong rate costs {100 * of_rates:.0f} % "
        f"and a wrong word {100 * of_words:.1f} %",
        sign(pair, "difference") != 0,
    )


def draw(record: Record, folder: Path) -> None:
    """Accuracy and cost, and the sensitivity to the learning rate."""
    names, title = ranked(record), "at the rate chosen on validation data"
    panels = {
        title: {name: values(record, f"{name}_test_accuracy") for name in names},
        "cost": {name: values(record, f"{name}_epoch_seconds") for name in names},
    }
    xlabel = ["test accuracy", "seconds per epoch, one network alone"]
    charts.point_plot(panels, folder / "optimizers.png", xlabel=xlabel, percent=[title])
    tables = {name: record["tables"][name] for name in names}
    lines = {n: (table["learning_rates"], table["validation_accuracy"]) for n, table in tables.items()}
    path, title = folder / "learning_rates.png", "How much depends on the learning rate"
    options: dict[str, Any] = {"xlabel": "learning rate", "ylabel": "validation accuracy", "title": title}
    plots.line_plot({"": lines}, path, log_x=True, percent=True, **options)


if __name__ == "__main__":
    main(Config, run, draw, answer)
