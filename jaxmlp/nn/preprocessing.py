"""Raw values to floats, inside the compiled step, so that pixels travel and rest as uint8."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxmlp.types import AnyArray

MIN_SPAN = 1e-300
"""Of a column that differs by less, the deviation might be no normal number."""


class Affine(NamedTuple):
    """``(x - shift) / scale``: one number for all values of an image, or one per column of a table. A column
    of infinite scale is left out: it is 0 in every row.
    """

    shift: Float[AnyArray, "..."]
    scale: Float[AnyArray, "..."]


class Quantiles(NamedTuple):
    """Of inputs that are brought to a uniform distribution, the quantiles at equal steps: each becomes the
    share of training values below it.
    """

    numbers: Int[np.ndarray, " numbers"]
    """Places of these inputs, ascending from 0."""
    knots: Float[np.ndarray, "numbers knots"]
    """Of each, from its smallest training value to its largest, in their precision."""


def fit_affine(inputs: Shaped[AnyArray, "examples ..."]) -> Affine:
    """The map fitted on training inputs, in double precision: images (two axes or more) to [0, 1], table
    columns standardised.

    Images share one range, because pixels share one unit and a black border carries no information. A
    constant image set keeps scale 1. What a constant column does could not be learnt, so it is left out, as
    is one that differs by less than MIN_SPAN.
    """
    images = inputs.ndim > 2
    axis = None if images else 0
    low, high = (np.asarray(bound(inputs, axis=axis), float) for bound in (np.min, np.max))
    if images:
        return Affine(low, np.where(high > low, high - low, 1.0))
    # Of smaller numbers the squares would be none; a power of two changes no other bit.
    factor = np.where((high > low) & (high - low < 2.0**-400), 2.0**600, 1.0)
    mean, enlarged = np.mean(inputs, axis=0, dtype=float), inputs if (factor == 1).all() else inputs * factor
    deviation = np.std(enlarged, axis=0, dtype=float) / factor
    # Asked of the values, since rounding gives a constant column a deviation of about 1e-17.
    varied = high - low >= MIN_SPAN
    return Affine(mean, np.where(varied, deviation, np.inf))


def apply_affine(affine: Affine, x: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """One raw example as floats, inside a program, in JAX's default precision."""
    shift, scale = jnp.asarray(affine.shift), jnp.asarray(affine.scale)
    # Devices take subnormal numbers for 0.
    scale = jnp.where(scale >= jnp.finfo(scale.dtype).tiny, scale, jnp.inf)
    return (x.astype(shift.dtype) - shift) / scale


def has_several(values: Shaped[AnyArray, " examples"]) -> bool:
    """Whether there are more than two different values."""
    return bool(np.any((values != np.min(values)) & (values != np.max(values))))


def fit_quantiles(inputs: Shaped[AnyArray, "examples inputs"], num_knots: int = 1000) -> Quantiles | None:
    """At most ``num_knots`` quantiles, and at most one for each example, of each input of a table that has
    more than two different values; None where none has.
    """
    numbers = np.flatnonzero([has_several(column) for column in inputs.T])
    if not len(numbers):
        return None
    last, num_knots = len(inputs) - 1, min(len(inputs), num_knots)
    # The product comes first, so that of as many knots as examples each is exactly one of them.
    places = np.arange(num_knots) * last / (num_knots - 1)
    knots = [np.interp(places, np.arange(last + 1), np.sort(inputs[:, number])) for number in numbers]
    return Quantiles(numbers, np.array(knots, np.result_type(inputs.dtype, np.float32)))


def fit_uniform_affine(
    inputs: Shaped[AnyArray, "examples inputs"],
    quantiles: Quantiles | None,
    indicators: Bool[np.ndarray, " inputs"],
) -> Affine:
    """The map that comes after the ``quantiles`` of a table: their shares to mean 0 and deviation 1, other
    inputs, of which each has two values, to ±1.

    ``indicators``, which tell one of several categories or a gap, stay 0 and 1, since a rare one would become
    huge. Constant columns are left out, as by ``fit_affine``.
    """
    low, high = (np.asarray(bound(inputs, axis=0), float) for bound in (np.min, np.max))
    scale = np.where(indicators, 1, (high - low) / 2)
    scale = np.where(high - low >= MIN_SPAN, scale, np.inf)
    shift = np.where(indicators, 0, (low + high) / 2)
    if quantiles is not None:
        shift[quantiles.numbers], scale[quantiles.numbers] = 1 / 2, 1 / np.sqrt(12)
    return Affine(shift, scale)


def apply_quantiles(
    quantiles: Quantiles, values: Shaped[AnyArray, "examples inputs"]
) -> Float[np.ndarray, "examples inputs"]:
    """The inputs with each number as the share of training examples below it, from 0 to 1, and half of those
    that equal it; between knots the share is interpolated.
    """
    shares = np.array(values, float)
    for place, knots in zip(*quantiles, strict=True):
        shares[:, place] = _share_below(knots, shares[:, place])
    return shares


def _share_below(knots: Float[np.ndarray, " knots"], x: Float[np.ndarray, " examples"]) -> np.ndarray:
    # Where the training inputs were of single precision, only such equal them. The factor, which changes no
    # bit, lets no slope between subnormal numbers overflow.
    knots, x = (2.0**64 * values.astype(float) for values in (knots, x.astype(knots.dtype)))
    ranks = np.arange(len(knots))
    # Of equal knots, the one finds the last and the other the first.
    last, first = np.interp(x, knots, ranks), -np.interp(-x, -knots[::-1], -ranks[::-1])
    return (first + last) / (2 * ranks[-1])


def scale_on_host(
    affine: Affine, values: Shaped[AnyArray, "examples ..."], quantiles: Quantiles | None = None
) -> Float[np.ndarray, "..."]:
    """All examples as floats of JAX's default precision, perhaps first through their ``quantiles``. They are
    centred in double precision: a device would first round large numbers, such as seconds since 1970, and
    lose what tells them apart.
    """
    values = np.asarray(values, float) if quantiles is None else apply_quantiles(quantiles, values)
    shift, scale = (np.asarray(part, float) for part in affine)
    with np.errstate(over="ignore"):
        return ((values - shift) / scale).astype(jax.dtypes.canonicalize_dtype(float))
