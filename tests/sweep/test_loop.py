"""A sweep from its first epoch to its ensemble: who is cut, who is lost, and what is chosen."""

import contextlib
import itertools
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.data.folds import assign_folds, cross_folds, single_fold
from jaxmlp.nn import heads
from jaxmlp.nn.network import NetworkSpec, make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.sweep import calls, decisions, loop
from jaxmlp.sweep.chunks import member_params
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.decisions import choose_ensemble, fit_to_budget, prune
from jaxmlp.sweep.halving import members_per_epoch, rung_epochs, select_survivors, snapshot_epochs
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.selection import Candidate, held_out_rows
from jaxmlp.sweep.space import Choice, Member, Range, Structure
from jaxmlp.sweep.state import SweepState
from jaxmlp.types import Dataset, Hyperparams, InputError

SPACE = {"hidden_sizes": Choice((8,)), "depth": Choice((1,)), "optimizer": Choice(("adam",))}
SPACE |= {"activation": Choice(("relu",)), "learning_rate": Range(1e-4, 1e-1, log=True)}
SETTINGS = SweepConfig("multiclass", num_epochs=9, batch_size=16, halving=3)


def blobs(num_examples, seed, num_classes=3):
    random = np.random.default_rng(seed)
    labels = random.integers(0, num_classes, num_examples).astype(np.int32)
    centres = np.array([[0, 2], [2, -1], [-2, -1]], np.float32)
    return Dataset((centres[labels] + random.normal(size=(num_examples, 2))).astype(np.float32), labels)


def in_folds(data, num_folds=3):
    return cross_folds(data, assign_folds(data.targets, num_folds))


FOLDS = in_folds(blobs(64, 0))


def network_of(spec, make_head=heads.multiclass, num_outputs=3):
    affine = Affine(jnp.zeros(()), jnp.ones(()))
    return make_network((2, *spec.hidden_sizes, num_outputs), make_head, affine)


NETWORKS = {}


def one_network(spec):
    """The same functions each time, so that a program compiles once for all tests."""
    return NETWORKS.setdefault(spec, network_of(spec))


def swept(members=None, settings=SETTINGS, folds=FOLDS, **changes):
    members = members or draw_members(SPACE, 9, max_programs=1)
    return run_sweep(members, one_network, folds, settings._replace(**changes), progress=False)


def predicted(found, candidate):
    """The probabilities of each fold's rows, from the parameters that were kept of its network."""
    network = one_network(found.members[candidate.member].structure.network)
    each = []
    for fold, inputs in enumerate(jnp.asarray(FOLDS.held_out.inputs)):
        params = jax.tree.map(lambda leaf, fold=fold: leaf[fold], candidate.params)
        each += [network.predict_fn(params, (), x) for x in inputs]
    logits = np.stack(each)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def log_loss(probabilities):
    targets, weights = FOLDS.held_out.targets.ravel(), FOLDS.held_out.weights.ravel()
    return -np.average(np.log(probabilities[np.arange(len(targets)), targets]), weights=weights)


@pytest.fixture(scope="module")
def nine():
    return swept()


def test_candidates_stand_at_eighths_of_the_run_or_where_a_cycle_ends():
    assert snapshot_epochs(64) == [8, 16, 24, 32, 40, 48, 56, 64]
    assert snapshot_epochs(3) == [1, 2, 3]
    assert snapshot_epochs(31, "cycles") == [1, 3, 7, 15, 31]
    assert snapshot_epochs(1, "cycles") == snapshot_epochs(1) == [1]


def test_rungs_are_a_factor_apart_and_leave_somebody_after_a_snapshot():
    # Thirds, ninths and 27ths of the run, where the nearest snapshots are.
    assert rung_epochs(72, 3, 27) == [9, 27]
    assert rung_epochs(72, 3, 5) == [27]
    assert rung_epochs(62, 2, 64, "cycles") == [2, 6, 14, 30]
    assert rung_epochs(1, 3, 64) == rung_epochs(2, 3, 64) == []
    assert rung_epochs(9, None, 64) == []
    for num_epochs in range(1, 90):
        assert set(rung_epochs(num_epochs, 2, 64)) <= set(snapshot_epochs(num_epochs)) - {num_epochs}


def test_the_plan_counts_who_trains_in_each_epoch():
    assert members_per_epoch(9, 9, 3) == [9, 3, 3, 1, 1, 1, 1, 1, 1]
    assert members_per_epoch(10, 3, None) == [10, 10, 10]


def test_the_best_survive_by_their_loss():
    losses = np.array([0.1, 0.3, 0.2, np.inf, 0.0])
    assert select_survivors([0, 1, 2, 3, 4], losses, 3) == {0, 4}
    assert select_survivors([1, 3], losses, 3) == {1}


