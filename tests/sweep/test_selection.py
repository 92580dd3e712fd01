"""Choices against answers worked by hand, brute force and laws of averages; temperature and coverage."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from jaxmlp.data.folds import NO_FOLD, assign_folds, cross_folds, single_fold
from jaxmlp.models.calibration import apply_temperature, coverage, fit_noise_scale, fit_temperature
from jaxmlp.sweep import selection
from jaxmlp.sweep.selection import Candidate, HeldOut, greedy_selection, held_out_rows
from jaxmlp.types import Dataset, InputError

TASKS = ("multiclass", "regression")


def random_shares(seed, num_candidates=30, num_examples=20):
    """Probabilities of the true class: some examples are harder for all, and each candidate errs apart."""
    random = np.random.default_rng(seed)
    skill = 1 + 0.15 * random.normal(size=(num_candidates, 1))
    hard = random.normal(size=(1, num_examples))
    margins = skill + hard + 1.5 * random.normal(size=(num_candidates, num_examples))
    return (1 / (1 + np.exp(-margins)))[..., None]


def contributions_of(task, seed, num_candidates, num_examples=20):
    shares = random_shares(seed, num_candidates, num_examples)
    return shares if task == "multiclass" else np.concatenate([shares - 0.5, shares - 0.7], axis=2)


def equal_weights(contributions):
    return np.full(contributions.shape[1], 1 / contributions.shape[1])


def cost(contributions, counts, task="multiclass", weights=None):
    """What the average costs, in other words than the library's."""
    average = np.tensordot(np.asarray(counts) / np.sum(counts), contributions, axes=1)
    losses = -np.log(average[:, 0]) if task == "multiclass" else np.mean(average**2, axis=1)
    return np.average(losses, weights=weights)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def judged_by(targets, task="multiclass", num_parts=4, weights=None):
    """Rows in parts in turn."""
    weights = np.ones(len(targets)) if weights is None else weights
    return HeldOut(task, targets, weights / weights.sum(), np.arange(len(targets)) % num_parts)


# What is judged


def test_rows_are_those_of_one_fold_after_the_other_by_their_weights():
    labels = np.arange(22) % 2
    folds = cross_folds(
        Dataset(np.zeros((22, 1)), labels, np.linspace(0.5, 1.5, 22)), assign_folds(labels, 4)
    )
    found = held_out_rows("binary", folds)
    # Folds of 6, 6, 5 and 5 rows.
    np.testing.assert_array_equal(found.parts, np.repeat([0, 1, 2, 3], 6))
    np.testing.assert_array_equal(found.targets, folds.held_out.targets.ravel())
    np.testing.assert_allclose(found.weights, folds.held_out.weights.ravel() / 22, rtol=1e-6)
    assert (found.weights > 0).sum() == 22 and found.bounds is None


def test_a_part_of_ones_own_is_cut_into_four():
    part = Dataset(np.zeros((50, 1)), np.arange(50) % 3)
    found = held_out_rows("multiclass", single_fold(part, part))
    assert sorted(np.bincount(found.parts)) == [12, 12, 13, 13]
    # In no order of the rows, and of no class.
    assert (np.diff(found.parts) != 1).any() and len(set(found.parts[::3])) == 4
    np.testing.assert_array_equal(found.parts, held_out_rows("multiclass", single_fold(part, part)).parts)


def test_every_part_has_rows_that_count_where_few_do():
    part = Dataset(np.zeros((50, 1)), np.arange(50) % 3)
    for seed in range(9):
        weights = np.zeros(50)
        weights[np.random.default_rng(seed).permutation(50)[:4]] = 1
        found = held_out_rows("multiclass", single_fold(part, part._replace(weights=weights)))
        assert sorted(found.parts[found.weights > 0]) == [0, 1, 2, 3]


def test_rows_of_weight_in_one_fold_alone_are_nothing_to_choose_by():
    assigned = np.array([NO_FOLD, NO_FOLD, 0, 0, 1, 1])
    data = Dataset(np.zeros((6, 1)), np.arange(6) % 2, np.array([1.0, 1, 0, 0, 1, 1]))
    with pytest.raises(InputError, match=r"^validation: must have .* of two folds where there are folds$"):
        held_out_rows("binary", cross_folds(data, assigned))


