"""Whether scores are honest: what is compared, and where there is nothing to learn."""

import json

import numpy as np

from experiments import optimism
from jaxmlp.records import metric_summary
from tests.support.commands import run


def test_a_score_that_was_too_good_is_above_zero():
    losses = {"held_out": np.array([0.4, 0.6]), "unseen": np.array([0.5, 0.8])}
    np.testing.assert_allclose(optimism.excess(losses), [0.2, 0.4])


def test_noise_has_other_rows_for_every_seed_and_none_on_both_sides():
    (train, test), (other, _) = optimism.noise(0), optimism.noise(1)
    assert (len(train), len(test)) == optimism.NOISE_ROWS
    assert not set(train["number 0"]) & (set(test["number 0"]) | set(other["number 0"]))


def test_a_trial_measures_both_losses_of_each_table(tmp_path):
    run(optimism, "--smoke", "--datasets", "noise", "wine", "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    losses = record["tables"]["losses"]
    assert {name: len(each["unseen"]) for name, each in losses.items()} == {"noise": 2, "wine": 2}
    values = record["metrics"]["noise_optimism"]["values"]
    # Tables of a record have four digits.
    np.testing.assert_allclose(values, optimism.excess(losses["noise"]), atol=3e-4)
    # A coin's loss is at least log 2, but for chance.
    assert np.min(losses["noise"]["unseen"]) > 0.6
    assert (tmp_path / "optimism.png").stat().st_size > 1000


def test_splits_of_one_table_share_rows_and_tables_of_noise_do_not():
    gaps = [0.015, 0.025, 0.005, 0.025, 0.005]
    metrics = {f"{name}_optimism": metric_summary(gaps, "fraction") for name in ("noise", "wine")}
    record = {"metrics": metrics, "tables": {"losses": {"noise": {}, "wine": {}}}}
    text = optimism.answer(record).text
    assert text.startswith("Too good on noise. ") and text.endswith("wine 1.50 ± 0.45 % (n = 5)")
    record = {"metrics": metrics, "tables": {"losses": {"wine": {}}}}
    assert optimism.answer(record).text.startswith("No score is shown to be too good. ")
