"""What a report says, where rows are few, numbers small, classes weighed or names odd."""

import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.data.columns import DateColumn
from jaxmlp.data.splits import first_examples
from jaxmlp.printing import format_number, format_percent, one_line
from jaxmlp.report import measures, pictures, sections, writing
from jaxmlp.report.baselines import fit_baselines
from jaxmlp.report.columns import InputColumn, column_words
from jaxmlp.report.contents import CONSTANT, Baseline
from jaxmlp.report.judged import Judged, row_losses
from jaxmlp.report.markup import text
from jaxmlp.report.measures import Measure, measure
from jaxmlp.report.sentences import format_difference, format_measure, format_value, tell, verdicts
from jaxmlp.report.writing import make_report
from jaxmlp.statistics import summarize
from jaxmlp.types import InputError
from tests.report.test_writing import fitted

TINY = 1e-6


@pytest.fixture(scope="module")
def lines():
    """A small number that follows from another almost without a doubt, and has no test part."""
    draws = np.random.default_rng(0)
    frame = pandas.DataFrame(draws.normal(size=(120, 2)), columns=["a", "b"])
    frame["fraction"] = TINY * (frame["a"] + 1e-4 * draws.normal(size=120))
    splits = jaxmlp.read_table(frame, "fraction", test_fraction=0.0)
    return splits, fitted(splits)


@pytest.fixture(scope="module")
def report(lines):
    splits, found = lines
    return make_report(found, splits)


def baseline(low, high, difference=0.5, kind=CONSTANT):
    return Baseline(kind, "always the mean", np.zeros((1, 1)), 0.5, difference, (low, high), 0.0)


def test_of_a_single_group_no_difference_is_shown(report):
    judged = report.held_out._replace(groups=np.zeros(len(report.held_out.targets), int))
    compared = fit_baselines(judged, report.found.out_of_fold, report.splits, 1000.0)
    assert {one.verdict for one in compared.baselines} == {"level"}
    line, *_ = verdicts(report._replace(comparison=compared))
    assert line.startswith("Nothing was learnt that shows: always the mean is not shown to be worse: R² ")
    assert line.endswith("held out rows, too few that are independent for an interval of the difference")
    assert format_difference(compared.baselines[0]).endswith(" (too few rows)")


def test_differences_have_the_digits_that_show_them(report):
    ridge = report.comparison.find("linear")
    assert ridge.verdict == "ahead" and ridge.loss < 1e-3
    close = report.comparison._replace(loss=2.5e-5, baselines=[baseline(1.1e-5, 3.1e-5, 2e-5, "linear")])
    (line,) = verdicts(report._replace(comparison=close))
    assert "R² 0.999975 of the ensemble against 0.500000 on " in line
    assert line.endswith("difference −0.000031 to −0.000011; use it instead")
    weighed = report._replace(
        splits=report.splits._replace(class_weights=(1.0, 3.0)),
        held_out=report.held_out._replace(class_names=("a", "b")),
        comparison=close,
    )
    (line,) = verdicts(weighed)
    assert "log-loss, classes weighed as in training, 0.000025 of the ensemble against 0.500000 on " in line
    assert format_difference(close.baselines[0]) == "+0.000020 (+0.000011 to +0.000031)"
    assert format_difference(baseline(-0.25, 1.5)) == "+0.500 (−0.250 to +1.500)"


def test_where_test_rows_are_predicted_otherwise_it_is_said_with_what_folds_do(report):
    def told(held_out, test, learnt=report.found.out_of_fold.learnt):
        pair = {"held out": held_out, "test": test}
        around = {part: {"RMSE": Measure(x, (x - 0.1, x + 0.1), "")} for part, x in pair.items()}
        found = report.found._replace(out_of_fold=report.found.out_of_fold._replace(learnt=learnt))
        rows = report._replace(test=report.held_out, measures=around, found=found)
        return [line for line in tell(rows) if line.startswith("The test rows are")]

    start = "The test rows are predicted {} than those held out of training{}: RMSE "
    assert told(1.0, 1.15) == []
    assert told(1.0, 2.0)[0].startswith(start.format("worse", ""))
    assert told(2.0, 1.0)[0].startswith(start.format("better", ", each of which fewer networks predict"))
    assert told(2.0, 1.0, report.found.out_of_fold.learnt[:1])[0].startswith(start.format("better", ""))


