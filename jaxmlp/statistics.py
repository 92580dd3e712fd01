"""What several seeds say together: a mean, how well it is known, and an interval for it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxmlp.types import InputError


class Summary(NamedTuple):
    """The mean of ``n`` independent values, in their unit.

    ``standard_error`` is sd/√n with the sample's standard deviation (divisor n − 1); ``interval`` is the
    95 % Student-t interval for the mean. One value says nothing about spread: both are then None.
    """

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    n: int


def summarize(values: Sequence[float]) -> Summary:
    """The Summary of ``values``, one per seed; a value that is not finite makes its numbers nan or infinite.

    InputError if there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.size
    if n == 0:
        raise InputError("values: must hold at least one number, got none")
    if n == 1:
        return Summary(float(sample[0]), None, None, n)
    with np.errstate(invalid="ignore"):
        mean, error = float(sample.mean()), float(sample.std(ddof=1)) / math.sqrt(n)
    margin = _student_t_quantile(0.975, n - 1) * error
    return Summary(mean, error, (mean - margin, mean + margin), n)


def _student_t_quantile(probability: float, degrees_of_freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(probability, degrees_of_freedom))
