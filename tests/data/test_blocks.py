"""Groups and times: what belongs together lies on one side of every split, in the order of time."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, TimeSeriesSplit

import jaxmlp
from jaxmlp.data.blocks import Blocks, deal_groups, make_blocks
from jaxmlp.data.folds import NO_FOLD, assign_folds, cross_folds
from jaxmlp.data.splits import first_examples, join_parts
from jaxmlp.sweep.search import make_folds
from jaxmlp.types import Dataset, InputError

SIZES = st.lists(st.integers(1, 60), min_size=12, max_size=40).filter(
    lambda sizes: 4 * max(sizes) <= sum(sizes)
)
FEW = settings(max_examples=60, deadline=None)


def rows_of(sizes, seed):
    """The group of each row, in any order, and a target that goes with the group."""
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return groups, random.normal(size=len(sizes))[groups] + random.normal(size=len(groups))


def with_keys(keys, targets, **options):
    """Splits whose inputs are the row's number and its key."""
    inputs = np.column_stack([np.arange(len(keys)), keys, keys % 3])
    return jaxmlp.from_arrays(inputs, targets, **options)


def keys_of(part):
    return part.inputs[:, 1]


# Groups


@FEW
@given(SIZES, st.integers(0, 9), st.booleans())
def test_no_group_is_in_two_parts_and_the_parts_are_about_as_large_as_asked_for(sizes, seed, is_class):
    groups, real = rows_of(sizes, seed)
    targets = (real > 0).astype(int) if is_class else real
    splits = with_keys(groups, targets, groups=groups, test_fraction=0.25, validation_fraction=0.25)
    parts = splits.train, splits.validation, splits.test
    found = [set(keys_of(part).tolist()) for part in parts]
    assert sum(map(len, found)) == len(set.union(*found)) == len(sizes)
    numbers = np.concatenate([part.inputs[:, 0] for part in parts])
    assert sorted(numbers) == list(range(len(groups)))
    for part, share in ((splits.test, 1 / 4), (splits.validation, 3 / 16)):
        assert abs(len(part.inputs) - share * len(groups)) <= max(sizes) + 1
    np.testing.assert_array_equal(splits.blocks.of_row, np.concatenate([keys_of(p) for p in parts[:2]]))


@FEW
@given(SIZES, st.integers(0, 9), st.sampled_from([2, 4, 6]), st.sampled_from(["classes", "one", "two"]))
def test_no_group_is_in_two_folds_and_the_folds_are_about_as_large(sizes, seed, num_folds, kind):
    groups, real = rows_of(sizes, seed)
    targets = {"classes": (real > 0).astype(int), "one": real, "two": np.stack([real, -real], axis=1)}[kind]
    folds = assign_folds(targets, num_folds, seed=seed, blocks=Blocks(groups))
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(len(sizes)))
    assert np.ptp(np.bincount(folds, minlength=num_folds)) <= max(sizes)


def test_groups_are_dealt_as_evenly_as_by_scikit_learn():
    ours, theirs = [], []
    for seed in range(30):
        random = np.random.default_rng(seed)
        groups, real = rows_of(random.integers(1, 80, 40), seed)
        labels = (real > 0.8).astype(int)
        peer = np.zeros(len(groups), int)
        kept = StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(labels, labels, groups)
        for fold, (_, held_out) in enumerate(kept):
            peer[held_out] = fold
        for found, folds in ((ours, deal_groups(groups, labels, [1.0] * 4, seed)), (theirs, peer)):
            counts = np.array([np.bincount(folds[labels == label], minlength=4) for label in (0, 1)])
            shares = counts[1] / counts.sum(axis=0)
            found.append((np.ptp(counts.sum(axis=0)) / len(groups), np.ptp(shares)))
    for our, their in zip(np.mean(ours, axis=0), np.mean(theirs, axis=0), strict=True):
        assert our <= their


def test_of_very_many_groups_each_stays_whole():
    random = np.random.default_rng(0)
    groups, labels = random.integers(0, 20_000, 50_000), (random.random(50_000) < 0.03).astype(int)
    sides = deal_groups(groups, labels, [0.8, 0.2], 0)
    assert not set(groups[sides == 0]) & set(groups[sides == 1])
    for rows in (slice(None), labels == 0, labels == 1):
        assert sides[rows].mean() == pytest.approx(0.2, abs=1e-3)


