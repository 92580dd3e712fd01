"""What do folds as weights save, and do they say what scikit-learn's cross-validation says?

    python -m experiments.folds

trains one network of 64 neurons for each of four folds of scikit-learn's bundled sets: as one program, in
which a fold is a weight of 0 for what it leaves out, and fold after fold, in turns, both from compiled
programs. Then the accuracy, or R², out of fold is compared with that of cross_validate and an estimator with
the same settings, which cuts the rows away, on the same folds, repetition by repetition.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.model_selection import PredefinedSplit, cross_validate

import jaxmlp
from experiments.harness import flags
from experiments.harness.answers import Answer, Record, compared, counted, listed, sign, values
from experiments.harness.command import main
from experiments.harness.receipt import Findings
from jaxmlp.data.folds import Folds, assign_folds, cross_folds
from jaxmlp.models.training import fit_scaling, prepare_training
from jaxmlp.plots import charts
from jaxmlp.runtime.console import collect_warnings
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.types import Dataset

DATA: Mapping[str, Callable[..., Any]] = {
    "digits": datasets.load_digits,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": partial(datasets.load_diabetes, scaled=False),
}
MEASURES = {"binary": "accuracy", "multiclass": "accuracy", "regression": "r2"}
NUM_FOLDS, HIDDEN_SIZE, LEARNING_RATE, BATCH_SIZE = 4, 64, 3e-3, 64
SPACE = {
    "hidden_sizes": HIDDEN_SIZE,
    "depth": 1,
    "activation": "relu",
    "optimizer": "adam",
    "dropout": 0.0,
    "embedding": "none",
    "parametrization": "standard",
    "learning_rate": LEARNING_RATE,
    "b2": 0.999,
    "weight_decay": 0.0,
    "frequency_scale": 1.0,
    "momentum": 0.9,
}


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {"num_seeds": 2, "num_epochs": 3}
    QUICK: ClassVar[flags.Sizes] = {"num_seeds": 3}

    num_seeds: int = 10
    """Repetitions, each with folds and weights of its own."""
    num_epochs: flags.Count = 30
    """Passes through the training data."""


def run(config: Config) -> Iterator[Findings]:
    found: dict[str, list[dict[str, float]]] = {}
    for name in list(DATA)[: 1 if config.smoke else None]:
        # The first one compiles.
        found[name] = [compare(name, config, seed) for seed in (config.seed, *config.seeds)][1:]
        measures = {
            f"{data}_{of}": ([row[of] for row in rows], "s" if of.endswith("time") else "1")
            for data, rows in found.items()
            for of in rows[0]
        }
        yield Findings(", ".join(found), measures, notes={"varied": "repetition"})


def compare(name: str, config: Config, seed: int) -> dict[str, float]:
    """Both ways to train the folds of one data set, and cross-validation: seconds of training, and accuracy
    or R², the mean over the folds.
    """
    splits = jaxmlp.from_arrays(*DATA[name](return_X_y=True), test_fraction=0.0, split_seed=seed)
    options: dict[str, Any] = {"num_epochs": config.num_epochs, "batch_size": BATCH_SIZE, "seed": seed}
    options |= {"numeric_scaling": "standard", "schedule": "constant", "halving": None}
    plan = jaxmlp.plan_search(splits, SPACE, num_members=1, num_folds=NUM_FOLDS, **options)
    network_of, data = prepare_training(plan.splits, "float32", fit_scaling(plan.splits, "standard"))
    fold_of = assign_folds(data.train.targets, NUM_FOLDS, seed=seed)
    folds = cross_folds(data.train, fold_of)
    sweep = partial(run_sweep, plan.members, network_of, config=plan.config, progress=False)
    whole = sweep(folds=folds)
    together = whole.seconds["train"]
    apart = sum(sweep(folds=one_fold(folds, fold)).seconds["train"] for fold in range(NUM_FOLDS))
    inputs, targets, _ = plan.splits.train
    network = Network(splits.task, config.num_epochs, seed)
    with collect_warnings():
        cut = cross_validate(network, inputs, targets, cv=PredefinedSplit(fold_of))
    scores = float(whole.history[f"validation_{MEASURES[splits.task]}"][0, -1]), np.mean(cut["test_score"])
    measured = {"ratio": apart / together, "folds_minus_cut": scores[0] - scores[1]}
    measured |= dict(zip(("folds_score", "cut_score"), scores, strict=True))
    return measured | {"together_time": together, "apart_time": apart}


def one_fold(folds: Folds, fold: int) -> Folds:
    """That fold alone."""
    weights = np.asarray(folds.train.weights)[[fold]]
    held_out = jax.tree.map(lambda leaf: np.asarray(leaf)[[fold]], folds.held_out)
    return Folds(folds.train._replace(weights=weights), held_out, folds.rows[[fold]])


@dataclass
class Network(BaseEstimator):
    """The same network for cross_validate: after the epoch with the lowest loss of what it learns from."""

    task: str
    num_epochs: int
    seed: int

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> "Network":
        splits = jaxmlp.from_arrays(
            inputs, targets, task=self.task, validation=(inputs, targets), test_fraction=0.0
        )
        self.model_ = jaxmlp.fit_mlp(
            splits,
            hidden_sizes=(HIDDEN_SIZE,),
            learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            num_epochs=self.num_epochs,
            monitor="rmse" if self.task == "regression" else "log_loss",
            seed=self.seed,
            progress=False,
        ).model
        return self

    def score(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        return jaxmlp.evaluate(self.model_, Dataset(inputs, targets))[MEASURES[self.task]]


def answer(record: Record) -> Answer:
    names = record["dataset"].split(", ")
    ratios = [f"{compared(record, f'{n}_ratio', 'faster', 'slower', than=1)} on {n}" for n in names]
    gaps = [f"{name} {compared(record, f'{name}_folds_minus_cut')}" for name in names]
    return Answer(
        f"{names[0]}_ratio",
        f"As one program, folds train {listed(ratios)} times as fast as one after another; their score minus "
        f"that of cross_validate: {', '.join(gaps)} ({counted(record, f'{names[0]}_ratio')})",
        all(sign(record, f"{name}_ratio", than=1) != 0 for name in names),
    )


def draw(record: Record, folder: Path) -> None:
    names = record["dataset"].split(", ")
    rows = {"speed": "ratio", "score": "folds_minus_cut"}
    charts.point_plot(
        {title: {name: values(record, f"{name}_{end}") for name in names} for title, end in rows.items()},
        folder / "folds.png",
        xlabel=["times as fast as one after another", "accuracy or R², minus cross_validate's"],
    )


if __name__ == "__main__":
    main(Config, run, draw, answer)
