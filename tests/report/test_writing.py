"""A report against scikit-learn on the same predictions, and what it says first."""

import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jaxmlp
from jaxmlp.data.splits import first_examples, join_parts
from jaxmlp.report import pictures
from jaxmlp.report.baselines import fit_baselines
from jaxmlp.report.contents import CONSTANT, LINEAR, row_names
from jaxmlp.report.sentences import tell, verdicts
from jaxmlp.report.writing import make_report, write_page
from jaxmlp.statistics import summarize
from jaxmlp.types import InputError

SMALL = {"hidden_sizes": 8, "depth": 1, "activation": "relu", "optimizer": "adam", "embedding": "none"}
EVIL = "<script>alert('&')</script>\" \x07"


def fitted(splits, **options):
    options = {"num_members": 1, "num_epochs": 3, "progress": False} | options
    return jaxmlp.fit_ensemble(splits, SMALL, **options)


@pytest.fixture(scope="module")
def table():
    """Two classes that follow from a line and from the product of two numbers, beside words and gaps."""
    draws = np.random.default_rng(0)
    first, second, third = draws.normal(size=(3, 400))
    words = draws.choice(["red", "<b>blue</b>", "green"], 400)
    chances = 1 / (1 + np.exp(-(2 * third + 4 * first * second)))
    target = np.where(draws.random(400) < chances, "yes", "no & <never>")
    second[draws.random(400) < 0.1] = np.nan
    frame = pandas.DataFrame(
        {EVIL: first, "second": second, "third": third, "words": words, "bought": target}
    )
    splits = jaxmlp.read_table(frame, "bought")
    return splits, fitted(splits)


@pytest.fixture(scope="module")
def report(table):
    splits, found = table
    return make_report(found, splits)


def with_predictions(report, predictions):
    """The same report, had its ensemble predicted these probabilities of the second class."""
    judged = report.held_out._replace(predictions=np.column_stack([1 - predictions, predictions]))
    compared = fit_baselines(judged, report.found.out_of_fold, report.splits, 1000.0)
    return report._replace(held_out=judged, comparison=compared)


def learnt_by_fold(splits, found, model):
    """The probabilities of scikit-learn's ``model``, for each row from the rows of the other folds."""
    own, data = found.out_of_fold, join_parts(splits).train
    predictions = np.zeros(len(own.rows))
    for fold in np.unique(own.parts):
        asked = own.parts == fold
        model.fit(data.inputs[own.rows[~asked]], own.targets[~asked])
        predictions[asked] = model.predict_proba(data.inputs[own.rows[asked]])[:, 1]
    return predictions


def test_the_measures_are_scikit_learns_of_the_same_predictions(table, report):
    splits, found = table
    own = found.out_of_fold
    test = jaxmlp.predict_proba(found.ensemble, splits.test.inputs).astype(float)
    for name, truth, both in (
        ("held out", own.targets, own.predictions),
        ("test", splits.test.targets, test),
    ):
        found_here, positive = report.measures[name], report.held_out.positive
        hits, chances, labels = truth == positive, both[:, positive], both.argmax(axis=1)
        expected = {
            "accuracy": metrics.accuracy_score(truth, labels),
            "balanced accuracy": metrics.balanced_accuracy_score(truth, labels),
            "AUC": metrics.roc_auc_score(hits, chances),
            "average precision": metrics.average_precision_score(hits, chances),
            "F1": metrics.f1_score(truth, labels, pos_label=positive),
            "log-loss": metrics.log_loss(truth, both),
            "Brier score": metrics.brier_score_loss(hits, chances),
        }
        assert set(found_here) == set(expected)
        for measure, value in expected.items():
            np.testing.assert_allclose(found_here[measure].value, value, rtol=1e-6)
            low, high = found_here[measure].interval
            assert low < value < high


def test_the_best_setting_is_the_lowest_line(table, figure_of):
    """On wine it had the lowest loss and one of the lowest accuracies, and was drawn by these."""
    splits, found = table
    losses = np.array([[0.5, 0.6], [0.4, 0.2]])
    history = {"validation_log_loss": losses, "validation_accuracy": np.array([[0.9, 0.95], [0.8, 0.85]])}
    best = found.sweep.best._replace(member=1)
    swept = found.sweep._replace(history=history, statuses=["finished"] * 2, best=best)
    (axes,) = figure_of(pictures.draw_members, swept, splits).axes
    *others, black = (line.get_ydata() for line in axes.get_lines())
    np.testing.assert_array_equal(black, losses[1])
    assert min(map(np.min, others)) == np.min(black) and axes.get_ylabel() == "held out log-loss (nats)"


