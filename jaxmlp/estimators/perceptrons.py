"""One network, by scikit-learn's conventions."""

from collections.abc import Mapping, Sequence
from typing import Any

import optax

import jaxmlp
from jaxmlp.data.splits import Splits
from jaxmlp.estimators.base import Classifier, ClassWeight, Estimator, Regressor
from jaxmlp.estimators.calls import RandomState
from jaxmlp.models.model import with_spec

_ARGUMENTS = (
    *("hidden_sizes", "activation", "embedding", "numeric_scaling", "optimizer", "schedule"),
    *("learning_rate", "weight_decay", "dropout", "batch_size", "num_epochs", "patience"),
)
"""What ``fit_mlp`` is told as it is."""


class _Perceptron(Estimator):
    """What both kinds of networks have in common."""

    validation_fraction: float

    def _held_out_share(self, num_rows: int) -> float:
        return self.validation_fraction

    def _train(self, splits: Splits, seed: int, num_rows: int) -> None:
        given = {name: getattr(self, name) for name in _ARGUMENTS}
        measures = len(splits.validation.inputs) > 0
        # By something an epoch has to be chosen.
        splits = splits if measures else splits._replace(validation=splits.train)
        result = jaxmlp.fit_mlp(splits, **given, seed=seed, progress=bool(self.verbose))
        # On rows that were learnt from, nothing tells how sure the network may be.
        unsure: dict[str, Any] = {} if measures else {"temperature": 1.0, "noise_scale": None, "metrics": {}}
        self.model_ = with_spec(result.model, **unsure)
        self._keep_curves(result.history, result.run.choice.monitor if measures else None)


class MLPClassifier(_Perceptron, Classifier):
    """A calibrated perceptron for classes: ``fit_mlp`` by scikit-learn's conventions.

    The arguments down to ``patience`` are those of ``fit_mlp``. ``validation_fraction`` of the rows are held
    out, and choose the epoch and the temperature; where they are 0, or too few, all rows are learnt from, and
    choose the epoch. ``class_weight`` is "balanced" or a weight for each class. ``columns`` says what columns
    of a frame are, where their look misleads: {"day": "text", "id": "drop"}, of ``inference.KINDS``. A whole
    number as ``random_state`` gives the same bits again. ``verbose=1`` shows progress, and all that was
    assumed about the data.

    After ``fit`` there are ``model_`` (``save`` keeps it), ``classes_``, ``loss_curve_`` and
    ``validation_curve_``, training loss and accuracy on the rows held out after each epoch; None where none
    were.

    >>> from sklearn.datasets import load_iris
    >>> from jaxmlp import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier((16,), learning_rate=0.02, num_epochs=30, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int] = (64,),
        *,
        activation: str = "relu",
        embedding: str | None = None,
        numeric_scaling: str | None = None,
        optimizer: str | optax.GradientTransformation = "adam",
        schedule: str = "constant",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        batch_size: int | None = None,
        num_epochs: int | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        class_weight: ClassWeight | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.embedding = embedding
        self.numeric_scaling = numeric_scaling
        self.optimizer = optimizer
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.columns = columns
        self.random_state = random_state
        self.verbose = verbose


class MLPRegressor(_Perceptron, Regressor):
    """A perceptron for one real target or several, with a scale for its errors: ``fit_mlp`` by scikit-learn's
    conventions. Arguments and attributes are those of ``MLPClassifier``, but for what is of classes; what
    chooses is R².

    >>> from sklearn.datasets import load_diabetes
    >>> from jaxmlp import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = MLPRegressor(num_epochs=30, random_state=0).fit(X, y)
    >>> regressor.score(X, y) > 0.3
    True
    >>> regressor.predict_interval(X[:5]).shape
    (5, 2)
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int] = (64,),
        *,
        activation: str = "relu",
        embedding: str | None = None,
        numeric_scaling: str | None = None,
        optimizer: str | optax.GradientTransformation = "adam",
        schedule: str = "constant",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        batch_size: int | None = None,
        num_epochs: int | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        columns: Mapping[str, str] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.embedding = embedding
        self.numeric_scaling = numeric_scaling
        self.optimizer = optimizer
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.columns = columns
        self.random_state = random_state
        self.verbose = verbose
