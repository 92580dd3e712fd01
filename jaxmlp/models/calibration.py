"""Averages of networks, and how sure they may be: temperatures and intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from scipy.special import log_softmax, logsumexp


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
    from scipy.optimize import brentq

    num_examples, num_classes = log_probabilities.shape
    share = 1 / (num_examples + num_classes)
    # The largest of each example is 0, so that its powers are never all nothing.
    logits = np.ascontiguousarray((log_probabilities - log_probabilities.max(axis=1, keepdims=True)).T)
    own = logits[labels, np.arange(num_examples)]
    wanted = (1 - num_classes * share) * own + share * logits.sum(axis=0)

    def slope(power: float) -> float:
        """Of the cost in the power that probabilities are raised to, 1 / temperature: in it, it is convex."""
        tempered = np.exp(power * logits)
        found = (tempered * logits).sum(axis=0) / tempered.sum(axis=0)
        return float(np.average(found - wanted, weights=weights))

    powers = 1 / 20, 1 / lowest
    # Also where it is no number, as that of a network that overflows.
    if not slope(powers[1]) > 0:
        return lowest
    # What is closer changes nothing.
    return 20.0 if slope(powers[0]) >= 0 else 1 / brentq(slope, *powers, rtol=1e-4)


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
