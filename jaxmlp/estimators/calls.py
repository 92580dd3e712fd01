"""What a call of an estimator's method draws, and what it says."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from jaxmlp import checks
from jaxmlp.runtime.console import collect_warnings

RandomState = int | np.random.RandomState | None


@contextmanager
def python_warnings(verbose: int) -> Iterator[None]:
    """Within it nothing is said, and afterwards what could make a result surprising, as Python's warnings;
    with ``verbose`` all is said on the screen as elsewhere.
    """
    if verbose:
        yield
        return
    with collect_warnings() as collected:
        yield
    for message in collected:
        # Of whoever called the method that entered this.
        warnings.warn(message, stacklevel=4)


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Within it, an error leaves the estimator as it was: classes of a fit that failed do not belong to the
    model of one before.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def as_seed(random_state: RandomState) -> int:
    """A whole number as it is, which is the ``seed`` of the function beneath; otherwise one that is drawn."""
    if isinstance(random_state, int | np.integer):
        return checks.integer("random_state", random_state, at_least=0)
    return int(check_random_state(random_state).randint(2**31 - 1))
