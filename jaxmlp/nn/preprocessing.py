"""Raw values to floats, inside the compiled step, so that pixels travel and rest as uint8."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxmlp.types import AnyArray


class Affine(NamedTuple):
    """``(x - shift) / scale``: one number for all values of an image, or one per column of a table."""

    shift: Float[AnyArray, "..."]
    scale: Float[AnyArray, "..."]


def fit_affine(inputs: Shaped[AnyArray, "examples ..."]) -> Affine:
    """The map fitted on training inputs: images (two axes or more) to [0, 1], table columns standardised.

    Images share one range, because pixels share one unit and a black border carries no information.
    A constant image set or column keeps scale 1, and one so narrow that its scale is no normal number.
    """
    if inputs.ndim > 2:
        shift = np.min(inputs).astype(float)
        scale = np.max(inputs).astype(float) - shift
    else:
        shift, scale = np.mean(inputs, axis=0, dtype=float), np.std(inputs, axis=0, dtype=float)
    # Asked of the values, since rounding gives a constant column a deviation of about 1e-17.
    axis = None if inputs.ndim > 2 else 0
    dtype = jnp.zeros(()).dtype
    varied = np.max(inputs, axis=axis) > np.min(inputs, axis=axis)
    # Devices take subnormal numbers for 0.
    scale = np.where(varied & (scale >= np.finfo(dtype).tiny), scale, 1.0)
    return Affine(np.asarray(shift, dtype), np.asarray(scale, dtype))


def apply_affine(affine: Affine, x: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """One raw example as floats."""
    return (x.astype(affine.shift.dtype) - affine.shift) / affine.scale
