"""The estimators within scikit-learn's pipelines, searches and inspections, on its bundled data."""

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

import jaxmlp
from jaxmlp.runtime import host

SMALL = {"hidden_sizes": 16, "depth": 1, "embedding": "none", "frequency_scale": 1.0, "dropout": 0.0}
ENSEMBLE = {"space": SMALL, "num_folds": 2, "num_epochs": 8, "batch_size": 32, "random_state": 0}
MLP = {"hidden_sizes": (8,), "num_epochs": 20, "learning_rate": 0.03, "batch_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def regressor(diabetes):
    return jaxmlp.MLPRegressor(**MLP).fit(*diabetes)


def test_a_pipeline_of_arrays_and_one_of_frames(cancer):
    scaled = make_pipeline(StandardScaler(), jaxmlp.MLPClassifier(**MLP))
    arrays = scaled.fit(*cancer)
    assert arrays.score(*cancer) > 0.95 and not hasattr(arrays[-1], "feature_names_in_")
    frames = scaled.set_output(transform="pandas").fit(*cancer)
    assert frames[-1].feature_names_in_.tolist() == list(cancer[0].columns)
    assert frames.score(*cancer) > 0.95


def test_a_pipeline_whose_columns_are_of_several_types():
    frame, labels = load_wine(return_X_y=True, as_frame=True)
    frame = frame[["alcohol", "proline"]].assign(
        hue=pd.cut(frame["hue"], 3, labels=["low", "middle", "high"])
    )
    first = make_column_transformer((OrdinalEncoder(), ["hue"]), remainder="passthrough")
    piped = make_pipeline(first, jaxmlp.MLPClassifier(**MLP)).fit(frame, labels)
    assert piped.score(frame, labels) > 0.85
    # Without it, the categories are read as they are.
    assert jaxmlp.MLPClassifier(**MLP).fit(frame, labels).score(frame, labels) > 0.85


@pytest.mark.parametrize(
    "estimator", [jaxmlp.MLPClassifier(**MLP), jaxmlp.EnsembleClassifier(**ENSEMBLE)], ids=["mlp", "ensemble"]
)
def test_scores_by_cross_validation(estimator):
    scores = cross_val_score(estimator, *load_iris(return_X_y=True), cv=3, error_score="raise")
    assert scores.shape == (3,) and scores.min() > 0.8


def test_predictions_by_cross_validation(cancer):
    estimator = jaxmlp.MLPClassifier(**MLP)
    found = cross_val_predict(estimator, *cancer, cv=2, method="predict_proba")
    assert found.shape == (569, 2) and np.mean(found.argmax(axis=1) == cancer[1]) > 0.9


def test_a_search_in_two_processes_finds_the_rate_that_learns(diabetes):
    rates = [1e-5, 0.03]
    search = GridSearchCV(
        jaxmlp.MLPRegressor(**MLP), {"learning_rate": rates}, cv=2, n_jobs=2, error_score="raise"
    ).fit(*diabetes)
    assert search.best_params_ == {"learning_rate": 0.03} and search.best_score_ > 0.2
    assert search.predict(diabetes[0]).shape == (442,)


def test_a_search_over_spaces(diabetes):
    spaces = [SMALL, {**SMALL, "hidden_sizes": 4}]
    search = GridSearchCV(
        jaxmlp.EnsembleRegressor(**ENSEMBLE), {"space": spaces}, cv=2, n_jobs=2, error_score="raise"
    ).fit(*diabetes)
    assert search.best_estimator_.oof_score_interval_[1] > search.best_estimator_.oof_score_ > 0.2


def _cores(_number):
    import jaxmlp  # noqa: F401, as whoever unpickles an estimator does

    return host.num_cores()


def test_workers_share_the_cores():
    cores = host.num_cores()
    assert set(joblib.Parallel(n_jobs=2)(joblib.delayed(_cores)(each) for each in range(4))) == {
        max(1, cores // 2)
    }
    assert host.num_cores() == cores


def test_importance_by_permutation(regressor, diabetes):
    found = permutation_importance(regressor, *diabetes, n_repeats=3, random_state=0)
    named = dict(zip(diabetes[0].columns, found.importances_mean, strict=True))
    # As linear models have it, too.
    assert {"bmi", "s5"} & {*sorted(named, key=named.get)[-2:]}


def test_partial_dependence_is_drawn(regressor, diabetes, cancer):
    display = PartialDependenceDisplay.from_estimator(
        regressor, diabetes[0], ["bmi", "sex"], grid_resolution=9
    )
    (line,) = display.lines_[0, 0].get_ydata()[None]
    assert line[-1] > line[0]
    classifier = jaxmlp.MLPClassifier(**MLP).fit(*cancer)
    PartialDependenceDisplay.from_estimator(classifier, cancer[0], [(0, 1)], grid_resolution=5)
    plt.close("all")
