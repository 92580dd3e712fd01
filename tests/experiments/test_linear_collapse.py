"""Layers in a row and the one layer that they make, worked by hand; two half moons; the command line."""

import json
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from experiments.harness.pages import module_of
from experiments.linear_collapse import measure
from experiments.linear_collapse.measure import Kind
from jaxmlp import Affine, Hyperparams, Layer, TuneResult, make_network
from jaxmlp.data.splits import from_arrays
from jaxmlp.nn import heads
from jaxmlp.records import metric_summary
from tests.support.commands import refused, run

linear_collapse = module_of("linear_collapse")
Config = linear_collapse.Config
IDENTITY, RELU = jax.nn.identity, jax.nn.relu


def layer(weight, bias):
    return Layer(jnp.asarray(weight, jnp.float32), jnp.asarray(bias, jnp.float32))


def tuned(networks, activation=IDENTITY, loss=None, chosen=0):
    """A population of given weights, whose inputs stay as they are."""
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    sizes = (params[0].weight.shape[1], *(one.bias.shape[1] for one in params))
    unit = Affine(np.zeros((), np.float32), np.ones((), np.float32))
    network = make_network(sizes, heads.binary, unit, activation=activation)
    fitted = SimpleNamespace(history={"train_loss": loss})
    return Kind(network, TuneResult(chosen, None, params, (), fitted, None), np.zeros(len(networks)))


def test_two_layers_make_one():
    first, second = layer([[1, 2], [0, 1]], [1, -1]), layer([[2], [3]], [0.5])
    (one,) = measure.collapse((first, second))
    # Of the inputs (1, 0) and (0, 1) the first layer makes (2, 1) and (1, 0), of (0, 0) its bias.
    np.testing.assert_array_equal(one.weight, [[8], [3]])
    np.testing.assert_array_equal(one.bias, [-0.5])


