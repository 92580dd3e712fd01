"""Measures against scikit-learn, a plain loop, and cases worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from scipy.special import softmax

from jaxmlp.nn import heads, metrics
from jaxmlp.nn.metrics import CLASSIFICATION, METRICS, accuracy, calibration_error, log_loss, r2, rmse

RANDOM = np.random.default_rng(0)
LOGITS = (3 * RANDOM.normal(size=(500, 4))).astype(np.float32)
LABELS = RANDOM.integers(0, 4, 500, dtype=np.int32)
TARGETS = RANDOM.normal(size=(50, 3)).astype(np.float32) * np.array([1, 10, 0.1], np.float32)
PREDICTIONS = TARGETS + RANDOM.normal(size=(50, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def test_accuracy():
    expected = sklearn.metrics.accuracy_score(LABELS, LOGITS.argmax(axis=1))
    assert accuracy(jnp.asarray(LOGITS), jnp.asarray(LABELS)) == pytest.approx(expected, rel=1e-6)


def test_log_loss():
    expected = sklearn.metrics.log_loss(LABELS, softmax(LOGITS.astype(float), axis=1))
    assert log_loss(jnp.asarray(LOGITS), jnp.asarray(LABELS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("columns", [1, 3])
def test_rmse(columns):
    predictions, targets = PREDICTIONS[:, :columns], TARGETS[:, :columns]
    expected = np.sqrt(sklearn.metrics.mean_squared_error(targets, predictions))
    assert rmse(jnp.asarray(predictions), jnp.asarray(targets)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("columns", [1, 3])
def test_r2(columns):
    predictions, targets = PREDICTIONS[:, :columns], TARGETS[:, :columns]
    expected = sklearn.metrics.r2_score(targets, predictions)
    assert r2(jnp.asarray(predictions), jnp.asarray(targets)) == pytest.approx(expected, rel=1e-4)


def test_r2_is_of_the_outputs_that_differ():
    predictions, targets = jnp.asarray(PREDICTIONS), jnp.asarray(TARGETS).at[:, 1].set(0.1)
    expected = sklearn.metrics.r2_score(TARGETS[:, ::2], PREDICTIONS[:, ::2])
    assert r2(predictions, targets) == pytest.approx(expected, rel=1e-4)
    assert jnp.isnan(r2(predictions[:, 1:2], targets[:, 1:2]))


@pytest.mark.parametrize("head", ["multiclass", "regression"])
def test_an_example_counts_as_if_it_came_so_often(head):
    weights, targets = RANDOM.integers(0, 4, 50), TARGETS.copy()
    # An output that differs in what does not count is none that differs.
    targets[weights > 0, 1] = 0.1
    data = (LOGITS[:50], LABELS[:50]) if head == "multiclass" else (PREDICTIONS, targets)
    repeated = [jnp.asarray(np.repeat(values, weights, axis=0)) for values in data]
    for metric in METRICS[head].values():
        found = metric.measure(*map(jnp.asarray, data), jnp.asarray(weights, np.float32))
        assert found == pytest.approx(float(metric.measure(*repeated, None)), rel=1e-5)
        assert found != metric.measure(*map(jnp.asarray, data), None)


@pytest.mark.parametrize("measure", [rmse, r2])
def test_one_target_each_may_come_without_its_axis(measure):
    predictions, targets = jnp.asarray(PREDICTIONS[:, :1]), jnp.asarray(TARGETS[:, :1])
    assert measure(predictions, targets[:, 0]) == measure(predictions, targets)


def loop_calibration_error(logits: np.ndarray, labels: np.ndarray, num_bins: int) -> float:
    probabilities = softmax(logits.astype(float), axis=1)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for i in range(num_bins):
        inside = (confidence > i / num_bins) & (confidence <= (i + 1) / num_bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_calibration_error_is_the_papers_loop(num_bins):
    expected = loop_calibration_error(LOGITS, LABELS, num_bins)
    found = calibration_error(jnp.asarray(LOGITS), jnp.asarray(LABELS), num_bins=num_bins)
    assert found == pytest.approx(expected, rel=1e-5)


def test_calibration_error_by_hand():
    # Bin of 0.95: three of four right, gap −0.2, share 4/6. Bin of 0.85: both right, gap +0.15, share 2/6.
    # The signs differ, so that the two bins would cancel if they were one.
    confidence = jnp.array([0.95, 0.95, 0.95, 0.95, 0.85, 0.85])
    logits = jnp.log(jnp.stack([confidence, 1 - confidence], axis=1))
    labels = jnp.array([0, 0, 0, 1, 0, 0])
    assert calibration_error(logits, labels, num_bins=10) == pytest.approx(1.1 / 6, rel=1e-5)


def test_certainty_lies_in_the_last_bin():
    logits = jnp.array([[100.0, 0.0], [100.0, 0.0]])
    assert calibration_error(logits, jnp.array([0, 1])) == pytest.approx(0.5)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_one_column_is_two_with_a_zero(name):
    column, labels = jnp.asarray(LOGITS[:, :1]), jnp.asarray(LABELS % 2)
    measure = CLASSIFICATION[name].function
    both = jnp.concatenate([jnp.zeros_like(column), column], axis=1)
    assert measure(column, labels) == pytest.approx(float(measure(both, labels)), rel=1e-6)


def test_one_column_is_the_binary_head():
    column, labels, head = jnp.asarray(LOGITS[:, :1]), jnp.asarray(LABELS % 2), heads.binary()
    expected = float(jax.vmap(head.loss)(column, labels).mean())
    assert log_loss(column, labels) == pytest.approx(expected, rel=1e-5)
    assert accuracy(column, labels) == pytest.approx(np.mean(jax.vmap(head.predict)(column) == labels))


@pytest.mark.parametrize(
    ("logits", "label"),
    [([jnp.nan, jnp.nan], 0), ([jnp.nan, 1.0], 1), ([1.0, jnp.nan], 0), ([jnp.nan], 0), ([jnp.nan], 1)],
)
def test_nan_logits_count_as_wrong(logits, label):
    rows = jnp.array([logits, [9.0] * len(logits)])
    rows = rows.at[1, 0].set(10.0)
    right = 1 if len(logits) == 1 else 0
    assert accuracy(rows, jnp.array([label, right])) == 0.5
    assert jnp.isnan(accuracy(rows[:1], jnp.array([label])))


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [([-jnp.inf, 0.0], 1, 1.0), ([-jnp.inf, 0.0], 0, 0.0), ([1e4, -1e4], 0, 1.0)],
)
def test_impossible_classes_are_no_nan(logits, label, expected):
    assert accuracy(jnp.array([logits]), jnp.array([label])) == expected


@pytest.mark.parametrize("head", METRICS)
def test_each_measure_improves_in_the_direction_it_says(head):
    classes = jnp.arange(6) % 2
    targets = jnp.arange(6.0) if head == "regression" else classes
    good = {
        "binary": 20.0 * (2.0 * classes[:, None].astype(float) - 1.0),
        "multiclass": 20.0 * jax.nn.one_hot(classes, 2),
        "regression": jnp.arange(6.0)[:, None],
    }[head]
    for metric in METRICS[head].values():
        better, worse = metric.function(good, targets), metric.function(-good, targets)
        assert (better > worse) == metric.higher_is_better


def test_every_head_has_its_measures():
    assert METRICS.keys() == heads.HEADS.keys()


@pytest.mark.parametrize("head", METRICS)
def test_no_dtype_is_hard_coded(head):
    with jax.enable_x64(True):
        logits = jnp.linspace(-1, 1, 4)[:, None]
        targets = jnp.linspace(0, 1, 4) if head == "regression" else jnp.array([0, 1, 1, 0])
        found = {metric.function(logits, targets).dtype for metric in METRICS[head].values()}
        assert found == {metrics.log_probabilities(logits).dtype} == {jnp.dtype("float64")}
