"""Models calibrated on validation data, and measured on others, with intervals over the examples."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.data.arrays import make_dataset
from jaxmlp.models import calibration
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.prediction import check_is_no_table, predict, predict_log_proba
from jaxmlp.models.training import Loss
from jaxmlp.nn.metrics import METRICS, TARGET_UNIT, Metric, log_probabilities
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.statistics import mean_interval, num_equal, variance_of_mean, wilson_interval
from jaxmlp.types import AnyArray, Dataset, InputError

Metrics = Mapping[str, Metric | Callable[..., Array]]
"""By name, functions ``(logits, targets) -> scalar`` of all examples."""


def calibrate(model: Model, validation: Dataset) -> Model:
    """The model with the temperature, or for a regression the noise scale, that fits ``validation``."""
    if model.spec.head == "regression":
        predictions, targets = _predictions(model, validation)
        return with_spec(model, noise_scale=calibration.fit_noise_scale(predictions - targets))
    raw = predict_log_proba(with_spec(model, temperature=1.0), validation.inputs)
    return with_spec(model, temperature=calibration.fit_temperature(raw, np.asarray(validation.targets)))


def evaluate(
    model: Model, part: Dataset | tuple[ArrayLike, ArrayLike], metrics: Metrics | None = None
) -> dict[str, float]:
    """Each measure of ``METRICS`` on ``part``, and ``metrics`` of one's own, as ``fit_mlp`` takes them. Of
    a calibrated regression ``coverage_90``, too: the share of targets within the interval that should hold
    90 %. What cannot be measured, such as R² of a single target, is not finite. Raises InputError for inputs
    or targets that do not fit the model.
    """
    part = _check_part(model, part)
    predictions, targets = _predictions(model, part)
    *near, unit = _near_zero(model.spec.head, predictions, targets)
    values = {
        name: float(value) * (unit if METRICS[model.spec.head][name].unit == TARGET_UNIT else 1)
        for name, value in _measure(model.spec.head, *near).items()
    }
    for name, metric in (metrics or {}).items():
        function = metric.function if isinstance(metric, Metric) else metric
        values[name] = float(function(jnp.asarray(predictions), jnp.asarray(targets)))
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


@partial(jax.jit, static_argnames="head")
def _measure(head: str, predictions: Array, targets: Array) -> dict[str, Array]:
    """Each measure, as one program: a hundred small operations would each be compiled."""
    return {name: metric.function(predictions, targets) for name, metric in METRICS[head].items()}


def choose_metrics(
    head: str, targets: Affine | None, loss: Loss | None, own: Metrics | None
) -> dict[str, Metric]:
    """The head's metrics and one's own, in the unit of the targets, which may have been scaled; before them
    the mean of a loss of one's own.
    """
    known, first = dict(METRICS[head]), {}
    if loss is not None:
        first["loss"] = Metric(partial(_mean_loss, loss), higher_is_better=False)
    shift, scale = targets or (np.zeros(1), np.ones(1))
    if targets is not None:
        # These see differences alone, which a large shift would round, and whose squares may be no numbers.
        unit = _power_of_two(scale)
        known = {
            name: _converted(partial(_unscale, 0.0, scale / unit), metric, unit)
            for name, metric in known.items()
        }
    convert = partial(_unscale, shift, scale) if head == "regression" else _normalize
    return first | known | {name: _converted(convert, metric) for name, metric in (own or {}).items()}


def _converted(
    convert: Callable[..., tuple[Array, Array]],
    metric: Metric | Callable[..., Array],
    unit: float | np.floating = 1.0,
) -> Metric:
    """The metric of what ``convert`` makes of logits and targets, which it gives in ``unit``."""
    metric = metric if isinstance(metric, Metric) else Metric(metric)
    function, factor = metric.function, float(unit) if metric.unit == TARGET_UNIT else 1.0
    return metric._replace(function=lambda logits, targets: factor * function(*convert(logits, targets)))


def _power_of_two(sizes: AnyArray) -> float:
    """The one near the largest size, by which numbers are divided without being rounded."""
    largest = float(np.max(np.abs(np.asarray(sizes)), initial=0.0))
    return 2.0 ** round(math.log2(largest)) if 0 < largest < np.inf else 1.0


def _unscale(shift: Any, scale: Any, outputs: Array, targets: Array) -> tuple[Array, Array]:
    shift, scale = jnp.atleast_2d(shift), jnp.atleast_2d(scale)
    return outputs * scale + shift, targets.reshape(outputs.shape) * scale + shift


def _normalize(logits: Array, labels: Array) -> tuple[Array, Array]:
    return log_probabilities(logits), labels


def _mean_loss(loss: Loss, logits: Array, targets: Array) -> Array:
    return jnp.mean(jax.vmap(loss)(logits, targets))


def score_interval(model: Model, part: Dataset) -> tuple[float, float]:
    """The 95 % interval, over examples such as those of ``part``, of the measure that chooses: the
    bootstrap's for R², for an accuracy Wilson's, which is wider than nothing where all are right.
    """
    first, *_ = METRICS[model.spec.head].values()
    predictions, targets, _ = _near_zero(model.spec.head, *_predictions(model, part))
    if model.spec.head == "regression":
        return _middle(_resampled(first, [predictions], targets)[0])
    right = jnp.argmax(predictions, axis=-1) == targets
    return wilson_interval(int(right.sum()), len(right))


def weighted_measures(
    head: str, predictions: AnyArray, targets: AnyArray, weights: AnyArray, groups: AnyArray | None = None
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The two first measures of ``METRICS``, and their 95 % intervals over the examples, or over groups of
    them, from probabilities or values and how much each example counts.
    """
    shares, first, second = weights / weights.sum(), *list(METRICS[head])[:2]
    if head == "regression":
        targets = targets.reshape(predictions.shape)
        squares, spreads = np.square(predictions - targets), shares @ np.square(targets - shares @ targets)
        mean, (low, high) = mean_interval(squares.mean(axis=1), shares, groups)
        # Outputs may have units of their own, and one that never changes explains nothing.
        differ = np.ptp(targets, axis=0) > 0
        parts = squares[:, differ] / spreads[differ]
        lost, (least, most) = mean_interval(parts.mean(axis=1), shares, groups)
        intervals = {first: (1 - most, min(1 - least, 1.0)), second: (max(low, 0.0) ** 0.5, high**0.5)}
        return {first: 1 - lost, second: math.sqrt(mean)}, intervals
    right = predictions.argmax(axis=1) == targets
    costs = -np.log(np.maximum(predictions[np.arange(len(targets)), targets], np.finfo(np.float32).tiny))
    mean, (low, high) = mean_interval(costs, shares, groups)
    # Where all are right, 1 to the last digit.
    share, count = float(np.average(right, weights=weights)), num_equal(shares)
    if groups is not None:
        # So many independent examples would be as sure, at most.
        variance = variance_of_mean(right.astype(float), shares, groups)
        count = min(count, share * (1 - share) / variance) if variance > 0 else len(np.unique(groups))
        # Groups that are alike within, and few, may tell less than one example.
        count = max(count, 1.0)
    wilson = wilson_interval(round(share * count), round(count))
    return {first: share, second: mean}, {first: wilson, second: (max(low, 0.0), high)}


