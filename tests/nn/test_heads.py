"""Heads against scikit-learn and SciPy, values worked by hand, and finite differences."""

from math import log

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from scipy.special import expit, softmax

from jaxmlp.nn.heads import HEADS, binary, multiclass, regression

LOGITS = [[0.0, 0.0, 0.0], [1.5, -0.3, 0.2], [2.0, 2.0, -1.0], [-50.0, 50.0, 0.0], [9.0, 8.0, 7.0]]
EXTREME = [[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [1e4, 1e4, 1e4], [50.0, -50.0, -50.0], [0.0, 0.0, 0.0]]


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def finite_difference(function, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    nudges = step * np.eye(len(x))
    return np.array([function(x + nudge) - function(x - nudge) for nudge in nudges]) / (2 * step)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("logit", [0.0, 1.7, -3.0, 30.0])
def test_binary_is_sigmoid_and_cross_entropy(float64, logit, label):
    head, logits = binary(), jnp.array([logit])
    assert head.link(logits) == pytest.approx(expit(logit), rel=1e-12)
    expected = sklearn.metrics.log_loss([label], [expit(logit)], labels=[0, 1])
    assert head.loss(logits, jnp.int32(label)) == pytest.approx(expected, rel=1e-3 if logit == 30 else 1e-9)


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("logits", [LOGITS[0], LOGITS[1], LOGITS[2]])
def test_multiclass_is_softmax_and_cross_entropy(float64, logits, label):
    head, probabilities = multiclass(), softmax(logits)
    np.testing.assert_allclose(head.link(jnp.array(logits)), probabilities, rtol=1e-12)
    expected = sklearn.metrics.log_loss([label], [probabilities], labels=[0, 1, 2])
    assert head.loss(jnp.array(logits), jnp.int32(label)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("target", [[0.5], [1.0, -2.0, 4.0]])
def test_regression_is_the_mean_squared_error(target):
    prediction = np.linspace(0.0, 3.0, len(target))
    expected = sklearn.metrics.mean_squared_error(target, prediction)
    found = regression().loss(jnp.array(prediction, jnp.float32), jnp.array(target))
    assert found == pytest.approx(expected, rel=1e-6)


def test_one_target_may_come_without_its_axis():
    assert regression().loss(jnp.array([3.0]), jnp.float32(1.0)) == 4.0


BINARY_POINTS = [0.0, 0.3, -2.0, 50.0, -50.0, 1e4, -1e4]
ERRORS = [[0.0, 0.0], [0.3, -4.0], [2.0, -2.0], [50.0, -50.0], [1e4, -1e4]]
HEADS_AT_POINTS = (
    [(binary(a), [z], np.int32(y)) for a in (None, 0.2) for z in BINARY_POINTS for y in (0, 1)]
    + [(multiclass(a), z, np.int32(1)) for a in (None, 0.2) for z in LOGITS + EXTREME[:3]]
    + [(regression(), z, np.zeros(2)) for z in ERRORS]
)


@pytest.mark.parametrize(("head", "logits", "target"), HEADS_AT_POINTS)
def test_gradients_are_finite_differences(float64, head, logits, target):
    target = jnp.asarray(target)
    found = jax.grad(head.loss)(jnp.array(logits), target)
    expected = finite_difference(lambda z: head.loss(jnp.asarray(z), target), np.array(logits))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smoothing", [None, 0.1])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("logits", EXTREME)
def test_multiclass_stays_finite_in_float32(logits, label, smoothing):
    loss, grads = jax.value_and_grad(multiclass(smoothing).loss)(jnp.array(logits), jnp.int32(label))
    target = (1 - (smoothing or 0)) * np.eye(3)[label] + (smoothing or 0) / 3
    np.testing.assert_allclose(grads, softmax(logits) - target, atol=1e-6)
    log_p = np.array(logits) - np.logaddexp.reduce(logits)
    np.testing.assert_allclose(loss, -target @ log_p, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("logit", "label", "loss", "slope"), [(1e4, 0, 1e4, 1.0), (1e4, 1, 0.0, 0.0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_binary_stays_finite_in_float32(logit, label, loss, slope, sign):
    label = label if sign == 1 else 1 - label
    found, grads = jax.value_and_grad(binary().loss)(jnp.array([sign * logit]), jnp.int32(label))
    assert found == loss
    assert grads[0] == sign * slope


@pytest.mark.parametrize("error", [1e4, -1e4])
def test_regression_stays_finite_in_float32(error):
    found, grads = jax.value_and_grad(regression().loss)(jnp.array([error]), jnp.float32(0))
    assert found == pytest.approx(1e8, rel=1e-6)
    assert grads[0] == pytest.approx(np.sign(error) * 2e4, rel=1e-6)


def test_smoothed_binary_by_hand():
    # A logit of log 3 is the probability 3/4; smoothing 0.1 moves the target 1 to 0.95.
    found = binary(label_smoothing=0.1).loss(jnp.array([log(3)]), jnp.int32(1))
    assert found == pytest.approx(-(0.95 * log(0.75) + 0.05 * log(0.25)), rel=1e-6)


def test_smoothed_multiclass_by_hand():
    # Smoothing 0.2 over four classes gives the true one 0.8 + 0.05 and the others 0.05.
    logits = jnp.log(jnp.array([0.4, 0.3, 0.2, 0.1]))
    found = multiclass(label_smoothing=0.2).loss(logits, jnp.int32(1))
    assert found == pytest.approx(-(0.85 * log(0.3) + 0.05 * (log(0.4) + log(0.2) + log(0.1))), rel=1e-6)


@pytest.mark.parametrize("smoothing", [None, 0.0, 0.3])
@pytest.mark.parametrize("label", [0, 1])
def test_binary_is_multiclass_of_two(smoothing, label):
    one = binary(smoothing).loss(jnp.array([1.3]), jnp.int32(label))
    two = multiclass(smoothing).loss(jnp.array([0.0, 1.3]), jnp.int32(label))
    assert one == pytest.approx(float(two), rel=1e-6)


@pytest.mark.parametrize("logits", LOGITS + EXTREME)
def test_softmax_sums_to_one_and_ignores_a_shift(logits):
    head, logits = multiclass(), jnp.array(logits)
    assert head.link(logits).sum() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(head.link(logits + 16.0), head.link(logits), rtol=1e-5, atol=1e-30)
    losses = [head.loss(shifted, jnp.int32(1)) for shifted in (logits, logits + 16.0)]
    assert losses[1] == pytest.approx(float(losses[0]), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "logits", "expected"),
    [
        ("binary", [0.1], 1),
        ("binary", [-0.1], 0),
        ("multiclass", [1.0, 3.0, 2.0], 1),
        ("multiclass", [-1.0, -3.0, 2.0], 2),
        ("regression", [2.5], 2.5),
        ("regression", [2.5, -1.0], [2.5, -1.0]),
    ],
)
def test_predict(name, logits, expected):
    found = HEADS[name]().predict(jnp.array(logits))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == np.shape(expected)


@pytest.mark.parametrize("target", [[1.0, 2.0, 3.0], [1.0]])
def test_targets_are_as_many_as_the_outputs(target):
    with pytest.raises(TypeError, match="reshape"):
        regression().loss(jnp.zeros(2), jnp.array(target))


@pytest.mark.parametrize("name", HEADS)
def test_no_dtype_is_hard_coded(float64, name):
    head, logits = HEADS[name](), jnp.zeros(1)
    target = jnp.zeros(()) if name == "regression" else jnp.int32(0)
    assert head.loss(logits, target).dtype == head.link(logits).dtype == jnp.dtype("float64")
