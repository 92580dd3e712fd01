"""Do ranges instead of values beat a network tuned by search? Small data that ship with scikit-learn.

    python -m experiments.tabular

gives default ranges and nothing else to a sweep of 64 networks, whose ensemble stands against scikit-learn's
MLP with its defaults and tuned by HalvingRandomSearchCV, on the same splits. scikit-learn trains on training
and validation data together, the sweep chooses on the latter. results/tabular then holds record and pictures.
"""

import time
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import receipt
from experiments.command_line import main
from jaxmlp import calibration, charts, datasets, search
from jaxmlp.metrics import METRICS
from jaxmlp.statistics import summarize, verdict, with_error

SYSTEMS = ("ensemble", "best member", "scikit-learn", "scikit-learn tuned")


@dataclass(frozen=True)
class Config(receipt.Config):
    num_seeds: int = 10
    """Splits into training, validation and test data."""
    datasets: tuple[str, ...] = ("digits", "breast_cancer", "wine", "diabetes")
    """Names of data sets that scikit-learn ships."""
    num_members: int = 64
    """Networks in each sweep."""
    max_programs: int = 8
    """Different structures in each sweep."""
    num_candidates: int = 27
    """Settings that scikit-learn's search begins with."""
    max_iter: int = 200
    """Epochs that scikit-learn trains for at most; 200 is its default."""


class Outcome(NamedTuple):
    """One system on one split: its test score, accuracy or R², and the seconds it took."""

    score: float
    seconds: float


class Comparison(NamedTuple):
    """One data set: the outcomes of each system, one for each split, the unit of its score, and what else was
    measured of the ensembles.
    """

    systems: dict[str, list[Outcome]]
    unit: str
    ensembles: list[dict[str, float]]


def run(config: Config) -> None:
    """Every system on every split of every data set."""
    if config.smoke:
        config = replace(config, num_members=4, max_programs=1, datasets=config.datasets[:2])
        config = replace(config, num_candidates=3, max_iter=10)
    begun, comparisons = receipt.begin(config), {}
    for name in config.datasets:
        comparisons[name] = compare(config, name)
        tell(name, comparisons[name])
    receipt.finish(
        begun,
        config,
        dataset=", ".join(config.datasets),
        metrics=measures(comparisons) | calibration_measures(comparisons),
        notes={"varied": "split"},
    )
    draw(begun.folder, comparisons)


def compare(config: Config, name: str) -> Comparison:
    """Every system on every split of one data set."""
    outcomes: dict[str, list[Outcome]] = {system: [] for system in SYSTEMS}
    measured = []
    for seed in receipt.seeds(config):
        splits = datasets.load(name, split_seed=seed, validation_fraction=0.2)
        first, began = next(iter(METRICS[splits.task])), time.perf_counter()
        options: dict[str, Any] = {"num_members": config.num_members, "max_programs": config.max_programs}
        options |= {"num_epochs": 3} if config.smoke else {}
        found = search.fit_ensemble(splits, seed=seed, progress=config.progress, **options)
        seconds = time.perf_counter() - began
        measured.append(ensemble_measures(found, splits))
        outcomes["ensemble"].append(Outcome(measured[-1][first], seconds))
        best = calibration.measure(found.best, splits.test)[first]
        outcomes["best member"].append(Outcome(best, seconds))
        for system, make in (("scikit-learn", peer), ("scikit-learn tuned", tuned_peer)):
            outcomes[system].append(trained(make(config, splits, seed), splits))
        line = ", ".join(f"{system} {runs[-1].score:.4f}" for system, runs in outcomes.items())
        print(f"{name}, split {seed}: {line}", flush=True)
    return Comparison(outcomes, METRICS[splits.task][first].unit, measured)


def ensemble_measures(found: search.Found, splits: datasets.Splits) -> dict[str, float]:
    """Of the ensemble on test data, and its calibration error before the temperature."""
    measured = calibration.measure(found.ensemble, splits.test)
    if splits.class_names:
        untempered = calibration.measure(calibration.described(found.ensemble, temperature=1.0), splits.test)
        measured["untempered_calibration_error"] = untempered["calibration_error"]
    return measured


def peer(config: Config, splits: datasets.Splits, seed: int) -> Any:
    """scikit-learn's MLP on standardised inputs, with its defaults."""
    kind = MLPClassifier if splits.class_names else MLPRegressor
    return make_pipeline(StandardScaler(), kind(max_iter=config.max_iter, random_state=seed))