@pytest.mark.parametrize("depth", [1, 4, 16])
def test_layers_of_any_number_make_one_exactly_in_whole_numbers(depth):
    random = np.random.default_rng(depth)
    # Signed permutations, so that no sum leaves the whole numbers of float32.
    weights = [np.eye(5)[random.permutation(5)] * random.choice([-1, 1], 5) for _ in range(depth)]
    biases = random.integers(-3, 4, (depth, 5))
    (one,) = measure.collapse(tuple(map(layer, weights, biases)))
    x = random.integers(-9, 10, 5)
    expected = x
    for weight, bias in zip(weights, biases, strict=True):
        expected = expected @ weight + bias
    np.testing.assert_array_equal(x @ np.asarray(one.weight) + np.asarray(one.bias), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_is_relative_to_the_outputs_and_in_units_of_precision(dtype):
    def chain(scale):
        return layer([[1]], [0]), layer([[scale]], [0])

    inputs = np.array([[-1.0], [1.0]], np.float32)
    # ReLU gives (0, scale), whose root mean square is scale/√2, and the product gives (-scale, scale).
    error = measure.product_error(tuned([chain(1), chain(8)], RELU), inputs, dtype)
    np.testing.assert_allclose(error, math.sqrt(2) / np.finfo(dtype).eps, rtol=1e-6)
    np.testing.assert_array_equal(measure.product_error(tuned([chain(3)]), inputs, dtype), [0])


def test_the_error_of_real_layers_is_rounding_in_either_precision():
    inputs = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
    networks = []
    for seed in range(2):
        start = tuned([(layer(np.zeros((20, 32)), np.zeros(32)), layer(np.zeros((32, 3)), np.zeros(3)))])
        networks.append(start.network.init_fn(jax.random.key(seed), Hyperparams())[0])
    for dtype in (np.float32, np.float64):
        error = measure.product_error(tuned(networks), inputs, dtype)
        assert error.shape == (2,) and (error > 0).all() and (error < 100).all()


def test_curves_are_compared_at_the_smallest_rate_and_at_the_best():
    loss = np.arange(12.0).reshape(2, 3, 2)
    one = layer([[1]], [0])
    kinds = {
        "shallow": tuned([(one,)], loss=loss, chosen=0),
        "deep_linear": tuned([(one,)], loss=loss + 100, chosen=2),
    }
    curves = measure.loss_curves(Config(learning_rates=(0.3, 0.01, 1.0)), kinds)
    deep_same, deep_own, same, own = curves.values()
    np.testing.assert_array_equal(same, [[2, 3], [8, 9]])
    np.testing.assert_array_equal(own, [[0, 1], [6, 7]])
    np.testing.assert_array_equal(deep_same, [[102, 103], [108, 109]])
    np.testing.assert_array_equal(deep_own, [[104, 105], [110, 111]])
    assert list(curves)[::2] == ["deep, no activation, rate 0.01", "no hidden layer, rate 0.01"]


def test_no_line_parts_the_moons_though_neighbours_do():
    splits = linear_collapse.half_moons(Config())
    inputs, targets = splits.test.inputs, splits.test.targets
    angles = np.linspace(0, 2 * np.pi, 73)
    projected = inputs @ np.stack([np.cos(angles), np.sin(angles)])
    accuracies = [np.mean((projected > at) == targets[:, None], axis=0) for at in np.linspace(-2, 3, 101)]
    assert 0.8 < np.max(accuracies) < 0.9
    neighbours = KNeighborsClassifier(15).fit(splits.train.inputs, splits.train.targets)
    assert neighbours.score(inputs, targets) > 0.98
    assert not np.array_equal(inputs, linear_collapse.half_moons(Config(seed=1)).test.inputs)


def test_the_witness_reads_the_test_part():
    inputs, targets = np.arange(-50, 50)[:, None] * 4.0, np.arange(100) // 50
    splits = from_arrays(inputs, targets, test=(inputs[::25], [0, 0, 1, 0]))
    assert measure.logistic_regression(splits) == 0.75


@pytest.mark.parametrize("axis", [0, 1])
def test_a_map_has_its_first_row_at_the_bottom_and_its_first_column_at_the_left(axis):
    weight = 2 * np.eye(2)[:, [axis]]
    values = measure.probability_map(tuned([(layer(weight, [0]),), (layer(-weight, [0]),)]))
    left_or_bottom, right_or_top = np.reshape(measure.FRAME, (2, 2))[axis]
    ends = np.moveaxis(values, 1 - axis, 0)[[0, -1]]
    expected = 1 / (1 + np.exp(-2 * np.array([left_or_bottom, right_or_top])))
    np.testing.assert_allclose(ends, np.tile(expected[:, None], ends.shape[1]), atol=5.1e-4)


@pytest.mark.parametrize(("error", "word"), [(18.0, "Yes"), (1e6, "No")])
def test_only_what_rounding_explains_is_a_collapse(error, word):
    metrics = {}
    for problem in linear_collapse.PROBLEMS:
        metrics[f"{problem}_product_error"] = metric_summary([3.0, error], "ε")
        for pair in linear_collapse.PAIRS:
            metrics[f"{problem}_{pair}_test_accuracy"] = metric_summary([9.0, 10.0, 9.5], "points")
    found = linear_collapse.answer({"metrics": metrics, "config": {}})
    assert found.text.startswith(f"{word}: ") and found.shown is (word == "Yes")
    assert found.text.endswith("9.50 ± 0.29 points (ahead) on moons (3 seeds)")


@pytest.mark.long
def test_a_smoke_run_leaves_a_record_that_agrees_with_itself(tmp_path):
    small = ("--dataset", "digits", "--smoke", "--num-seeds", 2, "--hidden-sizes", 16)
    run(linear_collapse, *small, "--learning-rates", 0.1, 0.01, "--out", tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"record.json", "accuracy.png", "curves.png", "plane.png"}
    record = json.loads((tmp_path / "record.json").read_text())
    values = {name: np.array(metric["values"]) for name, metric in record["metrics"].items()}
    for problem in ("images", "plane"):
        of = {name.removeprefix(f"{problem}_"): v for name, v in values.items() if name.startswith(problem)}
        for one, other in (
            ("deep_linear", "shallow"),
            ("deep_linear", "scikit_learn"),
            ("relu", "deep_linear"),
        ):
            difference = 100 * (of[f"{one}_test_accuracy"] - of[f"{other}_test_accuracy"])
            np.testing.assert_allclose(of[f"{one}_minus_{other}_test_accuracy"], difference, atol=1e-4)
        assert (of["product_error"] < 1000).all() and (of["product_error_double"] < 1000).all()
        assert (of["product_error_relu"] > 0.01).all()
        curves = [np.mean(v, axis=1) for name, v in record["curves"].items() if name.startswith(problem)]
        gaps = (curves[0] - curves[2], curves[1] - curves[3])
        for at, gap in zip(("same_rate", "own_rates"), gaps, strict=True):
            np.testing.assert_allclose(of[f"deep_linear_minus_shallow_loss_{at}"], gap, atol=1e-4)
    assert next(iter(values)) == "images_product_error"
    assert np.shape(record["tables"]["plane"]["deep, ReLU"]) == (60, 60)
    assert np.shape(record["tables"]["test"]["inputs"]) == (300, 2)


BAD = [
    (("--num-epochs", 0), "num_epochs: must be a whole number of at least 1, got 0"),
    (("--batch-size", 0), "batch_size: must be a whole number of at least 1, got 0"),
    (("--batch-size", 5401), "batch_size: must be at most"),
    (("--hidden-sizes", 16, 0), "hidden_sizes: must be a whole number of at least 1, got 0"),
    (("--hidden-sizes",), "hidden_sizes: must hold at least one value, got none"),
    (("--learning-rates", 0.1, -1), "learning_rates: must be a finite number above 0, got -1.0"),
    (("--learning-rates", "nan"), "learning_rates: must be a finite number above 0, got nan"),
    (("--learning-rates",), "learning_rates: must hold at least one value, got none"),
    (("--num-seeds", 0), "num_seeds: must be a whole number of at least 1, got 0"),
    (("--dataset", "diabetes"), "dataset: must have classes"),
    (("--dataset", "digitz"), "digits"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value))
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    if "--dataset" not in arguments:
        arguments = (*arguments, "--dataset", "digits")
    line, status = refused(capsys, linear_collapse, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
