"""Products of rounded factors: the values, the gradients, and that a batch is one product."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jaxmlp.nn import heads, matmul, network
from jaxmlp.nn.matmul import bfloat16_product
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.types import Hyperparams, InputError

# What holds of programs as users compile them.
pytestmark = pytest.mark.usefixtures("optimized")

DRAWS = np.random.default_rng(0)
INPUTS = DRAWS.normal(size=(7, 5)).astype(np.float32)
WEIGHT = DRAWS.normal(size=(5, 3)).astype(np.float32)
GRADS = DRAWS.normal(size=(7, 3)).astype(np.float32)


def rounded(values):
    return values.astype(ml_dtypes.bfloat16).astype(np.float64)


def of_batch(weight, inputs):
    return jax.vmap(bfloat16_product, in_axes=(0, None))(jnp.asarray(inputs), jnp.asarray(weight))


def test_factors_are_rounded_and_their_sum_is_not():
    found = of_batch(WEIGHT, INPUTS)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, rounded(INPUTS) @ rounded(WEIGHT), rtol=1e-5, atol=1e-6)
    assert np.abs(found - INPUTS @ WEIGHT).max() > 1e-4
    np.testing.assert_allclose(
        bfloat16_product(jnp.asarray(INPUTS[0]), jnp.asarray(WEIGHT)), found[0], rtol=1e-5, atol=1e-6
    )


def test_gradients_are_products_of_rounded_factors_too():
    _, pull = jax.vjp(of_batch, jnp.asarray(WEIGHT), jnp.asarray(INPUTS))
    of_weight, of_inputs = pull(jnp.asarray(GRADS))
    assert of_weight.dtype == of_inputs.dtype == jnp.float32
    np.testing.assert_allclose(of_weight, rounded(INPUTS).T @ rounded(GRADS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_inputs, rounded(GRADS) @ rounded(WEIGHT).T, rtol=1e-5, atol=1e-6)


def test_no_gradient_is_made_for_each_example():
    gradient = jax.grad(lambda weight, inputs: jnp.sum(of_batch(weight, inputs) ** 2))
    text = str(jax.make_jaxpr(gradient)(WEIGHT, INPUTS))
    assert "f32[5,3]" in text and "[7,5,3]" not in text


@pytest.mark.parametrize("shared", [True, False])
def test_members_are_each_alone(shared):
    weights = jnp.asarray(DRAWS.normal(size=(4, 5, 3)), jnp.float32)
    inputs = jnp.asarray(INPUTS if shared else DRAWS.normal(size=(4, 7, 5)), jnp.float32)
    gradient = jax.grad(lambda weight, inputs: jnp.sum(of_batch(weight, inputs) ** 2), argnums=(0, 1))
    together = jax.jit(jax.vmap(gradient, in_axes=(0, None if shared else 0)))(weights, inputs)
    for member in range(4):
        alone = gradient(weights[member], inputs if shared else inputs[member])
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[member], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shared", [True, False])
def test_several_networks_may_see_a_single_example(shared):
    weights = jnp.asarray(DRAWS.normal(size=(4, 5, 3)), jnp.float32)
    inputs = jnp.asarray(INPUTS[0] if shared else INPUTS[:4])
    found = jax.vmap(bfloat16_product, in_axes=(None if shared else 0, 0))(inputs, weights)
    for member in range(4):
        expected = bfloat16_product(inputs if shared else inputs[member], weights[member])
        np.testing.assert_allclose(found[member], expected, rtol=1e-5, atol=1e-6)


def test_in_double_precision_the_sum_is_double():
    with jax.enable_x64(True):
        found = of_batch(WEIGHT.astype(np.float64), INPUTS.astype(np.float64))
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, rounded(INPUTS) @ rounded(WEIGHT), rtol=1e-5)


def test_a_network_trains_with_rounded_products_and_predicts_with_whole_ones():
    affine = Affine(jnp.zeros(()), jnp.ones(()))
    exact, coarse = (
        network.make_network((5, 8, 3), heads.multiclass, affine, precision=precision)
        for precision in matmul.PRODUCTS
    )
    params, _ = exact.init_fn(jax.random.key(0), Hyperparams())
    example = jnp.asarray(INPUTS[0]), jnp.asarray(1)
    costs = [float(n.loss_fn(params, (), example, None, Hyperparams())[0]) for n in (exact, coarse)]
    assert costs[0] != costs[1] and np.isclose(*costs, rtol=0.05)
    np.testing.assert_array_equal(*(n.predict_fn(params, (), example[0]) for n in (exact, coarse)))


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision: unknown name 'bfloat'; did you mean 'bfloat16'"):
        network.make_network(
            (5, 3), heads.multiclass, Affine(jnp.zeros(()), jnp.ones(())), precision="bfloat"
        )
