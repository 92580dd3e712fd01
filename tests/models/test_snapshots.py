"""What a network was on its way: kept without a change to the run, also after a resume, and on disk."""

import chex
import jax
import numpy as np
import pytest

import jaxmlp
from jaxmlp.models.snapshots import load_snapshots, save_snapshots
from jaxmlp.train.snapshots import plan_snapshots
from jaxmlp.types import InputError

QUICK = {"hidden_sizes": (6,), "learning_rate": 0.02, "num_seeds": 2, "progress": False}


@pytest.fixture(scope="module")
def splits():
    return jaxmlp.load_dataset("iris")


@pytest.fixture(scope="module")
def result(splits):
    return jaxmlp.fit_mlp(splits, num_epochs=12, num_snapshots=5, **QUICK)


@pytest.mark.parametrize(
    ("num_epochs", "count", "epochs"),
    [(100, 0, ()), (100, 1, (0, 100)), (100, 4, (0, 1, 10, 100)), (3, 9, (0, 1, 2, 3)), (1, 5, (0, 1))],
)
def test_most_are_early(num_epochs, count, epochs):
    assert plan_snapshots(num_epochs, count) == epochs


def test_a_number_below_zero_is_refused(splits):
    with pytest.raises(InputError, match="num_snapshots: must be"):
        jaxmlp.fit_mlp(splits, num_epochs=2, num_snapshots=-1, **QUICK)


def test_snapshots_change_nothing_and_are_what_shorter_runs_end_with(splits, result):
    assert tuple(result.run.snapshots) == plan_snapshots(12, 5)
    without = jaxmlp.fit_mlp(splits, num_epochs=12, **QUICK)
    chex.assert_trees_all_equal(result.run.params, without.run.params)
    assert without.snapshots == {}
    for epochs in [epoch for epoch in result.run.snapshots if epoch][:2]:
        shorter = jaxmlp.fit_mlp(splits, num_epochs=epochs, num_snapshots=1, **QUICK).run.snapshots
        chex.assert_trees_all_equal(result.run.snapshots[epochs], shorter[epochs])
        chex.assert_trees_all_equal(result.run.snapshots[0], shorter[0])


def test_they_end_with_the_model_itself(splits, result):
    assert (
        list(result.snapshots)[-1] == result.best_epoch
        and result.snapshots[result.best_epoch] is result.model
    )
    first = result.snapshots[0]
    expected = jax.tree.map(lambda leaf: leaf[result.best], result.run.snapshots[0])
    chex.assert_trees_all_equal(tuple(first.networks[0]), tuple(expected))
    assert first.spec.metrics == {} and first.spec.temperature == result.model.spec.temperature
    assert (
        jaxmlp.evaluate(first, splits.test)["accuracy"]
        < jaxmlp.evaluate(result.model, splits.test)["accuracy"]
    )
    epoch = list(result.snapshots)[-2]
    accuracy = result.history["validation_accuracy"][epoch - 1]
    assert result.snapshots[epoch].spec.metrics["validation_accuracy"] == pytest.approx(accuracy)


def test_those_of_a_regression_know_how_wrong_the_model_is():
    splits = jaxmlp.load_dataset("diabetes")
    result = jaxmlp.fit_mlp(splits, num_epochs=3, num_snapshots=3, **QUICK)
    scales = {model.spec.noise_scale for model in result.snapshots.values()}
    assert scales == {result.model.spec.noise_scale} != {None} and len(result.snapshots) > 1


def test_a_resumed_run_has_those_from_before(splits, tmp_path, result):
    folder = tmp_path / "checkpoints"
    options = {"num_epochs": 12, "num_snapshots": 5, **QUICK}
    jaxmlp.fit_mlp(splits, checkpoints=jaxmlp.Checkpoints(folder, every=4), **options)
    newest = max(folder.glob("epoch-*"))
    newest.unlink()
    again = jaxmlp.Checkpoints(folder, every=4, resume=True)
    resumed = jaxmlp.fit_mlp(splits, checkpoints=again, **options)
    chex.assert_trees_all_equal(dict(resumed.run.snapshots), dict(result.run.snapshots))


def test_on_disk_each_is_a_model(splits, tmp_path, result):
    folder = save_snapshots(tmp_path / "snapshots", {999: result.model})
    save_snapshots(folder, result.snapshots)
    read = load_snapshots(folder)
    assert list(read) == list(result.snapshots)
    for epoch, model in result.snapshots.items():
        found, expected = (jaxmlp.predict_proba(m, splits.test.inputs) for m in (read[epoch], model))
        np.testing.assert_array_equal(found, expected)
    assert load_snapshots(tmp_path / "absent") == {}
