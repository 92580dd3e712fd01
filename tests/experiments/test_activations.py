"""Activations: counting, choosing and judging against hand and NumPy, and a small run of the experiment."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.activations import figures, measure
from experiments.activations.measure import Outcome
from experiments.harness.pages import module_of
from jaxmlp import fit_affine
from jaxmlp.data import sources
from jaxmlp.nn import heads, mlp
from jaxmlp.nn.network import make_network
from jaxmlp.records import metric_summary
from jaxmlp.types import Dataset, Layer
from tests.support.commands import refused, run

activations = module_of("activations")
Config, NAN = activations.Config, np.nan


def test_the_first_epoch_with_the_goal_counts():
    accuracy = np.array([[0.9, 0.95, 0.94, 0.97], [0.1, 0.2, 0.3, 0.94], [0.96, 0.1, 0.1, 0.1]])
    np.testing.assert_array_equal(measure.epochs_to(0.95, accuracy), [2, NAN, 1])


@pytest.mark.parametrize(
    ("epochs", "chosen"),
    [
        # Means 3, 2.5 and 2: the last, though the first two end with more accuracy.
        ([[2, 2, 1], [4, 3, 3]], 2),
        # A seed that does not get there outweighs one that does at once.
        ([[9, 1, NAN], [9, NAN, 1]], 0),
        # Means 3, 2 and 2: of the equal ones the second has more accuracy.
        ([[3, 2, 1], [3, 2, 3]], 1),
        # None gets there: the accuracy alone decides.
        ([[NAN, NAN, NAN], [1, NAN, NAN]], 0),
    ],
)
def test_the_rate_is_the_one_with_the_fewest_epochs_then_the_most_accurate(epochs, chosen):
    accuracy = np.array([[0.99, 0.97, 0.96], [0.99, 0.97, 0.94]])
    assert measure.choose(np.array(epochs, float), accuracy) == chosen


@pytest.mark.parametrize(("when", "asked"), [(1, [5]), (5, [5]), (6, [5, 20]), (99, [5, 20])])
def test_a_run_is_as_long_as_one_rate_needs_for_all_seeds(when, asked, monkeypatch):
    # At the first rate one seed is there at once and the other never, at the second both at ``when``.
    accuracy = np.zeros((2, 2, 20))
    accuracy[0, 0], accuracy[:, 1, when - 1 :] = 1, 1
    calls = []

    def fit_population(*_, num_epochs, **__):
        calls.append(num_epochs)
        return SimpleNamespace(history={"validation_accuracy": accuracy[..., :num_epochs]}), None

    def choose(epochs, last_accuracy):
        raise StopAsyncIteration

    monkeypatch.setattr(measure, "fit_population", fit_population)
    monkeypatch.setattr(measure, "choose", choose)
    with pytest.raises(StopAsyncIteration):
        measure.train(Config(), sources.load_dataset("digits"), 1, "relu")
    assert calls == asked


def params_by_hand():
    """Neurons that receive x, −x and x − 5, and then, with relu and x in (0, 5), x and 40 − 10 x."""
    first = Layer(jnp.array([[1.0, -1.0, 1.0]]), jnp.array([0.0, 0.0, -5.0]))
    second = Layer(jnp.array([[1.0, -10.0], [0.0, 30.0], [0.0, 0.0]]), jnp.array([0.0, 40.0]))
    return first, second, Layer(jnp.ones((2, 2)), jnp.zeros(2))


@pytest.mark.parametrize(
    ("name", "inputs", "share"),
    [
        ("relu", [1.0, 2.0], 2 / 5),
        # At 6 the third neuron wakes up, and at 4.5 the last is dead, but not at 1.
        ("relu", [1.0, 6.0], 1 / 5),
        ("relu", [4.5], 3 / 5),
        ("leaky_relu", [1.0, 2.0], 0),
        # The last one receives more than 30, where in single precision sigmoid is 1 and its slope 0.
        ("sigmoid", [1.0, 2.0], 1 / 5),
    ],
)
def test_a_neuron_is_dead_if_its_slope_is_0_for_every_example(name, inputs, share):
    found = measure.dead_share(mlp.get_activation(name), jnp.array(inputs)[:, None], params_by_hand())
    assert float(found) == pytest.approx(share)


def test_gradient_norms_are_those_of_the_chain_rule():
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(7, 4)).astype(np.float32), random.integers(0, 3, 7).astype(np.int32)
    affine = fit_affine(inputs)
    network = make_network((4, 5, 6, 3), heads.multiclass, affine, activation=jax.nn.sigmoid)
    params = mlp.init(jax.random.key(1), (4, 5, 6, 3), activation=jax.nn.sigmoid)
    weights = [np.asarray(layer.weight, np.float64) for layer in params]
    outputs = [(inputs - affine.shift) / affine.scale]
    for weight in weights[:-1]:
        outputs.append(1 / (1 + np.exp(-outputs[-1] @ weight)))
    odds = np.exp(outputs[-1] @ weights[-1])
    error = (odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[labels]) / 7
    expected = []
    for output, weight in zip(outputs[::-1], weights[::-1], strict=True):
        expected.insert(0, np.linalg.norm(output.T @ error))
        error = error @ weight.T * output * (1 - output)
    batch = Dataset(jnp.array(inputs), jnp.array(labels))
    found = jax.jit(lambda params: measure.gradient_norms(network, batch, params))(params)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "initializer"), [("relu", "He"), ("gelu", "He"), ("sigmoid", "Glorot"), ("selu", "LeCun")]
)
def test_the_initial_weights_are_named(name, initializer):
    assert figures.initializer_name(mlp.get_activation(name)) == initializer


def test_runs_are_timed_in_rounds(monkeypatch):
    order = []

    def epoch_timer(train, dataset, hyperparams):
        def epoch():
            order.append(train)
            return len(order) + hyperparams

        return epoch

    monkeypatch.setattr(measure, "epoch_timer", epoch_timer)
    seconds = measure.seconds_in_turn([("a", 100), ("b", 200)], (), 3)
    assert order == ["a", "b"] * 3
    np.testing.assert_array_equal(seconds, [[101, 103, 105], [202, 204, 206]])


def outcome(epochs, norms=((1.0, 10.0, 100.0),), dead=0.0):
    epochs = np.array(epochs, float)
    seen = {"epochs": epochs, "gradient_norms": np.array(norms), "dead": np.full(len(epochs), dead)}
    seen["wrong"] = np.linspace([0.5] * 4, [0.04] * 4, len(epochs))
    return Outcome(seen, (None, None), {})


def measured(monkeypatch):
    """Relu and sigmoid at one depth, 5 and 4 seconds an epoch of 10 steps, one seed of sigmoid not there."""
    costs = np.array([[4.0, 5.0, 6.0], [2.0, 5.0, 5.0]])
    monkeypatch.setattr(measure, "seconds_in_turn", lambda *_: costs)
    config = Config(activations=("relu", "sigmoid"), depths=(2,), batch_size=2)
    outcomes = {(2, "relu"): outcome([1, 2, 3]), (2, "sigmoid"): outcome([2, 3, NAN])}
    dataset = Dataset(np.zeros((19, 1)), np.zeros(19))
    return config, outcomes, measure.measures(config, dataset, outcomes)


def test_measures_worked_by_hand(monkeypatch):
    _, _, found = measured(monkeypatch)
    sigmoid = {name: values.tolist() for name, (values, _) in found[2, "sigmoid"].items()}
    assert sigmoid["epochs_at_least"] == [2, 3, 21] and sigmoid["seconds_at_least"] == [8, 12, 84]
    assert sigmoid["reached"] == [True, True, False]
    np.testing.assert_allclose(sigmoid["step_time"], [2e5, 5e5, 5e5])
    np.testing.assert_allclose(sigmoid["step_time_ratio"], [2 / 4, 5 / 5, 5 / 6])
    np.testing.assert_allclose(sigmoid["gradient_fade"], [2])


def test_differences_are_in_pairs(monkeypatch):
    _, _, found = measured(monkeypatch)
    difference = activations.minus(found[2, "relu"], found[2, "sigmoid"])
    values = [values.tolist() for values, _ in difference.values()]
    np.testing.assert_allclose(values, [[-1, -1, -18], [5 - 8, 10 - 12, 15 - 84], [2e5, 0, 1e5]])


def record_of(**metrics):
    summaries = {f"relu_minus_tanh_{name}": metric_summary(v, "1") for name, v in metrics.items()}
    return {"metrics": summaries, "config": {"activations": ["relu", "tanh", "elu"], "depths": [1, 6]}}


def test_the_answer_names_the_depths_where_either_half_of_the_claim_is_shown():
    less, more, unclear = [-2.0, -3.0, -2.0], [9.0, 9.5, 8.0], [-2.0, 3.0, 1.0]
    found = activations.answer(
        record_of(
            depth1_epochs_at_least=unclear,
            depth6_epochs_at_least=less,
            depth1_step_time=more,
            depth6_step_time=less,
        )
    )
    epochs, step = found.text.split("In a step's time (3 rounds): ")
    assert "(3 seeds): faster with 6 (-2.33 ± 0.33); no difference shown with 1." in epochs
    assert step == "cheaper with 6 (-2.33 ± 0.33); dearer with 1 (8.83 ± 0.44)"
    assert found.shown and found.metric == "relu_minus_tanh_depth6_epochs_at_least"


def test_one_activation_alone_is_compared_with_none():
    config = {"activations": ["relu"], "depths": [1]}
    metrics = {"relu_depth1_epochs_at_least": metric_summary([2, 3, 4], "epochs")}
    found = activations.answer({"config": config, "metrics": metrics})
    assert found.text == "3.00 ± 0.58 epochs to the goal with 1 hidden layers" and not found.shown


def test_pictures_show_every_depth_and_name_the_initial_weights(monkeypatch, tmp_path):
    config, outcomes, found = measured(monkeypatch)
    drawn = {}
    for module, kind in ((figures.charts, "point_plot"), (figures.plots, "line_plot")):
        monkeypatch.setattr(module, kind, lambda panels, path, **_: drawn.update({path.stem: panels}))
    record = {
        "config": asdict(config),
        "metrics": {name: metric_summary(*v) for name, v in activations.flat("", found).items()},
        "tables": {f"{name}_depth{depth}": one.seen for (depth, name), one in outcomes.items()},
    }
    activations.draw(record, tmp_path)
    assert {tuple(panels) for panels in drawn.values()} == {("hidden layers: 2",)}
    (panel,) = drawn["gradient_norms"].values()
    x, norms = panel["sigmoid (Glorot)"]
    assert list(panel) == ["relu (He)", "sigmoid (Glorot)"]
    assert x.tolist() == [1, 2, 3] and norms.tolist() == [[1, 10, 100]]
    (panel,) = drawn["epochs_at_least"].values()
    assert panel["sigmoid (Glorot)"].tolist() == [2, 3, 21]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("activations")
    run(activations, "--smoke", "--dataset", "digits", "--num-seeds", 3, "--depths", 1, "--out", out)
    return out


@pytest.mark.long
def test_a_run_leaves_record_and_pictures(smoke):
    pictures = {"epochs_at_least", "seconds_at_least", "step_time_ratio", "dead", "wrong", "gradient_norms"}
    assert {path.name for path in smoke.iterdir()} == {"record.json"} | {f"{name}.png" for name in pictures}


@pytest.mark.long
def test_the_record_holds_the_comparison_and_what_was_drawn(smoke):
    record = json.loads((smoke / "record.json").read_text())
    values = {name: metric["values"] for name, metric in record["metrics"].items()}
    assert next(iter(values)) == "relu_minus_sigmoid_depth1_epochs_at_least"
    assert record["question"].endswith("faster with it?")
    steps = [np.array(values[f"{name}_depth1_step_time"]) for name in ("relu", "sigmoid")]
    np.testing.assert_allclose(steps[0] - steps[1], values["relu_minus_sigmoid_depth1_step_time"])
    np.testing.assert_allclose(steps[1] / steps[0], values["sigmoid_depth1_step_time_ratio"])
    table = record["tables"]["sigmoid_depth1"]
    assert np.shape(table["all_epochs"]) == (3, 9) and np.shape(table["gradient_norms"]) == (3, 2)
    chosen = table["learning_rates"].index(table["learning_rate"])
    never = [row[chosen] is None for row in table["all_epochs"]]
    assert values["sigmoid_depth1_reached"] == [1 - missing for missing in never]
    last = [row[chosen] for row in table["all_last_accuracies"]]
    np.testing.assert_allclose(1 - np.array(last), np.array(table["wrong"])[:, -1], atol=1e-4)
    fade = np.log10([row[-1] / row[0] for row in table["gradient_norms"]])
    np.testing.assert_allclose(fade, values["sigmoid_depth1_gradient_fade"], atol=1e-3)


BAD = [
    (("--activations", "relu", "sigmoidd"), "did you mean 'sigmoid'"),
    (("--activations",), "activations"),
    (("--depths", 1, 0), "depths"),
    (("--width", 0), "width"),
    (("--num-epochs", 0), "num_epochs"),
    (("--batch-size", 0), "batch_size"),
    (("--goal", 0), "goal"),
    (("--goal", 1.5), "goal"),
    (("--num-seeds", 0), "num_seeds"),
    (("--dataset", "diabetes"), "real values"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=str)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    arguments = arguments if "--dataset" in arguments else ("--dataset", "digits", *arguments)
    line, status = refused(capsys, activations, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
