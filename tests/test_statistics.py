"""Means and intervals against numbers worked by hand and against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxmlp.statistics import (
    Summary,
    format_mean,
    mean_interval,
    summarize,
    variance_of_mean,
)
from jaxmlp.types import InputError


def test_a_sample_worked_by_hand():
    # 2, 4, 6: sd 2, standard error 2/√3; the t table gives 4.3027 for two degrees of freedom.
    summary = summarize([2.0, 4.0, 6.0])
    assert summary.n == 3
    assert summary.mean == pytest.approx(4.0)
    assert summary.standard_error == pytest.approx(1.1547005)
    assert summary.interval == pytest.approx((4 - 4.96828, 4 + 4.96828), abs=1e-4)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_scipy_agrees(n):
    sample = np.random.default_rng(n).normal(0.97, 0.01, n)
    summary = summarize(sample.tolist())
    assert summary.mean == pytest.approx(sample.mean())
    assert summary.standard_error == pytest.approx(stats.sem(sample))
    expected = stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=stats.sem(sample))
    assert summary.interval == pytest.approx(expected)


def test_the_interval_covers_the_true_mean_in_95_of_100_samples():
    samples = np.random.default_rng(0).normal(3.0, 2.0, (2000, 4))
    intervals = [summarize(sample.tolist()).interval for sample in samples]
    covered = np.mean([low <= 3.0 <= high for low, high in intervals])
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_one_value_has_no_spread():
    assert summarize([0.5]) == Summary(mean=0.5, standard_error=None, interval=None, n=1)


def test_equal_values_have_no_error():
    assert summarize([0.25, 0.25]) == Summary(0.25, 0.0, (0.25, 0.25), 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_seed_is_not_hidden(bad):
    summary = summarize([0.5, bad])
    assert not math.isfinite(summary.mean)
    assert math.isnan(summary.standard_error)


def test_no_values():
    with pytest.raises(InputError, match=r"^values: must hold at least one number, got none$"):
        summarize([])


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ([1.0, 1.1, 0.9], "1.00 ± 0.06 nats"),
        ([-1.0, -1.1, -0.9], "-1.00 ± 0.06 nats"),
        ([5.0], "5.00 nats"),
        ([np.nan, 1.0], "not finite"),
    ],
)
def test_a_mean_is_told_with_its_error(sample, words):
    mean, error, *_ = summarize(sample)
    assert format_mean(mean, error, "nats") == words


def test_one_number_is_a_mean_without_error():
    assert summarize(0.5) == summarize([0.5]) == (0.5, None, None, 1)
    assert format_mean(2.3e-15, None, "1") == "2.3e-15"
    assert format_mean(0.5, None, "fraction") == "50.00 %"
    assert format_mean(float("inf"), float("nan"), "1") == "not finite"


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(size=50)
    mean, (low, high) = mean_interval(values, np.full(50, 3.0))
    np.testing.assert_allclose([mean, low, high], [summarize(values).mean, *summarize(values).interval])
    np.testing.assert_allclose(mean_interval(values, values > 0)[0], values[values > 0].mean())


def test_few_groups_are_as_few_values_and_one_tells_nothing():
    values = np.random.default_rng(0).normal(size=3)
    copies, groups = np.repeat(values, 40), np.repeat(np.arange(3), 40)
    np.testing.assert_allclose(mean_interval(copies, np.ones(120), groups)[1], summarize(values).interval)
    for few in ((values[:1], np.ones(1)), (copies, np.ones(120), np.zeros(120, int))):
        assert mean_interval(*few)[1] == (-np.inf, np.inf)


def test_rows_of_a_group_that_are_copies_tell_no_more_than_one():
    values = np.random.default_rng(0).normal(size=12)
    once = variance_of_mean(values, np.full(12, 1 / 12))
    np.testing.assert_allclose(once, np.var(values, ddof=1) / 12)
    copies, groups = np.repeat(values, 5), np.repeat(np.arange(12), 5)
    np.testing.assert_allclose(variance_of_mean(copies, np.full(60, 1 / 60), groups), once)
    assert variance_of_mean(copies, np.full(60, 1 / 60)) < once / 4
