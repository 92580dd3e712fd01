"""Can ranges instead of values be tuned by one program? Every network learning, and a calibrated ensemble.

    python -m experiments.sweep --dataset mnist --learning-rate 1e-4:1e-1:log --optimizer adamw,nadamw
    python -m experiments.sweep --dataset my_table.csv --target bought

draws settings from the ranges, trains all of them in step, cuts those that fall behind, and hands back the
best network and an ensemble, chosen and calibrated on validation data and tested once. A range is low:high,
low:high:log, a,b,c or a constant; what is not given has a good default.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from experiments import receipt
from experiments.command_line import main
from jaxmlp import checks
from jaxmlp.data import sources, tables
from jaxmlp.data.splits import Splits, first_examples
from jaxmlp.models import evaluation
from jaxmlp.models.model import save, with_spec
from jaxmlp.nn.metrics import METRICS
from jaxmlp.plots import charts, classifier, sweeps, weights
from jaxmlp.runtime.devices import make_mesh
from jaxmlp.statistics import format_mean, summarize, verdict
from jaxmlp.sweep import sampling, search, space
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.cost import estimate_cost
from jaxmlp.sweep.halving import rung_epochs
from jaxmlp.sweep.search import SearchResult
from jaxmlp.train.checkpoints import Checkpoints, clear_checkpoints
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(receipt.DeviceConfig):
    """Settings of a sweep; every one has a default that works."""

    num_seeds: int = 1
    """Whole sweeps, each on a split and with draws of its own; several give error bars."""
    dataset: str = "digits"
    """A name (digits, wine, … or any image set of tensorflow-datasets), or a CSV or Parquet file."""
    target: str | None = None
    """The column of the file to predict."""
    task: Literal["binary", "multiclass", "regression"] | None = None
    """Of the file's target (default: inferred from its values)."""
    learning_rate: str | None = None
    """Range of the step size (default: the optimizer's own)."""
    weight_decay: str | None = None
    """Range of the decoupled weight decay (default: 1e-6:1e-1:log)."""
    momentum: str | None = None
    """Range of the decay rate of the gradient's running mean."""
    clip_norm: str | None = None
    """Range of the largest gradient norm."""
    max_norm: str | None = None
    """Range of the largest norm of a neuron's incoming weights."""
    dropout: str | None = None
    """Range of the share of hidden neurons dropped in each step (default: 0:0.5)."""
    input_dropout: str | None = None
    """Range of the share of inputs dropped in each step."""
    label_smoothing: str | None = None
    """Range of the share of the target's probability spread over all classes."""
    initial_scale: str | None = None
    """Range of the factor on the initial weights."""
    hidden_sizes: str | None = None
    """Range of the neurons in each hidden layer, rounded to factors of about 2 (default: 64:512:log)."""
    depth: str | None = None
    """Range of the number of hidden layers (default: 1:3)."""
    activation: str | None = None
    """Activations of jax.nn (default: relu,gelu,silu)."""
    optimizer: str | None = None
    """Optimizers of optax (default: adamw,nadamw)."""
    num_members: int = 64
    """Networks to train."""
    num_epochs: int | None = None
    """Passes of those who are never cut (default: 20, or more for a small data set)."""
    search: Literal["sobol", "random", "grid"] = "sobol"
    """How settings are drawn: evenly spread, at random, or all combinations."""
    max_programs: int = 8
    """Different structures (width, depth, activation, optimizer), each of which is compiled."""
    halving: int = 3
    """At each rung one member in so many goes on, for so many times as long; 1 trains all to the end."""
    schedule: str = "constant"
    """How the learning rate changes over the run: constant, cosine, warmup_cosine or one_cycle."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in training; parameters are float32 in any case."""
    batch_size: int | None = None
    """Examples per step (default: 128, or fewer for a small data set)."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts (default: half its memory)."""
    max_ensemble: int = 32
    """Votes in the ensemble; a network may have several."""
    time_budget: float | None = None
    """Minutes after which nothing more is begun; the epochs are fitted into them."""
    validation_fraction: float = 0.2
    """Share of the training data kept aside to choose on."""


