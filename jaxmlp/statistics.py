"""What several seeds say together: a mean, how well it is known, and an interval for it."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from jaxmlp.types import AnyArray, InputError, Numbers


class Summary(NamedTuple):
    """The mean of ``n`` independent values, in their unit.

    ``standard_error`` is sd/√n with the sample's standard deviation (divisor n − 1); ``interval`` is the
    95 % Student-t interval for the mean. One value says nothing about spread: both are then None.
    """

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    n: int


def summarize(values: Numbers) -> Summary:
    """The Summary of ``values``, one per seed; a value that is not finite makes its numbers nan or infinite.

    InputError if there are no values.
    """
    sample = np.ravel(np.asarray(values, dtype=np.float64))
    n = sample.size
    if n == 0:
        raise InputError("values: must hold at least one number, got none")
    if n == 1:
        return Summary(float(sample[0]), None, None, n)
    from scipy.stats import t

    with np.errstate(invalid="ignore"):
        mean, error = float(sample.mean()), float(sample.std(ddof=1)) / math.sqrt(n)
    margin = float(t.ppf(0.975, n - 1)) * error
    return Summary(mean, error, (mean - margin, mean + margin), n)


def format_mean(mean: float | None, standard_error: float | None, unit: str) -> str:
    """Mean ± standard error with two decimals, more if the error is smaller; fractions in percent. Without
    an error, what two decimals would round to 0 is written as a power of ten.

    A mean of None, as a record has it, is one that was not finite.
    """
    if mean is None or not math.isfinite(mean):
        return "not finite"
    scale, suffix = {"fraction": (100, " %"), "1": (1, "")}.get(unit, (1, f" {unit}"))
    error = scale * (standard_error or 0)
    if mean and not error and abs(scale * mean) < 0.005:
        return f"{scale * mean:.1e}{suffix}"
    decimals = min(max(2, math.ceil(-math.log10(error))), 6) if error else 2
    spread = f" ± {error:.{decimals}f}" if standard_error is not None else ""
    return f"{scale * mean:.{decimals}f}{spread}{suffix}"


def wilson_interval(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) for the share of which ``count`` of ``n`` cases are a sample."""
    from scipy.stats import binomtest

    bounds = binomtest(count, n).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)


def variance_of_mean(costs: AnyArray, shares: AnyArray, groups: AnyArray | None = None) -> float:
    """The squared standard error of the mean of ``costs`` that count by their ``shares``, with sum 1: over
    examples, or over ``groups``, whose examples may be alike (Cameron and Miller 2015).
    """
    apart = np.asarray(costs, float) - float(shares @ costs)
    if groups is None:
        return float(shares @ np.square(apart)) / max(num_equal(shares) - 1, 1)
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], shares * apart)
    return float(np.sum(np.square(sums))) * len(sums) / max(len(sums) - 1, 1)


def confusion_counts(
    labels: Integer[AnyArray, " examples"], predictions: Integer[AnyArray, " examples"], num_classes: int
) -> Integer[np.ndarray, "true predicted"]:
    """How many examples of each class were taken for each class."""
    pairs = np.asarray(labels) * num_classes + np.asarray(predictions)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def worst_examples(
    labels: Integer[np.ndarray, " examples"], probabilities: Float[np.ndarray, "examples classes"]
) -> Integer[np.ndarray, " wrong"]:
    """The indices of the misclassified examples, by rising probability of the true class."""
    wrong = np.flatnonzero(np.argmax(probabilities, axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")]


def mean_interval(
    costs: AnyArray, weights: AnyArray, groups: AnyArray | None = None
) -> tuple[float, tuple[float, float]]:
    """The mean of costs that count by their ``weights``, and its 95 % Student-t interval over examples, or
    groups: of a single one, everything.
    """
    from scipy.special import stdtrit

    shares = weights / weights.sum()
    number = num_equal(shares) if groups is None else len(np.unique(groups))
    error, mean = math.sqrt(variance_of_mean(costs, shares, groups)), float(shares @ costs)
    margin = float(stdtrit(number - 1, 0.975)) * error if round(number) > 1 else math.inf
    return mean, (mean - margin, mean + margin)


def num_equal(shares: AnyArray) -> float:
    """As many examples of equal weight would be as sure (Kish 1965)."""
    return float(1 / np.sum(np.square(shares)))
