"""From what a sweep chose to calibrated models, and what they reach."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxmlp.data.folds import Folds, constant_inputs
from jaxmlp.data.splits import Splits, join_parts
from jaxmlp.models.calibration import apply_temperature, fit_noise_scale, fit_temperature
from jaxmlp.models.evaluation import weighted_measures
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.training import Scaling, TrainedNetwork, build_model
from jaxmlp.printing import printable
from jaxmlp.sweep.selection import (
    Candidate,
    HeldOut,
    cross_fitted_predictions,
    ensemble_predictions,
)
from jaxmlp.sweep.state import SweepResult

Predictions = Float[np.ndarray, "rows outputs"]


class OutOfFold(NamedTuple):
    """What ensembles predict for rows that neither their networks nor their choice have seen, in the order of
    the rows; those of no weight are left out.
    """

    rows: Int[np.ndarray, " rows"]
    """Which each is of ``join_parts``: of the training part, and behind it of the validation part."""
    parts: Int[np.ndarray, " rows"]
    """The fold that leaves it out; where a validation part takes the folds' place, a part of this, for which
    was chosen on the others."""
    predictions: Float[np.ndarray, "rows outputs"]
    """Probabilities of all classes, or values in the targets' unit."""
    targets: Shaped[np.ndarray, "rows ..."]
    weights: Float[np.ndarray, " rows"]
    """How much each counts, with mean 1."""
    learnt: Float[np.ndarray, "folds examples"]
    """How much each training row counts in what the networks of each fold learn from."""
    groups: Int[np.ndarray, " rows"] | None = None
    """Of rows that may be alike."""

    @property
    def folds(self) -> Int[np.ndarray, " rows"]:
        """The place of each row's networks in ``learnt``."""
        return self.parts if len(self.learnt) > 1 else np.zeros_like(self.parts)


@printable
class SearchResult(NamedTuple):
    """What a search hands back."""

    sweep: SweepResult
    best: Model
    """The member with the lowest loss, as it was then: the average of its folds, or in time what has learnt
    from all."""
    ensemble: Model
    score: dict[str, float]
    """What the ensemble reaches on examples that neither its networks nor its choice have seen, but for who
    was cut on the way."""
    intervals: dict[str, tuple[float, float]]
    """The 95 % intervals of these measures, over the examples."""
    out_of_fold: OutOfFold
    """What these measures follow from, row by row."""
    snapshots: Mapping[int, Model] = {}
    """What the networks of the ensemble were after so many epochs, and at last the ensemble; none where
    ``num_snapshots`` was 0."""

    def summary(self) -> dict[str, Any]:
        """What was found, in words."""
        reached = {f"held out {name}": f"{value:.4g}" for name, value in self.score.items()}
        return self.sweep.summary() | {"task": self.ensemble.spec.head} | reached


def build_models(splits: Splits, scaling: Scaling, folds: Folds, result: SweepResult) -> SearchResult:
    """The best member and the ensemble of a sweep as calibrated models, and what the ensemble reaches."""
    held_out = result.held_out
    honest = cross_fitted_predictions(result.candidates, held_out)
    found = {
        "ensemble": (result.ensemble, ensemble_predictions(result.candidates), honest),
        "best": ([result.best], result.best.predictions, result.best.predictions),
    }
    models, answers, constants = {}, {}, dict(enumerate(constant_inputs(folds)))
    if folds.ends_with_all:
        constants = dict([constants.popitem()])

    def build(candidates: Sequence[Candidate]) -> Model:
        networks = _networks(result, candidates, constants)
        return build_model(splits, scaling, networks, clip=held_out.task == "regression")

    for name, (candidates, predictions, unseen) in found.items():
        models[name], answers[name] = _calibrate(build(candidates), predictions, unseen, held_out, scaling)
    out_of_fold = _out_of_fold(splits, scaling, folds, held_out, answers["ensemble"])
    judged = out_of_fold.predictions, out_of_fold.targets, out_of_fold.weights, out_of_fold.groups
    score, intervals = weighted_measures(held_out.task, *judged)
    named = {f"held_out_{measure}": value for measure, value in score.items()}
    bounds = {f"held_out_{measure}": pair for measure, pair in intervals.items()}
    ensemble = with_spec(models["ensemble"], metrics=named, intervals=bounds)
    snapshots = _snapshot_models(result, ensemble, build)
    return SearchResult(result, models["best"], ensemble, score, intervals, out_of_fold, snapshots)


