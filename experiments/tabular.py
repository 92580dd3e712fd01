"""Do ranges instead of values beat a network tuned by search? Small data that ship with scikit-learn.

    python -m experiments.tabular

gives default ranges and nothing else to a sweep of 64 networks, whose ensemble stands against scikit-learn's
MLP with its defaults and tuned by HalvingRandomSearchCV, on the same splits. scikit-learn trains on training
and validation data together, the sweep chooses on the latter. Each sweep compiles all it needs, as on its
first day; some run again with the compilation cache that this left, and without the guard of bags that keeps
an ensemble from fitting a small validation part. results/tabular then holds record and pictures; the record
grows with each data set.
"""

import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import receipt
from experiments.command_line import main
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits
from jaxmlp.models import evaluation
from jaxmlp.models.model import with_spec
from jaxmlp.nn.metrics import METRICS
from jaxmlp.plots import charts
from jaxmlp.statistics import format_mean, summarize, verdict
from jaxmlp.sweep import search, selection

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
    num_again: int = 5
    """Splits on which the sweep runs again, with all it compiled in the cache and without the guard."""
    sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """Votes of the ensembles that are chosen again from the networks of the largest."""


class Outcome(NamedTuple):
    """One system on one split: its test score, accuracy or R², and the seconds it took."""

    score: float
    seconds: float


class Comparison(NamedTuple):
    """One data set: the outcomes of each system, one for each split, the unit of its score, what else was
    measured of the ensembles, and the seconds of the sweeps that found their programs in the cache.
    """

    systems: dict[str, list[Outcome]]
    unit: str
    ensembles: list[dict[str, float]]
    warm_seconds: list[float]


def run(config: Config) -> None:
    """Every system on every split of every data set."""
    if config.smoke:
        config = replace(config, num_members=4, max_programs=1, datasets=config.datasets[:2])
        config = replace(config, num_candidates=3, max_iter=10, num_again=1, sizes=config.sizes[:2])
    begun, comparisons = receipt.begin(config), {}
    for name in config.datasets:
        comparisons[name] = compare(config, name)
        tell(name, comparisons[name])
        receipt.finish(
            begun,
            config,
            dataset=", ".join(comparisons),
            metrics=measures(comparisons) | calibration_measures(comparisons),
            notes={"varied": "split"},
        )
        draw(begun.folder, comparisons)


def compare(config: Config, name: str) -> Comparison:
    """Every system on every split of one data set."""
    outcomes: dict[str, list[Outcome]] = {system: [] for system in SYSTEMS}
    measured: list[dict[str, float]] = []
    warm_seconds: list[float] = []
    for seed in receipt.seeds(config):
        splits = sources.load_dataset(name, split_seed=seed, validation_fraction=0.2)
        first = next(iter(METRICS[splits.task]))
        with empty_cache():
            found, seconds = swept(config, splits, seed)
            measured.append(ensemble_measures(config, found, splits))
            if len(warm_seconds) < config.num_again:
                jax.clear_caches()
                unguarded, again = swept(config, splits, seed, num_bags=1)
                warm_seconds.append(again)
                measured[-1] |= {f"unguarded_{k}": v for k, v in tested(unguarded, splits).items()}
        outcomes["ensemble"].append(Outcome(measured[-1][first], seconds))
        best = evaluation.evaluate(found.best, splits.test)[first]
        outcomes["best member"].append(Outcome(best, seconds))
        for system, make in (("scikit-learn", peer), ("scikit-learn tuned", tuned_peer)):
            outcomes[system].append(trained(make(config, splits, seed), splits))
        line = ", ".join(f"{system} {runs[-1].score:.4f}" for system, runs in outcomes.items())
        print(f"{name}, split {seed}: {line}", flush=True)
    return Comparison(outcomes, METRICS[splits.task][first].unit, measured, warm_seconds)


@contextmanager
def empty_cache() -> Iterator[None]:
    """As in a first process on a machine: nothing compiled in memory or on disk."""
    kept = jax.config.values["jax_compilation_cache_dir"]
    with tempfile.TemporaryDirectory() as folder:
        jax.clear_caches()
        try:
            use_cache(folder)
            yield
        finally:
            use_cache(kept)


def use_cache(folder: str | None) -> None:
    """Compiled programs are kept in ``folder`` from now on."""
    jax.config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()


def swept(config: Config, splits: Splits, seed: int, **settings: Any) -> tuple[search.SearchResult, float]:
    """A sweep with default ranges, and its seconds."""
    settings |= {"num_members": config.num_members, "max_programs": config.max_programs, "seed": seed}
    settings |= {"num_epochs": 3} if config.smoke else {}
    began = time.perf_counter()
    found = search.fit_ensemble(splits, progress=config.progress, **settings)
    return found, time.perf_counter() - began


def tested(found: search.SearchResult, splits: Splits) -> dict[str, float]:
    """What the ensemble reaches on test data."""
    return evaluation.evaluate(found.ensemble, splits.test)


