"""Models calibrated on validation data, and measured on others, with intervals over the examples."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxmlp.models import calibration
from jaxmlp.models.model import Model, predict, predict_proba, with_spec
from jaxmlp.nn.metrics import METRICS
from jaxmlp.statistics import wilson_interval
from jaxmlp.types import Dataset


def calibrate(model: Model, validation: Dataset) -> Model:
    """The model with the temperature, or for a regression the noise scale, that fits ``validation``."""
    if model.description.head == "regression":
        errors = regression_errors(model, validation)
        scale = np.sqrt(np.mean(np.square(errors), axis=0))
        return with_spec(model, noise_scale=tuple(scale.tolist()))
    raw = predict_proba(with_spec(model, temperature=1.0), validation.inputs)
    return with_spec(model, temperature=calibration.fit_temperature(raw, np.asarray(validation.targets)))


def evaluate(model: Model, part: Dataset) -> dict[str, float]:
    """Each measure of ``METRICS`` on ``part``; of a calibrated regression ``coverage_90``, too: the share of
    targets within the interval that should hold 90 %.
    """
    answers, targets = _predictions(model, part), jnp.asarray(part.targets)
    measures = METRICS[model.description.head]
    values = {name: float(metric.function(answers, targets)) for name, metric in measures.items()}
    noise = model.description.noise_scale
    if noise is not None:
        values["coverage_90"] = calibration.coverage(regression_errors(model, part), np.asarray(noise))
    return values


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
