"""Each row in one fold, the folds alike, and what a fold leaves out of no weight to it."""

import numpy as np
import pytest

from jaxmlp.data.folds import NO_FOLD, assign_folds, constant_inputs, cross_folds, single_fold
from jaxmlp.types import Dataset, InputError


def counts(folds, rows=slice(None)):
    return np.bincount(folds[rows], minlength=folds.max() + 1)


# Which rows


@pytest.mark.parametrize("num_folds", [2, 4, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_class_is_spread_evenly(num_folds, seed):
    # Not drawn from the numbers that the rows are shuffled by.
    labels = np.random.default_rng(9).choice(3, 200, p=[0.1, 0.2, 0.7]).astype(np.int32)
    folds = assign_folds(labels, num_folds, seed=seed)
    assert set(folds) == set(range(num_folds))
    for rows in (slice(None), *(labels == label for label in range(3))):
        assert np.ptp(counts(folds, rows)) <= 1 and counts(folds, rows).min() > 0


def test_the_seed_decides():
    labels = np.arange(100) % 2
    first, again, other = (assign_folds(labels, 4, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first == other) < 0.5


def test_no_fold_is_larger_or_of_the_first_rows_in_all_seeds():
    # 10 rows in 4 folds: which two have three is drawn, and which fold a row is in.
    drawn = np.stack([assign_folds(np.zeros(10, int), 4, seed=seed) for seed in range(400)])
    larger = np.mean([counts(folds) == 3 for folds in drawn], axis=0)
    first = counts(drawn[:, 0]) / 400
    # Standard errors of 0.025 and 0.022.
    np.testing.assert_allclose(larger, 0.5, atol=0.1)
    np.testing.assert_allclose(first, 0.25, atol=0.09)


def test_a_class_of_few_rows_is_told_and_learnt_by_all(capfd):
    labels = np.array([0] * 30 + [1] * 30 + [2] * 3 + [3] * 4)
    folds = assign_folds(labels, 4)
    np.testing.assert_array_equal(folds[60:63], NO_FOLD)
    assert set(folds[63:]) == {0, 1, 2, 3} and (folds[:60] >= 0).all()
    assert np.ptp(counts(folds, folds >= 0)) <= 1
    assert "too few rows for 4 folds, so that all learn from them: class 2\n" in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(200,), (200, 1)])
def test_folds_of_a_real_target_have_its_distribution(shape):
    targets = np.exp(3 * np.random.default_rng(0).normal(size=shape))
    folds = assign_folds(targets, 4)
    assert np.ptp(counts(folds)) <= 1
    for low, high in ((0, 10), (40, 60), (80, 100)):
        ends = np.percentile(targets, [low, high])
        inside = ((targets >= ends[0]) & (targets <= ends[1])).ravel()
        assert np.ptp(counts(folds, inside)) <= 2


@pytest.mark.parametrize(
    "targets", [np.zeros(21), np.arange(5.0), np.ones((22, 3)), np.repeat([0.0, 1.0], 9)]
)
def test_ties_few_rows_and_several_targets_are_spread_evenly(targets):
    folds = assign_folds(targets, 4)
    assert set(folds) == {0, 1, 2, 3} and np.ptp(counts(folds)) <= 1


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(InputError, match=r"^num_folds: must be a whole number of at least 2, got 1"):
        assign_folds(np.zeros(9), 1)
    for targets, most in ((np.zeros(3), "rows, 3"), (np.arange(9), "rows of a class, 1")):
        with pytest.raises(InputError, match=f"^num_folds: must be at most the {most}, got 4$"):
            assign_folds(targets, 4)


# What is made of them


def numbered(num_rows, weights=None):
    """Rows whose input and target say which they are."""
    return Dataset(np.arange(num_rows, dtype=np.float32)[:, None], np.arange(num_rows), weights)


FOLDS = np.array([0, 1, 2, NO_FOLD, 0, 1, 2, 0, NO_FOLD, 1])


@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 1.9, 10)])
def test_a_fold_learns_from_all_rows_but_its_own_by_their_weights(weights):
    found = cross_folds(numbered(10, weights), FOLDS).train
    assert found.weights.shape == (3, 10) and found.inputs is not None
    own = np.ones(10) if weights is None else weights
    for fold in range(3):
        learnt = fold != FOLDS
        assert not found.weights[fold][~learnt].any()
        expected = own[learnt] * 10 / own[learnt].sum()
        np.testing.assert_allclose(found.weights[fold][learnt], expected, rtol=1e-6)
    np.testing.assert_allclose(found.weights.mean(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found.targets, np.arange(10))


@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 1.9, 10)])
def test_each_row_of_a_fold_is_held_out_once_and_others_never(weights):
    held_out = cross_folds(numbered(10, weights), FOLDS).held_out
    # Three rows in the folds 0 and 1, and two in the last, one of which is there twice to fill it up.
    assert held_out.inputs.shape == (3, 3, 1)
    np.testing.assert_array_equal(held_out.inputs[..., 0], held_out.targets)
    np.testing.assert_array_equal(FOLDS[held_out.targets], np.repeat([[0], [1], [2]], 3, axis=1))
    counted = held_out.weights > 0
    assert sorted(held_out.targets[counted]) == [0, 1, 2, 4, 5, 6, 7, 9]
    own = np.ones(10) if weights is None else weights
    np.testing.assert_allclose(held_out.weights[counted], own[held_out.targets[counted]], rtol=1e-6)


def test_a_row_of_no_weight_is_in_a_fold_and_counts_nowhere():
    weights = np.array([0.0, *[10 / 9] * 9])
    found = cross_folds(numbered(10, weights), FOLDS)
    assert not found.train.weights[:, 0].any()
    assert not found.held_out.weights[found.held_out.targets == 0].any()


def test_a_part_of_ones_own_takes_the_folds_place():
    train, validation = numbered(10, np.linspace(0.1, 1.9, 10)), numbered(4)
    found = single_fold(train, validation)
    np.testing.assert_allclose(found.train.weights, train.weights[None], rtol=1e-6)
    np.testing.assert_array_equal(found.train.inputs, train.inputs)
    np.testing.assert_array_equal(found.held_out.inputs, validation.inputs[None])
    np.testing.assert_array_equal(found.held_out.targets, validation.targets[None])
    np.testing.assert_array_equal(found.held_out.weights, np.ones((1, 4)))


def test_what_a_fold_has_never_seen_is_nothing_to_its_held_out_rows():
    inputs = np.ones((8, 3))
    inputs[:, 1] = np.arange(8) == 5
    inputs[:, 2] = np.arange(8) % 2
    folds = cross_folds(Dataset(inputs, np.zeros(8)), np.arange(8) // 4)
    np.testing.assert_array_equal(constant_inputs(folds), [[1, np.nan, np.nan], [1, 0, np.nan]])
    expected = inputs.reshape(2, 4, 3).copy()
    expected[1, :, 1] = 0
    np.testing.assert_array_equal(folds.held_out.inputs, expected)


def test_weight_that_lies_in_one_fold_alone_is_refused():
    data = Dataset(np.ones((4, 1)), np.zeros(4), np.array([1.0, 1.0, 0.0, 0.0]))
    with pytest.raises(InputError, match=r"^sample_weight: all weight lies in one fold"):
        cross_folds(data, np.array([0, 0, 1, 1]))


def test_a_part_of_ones_own_has_nothing_that_was_never_seen_either():
    train = Dataset(np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros(2))
    folds = single_fold(train, Dataset(np.array([[3.0, 1.0]]), np.zeros(1)))
    np.testing.assert_array_equal(folds.held_out.inputs, [[[3.0, 0.0]]])
