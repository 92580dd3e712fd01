"""The network against a plain NumPy one, and the laws that any such network obeys."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from jaxmlp.nn import mlp
from jaxmlp.nn.heads import HEADS, binary, multiclass
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.types import Hyperparams, InputError, Layer


class Oracle(NamedTuple):
    function: Callable
    derivative: Callable


ORACLES = {
    "identity": Oracle(lambda z: z, np.ones_like),
    "relu": Oracle(lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "sigmoid": Oracle(expit, lambda z: expit(z) * (1 - expit(z))),
    "soft_sign": Oracle(lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    "softplus": Oracle(lambda z: np.log1p(np.exp(z)), expit),
    "tanh": Oracle(np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}
NETWORKS = [
    ((5, 3), "multiclass"),
    ((5, 4, 1), "binary"),
    ((5, 7, 6, 3), "multiclass"),
    ((5, 7, 6, 2), "regression"),
]
TARGETS = {"binary": np.int32(1), "multiclass": np.int32(2), "regression": np.array([0.3, -1.2])}


def draw(layer_sizes: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases, none of them 0."""
    random = np.random.default_rng(1)
    return [(random.normal(size=pair), random.normal(size=pair[1])) for pair in pairwise(layer_sizes)]


def as_params(layers: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Layer, ...]:
    return tuple(Layer(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in layers)


def forward(layers: list, x: np.ndarray, function: Callable) -> tuple[list, list]:
    """What goes into each layer, and what comes out before the activation."""
    inputs, sums = [x], []
    for weight, bias in layers:
        sums.append(inputs[-1] @ weight + bias)
        inputs.append(function(sums[-1]))
    return inputs[:-1], sums


def loss_and_slope(head: str, logits: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss and its gradient in the logits."""
    target = TARGETS[head]
    if head == "binary":
        return np.logaddexp(0, logits[0]) - target * logits[0], expit(logits) - target
    if head == "multiclass":
        return -log_softmax(logits)[target], softmax(logits) - np.eye(len(logits))[target]
    return np.mean((logits - target) ** 2), 2 * (logits - target) / len(logits)


def backward(layers: list, x: np.ndarray, oracle: Oracle, head: str) -> tuple[float, list]:
    """The loss, and its gradients by backpropagation."""
    inputs, sums = forward(layers, x, oracle.function)
    loss, slope = loss_and_slope(head, sums[-1])
    grads = []
    for i in reversed(range(len(layers))):
        grads.insert(0, (np.outer(inputs[i], slope), slope))
        if i > 0:
            slope = (layers[i][0] @ slope) * oracle.derivative(sums[i - 1])
    return loss, grads


def assert_matches_oracle(layer_sizes, head, name, tolerance):
    layers = draw(layer_sizes)
    x = np.random.default_rng(2).normal(size=layer_sizes[0])
    target = jnp.asarray(TARGETS[head])

    def loss_fn(params):
        logits = mlp.apply(params, jnp.asarray(x), activation=mlp.get_activation(name))
        return HEADS[head]().loss(logits, target)

    loss, grads = jax.jit(jax.value_and_grad(loss_fn))(as_params(layers))
    expected_loss, expected_grads = backward(layers, x, ORACLES[name], head)
    np.testing.assert_allclose(loss, expected_loss, rtol=tolerance)
    for layer, expected in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(layer.weight, expected[0], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(layer.bias, expected[1], rtol=tolerance, atol=tolerance)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def unchecked():
    """Without it, beartype may speak first: it looks at one random item of a sequence."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(("layer_sizes", "head"), NETWORKS)
def test_loss_and_gradients_in_float64(float64, layer_sizes, head, name):
    assert_matches_oracle(layer_sizes, head, name, tolerance=1e-10)


@pytest.mark.parametrize(("layer_sizes", "head"), NETWORKS)
def test_loss_and_gradients_in_float32(layer_sizes, head):
    with jax.numpy_dtype_promotion("strict"):
        assert_matches_oracle(layer_sizes, head, "tanh", tolerance=1e-5)


def test_a_linear_network_is_the_product_of_its_matrices():
    layers = draw((5, 7, 6, 2))
    (w1, b1), (w2, b2), (w3, b3) = layers
    x = np.random.default_rng(2).normal(size=5)
    found = mlp.apply(as_params(layers), jnp.asarray(x), activation=jax.nn.identity)
    np.testing.assert_allclose(found, x @ w1 @ w2 @ w3 + b1 @ w2 @ w3 + b2 @ w3 + b3, rtol=1e-5)


def test_permuting_hidden_units_changes_nothing(float64):
    params = as_params(draw((5, 7, 6, 2)))
    first, second, last = params
    order, other = jnp.array([3, 0, 6, 1, 5, 2, 4]), jnp.array([5, 4, 0, 2, 1, 3])
    permuted = (
        Layer(first.weight[:, order], first.bias[order]),
        Layer(second.weight[order][:, other], second.bias[other]),
        Layer(last.weight[other], last.bias),
    )
    x = jnp.linspace(-1, 1, 5)
    np.testing.assert_allclose(mlp.apply(permuted, x), mlp.apply(params, x), rtol=1e-12)


@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 3, 2), (1, 12, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_examples_of_any_shape_are_flattened(shape, dtype):
    layers = draw((12, 4, 2))
    x = np.arange(12, dtype=dtype)
    _, sums = forward(layers, x, np.tanh)
    found = mlp.apply(as_params(layers), jnp.asarray(x.reshape(shape)), activation=jnp.tanh)
    np.testing.assert_allclose(found, sums[-1], rtol=1e-5)


def test_jit_and_vmap_agree_with_the_loop():
    layers = draw((5, 4, 2))
    params, inputs = as_params(layers), np.random.default_rng(2).normal(size=(6, 5)).astype(np.float32)
    expected = [forward(layers, x, ORACLES["relu"].function)[1][-1] for x in inputs]
    found = jax.jit(jax.vmap(mlp.apply, in_axes=(None, 0)))(params, inputs)
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-5, atol=1e-6)


def test_populations_start_as_their_members_do():
    keys = jax.random.split(jax.random.key(0), 3)
    scales = jnp.array([0.5, 1.0, 2.0])
    population = jax.jit(jax.vmap(lambda key, scale: mlp.init(key, (5, 4, 2), scale=scale)))(keys, scales)
    members = [mlp.init(key, (5, 4, 2), scale=scale) for key, scale in zip(keys, scales, strict=True)]
    chex.assert_trees_all_close(population, jax.tree.map(lambda *leaves: jnp.stack(leaves), *members))


def he(num_inputs, num_outputs):
    return 2 / num_inputs


def glorot(num_inputs, num_outputs):
    return 2 / (num_inputs + num_outputs)


def lecun(num_inputs, num_outputs):
    return 1 / num_inputs


@pytest.mark.parametrize(
    ("activation", "variance"),
    [(getattr(jax.nn, name), he) for name in ("relu", "leaky_relu", "gelu", "elu", "silu", "mish")]
    + [(getattr(jax.nn, name), glorot) for name in ("tanh", "hard_tanh", "sigmoid", "hard_sigmoid")]
    + [(getattr(jax.nn, name), lecun) for name in ("selu", "identity", "soft_sign")]
    + [(jnp.sin, he)],
)
def test_initial_weights_keep_the_variance_that_suits_the_activation(activation, variance):
    params = mlp.init(jax.random.key(3), (400, 300, 200), activation=activation)
    for layer, expected in zip(params, (variance(400, 300), lecun(300, 200)), strict=True):
        spread = 5 * np.sqrt(2 / layer.weight.size)
        assert np.var(layer.weight) == pytest.approx(expected, rel=spread)
        assert abs(np.mean(layer.weight)) < 5 * np.sqrt(expected / layer.weight.size)
        assert not layer.bias.any()


def test_an_initializer_of_ones_own_draws_all_but_the_output_layer():
    params = mlp.init(jax.random.key(0), (3, 4, 5, 2), initializer=jax.nn.initializers.constant(7.0))
    assert [bool((layer.weight == 7).all()) for layer in params] == [True, True, False]


def test_scale_multiplies_weights():
    plain, scaled = (mlp.init(jax.random.key(0), (5, 4, 2), scale=scale) for scale in (None, 3.0))
    chex.assert_trees_all_close(scaled, jax.tree.map(lambda leaf: 3 * leaf, plain), rtol=1e-6)


def test_keys_decide_the_weights():
    first, again, other = (mlp.init(jax.random.key(seed), (8, 8, 8, 8)) for seed in (0, 0, 1))
    chex.assert_trees_all_equal(first, again)
    flat = [np.ravel(layer.weight) for layer in (*first, *other)]
    correlations = np.corrcoef(flat)[np.triu_indices(6, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(64)


@pytest.mark.parametrize("sizes", [(3, 0), (0, 3), (3, -1), (3, 2.0), (2.5, 1), (3, True), ("3", 1)])
def test_sizes_are_whole_numbers_above_0(unchecked, sizes):
    with pytest.raises(InputError, match=r"^layer_sizes: must be a whole number of at least 1, got "):
        mlp.init(jax.random.key(0), sizes)


@pytest.mark.parametrize("sizes", [(), (3,)])
def test_a_network_has_inputs_and_outputs(sizes):
    with pytest.raises(InputError, match=r"^layer_sizes: must name at least inputs and outputs, got \("):
        mlp.init(jax.random.key(0), sizes)


@pytest.mark.parametrize("name", mlp.ACTIVATIONS)
def test_names_are_those_of_jax(name):
    function = mlp.get_activation(name)
    x = jnp.linspace(-2, 2, 5)
    np.testing.assert_array_equal(function(x), getattr(jax.nn, name)(x))
    assert jnp.isfinite(mlp.apply(mlp.init(jax.random.key(0), (5, 4, 2)), x, activation=function)).all()


def test_any_callable_is_an_activation():
    layers = draw((5, 4, 2))
    x = np.linspace(-1, 1, 5)
    found = mlp.apply(as_params(layers), jnp.asarray(x), activation=lambda z: z**3)
    np.testing.assert_allclose(found, forward(layers, x, lambda z: z**3)[1][-1], rtol=1e-5)


@pytest.mark.parametrize(("name", "nearest"), [("rellu", "relu"), ("Tanh", "tanh"), ("sigmiod", "sigmoid")])
def test_an_unknown_activation_suggests_the_nearest(name, nearest):
    with pytest.raises(InputError, match=f"^activation: unknown name '{name}'; did you mean '{nearest}'"):
        mlp.get_activation(name)


NUM_UNITS = 10_001


def deviation(rate: float, n: int) -> float:
    """Five standard deviations of a share among n."""
    return 5 * np.sqrt(rate * (1 - rate) / n)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    x = mlp.drop_units(jax.random.key(0), jnp.ones(NUM_UNITS), rate)
    assert np.mean(x == 0) == pytest.approx(rate, abs=deviation(rate, NUM_UNITS))
    np.testing.assert_allclose(x[x != 0], 1 / (1 - rate), rtol=1e-3)
    assert np.mean(x) == pytest.approx(1, abs=deviation(rate, NUM_UNITS) / (1 - rate))


@pytest.mark.parametrize("num_units", [1, 5])
def test_every_unit_is_dropped_alike_and_independently(num_units):
    keys = jax.random.split(jax.random.key(0), 4000)
    dropped = jax.vmap(lambda key: mlp.drop_units(key, jnp.ones(num_units), 0.3) == 0)(keys)
    both = np.mean(dropped[:, :, None] & dropped[:, None, :], axis=0)
    expected = np.where(np.eye(num_units), 0.3, 0.3**2)
    assert both == pytest.approx(expected, abs=deviation(0.3, 4000))


@pytest.mark.parametrize("rate", [0.99999, 0.99999999])
def test_a_rate_near_1_drops_nearly_all(rate):
    # As 16 bits both round to 2¹⁶, which may wrap around to 0; as float32, 0.99999999 is 1.
    x = mlp.drop_units(jax.random.key(0), jnp.ones(2**20), rate)
    kept = x[x != 0]
    assert 1 <= len(kept) <= 50
    np.testing.assert_array_equal(kept, 2.0**16)


HIDDEN = (Layer(jnp.eye(400), jnp.ones(400)), Layer(jnp.eye(400), jnp.full(400, 0.25)))


@pytest.mark.parametrize("rates", [{}, {"dropout": 0.0, "input_dropout": 0.0}])
def test_rate_0_is_the_identity(rates):
    x = jnp.linspace(-1, 1, 400)
    np.testing.assert_array_equal(mlp.apply(HIDDEN, x, key=jax.random.key(0), **rates), mlp.apply(HIDDEN, x))


def test_without_a_key_nothing_is_dropped():
    x = jnp.linspace(-1, 1, 400)
    found = mlp.apply(HIDDEN, x, dropout=0.5, input_dropout=0.5)
    np.testing.assert_array_equal(found, jax.nn.relu(x + 1) + 0.25)


def test_input_dropout_drops_inputs_only():
    found = mlp.apply(HIDDEN, jnp.ones(400), input_dropout=0.5, key=jax.random.key(0))
    values, counts = np.unique(found, return_counts=True)
    np.testing.assert_array_equal(values, [1.25, 3.25])
    assert counts[0] / 400 == pytest.approx(0.5, abs=deviation(0.5, 400))


def test_dropout_drops_hidden_units_only():
    found = mlp.apply(HIDDEN, jnp.ones(400), dropout=0.5, key=jax.random.key(0))
    values, counts = np.unique(found, return_counts=True)
    np.testing.assert_array_equal(values, [0.25, 4.25])
    assert counts[0] / 400 == pytest.approx(0.5, abs=deviation(0.5, 400))


def test_layers_drop_independently():
    layer = Layer(jnp.eye(400), jnp.zeros(400))
    found = mlp.apply(
        (layer, layer, layer), jnp.ones(400), dropout=0.5, input_dropout=0.5, key=jax.random.key(0)
    )
    assert np.mean(found != 0) == pytest.approx(1 / 8, abs=deviation(1 / 8, 400))


def test_no_dtype_is_hard_coded(float64):
    params = mlp.init(jax.random.key(0), (5, 4, 2), scale=0.5)
    found = mlp.apply(params, jnp.ones(5), dropout=0.5, input_dropout=0.5, key=jax.random.key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves((params, found))} == {jnp.dtype("float64")}


IMAGES = np.random.default_rng(0).integers(0, 256, (9, 2, 3), dtype=np.uint8)
LABEL = jnp.int32(2)


@pytest.fixture
def network():
    return make_network((6, 4, 3), multiclass, fit_affine(IMAGES), activation=jnp.tanh)


def test_a_network_predicts_from_raw_pixels(network):
    layers = draw((6, 4, 3))
    x = (IMAGES[0].ravel() - float(IMAGES.min())) / (float(IMAGES.max()) - float(IMAGES.min()))
    found = network.predict_fn(as_params(layers), (), jnp.asarray(IMAGES[0]))
    np.testing.assert_allclose(found, forward(layers, x, np.tanh)[1][-1], rtol=1e-5)


def test_a_network_starts_with_its_initial_scale(network):
    plain, model_state = network.init_fn(jax.random.key(0), Hyperparams())
    scaled, _ = network.init_fn(jax.random.key(0), Hyperparams(initial_scale=2.0))
    assert model_state == ()
    chex.assert_trees_all_close(scaled, jax.tree.map(lambda leaf: 2 * leaf, plain), rtol=1e-6)


@pytest.mark.parametrize("smoothing", [None, 0.3])
def test_a_networks_loss_is_its_heads_with_the_smoothing_at_hand(network, smoothing):
    layers, example = draw((6, 4, 3)), (jnp.asarray(IMAGES[0]), LABEL)
    params = as_params(layers)
    hyperparams = Hyperparams(label_smoothing=smoothing, dropout=0.5)
    loss, _ = network.loss_fn(params, (), example, None, hyperparams)
    target = (1 - (smoothing or 0)) * np.eye(3)[2] + (smoothing or 0) / 3
    logits = network.predict_fn(params, (), example[0])
    np.testing.assert_allclose(loss, -target @ log_softmax(logits), rtol=1e-5)


@pytest.mark.parametrize("name", ["dropout", "input_dropout"])
def test_a_networks_loss_drops_out_with_the_rate_at_hand(network, name):
    params, example = as_params(draw((6, 4, 3))), (jnp.asarray(IMAGES[0]), LABEL)
    losses = [
        network.loss_fn(params, (), example, jax.random.key(1), Hyperparams(**{name: rate}))[0]
        for rate in (0.0, 0.9)
    ]
    evaluated = float(network.loss_fn(params, (), example, None, Hyperparams())[0])
    assert losses[0] == pytest.approx(evaluated, rel=1e-6)
    assert losses[1] != pytest.approx(evaluated, rel=1e-2)


def test_a_network_has_the_head_it_is_given():
    network = make_network((6, 1), binary, fit_affine(IMAGES))
    params = (Layer(jnp.zeros((6, 1)), jnp.ones(1)),)
    loss, _ = network.loss_fn(params, (), (jnp.asarray(IMAGES[0]), jnp.int32(0)), None, Hyperparams())
    assert loss == pytest.approx(np.log1p(np.e))