def tuned_peer(config: Config, splits: datasets.Splits, seed: int) -> Any:
    """The same, tuned by successive halving over the ranges that matter most."""
    kind = "mlpclassifier" if splits.class_names else "mlpregressor"
    ranges = {
        f"{kind}__learning_rate_init": loguniform(1e-4, 1e-1),
        f"{kind}__alpha": loguniform(1e-6, 1e1),
        f"{kind}__hidden_layer_sizes": [(64,), (128,), (256,), (64, 64), (128, 128), (256, 256)],
        f"{kind}__activation": ["relu", "tanh"],
    }
    search_cv = partial(HalvingRandomSearchCV, n_candidates=config.num_candidates, cv=3, random_state=seed)
    return search_cv(peer(config, splits, seed), ranges)


def trained(model: Any, splits: datasets.Splits) -> Outcome:
    """A scikit-learn model trained on all but the test data, and tested."""
    parts = (splits.train, splits.validation)
    inputs = np.concatenate([part.inputs.reshape(len(part.inputs), -1) for part in parts]).astype(float)
    targets, began = np.concatenate([part.targets for part in parts]), time.perf_counter()
    with warnings.catch_warnings():
        # Its default of 200 epochs is often too few for its own criterion, and candidates may diverge.
        for category in (ConvergenceWarning, UserWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        model.fit(inputs, targets)
    seconds = time.perf_counter() - began
    test = splits.test.inputs.reshape(len(splits.test.inputs), -1).astype(float)
    return Outcome(float(model.score(test, splits.test.targets)), seconds)


def measures(comparisons: dict[str, Comparison]) -> dict[str, Any]:
    """Scores and times of each system on each data set, and what the ensemble gains on the others."""
    measured: dict[str, Any] = {}
    for name, (systems, unit, _) in comparisons.items():
        ours = scores(systems["ensemble"])
        for system, runs in systems.items():
            label = f"{name}_{system.replace('-', '_').replace(' ', '_')}"
            measured[f"{label}_test_score"] = scores(runs), unit
            if system != "best member":
                # The first split pays for what is compiled once.
                measured[f"{label}_first_time"] = [runs[0].seconds], "s"
                measured[f"{label}_time"] = [run.seconds for run in runs[1:] or runs], "s"
            if system != "ensemble":
                measured[f"{label}_behind_ensemble"] = ours - scores(runs), unit
    return measured


def calibration_measures(comparisons: dict[str, Comparison]) -> dict[str, Any]:
    """Of each data set what calibration is measured by: before and after for classes, coverage for values."""
    return {
        f"{name}_ensemble_test_{measure}": ([split[measure] for split in ensembles], "fraction")
        for name, (_, _, ensembles) in comparisons.items()
        for measure in ("calibration_error", "untempered_calibration_error", "coverage_90")
        if measure in ensembles[0]
    }


def scores(runs: list[Outcome]) -> np.ndarray:
    """The test score of each split."""
    return np.array([run.score for run in runs])


def tell(name: str, comparison: Comparison) -> None:
    """One data set in sentences."""
    systems, unit, _ = comparison
    for system, runs in systems.items():
        mean, error, _, n = summarize(scores(runs))
        seconds = np.mean([run.seconds for run in runs])
        print(f"{name}: {system} {with_error(mean, error, unit)} (n = {n}), {seconds:.1f} s")
        if system.startswith("scikit"):
            print(f"  ensemble minus this: {verdict(scores(systems['ensemble']) - scores(runs), unit)}")


def draw(folder: Path, comparisons: dict[str, Comparison]) -> None:
    """What the ensemble gains on each split, and how long each system takes."""
    gains = {
        name: {other: scores(systems["ensemble"]) - scores(systems[other]) for other in SYSTEMS[1:]}
        for name, (systems, *_) in comparisons.items()
    }
    title = "Test score of the ensemble minus that of each other system, split by split"
    charts.dots(gains, folder / "gains.png", xlabel="accuracy or R², difference", title=title)
    timed = [system for system in SYSTEMS if system != "best member"]
    times = {
        name: {system: [run.seconds for run in systems[system]] for system in timed}
        for name, (systems, *_) in comparisons.items()
    }
    charts.dots(times, folder / "times.png", xlabel="seconds", title="Time of each system on one split")


if __name__ == "__main__":
    main(Config, run)
