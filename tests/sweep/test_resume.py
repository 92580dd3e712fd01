"""A sweep that was stopped and gone on with finds what it would have found."""

import os
import signal

import jax
import numpy as np
import pytest

from jaxmlp.sweep import chunks, loop, programs
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.resume import save_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range
from jaxmlp.train import checkpoints
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.types import InputError
from tests.sweep.test_loop import FOLDS, SETTINGS, one_network

# Two structures, in three chunks: 9 members, of whom each rung leaves a third.
SPACE = {"hidden_sizes": Choice((6, 8)), "depth": Choice((1,)), "optimizer": Choice(("adam",))}
SPACE |= {"activation": Choice(("relu",)), "learning_rate": Range(1e-4, 1e-1, log=True)}
MEMBERS = draw_members(SPACE, 9, max_programs=2)


def swept(folder=None, *, resume=False, every=1, run=None, members=MEMBERS, **changes):
    sizes = {"num_epochs": 27, "chunk_size": 3, "max_ensemble": 8, "num_snapshots": 5}
    settings = SETTINGS._replace(**sizes | changes)
    kept = folder and Checkpoints(folder, every, resume, run or {})
    return run_sweep(members, one_network, FOLDS, settings, checkpoints=kept, progress=False)


@pytest.fixture(scope="module")
def whole():
    return swept()


def stop_after(monkeypatch, calls):
    """A real Ctrl-C in that call, each of which is an epoch of a chunk."""
    monkeypatch.setattr(chunks, "next_num_epochs", lambda *measured: 1)
    advance, count = chunks.advance_chunk, [0]

    def counted(*arguments):
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(*arguments)

    monkeypatch.setattr(chunks, "advance_chunk", counted)


# Four chunks train for three epochs, then two for seven, then one: within a chunk, at the end of one and of
# all, between rungs and at one.
@pytest.mark.parametrize("calls", [1, 3, 5, 12, 14, 20, 24, 31])
def test_a_sweep_stopped_anywhere_and_resumed_finds_the_same(calls, whole, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_after(patch, calls)
        stopped = swept(tmp_path, every=None)
    assert stopped.interrupted == signal.SIGINT
    assert len(list(tmp_path.iterdir())) == 1
    found = swept(tmp_path, every=None, resume=True)
    assert "resumed after epoch" in capsys.readouterr().out
    assert not found.interrupted
    assert found.statuses == whole.statuses
    assert [c[:3] for c in found.candidates] == [c[:3] for c in whole.candidates]
    assert {k: v for k, v in found.ensemble_history.items() if k != "seconds"} == {
        k: v for k, v in whole.ensemble_history.items() if k != "seconds"
    }
    names = "history", "losses", "best", "candidates", "snapshots"
    same, expected = ([getattr(one, name) for name in names] for one in (found, whole))
    for ours, theirs in zip(jax.tree.leaves(same), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_snapshots_change_nothing_and_are_of_those_who_went_on(whole):
    without = swept(num_snapshots=0)
    assert without.snapshots == {}
    np.testing.assert_array_equal(without.losses, whole.losses)
    jax.tree.map(np.testing.assert_array_equal, without.best, whole.best)
    kept = {
        epoch: [member for other, member in whole.snapshots if other == epoch] for epoch, _ in whole.snapshots
    }
    # Nine members, of whom the rungs after epochs 3 and 10 leave a third.
    assert {epoch: len(members) for epoch, members in kept.items()} == {0: 9, 1: 9, 3: 3, 9: 3, 27: 1}
    (last,) = kept[27]
    for one in whole.candidates:
        if one.epoch in kept:
            own = whole.snapshots[one.epoch, one.member]
            jax.tree.map(np.testing.assert_array_equal, own, one.params)
    start, end = (jax.tree.leaves(whole.snapshots[epoch, last])[0] for epoch in (0, 27))
    assert np.any(start != end)


def test_the_time_before_it_was_stopped_counts(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 14)
        patch.setattr(loop, "save_sweep", lambda kept, state, run: save_sweep(kept, later(state), run))
        swept(tmp_path, every=None)
    # Its budget is spent, so that it ends with what there is.
    assert len(swept(tmp_path, resume=True, time_budget=1000.0).ensemble_history["loss"]) == 2
    assert swept(tmp_path, resume=True).ensemble_history["seconds"][-1] > 1000


def later(state):
    """The state of a sweep that has taken so many seconds more."""
    return state._replace(seconds=state.seconds + 1000)


def test_checkpoints_of_every_epoch_are_kept_and_the_last_is_the_end(whole, tmp_path):
    swept(tmp_path)
    assert [path.name[6:14] for path in checkpoints._files(tmp_path)] == ["00000027", "00000026"]
    again = swept(tmp_path, resume=True)
    np.testing.assert_array_equal(again.losses, whole.losses)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_epochs": 12}, "num_epochs was 27, and is 12"),
        ({"halving": 2}, "halving was 3, and is 2"),
        ({"members": draw_members(SPACE, 9, max_programs=2, seed=1)}, "learning_rate was"),
        ({"run": {"dataset": "other"}}, "dataset was None, and is 'other'"),
    ],
)
def test_another_sweep_is_refused(changes, message, tmp_path):
    swept(tmp_path)
    with pytest.raises(InputError, match=message):
        swept(tmp_path, resume=True, **changes)


def test_a_sweep_goes_on_where_other_devices_make_other_chunks(tmp_path, monkeypatch):
    """As on a machine with more cores, or fewer, or with more memory."""
    monkeypatch.setattr(programs, "_cheapest_size", lambda *group: 5)
    expected = swept(chunk_size=None)
    for before, after in ((1, 8), (8, 1)):
        folder = tmp_path / str(before)
        with monkeypatch.context() as patch:
            patch.setattr(programs, "num_concurrent_calls", lambda before=before: before)
            stop_after(patch, 9)
            assert swept(folder, every=None, chunk_size=None).interrupted
        monkeypatch.setattr(programs, "num_concurrent_calls", lambda after=after: after)
        found = swept(folder, every=None, chunk_size=None, resume=True)
        assert found.statuses == expected.statuses
        np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-3)