def _snapshot_models(
    result: SweepResult, ensemble: Model, build: Callable[[Sequence[Candidate]], Model]
) -> dict[int, Model]:
    """The ensemble with its networks as they were at each snapshot before it was complete, and itself; each
    with what the networks reached then, in the mean.
    """
    if not result.snapshots:
        return {}
    chosen, models = result.ensemble, {}
    last = max(one.epoch for one in chosen)
    for epoch in sorted({epoch for epoch, _ in result.snapshots if epoch < last}):
        models[epoch] = build(
            [
                one if one.epoch <= epoch else one._replace(params=result.snapshots[epoch, one.member])
                for one in chosen
            ]
        )
    # Calibrated as it is at the end, so that the last step changes nothing but the weights.
    same = {name: getattr(ensemble.spec, name) for name in ("temperature", "noise_scale")}
    return {
        epoch: with_spec(model, metrics=_mean_reached(result, epoch), **same)
        for epoch, model in {**models, last: ensemble}.items()
    }


def _mean_reached(result: SweepResult, epoch: int) -> dict[str, float]:
    """How the networks of the ensemble validated after ``epoch``, or where they stopped before it."""
    if epoch == 0:
        return {}
    chosen = result.ensemble
    rows = {
        name: [values[one.member, min(epoch, one.epoch) - 1] for one in chosen]
        for name, values in result.history.items()
        if name.startswith("validation_")
    }
    votes = [one.counts[0] for one in chosen]
    return {name: float(np.average(values, weights=votes)) for name, values in rows.items()}


def _networks(
    result: SweepResult,
    candidates: Sequence[Candidate],
    constants: Mapping[int, Float[np.ndarray, " inputs"]],
) -> list[TrainedNetwork]:
    """Of each candidate, the networks of the folds whose ``constants`` are there."""
    found = []
    for one in candidates:
        spec, count = result.members[one.member].structure.network, max(1, int(one.counts[0]))
        for fold, own in constants.items():
            params = jax.tree.map(lambda leaf, fold=fold: leaf[fold], one.params)
            found.append(TrainedNetwork(spec, params, count, one.temperature, own))
    return found


def _calibrate(
    model: Model, predictions: Predictions, unseen: Predictions, held_out: HeldOut, scaling: Scaling
) -> tuple[Model, Predictions]:
    """The model with a temperature, where it helps on rows that it was not fitted to, or the noise scale of a
    regression; and what it then predicts for unseen rows.
    """
    if held_out.task == "regression":
        errors = _unscale(unseen, scaling) - _targets(held_out, scaling).reshape(unseen.shape)
        return with_spec(model, noise_scale=fit_noise_scale(errors[held_out.weights > 0])), unseen
    tempered = unseen.copy()
    for part in np.unique(held_out.parts):
        own = held_out.parts == part
        tempered[own] = _temper(unseen[own], _temperature(unseen, held_out, ~own))
    before, after = (held_out.losses([each])[0] @ held_out.weights for each in (unseen, tempered))
    if after >= before:
        return model, unseen
    everywhere = np.ones(len(unseen), bool)
    return with_spec(model, temperature=_temperature(predictions, held_out, everywhere)), tempered


def _temperature(predictions: Predictions, held_out: HeldOut, rows: np.ndarray) -> float:
    targets, weights = held_out.targets[rows], held_out.weights[rows]
    return fit_temperature(_logarithm(predictions[rows]), targets, weights)


def _temper(predictions: Predictions, temperature: float) -> Predictions:
    return np.exp(apply_temperature(_logarithm(predictions), temperature))


def _logarithm(probabilities: Predictions) -> Predictions:
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def _out_of_fold(
    splits: Splits, scaling: Scaling, folds: Folds, held_out: HeldOut, predictions: Predictions
) -> OutOfFold:
    rows, used = folds.rows.ravel(), np.flatnonzero(held_out.weights)
    used = used[np.argsort(rows[used])]
    weights = held_out.weights[used]
    return OutOfFold(
        rows[used],
        held_out.parts[used],
        np.asarray(_unscale(predictions, scaling), float)[used],
        np.asarray(join_parts(splits).train.targets)[rows[used]],
        weights / weights.mean(),
        np.asarray(folds.train.weights, float),
        _groups_of(splits, rows[used]),
    )


def _groups_of(splits: Splits, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"] | None:
    """Their groups; those of a validation part that was brought along are not known."""
    if splits.blocks is None or splits.is_ordered or not splits.validation_is_cut:
        return None
    return splits.blocks.of_row[rows]


def _unscale(values: Any, scaling: Scaling) -> Any:
    """Values of a regression in the targets' unit."""
    if scaling.targets is None:
        return values
    shift, scale = (np.asarray(part, float) for part in scaling.targets)
    return values * scale + shift


def _targets(held_out: HeldOut, scaling: Scaling) -> np.ndarray:
    if held_out.task != "regression":
        return held_out.targets
    return _unscale(held_out.targets.reshape(len(held_out.targets), -1), scaling)
