"""Data that come in parts train the same bits as data on the device."""

import re
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.data.folds import assign_folds, cross_folds
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime import compilation
from jaxmlp.runtime.devices import num_bytes
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range
from jaxmlp.train import streaming
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams, InputError

BATCH_SIZE = 8
NETWORK = make_network((12, 9, 3), heads.multiclass, Affine(jnp.zeros(()), jnp.asarray(255.0)))
HYPERPARAMS = Hyperparams(0.01, dropout=0.2)


def dataset(num_examples, weights=None):
    draws = np.random.default_rng(num_examples)
    images = draws.integers(0, 256, (num_examples, 4, 3), dtype=np.uint8)
    labels = draws.integers(0, 3, num_examples).astype(np.int32)
    return Dataset(images, labels, None if weights is None else np.linspace(*weights, num_examples))


@lru_cache
def functions(*differing):
    train = make_train(NETWORK.init_fn, NETWORK.loss_fn, make_optimizer("adam"), BATCH_SIZE)
    evaluate = make_evaluate(NETWORK.predict_fn, CLASSIFICATION)
    return vmap_runs(train, evaluate, *differing) if differing else (train, evaluate)


def trained(data, data_bytes, *differing, seeds=2, **options):
    key, data_key = seed_keys(range(seeds))
    keys = {"key": key if "key" in differing else key[0]}
    keys["data_key"] = data_key if "data_key" in differing else data_key[0]
    options = {"hyperparams": HYPERPARAMS, "num_epochs": 3, "progress": False, **keys, **options}
    return fit(*functions(*differing), data, dataset(20), data_bytes=data_bytes, **options)


def bytes_of(data, num_steps, num_orders=1):
    """What holds two parts of so many steps of each order, and not a step more."""
    example = num_bytes(jax.tree.map(lambda leaf: leaf[:1], data))
    return 2 * example * BATCH_SIZE * num_orders * (num_steps + 1) - 1


# 150 examples are 19 steps, the last of 6 examples.
@pytest.mark.parametrize(
    ("num_steps", "weights", "differing"),
    [
        (3, (0.5, 1.5), ()),
        (8, None, ("key",)),
        (1, None, ("key", "data_key")),
    ],
)
def test_parts_of_any_size_train_the_same_bits(num_steps, weights, differing, capsys):
    data = dataset(150, weights)
    whole = trained(data, 10**9, *differing)
    assert not capsys.readouterr().out
    parts = trained(data, bytes_of(data, num_steps, 2 if "data_key" in differing else 1), *differing)
    assert f"of training data come in parts of {num_steps} steps" in capsys.readouterr().out
    for found, expected in zip(jax.tree.leaves(parts[:5]), jax.tree.leaves(whole[:5]), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def number_bytes(request):
    """Where double precision is turned on for this thread alone, too."""
    with jax.enable_x64(request.param):
        yield 8 if request.param else 4


def test_a_sweep_of_parts_finds_the_same_bits_and_compiles_once(number_bytes, capsys):
    space = {"hidden_sizes": Choice((9,)), "depth": Choice((1,)), "dropout": Range(0.1, 0.3)}
    members, data, found = draw_members(space, 4, max_programs=1), dataset(150, (0.5, 1.5)), []
    folds = cross_folds(data, assign_folds(data.targets, 3))
    settings = SweepConfig("multiclass", num_epochs=3, batch_size=BATCH_SIZE, halving=2, chunk_size=2)
    # An example has a weight in each fold.
    parts_of_four = 2 * 5 * BATCH_SIZE * (12 + 4 + 3 * number_bytes) - 1
    for data_bytes in (None, parts_of_four):
        now = settings._replace(data_bytes=data_bytes)
        found.append(run_sweep(members, lambda _: NETWORK, folds, now, progress=False))
    assert "of training data come in parts of 4 steps" in capsys.readouterr().out
    whole, parts = ((f.history, f.statuses, f.losses, f.best, f.candidates) for f in found)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    assert any(status.startswith("cut") for status in parts[1])
    assert {leaf.dtype.itemsize for leaf in jax.tree.leaves(found[1].best.params)} == {number_bytes}
    misses = compilation._lower.cache_info().misses
    run_sweep(members, lambda _: NETWORK, folds, now, progress=False)
    assert compilation._lower.cache_info().misses == misses


def test_data_mapped_from_a_file_are_read_part_by_part(tmp_path):
    data = dataset(150)
    np.save(tmp_path / "images.npy", data.inputs)
    mapped = data._replace(inputs=np.load(tmp_path / "images.npy", mmap_mode="r"))
    found, expected = (trained(one, bytes_of(data, 2)) for one in (mapped, data))
    np.testing.assert_array_equal(found.history["train_loss"], expected.history["train_loss"])


def test_a_bad_step_is_named_by_its_place_in_the_whole_epoch():
    data, too_large = dataset(150), {"hyperparams": Hyperparams(1e30, dropout=0.2)}
    with pytest.raises(FloatingPointError) as whole:
        trained(data, 10**9, **too_large)
    with pytest.raises(FloatingPointError) as parts:
        trained(data, bytes_of(data, 1), **too_large)
    assert str(parts.value) == str(whole.value)
    # Not in the first part, which is a step.
    assert int(re.search(r"step (\d+)", str(parts.value))[1]) > 1


def test_parts_arrive_in_order_and_hold_every_example_once():
    stream = streaming.Stream(dataset(150), 2, BATCH_SIZE, None)
    order = np.random.default_rng(0).permutation(150)
    found = list(streaming.iterate_parts(stream, order))
    assert [len(part.inputs) for part in found] == [16] * 9 + [6]
    np.testing.assert_array_equal(
        np.concatenate([part.targets for part in found]), dataset(150).targets[order]
    )


@pytest.mark.parametrize(
    ("data_bytes", "message"),
    [
        (0, "data_bytes: must be a whole number of at least 1, got 0"),
        (200, "data_bytes: must hold 2 steps of 128 bytes, got 200; try a smaller batch_size"),
    ],
)
def test_bytes_that_cannot_be_are_refused(data_bytes, message):
    with pytest.raises(InputError, match=message):
        trained(dataset(150), data_bytes)


def test_half_of_some_memory_is_for_data():
    assert 1e8 < streaming.max_data_bytes(None) < 1e15
    assert streaming.max_data_bytes(7) == 7


@pytest.mark.parametrize(("inner", "outer"), [("folds", "data_key"), ("data_key", "folds")])
def test_folds_in_several_orders_train_the_same_bits(inner, outer):
    """Two of each: the weights of an order must not be taken for those of a fold."""
    folds = cross_folds(dataset(150), assign_folds(dataset(150).targets, 2))
    runs = vmap_runs(*vmap_runs(*functions(), "key", inner), "key", outer)
    key, (_, data_key) = jax.random.split(jax.random.key(0), (2, 2)), seed_keys(range(2))
    options = {"hyperparams": HYPERPARAMS, "num_epochs": 3, "progress": False}
    data = folds.train, folds.held_out
    # Four steps of eight examples in two orders; each has a weight in both folds.
    whole, parts = (
        fit(*runs, *data, key=key, data_key=data_key, data_bytes=size, **options)
        for size in (10**9, 2 * 5 * 8 * 2 * (12 + 4 + 2 * 4) - 1)
    )
    for found, expected in zip(jax.tree.leaves(parts[:5]), jax.tree.leaves(whole[:5]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_data_of_each_split_have_to_fit():
    both = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), dataset(150))
    with pytest.raises(InputError, match=r"^data_bytes: this train has no advance_part"):
        trained(both, 100, "key", "dataset", "data_key")
