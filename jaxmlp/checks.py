"""Guards: each raises InputError, which names the argument, the rule and the value received."""

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from jaxmlp.types import AnyArray, ClassName, Dataset, Hyperparams, InputError, PyTree

# As far as a device's whole numbers count.
_LARGEST = 2**31 - 1
_MOST_NAMES = 60
"""Of those known, so many are listed; a table may have thousands."""


def of_type(argument: str, value: Any, *types: type) -> None:
    """``value`` is of one of these."""
    if not isinstance(value, types):
        names = " or ".join("None" if one is type(None) else one.__name__ for one in types)
        raise InputError(f"{argument}: must be of the type {names}, got {_shown(value)}")


def known_name(argument: str, name: str, known: Iterable[str]) -> str:
    """``name`` if it is one of ``known``; otherwise the error suggests the nearest."""
    known = sorted(known)
    if name in known:
        return name
    nearest = nearest_name(str(name), known)
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known[:_MOST_NAMES])}{more}"
    raise InputError(f"{argument}: unknown name {_shown(name)}; {hint}")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The one that may have been meant; letters of the other case are no difference."""
    small = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold(), small, n=1)
    return small[found[0]] if found else None


def integer(argument: str, value: Any, at_least: int = 1) -> int:
    """``value`` as an int, if it is a whole number of at least ``at_least`` that a device can count to."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise InputError(f"{argument}: must be a whole number of at least {at_least}, got {_shown(value)}")
    if int(value) > _LARGEST:
        raise InputError(f"{argument}: must be at most {_LARGEST}, got {_shown(value)}")
    return int(value)


def each(argument: str, values: Iterable[Any], rule: Callable[[str, Any], Any]) -> None:
    """At least one value, and every one keeps ``rule``."""
    values = list(values)
    if not values:
        raise InputError(f"{argument}: must hold at least one value, got none")
    for value in values:
        rule(argument, value)


def positive(argument: str, value: Any) -> float:
    """``value`` as a float, if it is a finite number above 0."""
    return _number(argument, value, lambda x: x > 0, "a finite number above 0")


def at_least_zero(argument: str, value: Any) -> float:
    """``value`` as a float, if it is a finite number of at least 0."""
    return _number(argument, value, lambda x: x >= 0, "a finite number of at least 0")


def fraction(argument: str, value: Any) -> float:
    """``value`` as a float, if it lies in [0, 1)."""
    return _number(argument, value, lambda x: 0 <= x < 1, "at least 0 and below 1")


def _number(argument: str, value: Any, keeps: Callable[[Any], bool], rule: str) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and keeps(value)):
        raise InputError(f"{argument}: must be {rule}, got {_shown(value)}")
    return float(value)


def class_names(argument: str, names: Iterable[Any]) -> tuple[ClassName, ...]:
    """The names with NumPy's scalars as Python's, if all can be told apart when they are written."""
    of_type(argument, names, Iterable)
    bare = tuple(name.item() if isinstance(name, np.generic) else name for name in names)
    for name in bare:
        if not isinstance(name, ClassName) or (isinstance(name, float) and not math.isfinite(name)):
            raise InputError(f"{argument}: must be text, finite numbers or truth values, got {_shown(name)}")
        if isinstance(name, int) and not -(2**63) <= name < 2**64:
            raise InputError(
                f"{argument}: whole numbers must fit into 64 bits, got {_shown(name)}; make them texts"
            )
    for text, count in Counter(map(str, bare)).items():
        if count > 1:
            raise InputError(f"{argument}: must differ as they are written, got {text!r:.80} {count} times")
    return bare


