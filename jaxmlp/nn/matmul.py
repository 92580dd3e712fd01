"""The matrix product of a layer, at the precision that a training run may afford.

With bfloat16 factors and a float32 sum (Kalamkar et al. 2019) a processor that has instructions for it does
more of them in the same time. Parameters, their updates and all else stay as they are.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Float

Product = Callable[[Float[Array, " inputs"], Float[Array, "inputs outputs"]], Float[Array, " outputs"]]
"""(x, weight) -> x @ weight, for one example."""


@custom_vmap
def bfloat16_product(
    x: Float[Array, " inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, " outputs"]:
    """``x @ weight`` of factors rounded to bfloat16, summed and handed out in the weight's dtype; so are the
    products of its gradient.
    """
    return _bfloat16_matmul(x[None], weight)[0]


@bfloat16_product.def_vmap
def _batch_rule(
    axis_size: int, is_batched: list[bool], x: Array, weight: Array
) -> tuple[Float[Array, "batch outputs"], bool]:
    # Left to itself, vmap would make a gradient of the weight for each example, and then sum them.
    x_is_batched, weight_is_batched = is_batched
    if not weight_is_batched:
        return _bfloat16_matmul(x, weight), True
    return jax.vmap(bfloat16_product.fun, in_axes=(0 if x_is_batched else None, 0))(x, weight), True


@jax.custom_vjp
def _bfloat16_matmul(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    return _forward(x, weight)[0]


def _forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    factors = x.astype(jnp.bfloat16), weight.astype(jnp.bfloat16)
    return _by_rows(jnp.matmul(*factors, preferred_element_type=weight.dtype)), factors


def _backward(factors: tuple[Array, Array], grads: Array) -> tuple[Array, Array]:
    (x, weight), rounded = factors, grads.astype(jnp.bfloat16)
    return (
        _by_rows(jnp.matmul(rounded, _by_rows(weight.T), preferred_element_type=grads.dtype)),
        _by_rows(jnp.matmul(_by_rows(x.T), rounded, preferred_element_type=grads.dtype)),
    )


def _by_rows(matrix: Array) -> Array:
    """The matrix laid out by rows on CPU, where XLA's fast products take and give no other: of factors that
    are transposed as they are read it computes in float32, and of members that share them not at all.
    """
    rows = partial(with_layout_constraint, layouts=Layout((0, 1)))
    return jax.lax.platform_dependent(matrix, cpu=rows, default=lambda same: same)


_bfloat16_matmul.defvjp(_forward, _backward)

PRODUCTS: dict[str, Product] = {"float32": jnp.matmul, "bfloat16": bfloat16_product}
"""By precision; "float32" is that of the parameters themselves, float64 under ``jax_enable_x64``."""
