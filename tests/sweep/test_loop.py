"""A sweep from its first epoch to its ensemble: who is cut, who is lost, and what is chosen."""

import itertools
from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn import heads
from jaxmlp.nn.network import NetworkSpec, make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.sweep import loop
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs, select_survivors
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Member, Range, Structure
from jaxmlp.types import Dataset, Hyperparams, InputError

SPACE = {"hidden_sizes": Choice((8,)), "depth": Choice((1,)), "optimizer": Choice(("adam",))}
SPACE |= {"activation": Choice(("relu",)), "learning_rate": Range(1e-4, 1e-1, log=True)}
SETTINGS = SweepConfig("multiclass", num_epochs=9, batch_size=16, halving=3)


def blobs(num_examples, seed, num_classes=3):
    random = np.random.default_rng(seed)
    labels = random.integers(0, num_classes, num_examples).astype(np.int32)
    centres = np.array([[0, 2], [2, -1], [-2, -1]], np.float32)
    return Dataset((centres[labels] + random.normal(size=(num_examples, 2))).astype(np.float32), labels)


TRAIN, VALIDATION = blobs(64, 0), blobs(60, 1)


def network_of(spec, make_head=heads.multiclass, num_outputs=3):
    affine = Affine(jnp.zeros(()), jnp.ones(()))
    return make_network((2, *spec.hidden_sizes, num_outputs), make_head, affine)


NETWORKS = {}


def one_network(spec):
    """The same functions each time, so that a program compiles once for all tests."""
    return NETWORKS.setdefault(spec, network_of(spec))


def swept(members=None, settings=SETTINGS, **changes):
    members = members or draw_members(SPACE, 9, max_programs=1)
    return run_sweep(members, one_network, TRAIN, VALIDATION, settings._replace(**changes), progress=False)


@pytest.fixture(scope="module")
def nine():
    return swept()


def test_rungs_are_a_factor_apart_and_leave_somebody():
    assert rung_epochs(27, 3, 27) == [1, 3, 9]
    assert rung_epochs(20, 3, 64) == [2, 7]
    assert rung_epochs(27, 3, 5) == [9]
    assert rung_epochs(2, 3, 64) == []
    assert rung_epochs(9, None, 64) == []


def test_the_plan_counts_who_trains_in_each_epoch():
    assert members_per_epoch(9, 9, 3) == [9, 3, 3, 1, 1, 1, 1, 1, 1]
    assert members_per_epoch(10, 3, None) == [10, 10, 10]


def test_the_best_survive_by_score_and_then_by_loss():
    scores, costs = np.array([0.5, 0.9, 0.9, 0.1, 0.9]), np.array([0.1, 0.3, 0.2, 0.0, 0.4])
    assert select_survivors([0, 1, 2, 3, 4], scores, costs, 3) == {1, 2}
    assert select_survivors([0, 3], scores, costs, 3) == {0}


def test_each_rung_keeps_a_third_and_the_others_are_not_trained_further(nine):
    trained = np.isfinite(nine.history["train_loss"])
    assert trained.sum(axis=0).tolist() == members_per_epoch(9, 9, 3)
    for row, status in zip(trained, nine.statuses, strict=True):
        assert row.all() if status == "finished" else row.sum() == int(status.rpartition(" ")[2])


def test_who_is_cut_was_no_better_than_who_stayed(nine):
    accuracy = nine.history["validation_accuracy"]
    for epoch in (1, 3):
        best = np.nanmax(accuracy[:, :epoch], axis=1)
        cut = [i for i, status in enumerate(nine.statuses) if status == f"cut after epoch {epoch}"]
        stayed = np.flatnonzero(np.isfinite(accuracy[:, epoch]))
        assert cut and min(best[stayed]) >= max(best[cut])


def test_the_best_member_comes_with_the_parameters_of_its_best_epoch(nine):
    assert nine.statuses[nine.best] == "finished"
    np.testing.assert_allclose(nine.scores[nine.best], np.nanmax(nine.history["validation_accuracy"]))
    network = one_network(nine.members[nine.best].structure.network)
    logits = np.stack([network.predict_fn(nine.best_params, (), x) for x in jnp.asarray(VALIDATION.inputs)])
    np.testing.assert_allclose(np.mean(logits.argmax(axis=1) == VALIDATION.targets), nine.scores[nine.best])


def test_the_ensemble_is_of_snapshots_that_give_what_their_share_says(nine):
    assert 1 <= sum(c.count for c in nine.ensemble) <= SETTINGS.max_ensemble
    for c in nine.ensemble:
        assert np.isfinite(nine.history["train_loss"][c.member, c.epoch - 1])
        network = one_network(nine.members[c.member].structure.network)
        logits = np.stack([network.predict_fn(c.params, (), x) for x in jnp.asarray(VALIDATION.inputs)])
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(p[np.arange(60), VALIDATION.targets], c.contribution, rtol=1e-4)


