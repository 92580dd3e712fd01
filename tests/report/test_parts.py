"""Thresholds, columns and their importance, against answers that are known."""

import numpy as np
import pandas
import pytest
from sklearn.metrics import f1_score

import jaxmlp
from jaxmlp.report import columns, importance, thresholds
from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.report.measures import measure
from jaxmlp.report.writing import held_out_rows, rarer_class
from jaxmlp.types import InputError


def judged(inputs, targets, predictions, class_names=()):
    return Judged(class_names, inputs, targets, predictions, np.ones(len(targets)))


def two_classes(num_rows, seed=0, share=0.2):
    """Labels and probabilities that say something of them."""
    draws = np.random.default_rng(seed)
    labels = (draws.random(num_rows) < share).astype(int)
    chances = 1 / (1 + np.exp(-(draws.normal(size=num_rows) + 2 * labels - 2)))
    return judged(np.zeros((num_rows, 1)), labels, np.column_stack([1 - chances, chances]), ("a", "b"))


def test_the_threshold_for_f1_is_that_of_trying_all():
    rows = two_classes(200)
    truth, chances = rows.targets == 1, rows.predictions[:, 1]
    found = thresholds.best_threshold(truth, chances, rows.weights)
    every = [f1_score(truth, chances >= one) for one in chances]
    np.testing.assert_allclose(f1_score(truth, chances >= found), max(every))


def test_the_threshold_for_a_cost_is_that_of_trying_all():
    rows = two_classes(200)
    truth, chances = rows.targets == 1, rows.predictions[:, 1]

    def cost(threshold):
        return 1 * np.sum(~truth & (chances >= threshold)) + 5 * np.sum(truth & (chances < threshold))

    found = thresholds.best_threshold(truth, chances, rows.weights, (1.0, 5.0))
    assert cost(found) == min(map(cost, [*chances, 1.1]))
    # Of probabilities that are right it would be 1 / (1 + 5).
    assert found < 0.5


def test_what_a_threshold_reaches_is_measured_by_others_choice():
    rows = two_classes(60)
    # Where probabilities say nothing, the best threshold of a few rows seems to be worth something on them.
    rows = rows._replace(predictions=np.random.default_rng(1).permutation(rows.predictions))
    parts, truth = np.arange(60) % 4, rows.targets == 1
    plain, chosen = thresholds.choose_thresholds(rows, parts)
    decided = np.zeros(60, bool)
    for part in range(4):
        own, chances = parts == part, rows.predictions[:, 1]
        decided[own] = chances[own] >= thresholds.best_threshold(
            truth[~own], chances[~own], rows.weights[~own]
        )
    assert plain.threshold == 0.5 and chosen.measures["F1"] == f1_score(truth, decided)
    assert chosen.measures["F1"] < f1_score(truth, rows.predictions[:, 1] >= chosen.threshold)


@pytest.mark.parametrize("text", ["1", "1:2:3", "a:b", "0:1", "-1:2"])
def test_a_cost_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="cost: must be"):
        thresholds.parse_cost(text)


def test_a_cost_is_two_numbers():
    assert thresholds.parse_cost("1:2.5") == (1.0, 2.5) and thresholds.parse_cost(None) is None


def test_a_cost_of_other_than_two_classes_is_refused():
    thresholds.check_cost((1.0, 5.0), "binary")
    for task in ("multiclass", "regression"):
        thresholds.check_cost(None, task)
        with pytest.raises(InputError, match=f"cost: is for two classes, and this is {task}"):
            thresholds.check_cost((1.0, 5.0), task)


def test_a_threshold_helps_where_others_are_decided_better():
    plain = thresholds.Threshold("0.5", 0.5, {"F1": 0.8, "cost per row": 0.3})
    for name, helps in {"for F1": False, "for the cost": True}.items():
        other = thresholds.Threshold(name, 0.2, {"F1": 0.7, "cost per row": 0.2})
        assert thresholds.helps(other, plain) is helps


def test_the_rarer_class_is_that_of_all_rows():
    # Of the earliest rows, which are learnt from, most are of class 1.
    labels = np.r_[np.ones(45, int), np.zeros(75, int)]
    splits = jaxmlp.from_arrays(np.arange(120.0)[:, None], labels, time=np.arange(120))
    assert splits.train.targets.mean() > 0.5 and rarer_class(splits) == 1


def test_weights_of_classes_are_taken_off_where_they_were_put_on():
    draws = np.random.default_rng(0)
    inputs, labels = draws.normal(size=(120, 2)), np.arange(120) % 6 == 0
    inputs[:, 0] += labels
    for own in ({}, {"validation": (inputs[:60], labels[:60].astype(int))}):
        splits = jaxmlp.from_arrays(inputs, labels.astype(int), class_weight="balanced", **own)
        found = jaxmlp.fit_ensemble(splits, num_epochs=2, batch_size=32, progress=False)
        assert len(np.unique(np.round(held_out_rows(found, splits).weights, 5))) == 1


@pytest.fixture(scope="module")
def mixed():
    """A number with gaps, a word, a date and the target."""
    draws = np.random.default_rng(0)
    number = draws.normal(size=200)
    number[:30] = np.nan
    days = pandas.Timestamp("2020-03-01") + pandas.to_timedelta(draws.integers(0, 900, 200), "D")
    frame = pandas.DataFrame({"number": number, "word": draws.choice(list("xyz"), 200), "day": days})
    frame["target"] = draws.normal(size=200)
    return jaxmlp.read_table(frame, "target")