def test_one_large_group_leaves_the_others_to_the_test_part(capfd):
    groups = np.repeat([0, 1, 2, 3], [700, 100, 100, 100])
    targets = np.random.default_rng(0).normal(size=1000)
    splits = with_keys(groups, targets, groups=groups, validation_fraction=0.0)
    assert len(splits.test.inputs) == 200 and "fraction" not in capfd.readouterr().err
    splits = with_keys(groups > 1, targets, groups=groups > 1, validation_fraction=0.0)
    assert len(splits.test.inputs) == 200
    with_keys(groups, targets, groups=groups, validation_fraction=0.0, test_fraction=0.04)
    line = "test_fraction: 100 of 1,000 rows, 10% instead of 4%, since what has one value of groups stays"
    assert line in capfd.readouterr().err


def test_a_class_in_one_group_alone_is_learnt_by_all_and_told(capfd):
    groups = np.repeat(np.arange(20), 5)
    labels = np.where(groups == 7, 2, np.arange(100) % 2)
    folds = assign_folds(labels, 4, class_names=("a", "b", "rare"), blocks=Blocks(groups))
    np.testing.assert_array_equal(folds == NO_FOLD, groups == 7)
    told = "targets: too few groups for 4 folds, so that all learn from them: class 'rare'\n"
    assert told in capfd.readouterr().err
    with pytest.raises(InputError, match=r"^groups: 2 of 2 classes lie in too few of the 2 groups"):
        assign_folds(np.repeat([0, 1], 30), 2, blocks=Blocks(np.repeat([0, 1], 30)))


# Times


@FEW
@given(st.lists(st.integers(1, 9), min_size=24, max_size=40), st.integers(0, 9))
def test_nothing_is_learnt_from_later_rows(ties, seed):
    times, _ = rows_of(ties, seed)
    # The target says the time and the row, too, and stays as it is where a fold knows one input alone.
    splits = with_keys(times, times + np.arange(len(times)) / 1e4, time=times, test_fraction=0.25)
    train, validation, test = map(keys_of, splits[:3])
    assert train.max() < validation.min() and validation.max() < test.min()
    assert abs(len(test) - len(times) / 4) <= max(ties) + 1
    folds = make_folds(join_parts(splits), 4, seed)
    learnt, own = folds.train.weights > 0, folds.held_out.weights > 0
    assert learnt.shape[0] == 5
    for fold in range(4):
        held_out = folds.held_out.targets[fold][own[fold]]
        assert folds.train.targets[learnt[fold]].astype(int).max() < held_out.astype(int).min()
    # The last one learns from all, and is measured on nothing.
    assert learnt[4].all() and not own[4].any()
    scored = folds.held_out.targets[own]
    assert len(set(scored)) == len(scored)
    assert set(scored) | set(folds.train.targets[learnt[0]]) == set(folds.train.targets)


@pytest.mark.parametrize(("num_rows", "num_folds"), [(100, 4), (103, 4), (17, 5), (6, 5)])
def test_folds_of_different_times_are_those_of_scikit_learn(num_rows, num_folds):
    times = np.random.default_rng(0).permutation(num_rows)
    folds = assign_folds(np.zeros(num_rows), num_folds, blocks=Blocks(times, ordered=True))
    for fold, (learnt, held_out) in enumerate(TimeSeriesSplit(num_folds).split(np.arange(num_rows))):
        assert set(times[folds < fold]) == set(learnt) and set(times[folds == fold]) == set(held_out)


def test_a_network_in_time_has_weights_of_mean_one_on_what_was_before():
    data = Dataset(np.arange(6.0)[:, None], np.arange(6), np.linspace(0.5, 1.5, 6))
    found = cross_folds(data, np.array([0, 0, -1, 1, 1, -1]), ordered=True).train.weights
    np.testing.assert_array_equal(found > 0, [[0, 0, 1, 0, 0, 1], [1, 1, 1, 0, 0, 1], [1] * 6])
    np.testing.assert_allclose(found.mean(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0, 5] / found[0, 2], 1.5 / 0.9, rtol=1e-6)


