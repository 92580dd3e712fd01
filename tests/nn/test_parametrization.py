"""The neural tangent parametrisation stands for plain layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.nn.mlp import apply
from jaxmlp.nn.network import NetworkSpec, make_network
from jaxmlp.nn.parametrization import PARAMETRIZATIONS, NTKParams
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.types import Embedding, Hyperparams, InputError, Layer

IDENTITY, NTK = Affine(np.zeros(()), np.ones(())), PARAMETRIZATIONS["ntk"]


def ntk_network(layer_sizes, **options):
    return make_network(layer_sizes, "regression", IDENTITY, parametrization="ntk", **options)


def drawn(*layer_sizes):
    """NTK's params with nothing at 0 or 1."""
    params, _ = ntk_network(layer_sizes).init_fn(jax.random.key(0), Hyperparams())
    draws = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape), jnp.float32), params)


def test_layers_are_divided_by_the_root_of_their_inputs_and_the_first_takes_the_scales():
    params = drawn(4, 9, 2)
    (w1, b1), (w2, b2) = NTK.to_layers(params)
    np.testing.assert_allclose(w1, params.input_scale[:, None] * params.layers[0].weight / 2, rtol=1e-6)
    np.testing.assert_allclose(w2, params.layers[1].weight / 3, rtol=1e-6)
    np.testing.assert_array_equal([*b1, *b2], [*params.layers[0].bias, *params.layers[1].bias])


def test_a_network_predicts_as_the_layers_that_it_stands_for():
    params, x = drawn(4, 9, 2), np.float32([0.3, -1, 2, 0.5])
    expected = apply(NTK.to_layers(params), jnp.asarray(x), activation=jax.nn.silu)
    network = ntk_network((4, 9, 2), activation=jax.nn.silu)
    np.testing.assert_allclose(network.predict_fn(params, (), jnp.asarray(x)), expected, rtol=1e-6)
    loss, _ = network.loss_fn(params, (), (jnp.asarray(x), jnp.zeros(2)), None, Hyperparams())
    np.testing.assert_allclose(loss, np.mean(np.square(expected)), rtol=1e-5)


def test_training_begins_at_0_with_scales_of_1():
    network = ntk_network((5, 64, 3))
    params, _ = network.init_fn(jax.random.key(0), Hyperparams(initial_scale=2.0))
    assert isinstance(params, NTKParams)
    np.testing.assert_array_equal(params.input_scale, np.ones(5))
    np.testing.assert_array_equal(network.predict_fn(params, (), jnp.arange(5.0)), np.zeros(3))
    np.testing.assert_allclose(np.std(params.layers[0].weight), 2, rtol=0.15)


@pytest.mark.parametrize("width", [16, 1024])
def test_variance_is_kept_in_layers_of_any_width(width):
    params, _ = ntk_network((width, width, 1)).init_fn(jax.random.key(0), Hyperparams())
    first = NTK.to_layers(params)[0]
    x = jax.random.normal(jax.random.key(1), (200, width))
    np.testing.assert_allclose(np.std(x @ first.weight), 1, rtol=0.1)


def test_an_embedding_comes_before_the_scales():
    spec = NetworkSpec((8,), "silu", EmbeddingSpec((1,), 4), "ntk")
    network = ntk_network((3, *spec.hidden_sizes, 1), embedding=spec.embedding)
    params, _ = network.init_fn(jax.random.key(0), Hyperparams(frequency_scale=0.5))
    embedding, *dense = NTK.to_layers(params)
    assert isinstance(embedding, Embedding) and all(isinstance(layer, Layer) for layer in dense)
    assert len(params.input_scale) == len(dense[0].weight) == 6
    np.testing.assert_array_equal(embedding.mixing, params.layers[0].mixing)


def test_what_a_form_does_not_have_is_refused():
    plain, key = make_network((3, 1), "regression", IDENTITY), jax.random.key(0)
    with pytest.raises(InputError, match=r"^frequency_scale: is that of an embedding"):
        plain.init_fn(key, Hyperparams(frequency_scale=1.0))
    with pytest.raises(InputError, match=r"^parametrization: unknown name 'mup'; known: ntk, standard"):
        make_network((3, 1), "regression", IDENTITY, parametrization="mup")
    for options in ({"parametrization": "ntk"}, {"embedding": EmbeddingSpec((0,), 4)}):
        network = make_network((3, 1), "regression", IDENTITY, **options)
        params, _ = network.init_fn(key, Hyperparams())
        with pytest.raises(InputError, match=r"^max_norm: is for plain weights"):
            network.loss_fn(params, (), (jnp.ones(3), jnp.ones(1)), None, Hyperparams(max_norm=1.0))