def test_a_network_predicts_nothing_that_it_has_not_seen():
    targets = np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0], [9.0, 8.0], [30.0, -9.0]])
    data = Dataset(np.zeros((5, 1)), targets)
    found = held_out_rows("regression", cross_folds(data, np.array([0, 1, 0, 1, NO_FOLD])))
    predicted = found.predict(np.full((4, 2), [-99.0, 99.0]))
    # The first fold has learnt from the second, fourth and last row, the other from the others and the last.
    np.testing.assert_array_equal(predicted, [[1, 8], [1, 8], [0, 7], [0, 7]])
    inside = np.array([[1.5, 6.5]] * 4)
    np.testing.assert_array_equal(found.predict(inside), inside)


def test_probabilities_are_those_of_the_logits_and_of_one_logit():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    judged = judged_by(np.array([0, 2, 1, 1, 0, 2]))
    np.testing.assert_allclose(judged.predict(logits), softmax(logits), rtol=1e-12)
    one = judged_by(np.array([0, 1])).predict(np.array([[2.0], [-1.0]]))
    expected = [[1 / (1 + np.e**2), 1 / (1 + np.e**-2)], [1 / (1 + np.e**-1), 1 / (1 + np.e)]]
    np.testing.assert_allclose(one, expected, rtol=1e-12)


def test_an_average_costs_what_the_average_network_does():
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=(3, 50, 4)), random.integers(0, 4, 50)
    weights = random.uniform(size=50)
    judged = judged_by(labels, weights=weights)
    each = [judged.predict(one) for one in logits]
    together = (2 * softmax(logits[0]) + softmax(logits[1])) / 3
    expected = sklearn.metrics.log_loss(labels, together, labels=range(4), sample_weight=weights)
    np.testing.assert_allclose(cost(judged.contributions(each), [2, 1, 0], weights=weights), expected)
    np.testing.assert_allclose(judged.losses([together])[0] @ judged.weights, expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 3)])
def test_a_regression_costs_its_squared_error_over_all_outputs(shape):
    random = np.random.default_rng(2)
    targets = random.normal(size=shape)
    predictions = random.normal(size=(9, targets[0].size))
    judged = judged_by(targets, "regression")
    expected = sklearn.metrics.mean_squared_error(targets.reshape(9, -1), predictions)
    np.testing.assert_allclose(judged.losses([predictions])[0] @ judged.weights, expected)


def test_what_a_classifier_holds_impossible_costs_much_but_not_infinitely():
    losses = judged_by(np.array([0, 1])).losses([np.array([[0.0, 1.0], [0.0, 1.0]])])
    assert 80 < losses[0, 0] < 100 and losses[0, 1] == 0


# Greedy choice


def test_greedy_picks_are_those_worked_by_hand():
    # Alone, the squared errors sum to 5, 5 and 2, so c is first. With c: a 2.25, b 1.25, c 2. With c and b,
    # of sum (-1, 2): a 2/9, b 2, c 1. With all three, of sum (1, 1): a 9/16, b 5/16, c 8/16.
    errors = np.array([[2.0, -1.0], [-2.0, 1.0], [1.0, 1.0]])[..., None]
    weights = np.full(2, 0.5)
    picks = [greedy_selection(errors, weights, "regression", size).tolist() for size in (1, 2, 3, 4)]
    assert picks == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 2, 1]]


def next_best(contributions, counts, task, weights, allowed):
    """The counts with the one more that helps most, by trying all."""
    trials = {i: counts + np.eye(len(counts), dtype=int)[i] for i in range(len(counts)) if i in allowed}
    return min(trials.values(), key=lambda trial: cost(contributions, trial, task, weights))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(4))
def test_each_pick_is_the_best_of_all_that_might_join(task, seed):
    contributions = contributions_of(task, seed, 7, 12)
    weights = np.random.default_rng(seed).uniform(size=12)
    expected = np.zeros(7, int)
    for size in range(1, 12):
        expected = next_best(contributions, expected, task, weights, range(7))
        found = greedy_selection(contributions, weights, task, size)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("most", [1, 2, 3])
def test_after_so_many_different_ones_only_these_join_again(task, most):
    bound = 0
    for seed in range(6):
        contributions = np.random.default_rng(seed).uniform(0.02, 1, (9, 12, 1))
        contributions = contributions if task == "multiclass" else contributions - 0.5
        weights, expected, allowed = equal_weights(contributions), np.zeros(9, int), range(9)
        for size in range(1, 11):
            expected = next_best(contributions, expected, task, weights, allowed)
            allowed = np.flatnonzero(expected) if (expected > 0).sum() == most else allowed
            found = greedy_selection(contributions, weights, task, size, most)
            np.testing.assert_array_equal(found, expected)
        assert (expected > 0).sum() <= most and expected.sum() == 10
        bound += (expected != greedy_selection(contributions, weights, task, 10)).any()
    assert bound


