"""What estimators have in common: from X and y to splits, from a model to predictions, and to a pickle."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxmlp.data.arrays import check_unmasked
from jaxmlp.data.blocks import as_key
from jaxmlp.data.class_weights import ClassWeight, class_factors, weights_by_label
from jaxmlp.data.frames import as_frame
from jaxmlp.data.leaks import warn_leaks
from jaxmlp.data.parts import read_weights
from jaxmlp.data.splits import Splits, from_arrays
from jaxmlp.estimators.calls import RandomState, as_seed, python_warnings, unchanged_on_error
from jaxmlp.estimators.inputs import (
    as_array,
    as_labels,
    check_undated,
    hold_out,
    is_frame,
    learn_inputs,
    name_target,
    place_left_out,
    read_inputs,
)
from jaxmlp.models.calibration import interval_margin
from jaxmlp.models.model import Model, from_bytes, to_bytes
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.models.tables import warn_far
from jaxmlp.types import InputError

Fitted = TypeVar("Fitted", bound="Estimator")


class Estimator(BaseEstimator):
    """What has scikit-learn's conventions; its parameters are those of the function that trains."""

    columns: Mapping[str, str] | None
    random_state: RandomState
    verbose: int
    model_: Model
    """Its columns, ``model_.spec.columns``, say how each feature is read."""
    loss_curve_: Float[np.ndarray, " epochs"]
    validation_curve_: Float[np.ndarray, " epochs"] | None

    def fit(
        self: Fitted,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        time: ArrayLike | None = None,
    ) -> Fitted:
        """Learn from all rows of ``X``: a frame of pandas or polars, with words, dates and gaps, or an array
        of numbers, whose NaN are gaps. ``groups`` or ``time``, one for each row, say what ties rows, as for
        ``from_arrays``. Raises InputError, a ValueError, for what cannot be learnt from.
        """
        with python_warnings(self.verbose), unchanged_on_error(self):
            X = self._check_features(X, y, reset=True)
            targets = self._read_targets(y)
            check_consistent_length(X, targets)
            given = {"groups": groups, "time": time}
            ties = [None if key is None else as_key(name, key, len(targets)) for name, key in given.items()]
            weights = self._weigh(targets, sample_weight)
            counted, rows = np.arange(len(targets)), [X, targets, weights, *ties]
            if weights is not None:
                # What does not count is not there: neither in a fold nor in what fills gaps.
                counted = np.flatnonzero(weights)
                rows = [part if part is None else part[weights > 0] for part in rows]
            splits = self._make_splits(seed := as_seed(self.random_state), *rows)
            # Only where asked, since a search would say it of each of its folds.
            splits = warn_leaks(splits) if self.verbose else splits
            own = {"target": name_target(y, targets), "rows": counted[splits.rows]}
            self._train(splits._replace(**own), seed, len(targets))
        return self

    def _make_splits(self, seed: int, X: Any, targets: Any, weights: Any, groups: Any, time: Any) -> Splits:
        """All rows as training part, but for those held out as validation part."""
        columns, inputs = learn_inputs(X, self.columns)
        names: Sequence[Any] = self.classes_.tolist() if hasattr(self, "classes_") else ()
        share = self._held_out_share(len(targets))
        free = groups is None and time is None
        splits = from_arrays(
            *(inputs, targets),
            task=None if names else "regression",
            class_names=names,
            sample_weight=weights,
            name="frame" if is_frame(X) else "array",
            split_seed=seed,
            validation=hold_out(targets, share, seed, names) if free else None,
            validation_fraction=0.0 if free else share,
            test_fraction=0.0,
            groups=groups,
            time=time,
        )
        return splits._replace(columns=columns)

    def _read_targets(self, y: Any) -> np.ndarray:
        """Labels 0…k−1, or real values."""
        raise NotImplementedError

    def _weigh(self, targets: np.ndarray, sample_weight: ArrayLike | None) -> np.ndarray | None:
        """How much each row counts; None where all count alike."""
        return read_weights(sample_weight, len(targets))

    def _held_out_share(self, num_rows: int) -> float:
        """Of the rows, those that nothing is learnt from but when to stop and how sure to be."""
        raise NotImplementedError

    def _train(self, splits: Splits, seed: int, num_rows: int) -> None:
        """Set what ``fit`` leaves behind. Of ``num_rows`` those in ``splits`` are called by their places."""
        raise NotImplementedError

    def _check_features(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """A DataFrame, or an array of numbers; in ``fit`` their number and names are kept, and later compared
        with these.
        """
        columns = None if reset else self.model_.spec.columns
        if is_frame(X):
            # Whose names are texts, so that they are compared whatever they were.
            X = as_frame(X)
            if columns and hasattr(self, "feature_names_in_"):
                X = place_left_out(X, columns)
        else:
            X = as_array(X, columns, self)
        validate_data(self, X, y, reset=reset, skip_check_array=True)
        return X

    def _apply(self, function: Callable[[Model, np.ndarray], np.ndarray], X: Any) -> np.ndarray:
        """``function`` of the model and the rows, in double precision: what it says of a row would otherwise
        depend, in the last digits of single precision, on the rows beside it.
        """
        check_is_fitted(self)
        inputs = read_inputs(self._check_features(X, reset=False), self.model_.spec.columns or ())
        warn_far(self.model_, inputs)
        with jax.enable_x64(True):
            networks = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), self.model_.networks)
            return function(self.model_._replace(networks=networks), inputs)

    def _keep_curves(self, history: Mapping[str, np.ndarray], measure: str | None) -> None:
        """Of the epochs that there were, which are numbers."""
        trained = ~np.isnan(history["train_loss"])
        self.loss_curve_ = history["train_loss"][trained]
        self.validation_curve_ = history[f"validation_{measure}"][trained] if measure else None

    def __getstate__(self) -> dict[str, Any]:
        """With the model as the bytes of its file, which hold numbers and words and no code."""
        state = super().__getstate__()
        return {name: to_bytes(value) if isinstance(value, Model) else value for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        model = {"model_": from_bytes(state["model_"])} if "model_" in state else {}
        super().__setstate__(state | model)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Classifier(ClassifierMixin, Estimator):
    """An estimator of classes of any type."""

    class_weight: ClassWeight | None
    classes_: np.ndarray
    """In the order of the columns of ``predict_proba``."""

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row."""
        with python_warnings(self.verbose):
            labels = self._apply(predict, X)
        return self.classes_[labels]

    def predict_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The probability of each of ``classes_``, for each row."""
        with python_warnings(self.verbose):
            return self._apply(predict_proba, X)

    def _read_targets(self, y: Any) -> np.ndarray:
        y = column_or_1d(as_labels(y), warn=True)
        check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y: must hold two classes at least, got one class, {self.classes_[0]!r}")
        return labels

    def _weigh(self, targets: np.ndarray, sample_weight: ArrayLike | None) -> np.ndarray | None:
        own = super()._weigh(targets, sample_weight)
        if self.class_weight is None:
            return own
        by_label: Any = weights_by_label(self.class_weight, self.classes_.tolist())
        of_class = class_factors(targets, by_label, own)[targets]
        return super()._weigh(targets, of_class if own is None else of_class * own)


class Regressor(RegressorMixin, Estimator):
    """An estimator of one real value or several."""

    def predict(self, X: Any) -> Float[np.ndarray, "rows ..."]:
        """The values of each row."""
        with python_warnings(self.verbose):
            return self._apply(predict, X)

    def predict_interval(self, X: Any) -> Float[np.ndarray, "rows ... 2"]:
        """For each row and target the two ends of the interval that should hold 90 % of what is measured, by
        the errors on rows that were not learnt from. InputError where there were none.
        """
        values = self.predict(X)
        if (noise := self.model_.spec.noise_scale) is None:
            raise InputError("validation_fraction: no row was held out, so that no errors are known")
        margin = interval_margin(np.asarray(noise if values.ndim > 1 else noise[0]))
        return np.stack([values - margin, values + margin], axis=-1)

    def _read_targets(self, y: Any) -> np.ndarray:
        check_unmasked("y", y)
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", estimator=self)
        check_undated("y", y)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        return y.astype(float)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
