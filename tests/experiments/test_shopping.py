"""Buyers whose motives are known, and neurons that are compared with them."""

import json
from base64 import b64decode
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

import jaxmlp
from experiments.harness.pages import module_of
from jaxmlp.nn import heads
from tests.support.commands import refused, run

shopping = module_of("shopping")
VALUE, NECESSITY, BARGAIN = range(3)
PLACES = np.random.default_rng(0).uniform(size=(20, 2))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("shopping")
    run(shopping, "--smoke", "--num-seeds", 3, "--learning-rates", 1e-6, 0.1, "--out", out)
    return out


def test_indices_are_even_where_a_motive_wavers():
    offers = np.array([[0.5, 0.7], [0.9, 0.8], [0.2, 0.1]])
    np.testing.assert_allclose(np.diagonal(shopping.indices(offers)), 0.5)


def test_each_motive_buys_what_the_article_says():
    washing_machine, trinket, luxury = shopping.indices(np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]))
    assert washing_machine[NECESSITY] > 0.9 and washing_machine[[VALUE, BARGAIN]].max() < 0.1
    assert trinket[BARGAIN] > 0.9 and trinket[[VALUE, NECESSITY]].max() < 0.1
    assert luxury.max() < 0.01
    offers = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(shopping.buying_probability(offers) > 0.5, [True, True, False])


def test_the_probability_of_a_purchase_by_hand():
    # Value and bargain are 1/2 each and necessity 1/(1 + e⁶) = 0.0024726; the coin has one decision in ten.
    met = (0.5**2 + 0.5**2 + 0.0024726**2) / (0.5 + 0.5 + 0.0024726)
    np.testing.assert_allclose(
        shopping.buying_probability(np.array([[0.2, 0.4]])), 0.9 * met + 0.1 / 2, rtol=1e-5
    )


def test_buyers_buy_as_often_as_the_known_probability_says():
    offers, bought = shopping.draw_buyers(100_000, seed=1)
    cells = (offers * 5).astype(int) @ [5, 1]
    count = np.bincount(cells)
    known = np.bincount(cells, shopping.buying_probability(offers)) / count
    deviations = (np.bincount(cells, bought) / count - known) / np.sqrt(known * (1 - known) / count)
    assert np.abs(deviations).max() < 4.5
    assert 0.5 < np.std(deviations) < 1.5


def test_the_same_seed_draws_the_same_buyers():
    for ours, again in zip(shopping.draw_buyers(50, 3), shopping.draw_buyers(50, 3), strict=True):
        np.testing.assert_array_equal(ours, again)
    assert not np.array_equal(shopping.draw_buyers(50, 3)[0], shopping.draw_buyers(50, 4)[0])


class TestByMotive:
    def test_neurons_that_are_the_indices_are_found_in_any_order_and_at_any_scale(self):
        sums = shopping.indices(shopping.PLANE)[:, [BARGAIN, VALUE, NECESSITY]] * [1, 20, 0.1]
        ordered, r = shopping.by_motive(sums)
        np.testing.assert_allclose(r, 1)
        np.testing.assert_array_equal(ordered, sums[:, [1, 2, 0]])

    def test_a_neuron_that_is_off_resembles_nothing_and_the_opposite_counts_with_its_sign(self):
        index = shopping.indices(shopping.PLANE)
        off = np.full(len(index), -1.0)
        _, r = shopping.by_motive(np.stack([off, 1 - index[:, NECESSITY], index[:, VALUE]], axis=1))
        np.testing.assert_allclose(r, [1, -1, 0], atol=1e-12)

    def test_what_is_below_zero_is_off(self):
        index = shopping.indices(shopping.PLANE)
        sums = np.where(index > 0.5, index, -7 * index)
        _, r = shopping.by_motive(sums)
        expected = [np.corrcoef(np.where(i > 0.5, i, 0), i)[0, 1] for i in index.T]
        np.testing.assert_allclose(r, expected)

    def test_the_sum_is_largest_over_all_assignments(self):
        index = shopping.indices(shopping.PLANE)
        # Both first neurons are nearest to value for money; only one of them may stand for it.
        near, nearer = 0.7 * index[:, VALUE] + 0.6 * index[:, NECESSITY], index[:, VALUE]
        ordered, _ = shopping.by_motive(np.stack([near, nearer, index[:, BARGAIN]], axis=1))
        np.testing.assert_array_equal(ordered[:, VALUE], nearer)
        np.testing.assert_array_equal(ordered[:, NECESSITY], near)

    def test_one_relu_neuron_can_pass_the_bar_for_every_index(self):
        price, utility = shopping.PLANE.T
        _, r = shopping.by_motive(np.stack([utility - price, utility - 0.65, 0.35 - price], axis=1))
        assert np.all(r > shopping.APPEARS)


def test_an_index_appears_from_the_bar_on():
    trained = np.array([[0.95, 0.9, 0.91], [0.95, 0.5, 0.2]])
    untrained = np.array([[0.95, 0.1, 0.1], [0.05, 0.5, 0.2], [0.92, 0.93, 0.94]])
    measured = {name: values for name, (values, _) in shopping.appearances(trained, untrained).items()}
    np.testing.assert_array_equal(measured["all_three_appear"], [True, False])
    np.testing.assert_array_equal(measured["untrained_all_three_appear"], [False, False, True])
    np.testing.assert_array_equal(measured["necessity_appears"], [True, False])
    np.testing.assert_array_equal(measured["untrained_bargain_hunter_correlation"], [0.1, 0.2, 0.94])
    np.testing.assert_allclose(measured["trained_minus_untrained_indices_seen"], [2 / 3, 1 / 3])
    np.testing.assert_allclose(measured["trained_minus_untrained_correlation"], [1.61 / 3, 0.9 / 3])


