"""What predictions are worth by scikit-learn's measures, each with its 95 % interval over the rows."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.statistics import num_equal, wilson_interval

MAX_TARGETS = 5
"""Of several targets, so many are measured one by one."""
_RESAMPLES = {3: 200, 20: 100}
"""By the number of classes up to which there are so many; of more classes, each resample takes long."""
FEW_RESAMPLES = 50
_MOST_DRAWN = 5_000
"""Rows, or groups, in a resample at most; of more, deviations are scaled (Bickel et al. 1997)."""
_ROUNDING = 1e-9
Interval = tuple[float, float] | None
"""None where the rows are too few to say."""


class Measure(NamedTuple):
    """A measure, and how well it is known."""

    value: float
    interval: Interval
    unit: str = "1"
    """Empty for that of the targets."""


def measure(judged: Judged, most_resamples: int = 200) -> dict[str, Measure]:
    """Every measure that suits the task, in the order in which people ask for them, of rows by their weights:
    intervals are the bootstrap's (Efron and Tibshirani 1993), for the accuracy of rows without groups
    Wilson's. Where somebody waits, ``most_resamples`` may be fewer.

    What cannot be measured, as an AUC where one class alone occurs, is nan.
    """
    import sklearn

    one, groups = _classification if judged.class_names else _regression, _groups(judged)
    suits = (number for most, number in _RESAMPLES.items() if len(judged.class_names) <= most)
    num_resamples = min(next(suits, FEW_RESAMPLES), most_resamples)
    bare = judged._replace(inputs=np.zeros((len(groups), 0)))
    plain = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
    with plain, warnings.catch_warnings(), np.errstate(all="ignore"):
        # Of classes that do not occur; these are left out.
        warnings.simplefilter("ignore")
        values, draws = one(judged, judged.weights), np.random.default_rng(0)
        samples = (bare.take(_draw(draws, groups)) for _ in range(num_resamples))
        resampled = [one(sample, sample.weights) for sample in samples]
    found, num_units = {}, int(groups.max()) + 1
    for name, value in values.items():
        interval = _middle(np.array([row[name] for row in resampled]), value, num_units)
        found[name] = Measure(value, _within(interval, name), _unit(name))
    if judged.class_names and judged.groups is None:
        count = round(num_equal(judged.weights / judged.weights.sum()))
        interval = wilson_interval(round(values["accuracy"] * count), count)
        found["accuracy"] = found["accuracy"]._replace(interval=interval)
    return found


def _groups(judged: Judged) -> Int[np.ndarray, " rows"]:
    """The number of each row's group, 0, 1, …, or its own."""
    if judged.groups is None:
        return np.arange(len(judged.targets))
    return np.unique(judged.groups, return_inverse=True)[1]


def _draw(draws: np.random.Generator, groups: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " drawn"]:
    """As many rows as there are, or groups of them, whole, drawn with replacement; _MOST_DRAWN at most."""
    number = int(groups.max()) + 1
    drawn = draws.integers(number, size=min(number, _MOST_DRAWN))
    return np.repeat(np.arange(len(groups)), np.bincount(drawn, minlength=number)[groups])


def _middle(values: Float[np.ndarray, " resamples"], value: float, num_units: int) -> Interval:
    """The middle 95 %, about the ``value`` itself: rows that are drawn twice find each other, so that among
    few of a class resamples seem better than what they are of. Those of few rows, or groups, differ too
    little, by as much as Student's t says (Hesterberg 2015), and those of fewer than there are too much.
    """
    from scipy.special import ndtri, stdtrit

    finite = values[np.isfinite(values)]
    if num_units < 2 or len(finite) < len(values) / 2 or not math.isfinite(value):
        return None
    wider = stdtrit(num_units - 1, 0.975) / ndtri(0.975) * math.sqrt(num_units / (num_units - 1))
    wider *= math.sqrt(min(1.0, _MOST_DRAWN / num_units))
    low, high = (wider * (np.quantile(finite, (0.025, 0.975)) - np.median(finite)) + value).tolist()
    # Where all are alike, as of an AUC of 1, the rows are too few to show an error.
    return (low, high) if high - low > _ROUNDING * abs(value) else None