def test_each_rung_keeps_a_third_and_the_others_are_not_trained_further(nine):
    trained = np.isfinite(nine.history["train_loss"])
    assert trained.sum(axis=0).tolist() == members_per_epoch(9, 9, 3)
    for row, status in zip(trained, nine.statuses, strict=True):
        assert row.all() if status == "finished" else row.sum() == int(status.rpartition(" ")[2])


def test_who_is_cut_was_no_better_than_who_stayed(nine):
    for epoch in (1, 3):
        losses = nine.history["validation_log_loss"][:, epoch - 1]
        cut = [i for i, status in enumerate(nine.statuses) if status == f"cut after epoch {epoch}"]
        stayed = np.flatnonzero(np.isfinite(nine.history["train_loss"][:, epoch]))
        assert cut and len(stayed) and max(losses[stayed]) <= min(losses[cut]) + 1e-5


def test_the_best_member_comes_with_the_parameters_of_its_best_epoch(nine):
    assert nine.statuses[nine.best.member] == "finished"
    assert nine.best.member == np.argmin(nine.losses)
    np.testing.assert_allclose(log_loss(predicted(nine, nine.best)), nine.losses.min(), rtol=1e-5)


def test_the_ensemble_is_of_snapshots_that_predict_what_they_were_chosen_by(nine):
    assert sum(c.counts[0] for c in nine.ensemble) == SETTINGS.max_ensemble
    assert {sum(c.counts[choice] for c in nine.candidates) for choice in range(4)} == {20}
    for c in nine.candidates:
        assert np.isfinite(nine.history["train_loss"][c.member, c.epoch - 1])
        np.testing.assert_allclose(predicted(nine, c), c.predictions, rtol=1e-4, atol=1e-6)


def test_the_ensemble_is_chosen_at_eighths_of_the_run_and_its_loss_is_that_of_rows_not_chosen_by(nine):
    # An eighth of nine epochs is 1.125.
    assert nine.ensemble_history["epochs"] == [*snapshot_epochs(9)]
    assert {len(values) for values in nine.ensemble_history.values()} == {8}
    assert {c.epoch for c in nine.candidates} <= {*snapshot_epochs(9)}
    assert nine.ensemble_history["candidates"][-1] == len(nine.ensemble)
    expected = 0.0
    for part, (targets, weights) in enumerate(zip(*FOLDS.held_out[1:], strict=True)):
        rows = slice(part * len(targets), (part + 1) * len(targets))
        counts = [c.counts[part + 1] for c in nine.candidates]
        average = np.average([predicted(nine, c)[rows] for c in nine.candidates], 0, counts)
        expected -= np.sum(weights * np.log(average[np.arange(len(targets)), targets])) / 64
    np.testing.assert_allclose(nine.ensemble_history["loss"][-1], expected, rtol=1e-4)


def test_what_is_chosen_without_a_part_does_not_change_with_its_targets():
    # Of labels that are noise, candidates of all epochs are chosen, and others on other rows.
    data = blobs(64, 0)
    folds = in_folds(data._replace(targets=np.random.default_rng(5).permutation(data.targets)))

    def chosen(folds):
        found = swept(folds=folds, halving=None, num_epochs=48)
        return [{c[:2]: c.counts[i] for c in found.candidates if c.counts[i]} for i in range(4)]

    before = chosen(folds)
    assert len({epoch for one in before for _, epoch in one}) > 3
    for part in range(3):
        targets = folds.held_out.targets.copy()
        targets[part] = (targets[part] + 1) % 3
        after = chosen(folds._replace(held_out=folds.held_out._replace(targets=targets)))
        assert [before[i] == after[i] for i in range(4)] == [i == part + 1 for i in range(4)]


def test_a_candidate_is_forgotten_by_a_choice_that_passed_it_over():
    # It is right everywhere; the choice without the second part has not kept it, and would have no right to.
    members, held_out = draw_members(SPACE, 2, max_programs=1), held_out_rows("multiclass", FOLDS)
    state = loop.init_sweep(members, one_network, SETTINGS, FOLDS)
    right = np.eye(3, dtype=np.float32)[held_out.targets]
    kept = Candidate(0, 1, 1.0, np.array([20, 20, 0, 20]), right, member_params(state.chunks[0], 0))
    state = state._replace(candidates=[kept], outputs={1: 0 * right}, epoch=7)
    chosen = choose_ensemble(state, SETTINGS, members, held_out)
    # When it was chosen, not when its last candidate was.
    assert chosen.ensemble_history["epochs"] == [7]
    found = chosen.candidates
    assert [c[:2] for c in found] == [(0, 1), (1, 0)]
    assert [c.counts.tolist() for c in found] == [[20, 20, 0, 20], [0, 0, 20, 0]]


