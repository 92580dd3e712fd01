"""The comparison on small tables, in a small run."""

import json

import jax
import numpy as np
import pytest

from experiments import tabular
from experiments.tabular import Comparison, Outcome
from jaxmlp.data import sources
from jaxmlp.runtime import compilation
from tests.support.commands import refused, run


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("tabular")
    run(tabular, "--smoke", "--datasets", "diabetes", "--num-seeds", 2, "--out", out)
    assert {path.name for path in out.iterdir()} == {
        "record.json",
        "gains.png",
        "times.png",
        "sizes.png",
    }
    return json.loads((out / "record.json").read_text())


@pytest.mark.long
def test_every_system_has_a_score_and_a_time_on_every_split(record):
    for system in ("ensemble", "best_member", "scikit_learn", "scikit_learn_tuned"):
        score = record["metrics"][f"diabetes_{system}_test_score"]
        assert score["n"] == 2 and max(score["values"]) <= 1 and score["unit"] == "1"
    for system in ("ensemble", "ensemble_warm", "scikit_learn", "scikit_learn_tuned"):
        assert record["metrics"][f"diabetes_{system}_time"]["mean"] > 0
    assert record["metrics"]["diabetes_score_of_2"]["n"] == 2


@pytest.mark.long
def test_what_was_measured_of_the_ensembles_is_in_the_record(record):
    assert 0 <= record["metrics"]["diabetes_ensemble_test_coverage_90"]["mean"] <= 1
    ensembles = [{"calibration_error": 0.1, "untempered_calibration_error": 0.2, "accuracy": 0.9}]
    measured = tabular.calibration_measures({"a": Comparison({}, "fraction", ensembles, [])})
    assert measured == {
        "a_ensemble_test_calibration_error": ([0.1], "fraction"),
        "a_ensemble_test_untempered_calibration_error": ([0.2], "fraction"),
    }


def test_differences_are_paired_by_split():
    systems = {system: [Outcome(0.5, 1.0), Outcome(0.7, 2.0)] for system in tabular.SYSTEMS}
    systems["ensemble"] = [Outcome(0.6, 9.0), Outcome(0.7, 3.0)]
    ensembles = [
        {"log_loss": 0.3, "unguarded_log_loss": 0.5, "score_of_1": 0.5, "score_of_4": 0.7},
        {"log_loss": 0.4, "unguarded_log_loss": 0.3, "score_of_1": 0.6, "score_of_4": 0.6},
    ]
    comparison = Comparison(systems, "fraction", ensembles, [4.0])
    measured = tabular.measures({"a": comparison})
    np.testing.assert_allclose(measured["a_scikit_learn_behind_ensemble"][0], [0.1, 0.0])
    assert measured["a_ensemble_time"][0] == [9.0, 3.0] and measured["a_ensemble_warm_time"][0] == [4.0]
    saved, unit = measured["a_log_loss_saved_by_guard"]
    np.testing.assert_allclose(saved, [0.2, -0.1])
    assert unit == "nats" and measured["a_score_of_4"][0] == [0.7, 0.6]
    sizes, gains = tabular.growth(comparison)
    assert sizes == [1, 4]
    np.testing.assert_allclose(gains, [[0, 0.2], [0, 0]])


@pytest.mark.long
def test_a_sweep_that_finds_its_programs_compiles_nothing_and_gives_the_same():
    config = tabular.Config(smoke=True, num_members=2, max_programs=1, progress=False)
    splits = sources.load_dataset("diabetes", validation_fraction=0.2)
    kept = jax.config.values["jax_compilation_cache_dir"]
    least = jax.config.values["jax_persistent_cache_min_compile_time_secs"]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    with tabular.empty_cache():
        assert jax.config.values["jax_compilation_cache_dir"] != kept
        before = compilation.num_cache_hits()
        cold, _ = tabular.swept(config, splits, 0)
        between = compilation.num_cache_hits()
        jax.clear_caches()
        warm, _ = tabular.swept(config, splits, 0)
        assert compilation.num_cache_hits() > between == before
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)
    assert jax.config.values["jax_compilation_cache_dir"] == kept
    np.testing.assert_array_equal(cold.sweep.scores, warm.sweep.scores)


def test_the_peers_learn_from_all_but_the_test_data():
    splits = sources.load_dataset("wine", validation_fraction=0.2)
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