def test_where_the_ensemble_says_what_the_shares_say_nothing_was_learnt(report):
    targets = report.held_out.targets
    found = with_predictions(report, np.full(len(targets), np.mean(targets)))
    assert found.comparison.find(CONSTANT).verdict == "level" and found.comparison.num_folds == 4
    assert tell(found)[0].startswith(
        "Nothing was learnt that shows: always the class shares is not shown to be worse: log-loss 0.6"
    )


def test_where_boosting_wins_the_first_three_lines_say_so(table, report):
    linear = learnt_by_fold(*table, make_pipeline(StandardScaler(), LogisticRegression()))
    found = with_predictions(report, linear)
    first = "\n".join(tell(found)[:3])
    assert "HistGradientBoosting with its defaults is better than the ensemble: log-loss " in first
    # What it is compared with is itself.
    level = found.comparison.find(LINEAR)
    assert level.verdict == "level" and abs(level.difference) < 1e-3
    assert "The ensemble is not shown to be better than logistic regression: log-loss " in first


def test_where_the_ensemble_is_better_it_says_than_whom(report):
    (line,) = verdicts(with_predictions(report, 0.1 + 0.8 * report.held_out.targets))
    assert line.startswith("The ensemble is better than HistGradientBoosting with its defaults and logistic ")


