"""The systems that are compared on tables: this library, what people would pick instead, and this library
without parts of its recipe.

Each is a function ``split -> System``, and runs in a process of its own, where all is imported before it is
timed. All have the settings that they come with, but for what their documentation names for the log-loss, and
take words as they can: as categories, or in columns of zeros and ones.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from experiments.harness.perceptron_search import perceptron_search
from experiments.tabular.tables import TARGET, Split

OURS = "jaxmlp"
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no embeddings": {"space": {"embedding": "none"}},
    "standard scaling": {"numeric_scaling": "standard"},
    "standard parametrization": {
        "space": {"parametrization": "standard", "learning_rate": (1e-3, 3e-3), "b2": 0.95},
        "num_members": 4,
        "halving": None,
    },
    "cosine": {"schedule": "cosine"},
    "constant rate": {"schedule": "constant"},
    "no dropout": {"space": {"dropout": 0.0}},
    "a validation part": {"num_folds": 1},
}
"""What stands in a part's place -> what ``fit_ensemble`` is told for it."""
NUMBERS, WORDS = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")
SMOKE: Mapping[str, Any] = {"num_epochs": 3}
"""What ``fit_ensemble`` is told for a run of seconds."""


class System(NamedTuple):
    """One system at one split."""

    fit: Callable[[], Any]
    """All that is to be timed; the trained model."""
    predict: Callable[[Any], np.ndarray]
    """Model -> the probabilities of the classes, [rows, classes], or a value for each row to test on."""


class Peer(NamedTuple):
    """A system, and what has to be installed for it."""

    make: Callable[[Split], System]
    package: str


def peers() -> dict[str, Peer]:
    """All systems, the quick ones first."""
    return {
        OURS: Peer(jaxmlp, "jaxmlp"),
        "linear": Peer(linear, "sklearn"),
        "HistGradientBoosting": Peer(hist_gradient_boosting, "sklearn"),
        "LightGBM": Peer(lightgbm, "lightgbm"),
        "CatBoost": Peer(catboost, "catboost"),
        "MLP tuned": Peer(tuned_mlp, "sklearn"),
        "RealMLP": Peer(partial(pytabkit_network, kind="RealMLP_TD", use_ls=False), "pytabkit"),
        "TabM": Peer(partial(pytabkit_network, kind="TabM_D"), "pytabkit"),
    }


def ablations() -> dict[str, Peer]:
    """This library without each part of its recipe."""
    return {f"{OURS} with {part}": Peer(partial(jaxmlp, **told), OURS) for part, told in ABLATIONS.items()}


def jaxmlp(split: Split, **arguments: Any) -> System:
    """This library as its README has it: a table is read, and the ensemble that is found is kept."""
    from jaxmlp import fit_ensemble, predict_table, read_table
    from jaxmlp.runtime import compilation

    compilation.enable_cache()

    def fit() -> Any:
        train, test = (
            inputs.assign(**{TARGET: named(targets, split.classes)})
            for inputs, targets in ((split.train, split.train_targets), (split.test, split.test_targets))
        )
        splits = read_table(train, TARGET, test=test, split_seed=split.seed)
        return fit_ensemble(splits, progress=False, **arguments).ensemble

    def predict(model: Any) -> np.ndarray:
        answers = predict_table(model, split.test)
        columns = [f"probability of {name}" for name in split.classes] or "prediction"
        return answers[columns].to_numpy()

    return System(fit, predict)


def named(targets: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """The names of classes, or the values as they are."""
    return np.array(classes)[targets] if classes else targets


def estimator(model: Any, split: Split) -> System:
    """A classifier or regressor that keeps scikit-learn's conventions."""

    def predict(model: Any) -> np.ndarray:
        return model.predict_proba(split.test) if split.classes else model.predict(split.test)

    return System(lambda: model.fit(split.train, split.train_targets), predict)


def linear(split: Split) -> System:
    """scikit-learn's logistic or ridge regression."""
    model = LogisticRegression(max_iter=1000) if split.classes else Ridge()
    return estimator(make_pipeline(numbers_alone(), model), split)


def tuned_mlp(split: Split) -> System:
    """scikit-learn's perceptron on scaled targets, tuned by successive halving, up to all rows, over what
    matters most, and for what it is judged by.
    """
    kind, way, scoring = MLPRegressor, "regressor__mlpregressor", "neg_mean_squared_error"
    if split.classes:
        kind, way, scoring = MLPClassifier, "mlpclassifier", "neg_log_loss"
    model = make_pipeline(numbers_alone(), kind(random_state=split.seed))
    if not split.classes:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    options = {"min_resources": "exhaust", "random_state": split.seed}
    return estimator(perceptron_search(model, way, scoring=scoring, **options), split)


def hist_gradient_boosting(split: Split) -> System:
    """scikit-learn's gradient boosting of histograms."""
    kind = HistGradientBoostingClassifier if split.classes else HistGradientBoostingRegressor
    model = kind(categorical_features="from_dtype", random_state=split.seed)
    return estimator(make_pipeline(as_categories(), model), split)


def lightgbm(split: Split) -> System:
    """LightGBM."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if split.classes else LGBMRegressor
    return estimator(make_pipeline(as_categories(), kind(random_state=split.seed, verbosity=-1)), split)


def catboost(split: Split) -> System:
    """CatBoost, which takes words as they are."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if split.classes else CatBoostRegressor
    options = {"random_seed": split.seed, "verbose": False, "allow_writing_files": False}
    return estimator(kind(cat_features=WORDS(split.train), **options), split)


def pytabkit_network(split: Split, kind: str, **of_classes: Any) -> System:
    """A network of pytabkit's, which holds out a part of what it is given for itself, and refuses gaps: they
    are filled with medians. ``of_classes`` are arguments of its classifier alone.
    """
    import pytabkit

    of_classes |= {"val_metric_name": "cross_entropy"}
    name, options = (f"{kind}_Classifier", of_classes) if split.classes else (f"{kind}_Regressor", {})
    filled = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = getattr(pytabkit, name)(device="cpu", random_state=split.seed, **options)
    return estimator(make_pipeline(filled, as_categories(), model), split)


def numbers_alone() -> Any:
    """Standardised numbers, whose gaps are filled with medians, and a column of zeros and ones per word."""
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS),
    )


def as_categories() -> Any:
    """Words as pandas' categories."""
    return FunctionTransformer(lambda frame: frame.astype(dict.fromkeys(WORDS(frame), "category")))
