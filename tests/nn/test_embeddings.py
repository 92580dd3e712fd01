"""Numbers as waves, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn.embeddings import EmbeddingSpec, apply_embedding, cos_turns, embed_numbers, init_embedding

SPEC = EmbeddingSpec(numbers=(0, 2, 3), num_frequencies=5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-7), (np.float64, 2e-15)])
def test_the_cosine_is_numpys(dtype, tolerance):
    with jax.enable_x64(dtype == np.float64):
        turns = np.random.default_rng(0).uniform(-3, 3, 10_000).astype(dtype)
        turns[:6] = 0, 0.25, 0.5, -0.5, 1, -0.75
        whole = turns.astype(float) - np.round(turns)
        found = jax.jit(cos_turns)(turns)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, np.cos(2 * np.pi * whole), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-12)])
def test_its_slope_is_that_of_the_cosine(dtype, tolerance):
    with jax.enable_x64(dtype == np.float64):
        turns = np.random.default_rng(0).uniform(-0.5, 0.5, 1000).astype(dtype)
        slopes = jax.jit(jax.vmap(jax.grad(cos_turns)))(turns)
        expected = -2 * np.pi * np.sin(2 * np.pi * turns.astype(float))
        np.testing.assert_allclose(slopes, expected, rtol=0, atol=2 * np.pi * tolerance)


def test_features_of_each_number_stand_after_all_inputs():
    embedding = init_embedding(jax.random.key(0), SPEC, 0.7)
    x = np.array([0.3, -1.0, 2.0, -0.4, 5.0])
    found = apply_embedding(embedding, jnp.asarray(x, jnp.float32), SPEC.numbers)
    w, b, mixing = (np.asarray(part, float) for part in embedding)
    features = [np.cos(2 * np.pi * w[i] * x[n] + b[i]) @ mixing[i] for i, n in enumerate(SPEC.numbers)]
    assert found.shape == (SPEC.num_outputs(5),) == (14,)
    np.testing.assert_allclose(found, np.concatenate([x, *features]), atol=1e-5)


def test_the_first_draw_is_of_the_distributions_that_are_named():
    embedding = init_embedding(jax.random.key(0), EmbeddingSpec(tuple(range(500)), 16))
    np.testing.assert_allclose(np.std(embedding.frequencies), 0.25, rtol=0.03)
    np.testing.assert_allclose(np.std(embedding.phases), 2 * np.pi / np.sqrt(12), rtol=0.03)
    assert np.abs(embedding.phases).max() < np.pi + 1e-6
    np.testing.assert_allclose(np.std(embedding.mixing), 1 / 4, rtol=0.03)


def test_the_spread_of_frequencies_is_a_number_to_sweep():
    draw = jax.vmap(lambda scale: init_embedding(jax.random.key(0), SPEC, scale).frequencies)
    narrow, wide = draw(jnp.array([0.5, 2.0]))
    np.testing.assert_allclose(wide, 4 * narrow, rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "frequencies"), [(1, 16), (16, 16), (17, 8), (100, 8), (101, 4), (5000, 4)]
)
def test_many_numbers_have_fewer_frequencies_each(count, frequencies):
    assert embed_numbers(tuple(range(count))).num_frequencies == frequencies
