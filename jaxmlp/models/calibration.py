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
) -> float:
    """The temperature, from 1/20 to 20, at which the probabilities cost least on these examples, in
    cross-entropy (Guo et al. 2017).

    What makes them surer is fitted to one mistake more than there are, of the next likely class, so that n
    examples without a mistake, however few, let nothing be taken for certain: of two classes, the odds are
    then n + 1 to 1 (Platt 1999). What makes them less sure needs no such guard.
    """
    from scipy.optimize import brentq

    # The largest of each example is 0, so that its powers are never all nothing.
    logits = np.ascontiguousarray((log_probabilities - log_probabilities.max(axis=1, keepdims=True)).T)
    own, others = logits[labels, np.arange(len(labels))], logits.copy()
    others[labels, np.arange(len(labels))] = -np.inf
    guarded = own + (others.max(axis=0) - own) / (len(labels) + 2)

    def slope(power: float, wanted: Float[np.ndarray, " examples"]) -> float:
        """Of the cost in the power that probabilities are raised to, 1 / temperature: in it, it is convex."""
        tempered = np.exp(power * logits)
        found = (tempered * logits).sum(axis=0) / tempered.sum(axis=0)
        return float(np.average(found - wanted, weights=weights))

    # As that of a network that overflows.
    if np.isnan(as_it_is := slope(1.0, own)):
        return 1.0
    low, high, wanted = (1 / 20, 1.0, own) if as_it_is > 0 else (1.0, 20.0, guarded)
    if slope(low, wanted) >= 0:
        return 1 / low
    if slope(high, wanted) <= 0:
        return 1 / high
    # What is closer changes nothing.
    return 1 / brentq(slope, low, high, args=(wanted,), rtol=1e-4)


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