def test_columns_are_found_again_in_their_inputs(mixed):
    found = columns.input_columns(mixed)
    assert [one.name for one in found] == ["number", "word", "day"]
    assert sum(one.width for one in found) == mixed.train.inputs.shape[1]
    inputs = mixed.train.inputs
    for one in found:
        values = columns.column_values(one, inputs)
        # What is missing is filled; both say so.
        np.testing.assert_allclose(columns.encode_values(one, values), inputs[:, one.places], atol=1e-5)
    assert np.isnan(columns.column_values(found[0], inputs)).sum() == (inputs[:, 1] > 0).sum() > 0
    assert set(columns.column_words(found[1], columns.column_values(found[1], inputs))) == {"x", "y", "z"}
    assert columns.column_words(found[2], np.array([18322.0, np.nan])) == ["2020-03-01", "(missing)"]


def test_all_inputs_of_a_column_are_shuffled_together(mixed):
    found, inputs, seen = columns.input_columns(mixed), np.asarray(mixed.train.inputs), []

    def predict_rows(changed):
        seen.append(changed)
        return changed[:, found[1].places][:, :1]

    rows = judged(inputs, inputs[:, [2]].astype(float), predict_rows(inputs))
    rises = importance.column_importance(rows, predict_rows, found)
    # The model knows the first word alone, of which two rows disagree with probability 2 p (1 − p).
    assert next(iter(rises)) == "word" and (rises["number"] == 0).all() and (rises["day"] == 0).all()
    np.testing.assert_allclose(rises["word"].mean(), 2, rtol=0.25)
    for changed in seen:
        np.testing.assert_array_equal(changed[:, found[1].places].sum(axis=1), 1)
        for one in found:
            was, now = (np.unique(of[:, one.places], axis=0) for of in (inputs, changed))
            np.testing.assert_array_equal(was, now)


def test_partial_dependence_is_the_average_where_all_have_the_value(mixed):
    found, inputs = columns.input_columns(mixed), np.asarray(mixed.train.inputs)
    number, word, _ = found

    def predict_rows(changed):
        return (3 * changed[:, :1] + changed[:, word.places] @ [[1.0], [10.0], [100.0]]).astype(float)

    rows = judged(inputs, inputs[:, [0]].astype(float), predict_rows(inputs))
    effect = importance.partial_dependence(rows, predict_rows, word)
    np.testing.assert_allclose(effect.averages[:, 0] - 3 * inputs[:, 0].mean(), [1, 10, 100], rtol=1e-5)
    effect = importance.partial_dependence(rows, predict_rows, number)
    known = ~np.isnan(effect.values)
    assert known.sum() == 12 and np.isnan(effect.values[-1])
    np.testing.assert_allclose(
        np.diff(effect.averages[known, 0]), 3 * np.diff(effect.values[known]), rtol=1e-4
    )


def test_losses_of_rows_are_those_of_r2_and_of_log_loss():
    from sklearn.metrics import log_loss, r2_score

    draws = np.random.default_rng(0)
    targets = draws.normal(size=(50, 2)) * [1, 1000]
    values = targets + draws.normal(size=(50, 2)) * [0.5, 100]
    rows = judged(np.zeros((50, 1)), targets, values)
    np.testing.assert_allclose(1 - row_losses(rows, values).mean(), r2_score(targets, values))
    rows = two_classes(50)
    np.testing.assert_allclose(
        row_losses(rows, rows.predictions).mean(), log_loss(rows.targets, rows.predictions)
    )


def test_what_cannot_be_measured_is_nan_and_has_no_interval():
    rows = two_classes(40)
    alone = rows._replace(targets=np.zeros(40, int))
    found = measure(alone)
    assert np.isnan(found["AUC"].value) and found["AUC"].interval is None
    assert found["accuracy"].interval is not None
    # Of one row nothing is known but what it is.
    single = measure(judged(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1))))
    assert single["RMSE"] == (0, None, "") and np.isnan(single["R²"].value)
    one_class = measure(two_classes(1))
    assert one_class["log-loss"].interval is None and one_class["accuracy"].interval is not None


def test_intervals_of_many_rows_are_those_of_their_number():
    few, many = (measure(two_classes(number), most_resamples=60) for number in (5_000, 50_000))
    for name in ("balanced accuracy", "AUC", "log-loss"):
        # Ten times as many rows, √10 times as sure.
        assert np.ptp(few[name].interval) / np.ptp(many[name].interval) == pytest.approx(
            np.sqrt(10), rel=0.4
        ), name


def test_a_target_that_never_changes_has_no_r2():
    targets = np.column_stack([np.arange(40.0), np.full(40, 0.1)])
    found = measure(judged(np.zeros((40, 1)), targets, targets + np.sin(targets)))
    of_all, first, second = (
        found[f"R²{of}"] for of in (", mean of the targets", " of target 1", " of target 2")
    )
    assert of_all.value == first.value > 0.9 and np.isnan(second.value) and second.interval is None


def test_intervals_end_where_measures_do_and_groups_are_drawn_whole():
    labels = np.arange(40) % 2
    sure = np.where(labels[:, None] == [0, 1], 0.9, 0.1)
    sure[0] = 0.4, 0.6
    rows = judged(np.zeros((40, 1)), labels, sure, ("a", "b"))
    for one in (rows, rows._replace(groups=np.arange(40) // 4)):
        found = measure(one)
        for name in ("accuracy", "balanced accuracy", "AUC", "average precision", "F1"):
            # There is none where all resamples are alike.
            low, high = found[name].interval or (0, 1)
            assert 0 <= low <= high <= 1, name
    copies = rows._replace(groups=np.arange(40) // 20)
    plain, tied = (np.ptp(measure(one)["log-loss"].interval) for one in (rows, copies))
    assert tied != plain
