"""The flags of a search: ranges, and how it is run."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from jaxmlp import checks
from jaxmlp.runtime.devices import make_mesh
from jaxmlp.sweep import sampling, space


def default(text: str, metavar: str | None = None) -> Any:
    """How the help calls a default that is no plain value, and what may be given instead."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {text})" if text else "", metavar=metavar)


Switch = Annotated[bool, default("")]
"""A flag that is off unless it is there."""


@dataclass(frozen=True)
class TextFlags:
    """How a text file is written."""

    separator: Annotated[str | None, default("found by looking", "TEXT")] = None
    """What stands between the cells of a text file."""
    encoding: Annotated[str | None, default("found by looking", "NAME")] = None
    """How a text file's letters are stored, as utf-8 or cp1252."""


@dataclass(frozen=True)
class SearchFlags:
    """What is searched, and how."""

    learning_rate: Annotated[str | None, default("the optimizer's own", "RANGE")] = None
    """Range of the step size."""
    weight_decay: Annotated[str | None, default("1e-6:1e-1:log", "RANGE")] = None
    """Range of the decoupled weight decay."""
    momentum: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the decay rate of the gradient's running mean."""
    clip_norm: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the largest gradient norm."""
    max_norm: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the largest norm of a neuron's incoming weights."""
    dropout: Annotated[str | None, default("0:0.5", "RANGE")] = None
    """Range of the share of hidden neurons dropped in each step."""
    input_dropout: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the share of inputs dropped in each step."""
    label_smoothing: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the share of the target's probability spread over all classes."""
    initial_scale: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the factor on the initial weights."""
    hidden_sizes: Annotated[str | None, default("64:512:log", "RANGE")] = None
    """Range of the neurons in each hidden layer, rounded to factors of about 2."""
    depth: Annotated[str | None, default("1:3", "RANGE")] = None
    """Range of the number of hidden layers."""
    activation: Annotated[str | None, default("relu,gelu,silu", "NAMES")] = None
    """Activations of jax.nn."""
    optimizer: Annotated[str | None, default("adamw,nadamw", "NAMES")] = None
    """Optimizers of optax."""
    num_members: int = 64
    """Networks to train."""
    num_epochs: Annotated[int | None, default("20, or more for a small data set", "INT")] = None
    """Passes of those who are never cut."""
    search: Literal["sobol", "random", "grid"] = "sobol"
    """How settings are drawn: evenly spread, at random, or all combinations."""
    max_programs: int = 8
    """Different structures (width, depth, activation, optimizer), each of which is compiled."""
    halving: int = 3
    """At each rung one member in so many goes on, for so many times as long; 1 trains all to the end."""
    schedule: str = "constant"
    """How the learning rate changes over the run: constant, cosine, warmup_cosine, one_cycle or cycles."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in training; parameters are float32 in any case."""
    batch_size: Annotated[int | None, default("128, or fewer for a small data set", "INT")] = None
    """Examples per step."""
    data_bytes: Annotated[int | None, default("half its memory", "INT")] = None
    """Training data of more than this reach the device in parts."""
    max_ensemble: int = 32
    """Votes in the ensemble; a network may have several."""
    time_budget: Annotated[float | None, default("none", "MINUTES")] = None
    """Minutes after which nothing more is begun; the epochs are fitted into them."""
    validation_fraction: float = 0.2
    """Share of the training data kept aside to choose on."""


def check_flags(flags: SearchFlags) -> dict[str, space.Distribution]:
    """The ranges of the flags, over the default ones; every rule that needs no data is asked here."""
    for name in ("num_members", "halving", "max_programs", "max_ensemble"):
        checks.integer(name, getattr(flags, name))
    for name in ("num_epochs", "batch_size", "data_bytes"):
        checks.integer(name, 1 if getattr(flags, name) is None else getattr(flags, name))
    if flags.time_budget is not None:
        checks.positive("time_budget", flags.time_budget)
    given = {n: text for n in space.NAMES if (text := getattr(flags, n, None)) is not None}
    ranges = dict(space.DEFAULT_SPACE) | {name: space.parse(name, text) for name, text in given.items()}
    draw_members(flags, ranges)
    return ranges


def draw_members(
    flags: SearchFlags, ranges: dict[str, space.Distribution], seed: int = 0
) -> list[space.Member]:
    """The members as they will be."""
    return sampling.draw_members(
        ranges, flags.num_members, method=flags.search, max_programs=flags.max_programs, seed=seed
    )


def settings_of(flags: SearchFlags, seed: int, mesh: str | None) -> dict[str, Any]:
    """What ``fit_ensemble`` takes besides data and ranges; of ``mesh`` as ``make_mesh`` reads it."""
    names = "batch_size", "schedule", "precision", "max_ensemble", "data_bytes", "num_epochs"
    return {name: getattr(flags, name) for name in names} | {
        "seed": seed,
        "halving": flags.halving if flags.halving > 1 else None,
        "mesh": make_mesh(mesh, num_members=flags.num_members),
        "time_budget": None if flags.time_budget is None else 60 * flags.time_budget,
    }
