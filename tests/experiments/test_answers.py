"""Numbers of a record in words."""

import numpy as np
import pytest

from experiments.harness import answers
from jaxmlp.records import metric_summary


@pytest.fixture
def record():
    gaps = {"above": [1.0, 2.0, 3.0], "below": [-2.0, -3.0, -2.0], "both": [-1.0, 1.0, 3.0], "one": [5.0]}
    return {"metrics": {name: metric_summary(values, "nats") for name, values in gaps.items()}}


# Student's 95 % quantile of 2 degrees of freedom is 4.303: [-0.48, 4.48] for the first.
@pytest.mark.parametrize(
    ("name", "than", "sign"),
    [("above", 0, 0), ("above", -1, 1), ("below", 0, -1), ("both", 0, 0), ("one", 0, 0)],
)
def test_a_sign_needs_an_interval_on_one_side(record, name, than, sign):
    assert answers.sign(record, name, than) == sign


def test_measures_are_sorted_by_what_they_show(record):
    names = {"first": "above", "second": "below", "third": "both"}
    assert answers.by_sign(record, names, than=-0.5) == {1: ["first"], -1: ["second"], 0: ["third"]}


def test_a_difference_says_whether_it_is_shown(record):
    assert answers.compared(record, "below", "more", "less") == "-2.33 ± 0.33 nats (less)"
    assert answers.compared(record, "both") == "1.00 ± 1.15 nats (no difference shown)"


def test_a_number_that_was_not_finite_is_nan_and_shows_nothing():
    metric = {"mean": None, "standard_error": None, "interval": [None, None], "values": [1.0, None]}
    record = {"metrics": {"gap": metric | {"unit": "1"}}}
    assert answers.sign(record, "gap") == 0 and np.isnan(answers.mean(record, "gap"))
    assert answers.values(record, "gap").tolist()[0] == 1 and np.isnan(answers.values(record, "gap")[1])
    assert answers.said(record, "gap") == "not finite"


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), ([1, 3], "1 and 3"), (("a", "b", "c"), "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names, text):
    assert answers.listed(names) == text


def test_a_name_becomes_part_of_a_metric_s():
    assert answers.slug("512-512, batch 32") == "512_512_batch_32"


def test_splits_that_share_examples_need_a_wider_interval(record):
    # √(1 + 3/4) times as wide: [-3.77, -0.90] of "below" becomes [-4.23, -0.44].
    assert [answers.sign(record, "below", -0.5, splits=splits) for splits in (False, True)] == [-1, 0]
    assert answers.compared(record, "below", splits=True).endswith("(behind)")


def test_two_measures_are_compared_in_pairs(record):
    pair = answers.paired(record, "above", "both")
    assert answers.values(pair, "difference").tolist() == [2, 1, 0] and answers.sign(pair, "difference") == 0


@pytest.mark.parametrize(
    ("name", "config", "text"),
    [
        ("above", {}, "3 seeds"),
        ("one", {"varied": "split"}, "1 split"),
        ("above", {"varied": "set of pictures"}, "3 sets of pictures"),
    ],
)
def test_over_how_many_is_said(record, name, config, text):
    assert answers.counted(record | {"config": config}, name) == text
