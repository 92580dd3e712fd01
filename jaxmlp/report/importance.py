"""What predictions depend on: columns shuffled, and columns set to one value after the other."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.report.columns import InputColumn, encode_values, typical_values
from jaxmlp.report.contents import MAX_ROWS, NUM_REPEATS, Effect
from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.types import InputError

if TYPE_CHECKING:
    from jaxmlp.sweep.search import SearchResult

Predict = Callable[[Shaped[np.ndarray, "rows ..."]], Float[np.ndarray, "rows outputs"]]


def honest_sample(found: "SearchResult", judged: Judged, test: Judged) -> tuple[Judged, Predict]:
    """At most 1,000 of the held out rows, as many of each fold, and what the networks that have not learnt
    from them predict where these rows have other inputs; or of ``test`` rows, where the networks have learnt
    from all others, as those do that predict what is later. InputError where there are none.
    """
    own, draws = found.out_of_fold.folds, np.random.default_rng(0)
    num_folds, ensemble = len(found.out_of_fold.learnt), found.ensemble
    if len(ensemble.networks) < num_folds * len(found.sweep.ensemble):
        if not len(test.targets):
            raise InputError(
                "test: there are no rows that the networks of this ensemble have not learnt from"
            )
        return test.take(draws.permutation(len(test.targets))[:MAX_ROWS]), partial(outputs_of, ensemble)
    places = {fold: draws.permutation(np.flatnonzero(own == fold)) for fold in np.unique(own).tolist()}
    models = [_fold_model(ensemble, fold, num_folds) for fold in places]
    # As many of each fold, so that one program serves all; those that come twice do not count.
    size = min(MAX_ROWS // len(places), max(map(len, places.values())))
    counted = np.concatenate([np.arange(size) < len(rows) for rows in places.values()])

    def predict_rows(inputs: Shaped[np.ndarray, "rows ..."]) -> Float[np.ndarray, "rows outputs"]:
        parts = np.split(inputs, len(models))
        return np.concatenate([outputs_of(model, part) for model, part in zip(models, parts, strict=True)])

    sample = judged.take(np.concatenate([np.resize(rows, size) for rows in places.values()]))
    predictions, weights = predict_rows(sample.inputs), sample.weights * counted
    return sample._replace(predictions=predictions, weights=weights), predict_rows


def outputs_of(model: Model, inputs: Shaped[np.ndarray, "rows ..."]) -> Float[np.ndarray, "rows outputs"]:
    """Probabilities of all classes, or values."""
    if model.spec.class_names:
        return predict_proba(model, inputs)
    return np.asarray(predict(model, inputs), float).reshape(len(inputs), -1)


def _fold_model(model: Model, fold: int, num_folds: int) -> Model:
    """The networks of one fold, which stand in turn."""
    own = slice(fold, None, num_folds)
    return with_spec(model._replace(networks=model.networks[own]), networks=model.spec.networks[own])


def column_importance(
    sample: Judged, predict_rows: Predict, columns: Sequence[InputColumn]
) -> dict[str, Float[np.ndarray, " repeats"]]:
    """How much the loss of ``row_losses`` rises when all inputs of a column are shuffled together among the
    rows (Breiman 2001), for each shuffle; the most important column comes first.
    """
    draws, found = np.random.default_rng(0), {}
    before = row_losses(sample, sample.predictions)
    orders = [draws.permutation(len(before)) for _ in range(NUM_REPEATS)]
    for column in columns:
        rises = []
        for order in orders:
            shuffled = np.array(sample.inputs)
            shuffled[:, column.places] = shuffled[order][:, column.places]
            after = row_losses(sample, predict_rows(shuffled))
            rises.append(np.average(after - before, weights=sample.weights))
        found[column.name] = np.array(rises)
    return dict(sorted(found.items(), key=lambda item: -item[1].mean()))


def partial_dependence(sample: Judged, predict_rows: Predict, column: InputColumn) -> Effect:
    """The average prediction where every row has the same value in the column (Friedman 2001)."""
    values, averages = typical_values(column, sample.inputs), []
    for encoded in encode_values(column, values):
        changed = np.array(sample.inputs)
        changed[:, column.places] = encoded
        averages.append(np.average(predict_rows(changed), axis=0, weights=sample.weights))
    return Effect(column, values, np.array(averages))
