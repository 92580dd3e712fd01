"""The three outputs against scikit-learn: each computation by hand, then a short run."""

import json
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_info

from experiments.harness.pages import module_of
from experiments.outputs import measure
from experiments.outputs import softmax as formulas
from jaxmlp import Dataset
from jaxmlp.nn import heads
from jaxmlp.records import metric_summary
from tests.support import commands

outputs = module_of("outputs")
run = partial(commands.run, outputs)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("smoke")
    run("--smoke", "--num-seeds", 2, "--out", out)
    return out, json.loads((out / "record.json").read_text())


def values(record, name):
    return np.array(record["metrics"][name]["values"])


def test_a_run_leaves_record_and_pictures(smoke):
    out, _ = smoke
    pictures = {f"{name}.png" for name in ("breast_cancer", "wine", "diabetes", "softmax")}
    pictures |= {f"reliability_{name}.png" for name in ("breast_cancer", "wine")}
    assert {path.name for path in out.iterdir()} == pictures | {"record.json"}


def test_the_record_holds_each_method_split_by_split(smoke):
    _, record = smoke
    assert record["config"]["varied"] == "split" and record["seeds"] == [0, 1]
    assert next(iter(record["metrics"])) == "breast_cancer_network_accuracy"
    for name in (
        "breast_cancer_{}_log_loss",
        "wine_{}_accuracy",
        "wine_{}_calibration_error",
        "diabetes_{}_r2",
    ):
        for method in ("network", "sklearn_mlp", "linear_model"):
            assert len(values(record, name.format(method))) == 2


def test_the_reliability_table_holds_every_test_example_once(smoke):
    _, record = smoke
    for name, num_tested in (("breast_cancer", 114), ("wine", 36)):
        for method in ("network", "sklearn_mlp", "linear_model"):
            table = record["tables"][name][method]
            assert len(table["confidence"]) == len(table["right"]) == 2 * num_tested
            accuracy = values(record, f"{name}_{method}_accuracy").mean()
            np.testing.assert_allclose(np.mean(table["right"]), accuracy, atol=1e-6)


def test_the_linear_models_find_what_is_known_to_be_in_the_data(smoke):
    _, record = smoke
    assert values(record, "breast_cancer_linear_model_accuracy").min() > 0.9
    assert 0.2 < values(record, "diabetes_linear_model_r2").mean() < 0.7


def test_softmax_keeps_its_laws_where_the_naive_formula_fails():
    laws = jax.jit(formulas.softmax_laws)(jax.random.key(3))
    assert 0 < laws["softmax_sum_off_by"] < 10
    assert laws["softmax_changed_by_shift"] == 0
    assert laws["softmax_finite_share"] == 1 and laws["naive_softmax_finite_share"] == 0


def test_the_naive_formula_is_right_for_small_logits():
    logits = np.array([0.5, -2.0, 3.0])
    np.testing.assert_allclose(formulas.naive_softmax(jnp.asarray(logits)), softmax(logits), rtol=1e-6)
    np.testing.assert_allclose(
        formulas.naive_loss(jnp.asarray(logits), 1), -np.log(softmax(logits)[1]), rtol=1e-6
    )


def test_the_safe_loss_is_exact_at_every_size_and_the_naive_one_ends():
    safe = formulas.loss_by_size(heads.multiclass().loss)
    naive = formulas.loss_by_size(formulas.naive_loss)
    logits = np.outer(formulas.SIZES, np.linspace(-1, 1, 10))
    np.testing.assert_allclose(safe, -log_softmax(logits, axis=1)[:, 0], rtol=1e-5)
    small, large = formulas.SIZES < 30, formulas.SIZES > 100
    np.testing.assert_allclose(naive[small], safe[small], rtol=1e-4)
    assert not np.isfinite(naive[large]).any()


def test_confidence_is_the_predicted_class_s_probability():
    binary = measure.confidence(np.log([[[3.0]], [[1 / 4]]]), np.array([[1], [1]]))
    np.testing.assert_allclose(binary["confidence"], [0.75, 0.8])
    np.testing.assert_array_equal(binary["right"], [1, 0])
    multiclass = measure.confidence(np.log([[[0.2, 0.5, 0.3]]]), np.array([[1]]))
    np.testing.assert_allclose(multiclass["confidence"], [0.5])
    np.testing.assert_array_equal(multiclass["right"], [1])


class Listener:
    """Stands for a model of scikit-learn's that is certain of class 0."""

    def fit(self, inputs, targets):
        self.inputs, self.targets = inputs, targets
        self.threads = {pool["num_threads"] for pool in threadpool_info()}

    def predict_proba(self, inputs):
        return np.tile([1.0, 0.0], (len(inputs), 1))


def test_a_rival_learns_from_all_but_the_test_part_and_zero_is_clipped():
    parts = [Dataset(np.full((n, 1), float(n)), np.full(n, n)) for n in (3, 2, 4)]
    split = SimpleNamespace(train=parts[0], validation=parts[1], test=parts[2], task="binary")
    listener = Listener()
    logits = measure.ask(listener, split)
    np.testing.assert_array_equal(listener.inputs[:, 0], [3, 3, 3, 2, 2])
    np.testing.assert_array_equal(listener.targets, [3, 3, 3, 2, 2])
    assert listener.threads == {1}
    np.testing.assert_allclose(logits, np.tile([0.0, np.log(2.0**-52)], (4, 1)))


def record_of(network, mlp, linear):
    scores = {"network": network, "sklearn_mlp": mlp, "linear_model": linear}
    metrics = {f"breast_cancer_{name}_accuracy": metric_summary(v, "fraction") for name, v in scores.items()}
    return {"dataset": "breast_cancer", "metrics": metrics, "config": {"varied": "split"}}


def test_the_answer_says_where_a_difference_is_shown():
    found = outputs.answer(record_of([0.3, 0.31, 0.29], [0.9, 0.9, 0.9], [0.2, 0.4, 0.3]))
    assert found.text.startswith("No: ") and found.shown
    assert "worse than scikit-learn's MLP on breast cancer" in found.text and "nowhere better" in found.text
    assert found.text.endswith("no difference is shown in 1 of 2 comparisons (3 splits)")


def test_where_no_difference_is_shown_the_answer_is_no_yes():
    # As five new data sets the gaps would show one: 0.015 ± 0.0124. Splits share examples: ± 0.0186.
    gaps = np.array([0.015, 0.025, 0.005, 0.025, 0.005])
    found = outputs.answer(record_of(0.9 - gaps, [0.9] * 5, [0.9] * 5))
    assert found.text.startswith("Not shown to be worse: ") and not found.shown
    assert "nowhere better and nowhere worse; no difference is shown in 2 of 2" in found.text
    assert outputs.answer(record_of([0.5], [0.9], [0.9])).text.startswith("Not shown to be worse: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--learning-rates", -1), "learning_rates"),
        (("--learning-rates", "nan"), "learning_rates"),
        (("--learning-rates",), "learning_rates"),
        (("--num-epochs", 0), "num_epochs"),
        (("--num-seeds", 0), "num_seeds"),
        (("--seed", -1), "seed"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    line, status = commands.refused(capsys, outputs, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
