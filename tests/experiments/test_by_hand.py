"""The search against a recipe found by hand: the test of a pair, and a trial."""

import json

import numpy as np
import pytest

from experiments import by_hand
from tests.support.commands import run


@pytest.mark.parametrize(
    ("alone", "probability"),
    # Of twelve coins at most two, or at least ten, are heads with 2 (1 + 12 + 66) / 4096.
    [((10, 2), 158 / 4096), ((2, 10), 158 / 4096), ((3, 3), 1.0), ((0, 0), 1.0)],
)
def test_what_only_one_reads_right_decides(alone, probability):
    one = np.r_[np.ones(50), np.ones(alone[0]), np.zeros(alone[1])].astype(bool)
    other = np.r_[np.ones(50), np.zeros(alone[0]), np.ones(alone[1])].astype(bool)
    np.testing.assert_allclose(by_hand.mcnemar(one, other), probability)


def test_a_trial_compares_both_on_the_same_images(tmp_path):
    run(by_hand, "--smoke", "--dataset", "digits", "--num-seeds", 2, "--out", tmp_path)
    metrics = json.loads((tmp_path / "record.json").read_text())["metrics"]
    search, recipe = (np.array(metrics[f"{name}_accuracy"]["values"]) for name in ("search", "recipe"))
    np.testing.assert_allclose(metrics["search_minus_recipe"]["values"], search - recipe, atol=1e-4)
    # Two epochs are enough to read better than by guessing.
    assert min(search.min(), recipe.min()) > 0.5 and metrics["networks_of_recipe"]["values"] == [1, 1]
    assert (tmp_path / "accuracies.png").stat().st_size > 1000
