"""Ensembles of several settings, each trained once for each fold, by scikit-learn's conventions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import jaxmlp
from jaxmlp.data.splits import Splits
from jaxmlp.estimators.base import Classifier, ClassWeight, Estimator, Regressor
from jaxmlp.estimators.calls import RandomState
from jaxmlp.sweep.recipes import MOST_ROWS_WITH_FOLDS
from jaxmlp.sweep.space import Space

if TYPE_CHECKING:
    from jaxmlp.sweep.ensembles import OutOfFold

_HELD_OUT = 0.1
"""Of the rows, where there are too many for folds."""


class _Ensemble(Estimator):
    """What both kinds of ensembles have in common."""

    oof_score_: float
    """Accuracy or R² of the ensemble, out of fold: on rows that neither its networks nor its choice have
    learnt from, each of which counts as it does in training."""
    oof_score_interval_: tuple[float, float]
    """The 95 % interval of that, over the rows."""
    oof_predict_proba_: Float[np.ndarray, "rows classes"]
    """Of classes, what these follow from: the probabilities out of fold for each row of ``X``, NaN for rows
    that were never held out, such as those of no weight, or the earliest in time."""
    oof_prediction_: Float[np.ndarray, "rows ..."]
    """The same of real values."""

    def _held_out_share(self, num_rows: int) -> float:
        return _HELD_OUT if self.num_folds is None and num_rows > MOST_ROWS_WITH_FOLDS else 0.0

    def _train(self, splits: Splits, seed: int, num_rows: int) -> None:
        given = {name: getattr(self, name) for name in ("num_epochs", "batch_size", "time_budget")}
        found = jaxmlp.fit_ensemble(
            splits,
            self.space,
            num_members=self.num_members,
            num_folds=self.num_folds,
            seed=seed,
            progress=bool(self.verbose),
            # The recipe's own are the defaults of others.
            **{name: value for name, value in given.items() if value is not None},
        )
        measure, sweep = next(iter(found.score)), found.sweep
        self.model_ = found.ensemble
        self.oof_score_, self.oof_score_interval_ = found.score[measure], found.intervals[measure]
        self._keep_out_of_fold(splits, found.out_of_fold, num_rows)
        self._keep_curves(
            {name: values[sweep.best.member] for name, values in sweep.history.items()}, measure
        )

    def _keep_out_of_fold(self, splits: Splits, own: "OutOfFold", num_rows: int) -> None:
        predictions = np.full((num_rows, own.predictions.shape[1]), np.nan)
        predictions[splits.rows[own.rows]] = own.predictions
        if splits.class_names:
            self.oof_predict_proba_ = predictions
        else:
            self.oof_prediction_ = predictions[:, 0] if predictions.shape[1] == 1 else predictions


class EnsembleClassifier(_Ensemble, Classifier):
    """A calibrated ensemble of perceptrons for classes: ``fit_ensemble`` by scikit-learn's conventions.

    Without arguments, settings, epochs and folds suit the data. ``space`` maps names to ranges, choices or
    constants, of which ``num_members`` are drawn; ``num_folds``, ``num_epochs`` (for each member),
    ``batch_size`` and ``time_budget`` (in seconds) are those of ``fit_ensemble``. ``class_weight`` is
    "balanced" or a weight for each class. ``columns`` says what columns of a frame are, where their look
    misleads: {"day": "text", "id": "drop"}, of ``inference.KINDS``. A whole number as ``random_state`` gives
    the same bits again. ``verbose=1`` shows progress, and all that was assumed about the data.

    After ``fit`` there are ``model_`` (``save`` keeps it), ``classes_``, ``oof_score_``, the accuracy out of
    fold, ``oof_score_interval_``, its 95 % interval over the rows, and ``oof_predict_proba_``, what these
    follow from: probabilities for each row of ``X``, NaN for rows that were never held out. Of the best
    member, there are ``loss_curve_`` and ``validation_curve_``, its training loss and its accuracy out of
    fold after each epoch.

    >>> from sklearn.datasets import load_iris
    >>> from jaxmlp import EnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = EnsembleClassifier(num_epochs=30, random_state=0).fit(X, y)
    >>> classifier.oof_score_ > 0.9
    True
    >>> classifier.predict_proba(X[:2]).shape
    (2, 3)
    """

    def __init__(
        self,
        space: Space | None = None,
        *,
        num_members: int | None = None,
        num_folds: int | None = None,
        num_epochs: int | None = None,
        batch_size: int | None = None,
        time_budget: float | None = None,
        class_weight: ClassWeight | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.space = space
        self.num_members = num_members
        self.num_folds = num_folds
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.time_budget = time_budget
        self.class_weight = class_weight
        self.columns = columns
        self.random_state = random_state
        self.verbose = verbose


class EnsembleRegressor(_Ensemble, Regressor):
    """A calibrated ensemble of perceptrons for one real target or several: ``fit_ensemble`` by scikit-learn's
    conventions. Arguments and attributes are those of ``EnsembleClassifier``, but for what is of classes;
    ``oof_score_`` is R², and ``oof_prediction_``, in the place of ``oof_predict_proba_``, holds values.

    >>> from sklearn.datasets import load_diabetes
    >>> from jaxmlp import EnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = EnsembleRegressor(num_epochs=30, random_state=0).fit(X, y)
    >>> low, high = regressor.oof_score_interval_
    >>> low < regressor.oof_score_ < high
    True
    >>> regressor.predict_interval(X[:5]).shape
    (5, 2)
    """

    def __init__(
        self,
        space: Space | None = None,
        *,
        num_members: int | None = None,
        num_folds: int | None = None,
        num_epochs: int | None = None,
        batch_size: int | None = None,
        time_budget: float | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.space = space
        self.num_members = num_members
        self.num_folds = num_folds
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.time_budget = time_budget
        self.columns = columns
        self.random_state = random_state
        self.verbose = verbose
