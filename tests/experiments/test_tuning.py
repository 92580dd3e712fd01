"""A search against scikit-learn's, from the start of the process: the same rows for both, and a trial."""

import json

import numpy as np
import pytest

import jaxmlp
from experiments.tuning import __main__ as tuning
from jaxmlp.records import metric_summary
from tests.support.commands import run


def test_both_meet_all_rows_of_one_split(tmp_path):
    tuning.write_rows("wine", 3, tmp_path)
    found, expected = np.load(tmp_path / "rows.npz"), jaxmlp.load_dataset("wine", split_seed=3)
    np.testing.assert_array_equal(found["test_inputs"], expected.test.inputs)
    assert len(found["train_targets"]) == len(expected.train.inputs) + len(expected.validation.inputs)


def test_real_values_are_refused(tmp_path):
    with pytest.raises(jaxmlp.InputError, match="dataset: must be of classes, got 'diabetes'"):
        tuning.write_rows("diabetes", 0, tmp_path)


def test_a_trial_compares_both(tmp_path):
    run(tuning, "--smoke", "--out", tmp_path)
    found = json.loads((tmp_path / "record.json").read_text())["metrics"]
    values = {name: metric["values"][0] for name, metric in found.items()}
    for way in ("cold", "warm"):
        ratio = values["scikit_learn_time"] / values[f"jaxmlp_{way}_time"]
        np.testing.assert_allclose(values[f"ratio_{way}"], ratio, rtol=1e-3)
    assert min(values[f"{name}_accuracy"] for name in ("jaxmlp_cold", "jaxmlp_warm", "scikit_learn")) > 0.8
    assert (tmp_path / "tuning.png").stat().st_size > 1000


def test_accuracies_on_splits_of_the_same_data_differ_only_by_the_wider_interval():
    # Student's interval of the differences ends at 0.0026, that of splits that share examples at -0.0036.
    gaps = np.array([0.015, 0.025, 0.005, 0.025, 0.005])
    one = {"accuracy": 0.9, "cpu_time": 1.0}
    found = {way: [one | {"time": 2.0 + i} for i in range(5)] for way in tuning.WAYS}
    ours = [one | {"time": 1.0 + i / 2, "accuracy": 0.9 + gap} for i, gap in enumerate(gaps)]
    found["jaxmlp, cold"] = ours
    metrics = {name: metric_summary(*pair) for name, pair in tuning.measures(found).items()}
    text = tuning.answer({"metrics": metrics, "config": {"varied": "split"}}).text
    assert "1.50 ± 0.45 % (no difference shown) (5 splits)" in text
    assert "2.00 ± 0.00 (faster) and 1.00 ± 0.00 (no difference shown) times as fast" in text
