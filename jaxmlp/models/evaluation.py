"""Models calibrated on validation data, and measured on others, with intervals over the examples."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from jaxmlp import checks
from jaxmlp.models import calibration
from jaxmlp.models.model import Model, predict, predict_proba, with_spec
from jaxmlp.models.training import Loss
from jaxmlp.nn.metrics import METRICS, Metric, log_probabilities
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.statistics import wilson_interval
from jaxmlp.types import Dataset

Metrics = Mapping[str, Metric | Callable[..., Array]]
"""By name, functions ``(logits, targets) -> scalar`` of all examples."""


def calibrate(model: Model, validation: Dataset) -> Model:
    """The model with the temperature, or for a regression the noise scale, that fits ``validation``."""
    if model.description.head == "regression":
        errors = regression_errors(model, validation)
        scale = np.sqrt(np.mean(np.square(errors), axis=0))
        return with_spec(model, noise_scale=tuple(scale.tolist()))
    raw = predict_proba(with_spec(model, temperature=1.0), validation.inputs)
    return with_spec(model, temperature=calibration.fit_temperature(raw, np.asarray(validation.targets)))


def evaluate(
    model: Model, part: Dataset | tuple[ArrayLike, ArrayLike], metrics: Metrics | None = None
) -> dict[str, float]:
    """Each measure of ``METRICS`` on ``part``, and ``metrics`` of one's own, as ``fit_mlp`` takes them. Of
    a calibrated regression ``coverage_90``, too: the share of targets within the interval that should hold
    90 %.
    """
    part = checks.as_dataset("part", part)
    answers, targets = _predictions(model, part), jnp.asarray(part.targets)
    measures = choose_metrics(model.description.head, None, None, metrics)
    values = {name: float(metric.function(answers, targets)) for name, metric in measures.items()}
    noise = model.description.noise_scale
    if noise is not None:
        values["coverage_90"] = calibration.coverage(regression_errors(model, part), np.asarray(noise))
    return values


def choose_metrics(
    head: str, targets: Affine | None, loss: Loss | None, own: Metrics | None
) -> dict[str, Metric]:
    """The head's metrics and one's own, in the unit of the targets, which may have been scaled; before them
    the mean of a loss of one's own.
    """
    shift, scale = targets or (0.0, 1.0)
    known, first = dict(METRICS[head]), {}
    if loss is not None:
        first["loss"] = Metric(partial(_mean_loss, loss), higher_is_better=False)
    if targets is not None:
        # These see differences alone, which a large shift would round.
        known = {name: _converted(partial(_unscale, 0.0, scale), metric) for name, metric in known.items()}
    convert = partial(_unscale, shift, scale) if head == "regression" else _normalize
    return first | known | {name: _converted(convert, metric) for name, metric in (own or {}).items()}


def _converted(convert: Callable[..., tuple[Array, Array]], metric: Metric | Callable[..., Array]) -> Metric:
    """The metric of what ``convert`` makes of logits and targets."""
    metric = metric if isinstance(metric, Metric) else Metric(metric)
    function = metric.function
    return metric._replace(function=lambda logits, targets: function(*convert(logits, targets)))


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
    if model.description.head == "regression":
        (values,) = bootstrap_scores([model], part)
        return _middle(values)
    right = np.argmax(_predictions(model, part), axis=-1) == np.asarray(part.targets)
    return wilson_interval(int(right.sum()), len(right))


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
    first, *_ = METRICS[compared[0].description.head].values()
    targets = jnp.asarray(part.targets)
    answers = [_predictions(model, part) for model in compared]

    def measured(key: jax.Array) -> jax.Array:
        drawn = jax.random.randint(key, (len(targets),), 0, len(targets))
        return jnp.stack([first.function(answer[drawn], targets[drawn]) for answer in answers])

    keys = jax.random.split(jax.random.key(seed), num_resamples)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(measured, keys))(keys)).T


def _middle(values: np.ndarray) -> tuple[float, float]:
    """The bounds of the middle 95 %."""
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return low, high


def _predictions(model: Model, part: Dataset) -> jax.Array:
    """What the measures of ``METRICS`` want: predictions of a regression, or the logarithm of
    probabilities.
    """
    if model.description.head == "regression":
        return jnp.asarray(predict(model, part.inputs).reshape(len(part.inputs), -1))
    return jnp.log(jnp.asarray(predict_proba(model, part.inputs)))


def regression_errors(model: Model, part: Dataset) -> np.ndarray:
    """Prediction minus target, [examples, outputs], in the targets' unit."""
    targets = np.asarray(part.targets, float).reshape(len(part.targets), -1)
    return predict(model, part.inputs).reshape(targets.shape) - targets
