"""Is a search ahead of a recipe that somebody found by hand, given the same time?

    python -m experiments.by_hand

gives the default search on MNIST, without deformed images, three minutes, and then as long to two layers of
512 neurons with the dropout, rate and schedule that were found by trying on validation data: as many of them
as fit, at least one, whose probabilities are averaged. Both learn from the same images, and the test images
that one of them reads right and the other wrong decide (McNemar 1947). Three repetitions, each with another
validation part and other seeds.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

import jaxmlp
from experiments.harness.answers import Answer, Record, compared, counted, said, sign, values
from experiments.harness.command import main
from experiments.harness.flags import ImageConfig, Positive, Sizes, load
from experiments.harness.receipt import Findings
from jaxmlp.data.splits import Splits
from jaxmlp.plots import charts
from jaxmlp.runtime.signals import exit_if_stopped

RECIPE: dict[str, Any] = {
    "hidden_sizes": (512, 512),
    "learning_rate": 2e-3,
    "schedule": "warmup_cosine",
    "num_epochs": 30,
    "dropout": 0.3,
    "input_dropout": 0.1,
}
"""Found by trying, on validation data."""
UNITS = {
    "search_minus_recipe": "fraction",
    "search_accuracy": "fraction",
    "recipe_accuracy": "fraction",
    "mcnemar_p": "1",
    "networks_of_recipe": "1",
    "search_time": "s",
    "recipe_time": "s",
}


@dataclass(frozen=True)
class Config(ImageConfig):
    QUICK: ClassVar[Sizes] = {"dataset": "digits", "time_budget": 0.1}

    num_seeds: int = 3
    """Repetitions."""
    time_budget: Positive = 3.0
    """Minutes for each of the two."""


def run(config: Config) -> Iterator[Findings]:
    found = []
    for seed in config.seeds:
        splits = load(config, split_seed=seed)
        found.append(compare(splits, config, seed))
        measures = {name: ([one[name] for one in found], unit) for name, unit in UNITS.items()}
        yield Findings(splits.name, measures, notes={"varied": "repetition"})


def compare(splits: Splits, config: Config, seed: int) -> dict[str, float]:
    """A search, and as many networks of the recipe as its time allows: how each of ``UNITS`` turned out."""
    seconds, began = 60 * config.time_budget, time.perf_counter()
    short = {"num_epochs": 2} if config.smoke else {}
    options: dict[str, Any] = {"seed": seed, "progress": config.progress, **short}
    found = jaxmlp.fit_ensemble(splits, {"deformation": 0.0}, time_budget=seconds, **options)
    took, probabilities = [time.perf_counter() - began], list[np.ndarray]()
    while not probabilities or sum(took[1:]) + took[-1] <= seconds:
        exit_if_stopped()
        began = time.perf_counter()
        options["seed"] = 1000 * seed + len(probabilities)
        network = jaxmlp.fit_mlp(splits, **RECIPE | options).model
        took.append(time.perf_counter() - began)
        probabilities.append(jaxmlp.predict_proba(network, splits.test.inputs))
        if config.smoke:
            break
    read = jaxmlp.predict_proba(found.ensemble, splits.test.inputs), np.mean(probabilities, axis=0)
    search, recipe = (each.argmax(axis=1) == splits.test.targets for each in read)
    accuracies = float(search.mean() - recipe.mean()), float(search.mean()), float(recipe.mean())
    about = mcnemar(search, recipe), len(probabilities), took[0], sum(took[1:])
    return dict(zip(UNITS, (*accuracies, *about), strict=True))


def mcnemar(one: Bool[np.ndarray, " images"], other: Bool[np.ndarray, " images"]) -> float:
    """The probability of so uneven a share of what only one of both reads right, if both were equally good;
    exact (McNemar 1947).
    """
    alone = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    return float(binomtest(alone[0], sum(alone)).pvalue) if any(alone) else 1.0


def answer(record: Record) -> Answer:
    chances, gap = ", ".join(f"{p:.2g}" for p in values(record, "mcnemar_p")), "search_minus_recipe"
    return Answer(
        gap,
        f"The search reads {said(record, 'search_accuracy')} and the recipe "
        f"{said(record, 'recipe_accuracy')}, the one minus the other: {compared(record, gap)} "
        f"({counted(record, gap)}); by chance alone they would differ as much with probability {chances}",
        sign(record, gap) != 0,
    )


def draw(record: Record, folder: Path) -> None:
    accuracies = {name: values(record, f"{name}_accuracy") for name in ("search", "recipe")}
    charts.point_plot({"": accuracies}, folder / "accuracies.png", xlabel="test accuracy", percent=True)


if __name__ == "__main__":
    main(Config, run, draw, answer)
