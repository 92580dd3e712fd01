"""Laws that hold for networks and data of any size, kind and precision."""

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmlp.models import numpy_predictor
from jaxmlp.models.model import Model, load, save
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.nn import heads, mlp
from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.nn.metrics import METRICS
from jaxmlp.nn.network import make_network
from jaxmlp.nn.parametrization import PARAMETRIZATIONS
from jaxmlp.nn.preprocessing import Affine, fit_affine
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams

# What holds of programs as users compile them.
pytestmark = pytest.mark.usefixtures("optimized")

# Each example is a network of its own, and compiled anew.
few = settings(max_examples=4, deadline=None, derandomize=True)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)
HEAD = st.sampled_from(sorted(heads.HEADS))
SMOOTH = st.sampled_from(["tanh", "gelu", "silu", "softplus", "identity"])
NUM_OUTPUTS = {"binary": 1, "multiclass": 3, "regression": 2}
PRECISION = st.sampled_from(["float32", "float64"])


FORM = st.sampled_from(
    [(None, "standard"), (None, "ntk"), (EmbeddingSpec((0,), 3), "standard"), (EmbeddingSpec((0,), 3), "ntk")]
)


def made(head, sizes, activation="tanh", form=(None, "standard"), num_examples=7, seed=0):
    """Network, its parameters in the default precision, and data for it."""
    draws, num_outputs = np.random.default_rng(seed), NUM_OUTPUTS[head]
    layer_sizes = (*sizes, num_outputs)
    network = make_network(
        layer_sizes,
        heads.HEADS[head],
        Affine(jnp.zeros(()), jnp.ones(())),
        activation=mlp.get_activation(activation),
        embedding=form[0],
        parametrization=form[1],
    )
    params, _ = network.init_fn(jax.random.key(seed), Hyperparams())
    inputs = jnp.asarray(draws.normal(size=(num_examples, sizes[0])), float)
    targets = {
        "binary": lambda: draws.integers(0, 2, num_examples).astype(np.int32),
        "multiclass": lambda: draws.integers(0, 3, num_examples).astype(np.int32),
        "regression": lambda: jnp.asarray(draws.normal(size=(num_examples, num_outputs)), float),
    }[head]()
    return network, params, Dataset(np.asarray(inputs), np.asarray(targets))


def losses_of(network, params, data):
    """The loss of each example."""
    one = lambda x, y: network.loss_fn(params, (), (x, y), None, Hyperparams())[0]  # noqa: E731
    return jax.vmap(one)(jnp.asarray(data.inputs), jnp.asarray(data.targets))


@few
@given(head=HEAD, sizes=SIZES, activation=SMOOTH, form=FORM, seed=st.integers(0, 99))
def test_gradients_are_finite_differences(head, sizes, activation, form, seed):
    with jax.enable_x64(True):
        network, params, data = made(head, sizes, activation, form, seed=seed)
        way = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size) + 1.0).reshape(leaf.shape), params)

        @jax.jit
        @jax.value_and_grad
        def loss(distance):
            moved = jax.tree.map(lambda leaf, step: leaf + distance * step, params, way)
            return losses_of(network, moved, data).mean()

        h = 1e-5
        ((before, _), (_, slope), (after, _)) = map(loss, (-h, 0.0, h))
        np.testing.assert_allclose(slope, (after - before) / (2 * h), rtol=1e-6, atol=1e-8)


@few
@given(head=HEAD, sizes=SIZES, form=FORM, batch_size=st.integers(1, 40), precision=PRECISION)
def test_batches_of_any_size_measure_the_same(head, sizes, form, batch_size, precision):
    with jax.enable_x64(precision == "float64"):
        network, params, data = made(head, sizes, form=form, num_examples=23)
        sizes_tried = 23, batch_size
        whole, cut = (jax.jit(make_evaluate(network.predict_fn, METRICS[head], n)) for n in sizes_tried)
        expected = whole(params, (), data)
        for name, value in cut(params, (), data).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6)


@few
@given(head=HEAD, sizes=SIZES, batch_size=st.integers(1, 23), factor=st.floats(0.1, 10))
def test_weights_scale_losses(head, sizes, batch_size, factor):
    with jax.enable_x64(True):
        network, params, data = made(head, sizes, num_examples=23)
        weights = factor * np.random.default_rng(1).uniform(0, 2, 23)
        train = make_train(network.init_fn, network.loss_fn, make_optimizer("sgd"), batch_size)
        # So small a step that the loss of an epoch is that of the first parameters.
        hyperparams = Hyperparams(1e-12)
        state = train.start(jax.random.key(0), hyperparams)._replace(params=params)
        weighted = data._replace(weights=weights)
        _, info = jax.jit(train.advance)(state, hyperparams, weighted, jnp.asarray(0), jax.random.key(1))
        expected = (weights * losses_of(network, params, data)).mean()
        np.testing.assert_allclose(info.loss, expected, rtol=1e-7)


@few
@given(
    head=HEAD,
    sizes=SIZES,
    form=FORM,
    activation=st.sampled_from(sorted(mlp.ACTIVATIONS)),
    precision=PRECISION,
    num_networks=st.integers(1, 3),
    temperature=st.floats(1, 3),
)
def test_saving_and_loading_is_the_identity(
    head, sizes, form, activation, precision, num_networks, temperature
):
    with jax.enable_x64(precision == "float64"), tempfile.TemporaryDirectory() as folder:
        trained = [made(head, sizes, activation, form, seed=seed) for seed in range(num_networks)]
        embedding, to_layers = form[0], PARAMETRIZATIONS[form[1]].to_layers
        data, num_outputs = trained[0][2], NUM_OUTPUTS[head]
        num_classes = {"binary": 2, "multiclass": 3, "regression": 0}[head]
        description = ModelSpec(
            networks=tuple(
                dense_network((*sizes, num_outputs), activation, seed + 1, embedding)
                for seed in range(num_networks)
            ),
            head=head,
            input_shape=(sizes[0],),
            class_names=tuple(map(str, range(num_classes))),
            dataset="any",
            metrics={},
            versions={},
            temperature=temperature,
        )
        networks = tuple(to_layers(params) for _, params, _ in trained)
        model = Model(networks, fit_affine(data.inputs), description)
        path = save(Path(folder, "m"), model)
        loaded = load(path)
        assert loaded.spec == description
        assert {leaf.dtype for leaf in jax.tree.leaves(loaded.networks)} == {np.dtype(precision)}
        for found, expected in zip(jax.tree.leaves(loaded[:2]), jax.tree.leaves(model[:2]), strict=True):
            np.testing.assert_array_equal(found, expected)
        answers = predict if head == "regression" else predict_proba
        np.testing.assert_array_equal(answers(loaded, data.inputs), answers(model, data.inputs))
        alone = numpy_predictor.predict if head == "regression" else numpy_predictor.predict_proba
        np.testing.assert_allclose(
            alone(numpy_predictor.load(path), data.inputs), answers(model, data.inputs), rtol=1e-5, atol=1e-5
        )
