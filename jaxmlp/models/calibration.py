"""Averages of networks, and how sure they may be: temperatures and intervals."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from scipy.special import log_softmax, logsumexp


def weighted_mean(
    outputs: Float[np.ndarray, "networks examples outputs"], counts: Sequence[int]
) -> Float[np.ndarray, "examples outputs"]:
    """The average of the networks' outputs, each as often as it counts."""
    return np.average(outputs, axis=0, weights=np.asarray(counts, float))


def log_mean(
    log_probabilities: Float[np.ndarray, "networks examples classes"], counts: Sequence[int]
) -> Float[np.ndarray, "examples classes"]:
    """The logarithm of the networks' average probability, each as often as it counts."""
    shares = np.asarray(counts, float) / sum(counts)
    return logsumexp(log_probabilities, axis=0, b=shares[:, None, None])


def fit_temperature(
    log_probabilities: Float[np.ndarray, "examples classes"],
    labels: Integer[np.ndarray, " examples"],
    weights: Float[np.ndarray, " examples"] | None = None,
    *,
    lowest: float = 1.0,
) -> float:
    """The temperature, from ``lowest`` to 20, at which the probabilities cost least on these examples, in
    cross-entropy (Guo et al. 2017).

    By default it never makes probabilities surer: a network that was chosen by the examples that are at hand
    here seems better on them than it is. How sure it may make them grows with the examples: each class of
    each of n has a share of 1 / (n + classes) beside what it was, so that without a mistake among few nothing
    is taken for certain (Platt 1999).
    """
    from scipy.optimize import minimize_scalar

    num_examples, num_classes = log_probabilities.shape
    share = 1 / (num_examples + num_classes)

    def cost(log_temperature: float) -> float:
        tempered = apply_temperature(log_probabilities, math.exp(log_temperature))
        own = tempered[np.arange(num_examples), labels]
        likely = (1 - num_classes * share) * own + share * tempered.sum(axis=1)
        return float(-np.average(likely, weights=weights))

    bounds = math.log(lowest), math.log(20)
    # What is closer changes nothing.
    options = {"xatol": 1e-4}
    found = math.exp(minimize_scalar(cost, bounds=bounds, method="bounded", options=options).x)
    # The search comes close to its bounds, and does not reach them.
    return found if cost(math.log(found)) < cost(0.0) else 1.0


def apply_temperature(
    log_probabilities: Float[np.ndarray, "examples classes"], temperature: float
) -> Float[np.ndarray, "examples classes"]:
    """The logarithm of each probability to the power of 1 / temperature, and the sum back to 1."""
    return log_softmax(log_probabilities / temperature, axis=-1)


def fit_noise_scale(errors: Float[np.ndarray, "examples outputs"]) -> tuple[float, ...]:
    """Of each output, the standard deviation of the normal distribution that has as many errors inside its
    90 % interval as these examples have, and as a new one (Vovk et al. 2005).
    """
    rank = min(len(errors), -(-9 * (len(errors) + 1) // 10))
    margins = np.sort(np.abs(errors), axis=0)[rank - 1]
    # Where nothing was wrong, there is still a scale.
    return tuple(np.maximum(margins / interval_margin(1.0), np.finfo(float).tiny).tolist())


def interval_margin(noise_scale: Float[np.ndarray, "..."] | float, probability: float = 0.9) -> Any:
    """Half the width of the normal interval that should hold ``probability`` of all errors."""
    from scipy.stats import norm

    return noise_scale * norm.ppf(0.5 + probability / 2)


def coverage(
    errors: Float[np.ndarray, "..."], noise_scale: Float[np.ndarray, "..."] | float, probability: float = 0.9
) -> float:
    """The share of errors inside that interval."""
    return float(np.mean(np.abs(errors) <= interval_margin(noise_scale, probability)))
