"""The pictures of a report that take more than is in it already, each a PNG in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxmlp.data.columns import DateColumn
from jaxmlp.models.calibration import coverage, interval_margin
from jaxmlp.plots import reports, sweeps
from jaxmlp.printing import format_number, format_percent
from jaxmlp.report.columns import column_words
from jaxmlp.report.contents import Effect
from jaxmlp.report.judged import Judged

if TYPE_CHECKING:
    from jaxmlp.data.splits import Splits
    from jaxmlp.sweep.state import SweepResult

MAX_CURVES = 6
"""Classes whose curves, or effects, can be told apart in one picture."""
_LEVELS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


def draw_members(swept: "SweepResult", splits: "Splits", path: Path) -> Path:
    """Every member learning, by the loss that the best one is chosen by, except that labels which were
    smoothed leave here the doubts that a temperature takes from it there.
    """
    name, label = "log_loss", "log-loss (nats)"
    if splits.task == "regression":
        name, label = "rmse", "RMSE (standard deviations of the target)"
    losses = swept.history[f"validation_{name}"]
    return sweeps.member_curves(
        losses, swept.statuses, path, ylabel=f"held out {label}", best=swept.best.member, title=splits.name
    )


def draw_ranking(judged: Judged, path: Path) -> Path:
    """ROC and precision-recall curve, of two classes of that which is looked for, of several of each, or of
    those that are told apart worst.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    own, roc, ranked, rates = {"sample_weight": judged.weights}, {}, {}, {}
    for place in shown_classes(judged):
        hits, chances = judged.targets == place, judged.predictions[:, place]
        name = str(judged.class_names[place])
        roc[name] = roc_curve(hits, chances, **own)[:2]
        ranked[name] = precision_recall_curve(hits, chances, **own)[1::-1]
        rates[name] = float(np.average(hits, weights=judged.weights))
    return reports.ranking_curves(roc, ranked, path, rates=rates)


def shown_classes(judged: Judged) -> list[int]:
    """The one that is looked for, or at most six that occur, those with the worst average precision; none
    where there is nothing to tell apart.
    """
    from sklearn.metrics import average_precision_score

    places = np.unique(judged.targets).tolist()
    if len(places) < 2:
        return []
    if len(judged.class_names) == 2:
        return [judged.positive]
    worth = {
        place: average_precision_score(judged.targets == place, judged.predictions[:, place])
        for place in places
    }
    return sorted(sorted(worth, key=lambda place: worth[place])[:MAX_CURVES])


def draw_residuals(judged: Judged, place: int, noise_scale: float, unit: str, path: Path) -> Path:
    """How far one target is off, and how many of its intervals hold it."""
    errors = judged.targets[:, place] - judged.predictions[:, place]
    held = _LEVELS, np.array([coverage(errors, noise_scale, level) for level in _LEVELS.tolist()])
    margin = float(interval_margin(noise_scale))
    return reports.residuals(judged.predictions[:, place], errors, margin, held, path, unit=unit)


def draw_effects(effects: Sequence[Effect], judged: Judged, target: str, path: Path) -> Path:
    """What the average prediction is at the values of columns."""
    classes = bool(judged.class_names)
    places, label = list(range(min(judged.targets.shape[-1], MAX_CURVES))), f"average prediction of {target}"
    if classes:
        places = shown_classes(judged) or [judged.positive]
        single = f" of {judged.class_names[places[0]]}" if len(places) == 1 else ""
        label = f"average probability{single}"
    lines = [str(judged.class_names[p]) if classes else f"target {p + 1}" for p in places]
    panels = [_panel(effect, places, classes) for effect in effects]
    return reports.effect_panels(panels, lines, path, ylabel=label, percent=classes)


def _panel(effect: Effect, places: Sequence[int], classes: bool) -> reports.EffectPanel:
    """Numbers as such, with what is predicted where there is none beside the name; words and dates by their
    names.
    """
    column, values, averages = effect.column, effect.values, effect.averages[:, list(places)]
    if column.is_category or isinstance(column.kind, DateColumn):
        return reports.EffectPanel(column.name, column_words(column, values), averages)
    known = ~np.isnan(values)
    gaps = [
        ", ".join(format_percent(x) if classes else format_number(float(f"{x:.3g}")) for x in row)
        for row in averages[~known]
    ]
    name = column.name + "".join(f" ({gap} where missing)" for gap in gaps)
    return reports.EffectPanel(name, values[known].tolist(), averages[known])