def ensemble_measures(config: Config, found: search.SearchResult, splits: Splits) -> dict[str, float]:
    """Of the ensemble on test data, its calibration error before the temperature, and the score of smaller
    ensembles, chosen on validation data from its networks.
    """
    measured, first = tested(found, splits), next(iter(METRICS[splits.task]))
    chosen, losses = found.sweep.ensemble, selection.contribution_loss(splits.task)
    for size in config.sizes:
        votes = selection.greedy_selection(np.stack([one.contribution for one in chosen]), losses, size)
        fewer = [one._replace(count=int(n)) for one, n in zip(chosen, votes, strict=True) if n]
        smaller = search.build_models(splits, found.sweep._replace(ensemble=fewer))
        measured[f"score_of_{size}"] = tested(smaller, splits)[first]
    if splits.class_names:
        untempered = evaluation.evaluate(with_spec(found.ensemble, temperature=1.0), splits.test)
        measured["untempered_calibration_error"] = untempered["calibration_error"]
    return measured


def peer(config: Config, splits: Splits, seed: int) -> Any:
    """scikit-learn's MLP on standardised inputs, with its defaults."""
    kind = MLPClassifier if splits.class_names else MLPRegressor
    return make_pipeline(StandardScaler(), kind(max_iter=config.max_iter, random_state=seed))


def tuned_peer(config: Config, splits: Splits, seed: int) -> Any:
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


def trained(model: Any, splits: Splits) -> Outcome:
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
    for name, (systems, unit, ensembles, warm_seconds) in comparisons.items():
        ours = scores(systems["ensemble"])
        for system, runs in systems.items():
            label = f"{name}_{system.replace('-', '_').replace(' ', '_')}"
            measured[f"{label}_test_score"] = scores(runs), unit
            if system != "best member":
                measured[f"{label}_time"] = [run.seconds for run in runs], "s"
            if system != "ensemble":
                measured[f"{label}_behind_ensemble"] = ours - scores(runs), unit
        measured[f"{name}_ensemble_warm_time"] = warm_seconds, "s"
        loss = "log_loss" if "log_loss" in ensembles[0] else "rmse"
        both = [split for split in ensembles if f"unguarded_{loss}" in split]
        saved = [split[f"unguarded_{loss}"] - split[loss] for split in both]
        measured[f"{name}_{loss}_saved_by_guard"] = saved, unit_of(loss)
        for measure in ensembles[0]:
            if measure.startswith("score_of_"):
                measured[f"{name}_{measure}"] = [split[measure] for split in ensembles], unit
    return measured


def unit_of(loss: str) -> str:
    """The unit of a loss."""
    return next(measures[loss].unit for measures in METRICS.values() if loss in measures)


def calibration_measures(comparisons: dict[str, Comparison]) -> dict[str, Any]:
    """Of each data set what calibration is measured by: before and after for classes, coverage for values."""
    return {
        f"{name}_ensemble_test_{measure}": ([split[measure] for split in ensembles], "fraction")
        for name, (_, _, ensembles, _) in comparisons.items()
        for measure in ("calibration_error", "untempered_calibration_error", "coverage_90")
        if measure in ensembles[0]
    }


def scores(runs: list[Outcome]) -> np.ndarray:
    """The test score of each split."""
    return np.array([run.score for run in runs])


def tell(name: str, comparison: Comparison) -> None:
    """One data set in sentences."""
    systems, unit, *_ = comparison
    for system, runs in systems.items():
        mean, error, _, n = summarize(scores(runs))
        seconds = np.mean([run.seconds for run in runs])
        print(f"{name}: {system} {format_mean(mean, error, unit)} (n = {n}), {seconds:.1f} s")
        if system.startswith("scikit"):
            print(f"  ensemble minus this: {verdict(scores(systems['ensemble']) - scores(runs), unit)}")


def draw(folder: Path, comparisons: dict[str, Comparison]) -> None:
    """What the ensemble gains on each split, and how long each system takes."""
    gains = {
        name: {other: scores(systems["ensemble"]) - scores(systems[other]) for other in SYSTEMS[1:]}
        for name, (systems, *_) in comparisons.items()
    }
    title = "Test score of the ensemble minus that of each other system, split by split"
    charts.point_plot(gains, folder / "gains.png", xlabel="accuracy or R², difference", title=title)
    timed = [system for system in SYSTEMS if system != "best member"]
    times = {
        name: {system: [run.seconds for run in systems[system]] for system in timed}
        for name, (systems, *_) in comparisons.items()
    }
    charts.point_plot(times, folder / "times.png", xlabel="seconds", title="Time of each system on one split")
    charts.line_plot(
        {"": {name: growth(comparison) for name, comparison in comparisons.items()}},
        folder / "sizes.png",
        xlabel="votes in the ensemble",
        ylabel="test accuracy or R², minus that of one vote",
        log_x=True,
        title="What an ensemble gains as it grows",
    )


def growth(comparison: Comparison) -> tuple[list[int], np.ndarray]:
    """Sizes of ensembles, and the test score of each above that of the smallest, [splits, sizes]."""
    names = [measure for measure in comparison.ensembles[0] if measure.startswith("score_of_")]
    values = np.array([[split[name] for name in names] for split in comparison.ensembles])
    return [int(name.removeprefix("score_of_")) for name in names], values - values[:, :1]


if __name__ == "__main__":
    main(Config, run)
