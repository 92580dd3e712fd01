"""Raw values as floats: images by their range, tables as scikit-learn standardises them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from jaxmlp.nn.preprocessing import apply_affine, fit_affine, scale_on_host

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