@pytest.mark.parametrize("task", TASKS)
def test_few_steps_come_close_to_the_best_of_all_ensembles(task):
    for seed in range(8):
        contributions = contributions_of(task, seed, 5, 12)
        weights = equal_weights(contributions)
        every = combinations_with_replacement(range(5), 4)
        best = min(cost(contributions, np.bincount(picks, minlength=5), task) for picks in every)
        single = min(cost(contributions, row, task) for row in np.eye(5))
        found = cost(contributions, greedy_selection(contributions, weights, task, 4), task)
        assert best <= found + 1e-12 and found - best <= 0.2 * (single - best)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("task", TASKS)
def test_the_ensemble_is_never_worse_than_its_best_member(task, size):
    # Losses are convex: picking the best single member once more cannot do worse than that member.
    for seed in range(10):
        contributions = contributions_of(task, seed, 5)
        best = min(cost(contributions, row, task) for row in np.eye(5))
        counts = greedy_selection(contributions, equal_weights(contributions), task, size)
        assert cost(contributions, counts, task) <= best + 1e-12


def test_of_equals_the_first_is_chosen():
    assert greedy_selection(np.full((3, 4, 1), 0.5), np.full(4, 0.25), "binary", 16).tolist() == [16, 0, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0]), min_size=12, max_size=12))
def test_rows_of_no_weight_are_no_rows_and_a_weight_of_two_is_a_row_twice(seed, weights):
    weights, contributions = np.array(weights), contributions_of("multiclass", seed, 6, 12)
    if not weights.any():
        return
    found = greedy_selection(contributions, weights, "multiclass", 8)
    spoilt = np.where(weights[None, :, None] > 0, contributions, np.nan)
    np.testing.assert_array_equal(greedy_selection(spoilt, weights, "multiclass", 8), found)
    times = (2 * weights).astype(int)
    repeated = np.repeat(contributions, times, axis=1)
    again = greedy_selection(repeated, np.ones(times.sum()), "multiclass", 8)
    np.testing.assert_allclose(
        cost(contributions, again, weights=weights), cost(contributions, found, weights=weights)
    )


# All but a part


def draw_predictions(task, seed, num_candidates=12, num_rows=40):
    """Of targets that are noise, by candidates that know nothing."""
    random = np.random.default_rng(seed)
    if task == "regression":
        return random.normal(size=(num_candidates, num_rows, 2)), random.normal(size=(num_rows, 2))
    probabilities = random.dirichlet(np.ones(3), (num_candidates, num_rows))
    return probabilities, random.integers(0, 3, num_rows)


def choose(predictions, judged, **options):
    known = np.ones((selection.num_choices(judged), len(predictions)), bool)
    return selection.choose(list(predictions), known, judged, 8, **options)


def chosen(predictions, judged, **options):
    counts = choose(predictions, judged, **options)
    return [Candidate(i, 1, 1.0, counts[:, i], p, None) for i, p in enumerate(predictions)]


@pytest.mark.parametrize("task", TASKS)
def test_what_is_chosen_for_a_part_never_reads_its_rows(task):
    predictions, targets = draw_predictions(task, 0)
    judged = judged_by(targets, task)
    before = choose(predictions, judged)
    for part in range(4):
        own = judged.parts == part
        others = np.where(own.reshape(-1, *[1] * (targets.ndim - 1)), targets[::-1], targets)
        after = choose(predictions, judged._replace(targets=others))
        same = (before == after).all(axis=1)
        assert same[part + 1] and not same[[c for c in range(5) if c != part + 1]].all()


@pytest.mark.parametrize("task", TASKS)
def test_a_choice_is_the_greedy_one_of_its_rows(task):
    predictions, targets = draw_predictions(task, 1)
    judged = judged_by(targets, task)
    found = choose(predictions, judged, max_different=3)
    for choice in range(5):
        rows = judged.parts != choice - 1
        alone = HeldOut(task, targets[rows], judged.weights[rows], judged.parts[rows])
        contributions = alone.contributions([p[rows] for p in predictions])
        expected = greedy_selection(contributions, alone.weights, task, 8, 3)
        np.testing.assert_array_equal(found[choice], expected)


def test_a_candidate_that_is_not_known_to_a_choice_does_not_join_it():
    predictions, labels = draw_predictions("multiclass", 2)
    judged, known = judged_by(labels), np.ones((5, 12), bool)
    best = choose(predictions, judged).argmax(axis=1)
    known[2, best[2]] = False
    counts = selection.choose(list(predictions), known, judged, 8)
    assert counts[2, best[2]] == 0 and (counts.sum(axis=1) == 8).all()
    rest = [choice for choice in range(5) if choice != 2]
    np.testing.assert_array_equal(counts[rest], choose(predictions, judged)[rest])