def test_datetimes_numbers_and_zones_have_one_order():
    days = pd.date_range("2024-01-01", periods=6, freq="36h")
    expected = np.array([4, 2, 0, 1, 5, 3])
    for values in (
        days.to_numpy(),
        [day.to_pydatetime() for day in days],
        days.tz_localize("Europe/Berlin"),
        np.arange(6) * 0.5,
        np.arange(2**60, 2**60 + 6).astype(object),
        np.array([0, 0.5, 1, 1.5, 2, 2.5], object),
        np.array([*days.to_numpy()], object),
        days - days[0],
    ):
        found = make_blocks(None, pd.Series(values)[expected].to_numpy(), 6)
        np.testing.assert_array_equal(found.of_row, expected)
    mixed = [datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 1, 12)]
    np.testing.assert_array_equal(make_blocks(None, mixed, 2).of_row, [1, 0])
    zones = [datetime.timezone(datetime.timedelta(hours=hours)) for hours in (0, 9)]
    noon = [datetime.datetime(2024, 1, 1, 12, tzinfo=zone) for zone in zones]
    np.testing.assert_array_equal(make_blocks(None, noon, 2).of_row, [1, 0])


# What cannot be


NOON = datetime.datetime(2024, 1, 1, 12)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"groups": np.zeros(9)}, r"groups: must be one for each of the 20 examples, got shape \(9,\)"),
        ({"groups": np.zeros(20)}, "groups: is the same in all rows, 0.0; leave it out"),
        ({"time": [NOON] * 20}, "time: is the same in all rows, 2024-01-01T12:00:00"),
        ({"groups": ["a", None] * 10}, "groups: is missing in 10 of 20 rows, the first is row 1"),
        ({"groups": pd.array([1, None] * 10)}, "groups: is missing in 10 of 20 rows"),
        ({"time": [1.0, np.nan] * 10}, "time: is missing in 10 of 20 rows"),
        ({"time": pd.to_datetime([NOON, None] * 10)}, "time: is missing in 10 of 20 rows"),
        ({"groups": np.array([1, "b"] * 10, object)}, "groups: must be of one kind, got int and str"),
        ({"time": ["mon", "tue"] * 10}, "time: must be numbers or datetimes, which have an order, got 'mon'"),
        (
            {"time": [NOON, NOON.replace(tzinfo=datetime.UTC)] * 10},
            "time: must have a zone in all rows, or in none",
        ),
        ({"time": np.arange(20), "groups": np.arange(20)}, "groups, time: give one of them"),
        ({"groups": np.arange(20) % 2}, "groups: all of the 10 rows to cut a part off have one value"),
        (
            {"groups": np.arange(20) % 5, "test": [0, 1]},
            "test: 2 of 2 rows are of groups that have rows else",
        ),
        ({"time": np.arange(20), "test": [0, 1]}, "test: must be the latest rows by time"),
    ],
)
def test_keys_that_split_nothing_are_refused(keys, message):
    with pytest.raises(InputError, match=f"^{message}") as error:
        jaxmlp.from_arrays(np.arange(40.0).reshape(20, 2), np.arange(20.0), **keys)
    assert "\n" not in str(error.value)


def test_too_few_groups_or_times_for_the_folds_are_refused():
    with pytest.raises(InputError, match=r"^num_folds: must be at most the number of groups, 3, got 4"):
        assign_folds(np.arange(9.0), 4, blocks=Blocks(np.arange(9) % 3))
    with pytest.raises(InputError, match=r"^time: must have at least 5 different values to be cut 4 times"):
        assign_folds(np.arange(9.0), 4, blocks=Blocks(np.arange(9) % 4, ordered=True))
    late = np.repeat([0, 1], [15, 5])
    with pytest.raises(InputError, match=r"the earliest 4 of 20 rows, which lack class 'new'; take fewer"):
        assign_folds(late, 4, class_names=("old", "new"), blocks=Blocks(np.arange(20), ordered=True))


def test_the_keys_go_with_the_rows():
    groups = np.arange(60) // 3
    splits = with_keys(groups, np.arange(60.0), groups=groups)
    for found in (
        splits,
        first_examples(splits, 5),
        join_parts(splits),
        join_parts(first_examples(splits, 5)),
    ):
        rows = np.concatenate([keys_of(found.train), keys_of(found.validation)])
        np.testing.assert_array_equal(found.blocks.of_row, rows)
    assert jaxmlp.from_arrays(np.ones((9, 2)) * np.arange(9)[:, None], np.arange(9.0)).blocks is None
    assert "rows: 15 groups, split whole" in str(splits)
