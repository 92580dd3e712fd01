"""Raw values to floats, inside the compiled step, so that pixels travel and rest as uint8."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxmlp.types import AnyArray


class Affine(NamedTuple):
    """``(x - shift) / scale``: one number for all values of an image, or one per column of a table. A column
    of infinite scale is left out: it is 0 in every row.
    """

    shift: Float[AnyArray, "..."]
    scale: Float[AnyArray, "..."]


def fit_affine(inputs: Shaped[AnyArray, "examples ..."]) -> Affine:
    """The map fitted on training inputs, in double precision: images (two axes or more) to [0, 1], table
    columns standardised.

    Images share one range, because pixels share one unit and a black border carries no information. A
    constant image set keeps scale 1. What a constant column does could not be learnt, so it is left out, as
    is one so narrow that its scale is no normal number.
    """
    images = inputs.ndim > 2
    axis = None if images else 0
    low, high = (np.asarray(bound(inputs, axis=axis), float) for bound in (np.min, np.max))
    if images:
        return Affine(low, np.where(high > low, high - low, 1.0))
    mean, deviation = np.mean(inputs, axis=0, dtype=float), np.std(inputs, axis=0, dtype=float)
    # Asked of the values, since rounding gives a constant column a deviation of about 1e-17.
    varied = (high > low) & (deviation >= np.finfo(float).tiny)
    return Affine(mean, np.where(varied, deviation, np.inf))


def apply_affine(affine: Affine, x: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """One raw example as floats, inside a program, in JAX's default precision."""
    shift, scale = jnp.asarray(affine.shift), jnp.asarray(affine.scale)
    # Devices take subnormal numbers for 0.
    scale = jnp.where(scale >= jnp.finfo(scale.dtype).tiny, scale, jnp.inf)
    return (x.astype(shift.dtype) - shift) / scale


def scale_on_host(affine: Affine, values: Shaped[AnyArray, "examples ..."]) -> Float[np.ndarray, "..."]:
    """All examples as floats of JAX's default precision, but centred in double precision: a device would
    first round large numbers, such as seconds since 1970, and lose what tells them apart.
    """
    shift, scale = (np.asarray(part, float) for part in affine)
    with np.errstate(over="ignore"):
        return ((np.asarray(values, float) - shift) / scale).astype(jax.dtypes.canonicalize_dtype(float))