class Outcome(NamedTuple):
    """One whole sweep: its data, and what was found."""

    splits: Splits
    found: SearchResult
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def run(config: Config) -> None:
    """Sweep, test, record, draw and tell."""
    ranges, begun, outcomes = check(config), receipt.begin(config), []
    for seed in receipt.seeds(config):
        checkpoints = receipt.checkpoints(begun, config, f"sweep-{seed}")
        outcomes.append(sweep(config, ranges, seed, checkpoints))
        if outcomes[-1].found.sweep.interrupted:
            print("--resume goes on from here")
            break
        if config.checkpoint_every is None:
            clear_checkpoints(checkpoints)
    first = outcomes[0]
    swept = first.found.sweep
    for name, model in {"model": first.found.ensemble, "best_member": first.found.best}.items():
        save(begun.folder / f"{name}.safetensors", with_spec(model, metrics=first.metrics))
    values = {name: np.array([outcome.metrics[name] for outcome in outcomes]) for name in first.metrics}
    receipt.finish(
        begun,
        config,
        dataset=first.splits.name,
        metrics={name: (value, unit_of(name)) for name, value in values.items()},
        curves={f"member_{name}": rows for name, rows in swept.history.items()},
        tables=tables_of(first),
        seconds={key: sum(o.found.sweep.seconds[key] for o in outcomes) for key in ("compile", "train")},
        notes={"fates": swept.statuses, "best": swept.best, "interrupted": bool(swept.interrupted)},
    )
    draw(begun.folder, first)
    tell(first, values)


def check(config: Config) -> dict[str, space.Distribution]:
    """The ranges of the flags, over the default ones; every rule that needs no data is asked here."""
    for name in ("num_members", "halving", "max_programs", "max_ensemble"):
        checks.integer(name, getattr(config, name))
    for name in ("num_epochs", "batch_size", "data_bytes"):
        checks.integer(name, 1 if getattr(config, name) is None else getattr(config, name))
    if config.time_budget is not None:
        checks.positive("time_budget", config.time_budget)
    given = {name: getattr(config, name) for name in space.NAMES if getattr(config, name) is not None}
    ranges = dict(space.DEFAULT_SPACE) | {name: space.parse(name, text) for name, text in given.items()}
    draw_members(config, ranges)
    if is_file(config) and config.target is None:
        raise InputError("target: name the column of the table that is to be predicted")
    if not is_file(config) and config.target is not None:
        raise InputError(f"target: is for a CSV or Parquet file, but the dataset is {config.dataset!r}")
    return ranges


def is_file(config: Config) -> bool:
    """Whether the data are a table of the user's own."""
    return Path(config.dataset).suffix in (".csv", ".gz", ".bz2", ".zip", ".xz", ".parquet")


def sweep(
    config: Config, ranges: dict[str, space.Distribution], seed: int, checkpoints: Checkpoints
) -> Outcome:
    """One sweep on one split; the test part is read once, at the end."""
    splits = load(config, seed)
    names = "batch_size", "schedule", "precision", "max_ensemble", "data_bytes"
    given = {name: getattr(config, name) for name in names}
    given |= {"seed": seed, "num_epochs": 2 if config.smoke else config.num_epochs}
    given |= {"halving": config.halving if config.halving > 1 else None}
    given |= {"mesh": make_mesh(config.mesh, num_members=config.num_members)}
    given |= {"time_budget": None if config.time_budget is None else 60 * config.time_budget}
    settings = search.make_config(splits, given)
    describe(splits, draw_members(config, ranges, seed), settings)
    found = search.fit_ensemble(
        splits,
        ranges,
        num_members=config.num_members,
        method=config.search,
        max_programs=config.max_programs,
        checkpoints=checkpoints,
        progress=config.progress,
        **given,
    )
    return Outcome(splits, found, measures(found, splits), intervals(found, splits))