def first_line(error: Exception) -> str:
    """What another library's error says, short enough to stand within a line of ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _shown(value: Any) -> str:
    """The value on one line, as far as it goes there."""
    line = " ".join(map(str.strip, repr(value).splitlines()))
    return line if len(line) <= 80 else f"{line[:79]}…"


_HYPERPARAMS = {
    "learning_rate": positive,
    "weight_decay": at_least_zero,
    "momentum": fraction,
    "clip_norm": positive,
    "max_norm": positive,
    "dropout": fraction,
    "input_dropout": fraction,
    "label_smoothing": fraction,
    "initial_scale": positive,
    "frequency_scale": positive,
    "b2": fraction,
    "deformation": at_least_zero,
    "num_steps": positive,
}


def as_hyperparams(values: Any) -> Hyperparams:
    """A mapping of names to numbers as Hyperparams."""
    if isinstance(values, Mapping):
        for name in values:
            known_name("hyperparams", name, Hyperparams._fields)
        return Hyperparams(**values)
    if not hasattr(values, "_asdict"):
        raise InputError(
            f"hyperparams: must be Hyperparams or a mapping of their names, got {_shown(values)}"
        )
    return values


def as_dataset(argument: str, data: Any) -> Dataset:
    """A tuple of inputs, targets and, if need be, weights as a Dataset of arrays."""
    if not isinstance(data, tuple) or len(data) not in (2, 3):
        raise InputError(f"{argument}: must be a Dataset or a tuple (inputs, targets), got {type(data)}")
    named = zip(Dataset._fields, data, strict=False)
    return Dataset(*(_as_array(f"{argument} {name}", values) for name, values in named))


def _as_array(argument: str, values: Any) -> Any:
    """Rows of numbers as an array; an array, and None, stay as they are."""
    if values is None or hasattr(values, "dtype"):
        return values
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{argument}: rows must have one shape; {first_line(error)}") from None
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise InputError(f"{argument}: must be an array of real numbers, got {_shown(values)}")
    return array


def hyperparams(values: PyTree) -> None:
    """The rule of each field of Hyperparams, for every member of a population; other pytrees pass."""
    named = values if isinstance(values, Mapping) else getattr(values, "_asdict", dict)()
    for name, value in named.items():
        if name in _HYPERPARAMS and value is not None:
            for number in np.ravel(np.asarray(value)).tolist():
                _HYPERPARAMS[name](name, number)


def dataset_shapes(dataset: Dataset, batch_size: int) -> None:
    """Some examples, as many inputs as targets (and weights), and at least one whole batch."""
    num_examples = len(dataset.inputs)
    if num_examples == 0:
        raise InputError("inputs: must hold at least one example, got none")
    counts = {"targets": len(dataset.targets)}
    if dataset.weights is not None:
        # Of each fold there may be others.
        counts["weights"] = dataset.weights.shape[-1]
    for name, count in counts.items():
        if count != num_examples:
            raise InputError(f"{name}: must be as many as the {num_examples} inputs, got {count}")
    if batch_size > num_examples:
        raise InputError(
            f"batch_size: must be at most the {num_examples} training examples, got {batch_size}"
        )


def weights(argument: str, values: AnyArray) -> None:
    """Finite numbers of at least 0, not all of them 0; of several folds along the last axis."""
    by_example = np.moveaxis(np.asarray(values), -1, 0)
    finite(argument, by_example)
    if (by_example < 0).any():
        example, *fold = np.argwhere(by_example < 0)[0]
        raise InputError(
            f"{argument}: must be at least 0, got {by_example[example, *fold]} in example {example}"
        )
    if not (by_example > 0).any(axis=0).all():
        raise InputError(f"{argument}: at least one must be above 0, got only zeros")


def finite(argument: str, values: AnyArray) -> None:
    """No NaN and no infinity; the error names the first example that has one."""
    if np.issubdtype(values.dtype, np.inexact) and (bad := ~np.isfinite(values)).any():
        raise InputError(
            f"{argument}: must be finite, got {int(bad.sum())} NaN or infinite values, first in example "
            f"{int(np.argwhere(bad)[0][0])}"
        )


def fit_arguments(
    dataset: Dataset, validation: Dataset, settings: PyTree, num_epochs: int, patience: int | None
) -> None:
    """Data and hyperparameters that a run can be made of."""
    integer("num_epochs", num_epochs)
    if patience is not None:
        integer("patience", patience)
    hyperparams(settings)
    if not len(validation.inputs):
        raise InputError(
            "validation: must have an example at least, to choose an epoch by; give some, or a "
            "validation_fraction above 0"
        )
    for name, part in {"training": dataset, "validation": validation}.items():
        finite(f"{name} inputs", part.inputs)
        finite(f"{name} targets", part.targets)
        if part.weights is not None:
            weights(f"{name} weights", part.weights)
