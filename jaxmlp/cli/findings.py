"""What a search found, for people: measures with intervals, pictures, a few lines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxmlp.data.splits import Splits
from jaxmlp.models import evaluation
from jaxmlp.models.model import save, with_spec
from jaxmlp.models.snapshots import save_snapshots
from jaxmlp.nn.metrics import METRICS, metric_unit
from jaxmlp.plots import charts, classifier, sweeps, weights
from jaxmlp.report.pictures import draw_members
from jaxmlp.sweep import space
from jaxmlp.types import Layer

if TYPE_CHECKING:
    from jaxmlp.sweep.search import SearchResult


_FEW = 4
"""Members of whom nothing can be said about what mattered."""


class Outcome(NamedTuple):
    """One whole search: its data, and what was found."""

    splits: Splits
    found: "SearchResult"
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def save_models(folder: Path, outcome: Outcome) -> None:
    """The ensemble, what it was on its way, if that was kept, and the best member as files."""
    for name, model in {"model": outcome.found.ensemble, "best_member": outcome.found.best}.items():
        described = with_spec(model, metrics=outcome.metrics, intervals=outcome.intervals)
        save(folder / f"{name}.safetensors", described)
    save_snapshots(folder / "snapshots", outcome.found.snapshots)


def measured(splits: Splits, found: "SearchResult") -> Outcome:
    """What the search measured on rows that it had held out, and both models, once, on test data."""
    values = {f"ensemble_held_out_{name}": value for name, value in found.score.items()}
    bounds = {f"ensemble_held_out_{name}": pair for name, pair in found.intervals.items()}
    if splits.class_names:
        values["temperature"] = found.ensemble.spec.temperature
    values |= {"ensemble_networks": len(found.ensemble.networks), "num_programs": found.sweep.num_programs}
    if len(splits.test.inputs):
        values |= _test_measures(splits, found)
        bounds |= _test_intervals(splits, found)
    return Outcome(splits, found, values, bounds)


def _test_measures(splits: Splits, found: "SearchResult") -> dict[str, float]:
    first = next(iter(METRICS[splits.task]))
    values: dict[str, float] = {}
    for name, model in {"ensemble": found.ensemble, "best_member": found.best}.items():
        reached = evaluation.evaluate(model, splits.test)
        values |= {f"{name}_test_{measure}": value for measure, value in reached.items()}
    difference = values[f"ensemble_test_{first}"] - values[f"best_member_test_{first}"]
    return values | {"ensemble_minus_best_member": difference}


def _test_intervals(splits: Splits, found: "SearchResult") -> dict[str, tuple[float, float]]:
    """Over the examples, of ensemble and best member and of their paired difference."""
    first = next(iter(METRICS[splits.task]))
    return {
        f"ensemble_test_{first}": evaluation.score_interval(found.ensemble, splits.test),
        f"best_member_test_{first}": evaluation.score_interval(found.best, splits.test),
        "ensemble_minus_best_member": evaluation.difference_interval(found.ensemble, found.best, splits.test),
    }


def unit_of(name: str) -> str:
    """The unit of ``ensemble_test_accuracy`` and its like."""
    return "fraction" if name.endswith("minus_best_member") else metric_unit(name)


def tables_of(outcome: Outcome) -> dict[str, Any]:
    """The members, and the ensemble as it grew and as it is."""
    swept = outcome.found.sweep
    ensemble = [{"member": c.member, "epoch": c.epoch, "votes": int(c.counts[0])} for c in swept.ensemble]
    return {
        "settings": space.member_columns(swept.members),
        "losses": swept.losses,
        "growth": swept.ensemble_history,
        "intervals": outcome.intervals,
        "ensemble": ensemble,
        "test_examples": len(outcome.splits.test.inputs),
    }


def draw(folder: Path, outcome: Outcome) -> None:
    """Every member learning, where the good ones lie, what mattered, how the ensemble grew, its neurons."""
    swept, splits = outcome.found.sweep, outcome.splits
    first = next(iter(METRICS[splits.task]))
    percent, label = METRICS[splits.task][first].unit == "fraction", f"held out {first}"
    history, settings = swept.history[f"validation_{first}"], space.member_columns(swept.members)
    options: dict[str, Any] = {"percent": percent, "title": splits.name}
    draw_members(swept, splits, folder / "members.png")
    if any(len(set(values)) > 1 for values in settings.values()) and len(swept.members) > _FEW:
        # Of a member that never came to an epoch there is none.
        highest = np.max(np.nan_to_num(history, nan=-np.inf), axis=1)
        scores = np.where(np.isfinite(highest), highest, np.nan)
        sweeps.score_maps(settings, scores, folder / "landscape.png", score_label=label, **options)
        mattered = sweeps.hyperparameter_importance(settings, scores)
        title = "Importance of settings, by a random forest's permutation"
        charts.point_plot(
            {"": mattered}, folder / "importance.png", xlabel="loss of R² when shuffled", title=title
        )
    growth = {
        "held_out_loss": [swept.ensemble_history["loss"]],
        "candidates": [swept.ensemble_history["candidates"]],
    }
    epochs, title = list(map(int, swept.ensemble_history["epochs"])), "The ensemble as it grew"
    classifier.learning_curves(growth, folder / "growth.png", epochs=epochs, title=title)
    if splits.train.inputs.ndim > 2:
        for number in range(min(3, len(swept.ensemble))):
            member = sorted(swept.ensemble, key=lambda c: -c.counts[0])[number]
            title = f"member {member.member} after epoch {member.epoch}"
            weight, shape = first_weight(member.params), splits.train.inputs.shape[1:]
            weights.neuron_weights(weight, shape, folder / f"neurons_{number + 1}.png", title=title)


def first_weight(params: Any) -> np.ndarray:
    """That of the first dense layer of the network of the first fold."""
    layers = getattr(params, "layers", params)
    return next(np.asarray(layer.weight[0]) for layer in layers if isinstance(layer, Layer))