def draw_members(config: Config, ranges: dict[str, space.Distribution], seed: int = 0) -> list[space.Member]:
    """The members as they will be."""
    return sampling.draw_members(
        ranges, config.num_members, method=config.search, max_programs=config.max_programs, seed=seed
    )


def load(config: Config, split_seed: int) -> Splits:
    """The data."""
    cut: dict[str, Any] = {"split_seed": split_seed, "validation_fraction": config.validation_fraction}
    if is_file(config):
        splits = tables.read_table(config.dataset, str(config.target), task=config.task, **cut)
    else:
        splits = sources.load_dataset(config.dataset, manual_dir=config.manual_dir, **cut)
    return first_examples(splits, receipt.SMOKE_EXAMPLES) if config.smoke else splits


def describe(splits: Splits, members: list[space.Member], settings: SweepConfig) -> None:
    """The plan, before anything starts."""
    parts = ", ".join(
        f"{len(getattr(splits, part).inputs):,} {part}" for part in ("train", "validation", "test")
    )
    kind = f"{len(splits.class_names)} classes" if splits.class_names else "real values"
    print(f"{splits.name}: {parts} examples, {splits.task} ({kind})")
    expected = estimate_cost(splits, members, settings)
    rungs_text = ", ".join(map(str, rung_epochs(settings.num_epochs, settings.halving, len(members))))
    print(
        f"{len(members)} members in {expected.num_programs} programs, {expected.num_parameters:,} "
        f"parameters; cut after epochs {rungs_text or 'none'} of {settings.num_epochs}"
    )
    where = f" on each of {expected.num_devices} devices" if expected.num_devices > 1 else ""
    turns = "; members wait for their turn on the host" if expected.wait else ""
    print(
        f"expected: {expected.memory_bytes / 1e9:.2f} GB of memory{where}, about "
        f"{expected.compile_seconds:.0f} s to compile and {expected.train_seconds / 60:.1f} min to train, "
        f"{expected.num_at_once} at a time at most{turns}",
        flush=True,
    )


def measures(found: SearchResult, splits: Splits) -> dict[str, float]:
    """What ensemble and best member reach on validation and test data, and what calibration changed."""
    values: dict[str, float] = {}
    for name, model in {"ensemble": found.ensemble, "best_member": found.best}.items():
        for part in ("validation", "test"):
            measured = evaluation.evaluate(model, getattr(splits, part))
            values |= {f"{name}_{part}_{measure}": value for measure, value in measured.items()}
    first = next(iter(METRICS[splits.task]))
    values["ensemble_minus_best_member"] = (
        values[f"ensemble_test_{first}"] - values[f"best_member_test_{first}"]
    )
    if splits.class_names:
        untempered = with_spec(found.ensemble, temperature=1.0)
        values["untempered_test_calibration_error"] = evaluation.evaluate(untempered, splits.test)[
            "calibration_error"
        ]
        values["temperature"] = found.ensemble.spec.temperature
    values["ensemble_networks"] = len(found.sweep.ensemble)
    values["num_programs"] = found.sweep.num_programs
    return values


def intervals(found: SearchResult, splits: Splits) -> dict[str, tuple[float, float]]:
    """95 % intervals over the examples, of ensemble and best member and of their paired difference."""
    first, bounds = next(iter(METRICS[splits.task])), {}
    for part in ("validation", "test"):
        data = getattr(splits, part)
        for name, model in {"ensemble": found.ensemble, "best_member": found.best}.items():
            bounds[f"{name}_{part}_{first}"] = evaluation.score_interval(model, data)
        difference = evaluation.difference_interval(found.ensemble, found.best, data)
        bounds[f"ensemble_minus_best_member_{part}_{first}"] = difference
    return bounds


def unit_of(name: str) -> str:
    """The unit of ``ensemble_test_accuracy`` and its like."""
    units = {measure: metric.unit for named in METRICS.values() for measure, metric in named.items()}
    units |= {"coverage_90": "fraction", "minus_best_member": "fraction"}
    return next((unit for measure, unit in units.items() if name.endswith(measure)), "1")