@pytest.mark.parametrize("task", TASKS)
def test_a_parts_rows_are_predicted_by_what_was_chosen_on_the_others(task):
    predictions, targets = draw_predictions(task, 3)
    judged = judged_by(targets, task)
    candidates = chosen(predictions, judged)
    found = selection.cross_fitted_predictions(candidates, judged)
    for row in range(40):
        counts = [one.counts[judged.parts[row] + 1] for one in candidates]
        expected = np.average(predictions[:, row], axis=0, weights=counts)
        np.testing.assert_allclose(found[row], expected, rtol=1e-12)
    whole = np.average(predictions, axis=0, weights=[one.counts[0] for one in candidates])
    np.testing.assert_allclose(selection.ensemble_predictions(candidates), whole, rtol=1e-12)


@pytest.mark.parametrize("num_rows", [200, 2000])
def test_of_noise_the_best_of_many_seems_good_where_it_was_chosen_and_not_where_it_was_not(num_rows):
    seems, honest = [], []
    for seed in range(20):
        predictions, labels = draw_predictions("multiclass", seed, 200, num_rows)
        # Close to the frequencies: what knows nothing loses little, and what is lucky gains.
        predictions = 0.7 / 3 + 0.3 * predictions
        judged = judged_by(labels)
        candidates = chosen(predictions, judged)
        answers = (
            selection.ensemble_predictions(candidates),
            selection.cross_fitted_predictions(candidates, judged),
        )
        first, second = (judged.losses([each])[0] @ judged.weights for each in answers)
        seems.append(first - np.log(3))
        honest.append(second - np.log(3))
    # What knows nothing of a row loses on average; a mean over the draws is known to a standard error.
    assert np.mean(seems) < -4 * np.std(seems) / np.sqrt(20)
    assert np.mean(honest) > -2 * np.std(honest) / np.sqrt(20)
    assert np.mean(honest) - np.mean(seems) > 4 * np.std(np.subtract(honest, seems)) / np.sqrt(20)


# Temperature, for smoothed labels


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 3.0])
def test_a_candidate_that_doubts_too_much_is_sharpened(outputs, temperature):
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(20_000, outputs))
    both = logits if outputs > 1 else np.concatenate([np.zeros_like(logits), logits], axis=1)
    labels = np.argmax(both + random.gumbel(size=both.shape), axis=1)
    found = selection.sharpen(logits * temperature, judged_by(labels))
    np.testing.assert_allclose(found, temperature, rtol=0.05)


def test_a_temperature_is_that_of_the_rows_that_count():
    random = np.random.default_rng(1)
    logits = 2 * random.normal(size=(20_000, 3))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    # Those of no weight are all wrong.
    counted = np.arange(20_000) % 2
    labels = np.where(counted, labels, (labels + 1) % 3)
    found = selection.sharpen(logits / 2, judged_by(labels, weights=counted.astype(float)))
    np.testing.assert_allclose(found, 0.5, rtol=0.05)


def test_the_temperature_of_a_parts_rows_is_that_of_the_others():
    random = np.random.default_rng(2)
    logits = 2 * random.normal(size=(8_000, 3))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    judged = judged_by(labels)
    before = selection.sharpen_parts(logits / 2, judged)
    own = judged.parts == 1
    # All wrong in one part: its own temperature stays, and that of the others falls behind.
    wrong = judged._replace(targets=np.where(own, (labels + 1) % 3, labels))
    after = selection.sharpen_parts(logits / 2, wrong)
    np.testing.assert_array_equal(after[own], before[own])
    np.testing.assert_allclose(before, logits, rtol=0.05)
    assert (np.abs(after[~own]) < 0.9 * np.abs(before[~own])).all()


def test_a_single_row_is_nothing_to_choose_by():
    part = Dataset(np.zeros((1, 2)), np.zeros(1, np.int32))
    with pytest.raises(InputError, match=r"^validation: must have at least two examples"):
        held_out_rows("binary", single_fold(Dataset(np.zeros((5, 2)), np.zeros(5, np.int32)), part))


# Calibration


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.5, 3.0])
def test_a_known_temperature_is_found(temperature):
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(20_000, 4))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    found = fit_temperature(np.log(softmax(logits * temperature)), labels)
    np.testing.assert_allclose(found, temperature, rtol=0.03)