def test_who_has_collapsed_is_cut_however_good_it_was_before():
    members, held_out = draw_members(SPACE, 3, max_programs=1), held_out_rows("multiclass", FOLDS)
    state = loop.init_sweep(members, one_network, SETTINGS, FOLDS)
    right = np.eye(3, dtype=np.float32)[held_out.targets]
    # Once the first was the best of the three; now the second is.
    for sizes in ([9, 2, 1], [-9, 2, 1]):
        state = state._replace(outputs={i: size * right for i, size in enumerate(sizes)})
        state = choose_ensemble(state, SETTINGS, members, held_out)
    assert np.argmin(state.losses) == 0
    state = prune(state._replace(epoch=3), SETTINGS)
    assert state.statuses == ["cut after epoch 3", "finished", "cut after epoch 3"]


def test_smoothed_labels_are_undone_by_a_temperature():
    smoothed = SPACE | {"label_smoothing": Choice((0.3,)), "learning_rate": 0.05}
    members = draw_members(smoothed, 2, max_programs=1)
    found = swept(members, halving=None, num_epochs=24)
    for c in found.candidates:
        assert c.temperature < 0.9
        plain, parts = predicted(found, c), found.held_out.parts
        for part in np.unique(parts):
            # All logarithms of a row's probabilities, less their mean, are divided by one number.
            ours, theirs = (np.log(each[parts == part]) for each in (c.predictions, plain))
            ratios = (ours[:, 0] - ours[:, 1]) / (theirs[:, 0] - theirs[:, 1])
            usual = np.isfinite(ratios) & (np.abs(theirs[:, 0] - theirs[:, 1]) > 0.1)
            np.testing.assert_allclose(ratios[usual], np.median(ratios[usual]), rtol=1e-2)
            assert np.median(ratios[usual]) > 1.1
        assert log_loss(c.predictions) < log_loss(plain)


def test_a_part_of_ones_own_is_predicted_by_a_single_network_of_each_member():
    folds = single_fold(blobs(64, 0), blobs(60, 1))
    found = swept(folds=folds, num_epochs=3)
    assert {len(leaf) for c in found.candidates for leaf in jax.tree.leaves(c.params)} == {1}
    assert {c.predictions.shape for c in found.candidates} == {(60, 3)}
    assert {len(c.counts) for c in found.candidates} == {5}


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
    assert found.best.member != 2 and all(np.isfinite(c.predictions).all() for c in found.candidates)
    unharmed = swept([members[0], members[1], members[3]], halving=None, num_epochs=3)
    np.testing.assert_allclose(
        found.history["train_loss"][[0, 1, 3]], unharmed.history["train_loss"], rtol=1e-4
    )


@pytest.mark.parametrize(
    "changes",
    [{"num_epochs": 8}, {"time_budget": 100.0}, {"num_epochs": 1, "batch_size": 64}],
    ids=["in an epoch", "before a budget is looked at", "in the last step"],
)
def test_all_lost_is_an_error_that_says_what_to_do(changes):
    members = [
        Member(Structure(NetworkSpec((8,), "relu"), "adam"), Hyperparams(1e30), seed) for seed in range(2)
    ]
    with pytest.raises(FloatingPointError, match="smaller learning rates"):
        swept(members, **changes)


def test_a_budget_that_is_over_waits_for_no_other_program(monkeypatch):
    found = []

    def find_of(chunks, *data):
        return contextlib.nullcontext(found.append)

    monkeypatch.setattr(loop.chunks, "compile_ahead", find_of)
    members = draw_members(SPACE | {"hidden_sizes": Choice((4, 5, 6))}, 6, max_programs=3)
    with pytest.raises(InputError, match="time_budget: 1e-09 s were over"):
        swept(members, time_budget=1e-9)
    assert not found