def tables_of(outcome: Outcome) -> dict[str, Any]:
    """The members, and the ensemble as it grew and as it is."""
    swept = outcome.found.sweep
    ensemble = [{"member": c.member, "epoch": c.epoch, "votes": c.count} for c in swept.ensemble]
    return {
        "settings": space.member_columns(swept.members),
        "scores": swept.scores,
        "growth": swept.ensemble_history,
        "intervals": outcome.intervals,
        "ensemble": ensemble,
        "test_examples": len(outcome.splits.test.inputs),
    }


def draw(folder: Path, outcome: Outcome) -> None:
    """Every member learning, where the good ones lie, what mattered, how the ensemble grew, its neurons."""
    swept, splits = outcome.found.sweep, outcome.splits
    first = next(iter(METRICS[splits.task]))
    percent, label = METRICS[splits.task][first].unit == "fraction", f"validation {first}"
    history, settings = swept.history[f"validation_{first}"], space.member_columns(swept.members)
    options: dict[str, Any] = {"percent": percent, "title": splits.name}
    path = folder / "members.png"
    sweeps.member_curves(history, swept.statuses, path, ylabel=label, best=swept.best, **options)
    if any(len(set(values)) > 1 for values in settings.values()):
        scores = np.where(np.isfinite(swept.scores), swept.scores, np.nan)
        sweeps.score_maps(settings, scores, folder / "landscape.png", score_label=label, **options)
        mattered = sweeps.hyperparameter_importance(settings, scores)
        title = "What the score depends on, by a random forest's permutation importance"
        charts.point_plot(
            {"": mattered}, folder / "importance.png", xlabel="loss of R² when shuffled", title=title
        )
    growth = {
        "validation_loss": [swept.ensemble_history["loss"]],
        "networks": [swept.ensemble_history["networks"]],
    }
    classifier.learning_curves(growth, folder / "growth.png", title="The ensemble after each epoch")
    if splits.train.inputs.ndim > 2:
        for number in range(min(3, len(swept.ensemble))):
            member = sorted(swept.ensemble, key=lambda c: -c.count)[number]
            title = f"member {member.member} after epoch {member.epoch}"
            weight, shape = member.params[0].weight, splits.train.inputs.shape[1:]
            weights.neuron_weights(weight, shape, folder / f"neurons_{number + 1}.png", title=title)


def tell(outcome: Outcome, values: dict[str, np.ndarray]) -> None:
    """The result: the best member and the ensemble with their errors."""
    swept, task = outcome.found.sweep, outcome.splits.task
    first = next(iter(METRICS[task]))
    setting = {name: column[swept.best] for name, column in space.member_columns(swept.members).items()}
    print(f"best member: {', '.join(f'{name} {said(value)}' for name, value in setting.items())}")
    for name in ("best_member", "ensemble"):
        for part in ("validation", "test"):
            measure = f"{name}_{part}_{first}"
            mean, error, _, _ = summarize(values[measure])
            between = within(outcome.intervals[measure], unit_of(first))
            print(f"{measure.replace('_', ' ')}: {format_mean(mean, error, unit_of(first))} ({between})")
    difference = outcome.intervals[f"ensemble_minus_best_member_test_{first}"]
    print(f"ensemble minus best member: {within(difference, unit_of(first))} over the test examples", end="")
    many = f"; {verdict(values['ensemble_minus_best_member'], unit_of(first))}"
    print(many if len(values["ensemble_minus_best_member"]) > 1 else "")
    lost = [
        f"member {i} ({status})" for i, status in enumerate(swept.statuses) if status.startswith("not finite")
    ]
    if lost:
        print(f"{len(lost)} members were lost: {', '.join(lost)}")


def within(bounds: tuple[float, float], unit: str) -> str:
    """An interval in words."""
    low, high = (format_mean(bound, None, unit) for bound in bounds)
    return f"95 % interval {low} to {high}"


def said(value: Any) -> str:
    """A setting's value in few digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(Config, run)
