"""The chain rule by hand, the witnesses that it is set against, and the law of one step on one image."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.backprop import gradients
from experiments.harness.pages import module_of
from jaxmlp import apply, init
from jaxmlp.nn import heads
from jaxmlp.nn.network import make_network
from jaxmlp.types import Dataset, Layer
from tests.support.commands import refused, run

RATE = 0.1
backprop = module_of("backprop")
TARGETS = {
    "regression": np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]]),
    "binary": np.array([0, 1], np.int32),
    "multiclass": np.array([2, 0], np.int32),
}


def worked_example():
    """x = (1, 2) makes z = (3, −1), so the second neuron is off, and 7 where 5 is right."""
    hidden = Layer(jnp.array([[1.0, 1.0], [1.0, -1.0]]), jnp.zeros(2))
    output = Layer(jnp.array([[2.0], [5.0]]), jnp.ones(1))
    return (hidden, output), Dataset(np.array([[1.0, 2.0]], np.float32), np.array([5.0], np.float32))


def worked_case(batch=None):
    """The same as a case of one seed at two moments that are alike."""
    params, example = worked_example()
    network = make_network((2, 2, 1), heads.regression, gradients.UNCHANGED)
    path = jax.tree.map(lambda leaf: np.stack([leaf, leaf])[None], params)
    return gradients.Case("regression", network, batch or example, path, {})


def test_the_chain_rule_of_an_example_worked_by_hand():
    grads, deltas = gradients.chain_rule("regression", *worked_example())
    np.testing.assert_array_equal(deltas[1], [[4]])
    np.testing.assert_array_equal(deltas[0], [[8, 0]])
    np.testing.assert_array_equal(grads[1].weight, [[12], [0]])
    np.testing.assert_array_equal(grads[1].bias, [4])
    np.testing.assert_array_equal(grads[0].weight, [[8, 0], [16, 0]])
    np.testing.assert_array_equal(grads[0].bias, [8, 0])


@pytest.mark.parametrize("head", TARGETS)
def test_the_chain_rule_is_the_gradient_of_the_librarys_loss(head):
    targets, sizes = TARGETS[head], (4, 5, 3, 2, 1 if head == "binary" else 3)
    with jax.enable_x64(True):
        params = init(jax.random.key(1), sizes)
        inputs = jax.random.normal(jax.random.key(2), (2, 4))
        loss = heads.HEADS[head]().loss

        def mean_loss(params):
            return jnp.mean(jax.vmap(lambda x, t: loss(apply(params, x), t))(inputs, jnp.asarray(targets)))

        expected = jax.jit(jax.grad(mean_loss))(params)
        grads, _ = jax.jit(partial(gradients.chain_rule, head))(params, Dataset(inputs, targets))
    assert max(np.abs(layer.weight).max() for layer in expected) > 1e-3
    for ours, theirs in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


def test_slopes_of_a_sum_of_cubes():
    with jax.enable_x64(True):
        params = (Layer(jnp.array([[0.5, -1.0]]), jnp.array([2.0, 3.0])),)
        found = gradients.slopes(
            lambda p: jnp.sum(p[0].weight ** 3) + jnp.sum(p[0].bias ** 3), params, np.array([3, 0])
        )
    np.testing.assert_allclose(found, [27, 0.75], rtol=1e-6)


def test_a_chain_rule_wrong_by_a_thousandth_agrees_to_three_digits(monkeypatch):
    right = gradients.compare(worked_case())
    error = gradients.OUTPUT_ERRORS["regression"]
    monkeypatch.setitem(gradients.OUTPUT_ERRORS, "regression", lambda z, t: 1.001 * error(z, t))
    wrong = gradients.compare(worked_case())
    assert right["jax.grad"].shape == (1, 2) and right["jax.grad"].min() > 15
    assert right["finite differences"].min() > 7
    for witness in gradients.WITNESSES:
        np.testing.assert_allclose(wrong[witness], 3, atol=2e-3)


def test_error_signals_are_means_over_neurons_and_examples():
    _, example = worked_example()
    batch = Dataset(np.concatenate([example.inputs] * 2), np.array([5, 9], np.float32))
    signals = gradients.error_signals(worked_case(batch))
    assert list(signals) == ["one image", "mean of 2 images"]
    np.testing.assert_array_equal(signals["one image"]["output layer"], [[4, 4]])
    np.testing.assert_array_equal(signals["one image"]["hidden layer 1"], [[4, 4]])
    # The second example's output is too small by 2, so its signals are −4 and (−8, 0).
    np.testing.assert_array_equal(signals["mean of 2 images"]["output layer"], [[4, 4]])
    np.testing.assert_array_equal(signals["mean of 2 images"]["hidden layer 1"], [[4, 4]])


def test_one_step_subtracts_the_image_times_its_signal():
    step = gradients.one_step(worked_case(), RATE)
    np.testing.assert_array_equal(step["delta"][0, 1], [8, 0])
    np.testing.assert_array_equal(step["before"][0, 1], [[1, 1], [1, -1]])
    np.testing.assert_allclose(step["after"][0, 1], [[1 - RATE * 8, 1 - RATE * 16], [1, -1]], atol=1e-14)
    np.testing.assert_allclose(step["correlation"][0, 1], [-1, 0], atol=1e-14)
    assert step["obeys"].all()


def test_the_law_wants_a_multiple_against_the_signal_or_nothing():
    image = np.array([0.0, 1.0, 3.0, 0.5])
    rows = {
        "against": (2.0, -3 * image, -1, True),
        "along": (2.0, 3 * image, 1, False),
        "off": (0.0, 0 * image, 0, True),
        "off, yet changed": (0.0, image, 1, False),
        "another picture": (-1.0, image**2, np.corrcoef(image, image**2)[0, 1], False),
    }
    delta, change, r, obeys = (np.array(column) for column in zip(*rows.values(), strict=True))
    with jax.enable_x64(True):
        found = gradients.law(jnp.asarray(delta), jnp.asarray(change), image)
    np.testing.assert_allclose(found["correlation"], r, atol=1e-12)
    np.testing.assert_array_equal(found["obeys"], obeys)


def test_traces_show_the_largest_the_least_and_the_faintest():
    delta = np.array([0.1, 0.5, -0.2, 0.0])
    before, after = np.zeros((4, 4)), np.arange(16.0).reshape(4, 4)
    step = {"delta": delta, "before": before, "after": after, "correlation": -np.sign(delta)}
    traces = backprop.traces_of(np.ones((2, 2)), {name: v[None, None] for name, v in step.items()})
    assert [title for title in traces["titles"] if "before" in title] == [
        *("neuron 1 before", "neuron 2 before", "neuron 3 before")
    ]
    np.testing.assert_array_equal(traces["images"][4], after[1].reshape(2, 2))
    np.testing.assert_array_equal(traces["images"][6], np.full((2, 2), -0.2))


def test_measures_take_the_worst_head_state_and_neuron():
    digits = np.array([[7.0, 5.0], [8.0, 9.0]])
    agreement = {head: dict.fromkeys(gradients.WITNESSES, digits + i) for i, head in enumerate("ab")}
    step = {
        "delta": np.array([[[1.0, 0.0], [1.0, 1.0]]] * 2),
        "correlation": np.array([[[-0.9, 0.0], [0.8, -1.0]]] * 2),
        "obeys": np.array([[[False, True], [True, True]]] * 2),
    }
    signals = {"one image": {}, "batch": {"output layer": np.array([[4.0, 2.0, 1.0], [2.0, 1.0, 1.0]])}}
    found = {name: values for name, (values, _) in backprop.measures(agreement, signals, step).items()}
    np.testing.assert_array_equal(found["agreeing_digits_float32"], [5, 8])
    np.testing.assert_array_equal(found["smallest_correlation"], [0.8, 0.8])
    np.testing.assert_array_equal(found["neurons_that_obey"], [0.75, 0.75])
    np.testing.assert_array_equal(found["untrained_neurons_on"], [0.5, 0.5])
    np.testing.assert_array_equal(found["trained_neurons_on"], [1, 1])
    np.testing.assert_array_equal(found["error_left"], [0.25, 0.5])


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("backprop")
    run(backprop, "--smoke", "--num-seeds", 2, "--hidden-sizes", 8, "--out", out)
    return out


@pytest.mark.long
def test_a_smoke_run_leaves_record_and_pictures(smoke):
    names = {path.name for path in smoke.iterdir()}
    assert names == {"record.json", "agreement.png", "error_signals.png", "one_step.png"}
    record = json.loads((smoke / "record.json").read_text())
    assert record["question"] == "Is backpropagation nothing but the chain rule?"
    assert all(metric["n"] == 2 for metric in record["metrics"].values())
    assert next(iter(record["metrics"])) == "agreeing_digits"
    assert min(record["metrics"]["agreeing_digits"]["values"]) > 12
    assert min(record["metrics"]["agreeing_digits_float32"]["values"]) > 5
    assert min(record["metrics"]["agreeing_digits_finite_differences"]["values"]) > 6
    assert record["metrics"]["neurons_that_obey"]["values"] == [1, 1]
    assert 0 < record["metrics"]["untrained_neurons_on"]["mean"] < 1
    assert set(record["tables"]["agreeing_digits"]) == {"regression", "binary", "multiclass"}


BAD = [
    (("--dataset", "wine"), "dataset"),
    (("--dataset", "digitz"), "digits"),
    (("--num-epochs", "0"), "num_epochs"),
    (("--batch-size", "0"), "batch_size"),
    (("--batch-size", "100000"), "batch_size"),
    (("--learning-rate", "-1"), "learning_rate"),
    (("--hidden-sizes", "8", "0"), "hidden_sizes"),
    (("--num-seeds", "0"), "num_seeds"),
    (("--seed", "-1"), "seed"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value))
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    line, status = refused(capsys, backprop, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
