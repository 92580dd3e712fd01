"""What simpler models reach on the same rows: the constant answer, a linear model, boosted trees."""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from jaxmlp.checks import first_line
from jaxmlp.data.splits import Splits, join_parts
from jaxmlp.report.columns import input_columns, tree_inputs
from jaxmlp.report.contents import BOOSTING, CONSTANT, LINEAR, Baseline, Comparison
from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.statistics import mean_interval
from jaxmlp.types import AnyArray, Dataset

if TYPE_CHECKING:
    from jaxmlp.sweep.ensembles import OutOfFold

_SHARE = 1 / 5
"""Of the sweep's time, which baselines may take; some seconds in any case, since of few rows a single fold
says little."""
_LEAST_SECONDS = 20.0
_MANY_ROWS = 20_000


class _Kind(NamedTuple):
    name: str
    model: Any
    """A pipeline that ends with a step "model"."""
    view: Callable[[Any], np.ndarray]
    """From the inputs of the splits to those that it takes."""


def fit_baselines(judged: Judged, own: "OutOfFold", splits: Splits, sweep_seconds: float) -> Comparison:
    """Baselines that learn from the rows, by the weights, that the networks of a fold learnt from, and are
    asked for the rows that it held out: in as many folds as fit into 20 seconds or a fifth of
    ``sweep_seconds``, at least one.

    They see what the networks see: numbers with their gaps filled and a column that tells of these, and a
    column of 0 and 1 for each category; the trees see categories and gaps as such.
    """
    train, (kinds, left_out) = join_parts(splits).train, _kinds(judged, splits)
    answers = {kind: np.full(judged.predictions.shape, np.nan) for kind in kinds}
    seconds, began = dict.fromkeys(kinds, 0.0), time.perf_counter()
    # The last first, since in time it has learnt from most; one that leaves nothing out is not asked.
    folds = np.unique(own.folds)[::-1].tolist()
    for done, fold in enumerate(folds, start=1):
        for kind, one in kinds.items():
            if one.name in left_out:
                continue
            started = time.perf_counter()
            try:
                answers[kind][own.folds == fold] = _answers(one, train, own, fold, judged)
            except ValueError as error:
                left_out[one.name] = f"could not be fitted: {first_line(error)}"
            seconds[kind] += time.perf_counter() - started
        if (time.perf_counter() - began) * (done + 1) / done > max(_SHARE * sweep_seconds, _LEAST_SECONDS):
            break
    rows = np.isin(own.folds, folds[:done])
    asked, weights, found = judged.take(rows), own.weights[rows], []
    costs = row_losses(asked, asked.predictions)
    for kind, one in kinds.items():
        if one.name in left_out:
            continue
        theirs = row_losses(asked, answers[kind][rows])
        loss = float(np.average(theirs, weights=weights))
        paired = mean_interval(costs - theirs, weights, asked.groups)
        found.append(Baseline(kind, one.name, answers[kind], loss, *paired, seconds[kind]))
    return Comparison(found, rows, done, len(folds), float(np.average(costs, weights=weights)), left_out)


def _kinds(judged: Judged, splits: Splits) -> tuple[dict[str, _Kind], dict[str, str]]:
    """The baselines, and by their names those that are not for such data."""
    from sklearn import dummy, ensemble, linear_model, multioutput
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    columns = input_columns(splits)
    categorical = [column.is_category for column in columns]
    options: Any = {"categorical_features": categorical} if any(categorical) else {}
    if judged.class_names:
        names = "always the class shares", "logistic regression"
        constant = dummy.DummyClassifier(strategy="prior")
        linear = linear_model.LogisticRegression(max_iter=1000 if columns else 100)
        trees = ensemble.HistGradientBoostingClassifier(random_state=0, **options)
    else:
        names = "always the mean", "ridge regression"
        constant, linear = dummy.DummyRegressor(), linear_model.Ridge()
        trees = ensemble.HistGradientBoostingRegressor(random_state=0, **options)
        trees = multioutput.MultiOutputRegressor(trees) if judged.targets.shape[1] > 1 else trees
    plain, boosted = (Pipeline([("model", model)]) for model in (constant, trees))
    scaled = Pipeline([("scale", StandardScaler()), ("model", linear)])
    kinds = {
        CONSTANT: _Kind(names[0], plain, lambda inputs: np.zeros((len(inputs), 1))),
        LINEAR: _Kind(names[1], scaled, partial(_in_rows, float if columns else np.float32)),
        BOOSTING: _Kind("HistGradientBoosting", boosted, partial(tree_inputs, columns)),
    }
    left_out = {} if columns else {"HistGradientBoosting": "is for the columns of a table, not for images"}
    return kinds, left_out


def _in_rows(dtype: type, inputs: Shaped[AnyArray, "rows ..."]) -> np.ndarray:
    return np.asarray(inputs, dtype).reshape(len(inputs), -1)


def _answers(
    kind: _Kind, train: Dataset, own: "OutOfFold", fold: int, judged: Judged
) -> Float[np.ndarray, "rows outputs"]:
    """What a baseline, which has learnt what the networks of the fold have, says of the rows left out."""
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    inputs, targets, weights = kind.view(train.inputs), np.asarray(train.targets), own.learnt[fold]
    learnt, asked = np.flatnonzero(weights), own.rows[own.folds == fold]
    model = clone(kind.model)
    # More threads would wait for each other longer than they help with few rows.
    num_threads = 1 if len(learnt) < _MANY_ROWS else None
    with threadpool_limits(num_threads), warnings.catch_warnings():
        # Of fits that have not quite converged.
        warnings.simplefilter("ignore")
        model.fit(inputs[learnt], targets[learnt], model__sample_weight=weights[learnt])
    if not judged.class_names:
        return model.predict(inputs[asked]).reshape(len(asked), -1)
    found = np.zeros((len(asked), len(judged.class_names)))
    # A class that the fold's rows lack gets no probability.
    found[:, model.classes_] = model.predict_proba(inputs[asked])
    return found