@pytest.mark.parametrize("num_classes", [2, 10, 100])
@pytest.mark.parametrize("num_examples", [10, 100, 1000])
def test_probabilities_that_are_right_cost_hardly_more_after_a_temperature(num_classes, num_examples):
    random, extra = np.random.default_rng(0), []
    others = log_softmax(6 * random.normal(size=(2000, num_classes)), axis=1)
    for _ in range(40):
        logits = 6 * random.normal(size=(num_examples, num_classes))
        labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
        found = fit_temperature(log_softmax(logits, axis=1), labels)
        costs = [-(np.exp(others) * apply_temperature(others, t)).sum(axis=1).mean() for t in (1.0, found)]
        extra.append(costs[1] - costs[0])
    # One number that is fitted to n examples costs 1 / (2n) where n is large.
    assert np.mean(extra) < 1.5 / num_examples


def test_the_temperature_stays_within_its_bounds():
    probabilities = np.array([[0.6, 0.4], [0.4, 0.6]])
    # Three to one of those whose odds are 1.5.
    sure = fit_temperature(np.log(probabilities), np.array([0, 1]))
    np.testing.assert_allclose(sure, np.log(1.5) / np.log(3), rtol=1e-3)
    np.testing.assert_allclose(fit_temperature(np.log(probabilities), np.array([1, 0])), 20, rtol=1e-3)
    assert fit_temperature(np.full((2, 2), np.nan), np.array([0, 1])) == 1


@pytest.mark.parametrize("num_examples", [6, 100])
@pytest.mark.parametrize("num_unlikely", [0, 7])
def test_examples_without_a_mistake_are_as_sure_as_their_number_allows(num_examples, num_unlikely):
    right = np.arange(num_examples) % 2
    likely = np.where(right[:, None] == [0, 1], 0.6, 0.4)
    probabilities = np.hstack([likely, np.full((num_examples, num_unlikely), 1e-30)])
    temperature = fit_temperature(np.log(probabilities), right)
    # The odds are then those of Platt: n + 1 to 1.
    np.testing.assert_allclose(1.5 ** (1 / temperature), num_examples + 1, rtol=1e-3)


def test_tempered_probabilities_are_those_worked_by_hand():
    half = np.exp(apply_temperature(np.log([[0.8, 0.2]]), 0.5))
    np.testing.assert_allclose(half, [[0.64 / 0.68, 0.04 / 0.68]], rtol=1e-12)
    same = apply_temperature(np.log([[0.8, 0.2]]), 1.0)
    np.testing.assert_allclose(same, np.log([[0.8, 0.2]]), rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.05, 0.7, 20.0])
def test_tempered_probabilities_sum_to_one_and_keep_their_order(temperature):
    probabilities = np.vstack([np.random.default_rng(0).dirichlet(np.ones(5), 50), 1e-300 + np.eye(5)])
    found = np.exp(apply_temperature(np.log(probabilities), temperature))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    ranked = np.take_along_axis(found, np.argsort(probabilities, axis=1), axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()
    np.testing.assert_array_equal(found.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_intervals_of_normal_errors_hold_their_share(probability):
    scales = np.array([0.1, 10.0])
    errors = scales * np.random.default_rng(0).normal(size=(20_000, 2))
    # Its standard error is at most 0.0025.
    np.testing.assert_allclose(coverage(errors, scales, probability), probability, atol=0.01)
    assert coverage(np.array([-1.64, 1.64, 1.65, -1.65]), 1.0) == 0.5


@pytest.mark.parametrize("num_errors", [1, 2, 9, 10, 99, 500])
def test_a_new_error_is_within_the_interval_of_others_in_nine_of_ten_draws(num_errors):
    # Of n + 1 errors each is as likely to be the k-th smallest; 0.9 (n + 1) rounded up are to be inside.
    draws = np.random.default_rng(0).standard_cauchy(size=(num_errors + 1, 20_000))
    inside = np.abs(draws[0]) <= 1.6448536270 * np.array(fit_noise_scale(draws[1:]))
    expected = min(np.ceil(0.9 * (num_errors + 1)), num_errors) / (num_errors + 1)
    # A standard error of 0.002, of one error alone of 0.004.
    np.testing.assert_allclose(np.mean(inside), expected, atol=0.008)


def test_each_output_has_an_interval_of_its_own_and_no_error_still_has_one():
    errors = np.stack([np.arange(1.0, 100), np.zeros(99)], axis=1)
    first, second = fit_noise_scale(errors)
    # 90 of 99 errors, and of 100 with a new one.
    np.testing.assert_allclose(first, 90 / 1.6448536270)
    assert second > 0