def _within(interval: Interval, name: str) -> Interval:
    """The part of it that the measure can be: none is below 0 but R², and losses alone are above 1."""
    if interval is None:
        return None
    low, high = interval
    is_loss = name == "log-loss" or name.startswith(("RMSE", "MAE", "Brier"))
    return low if name.startswith("R²") else max(low, 0.0), high if is_loss else min(high, 1.0)


def _unit(name: str) -> str:
    if "accuracy" in name:
        return "fraction"
    return "" if name.startswith(("RMSE", "MAE")) else "nats" if name == "log-loss" else "1"


def _classification(judged: Judged, weights: Float[np.ndarray, " rows"]) -> dict[str, float]:
    from sklearn import metrics

    truth, labels, probabilities = judged.targets, judged.labels, judged.predictions
    own = {"sample_weight": weights}
    places = np.arange(len(judged.class_names))
    hits = truth[:, None] == places
    occurring = np.flatnonzero([weights[column].any() for column in hits.T])
    known = occurring if len(occurring) > 1 else occurring[:0]
    # Two classes have one curve, that of the class which is looked for.
    shown = np.intersect1d(known, [judged.positive]) if len(places) == 2 else known
    average = (
        {"pos_label": judged.positive} if len(places) == 2 else {"average": "macro", "labels": occurring}
    )
    brier = metrics.mean_squared_error(hits.astype(float), probabilities, **own)
    return {
        "accuracy": float(metrics.accuracy_score(truth, labels, **own)),
        "balanced accuracy": float(metrics.balanced_accuracy_score(truth, labels, **own)),
        "AUC": _mean(metrics.roc_auc_score, hits, probabilities, shown, weights),
        "average precision": _mean(metrics.average_precision_score, hits, probabilities, shown, weights),
        "F1": float(metrics.f1_score(truth, labels, zero_division=0, **average, **own)),
        "log-loss": float(np.average(row_losses(judged, probabilities), weights=weights)),
        "Brier score": float(brier * (1 if len(places) == 2 else len(places))),
    }


def _mean(
    metric: Callable[..., float],
    hits: np.ndarray,
    probabilities: np.ndarray,
    shown: np.ndarray,
    weights: np.ndarray,
) -> float:
    """The average of the classes ``shown``, each against all others."""
    each = [metric(hits[:, place], probabilities[:, place], sample_weight=weights) for place in shown]
    return float(np.mean(each)) if each else math.nan


def _regression(judged: Judged, weights: Float[np.ndarray, " rows"]) -> dict[str, float]:
    from sklearn import metrics

    own, found = {"sample_weight": weights}, {}
    pairs = list(zip(judged.targets.T, judged.predictions.T, strict=True))
    each, several = [_r2(*pair, weights) for pair in pairs], len(pairs) > 1
    if several:
        found["R², mean of the targets"] = float(np.nanmean(each))
    for place, pair in enumerate(pairs[:MAX_TARGETS]):
        of = f" of target {place + 1}" if several else ""
        found[f"R²{of}"] = each[place]
        found[f"RMSE{of}"] = float(metrics.mean_squared_error(*pair, **own)) ** 0.5
        found[f"MAE{of}"] = float(metrics.mean_absolute_error(*pair, **own))
    return found


def _r2(truth: np.ndarray, values: np.ndarray, weights: np.ndarray) -> float:
    """nan where the rows that count are all the same, of which scikit-learn says 0 or 1."""
    from sklearn import metrics

    differ = np.ptp(truth[weights > 0]) > 0
    return float(metrics.r2_score(truth, values, sample_weight=weights)) if differ else math.nan
