"""The comparison on small tables, in a small run."""

import json

import numpy as np
import pytest

from experiments import tabular
from experiments.tabular import Comparison, Outcome
from tests.test_experiments import refused, run


@pytest.fixture(scope="module")
def record(tmp_path_factory, quick_to_compile):
    out = tmp_path_factory.mktemp("tabular")
    run(tabular, "--smoke", "--datasets", "diabetes", "--num-seeds", 2, "--out", out)
    assert {path.name for path in out.iterdir()} == {"record.json", "gains.png", "times.png"}
    return json.loads((out / "record.json").read_text())


def test_every_system_has_a_score_and_a_time_on_every_split(record):
    for system in ("ensemble", "best_member", "scikit_learn", "scikit_learn_tuned"):
        score = record["metrics"][f"diabetes_{system}_test_score"]
        assert score["n"] == 2 and max(score["values"]) <= 1 and score["unit"] == "1"
    for system in ("ensemble", "scikit_learn", "scikit_learn_tuned"):
        assert record["metrics"][f"diabetes_{system}_time"]["mean"] > 0


def test_what_was_measured_of_the_ensembles_is_in_the_record(record):
    assert 0 <= record["metrics"]["diabetes_ensemble_test_coverage_90"]["mean"] <= 1
    ensembles = [{"calibration_error": 0.1, "untempered_calibration_error": 0.2, "accuracy": 0.9}]
    measured = tabular.calibration_measures({"a": Comparison({}, "fraction", ensembles)})
    assert measured == {
        "a_ensemble_test_calibration_error": ([0.1], "fraction"),
        "a_ensemble_test_untempered_calibration_error": ([0.2], "fraction"),
    }


def test_differences_are_paired_by_split():
    systems = {system: [Outcome(0.5, 1.0), Outcome(0.7, 2.0)] for system in tabular.SYSTEMS}
    systems["ensemble"] = [Outcome(0.6, 9.0), Outcome(0.7, 3.0)]
    measured = tabular.measures({"a": Comparison(systems, "fraction", [{}, {}])})
    np.testing.assert_allclose(measured["a_scikit_learn_behind_ensemble"][0], [0.1, 0.0])
    assert measured["a_ensemble_first_time"][0] == [9.0] and measured["a_ensemble_time"][0] == [3.0]


def test_the_peers_learn_from_all_but_the_test_data():
    splits = tabular.datasets.load("wine", validation_fraction=0.2)
    fitted = {}

    class Peer:
        def fit(self, inputs, targets):
            fitted["rows"] = inputs
            return self

        def score(self, inputs, targets):
            fitted["tested"] = inputs
            return 0.5

    assert tabular.trained(Peer(), splits).score == 0.5
    assert len(fitted["rows"]) == len(splits.train.inputs) + len(splits.validation.inputs)
    np.testing.assert_array_equal(fitted["tested"], splits.test.inputs)


def test_bad_input_is_one_line(capsys, tmp_path):
    line, code = refused(capsys, tabular, "--datasets", "wines", "--out", tmp_path)
    assert code == 2 and "did you mean 'wine'" in line
