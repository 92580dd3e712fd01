"""What predictions are worth by scikit-learn's measures, each with its 95 % interval over the rows."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmlp.report.judged import Judged
from jaxmlp.statistics import num_equal, wilson_interval

MAX_TARGETS = 5
"""Of several targets, so many are measured one by one."""
_RESAMPLES = {3: 200, 20: 100}
"""By the number of classes up to which there are so many; of more classes, each resample takes long."""
_FEW_RESAMPLES = 50
Interval = tuple[float, float] | None
"""None where the rows are too few to say."""


class Measure(NamedTuple):
    """A measure, and how well it is known."""

    value: float
    interval: Interval
    unit: str = "1"


def measure(judged: Judged, target: str = "", seed: int = 0) -> dict[str, Measure]:
    """Every measure that suits the task, in the order in which people ask for them, of rows by their weights:
    intervals are the bootstrap's (Efron and Tibshirani 1993), for the accuracy of rows without groups
    Wilson's. ``target`` is the unit of real values.

    What cannot be measured, as an AUC where one class alone occurs, is nan.
    """
    import sklearn

    one = _classification if judged.class_names else _regression
    suits = (number for most, number in _RESAMPLES.items() if len(judged.class_names) <= most)
    num_resamples = next(suits, _FEW_RESAMPLES)
    plain = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
    with plain, warnings.catch_warnings(), np.errstate(all="ignore"):
        # Of classes that do not occur; these are left out.
        warnings.simplefilter("ignore")
        values, draws = one(judged, judged.weights), np.random.default_rng(seed)
        drawn = [judged.weights * _counts(draws, judged) for _ in range(num_resamples)]
        resampled = [one(judged, weights) for weights in drawn]
    found = {}
    for name, value in values.items():
        interval = _middle(np.array([row[name] for row in resampled]), value)
        found[name] = Measure(value, _within(interval, name), _unit(name, target))
    if judged.class_names and judged.groups is None:
        found["accuracy"] = found["accuracy"]._replace(interval=_wilson(judged, values["accuracy"]))
    return found


def _counts(draws: np.random.Generator, judged: Judged) -> Float[np.ndarray, " rows"]:
    """How often each row is among as many, drawn with replacement: rows, or groups of rows, whole."""
    groups = np.arange(len(judged.targets)) if judged.groups is None else judged.groups
    names, of_row = np.unique(groups, return_inverse=True)
    number = len(names)
    return np.bincount(draws.integers(number, size=number), minlength=number)[of_row].astype(float)


def _middle(values: Float[np.ndarray, " resamples"], value: float) -> Interval:
    """The middle 95 %, about the ``value`` itself: rows that are drawn twice find each other, so that among
    few of a class resamples seem better than what they are of.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < len(values) / 2 or not math.isfinite(value):
        return None
    low, high = (np.quantile(finite, (0.025, 0.975)) - finite.mean() + value).tolist()
    return low, high


def _within(interval: Interval, name: str) -> Interval:
    """The part of it that the measure can be: none is below 0 but R², and losses alone are above 1."""
    if interval is None:
        return None
    low, high = interval
    is_loss = name == "log-loss" or name.startswith(("RMSE", "MAE", "Brier"))
    return low if name.startswith("R²") else max(low, 0.0), high if is_loss else min(high, 1.0)


def _wilson(judged: Judged, accuracy: float) -> Interval:
    count = round(num_equal(judged.weights / judged.weights.sum()))
    return wilson_interval(round(accuracy * count), count)


def _unit(name: str, target: str) -> str:
    if "accuracy" in name:
        return "fraction"
    return target if name.startswith(("RMSE", "MAE")) else "nats" if name == "log-loss" else "1"


def _classification(judged: Judged, weights: Float[np.ndarray, " rows"]) -> dict[str, float]:
    from sklearn import metrics

    truth, labels, probabilities = judged.targets, judged.labels, judged.predictions
    own = {"sample_weight": weights}
    places = np.arange(len(judged.class_names))
    hits = truth[:, None] == places
    known = np.flatnonzero([0 < weights[column].sum() < weights.sum() for column in hits.T])
    # Two classes have one curve, that of the class which is looked for.
    shown = np.intersect1d(known, [judged.positive]) if len(places) == 2 else known
    average = {"pos_label": judged.positive} if len(places) == 2 else {"average": "macro"}
    brier = metrics.mean_squared_error(hits.astype(float), probabilities, **own)
    return {
        "accuracy": float(metrics.accuracy_score(truth, labels, **own)),
        "balanced accuracy": float(metrics.balanced_accuracy_score(truth, labels, **own)),
        "AUC": _mean(metrics.roc_auc_score, hits, probabilities, shown, weights),
        "average precision": _mean(metrics.average_precision_score, hits, probabilities, shown, weights),
        "F1": float(metrics.f1_score(truth, labels, zero_division=0, **average, **own)),
        "log-loss": float(metrics.log_loss(truth, probabilities, labels=places, **own)),
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

    own, found, (truth, values) = {"sample_weight": weights}, {}, (judged.targets, judged.predictions)
    several = truth.shape[1] > 1
    if several:
        found["R², mean of the targets"] = float(metrics.r2_score(truth, values, **own))
    for place in range(min(truth.shape[1], MAX_TARGETS)):
        of, pair = f" of target {place + 1}" if several else "", (truth[:, place], values[:, place])
        found[f"R²{of}"] = float(metrics.r2_score(*pair, **own))
        found[f"RMSE{of}"] = float(metrics.mean_squared_error(*pair, **own)) ** 0.5
        found[f"MAE{of}"] = float(metrics.mean_absolute_error(*pair, **own))
    return found
