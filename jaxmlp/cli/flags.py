"""The flags of a search: ranges, and how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

import jaxmlp
from jaxmlp import checks
from jaxmlp.data.splits import Splits
from jaxmlp.runtime.devices import make_mesh
from jaxmlp.sweep import space
from jaxmlp.train.schedules import SCHEDULES

if TYPE_CHECKING:
    from jaxmlp.sweep.search import Plan


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

    learning_rate: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the step size."""
    weight_decay: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the decoupled weight decay."""
    momentum: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the decay rate of the gradient's running mean."""
    b2: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the decay rate of the squared gradient's running mean."""
    clip_norm: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the largest gradient norm."""
    max_norm: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the largest norm of a neuron's incoming weights."""
    dropout: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the share of hidden neurons dropped in each step."""
    input_dropout: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the share of inputs dropped in each step."""
    label_smoothing: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the share of the target's probability spread over all classes."""
    initial_scale: Annotated[str | None, default("none", "RANGE")] = None
    """Range of the factor on the initial weights."""
    frequency_scale: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the spread of an embedding's initial frequencies."""
    hidden_sizes: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the neurons in each hidden layer, rounded to factors of about 2."""
    depth: Annotated[str | None, default("suits the data", "RANGE")] = None
    """Range of the number of hidden layers."""
    activation: Annotated[str | None, default("suits the data", "NAMES")] = None
    """Activations of jax.nn."""
    optimizer: Annotated[str | None, default("adam", "NAMES")] = None
    """Optimizers of optax."""
    embedding: Annotated[str | None, default("periodic for a table", "NAMES")] = None
    """Whether numbers are also seen as waves: none, periodic."""
    parametrization: Annotated[str | None, default("ntk for a table", "NAMES")] = None
    """What is trained: standard, ntk."""
    deformation: Annotated[str | None, default("0, a half and one for images", "RANGE")] = None
    """How far training images are turned, scaled, moved and bent at random, in times what suits handwriting;
    0 leaves them as they are."""
    num_members: Annotated[int | None, default("3 to 8, or 16 with ranges of your own", "INT")] = None
    """Settings to train, each with a network for each fold."""
    num_folds: Annotated[int | None, default("4, or none of many examples", "INT")] = None
    """Parts of the data, each of which some networks do not learn from."""
    num_epochs: Annotated[int | None, default("suits the size of the data", "INT")] = None
    """Passes of those who are never cut."""
    search: Literal["sobol", "random", "grid"] = "sobol"
    """How settings are drawn: evenly spread, at random, or all combinations."""
    max_programs: int = 8
    """Different structures (width, depth, activation, optimizer, …), each of which is compiled."""
    halving: Annotated[int | None, default("2 of images, 3 with ranges of your own", "INT")] = None
    """At each rung one member in so many goes on, for so many times as long; 1 trains all to the end."""
    schedule: Annotated[str | None, default("cycles for a table, otherwise warmup_cosine", "NAME")] = None
    """How the learning rate changes over the run: constant, cosine, warmup_cosine, one_cycle or cycles."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in training; parameters are float32 in any case."""
    batch_size: Annotated[int | None, default("suits the size of the data", "INT")] = None
    """Examples per step."""
    data_bytes: Annotated[int | None, default("half its memory", "INT")] = None
    """Training data of more than this reach the device in parts."""
    max_ensemble: int = 20
    """Votes in the ensemble; a candidate may have several."""
    max_candidates: Annotated[int | None, default("as many as help; 4 or 8 of images", "INT")] = None
    """Different ones in the ensemble, each with a network for each fold."""
    num_snapshots: int = 0
    """Moments of the training that are kept beside the model; its page then has a slider through them."""
    time_budget: Annotated[float | None, default("none", "MINUTES")] = None
    """Minutes after which nothing more is begun; the epochs are fitted into them."""
    validation_fraction: float = 0.1
    """Share of the training data kept aside to choose on, where there are no folds."""


def check_flags(flags: SearchFlags) -> dict[str, space.Distribution]:
    """The ranges of the flags; every rule that needs no data is asked here."""
    names = "num_epochs", "batch_size", "data_bytes", "num_members", "num_folds", "halving"
    for name in (*names, "max_programs", "max_ensemble", "max_candidates"):
        checks.integer(name, 1 if getattr(flags, name) is None else getattr(flags, name))
    checks.integer("num_snapshots", flags.num_snapshots, at_least=0)
    if flags.time_budget is not None:
        checks.positive("time_budget", flags.time_budget)
    if flags.schedule is not None:
        checks.known_name("schedule", flags.schedule, SCHEDULES)
    given = {n: text for n in space.NAMES if (text := getattr(flags, n, None)) is not None}
    return {name: space.parse(name, text) for name, text in given.items()}


def plan_of(
    flags: SearchFlags, splits: Splits, ranges: Mapping[str, Any], seed: int, mesh: str | None
) -> "Plan":
    """What is trained; of ``mesh`` as ``make_mesh`` reads it."""
    names = "batch_size", "schedule", "max_candidates", "num_epochs"
    given = {name: value for name in names if (value := getattr(flags, name)) is not None}
    if flags.halving is not None:
        given["halving"] = flags.halving if flags.halving > 1 else None
    return jaxmlp.plan_search(
        splits,
        ranges or None,
        num_members=flags.num_members,
        num_folds=flags.num_folds,
        method=flags.search,
        max_programs=flags.max_programs,
        precision=flags.precision,
        max_ensemble=flags.max_ensemble,
        data_bytes=flags.data_bytes,
        num_snapshots=flags.num_snapshots,
        seed=seed,
        mesh=make_mesh(mesh, num_members=flags.num_members or 4),
        time_budget=None if flags.time_budget is None else 60 * flags.time_budget,
        **given,
    )
