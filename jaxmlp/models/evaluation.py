"""Models calibrated on validation data, and measured on others, with intervals over the examples."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data.arrays import make_dataset
from jaxmlp.models import calibration
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.prediction import check_is_no_table, predict, predict_log_proba
from jaxmlp.models.training import Loss
from jaxmlp.nn.metrics import (
    CLASSIFICATION,
    METRICS,
    TARGET_UNIT,
    Metric,
    log_probabilities,
    weighted_mean,
)
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.statistics import mean_interval, num_equal, variance_of_mean, wilson_interval
from jaxmlp.types import AnyArray, Dataset, InputError

Metrics = Mapping[str, Metric | Callable[..., Array]]
"""By name, functions ``(logits, targets) -> scalar`` of all examples."""


def calibrate(model: Model, validation: Dataset) -> Model:
    """The model with the temperature, or for a regression the noise scale, that fits ``validation``, whose
    examples cost by their weights, and have errors where they have any.
    """
    if model.spec.head == "regression":
        predictions, targets = _predictions(model, validation)
        errors = (predictions - targets)[... if validation.weights is None else validation.weights > 0]
        return with_spec(model, noise_scale=calibration.fit_noise_scale(errors))
    raw = predict_log_proba(with_spec(model, temperature=1.0), validation.inputs)
    _, labels, weights = jax.tree.map(np.asarray, validation)
    return with_spec(model, temperature=calibration.fit_temperature(raw, labels, weights))


def evaluate(
    model: Model, part: Dataset | tuple[ArrayLike, ArrayLike], metrics: Metrics | None = None
) -> dict[str, float]:
    """Each measure of ``METRICS`` on ``part``, whose examples count alike, and ``metrics`` of one's own, as
    ``fit_mlp`` takes them. Of a calibrated regression ``coverage_90``, too: the share of targets within the
    interval that should hold 90 %. What cannot be measured, such as R² of a single target, is not finite.
    Raises InputError for inputs or targets that do not fit the model.
    """
    part = _check_part(model, part)
    predictions, targets = _predictions(model, part)
    if model.spec.head == "regression":
        values, _ = weighted_measures("regression", predictions, targets, np.ones(len(targets)))
    else:
        values = {name: float(value) for name, value in _measure(predictions, targets).items()}
    for name, metric in (metrics or {}).items():
        metric = metric if isinstance(metric, Metric) else Metric(metric)
        values[name] = float(metric.measure(jnp.asarray(predictions), jnp.asarray(targets), None))
    noise = model.spec.noise_scale
    if noise is not None:
        values["coverage_90"] = calibration.coverage(predictions - targets, np.asarray(noise))
    return values


def _check_part(model: Model, part: Dataset | tuple[ArrayLike, ArrayLike]) -> Dataset:
    if model.spec.columns is not None and isinstance(part, tuple):
        check_is_no_table(part[0])
    given, num_outputs = checks.as_dataset("part", part), model.spec.networks[0].layer_sizes[-1]
    checked = make_dataset("part ", given.inputs, given.targets, model.spec.class_names)
    if model.spec.head == "regression" and checked.targets[0].size != num_outputs:
        raise InputError(f"part targets: must be {num_outputs} an example, got {checked.targets[0].size}")
    return checked


@jax.jit
def _measure(log_p: Array, labels: Array) -> dict[str, Array]:
    """Each measure of classes, as one program: a hundred small operations would each be compiled."""
    return {name: metric.function(log_p, labels) for name, metric in CLASSIFICATION.items()}


def choose_metrics(
    head: str, targets: Affine | None, loss: Loss | None, own: Metrics | None
) -> dict[str, Metric]:
    """The head's metrics and one's own, in the unit of the targets, which may have been scaled; before them
    the mean of a loss of one's own.
    """
    known, first = dict(METRICS[head]), {}
    if loss is not None:
        first["loss"] = Metric(partial(_mean_loss, loss), higher_is_better=False, weighs=True)
    shift, scale = targets or (np.zeros(1), np.ones(1))
    if targets is not None:
        known = _scaled_metrics(head, tuple(np.ravel(scale).tolist()))
    convert = partial(_unscale, shift, scale) if head == "regression" else _normalize
    return first | known | {name: _converted(convert, metric) for name, metric in (own or {}).items()}


@lru_cache(maxsize=64)
def _scaled_metrics(head: str, scale: tuple[float, ...]) -> dict[str, Metric]:
    """The head's metrics, in the unit of targets that were divided by ``scale``: the same functions for the
    same one, so that what was compiled for them is found again.
    """
    # These see differences alone, which a large shift would round, and whose squares may be no numbers.
    unit = _power_of_two(np.array(scale))
    convert = partial(_unscale, 0.0, np.array(scale) / unit)
    return {name: _converted(convert, metric, unit) for name, metric in METRICS[head].items()}


def _converted(
    convert: Callable[..., tuple[Array, Array]],
    metric: Metric | Callable[..., Array],
    unit: float | np.floating = 1.0,
) -> Metric:
    """The metric of what ``convert`` makes of logits and targets, which it gives in ``unit``."""
    metric = metric if isinstance(metric, Metric) else Metric(metric)
    function, factor = metric.function, float(unit) if metric.unit == TARGET_UNIT else 1.0
    return metric._replace(
        function=lambda logits, targets, *weights: factor * function(*convert(logits, targets), *weights)
    )


def _power_of_two(sizes: AnyArray) -> float:
    """The one near the largest size, by which numbers are divided without being rounded."""
    largest = float(np.max(np.abs(np.asarray(sizes)), initial=0.0))
    return 2.0 ** round(math.log2(largest)) if 0 < largest < np.inf else 1.0


def _unscale(shift: Any, scale: Any, outputs: Array, targets: Array) -> tuple[Array, Array]:
    shift, scale = jnp.atleast_2d(shift), jnp.atleast_2d(scale)
    return outputs * scale + shift, targets.reshape(outputs.shape) * scale + shift


def _normalize(logits: Array, labels: Array) -> tuple[Array, Array]:
    return log_probabilities(logits), labels


def _mean_loss(loss: Loss, logits: Array, targets: Array, weights: Array | None) -> Array:
    return weighted_mean(jax.vmap(loss)(logits, targets), weights)


def score_interval(model: Model, part: Dataset) -> tuple[float, float]:
    """The 95 % interval, over examples such as those of ``part``, of the measure that chooses: for an
    accuracy Wilson's, which is wider than nothing where all are right.
    """
    head, (predictions, targets) = model.spec.head, _predictions(model, part)
    told = predictions if head == "regression" else np.exp(predictions)
    _, intervals = weighted_measures(head, told, targets, np.ones(len(targets)))
    return intervals[next(iter(METRICS[head]))]


def weighted_measures(
    head: str, predictions: AnyArray, targets: AnyArray, weights: AnyArray, groups: AnyArray | None = None
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The two first measures of ``METRICS``, and their 95 % intervals over the examples, or over groups of
    them, from probabilities or values and how much each example counts.
    """
    shares, first, second = weights / weights.sum(), *list(METRICS[head])[:2]
    worth = _worth(head, predictions, targets, shares)
    if head == "regression":
        squares = np.square(predictions - targets.reshape(predictions.shape))
        mean, (low, high) = mean_interval(squares.mean(axis=1), shares, groups)
        lost, (least, most) = mean_interval(1 - worth, shares, groups)
        intervals = {first: (1 - most, min(1 - least, 1.0)), second: (max(low, 0.0) ** 0.5, high**0.5)}
        return {first: 1 - lost, second: math.sqrt(mean)}, intervals
    costs = -np.log(np.maximum(predictions[np.arange(len(targets)), targets], np.finfo(np.float32).tiny))
    mean, (low, high) = mean_interval(costs, shares, groups)
    # Where all are right, 1 to the last digit.
    share, count = float(np.average(worth, weights=weights)), num_equal(shares)
    if groups is not None:
        # So many independent examples would be as sure, at most.
        variance = variance_of_mean(worth, shares, groups)
        count = min(count, share * (1 - share) / variance) if variance > 0 else len(np.unique(groups))
        # Groups that are alike within, and few, may tell less than one example.
        count = max(count, 1.0)
    wilson = wilson_interval(round(share * count), round(count))
    return {first: share, second: mean}, {first: wilson, second: (max(low, 0.0), high)}


