"""Rows that networks have not learnt from, and what these say of them: what a report's figures are of."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxmlp.types import ClassName, InputError

_SMALLEST = np.finfo(np.float32).tiny


class Judged(NamedTuple):
    """Rows, what is true of them and what was predicted."""

    class_names: tuple[ClassName, ...]
    inputs: Shaped[np.ndarray, "rows ..."]
    """As the splits have them."""
    targets: Shaped[np.ndarray, "rows ..."]
    """Labels, or values, [rows, outputs]."""
    predictions: Float[np.ndarray, "rows outputs"]
    """Probabilities of all classes, or values."""
    weights: Float[np.ndarray, " rows"]
    positive: int = 1
    """Of two classes, the label of the one that is looked for: the rarer."""
    groups: Int[np.ndarray, " rows"] | None = None
    """Of rows that may be alike."""
    decided: Int[np.ndarray, " rows"] | None = None
    """The class that each row is taken for, where that is not the likeliest one."""

    @property
    def labels(self) -> Int[np.ndarray, " rows"]:
        """The class that each row is taken for."""
        return self.predictions.argmax(axis=1) if self.decided is None else self.decided

    def take(self, rows: Shaped[np.ndarray, " chosen"]) -> "Judged":
        """Some of the rows."""
        names = "inputs", "targets", "predictions", "weights", "groups", "decided"
        own = {name: values for name in names if (values := getattr(self, name)) is not None}
        return self._replace(**{name: values[rows] for name, values in own.items()})


def row_losses(judged: Judged, predictions: Float[np.ndarray, "rows outputs"]) -> Float[np.ndarray, " rows"]:
    """What each row costs with these predictions: the cross-entropy in nats, or the squared error in shares
    of the variance of the rows that count, so that its mean is 1 − R²; of several targets the mean over those
    that differ. InputError where none does.
    """
    targets, own = judged.targets, judged.targets[judged.weights > 0]
    if judged.class_names:
        return -np.log(np.maximum(predictions[np.arange(len(targets)), targets], _SMALLEST))
    differ = np.ptp(own, axis=0) > 0
    if not differ.any():
        raise InputError(f"targets: are the same in all {len(own)} rows, of which nothing can be explained")
    middle = np.average(targets, axis=0, weights=judged.weights)
    variance = np.average(np.square(targets - middle), axis=0, weights=judged.weights)
    return np.mean((np.square(predictions - targets) / np.where(differ, variance, 1))[:, differ], axis=1)
