"""What a network of images reads right of all that it is tried on, as it is and without some of its parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Integer, Shaped

from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.prediction import predict
from jaxmlp.types import Layer


def measure_effects(
    model: Model,
    images: Shaped[np.ndarray, "n ..."],
    labels: Integer[np.ndarray, " n"],
    neurons: Mapping[str, Any],
) -> dict[str, float] | None:
    """The share of the ``images`` read right by the "whole" network, without the neurons of its first layer
    that are most like "strokes" or most like "static", of which ``describe_neurons`` tells how many, and with
    all activations "linear". None for several networks, or one without hidden neurons.
    """
    if len(model.networks) > 1 or len(model.networks[0]) == 1:
        return None
    (looks,), (number,) = neurons["autocorrelation"], neurons["num_strokes"]
    by_look = sorted((value, place) for place, value in enumerate(looks) if value is not None)
    order = [place for _, place in by_look]
    variants = {
        "whole": model,
        "strokes": _without(model, order[-number:]),
        "static": _without(model, order[:number]),
        "linear": _without_activations(model),
    }
    return {name: float(np.mean(predict(one, images) == labels)) for name, one in variants.items()}


def _without(model: Model, units: Sequence[int]) -> Model:
    """The model with these neurons of the first layer off: nothing of them reaches the next one."""
    first, second, *rest = model.networks[0]
    weight = jnp.asarray(second[0]).at[np.array(units, int)].set(0)
    return model._replace(networks=((first, Layer(weight, second[1]), *rest),))


def _without_activations(model: Model) -> Model:
    (saved,) = model.spec.networks
    layers = tuple(msgspec.structs.replace(layer, activation="identity") for layer in saved.dense)
    return with_spec(model, networks=(msgspec.structs.replace(saved, layers=layers),))