def test_differences_are_paired_over_the_rows(report):
    compared, judged = report.comparison, report.held_out
    linear, rows = compared.find(LINEAR), np.flatnonzero(compared.rows)
    ours, theirs = (
        -np.log(of[rows, judged.targets[rows]]) for of in (judged.predictions, linear.predictions)
    )
    expected = summarize(ours - theirs)
    np.testing.assert_allclose(linear.difference, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(linear.interval, expected.interval, rtol=1e-6)
    np.testing.assert_allclose(linear.loss, np.mean(theirs), rtol=1e-6)


def test_a_column_that_gives_the_target_away_is_named():
    draws = np.random.default_rng(0)
    leak, *others = draws.normal(size=(4, 300))
    columns = {"leak": leak, **{f"other {place}": own for place, own in enumerate(others)}}
    splits = jaxmlp.read_table(pandas.DataFrame({**columns, "target": 5 * leak}), "target")
    report = make_report(fitted(splits, num_epochs=60), splits)
    assert next(iter(report.importance)) == "leak"
    assert any("Nearly all rests on the column 'leak' alone" in line for line in tell(report))
    assert any(line.startswith("column 'leak': alone gives the target away") for line in tell(report))


def test_in_time_baselines_learn_from_what_was_before_and_columns_are_asked_of_test_rows():
    draws = np.random.default_rng(0)
    days = draws.permutation(200)
    frame = pandas.DataFrame({"day": days, "first": draws.normal(size=200), "second": draws.normal(size=200)})
    # A target that says when it was.
    splits = jaxmlp.read_table(frame.assign(target=days + 0.5), "target", time="day")
    found = fitted(splits)
    report = make_report(found, splits)
    own, constant = found.out_of_fold, report.comparison.find(CONSTANT)
    for fold in np.unique(own.folds[report.comparison.rows]):
        asked = own.folds == fold
        before = np.arange(own.targets[asked].min() - 0.5) + 0.5
        np.testing.assert_allclose(constant.predictions[asked, 0], before.mean(), rtol=1e-4)
    assert len(report.importance) == 2 and not report.notes
    nowhere = splits.test._replace(inputs=splits.test.inputs[:0], targets=splits.test.targets[:0])
    (note,) = make_report(found, splits._replace(test=nowhere), baselines=False).notes
    assert note.startswith("importance of columns: left out, InputError: test: there are no rows that ")


def parsed(path):
    """The page as a tree, which has to be well-formed for it, and its text."""
    content = path.read_text("utf-8")
    root = ElementTree.fromstring(content.removeprefix("<!DOCTYPE html>"))
    return root, " ".join(root.itertext()), content


def test_the_page_is_one_well_formed_file_in_which_names_are_nothing_but_text(table, tmp_path, capsys):
    splits, found = table
    root, text, content = parsed(
        jaxmlp.write_report(found, splits, tmp_path / "new" / "report.html", cost=(1.0, 5.0))
    )
    assert capsys.readouterr().err == "" and "Could not be shown" not in text and "left out" not in text
    assert "<script" not in content and "<b>blue" not in content
    assert "<script>alert('&')</script>\"" in text and "<b>blue</b>" in text and "no & <never>" in text
    sources = [one.get("src") for one in root.iter("img")]
    assert len(sources) == 6 and all(one.startswith("data:image/png;base64,") for one in sources)
    assert all(one.get("href").startswith("#part") for one in root.iter("a"))
    assert not re.search(r"https?:|@import|url\(", content)
    for title in ("Baselines", "From which probability on", "The hardest rows", "What to do next"):
        assert title in text
    assert "<th>row</th><th>true</th>" in content
    assert "gaps" not in text or "a missing one is taken for" in text


@pytest.mark.parametrize("name", ["linnerud", "digits"])
def test_what_cannot_be_shown_is_left_out_with_a_word(name, tmp_path, capsys):
    if name == "linnerud":
        # Three targets, sixteen rows, no test part.
        splits = jaxmlp.load_dataset("linnerud", test_fraction=0.0)
        expected = ["There are no test rows", "RMSE of target 3", "Chins", "whose width these rows chose"]
    else:
        splits = jaxmlp.load_dataset("digits")
        kept = splits.test.targets != 3
        test = splits.test._replace(
            inputs=splits.test.inputs[kept][:40], targets=splits.test.targets[kept][:40]
        )
        splits = first_examples(splits, 150)._replace(test=test)
        expected = [
            "Look at the hardest images",
            "HistGradientBoosting is for the ",
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, text, _ = parsed(jaxmlp.write_report(fitted(splits), splits, tmp_path / "report.html"))
    assert "Could not be shown" not in text and "report:" not in capsys.readouterr().err
    assert all(part in text for part in expected), text
    # Images have no columns, nor gaps.
    assert ("What it depends on" in text) == ("trees see gaps" in text) == (name == "linnerud")


def test_what_no_search_hands_back_is_refused(table, tmp_path):
    for given in (jaxmlp.EnsembleClassifier(), table[1].ensemble):
        says = f"^found: must be what fit_ensemble hands back for these splits, got {type(given).__name__}; "
        with pytest.raises(InputError, match=says):
            jaxmlp.write_report(given, table[0], tmp_path / "report.html")


def test_leaks_are_told_and_no_name_breaks_a_line(report):
    lines = tell(report._replace(splits=report.splits._replace(leaks=("column 'a': leaks",))))
    assert "column 'a': leaks" in lines
    assert all(line.isprintable() for line in lines) and EVIL in report.importance


def test_held_out_rows_are_called_as_in_their_file(tmp_path):
    draws = np.random.default_rng(0)
    frame = pandas.DataFrame(draws.normal(size=(90, 2)), columns=["a", "b"]).assign(y=np.arange(90) + 0.5)
    frame[:60].to_csv(tmp_path / "own.csv", index=False)
    frame[60:].to_csv(tmp_path / "other.csv", index=False)
    splits = jaxmlp.read_table(tmp_path / "own.csv", "y")
    np.testing.assert_array_equal(splits.rows, join_parts(splits).train.targets + 0.5)
    labelled = jaxmlp.read_table(frame.set_index(frame["y"].astype(str)), "y")
    np.testing.assert_array_equal(labelled.rows.astype(float), join_parts(labelled).train.targets)
    splits = jaxmlp.read_table(tmp_path / "own.csv", "y", validation=tmp_path / "other.csv")
    report = make_report(fitted(splits, num_epochs=1), splits, baselines=False)
    names = row_names(report, np.arange(30))
    assert names == [f"validation {target - 59.5:.0f}" for target in report.held_out.targets[:, 0]]


def test_a_fault_in_one_section_costs_that_section_alone(report, tmp_path, capsys):
    broken = report._replace(
        held_out=report.held_out._replace(predictions=report.held_out.predictions[:, :1])
    )
    _, text, _ = parsed(write_page(broken, tmp_path / "report.html"))
    assert "Could not be shown: " in text and "How the data were read" in text
    assert "warning: report: " in capsys.readouterr().err


def test_classes_that_training_weighed_count_as_often_as_they_come():
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(300, 2))
    labels = (inputs[:, 0] + draws.normal(size=300) > 1).astype(int)
    splits = jaxmlp.from_arrays(inputs, labels, class_weight="balanced")
    found = fitted(splits)
    report = make_report(found, splits, baselines=False)
    own = found.out_of_fold
    plain = metrics.accuracy_score(own.targets, own.predictions.argmax(axis=1))
    np.testing.assert_allclose(report.measures["held out"]["accuracy"].value, plain, rtol=1e-6)
    # What the search measured counts the classes alike.
    np.testing.assert_allclose(
        report.measures["held out"]["balanced accuracy"].value, found.score["accuracy"], rtol=0.03
    )
