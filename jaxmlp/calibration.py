"""How sure a model may be: fitted on validation data, measured on others."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmlp import ensemble, models
from jaxmlp.metrics import METRICS
from jaxmlp.models import Model
from jaxmlp.types import Dataset


def calibrated(model: Model, validation: Dataset) -> Model:
    """The model with the temperature, or for a regression the noise scale, that fits ``validation``."""
    if model.description.head == "regression":
        errors = regression_errors(model, validation)
        scale = np.sqrt(np.mean(np.square(errors), axis=0))
        return described(model, noise_scale=tuple(scale.tolist()))
    raw = models.probabilities(described(model, temperature=1.0), validation.inputs)
    return described(model, temperature=ensemble.fit_temperature(raw, np.asarray(validation.targets)))


def measure(model: Model, part: Dataset) -> dict[str, float]:
    """Each measure of ``METRICS`` on ``part``; of a calibrated regression ``coverage_90``, too: the share of
    targets within the interval that should hold 90 %.
    """
    head = model.description.head
    if head == "regression":
        shown = jnp.asarray(models.predict(model, part.inputs).reshape(len(part.inputs), -1))
    else:
        shown = jnp.log(jnp.asarray(models.probabilities(model, part.inputs)))
    targets = jnp.asarray(part.targets)
    values = {name: float(metric.function(shown, targets)) for name, metric in METRICS[head].items()}
    noise = model.description.noise_scale
    if noise is not None:
        values["coverage_90"] = ensemble.coverage(regression_errors(model, part), np.asarray(noise))
    return values


def regression_errors(model: Model, part: Dataset) -> np.ndarray:
    """Prediction minus target, [examples, outputs], in the targets' unit."""
    targets = np.asarray(part.targets, float).reshape(len(part.targets), -1)
    return models.predict(model, part.inputs).reshape(targets.shape) - targets


def described(model: Model, **changes: Any) -> Model:
    """The model with ``changes`` to its description."""
    return model._replace(description=model.description._replace(**changes))
