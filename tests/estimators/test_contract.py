"""Scikit-learn's own checks of an estimator: all of them in the long suite, the most telling ones always."""

import doctest
import warnings

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import jaxmlp
from jaxmlp.estimators import ensembles, perceptrons

SMALL = {
    "hidden_sizes": 16,
    "depth": 1,
    "embedding": "none",
    "learning_rate": 0.06,
    "frequency_scale": 1.0,
    "dropout": 0.0,
}
ESTIMATORS = [
    jaxmlp.EnsembleClassifier(SMALL, num_folds=2, num_epochs=20),
    jaxmlp.EnsembleRegressor(SMALL, num_folds=2, num_epochs=20),
    jaxmlp.MLPClassifier((16,), num_epochs=40, learning_rate=0.03),
    jaxmlp.MLPRegressor((16,), num_epochs=40, learning_rate=0.03),
]
MAY_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": "rows that are there twice are in other mini-batches "
    "and folds than one that counts twice, and the means and ranks of the inputs are those of other rows"
}
QUICK = ("check_estimators_unfitted", "check_methods_subset_invariance", "check_supervised_y_no_nan")


@pytest.mark.long
@pytest.mark.usefixtures("no_runtime_types")
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: MAY_FAIL)
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("estimator", ESTIMATORS[::3], ids=lambda estimator: type(estimator).__name__)
def test_the_most_telling_checks_pass(estimator, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("module", [ensembles, perceptrons])
def test_the_examples_are_right(module):
    failed, tried = doctest.testmod(module)
    assert failed == 0 and tried >= 8
