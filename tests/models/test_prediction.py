"""Networks that are computed together put out what each does alone, in the order of the model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.models import numpy_predictor
from jaxmlp.models.model import Model, save
from jaxmlp.models.prediction import network_outputs, predict
from jaxmlp.models.schema import ModelSpec, SavedNetwork, dense_network
from jaxmlp.nn import mlp
from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.nn.network import init_layers
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.types import Hyperparams

NUM_INPUTS, NUM_OUTPUTS = 4, 2
WAVES = EmbeddingSpec((0, 2), 3)
SHAPES = (((6,), "silu", None), ((6,), "tanh", None), ((6,), "silu", WAVES), ((5, 3), "silu", None))


def make_ensemble(networks: list[SavedNetwork]) -> Model:
    keys = jax.random.split(jax.random.key(0), len(networks))
    layers = tuple(
        init_layers(
            *(key, network.layer_sizes, network.embedding, Hyperparams()),
            activation=mlp.get_activation(network.activation),
        )
        for key, network in zip(keys, networks, strict=True)
    )
    affine = Affine(np.full(NUM_INPUTS, 0.5), np.full(NUM_INPUTS, 2.0))
    spec = ModelSpec(tuple(networks), "regression", (NUM_INPUTS,), (), "zoo", {}, {})
    return Model(layers, affine, spec)


def make_mixed() -> Model:
    """More of a shape than one program takes, none beside its like, which count differently."""
    shapes = [SHAPES[0], SHAPES[1], SHAPES[0], SHAPES[2], SHAPES[0], SHAPES[3]] * 6
    networks = [
        dense_network((NUM_INPUTS, *hidden, NUM_OUTPUTS), activation, 1 + place % 3, embedding)
        for place, (hidden, activation, embedding) in enumerate(shapes)
    ]
    return make_ensemble(networks)


def draw(num_rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(num_rows, NUM_INPUTS))


@pytest.mark.parametrize("num_rows", [1, 7, 500, 1001])
@pytest.mark.parametrize("double", [False, True])
def test_mixed_shapes_in_mixed_order_put_out_what_numpy_does(tmp_path, num_rows, double):
    with jax.enable_x64(double):
        model, rows = make_mixed(), draw(num_rows)
        alone = numpy_predictor.load(save(tmp_path / "m", model))
        found, mean = network_outputs(model, rows), predict(model, rows)
    expected = numpy_predictor.network_outputs(alone, rows)
    tolerance = 1e-12 if double else 1e-5
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(mean, numpy_predictor.predict(alone, rows), rtol=tolerance, atol=tolerance)


def test_networks_of_zeros_put_out_their_biases_each_in_its_place():
    model = make_mixed()
    networks = []
    for place, layers in enumerate(model.networks):
        *zeros, last = jax.tree.map(jnp.zeros_like, layers)
        networks.append((*zeros, last._replace(bias=jnp.array([place, -place], last.bias.dtype))))
    found = network_outputs(model._replace(networks=tuple(networks)), draw(503))
    places = np.arange(len(networks))
    expected = np.broadcast_to(np.stack([places, -places], axis=1)[:, None], found.shape)
    np.testing.assert_array_equal(found, expected)


def test_networks_too_large_to_be_copied_are_computed_alike(tmp_path):
    model, rows = make_ensemble([dense_network((NUM_INPUTS, 1100, 1000, NUM_OUTPUTS), "relu")] * 2), draw(3)
    alone = numpy_predictor.load(save(tmp_path / "m", model))
    expected = numpy_predictor.network_outputs(alone, rows)
    np.testing.assert_allclose(network_outputs(model, rows), expected, rtol=1e-5, atol=1e-5)