def test_small_numbers_are_told_in_their_unit_and_no_share_is_whole_that_is_not(report):
    told = "\n".join(tell(report))
    assert "RMSE 0.000" not in told and "Intervals of ± 0.000" not in told
    # The target's name is none of a unit.
    assert "%" not in format_measure(report.measures["held out"]["RMSE"])
    assert [format_value(value) for value in (0.0, 1.234e-7, 0.01234, -0.5, 12.3456, 1234.5, 2e15)] == [
        *("0.000", "1.23e-07", "0.0123", "−0.500", "12.35", "1,234", "2e+15"),
    ]
    assert format_value(-0.0002, "1") == "0.000" and format_value(-1234.5, "1") == "−1,234"
    shares = [format_percent(share) for share in (0.0, 1e-5, 0.5, 0.99996, 1.0)]
    assert shares == ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %"]
    assert [format_number(one) for one in (-0.0, 2e6, 0.5)] == ["0", "2000000", "0.5"]


def test_intervals_that_the_same_rows_chose_are_not_said_to_hold(report):
    (line,) = [line for line in tell(report) if line.startswith("Intervals")]
    assert "should" not in line and line.endswith("held out rows, by which their width was chosen")
    tested = report._replace(test=report.held_out)
    (line,) = [line for line in tell(tested) if line.startswith("Intervals")]
    assert " should hold 90 %, and hold " in line and line.endswith(" of the test rows")


def test_baselines_that_could_not_be_fitted_were_asked_for(report, lines, tmp_path):
    none = report._replace(comparison=None)
    assert "Left out, as said above." in sections.baselines(none, tmp_path)
    splits, found = lines
    plain = make_report(found, splits, baselines=False)
    assert "Not asked for." in sections.baselines(plain, tmp_path)


def test_losses_of_rows_that_weigh_are_those_of_the_measures():
    draws = np.random.default_rng(0)
    targets, weights = draws.normal(size=(60, 1)), draws.uniform(0.1, 5, 60)
    targets[:30] *= 10
    values = targets + draws.normal(size=(60, 1))
    rows = Judged((), np.zeros((60, 1)), targets, values, weights)
    loss = np.average(row_losses(rows, values), weights=weights)
    np.testing.assert_allclose(1 - loss, measure(rows)["R²"].value)
    # A class that was thought to be impossible costs as much here as there.
    sure = np.eye(2)[draws.integers(0, 2, 60)]
    rows = Judged(("a", "b"), np.zeros((60, 1)), draws.integers(0, 2, 60), sure, weights)
    loss = np.average(row_losses(rows, sure), weights=weights)
    np.testing.assert_allclose(loss, measure(rows)["log-loss"].value)


def test_targets_that_do_not_differ_are_left_out_of_losses():
    targets = np.column_stack([np.arange(4.0), np.full(4, 0.1)])
    values = targets + np.array([1, 1000])
    rows = Judged((), np.zeros((4, 1)), targets, values, np.ones(4))
    np.testing.assert_allclose(row_losses(rows, values), 1 / 1.25)
    with pytest.raises(InputError, match="targets: are the same in all 4 rows"):
        row_losses(rows._replace(targets=targets[:, 1:]), values[:, 1:])


