"""Ranges instead of values: one grammar for them, and what a member of a sweep is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxmlp import checks
from jaxmlp.nn import mlp
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.nn.parametrization import PARAMETRIZATIONS
from jaxmlp.train import optimizers
from jaxmlp.types import Hyperparams, InputError


@dataclass(frozen=True)
class Range:
    """Every number from ``low`` to ``high``, evenly spread, or evenly in the logarithm."""

    low: float | int
    high: float | int
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of ``values``, each as likely as the others; of a single value, that one."""

    values: tuple[Any, ...]


Distribution = Range | Choice
Space = Mapping[str, Any]
"""Name of a hyperparameter or of a part of the structure -> what it may be: a Range, a Choice, a constant,
several values, or what ``parse`` reads."""


class Structure(NamedTuple):
    """What shapes a program: members of one structure differ in numbers alone, and train as one."""

    network: NetworkSpec
    optimizer: str


class Member(NamedTuple):
    """One setting of a sweep; its initial weights and dropout are those of ``seed_keys([seed])``."""

    structure: Structure
    hyperparams: Hyperparams
    seed: int


_NAMED = ("activation", "optimizer", "embedding", "parametrization")
STRUCTURAL = ("hidden_sizes", "depth", *_NAMED)
"""``depth`` hidden layers of ``hidden_sizes`` neurons each."""
EMBEDDINGS = ("none", "periodic")
NAMES = (*STRUCTURAL, *(name for name in Hyperparams._fields if name != "num_steps"))
PLAIN_STRUCTURE: Mapping[str, Choice] = {
    "hidden_sizes": Choice((64,)),
    "depth": Choice((1,)),
    "activation": Choice(("relu",)),
    "optimizer": Choice(("adamw",)),
    "embedding": Choice(("none",)),
    "parametrization": Choice(("standard",)),
}
"""What a Space leaves open."""


def parse(name: str, text: str) -> Distribution:
    """What ``text`` says: ``low:high``, ``low:high:log``, ``a,b,c`` or a constant.

    InputError, naming the hyperparameter and the rule, for what cannot be read or drawn from.
    """
    checks.known_name("space", name, NAMES)
    words = [word.strip() for word in text.split(":")]
    if len(words) == 1:
        distribution: Distribution = Choice(tuple(_value(name, word.strip()) for word in text.split(",")))
    elif name not in _NAMED and (len(words) == 2 or (len(words) == 3 and words[2] == "log")):
        distribution = Range(_number(name, words[0]), _number(name, words[1]), log=len(words) == 3)
    else:
        rule = "names, a,b,c" if name in _NAMED else "low:high, low:high:log, a,b,c or a constant"
        raise InputError(f"{name}: must be {rule}, got {text!r}")
    check_distribution(name, distribution)
    return distribution


def as_distribution(name: str, value: Any) -> Distribution:
    """What ``value`` in a Space says. InputError for what nothing can be drawn from."""
    if isinstance(value, str):
        return parse(name, value)
    if not isinstance(value, Distribution):
        # Those of NumPy as Python's own.
        value = value.tolist() if hasattr(value, "tolist") else value
        value = Choice(tuple(value) if isinstance(value, Iterable) else (value,))
    check_distribution(name, value)
    return value


def check_distribution(name: str, distribution: Distribution) -> None:
    """InputError unless ``name`` is known, and every value it may have keeps its rule."""
    checks.known_name("space", name, NAMES)
    if isinstance(distribution, Range):
        low, high = distribution.low, distribution.high
        if name in _NAMED:
            raise InputError(f"{name}: must be names, a,b,c, got the range {low}:{high}")
        for end in (low, high):
            _check_value(name, end)
        if not low < high:
            raise InputError(f"{name}: a range must rise from low to high, got {low}:{high}")
        if distribution.log and low <= 0:
            raise InputError(f"{name}: a range in the logarithm must begin above 0, got {low}:{high}:log")
    else:
        checks.each(name, distribution.values, lambda _, value: _check_value(name, value))


def _value(name: str, word: str) -> Any:
    return word if name in _NAMED else _number(name, word)


def _number(name: str, word: str) -> float | int:
    try:
        number = float(word)
    except ValueError:
        raise InputError(f"{name}: must be a number, low:high, low:high:log or a,b,c; got {word!r}") from None
    return int(number) if number.is_integer() and name in ("hidden_sizes", "depth") else number


def _check_value(name: str, value: Any) -> None:
    if name == "activation":
        mlp.get_activation(value)
    elif name == "optimizer":
        optimizers.get_recipe(value)
    elif name == "embedding":
        checks.known_name(name, value, EMBEDDINGS)
    elif name == "parametrization":
        checks.known_name(name, value, PARAMETRIZATIONS)
    elif name in ("hidden_sizes", "depth"):
        checks.integer(name, value, at_least=1 if name == "hidden_sizes" else 0)
    elif value is None or np.ndim(value) > 0:
        raise InputError(f"{name}: must be a number, got {value!r}")
    else:
        checks.hyperparams(Hyperparams(**{name: value}))


def member_columns(members: Sequence[Member]) -> dict[str, list[Any]]:
    """Each part of the structure and each hyperparameter that all members have, one value for each member."""
    found: dict[str, list[Any]] = {
        "hidden_sizes": [max(member.structure.network.hidden_sizes, default=0) for member in members],
        "depth": [len(member.structure.network.hidden_sizes) for member in members],
        "activation": [member.structure.network.activation for member in members],
        "optimizer": [member.structure.optimizer for member in members],
        "embedding": [EMBEDDINGS[bool(member.structure.network.embedding)] for member in members],
        "parametrization": [member.structure.network.parametrization for member in members],
    }
    for name in Hyperparams._fields:
        values = [getattr(member.hyperparams, name) for member in members]
        if None not in values:
            found[name] = values
    return found


def group_by_structure(members: Sequence[Member]) -> dict[Structure, list[int]]:
    """The members of each structure, which one program can train."""
    grouped: dict[Structure, list[int]] = {}
    for index, member in enumerate(members):
        grouped.setdefault(member.structure, []).append(index)
    return grouped
