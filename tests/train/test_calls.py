"""How a run's epochs are cut into calls of its program changes no bit of what it finds."""

import itertools
import re
import tempfile
from functools import lru_cache
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmlp.data.folds import assign_folds, cross_folds
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.sweep import chunks
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range
from jaxmlp.train import loop
from jaxmlp.train.checkpoints import Checkpoints, decode
from jaxmlp.train.epoch import MAX_EPOCHS, next_num_epochs
from jaxmlp.train.loop import fit
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams

CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=8)
NUM_EPOCHS = 24
FEW = settings(max_examples=12, deadline=None)


def dataset(dtype, seed=0):
    draws = np.random.default_rng(seed)
    inputs = draws.normal(size=(40, 4)).astype(dtype)
    return Dataset(inputs, (inputs[:, 0] > 0).astype(np.int32) + (inputs[:, 1] > 1))


@lru_cache
def network(dtype):
    return make_network((4, 6, 3), heads.multiclass, Affine(np.zeros((), dtype), np.ones((), dtype)))


@lru_cache
def functions(dtype, *differing):
    train = make_train(network(dtype).init_fn, network(dtype).loss_fn, "adamw", 8)
    evaluate = make_evaluate(network(dtype).predict_fn, CLASSIFICATION)
    return vmap_runs(train, evaluate, *differing) if differing else (train, evaluate)


def fitted(cuts, dtype, rates=(0.02, 0.05, 0.1), decay=0.01, **options):
    """Members of one order with learning rates of their own, in calls of these sizes after the first."""
    options = {"num_epochs": NUM_EPOCHS, "progress": False, "monitor": "log_loss"} | options
    key, data_key = seed_keys(range(3))
    hyperparams = Hyperparams(np.array(rates), np.full(3, decay), dropout=np.full(3, 0.2))
    keys = {"key": key, "data_key": data_key[0], "hyperparams": hyperparams}
    with pytest.MonkeyPatch.context() as patch:
        sizes = itertools.cycle(cuts)
        patch.setattr(loop, "next_num_epochs", lambda *measured: next(sizes))
        data = dataset(dtype), dataset(dtype, 1)
        return fit(*functions(dtype, "key", "hyperparams"), *data, **keys, **options)


def assert_same_bits(found, expected):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lost", [False, True])
def test_a_fit_finds_the_same_however_it_is_cut(dtype, lost):
    rates = (np.finfo(dtype).max / 2 if lost else 0.1, 0.2, 0.3)
    with jax.enable_x64(dtype == np.float64):
        epoch_by_epoch = fitted([1], dtype, rates, patience=3)

        @FEW
        @given(CUTS)
        def same(cuts):
            assert_same_bits(fitted(cuts, dtype, rates, patience=3)[:6], epoch_by_epoch[:6])

        same()
    losses = epoch_by_epoch.history["train_loss"]
    assert np.isfinite(losses).all() != lost
    # Patience ended it, and in most cuts within a call.
    assert 5 < losses.shape[1] < NUM_EPOCHS


@FEW
@given(CUTS)
def test_a_run_that_is_lost_is_lost_in_the_same_step_and_its_last_good_state_is_saved(cuts):
    found = []
    for sizes in ([1], cuts):
        with tempfile.TemporaryDirectory() as folder:
            # Each step doubles the weights, until they are no numbers.
            with pytest.raises(FloatingPointError) as error:
                rates = {"rates": (1.0, 1.1, 1.2), "decay": 3.0}
                fitted(sizes, np.float32, **rates, checkpoints=Checkpoints(folder))
            (path,) = Path(folder).iterdir()
            tensors, _ = decode(path.read_bytes())
            found.append((str(error.value), path.name, tensors))
    assert found[0][:2] == found[1][:2]
    assert_same_bits(found[1][2], found[0][2])
    assert int(re.search(r"epoch (\d+)", found[0][0])[1]) > 5


SPACE = {"hidden_sizes": Choice((6,)), "depth": Choice((1,)), "optimizer": Choice(("adamw",))}
SPACE |= {"activation": Choice(("relu",)), "learning_rate": Range(1e-3, 1e-1, log=True)}
SPACE |= {"weight_decay": Range(1e-4, 1e-2, log=True)}


def swept(cuts, dtype):
    """Members in two chunks: one is lost in its first epoch, and another in the same chunk later."""
    members = draw_members(SPACE, 5, max_programs=1)
    # The second multiplies its weights in each step, until they are no numbers.
    factor = {np.float32: 300.0, np.float64: 1e8}[dtype]
    for lost, rate, decay in ((1, float(np.finfo(dtype).max / 2), 0.1), (2, 1.0, factor)):
        members[lost] = members[lost]._replace(hyperparams=Hyperparams(rate, decay))
    config = SweepConfig("multiclass", NUM_EPOCHS, 8, chunk_size=3, max_ensemble=8)
    with pytest.MonkeyPatch.context() as patch:
        sizes = itertools.cycle(cuts)
        patch.setattr(chunks, "next_num_epochs", lambda *measured: next(sizes))
        folds = cross_folds(dataset(dtype), assign_folds(dataset(dtype).targets, 3))
        return run_sweep(members, lambda spec: network(dtype), folds, config, progress=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sweep_finds_the_same_however_it_is_cut(dtype):
    with jax.enable_x64(dtype == np.float64):
        expected = swept([1], dtype)

        @FEW
        @given(CUTS)
        def same(cuts):
            found = swept(cuts, dtype)
            assert found.statuses == expected.statuses
            names = "history", "losses", "best", "candidates"
            assert_same_bits(*([getattr(one, name) for name in names] for one in (found, expected)))

        same()
    assert expected.statuses[1] == "not finite in epoch 1"
    # Not the last epoch before the ensemble is chosen, which ends a call.
    assert expected.statuses[2] in ("not finite in epoch 2", "not finite in epoch 5")


def test_a_call_grows_at_most_fourfold_to_a_quarter_of_a_second():
    assert next_num_epochs(1, 1e-6) == 4
    assert next_num_epochs(4, 0.1) == 10
    assert next_num_epochs(10, 1.0) == 2
    assert next_num_epochs(1, 9.0) == 1
    assert next_num_epochs(MAX_EPOCHS, 0.0) == MAX_EPOCHS