def _worth(
    head: str, predictions: AnyArray, targets: AnyArray, shares: AnyArray
) -> Float[np.ndarray, " examples"]:
    """Of each example, what the measure that chooses is the mean of: whether it is right, or of R² its part,
    with what it does to the variance, which varies with the examples as the error does (Hampel 1974).
    """
    if head != "regression":
        return np.asarray(predictions.argmax(axis=1) == targets, float)
    targets = targets.reshape(predictions.shape)
    # Outputs may have units of their own, and one that never changes explains nothing.
    differ = np.ptp(targets, axis=0) > 0
    squares = np.square(predictions - targets)[:, differ]
    deviations = np.square(targets - shares @ targets)[:, differ]
    variance = shares @ deviations
    lost = shares @ squares / variance
    parts = 1 - lost - (squares - lost * deviations) / variance
    with np.errstate(invalid="ignore"):
        return parts.sum(axis=1) / differ.sum()


def difference_interval(one: Model, other: Model, part: Dataset) -> tuple[float, float]:
    """The 95 % interval of how much ``one`` is above ``other`` in that measure, over pairs of answers."""
    shares = np.full(len(part.targets), 1 / len(part.targets))
    ours, theirs = (_worth(model.spec.head, *_predictions(model, part), shares) for model in (one, other))
    return mean_interval(ours - theirs, shares)[1]


def _predictions(model: Model, part: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of probabilities and the labels, or predictions and targets, [examples, outputs]."""
    if model.spec.head != "regression":
        return predict_log_proba(model, part.inputs), np.asarray(part.targets)
    targets = np.asarray(part.targets, float).reshape(len(part.targets), -1)
    return predict(model, part.inputs).astype(float).reshape(targets.shape), targets
