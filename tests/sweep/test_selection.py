"""Greedy ensembles against answers worked by hand and laws of averages; temperature and coverage."""

import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from jaxmlp.models import calibration
from jaxmlp.models.calibration import apply_temperature, coverage, fit_temperature
from jaxmlp.sweep import selection
from jaxmlp.sweep.selection import greedy_selection, update_ensemble

SQUARED = selection.contribution_loss("regression")
CROSS_ENTROPY = selection.contribution_loss("multiclass")


def random_shares(seed, num_candidates=30, num_examples=20, num_fresh=0):
    """Probabilities of the true class: some examples are harder for all, and each candidate errs apart."""
    random = np.random.default_rng(seed)
    skill = 1 + 0.15 * random.normal(size=(num_candidates, 1))
    hard = random.normal(size=(1, num_examples + num_fresh))
    margins = skill + hard + 1.5 * random.normal(size=(num_candidates, num_examples + num_fresh))
    return 1 / (1 + np.exp(-margins))


def cost(shares, counts, losses=CROSS_ENTROPY):
    return losses(np.average(shares, axis=0, weights=counts)).mean()


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


# Shares


def test_the_share_of_a_classifier_is_its_probability_of_the_true_class():
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 1, 0, 2])
    share = selection.probability_of_label(jnp.asarray(logits), jnp.asarray(labels))
    np.testing.assert_allclose(share, softmax(logits)[np.arange(6), labels], rtol=1e-6)
    one_logit = selection.probability_of_label(jnp.array([[2.0], [2.0]]), jnp.array([0, 1]))
    np.testing.assert_allclose(one_logit, [1 / (1 + np.e**2), 1 / (1 + np.e**-2)], rtol=1e-6)


def test_the_share_of_a_regression_is_its_error_in_each_output():
    predictions = jnp.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_array_equal(
        selection.prediction_error(predictions, jnp.array([[1, 1], [5, 5]])), [0, 1, -2, 0]
    )
    np.testing.assert_array_equal(selection.prediction_error(predictions[:, :1], jnp.array([2, 2])), [-1, 1])


def test_an_average_share_costs_what_the_average_network_does():
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=(3, 50, 4)).astype(np.float32), random.integers(0, 4, 50)
    shares = [np.asarray(selection.probability_of_label(jnp.asarray(z), jnp.asarray(labels))) for z in logits]
    together = calibration.weighted_mean(softmax(logits.astype(float)), [2, 1, 0])
    np.testing.assert_allclose(together, (2 * softmax(logits[0]) + softmax(logits[1])) / 3, rtol=1e-5)
    expected = sklearn.metrics.log_loss(labels, together, labels=range(4))
    np.testing.assert_allclose(cost(shares, [2, 1, 0]), expected, rtol=1e-5)


def test_what_a_classifier_holds_impossible_costs_much_but_not_infinitely():
    assert 80 < CROSS_ENTROPY(np.array([0.0]))[0] < 100


# Greedy choice


