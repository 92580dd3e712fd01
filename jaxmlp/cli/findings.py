"""What a search found, for people: measures with intervals, pictures, a few lines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxmlp.data.splits import Splits
from jaxmlp.models import evaluation
from jaxmlp.models.model import save, with_spec
from jaxmlp.nn.metrics import METRICS, metric_unit
from jaxmlp.plots import charts, classifier, sweeps, weights
from jaxmlp.statistics import format_mean, summarize, verdict
from jaxmlp.sweep import space

if TYPE_CHECKING:
    from jaxmlp.sweep.search import SearchResult


class Outcome(NamedTuple):
    """One whole search: its data, and what was found."""

    splits: Splits
    found: "SearchResult"
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def save_models(folder: Path, outcome: Outcome) -> None:
    """The ensemble and the best member as files."""
    for name, model in {"model": outcome.found.ensemble, "best_member": outcome.found.best}.items():
        finite = {name: pair for name, pair in outcome.intervals.items() if np.isfinite(pair).all()}
        save(folder / f"{name}.safetensors", with_spec(model, metrics=outcome.metrics, intervals=finite))


def measured(splits: Splits, found: "SearchResult") -> Outcome:
    """The models measured on validation data and, once, on test data."""
    return Outcome(splits, found, measures(found, splits), intervals(found, splits))


def measures(found: "SearchResult", splits: Splits) -> dict[str, float]:
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


def intervals(found: "SearchResult", splits: Splits) -> dict[str, tuple[float, float]]:
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
    return "fraction" if name.endswith("minus_best_member") else metric_unit(name)


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
    epochs, title = list(map(int, swept.ensemble_history["epochs"])), "The ensemble as it grew"
    classifier.learning_curves(growth, folder / "growth.png", epochs=epochs, title=title)
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
