"""Folds as one program and one after another: what is compared, and that both are the same networks."""

import json

import numpy as np

from experiments import folds
from jaxmlp.data.folds import assign_folds, cross_folds
from jaxmlp.types import Dataset
from tests.support.commands import run


def test_a_fold_alone_leaves_out_what_it_leaves_out_beside_the_others():
    data = Dataset(np.arange(20.0)[:, None], np.arange(20) % 2)
    whole = cross_folds(data, assign_folds(data.targets, 4))
    for fold in range(4):
        alone = folds.one_fold(whole, fold)
        np.testing.assert_array_equal(alone.held_out.inputs[0], whole.held_out.inputs[fold])
        np.testing.assert_array_equal(alone.train.weights[0], whole.train.weights[fold])
        assert not np.isin(alone.rows, np.flatnonzero(alone.train.weights[0])).any()


def test_a_trial_times_both_and_compares_with_cross_validation(tmp_path):
    run(folds, "--smoke", "--out", tmp_path)
    metrics = json.loads((tmp_path / "record.json").read_text())["metrics"]
    found = {name: np.array(metric["values"]) for name, metric in metrics.items()}
    np.testing.assert_allclose(
        found["digits_ratio"], found["digits_apart_time"] / found["digits_together_time"]
    )
    gap = found["digits_folds_score"] - found["digits_cut_score"]
    np.testing.assert_allclose(found["digits_folds_minus_cut"], gap, atol=1e-6)
    # Three epochs read most digits, in both ways.
    assert min(found["digits_folds_score"].min(), found["digits_cut_score"].min()) > 0.8
    assert (tmp_path / "folds.png").stat().st_size > 1000
