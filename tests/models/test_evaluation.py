"""Intervals over examples, against the binomial distribution and scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

from jaxmlp.data.columns import NumberColumn
from jaxmlp.models import evaluation, prediction
from jaxmlp.models.evaluation import weighted_measures
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.types import Dataset, InputError, Layer


def repeating(size, head="multiclass", factor=1.0):
    """A network without hidden layers whose outputs are its inputs, times a factor."""
    params = (Layer(factor * jnp.eye(size, dtype=np.float32), jnp.zeros(size, np.float32)),)
    names = tuple(map(str, range(size))) if head != "regression" else ()
    description = ModelSpec(
        networks=(dense_network((size, size), "relu"),),
        head=head,
        input_shape=(size,),
        class_names=names,
        dataset="",
        metrics={},
        versions={},
    )
    return Model((params,), Affine(np.zeros((), np.float32), np.ones((), np.float32)), description)


def test_the_interval_of_r2_is_that_of_its_resamples():
    random = np.random.default_rng(0)
    targets = random.normal(size=(80, 1)).astype(np.float32)
    predictions = targets + random.normal(scale=0.5, size=(80, 1)).astype(np.float32)
    bounds = evaluation.score_interval(repeating(1, "regression"), Dataset(predictions, targets[:, 0]))
    resampled = [r2_score(targets[rows], predictions[rows]) for rows in random.integers(0, 80, (1000, 80))]
    np.testing.assert_allclose(bounds, np.quantile(resampled, (0.025, 0.975)), atol=0.03)


@pytest.mark.parametrize("noise", [0.2, 1.0, 5.0])
def test_the_interval_of_r2_holds_it_in_95_of_100_samples(noise):
    """Without the variance that varies, it did in 86 where R² is near 1, and in all where it is near 0."""
    random, inside = np.random.default_rng(0), 0
    for _ in range(500):
        predictions = random.normal(size=(200, 1))
        targets = predictions + noise * random.normal(size=(200, 1))
        _, bounds = weighted_measures("regression", predictions, targets, np.ones(200))
        inside += bounds["r2"][0] < 1 - noise**2 / (1 + noise**2) < bounds["r2"][1]
    assert abs(inside / 500 - 0.95) < 0.03


def test_a_target_that_never_changes_has_no_r2(recwarn):
    part = Dataset(np.array([[1.0], [3.0]], np.float32), np.array([2.0, 2.0]))
    values = evaluation.evaluate(repeating(1, "regression"), part)
    assert np.isnan(values["r2"]) and values["rmse"] == 1 and not recwarn.list


@pytest.mark.parametrize(
    ("num_right", "low", "high"), [(36, 0.9036, 1), (0, 0, 0.0964), (18, 0.3447, 0.6553)]
)
def test_the_interval_of_an_accuracy_is_wilsons(num_right, low, high):
    # Worked by hand from (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96, n = 36.
    logits = np.eye(2, dtype=np.float32)[(np.arange(36) < num_right).astype(int)]
    bounds = evaluation.score_interval(repeating(2), Dataset(logits, np.ones(36, np.int32)))
    np.testing.assert_allclose(bounds, (low, high), atol=1e-4)


def test_the_interval_of_a_difference_is_of_pairs():
    logits = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    part = Dataset(logits, np.argmax(logits, axis=1).astype(np.int32))
    assert evaluation.difference_interval(repeating(2), repeating(2, factor=3.0), part) == (0, 0)
    low, high = evaluation.difference_interval(repeating(2, factor=-1.0), repeating(2), part)
    np.testing.assert_allclose((low, high), (-1, -1), rtol=1e-12)
    half = part._replace(targets=np.where(np.arange(400) < 200, part.targets, 1 - part.targets))
    low, high = evaluation.difference_interval(repeating(2), repeating(2, factor=-1.0), half)
    # Each pair gives 1 or -1, so the difference has a standard error of √(1/400) = 0.05.
    np.testing.assert_allclose((low, high), (-0.098, 0.098), atol=0.02)


WEIGHTS = np.random.default_rng(2).uniform(size=500)


def test_weighted_measures_are_those_of_scikit_learn():
    random = np.random.default_rng(3)
    probabilities, labels = random.dirichlet(np.ones(3), 500), random.integers(0, 3, 500)
    values, bounds = evaluation.weighted_measures("multiclass", probabilities, labels, WEIGHTS)
    accuracy = accuracy_score(labels, probabilities.argmax(axis=1), sample_weight=WEIGHTS)
    expected = accuracy, log_loss(labels, probabilities, sample_weight=WEIGHTS)
    np.testing.assert_allclose([values["accuracy"], values["log_loss"]], expected)
    assert all(low < values[name] < high for name, (low, high) in bounds.items())
    # Of two outputs in units of their own.
    targets = random.normal(size=(500, 2)) * [1, 1000]
    predictions = targets + random.normal(size=(500, 2)) * [1, 100]
    values, bounds = evaluation.weighted_measures("regression", predictions, targets, WEIGHTS)
    squares = mean_squared_error(targets, predictions, sample_weight=WEIGHTS)
    np.testing.assert_allclose(values["rmse"], np.sqrt(squares))
    np.testing.assert_allclose(values["r2"], r2_score(targets, predictions, sample_weight=WEIGHTS))
    assert all(low < values[name] < high for name, (low, high) in bounds.items())
    (first, _) = evaluation.weighted_measures("regression", predictions[:, :1], targets[:, :1], WEIGHTS)
    expected = r2_score(targets[:, 0], predictions[:, 0], sample_weight=WEIGHTS)
    np.testing.assert_allclose(first["r2"], expected)
    # One that never changes explains nothing.
    constant = np.column_stack([targets, np.full(500, 0.1)])
    noisy = np.column_stack([predictions, 0.1 + 1e-9 * random.normal(size=500)])
    with_constant, intervals = evaluation.weighted_measures("regression", noisy, constant, WEIGHTS)
    np.testing.assert_allclose([with_constant["r2"], *intervals["r2"]], [values["r2"], *bounds["r2"]])


@pytest.mark.parametrize("num_rows", [1, 7, 200, 499, 500])
def test_all_right_is_an_accuracy_of_one_and_no_more(num_rows):
    labels, weights = np.arange(num_rows) % 3, WEIGHTS[:num_rows]
    values, bounds = evaluation.weighted_measures("multiclass", np.eye(3)[labels], labels, weights)
    assert values == {"accuracy": 1, "log_loss": 0} and bounds["accuracy"][1] == 1


def test_two_groups_that_are_alike_within_still_have_an_interval():
    # Nearly all weight lies on one row of the group that is wrong.
    right = np.array([[0.0, 1.0]] * 3)
    labels, groups = np.array([1, 1, 0]), np.array([0, 0, 1])
    for weights in (np.ones(3), np.array([1.0, 1.0, 50.0]), np.array([9.0, 9.0, 1.0])):
        _, intervals = weighted_measures("binary", right, labels, weights, groups)
        low, high = intervals["accuracy"]
        assert 0 <= low < high <= 1


@pytest.mark.parametrize(
    ("inputs", "targets", "says"),
    [
        (np.zeros((3, 2)), [0, 1, 2], r"part targets: labels must be 0…1, got 2 in row 2"),
        (np.zeros((3, 2)), [0, -1, 1], r"part targets: labels must be 0…1, got -1 in row 1"),
        (np.zeros((3, 2)), [0, 0.5, 1], r"part targets: labels must be whole numbers, got 0.5 in row 1"),
        (np.zeros((3, 2)), np.array(["a", "b", "a"]), r"part targets: must be an array of real numbers"),
        (
            np.zeros((3, 2)),
            [[0], [1], [1]],
            r"part targets: must be one label per example, got",
        ),
        (np.zeros((3, 2)), [0, 1], r"part targets: must be as many as inputs, got 2 for 3"),
    ],
)
def test_labels_that_are_none_of_the_model_are_refused(inputs, targets, says):
    with pytest.raises(InputError, match=says):
        evaluation.evaluate(repeating(2), (inputs, targets))


def test_a_frame_is_not_taken_by_the_order_of_its_columns():
    pandas = pytest.importorskip("pandas")
    frame, columns = pandas.DataFrame({"b": [1.0], "a": [2.0]}), (NumberColumn("a"), NumberColumn("b"))
    model = with_spec(repeating(2), columns=columns)
    says = r"inputs: a table has to be read .* give it to predict_table"
    with pytest.raises(InputError, match=says):
        evaluation.evaluate(model, (frame, [0]))
    # What predict asks of its inputs, without the tests' check of their type.
    with pytest.raises(InputError, match=says):
        prediction._check_inputs(frame, model.spec)
