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


Normal = Callable[..., np.ndarray]
"""(*shape, dtype=…) -> numbers from a normal distribution."""


def cases() -> Iterator[Case]:
    """All programs, with arrays drawn anew."""
    draws = np.random.default_rng(0)

    def normal(*shape: int, dtype: type = np.float32) -> np.ndarray:
        return draws.normal(size=shape).astype(dtype)

    yield from _product_cases(normal)
    yield from _step_cases(normal)
    yield from (case._replace(needed=False) for case in _other_cases(normal))


_REDUCTIONS: dict[str, tuple[Callable, Callable]] = {
    "sums of squared products": (lambda y: jnp.sum(jnp.square(y)), lambda y: np.square(y).sum(1)),
    "sums of products": (jnp.sum, lambda y: y.sum(1)),
    "largest products": (jnp.max, lambda y: y.max(1)),
}


def _product_cases(normal: Normal) -> Iterator[Case]:
    """CPU: rows after the first 2^17 bytes were read from the wrong place, of up to about 43,000 rows."""
    for dtype, num_rows in ((np.float32, 40_001), (np.float64, 20_001)):
        arrays = normal(3, 3, dtype=dtype), normal(num_rows, 3, dtype=dtype)
        for what, (reduce, reference) in _REDUCTIONS.items():
            yield Case(
                f"{what} in {np.dtype(dtype)}",
                "jax#39103",
                jax.jit(jax.vmap(lambda m, row, reduce=reduce: reduce(m @ row), (None, 0))),
                lambda m, rows, reference=reference: reference(rows @ m.T),
                arrays,
            )


def _step_cases(normal: Normal) -> list[Case]:
    """GPU: what layers, losses and updates are made of."""
    x, layer = normal(9), (normal(32, 15), normal(100, 15), 100 * normal(32))
    scaled = jax.jit(jax.vmap(lambda m, row, bias: 0.1 * (m @ row + bias), (None, 0, None)))
    rectified = jax.jit(jax.grad(lambda x, y: jnp.sum(jnp.maximum(x, 0) ** 2 + jnp.maximum(x, y))))
    mask = np.arange(40) < 32
    return [
        Case("a scaled layer", "xla#46110", scaled, lambda m, x, b: 0.1 * (x @ m.T + b), layer),
        Case("gradients of a maximum", "jax#40564", rectified, _gradient, (normal(64, 9), normal(64, 9))),
        Case("a donated state", "jax#39625", _donate, lambda x: np.append(np.zeros(9), x), (x,)),
        Case(
            "single operations", "jax#40633", lambda x: abs(x) + (jnp.ones(9) + 1), lambda x: abs(x) + 2, (x,)
        ),
        Case("sums of a mask", "jax#35762", jax.jit(lambda x: jnp.sum(mask) + x), lambda x: 32 + x, (x,)),
        Case(
            "softmax of joined rows", "jax#39486", _softmax_of_joined, _softmax_by_hand, (normal(512, 1024),)
        ),
    ]


def _other_cases(normal: Normal) -> list[Case]:
    """CPU: taken for something simpler that is not the same, or read from another place than meant."""
    whole, small = np.arange(4, dtype=np.int32), np.array([12, 7, 20, 15], np.int8)
    huge = np.float32(1e10) * np.random.default_rng(0).permutation(128).reshape(8, 16).astype(np.float32)
    slices, ends = jax.jit(_slice_of_slice), np.array([8, 0], np.int32)
    shift = jax.jit(lambda x: x.at[1:].set(x[:-1])[None])
    square = jax.jit(lambda x: abs(x * x))
    return [
        Case(
            "softmax of huge logits", "jax#38609", _cool_softmax, lambda z: np.eye(16)[z.argmax(1)], (huge,)
        ),
        Case("squares that overflow", "tensorflow#118178", square, lambda x: abs(x * x), (small,)),
        Case("the angle of (0, 0)", "jax#38681", _angle_of_zero, lambda x: x, (whole,)),
        Case("a shift in place", "xla#49176", shift, lambda x: np.append(x[:1], x[:-1])[None], (normal(8),)),
        Case("spread windows", "xla#48714", _largest_of_two, _largest_by_hand, (normal(64, 128),)),
        Case("a slice of a slice", "xla#49121", slices, lambda x, i: x[6:8], (normal(10), ends)),
        Case("a cut convolution", "xla#48713", _cut, _cut_by_hand, (normal(1, 15, 6, 8),)),
    ]


def _gradient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 2 * np.maximum(x, 0) + (x > y)


_donated = jax.jit(lambda state, x: ((x - x, x - x, x - x), state), donate_argnums=0)


def _donate(x: jax.Array) -> jax.Array:
    return jnp.concatenate(jax.tree.leaves(_donated(tuple(jnp.split(x, 3)), x[:3])))


def _concatenate(numpy: Any, x: Any) -> Any:
    """Rows beside the same rows scaled to a mean square of 1."""
    return numpy.concatenate([x / numpy.sqrt(numpy.mean(x**2, 1, keepdims=True)), x], 1)


_softmax_of_joined = jax.jit(lambda x: jax.nn.softmax(_concatenate(jnp, x)))
_cool_softmax = jax.jit(lambda z: jax.nn.softmax(z * np.float32(0.3)))


def _softmax_by_hand(x: np.ndarray) -> np.ndarray:
    powers = np.exp(_concatenate(np, x))
    return powers / powers.sum(1, keepdims=True)


@jax.jit
def _angle_of_zero(x: jax.Array) -> jax.Array:
    zero = ((x != 0) ^ (x != 0)).astype(np.float32)
    return x + jnp.arctan2(zero, zero)


@jax.jit
def _largest_of_two(x: jax.Array) -> jax.Array:
    """Of each two rows, with a column of nothing between each two columns."""
    least = np.float32(-np.inf)
    return lax.reduce_window(x, least, lax.max, (2, 1), (2, 1), "VALID", base_dilation=(1, 2))[:, ::2]


def _largest_by_hand(x: np.ndarray) -> np.ndarray:
    return x.reshape(32, 2, 128).max(1)


def _slice_of_slice(x: jax.Array, starts: jax.Array) -> jax.Array:
    """The first slice begins so late that it has to begin earlier, at 6."""
    return lax.dynamic_slice(lax.dynamic_slice(x, (starts[0],), (4,)), (starts[1],), (2,))


@jax.jit
def _cut(x: jax.Array) -> jax.Array:
    """Without the first five columns, and with one of zeros at the end."""
    unit, padding = jnp.eye(8, dtype=np.float32)[None, None], ((0, 0), (-5, 1))
    return lax.conv_general_dilated(x, unit, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _cut_by_hand(x: np.ndarray) -> np.ndarray:
    return np.pad(x[:, :, 5:], ((0, 0), (0, 0), (0, 1), (0, 0)))