@pytest.mark.parametrize("num_outputs", [1, 2])
def test_a_regression_is_swept_by_its_squared_error(num_outputs):
    def regression(spec):
        made = network_of(spec, heads.regression, num_outputs)
        return NETWORKS.setdefault((num_outputs, spec), made)

    data = blobs(64, 0)
    targets = np.stack([data.inputs.sum(axis=1) / 2, data.inputs[:, 0]], axis=1)
    folds = in_folds(data._replace(targets=targets if num_outputs > 1 else targets[:, 0]))
    settings = SETTINGS._replace(task="regression", num_epochs=8, halving=None)
    found = run_sweep(draw_members(SPACE, 4, max_programs=1), regression, folds, settings, progress=False)
    _, targets, weights = (np.concatenate(part) for part in folds.held_out)
    targets = targets.reshape(len(targets), num_outputs)

    def error(predictions):
        return np.average(np.square(predictions - targets).mean(axis=1), weights=weights)

    assert found.losses[found.best.member] == found.losses.min() < 0.5 * np.var(targets)
    np.testing.assert_allclose(error(found.best.predictions), found.losses.min(), rtol=1e-5)
    counts = np.stack([c.counts[found.held_out.parts + 1] for c in found.candidates])[..., None]
    average = sum(n * c.predictions for n, c in zip(counts, found.candidates, strict=True)) / 20
    np.testing.assert_allclose(found.ensemble_history["loss"][-1], error(average), rtol=1e-5)


def test_a_budget_decides_how_many_epochs_there_are(monkeypatch):
    # A clock that goes on by a second whenever somebody looks.
    ticks = itertools.count(0.0)
    for module in (loop, calls):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    short = swept(time_budget=100.0, num_epochs=100_000, halving=None)
    assert short.ensemble and 2 <= short.history["train_loss"].shape[1] <= 100
    assert short.ensemble_history["seconds"][-1] < 106 and set(short.statuses) == {"finished"}


@pytest.mark.parametrize(("epoch", "num_epochs"), [(1, 6), (2, 52)])
def test_a_slow_first_epoch_is_made_good_for_after_the_second(epoch, num_epochs):
    # It took ten seconds, after ten of compiling, and the second one took one; 50 s are left.
    times, config = [20.0, 21.0][:epoch], SweepConfig("binary", time_budget=70.0, num_epochs=90)
    history = {"seconds": times}
    begun = SweepState([], 6 if epoch == 2 else 90, {}, ["finished"], {}, [], history, [0.0], [0.0])
    state = begun._replace(epoch=epoch, seconds=times[-1], train_seconds=times[-1] - 10)
    assert fit_to_budget(state, config, 50.0).num_epochs == num_epochs
    assert fit_to_budget(state, config, 1e6).num_epochs == 90


def test_processes_agree_on_how_many_epochs_there_is_time_for(monkeypatch):
    monkeypatch.setattr(decisions.processes, "all_processes_max", lambda number: number + 3)
    config, history = SweepConfig("binary", time_budget=70.0, num_epochs=90), {"seconds": [20.0]}
    state = SweepState([], 90, {}, ["finished"], {}, [], history, [0.0], [0.0])
    state = state._replace(epoch=1, seconds=20.0, train_seconds=10.0)
    assert fit_to_budget(state, config, 50.0).num_epochs == 6 + 3


def test_no_time_for_anything_is_an_error_in_one_line():
    with pytest.raises(InputError, match=r"time_budget: 1e-09 s were over"):
        swept(time_budget=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "clustering"}, "task: unknown name 'clustering'"),
        ({"num_epochs": 0}, "num_epochs: must be a whole number of at least 1, got 0"),
        ({"halving": 1}, "halving: must be a whole number of at least 2, got 1"),
        ({"max_candidates": 0}, "max_candidates: must be a whole number of at least 1, got 0"),
        ({"chunk_size": 0}, "chunk_size: must be"),
        ({"time_budget": -1.0}, "time_budget: must be a finite number above 0"),
        ({"batch_size": 65}, "batch_size: must be at most the 64 training examples"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        swept(**changes)


@pytest.mark.parametrize(
    ("hyperparams", "message"),
    [
        (Hyperparams(-0.1), r"^learning_rate: must be a finite number above 0, got -0\.1$"),
        (Hyperparams(0.1, dropout=1.5), r"^dropout: must be at least 0 and below 1, got 1\.5$"),
        (
            Hyperparams(0.1, dropout=0.1),
            r"^members: dropout must be a number in all of a structure, or None in all$",
        ),
    ],
)
def test_members_of_any_searcher_are_checked(hyperparams, message):
    members = draw_members(SPACE, 3, max_programs=1)
    members[1] = members[1]._replace(hyperparams=hyperparams)
    with pytest.raises(InputError, match=message):
        swept(members)


def test_no_members_and_a_momentum_that_an_optimizer_lacks_are_refused():
    with pytest.raises(InputError, match="members: must hold at least one"):
        run_sweep([], partial(network_of), FOLDS, SETTINGS, progress=False)
    members = draw_members(SPACE | {"optimizer": Choice(("cocob",)), "momentum": Range(0.1, 0.9)}, 2)
    with pytest.raises(InputError, match="momentum: cocob has none"):
        swept(members)
