"""Measures of a network on a whole data set, as pure functions ``(logits, targets, weights) -> scalar``.

The logits of a classifier are [examples, classes]; a single column z stands for the two logits (0, z), as
the binary head has it. Predictions of a regression are [examples, outputs]. Without ``weights`` all examples
count alike.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Shaped

Outputs = Float[Array, "examples outputs"]
Labels = Integer[Array, " examples"]
Targets = Shaped[Array, "examples ..."]
Weights = Float[Array, " examples"] | None


class Metric(NamedTuple):
    """A measure and the direction in which it improves."""

    function: Callable[..., Array]
    """(logits, targets) -> scalar."""
    higher_is_better: bool | None = None
    """None: not known, so that it can be told but not monitored."""
    unit: str = "1"
    weighs: bool = False
    """Whether the function takes, as a third argument, how much each example counts, or None."""

    def measure(self, logits: Array, targets: Array, weights: Weights) -> Array:
        """The measure, of examples that count by their ``weights`` where it ``weighs``."""
        return self.function(logits, targets, *((weights,) if self.weighs else ()))


def log_probabilities(logits: Outputs) -> Float[Array, "examples classes"]:
    """The natural logarithm of each class's probability."""
    if logits.shape[-1] == 1:
        logits = jnp.concatenate([jnp.zeros_like(logits), logits], axis=-1)
    return jax.nn.log_softmax(logits)


def accuracy(logits: Outputs, labels: Labels, weights: Weights = None) -> Float[Array, ""]:
    """The share of examples whose most probable class is right; logits that are NaN count as wrong, and where
    all are, as of a network that is not finite, there is no share.
    """
    log_p = log_probabilities(logits)
    nothing = jnp.isnan(log_p[:, 0])
    right = (jnp.argmax(log_p, axis=-1) == labels) & ~nothing
    return jnp.where(jnp.all(nothing), jnp.nan, weighted_mean(right.astype(logits.dtype), weights))


def log_loss(logits: Outputs, labels: Labels, weights: Weights = None) -> Float[Array, ""]:
    """Mean cross-entropy in nats."""
    log_p = log_probabilities(logits)
    return -weighted_mean(jnp.take_along_axis(log_p, labels[:, None], axis=-1), weights)


def calibration_error(
    logits: Outputs, labels: Labels, weights: Weights = None, num_bins: int = 15
) -> Float[Array, ""]:
    """Expected calibration error: the mean of |accuracy − confidence| over ``num_bins`` equal bins of
    confidence, each weighted by its share of the examples (Guo et al. 2017, eq. 3).
    """
    log_p = log_probabilities(logits)
    confidence = jnp.exp(jnp.max(log_p, axis=-1))
    gap = (jnp.argmax(log_p, axis=-1) == labels).astype(log_p.dtype) - confidence
    # Bins are (lower, upper], as in the paper.
    bins = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    sums = jnp.zeros(num_bins, gap.dtype).at[bins].add(_weigh(gap, weights))
    return jnp.sum(jnp.abs(sums)) / (len(labels) if weights is None else jnp.sum(weights))


def rmse(predictions: Outputs, targets: Targets, weights: Weights = None) -> Float[Array, ""]:
    """Root of the mean squared error, over all outputs, in the targets' unit."""
    return jnp.sqrt(weighted_mean(jnp.square(predictions - targets.reshape(predictions.shape)), weights))


def r2(predictions: Outputs, targets: Targets, weights: Weights = None) -> Float[Array, ""]:
    """1 − (squared error / squared deviation from the mean), averaged over the outputs that differ."""
    targets = targets.reshape(predictions.shape)
    error = jnp.sum(_weigh(jnp.square(predictions - targets), weights), axis=0)
    mean = jnp.average(targets, axis=0, weights=weights)
    deviation = jnp.sum(_weigh(jnp.square(targets - mean[None]), weights), axis=0)
    # Asked of the values, since of equal ones a rounded mean may differ.
    counted = jnp.full(len(targets), True) if weights is None else weights > 0
    differ = jnp.any((targets != targets[jnp.argmax(counted)][None]) & counted[:, None], axis=0)
    return jnp.mean(1 - error / deviation, where=differ)


def weighted_mean(values: Float[Array, "examples ..."], weights: Weights) -> Float[Array, ""]:
    """The mean of all values, those of each example as often as it counts."""
    return jnp.mean(values if weights is None else jnp.average(values, axis=0, weights=weights))


def _weigh(values: Float[Array, "examples ..."], weights: Weights) -> Float[Array, "examples ..."]:
    """The values of each example times as many as it counts."""
    return values if weights is None else values * weights.reshape(-1, *[1] * (values.ndim - 1))


TARGET_UNIT = "target's unit"
CLASSIFICATION = {
    "accuracy": Metric(accuracy, higher_is_better=True, unit="fraction", weighs=True),
    "log_loss": Metric(log_loss, higher_is_better=False, unit="nats", weighs=True),
    "calibration_error": Metric(calibration_error, higher_is_better=False, unit="fraction", weighs=True),
}
REGRESSION = {
    "r2": Metric(r2, higher_is_better=True, unit="1", weighs=True),
    "rmse": Metric(rmse, higher_is_better=False, unit=TARGET_UNIT, weighs=True),
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