def test_greedy_picks_are_those_worked_by_hand():
    # Alone, the squared errors sum to 5, 5 and 2, so c is first. With c: a 2.25, b 1.25, c 2. With c and b,
    # of sum (-1, 2): a 2/9, b 2, c 1. With all three, of sum (1, 1): a 9/16, b 5/16, c 8/16.
    errors = np.array([[2.0, -1.0], [-2.0, 1.0], [1.0, 1.0]])
    picks = [greedy_selection(errors, SQUARED, size, num_bags=1).tolist() for size in (1, 2, 3, 4)]
    assert picks == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 2, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_two_picks_are_the_best_single_one_and_its_best_companion(seed):
    shares = random_shares(seed)
    best = np.argmin([cost(shares, row) for row in np.eye(30)])
    pairs = np.eye(30) + np.eye(30)[best]
    expected = pairs[np.argmin([cost(shares, row) for row in pairs])]
    np.testing.assert_array_equal(greedy_selection(shares, CROSS_ENTROPY, 2, num_bags=1), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("losses", [SQUARED, CROSS_ENTROPY], ids=["squared", "cross-entropy"])
def test_without_bags_the_ensemble_is_never_worse_than_its_best_member(losses, size):
    # Losses are convex: picking the best single member once more cannot do worse than that member.
    for seed in range(10):
        shares = random_shares(seed, num_candidates=5)
        shares = shares if losses is CROSS_ENTROPY else shares - 0.5
        best = min(cost(shares, row, losses) for row in np.eye(5))
        assert cost(shares, greedy_selection(shares, losses, size, num_bags=1), losses) <= best + 1e-12


def test_of_equals_the_first_is_chosen():
    assert greedy_selection(np.full((3, 4), 0.5), CROSS_ENTROPY, 16).tolist() == [16, 0, 0]


@pytest.mark.parametrize(
    ("max_size", "num_bags", "size"), [(1, 8, 1), (5, 8, 5), (16, 8, 16), (20, 8, 16), (7, 3, 6), (7, 1, 7)]
)
def test_no_more_are_picked_than_allowed_and_as_many_in_each_bag(max_size, num_bags, size):
    assert greedy_selection(random_shares(0), CROSS_ENTROPY, max_size, num_bags=num_bags).sum() == size


def test_bags_guard_against_a_small_validation_set():
    costs = []
    for seed in range(60):
        shares = random_shares(seed, num_fresh=500)
        known, fresh = shares[:, :20], shares[:, 20:]
        counts = [greedy_selection(known, CROSS_ENTROPY, 32, num_bags=num_bags) for num_bags in (1, 8)]
        costs.append([[cost(part, c) for c in counts] for part in (known, fresh)])
    (one, eight), (fresh_one, fresh_eight) = np.mean(costs, axis=0)
    # Less is gained where the choice is made, and more elsewhere; a mean has a standard error of about 0.004.
    assert one < eight - 0.01
    assert fresh_eight < fresh_one - 0.01


@pytest.mark.parametrize(
    ("starts", "max_size", "num_bags", "votes"),
    [
        ([0, 1], 4, 2, [1, 1, 2]),
        ([1, 0], 6, 3, [1, 2, 3]),
        ([0], 8, 4, [4, 0, 4]),
        ([], 4, 2, [0, 0, 4]),
        ([0, 1], 4, 1, [0, 0, 4]),
        ([0, 1], 2, 2, [0, 0, 2]),
    ],
)
def test_each_bag_begins_with_another_start_and_goes_on_with_the_best(starts, max_size, num_bags, votes):
    # The last candidate is right everywhere, so that every free pick is its.
    errors = np.array([[3.0, 2.0], [-2.0, 3.0], [0.0, 0.0]])
    assert greedy_selection(errors, SQUARED, max_size, num_bags=num_bags, starts=starts).tolist() == votes


# Epoch by epoch


def choose(chosen, members, shares, *, epoch, max_size=2, num_bags=1):
    """``update_ensemble`` with names for parameters, and the rows whose parameters it asked for."""
    asked = []

    def params_of(row):
        asked.append(row)
        return "member {} after epoch {}".format(*members[row])

    options = {"losses": SQUARED, "max_size": max_size, "num_bags": num_bags}
    members = [(member, epoch) for member in members]
    return update_ensemble(chosen, members, np.array(shares), params_of, **options), asked


def told(chosen):
    return [(c.member, c.epoch, c.count, c.params) for c in chosen]


def test_an_ensemble_streams_over_epochs_as_worked_by_hand():
    # Errors 1 and -2 make -1/2; 5 is left alone.
    first, asked = choose([], [10, 20, 30], [[1.0, 1.0], [-2.0, -2.0], [5.0, 5.0]], epoch=1)
    assert told(first) == [(10, 1, 1, "member 10 after epoch 1"), (20, 1, 1, "member 20 after epoch 1")]
    assert asked == [0, 1]
    # Member 10 was better before, member 20 is now; 1 and -5/4 make -1/8.
    second, asked = choose(first, [10, 20], [[3.0, 3.0], [-1.25, -1.25]], epoch=2)
    assert told(second) == [(10, 1, 1, "member 10 after epoch 1"), (20, 2, 1, "member 20 after epoch 2")]
    assert asked == [1]
    np.testing.assert_array_equal([c.contribution for c in second], [[1, 1], [-1.25, -1.25]])
    # One that is right takes all votes.
    third, asked = choose(second, [20], [[0.0, 0.0]], epoch=3)
    assert told(third) == [(20, 3, 2, "member 20 after epoch 3")]
    fourth, asked = choose(third, [20], [[0.0, 0.0]], epoch=4)
    assert (told(fourth), asked) == (told(third), [])


def test_who_trains_now_has_a_vote_in_each_bag_to_begin_with():
    perfect, _ = choose([], [5], [[0.0, 0.0]], epoch=1)
    errors = [[3.0, 3.0], [1.0, 1.0], [np.nan, 0.0]]
    chosen, asked = choose(perfect, [5, 6, 7], errors, epoch=2, max_size=16, num_bags=4)
    assert [(c.member, c.epoch, c.count) for c in chosen] == [(5, 1, 12), (5, 2, 2), (6, 2, 2)]
    assert asked == [0, 1]
    # With one bag nobody is given a vote.
    alone, asked = choose(perfect, [5, 6, 7], errors, epoch=2, max_size=16)
    assert [(c.member, c.epoch, c.count) for c in alone] == [(5, 1, 16)] and asked == []


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_members_that_are_not_finite_are_passed_over(broken):
    chosen, asked = choose([], [7, 8, 9], [[broken, 0.0], [2.0, 2.0], [0.0, broken]], epoch=1, num_bags=8)
    assert [c.member for c in chosen] == [8]
    assert asked == [1]
    kept, asked = choose(chosen, [7], [[broken, broken]], epoch=2)
    assert (told(kept), asked) == (told(chosen), [])
    assert choose([], [7], [[broken, 0.0]], epoch=1) == ([], [])


def test_the_chosen_do_not_hold_on_to_the_shares_of_the_others():
    shares = np.array([[1.0, 1.0], [2.0, 2.0]])
    options = {"losses": SQUARED, "max_size": 1}
    (chosen,) = update_ensemble([], [(0, 1), (1, 1)], shares, lambda row: None, **options)
    shares[:] = 9
    np.testing.assert_array_equal(chosen.contribution, [1, 1])


# Calibration


@pytest.mark.parametrize(("temperature", "expected"), [(0.5, 1.0), (1.0, 1.0), (1.5, 1.5), (3.0, 3.0)])
def test_a_known_temperature_is_found_unless_it_would_sharpen(temperature, expected):
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(20_000, 4))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    found = fit_temperature(np.log(softmax(logits * temperature)), labels)
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_the_temperature_stays_within_its_bounds():
    probabilities = np.array([[0.6, 0.4], [0.4, 0.6]])
    assert fit_temperature(np.log(probabilities), np.array([0, 1])) == 1
    np.testing.assert_allclose(fit_temperature(np.log(probabilities), np.array([1, 0])), 20, rtol=1e-3)


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