def test_test_rows_of_groups_are_tied():
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    inputs, shifts = draws.normal(size=(120, 2)), 3 * draws.normal(size=30)
    splits = jaxmlp.from_arrays(inputs, inputs[:, 0] + shifts[groups], groups=groups)
    tested = writing.test_rows(fitted(splits), splits)
    assert len(tested.groups) == len(tested.targets) == 4 * len(np.unique(tested.groups))
    apart = measure(tested._replace(groups=None))["RMSE"]
    low, high = measure(tested)["RMSE"].interval
    assert high - low > 1.3 * (apart.interval[1] - apart.interval[0])
    few = first_examples(splits, 5)
    np.testing.assert_array_equal(few.test_groups, splits.test_groups[:5])
    given = jaxmlp.from_arrays(inputs, inputs[:, 0], groups=groups, test=(inputs, inputs[:, 0]))
    assert given.test_groups is None


def test_of_many_classes_of_which_one_occurs_nothing_is_told_apart():
    rows = Judged(("a", "b", "c"), np.zeros((4, 1)), np.ones(4, int), np.full((4, 3), 1 / 3), np.ones(4))
    assert pictures.shown_classes(rows) == []
    assert pictures.shown_classes(rows._replace(targets=np.array([0, 0, 2, 2]))) == [0, 2]


def test_times_are_of_their_day():
    column = InputColumn("at", 0, 1, DateColumn("at", "%d.%m.%Y %H:%M"))
    assert column_words(column, np.array([18322.75, 18322.0])) == ["2020-03-01 18:00", "2020-03-01"]
    clock = InputColumn("at", 0, 1, DateColumn("at", "%H:%M"))
    assert column_words(clock, np.array([0.75])) == ["18:00"]


def test_names_from_right_to_left_turn_nothing_around_them():
    assert text("Decide for 'כן לא' from 0.50 on & <") == (
        "Decide for &#x27;\u2068כן לא\u2069&#x27; from 0.50 on &amp; &lt;"
    )
    assert text("אחת, שתיים: 5") == "\u2068אחת\u2069, \u2068שתיים\u2069: 5"


@pytest.mark.parametrize("number", [2, 3, 8])
def test_intervals_of_few_groups_are_about_as_wide_as_students(number):
    values = np.random.default_rng(number).normal(size=number)
    targets, groups = np.repeat(values, 20)[:, None], np.repeat(np.arange(number), 20)
    rows = Judged((), np.zeros((len(targets), 1)), 9 - targets, np.zeros_like(targets), np.ones(len(targets)))
    low, high = measure(rows._replace(groups=groups))["MAE"].interval
    expected = summarize(values).interval
    np.testing.assert_allclose(high - low, expected[1] - expected[0], rtol=0.3)
    assert measure(rows._replace(groups=groups * 0))["MAE"].interval is None


def test_f1_is_a_mean_over_the_classes_that_occur():
    truth, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 2])
    rows = Judged(("a", "b", "c"), np.zeros((6, 1)), truth, np.eye(3)[labels], np.ones(6))
    # Twice 2 right of 3 that are and, in turn, of 2 and of 3 that are said to be.
    np.testing.assert_allclose(measure(rows)["F1"].value, (2 * 2 / 5 + 2 * 2 / 6) / 2)


def test_test_rows_that_could_not_be_measured_are_there(report, tmp_path):
    tested = report._replace(test=report.held_out)
    assert "no test rows" not in sections.how_good(tested, tmp_path)
    assert "There are no test rows." in sections.how_good(report, tmp_path)


def test_signs_that_join_letters_stay():
    persian = "می\u200cخواهم"
    assert one_line(f"{persian}\u202e\n") == rf"{persian}\u202e\n"
    assert text(f"{persian}\u202e: 1") == f"\u2068{persian}\u2069 : 1"


def test_an_interval_holds_what_it_is_of():
    # A few resamples lack a class, and seem to be all right.
    resamples = np.repeat([0.5, 0.4999, 1.0], [150, 47, 3])
    low, high = measures._middle(resamples, 0.5, 100)
    assert low <= 0.5 <= high < 0.51
    assert measures._middle(np.full(200, 0.5), 0.5, 100) is None
