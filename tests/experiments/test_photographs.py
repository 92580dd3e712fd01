"""Photographs of digits: the same from the same seed, and dark ink where the digit has it."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from experiments.photographs import __main__ as photographs
from experiments.photographs.camera import look, photograph, strokes
from jaxmlp.records import metric_summary
from tests.support.commands import run

DIGIT = load_digits().images[3] / 16


def test_a_seed_makes_the_same_picture_and_another_another():
    one, same, other = (np.asarray(photograph(DIGIT, np.random.default_rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape


def test_a_digit_lies_wholly_in_the_picture():
    for seed in range(50):
        row, column = look((200, 300), 150, np.random.default_rng(seed))
        for along in (row, column):
            assert along.min() < 0 and along.max() > 28
        # Row by row and column by column, the paper goes on.
        assert np.all(np.diff(row, axis=0) > 0) and np.all(np.diff(column, axis=1) > 0)


def test_a_pen_writes_where_the_digit_is():
    row, column = (28 * (places + 0.5) / 8 for places in np.mgrid[:8, :8])
    ink = strokes(DIGIT, row, column, np.random.default_rng(0))
    assert np.all(ink[DIGIT > 0.7] == 1) and np.all(ink[DIGIT < 0.1] == 0)


def test_a_trial_measures_both_shares(tmp_path):
    run(photographs, "--smoke", "--out", tmp_path)
    metrics = json.loads((tmp_path / "record.json").read_text())["metrics"]
    both = [np.array(metrics[name]["values"]) for name in ("photographs", "digits")]
    np.testing.assert_allclose(metrics["difference"]["values"], both[0] - both[1], atol=1e-6)
    assert np.min(both[1]) >= 0.9
    assert (tmp_path / "photographs.png").stat().st_size > 1000
    assert (tmp_path / "examples.png").stat().st_size > 1000


NOT_QUITE, UNCLEAR = [-0.02, -0.03, -0.02], [-0.02, 0.03, 0.01]


@pytest.mark.parametrize(
    ("differences", "word"), [(NOT_QUITE, "Not quite"), (UNCLEAR, "No difference shown")]
)
def test_the_answer_says_what_is_shown_and_what_the_network_may_know(differences, word):
    shares = {"photographs": [0.9, 0.91, 0.92], "digits": [0.93, 0.94, 0.94], "several": [0.0, 0.0, 0.01]}
    shares["difference"] = differences
    metrics = {name: metric_summary(values, "fraction") for name, values in shares.items()}
    record = {"metrics": metrics, "config": {"varied": "set of pictures"}, "dataset": "mnist"}
    found = photographs.answer(record)
    assert found.text.startswith(f"{word}: ") and found.text.endswith("(3 sets of pictures)")
    assert found.shown is (word == "Not quite")
    assert "may have learnt from" in photographs.answer(record | {"dataset": "digits"}).text