def difference_interval(one: Model, other: Model, part: Dataset) -> tuple[float, float]:
    """The 95 % interval of how much ``one`` is above ``other`` in that measure, by the paired bootstrap."""
    ours, theirs = bootstrap_scores([one, other], part)
    return _middle(ours - theirs)


def bootstrap_scores(
    compared: Sequence[Model], part: Dataset, num_resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """The measure that chooses, of each model on examples of ``part`` drawn with replacement, as many as it
    has and the same for all models: [models, resamples] (Efron and Tibshirani 1993, chapter 13).
    """
    head = compared[0].spec.head
    first, *_ = METRICS[head].values()
    near = [_near_zero(head, *_predictions(model, part)) for model in compared]
    return _resampled(first, [predictions for predictions, *_ in near], near[0][1], num_resamples, seed)


def _resampled(
    metric: Metric, answers: Sequence[Array], targets: Array, num_resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    def measured(key: jax.Array) -> jax.Array:
        drawn = jax.random.randint(key, (len(targets),), 0, len(targets))
        return jnp.stack([metric.function(answer[drawn], targets[drawn]) for answer in answers])

    keys = jax.random.split(jax.random.key(seed), num_resamples)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(measured, keys))(keys)).T


def _middle(values: np.ndarray) -> tuple[float, float]:
    """The bounds of the middle 95 %."""
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return low, high


def _predictions(model: Model, part: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of probabilities and the labels, or predictions and targets, [examples, outputs]."""
    if model.spec.head != "regression":
        return predict_log_proba(model, part.inputs), np.asarray(part.targets)
    targets = np.asarray(part.targets, float).reshape(len(part.targets), -1)
    return predict(model, part.inputs).astype(float).reshape(targets.shape), targets


def _near_zero(head: str, predictions: AnyArray, targets: AnyArray) -> tuple[Array, Array, float]:
    """Both as the measures of ``METRICS`` take them on a device. Real values are given about the targets'
    mean and divided by the number that is returned, since their squares might be no numbers there.
    """
    if head != "regression":
        return jnp.asarray(predictions), jnp.asarray(targets), 1.0
    centre = targets.mean(axis=0)
    unit = _power_of_two(targets - centre)
    return jnp.asarray((predictions - centre) / unit), jnp.asarray((targets - centre) / unit), unit