def test_the_ensemble_is_chosen_at_rungs_and_at_eighths_of_the_run(nine):
    # Rungs after 1 and 3 epochs, and an eighth of nine epochs is 1.125.
    assert nine.ensemble_history["epochs"] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert {len(values) for values in nine.ensemble_history.values()} == {8}
    assert {c.epoch for c in nine.ensemble} <= {*nine.ensemble_history["epochs"]}
    assert nine.ensemble_history["networks"][-1] == len(nine.ensemble)
    share = np.average(
        [c.contribution for c in nine.ensemble], axis=0, weights=[c.count for c in nine.ensemble]
    )
    np.testing.assert_allclose(nine.ensemble_history["loss"][-1], -np.log(share).mean(), rtol=1e-5)


def test_without_halving_all_finish_and_the_same_sweep_gives_the_same_bits():
    first, second = (swept(halving=None, num_epochs=2) for _ in range(2))
    assert set(first.statuses) == {"finished"}
    for name, values in first.history.items():
        np.testing.assert_array_equal(values, second.history[name])


def test_a_cut_changes_nothing_for_those_who_go_on(nine):
    whole = swept(halving=None)
    for row, expected in zip(*(found.history["train_loss"] for found in (nine, whole)), strict=True):
        np.testing.assert_allclose(row[np.isfinite(row)], expected[np.isfinite(row)], rtol=1e-4)


def test_a_lost_member_is_named_and_harms_nobody():
    members = draw_members(SPACE, 4, max_programs=1)
    members[2] = members[2]._replace(hyperparams=Hyperparams(1e30))
    found = swept(members, halving=None, num_epochs=3)
    assert found.statuses[2].startswith("not finite in epoch")
    assert found.statuses[:2] + found.statuses[3:] == ["finished"] * 3
    assert found.best != 2 and all(np.isfinite(c.contribution).all() for c in found.ensemble)
    unharmed = swept([members[0], members[1], members[3]], halving=None, num_epochs=3)
    np.testing.assert_allclose(
        found.history["train_loss"][[0, 1, 3]], unharmed.history["train_loss"], rtol=1e-4
    )


def test_all_lost_is_an_error_that_says_what_to_do():
    members = [
        Member(Structure(NetworkSpec((8,), "relu"), "adam"), Hyperparams(1e30), seed) for seed in range(2)
    ]
    with pytest.raises(FloatingPointError, match="smaller learning rates"):
        swept(members, num_epochs=8)


def test_a_regression_is_swept_by_its_r2():
    def regression(spec):
        return NETWORKS.setdefault(("regression", spec), network_of(spec, heads.regression, num_outputs=1))

    parts = [part._replace(targets=part.inputs.sum(axis=1) / 2) for part in (TRAIN, VALIDATION)]
    settings = SETTINGS._replace(task="regression", num_epochs=3, halving=None)
    found = run_sweep(draw_members(SPACE, 4, max_programs=1), regression, *parts, settings, progress=False)
    assert found.scores[found.best] == np.nanmax(found.history["validation_r2"]) > 0
    np.testing.assert_allclose(
        found.ensemble_history["loss"][-1],
        np.mean(
            np.square(
                np.average([c.contribution for c in found.ensemble], 0, [c.count for c in found.ensemble])
            )
        ),
        rtol=1e-5,
    )


def test_a_budget_decides_how_many_epochs_there_are(monkeypatch):
    # A clock that goes on by a second whenever somebody looks.
    ticks = itertools.count(0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    short = swept(time_budget=100.0, num_epochs=100_000, halving=None)
    assert short.ensemble and 2 <= short.history["train_loss"].shape[1] <= 100
    assert short.ensemble_history["seconds"][-1] < 106 and set(short.statuses) == {"finished"}


def test_no_time_for_anything_is_an_error_in_one_line():
    with pytest.raises(InputError, match=r"time_budget: 1e-09 s were over"):
        swept(time_budget=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "clustering"}, "task: unknown name 'clustering'"),
        ({"num_epochs": 0}, "num_epochs: must be a whole number of at least 1, got 0"),
        ({"halving": 1}, "halving: must be a whole number of at least 2, got 1"),
        ({"chunk_size": 0}, "chunk_size: must be"),
        ({"time_budget": -1.0}, "time_budget: must be a finite number above 0"),
        ({"batch_size": 65}, "batch_size: must be at most the 64 training examples"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        swept(**changes)


def test_no_members_and_a_momentum_that_an_optimizer_lacks_are_refused():
    with pytest.raises(InputError, match="members: must hold at least one"):
        run_sweep([], partial(network_of), TRAIN, VALIDATION, SETTINGS, progress=False)
    members = draw_members(SPACE | {"optimizer": Choice(("cocob",)), "momentum": Range(0.1, 0.9)}, 2)
    with pytest.raises(InputError, match="momentum: cocob has none"):
        swept(members)
