"""Measures of a network on a whole data set, as pure functions ``(logits, targets) -> scalar``.

The logits of a classifier are [examples, classes]; a single column z stands for the two logits (0, z), as
the binary head has it. Predictions of a regression are [examples, outputs].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Shaped


class Metric(NamedTuple):
    """A measure and the direction in which it improves."""

    function: Callable[..., Array]
    """(logits, targets) -> scalar."""
    higher_is_better: bool | None = None
    """None: not known, so that it can be told but not monitored."""
    unit: str = "1"


def log_probabilities(logits: Float[Array, "examples outputs"]) -> Float[Array, "examples classes"]:
    """The natural logarithm of each class's probability."""
    if logits.shape[-1] == 1:
        logits = jnp.concatenate([jnp.zeros_like(logits), logits], axis=-1)
    return jax.nn.log_softmax(logits)


def accuracy(
    logits: Float[Array, "examples outputs"], labels: Integer[Array, " examples"]
) -> Float[Array, ""]:
    """The share of examples whose most probable class is right; logits that are NaN count as wrong."""
    log_p = log_probabilities(logits)
    right = (jnp.argmax(log_p, axis=-1) == labels) & ~jnp.isnan(log_p[:, 0])
    return jnp.mean(right.astype(logits.dtype))


def log_loss(
    logits: Float[Array, "examples outputs"], labels: Integer[Array, " examples"]
) -> Float[Array, ""]:
    """Mean cross-entropy in nats."""
    log_p = log_probabilities(logits)
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=-1))


def calibration_error(
    logits: Float[Array, "examples outputs"], labels: Integer[Array, " examples"], num_bins: int = 15
) -> Float[Array, ""]:
    """Expected calibration error: the mean of |accuracy − confidence| over ``num_bins`` equal bins of
    confidence, each weighted by its share of the examples (Guo et al. 2017, eq. 3).
    """
    log_p = log_probabilities(logits)
    confidence = jnp.exp(jnp.max(log_p, axis=-1))
    gap = (jnp.argmax(log_p, axis=-1) == labels).astype(log_p.dtype) - confidence
    # Bins are (lower, upper], as in the paper.
    bins = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    return jnp.sum(jnp.abs(jnp.zeros(num_bins, gap.dtype).at[bins].add(gap))) / len(labels)


def rmse(
    predictions: Float[Array, "examples outputs"], targets: Shaped[Array, "examples ..."]
) -> Float[Array, ""]:
    """Root of the mean squared error, over all outputs, in the targets' unit."""
    return jnp.sqrt(jnp.mean(jnp.square(predictions - targets.reshape(predictions.shape))))


def r2(
    predictions: Float[Array, "examples outputs"], targets: Shaped[Array, "examples ..."]
) -> Float[Array, ""]:
    """1 − (squared error / squared deviation from the mean), averaged over the outputs that differ."""
    targets = targets.reshape(predictions.shape)
    error = jnp.sum(jnp.square(predictions - targets), axis=0)
    deviation = jnp.sum(jnp.square(targets - jnp.mean(targets, axis=0, keepdims=True)), axis=0)
    # Asked of the values, since of equal ones a rounded mean may differ.
    differ = jnp.any(targets != targets[:1], axis=0)
    return jnp.mean(1 - error / deviation, where=differ)


TARGET_UNIT = "target's unit"
CLASSIFICATION = {
    "accuracy": Metric(accuracy, higher_is_better=True, unit="fraction"),
    "log_loss": Metric(log_loss, higher_is_better=False, unit="nats"),
    "calibration_error": Metric(calibration_error, higher_is_better=False, unit="fraction"),
}
REGRESSION = {
    "r2": Metric(r2, higher_is_better=True, unit="1"),
    "rmse": Metric(rmse, higher_is_better=False, unit=TARGET_UNIT),
}
METRICS: dict[str, dict[str, Metric]] = {
    "binary": CLASSIFICATION,
    "multiclass": CLASSIFICATION,
    "regression": REGRESSION,
}
"""The measures of each head; the first is the one that chooses, the second decides between equals."""


def metric_unit(name: str) -> str:
    """The unit of ``ensemble_test_accuracy`` and its like, which end with a measure of ``METRICS`` or the
    coverage of an interval; "1" of others.
    """
    units = {measure: metric.unit for named in METRICS.values() for measure, metric in named.items()}
    units |= {"coverage_90": "fraction"}
    return next((unit for measure, unit in units.items() if name.endswith(measure)), "1")