def test_bayes_rule_is_scored_on_the_test_data_and_subtracted(monkeypatch):
    offers = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], np.float32)
    test = jaxmlp.Dataset(offers, np.array([1, 0, 0], np.int32))
    monkeypatch.setattr(jaxmlp, "evaluate", lambda model, part: model)
    scores = [{"accuracy": 1.0, "log_loss": 0.3}, {"accuracy": 0.5, "log_loss": 0.4}]
    fitted = SimpleNamespace(run=SimpleNamespace(best_score=np.array([0.1, 0.2])), models=scores)
    measured = shopping.decisions(test, {"logistic": (0.01, fitted), "mlp": (0.03, fitted)})
    p = shopping.buying_probability(offers)
    log_loss = -np.mean(np.log([p[0], 1 - p[1], 1 - p[2]]))
    np.testing.assert_allclose(measured["bayes_test_accuracy"][0], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(measured["bayes_test_log_loss"][0], log_loss, rtol=1e-5)
    np.testing.assert_allclose(measured["mlp_minus_bayes_accuracy"][0], [1 / 3, -1 / 6], rtol=1e-6)
    np.testing.assert_array_equal(measured["mlp_minus_logistic_log_loss"][0], [0, 0])
    assert measured["mlp_learning_rate"][0] == 0.03
    np.testing.assert_array_equal(measured["mlp_validation_log_loss"][0], [0.1, 0.2])


def test_a_run_leaves_a_record_that_adds_up(smoke):
    record = json.loads((smoke / "record.json").read_text())
    metrics = {name: np.array(metric["values"]) for name, metric in record["metrics"].items()}
    assert next(iter(metrics)) == "all_three_appear"
    assert record["question"].endswith("such as value for money?")
    r = np.stack([metrics[f"{m.replace(' ', '_')}_correlation"] for m in shopping.MOTIVES], axis=1)
    assert r.shape == (3, 3) and np.all((r >= 0) & (r <= 1))
    np.testing.assert_array_equal(metrics["all_three_appear"], np.all(r >= shopping.APPEARS, axis=1))
    assert len(metrics["untrained_all_three_appear"]) == shopping.NUM_UNTRAINED
    for other in ("logistic", "bayes"):
        difference = metrics["mlp_test_log_loss"] - metrics[f"{other}_test_log_loss"]
        np.testing.assert_allclose(metrics[f"mlp_minus_{other}_log_loss"], difference, atol=1e-6)
    assert metrics["mlp_learning_rate"] == [0.1]
    assert [len(layer["bias"][0]) for layer in record["tables"]["mlp"]] == [3, 1]
    assert (smoke / "record.json").stat().st_size < 200_000


def test_the_pictures_can_be_drawn_again_from_the_record(smoke):
    tables = json.loads((smoke / "record.json").read_text())["tables"]
    affine = jaxmlp.Affine(*(np.array(tables["inputs"][name], np.float32) for name in ("shift", "scale")))
    params = tuple(
        jaxmlp.Layer(*(np.array(v, np.float32) for v in layer.values())) for layer in tables["mlp"]
    )
    again = shopping.resemblance(jaxmlp.make_network((2, 3, 1), heads.binary, affine), params)
    metrics = json.loads((smoke / "record.json").read_text())["metrics"]
    np.testing.assert_allclose(again[:, NECESSITY], metrics["necessity_correlation"]["values"], atol=1e-3)
    assert {path.name for path in smoke.glob("*.png")} == {
        *("decisions.png", "indices.png", "neurons.png", "correlations.png")
    }


def test_the_best_network_is_kept_and_its_page_knows_the_truth(smoke):
    record = json.loads((smoke / "record.json").read_text())
    best = np.argmin(record["metrics"]["mlp_validation_log_loss"]["values"])
    model = jaxmlp.load(smoke)
    weights = [np.array(v, np.float32)[best] for v in record["tables"]["mlp"][0].values()]
    shift, scale = (np.array(record["tables"]["inputs"][name]) for name in ("shift", "scale"))
    hidden = np.maximum((PLACES - shift) / scale @ weights[0] + weights[1], 0)
    weights = [np.array(v, np.float32)[best] for v in record["tables"]["mlp"][1].values()]
    logits = (hidden @ weights[0] + weights[1])[:, 0] / model.spec.temperature
    table = pandas.DataFrame(PLACES, columns=["price", "utility"])
    found = jaxmlp.predict_table(model, table)["probability of purchase"]
    # Tables of a record have five digits.
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-3)
    accuracy = record["metrics"]["mlp_test_accuracy"]["values"][best]
    np.testing.assert_allclose(model.spec.metrics["test_accuracy"], accuracy)
    text = (smoke / "page.html").read_text("utf-8").partition('id="content">')[2]
    content = json.JSONDecoder().raw_decode(text)[0]
    assert [field["name"] for field in content["fields"]] == ["price", "utility"]
    ways = [np.linspace(field["low"], field["high"], 61) for field in content["fields"]]
    grid = np.stack(np.meshgrid(*ways), axis=-1).reshape(-1, 2)
    shown = np.frombuffer(b64decode(content["truth"]["shown"]["data"]), "<f4")
    np.testing.assert_allclose(shown, shopping.buying_probability(grid), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--num-epochs", 0), "num_epochs"),
        (("--num-seeds", 0), "num_seeds"),
        (("--seed", -1), "seed"),
        (("--learning-rates", 0.1, -1), "learning_rates"),
        (("--learning-rates", "nan"), "learning_rates"),
        (("--learning-rates",), "learning_rates"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    line, status = refused(capsys, shopping, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []
