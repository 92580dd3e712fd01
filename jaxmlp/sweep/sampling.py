"""The members that a sweep draws from ranges: evenly spread, at random, or all combinations."""

import math
from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmlp import checks
from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.sweep.space import (
    NAMES,
    PLAIN_STRUCTURE,
    STRUCTURAL,
    Choice,
    Distribution,
    Member,
    Range,
    Space,
    Structure,
    as_distribution,
)
from jaxmlp.train import optimizers
from jaxmlp.types import Hyperparams, InputError

# A constant 0 of these changes nothing but would still be computed.
_ABSENT_AT_ZERO = ("weight_decay", "dropout", "input_dropout", "label_smoothing", "deformation")
METHODS = ("sobol", "random", "grid")


def draw_members(
    space: Space,
    num_members: int,
    *,
    method: str = "sobol",
    max_programs: int = 8,
    seed: int = 0,
    embedding: EmbeddingSpec | None = None,
) -> list[Member]:
    """``num_members`` settings, in groups of one structure each, of which there are at most ``max_programs``.

    ``method`` is "sobol" (quasi-random: evenly spread in all dimensions at once; Sobol 1967), "random", or
    "grid": every combination of the space's choices, widths and depths, other ranges at their two ends; then
    there must be ``num_members`` combinations at most. Widths of a range lie on a grid of factors of about 2.

    A structure that ``space`` leaves open is that of PLAIN_STRUCTURE, hyperparameters not in it are absent,
    and the learning rate comes from the range of the member's optimizer. ``embedding`` is what "periodic"
    means for the data. Raises InputError.
    """
    checks.integer("num_members", num_members)
    checks.integer("max_programs", max_programs)
    checks.integer("seed", seed, at_least=0)
    checks.known_name("method", method, METHODS)
    given = {name: as_distribution(name, value) for name, value in space.items()}
    space = {**PLAIN_STRUCTURE, **given}
    if method == "grid":
        return _grid(space, num_members, max_programs, seed, embedding)
    num_structures = min(num_members, max_programs)
    structures = draw_structures(space, num_structures, method, seed, embedding)
    points = _unit_points(num_members, len(swept_hyperparams(space)), method, seed + 1)
    # Neighbours in the sequence are what is evenly spread, so they share a structure.
    return [
        member_at(
            space,
            structures[index * len(structures) // num_members],
            point,
            _member_seed(seed, num_members, index),
        )
        for index, point in enumerate(points)
    ]


def _member_seed(seed: int, num_members: int, index: int) -> int:
    """Another one for each member and for sweeps of other seeds, as far as a device's whole numbers count."""
    return (seed * num_members + index) % 2**31


def swept_hyperparams(space: Space) -> list[str]:
    """The hyperparameters that differ between members of one structure."""
    return [name for name in NAMES if name == "learning_rate" or (name in space and name not in STRUCTURAL)]


def member_at(space: Space, structure: Structure, point: Iterable[float | np.floating], seed: int) -> Member:
    """The member whose hyperparameters lie at ``point``, one share in [0, 1) for each of the dimensions."""
    ranges = {"learning_rate": _learning_rates(structure.optimizer)} | dict(space)
    values = {
        name: _quantile(ranges[name], u) for name, u in zip(swept_hyperparams(space), point, strict=True)
    }
    return Member(structure, _hyperparams(space, values, structure), seed)


def width_grid(distribution: Range) -> tuple[int, ...]:
    """The widths of a range that a layer may have, and the depths of one in the logarithm: a short geometric
    grid.
    """
    low, high = distribution.low, distribution.high
    num_widths = 1 + max(1, round(math.log2(high / low)))
    return tuple(dict.fromkeys(np.geomspace(low, high, num_widths).round().astype(int).tolist()))


def draw_structures(
    space: Space, num_structures: int, method: str, seed: int, embedding: EmbeddingSpec | None
) -> list[Structure]:
    """Different structures, as many as asked for or as a few hundred draws come upon."""
    points = _unit_points(64 * num_structures, len(STRUCTURAL), method, seed)
    levels = [_levels(space, name) for name in STRUCTURAL]
    drawn = (
        _structure(embedding, *(_quantile(level, u) for level, u in zip(levels, point, strict=True)))
        for point in points
    )
    return list(dict.fromkeys(drawn))[:num_structures]


def _grid(
    space: Space, num_members: int, max_programs: int, seed: int, embedding: EmbeddingSpec | None
) -> list[Member]:
    levels = {name: _levels(space, name).values for name in NAMES if name in space}
    parts = product(*map(levels.pop, STRUCTURAL))
    structures = dict.fromkeys(_structure(embedding, *each) for each in parts)
    if len(structures) > max_programs:
        raise InputError(
            f"max_programs: the grid has {len(structures)} structures, and {max_programs} are allowed; "
            "raise it or name fewer widths, depths, activations and optimizers"
        )
    own = {s: {"learning_rate": _ends(_learning_rates(s.optimizer))} | levels for s in structures}
    num_settings = sum(math.prod(map(len, values.values())) for values in own.values())
    if num_settings > num_members:
        raise InputError(
            f"num_members: the grid has {num_settings} settings, and {num_members} are allowed; "
            "raise it or name fewer values"
        )
    combinations = [
        (structure, dict(zip(values, numbers, strict=True)))
        for structure, values in own.items()
        for numbers in product(*values.values())
    ]
    return [
        Member(structure, _hyperparams(space, numbers, structure), _member_seed(seed, num_members, index))
        for index, (structure, numbers) in enumerate(combinations)
    ]


def _structure(
    embedding: EmbeddingSpec | None,
    width: int,
    depth: int,
    activation: str,
    optimizer: str,
    embedded: str,
    parametrization: str,
) -> Structure:
    spec = NetworkSpec(
        (int(width),) * int(depth), activation, embedding if embedded == "periodic" else None, parametrization
    )
    return Structure(spec, optimizer)


def _levels(space: Space, name: str) -> Choice:
    """The values that ``name`` can have where it must be one of a few."""
    distribution = space[name]
    if isinstance(distribution, Choice):
        return distribution
    if name == "hidden_sizes" or (name == "depth" and distribution.log):
        return Choice(width_grid(distribution))
    if name == "depth":
        return Choice(tuple(range(int(distribution.low), int(distribution.high) + 1)))
    return Choice(_ends(distribution))


def _ends(distribution: Range) -> tuple[float, float]:
    return float(distribution.low), float(distribution.high)


def _learning_rates(optimizer: str) -> Range:
    recipe = optimizers.get_recipe(optimizer)
    return Range(recipe.low, recipe.high, log=True)


def _hyperparams(space: Space, values: dict[str, Any], structure: Structure) -> Hyperparams:
    absent = [name for name in _ABSENT_AT_ZERO if space.get(name) == Choice((0,))]
    absent += ["frequency_scale"] * (structure.network.embedding is None)
    return Hyperparams(**{name: float(v) for name, v in values.items() if name not in absent})


def _quantile(distribution: Distribution, u: float | np.floating) -> Any:
    """The value below which a share ``u`` in [0, 1) of the distribution lies."""
    if isinstance(distribution, Choice):
        return distribution.values[int(u * len(distribution.values))]
    low, high = distribution.low, distribution.high
    if distribution.log:
        return float(low * (high / low) ** u)
    return float(low + (high - low) * u)


def _unit_points(
    num_points: int, num_dimensions: int, method: str, seed: int
) -> Float[np.ndarray, "points dims"]:
    if method == "random":
        return np.random.default_rng(seed).random((num_points, num_dimensions))
    from scipy.stats import qmc

    # Whole powers of two are what the sequence balances.
    exponent = math.ceil(math.log2(num_points))
    return qmc.Sobol(num_dimensions, rng=seed).random_base2(exponent)[:num_points]
