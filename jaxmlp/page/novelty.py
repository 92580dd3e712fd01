"""Whether a picture is like those that a model learnt from, by what their principal components leave out of
it: novelty by reconstruction error (Pimentel et al. 2014, Signal Processing 99, section 4).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmlp.models.model import Model
from jaxmlp.page.binary import pack_array

if TYPE_CHECKING:
    from jaxmlp.data.tfds_cache import RawData

_MAX_BYTES = 100_000
"""Of the components, in half precision."""
_MOST_COMPONENTS, _MOST_IMAGES = 40, 10_000
_ALIKE = 0.99
"""Share of images of the data set that count as like the others."""


def describe_familiar(model: Model, raw: "RawData | None") -> dict[str, Any] | None:
    """The mean of the training images and their first principal components, and the share of an image's
    squared distance from the mean that these leave out in all but one of a hundred images that they were
    not made from. None where the images are not at hand, or too few or too large for it.

    Noise, textures and negatives are found by it, most scribbles and the letters next to digits are not.
    """
    if raw is None:
        return None
    rows = np.random.default_rng(0).permutation(len(raw.inputs))[:_MOST_IMAGES]
    shift, scale = model.affine
    images = (np.asarray(raw.inputs)[rows].reshape(len(rows), -1) - np.ravel(shift)) / np.ravel(scale)
    own, others = images[::2], images[1::2]
    size = images.shape[1]
    count = min(_MOST_COMPONENTS, _MAX_BYTES // (2 * size), size // 4, len(own) // 10)
    if count < 1 or not np.isfinite(images).all():
        return None
    from sklearn.decomposition import PCA

    components = PCA(count, svd_solver="covariance_eigh").fit(own)
    limit = np.quantile(left_out(others, components.mean_, components.components_), _ALIKE)
    return {
        "mean": pack_array(components.mean_, "float32"),
        "components": pack_array(components.components_, "float16"),
        "limit": float(limit),
    }


def left_out(images: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """[images] The share of each one's squared distance from the ``mean`` that ``components``, which are
    orthonormal, do not span.
    """
    away = images - mean
    spanned = np.square(away @ components.T).sum(axis=1)
    return 1 - spanned / np.maximum(np.square(away).sum(axis=1), np.finfo(float).tiny)
