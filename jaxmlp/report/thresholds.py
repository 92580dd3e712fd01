"""From which probability on a row is taken for the rarer of two classes: chosen, and measured by others."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmlp import checks
from jaxmlp.report.judged import Judged
from jaxmlp.types import InputError

Cost = tuple[float, float]
"""Of a row that is wrongly taken for the class which is looked for, and of one that is missed."""


class Threshold(NamedTuple):
    """A threshold, and what decisions by it reach."""

    name: str
    threshold: float
    measures: dict[str, float]


def choose_thresholds(
    judged: Judged, parts: Int[np.ndarray, " rows"], cost: Cost | None = None
) -> list[Threshold]:
    """What 0.5 reaches, the threshold of the highest F1, and with a ``cost`` that of the lowest cost.

    A threshold is chosen on all rows; what it reaches is measured, for the rows of each of ``parts``, by the
    one that is chosen on the others, so that no row counts in its own judgement.
    """
    truth = judged.targets == judged.positive
    chances, weights = judged.predictions[:, judged.positive], judged.weights
    aims: dict[str, Cost | None] = {"for F1": None} | ({} if cost is None else {"for the cost": cost})
    plain = Threshold("0.5", 0.5, _reached(truth, chances >= 0.5, weights, cost))
    found = [plain]
    for name, aim in aims.items():
        decided = np.zeros(len(truth), bool)
        for part in np.unique(parts):
            own = parts == part
            decided[own] = chances[own] >= best_threshold(truth[~own], chances[~own], weights[~own], aim)
        chosen = best_threshold(truth, chances, weights, aim)
        found.append(Threshold(name, chosen, _reached(truth, decided, weights, cost)))
    return found


def helps(chosen: Threshold, plain: Threshold) -> bool:
    """Whether rows that it was not chosen by are decided better than from 0.5 on."""
    if "cost" in chosen.name:
        return chosen.measures["cost per row"] < plain.measures["cost per row"]
    return chosen.measures["F1"] > plain.measures["F1"]


def best_threshold(
    truth: Bool[np.ndarray, " rows"],
    chances: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    cost: Cost | None = None,
) -> float:
    """The threshold with the highest F1, or the lowest ``cost``; 0.5 where one class alone occurs."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    if len(np.unique(truth)) < 2:
        return 0.5
    if cost is None:
        precision, recall, thresholds = precision_recall_curve(truth, chances, sample_weight=weights)
        worth = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        return float(thresholds[np.argmax(worth[:-1])])
    wrong, right, thresholds = roc_curve(truth, chances, sample_weight=weights, drop_intermediate=False)
    total = cost[0] * wrong * weights[~truth].sum() + cost[1] * (1 - right) * weights[truth].sum()
    # The first threshold, above all probabilities, is infinite.
    return float(min(thresholds[np.argmin(total)], 1.0))


def _reached(
    truth: Bool[np.ndarray, " rows"],
    decided: Bool[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    cost: Cost | None,
) -> dict[str, float]:
    from sklearn import metrics

    own = {"sample_weight": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            "F1": metrics.f1_score(truth, decided, zero_division=0, **own),
            "precision": metrics.precision_score(truth, decided, zero_division=0, **own),
            "recall": metrics.recall_score(truth, decided, zero_division=0, **own),
            "accuracy": metrics.accuracy_score(truth, decided, **own),
        }
    if cost is not None:
        prices = cost[0] * (~truth & decided) + cost[1] * (truth & ~decided)
        found["cost per row"] = np.average(prices, weights=weights)
    return {name: float(value) for name, value in found.items()}


def check_cost(cost: Cost | None, task: str) -> None:
    """InputError for a cost of anything but two classes."""
    if cost is not None and task != "binary":
        raise InputError(f"cost: is for two classes, and this is {task}; leave it out")


def parse_cost(text: str | None) -> Cost | None:
    """``FALSE_POSITIVE:FALSE_NEGATIVE`` as numbers; InputError for anything else but None."""
    if text is None:
        return None
    try:
        wrong, missed = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"cost: must be FALSE_POSITIVE:FALSE_NEGATIVE, as 1:5, got {text!r}") from None
    for value in (wrong, missed):
        checks.positive("cost", value)
    return wrong, missed
