"""Small programs of the kinds that releases of JAX since 0.10 were reported to compute wrong, beside NumPy's.

Each is at about the smallest shape that failed, of arrays in which a value from a wrong place shows.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Case(NamedTuple):
    """A program, and what NumPy makes of the same arrays in float64 (of whole numbers, as they are)."""

    what: str
    report: str
    program: Callable[..., jax.Array]
    reference: Callable[..., np.ndarray]
    arguments: tuple[np.ndarray, ...]
    needed: bool = True
    """Whether programs of this library are of that kind; other kinds are for functions of a user's own."""


def cases() -> Iterator[Case]:
    """All programs, with arrays drawn anew."""
    draws = np.random.default_rng(0)

    def normal(*shape: int, dtype: type = np.float32) -> np.ndarray:
        return draws.normal(size=shape).astype(dtype)

    yield from _sums_of_products(normal)
    yield from _parts_of_a_step(normal)
    yield from _simplified(draws)
    yield from _moved(normal)


def _sums_of_products(normal: Callable[..., np.ndarray]) -> Iterator[Case]:
    """CPU: rows after the first 2^17 bytes were read from the wrong place, of up to about 43,000 rows."""
    reductions: dict[str, tuple[Callable, Callable]] = {
        "sums of squared products": (lambda y: jnp.sum(jnp.square(y)), lambda y: np.square(y).sum(1)),
        "sums of products": (jnp.sum, lambda y: y.sum(1)),
        "largest products": (jnp.max, lambda y: y.max(1)),
    }
    for dtype, num_rows in ((np.float32, 40_001), (np.float64, 20_001)):
        matrix, rows = normal(3, 3, dtype=dtype), normal(num_rows, 3, dtype=dtype)
        for what, (reduce, reference) in reductions.items():
            yield Case(
                f"{what} in {np.dtype(dtype)}",
                "jax#39103",
                jax.jit(jax.vmap(lambda m, row, reduce=reduce: reduce(m @ row), (None, 0))),
                lambda m, rows, reference=reference: reference(rows @ m.T),
                (matrix, rows),
            )


def _parts_of_a_step(normal: Callable[..., np.ndarray]) -> Iterator[Case]:
    """GPU: what layers, losses and updates are made of."""
    yield Case(
        "a layer times a number",
        "xla#46110",
        jax.jit(jax.vmap(lambda m, row, bias: 0.1 * (m @ row + bias), (None, 0, None))),
        lambda m, rows, bias: 0.1 * (rows @ m.T + bias),
        (normal(32, 15), normal(100, 15), 100 * normal(32)),
    )
    yield Case(
        "gradients of a maximum",
        "jax#40564",
        jax.jit(jax.grad(lambda x, y: jnp.sum(jnp.square(jnp.maximum(x, 0)) + jnp.maximum(x, y)))),
        lambda x, y: 2 * np.maximum(x, 0) + (x > y),
        (normal(64, 9), normal(64, 9)),
    )
    yield Case(
        "a donated state handed back",
        "jax#39625",
        lambda x: jnp.concatenate(jax.tree.leaves(_donated(tuple(jnp.split(x, 3)), x[:4]))),
        lambda x: np.concatenate([np.zeros(12), x]),
        (normal(12),),
    )
    yield Case(
        "operations one by one",
        "jax#40633",
        lambda x: jnp.sqrt(jnp.square(x)) + (jnp.ones(9) + 1),
        lambda x: np.abs(x) + 2,
        (normal(9),),
    )
    yield Case(
        "a sum of a constant mask",
        "jax#35762",
        jax.jit(lambda x: jnp.sum(_MASK) + x),
        lambda x: 32 + x,
        (normal(3),),
    )
    yield Case(
        "reductions of concatenated rows",
        "jax#39486",
        jax.jit(lambda x: jax.nn.softmax(jnp.concatenate([_scaled(jnp, x), x], 1))),
        lambda x: _softmax(np.concatenate([_scaled(np, x), x], 1)),
        (normal(512, 1024),),
    )


def _simplified(draws: np.random.Generator) -> Iterator[Case]:
    """CPU: taken for something simpler that is not the same."""
    yield Case(
        "softmax of huge scaled logits",
        "jax#38609",
        jax.jit(lambda z: jax.nn.softmax(z * np.float32(0.3))),
        lambda z: np.eye(z.shape[1])[z.argmax(1)],
        ((1e10 * draws.permutation(128).reshape(8, 16)).astype(np.float32),),
        needed=False,
    )
    yield Case(
        "squares that overflow",
        "tensorflow#118178",
        jax.jit(lambda x: jnp.abs(x * x)),
        lambda x: np.abs(x * x),
        (np.array([12, 7, 20, 15], np.int8),),
        needed=False,
    )
    yield Case(
        "the angle of (0, 0)",
        "jax#38681",
        jax.jit(lambda x: x + _angle((x != 0) ^ (x != 0))),
        lambda x: x,
        (np.arange(4, dtype=np.int32),),
        needed=False,
    )


def _moved(normal: Callable[..., np.ndarray]) -> Iterator[Case]:
    """CPU: read from another place than meant."""
    yield Case(
        "a shift in place",
        "xla#49176",
        jax.jit(lambda x: x.at[1:].set(x[:-1])[None]),
        lambda x: np.concatenate([x[:1], x[:-1]])[None],
        (normal(8),),
        needed=False,
    )
    yield Case(
        "windows of spread rows",
        "xla#48714",
        jax.jit(lambda x: _largest_of_two(x)[:, ::2]),
        lambda x: x.reshape(32, 2, 128).max(1),
        (normal(64, 128),),
        needed=False,
    )
    yield Case(
        "a slice of a slice beyond the end",
        "xla#49121",
        jax.jit(lambda x, i: lax.dynamic_slice(lax.dynamic_slice(x, (i[0],), (4,)), (i[1],), (2,))),
        lambda x, i: x[6:8],
        (normal(10), np.array([8, 0], np.int32)),
        needed=False,
    )
    yield Case(
        "a convolution of cut rows",
        "xla#48713",
        jax.jit(_without_five_columns),
        lambda x: np.pad(x[:, :, 5:], ((0, 0), (0, 0), (0, 1), (0, 0))),
        (normal(1, 15, 6, 8),),
        needed=False,
    )


_MASK = np.arange(40) < 32
_UNIT = np.eye(8, dtype=np.float32)[None, None]
_donated = jax.jit(lambda state, x: ((x - x, x - x, x - x), state), donate_argnums=0)


def _scaled(numpy: Any, x: Any) -> Any:
    return x / numpy.sqrt(numpy.mean(x**2, 1, keepdims=True))


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x)
    return powers / powers.sum(1, keepdims=True)


def _angle(mask: jax.Array) -> jax.Array:
    zero = mask.astype(np.float32)
    return jnp.arctan2(zero, zero)


def _largest_of_two(x: jax.Array) -> jax.Array:
    """Of each two rows, with a column of nothing between each two columns."""
    least = np.float32(-np.inf)
    return lax.reduce_window(x, least, lax.max, (2, 1), (2, 1), "VALID", base_dilation=(1, 2))


def _without_five_columns(x: jax.Array) -> jax.Array:
    """And with one of zeros at the end."""
    padding = (0, 0), (-5, 1)
    unit = jnp.asarray(_UNIT)
    return lax.conv_general_dilated(x, unit, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
