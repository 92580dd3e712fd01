"""Raw values as floats: images by their range, tables as scikit-learn standardises them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from jaxmlp.nn.preprocessing import (
    apply_affine,
    apply_quantiles,
    fit_affine,
    fit_quantiles,
    fit_uniform_affine,
    scale_on_host,
)

RANDOM = np.random.default_rng(0)
TABLE = (RANDOM.normal(size=(40, 3)) * [1, 100, 0.01] + [5, 0, -3]).astype(np.float32)


def apply_all(affine, inputs):
    return np.asarray(jax.vmap(apply_affine, in_axes=(None, 0))(affine, jnp.asarray(inputs)))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (10, 90)])
def test_images_fill_0_to_1_by_the_range_of_training(shape, low, high):
    images = RANDOM.integers(low, high + 1, (20, *shape), dtype=np.uint8)
    images[0].flat[:2] = low, high
    found = apply_all(fit_affine(images), images)
    np.testing.assert_allclose(found, (images.astype(float) - low) / (high - low), rtol=1e-6, atol=1e-7)


def test_new_images_keep_the_range_of_training():
    # Below the training range the difference is negative, which uint8 cannot hold.
    affine = fit_affine(np.array([100, 200], np.uint8).reshape(1, 1, 2))
    new = jnp.array([[0, 250]], jnp.uint8)
    np.testing.assert_allclose(apply_affine(affine, new), [[-1.0, 1.5]])


def test_tables_are_standardised_as_in_scikit_learn():
    scaler = StandardScaler().fit(TABLE[:30].astype(float))
    found = apply_all(fit_affine(TABLE[:30]), TABLE)
    np.testing.assert_allclose(found, scaler.transform(TABLE.astype(float)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("power", [100, 400, 500, 530, 700, 990])
def test_the_scale_of_small_numbers_is_that_of_large_ones(power):
    table = np.random.default_rng(0).normal(3, 1, (50, 2))
    plain, small = fit_affine(table), fit_affine(table * [1, 2.0**-power])
    np.testing.assert_array_equal(small.scale, plain.scale * [1, 2.0**-power])
    np.testing.assert_array_equal(small.shift, plain.shift * [1, 2.0**-power])


def test_whole_numbers_in_tables_do_not_overflow():
    table = np.array([[255, 0], [255, 250], [253, 200]], np.uint8)
    found = apply_all(fit_affine(table), table)
    np.testing.assert_allclose(found, StandardScaler().fit_transform(table.astype(float)), rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, 1e6 + 0.3])
@pytest.mark.parametrize("x64", [False, True])
def test_constant_columns_are_left_out(value, x64):
    # The deviation of ten times 0.1 is about 1e-17, not 0: dividing by it would blow up a new value.
    with jax.enable_x64(x64):
        affine = fit_affine(np.stack([np.full(10, value), np.arange(10.0)], axis=1))
        new = apply_affine(affine, jnp.array([value + 1, 4.5]))
    np.testing.assert_allclose(new, [0, 0], atol=1e-6)


def test_constant_images_keep_scale_1():
    images = np.full((3, 2, 2), 9, np.uint8)
    np.testing.assert_array_equal(apply_all(fit_affine(images), images + 1), np.ones((3, 2, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [TABLE, np.arange(8, dtype=np.uint8).reshape(2, 2, 2)])
def test_floats_are_as_wide_as_jax_makes_them(inputs, dtype):
    with jax.enable_x64(dtype == "float64"):
        assert apply_all(fit_affine(inputs), inputs).dtype == dtype


def test_large_numbers_with_small_differences_are_centred_before_they_are_rounded():
    seconds = 1_700_000_000 + RANDOM.uniform(0, 60, (200, 1))
    affine = fit_affine(seconds)
    expected = (seconds - seconds.mean()) / seconds.std()
    found = scale_on_host(affine, seconds)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # A device rounds them to 128 seconds first.
    assert np.abs(apply_all(affine, seconds) - expected).max() > 0.5


@pytest.mark.parametrize("power", [-60, -3, 20, 90])
def test_a_power_of_two_changes_no_bit(power):
    table = RANDOM.normal(size=(30, 2))
    one, other = (scale_on_host(fit_affine(x), x) for x in (table, 2.0**power * table))
    np.testing.assert_array_equal(one, other)


# Quantiles


@pytest.mark.parametrize("num_examples", [7, 1000, 5000])
def test_numbers_become_uniform_as_in_scikit_learn(num_examples):
    table, new = (RANDOM.normal(size=(n, 3)) * [1, 100, 0.01] for n in (num_examples, 300))
    peer = QuantileTransformer(n_quantiles=min(num_examples, 1000), subsample=None).fit(table)
    quantiles = fit_quantiles(table)
    assert quantiles.knots.shape == (3, min(num_examples, 1000))
    for values in (table, 2 * new):
        np.testing.assert_allclose(
            apply_quantiles(quantiles, values), peer.transform(values), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("num_examples", [50, 198, 400])
def test_equal_numbers_get_the_middle_of_their_ranks(num_examples):
    table = np.arange(num_examples)[:, None] // 2 / 10
    expected = (rankdata(table, axis=0) - 1) / (num_examples - 1)
    np.testing.assert_allclose(apply_quantiles(fit_quantiles(table), table), expected, rtol=0, atol=1e-12)


NUMBERS = st.floats(-1e37, 1e37) | st.floats(-1e-299, 1e-299) | st.integers(2**60, 2**60 + 999).map(float)


@given(
    st.lists(NUMBERS | st.sampled_from([0.0, 1.0]), min_size=3, max_size=40), st.lists(NUMBERS, min_size=2)
)
@pytest.mark.filterwarnings("error")
def test_of_any_numbers_the_larger_has_the_larger_share(column, new):
    quantiles = fit_quantiles(np.array(column)[:, None])
    assert (quantiles is not None) == (len(set(column)) > 2)
    if quantiles is not None:
        (shares,) = apply_quantiles(quantiles, np.sort(column + new)[:, None]).T
        assert shares[0] >= 0 and shares[-1] <= 1 and (np.diff(shares) >= 0).all()
        (own,) = apply_quantiles(quantiles, np.array(column)[:, None]).T
        np.testing.assert_allclose(own, (rankdata(column) - 1) / (len(column) - 1), rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_numbers_too_close_for_a_slope_are_told_apart():
    quantiles = fit_quantiles(np.array([[0], [4e-310], [1e37]]))
    shares = apply_quantiles(quantiles, np.array([[0], [1e-310], [4e-310], [5e36]]))
    np.testing.assert_allclose(shares, [[0], [0.125], [0.5], [0.75]], rtol=1e-9)


def test_numbers_get_unit_variance_two_values_plus_and_minus_1_and_indicators_stay():
    rows = np.arange(100)
    columns = (rows**3, np.where(rows < 5, 7, 3), rows < 2, np.ones(100), np.zeros(100))
    table, indicators = np.stack(columns, axis=1).astype(float), np.array([False, False, True, False, True])
    quantiles = fit_quantiles(table)
    found = scale_on_host(fit_uniform_affine(table, quantiles, indicators), table, quantiles)
    np.testing.assert_array_equal(quantiles.numbers, [0])
    np.testing.assert_allclose(found[:, 0], np.linspace(-(3**0.5), 3**0.5, 100), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 1], np.where(rows < 5, 1, -1))
    np.testing.assert_array_equal(found[:, 2:], table[:, 2:] * [1, 0, 0])


def test_two_values_too_close_to_compute_with_are_left_out():
    table = np.array([[0, 1], [5e-324, 0]])
    affine = fit_uniform_affine(table, fit_quantiles(table), np.zeros(2, bool))
    np.testing.assert_array_equal(scale_on_host(affine, table), [[0, 1], [0, -1]])


def test_numbers_learnt_in_single_precision_are_equal_to_those_in_double():
    table = np.repeat(np.float32([0.1, 0.2, 0.3]), [30, 40, 30])[:, None]
    quantiles = fit_quantiles(table)
    shares = apply_quantiles(quantiles, np.array([[0.1], [0.2], [0.3]]))
    np.testing.assert_array_equal(shares, apply_quantiles(quantiles, table[[0, 40, 80]]))
