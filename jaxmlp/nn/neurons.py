"""What hidden neurons of images look for: strokes or static, and the images that excite them most."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxmlp.nn import mlp
from jaxmlp.nn.preprocessing import Affine, apply_affine
from jaxmlp.types import AnyArray, Params

_NUM_RANDOM = 1000


def autocorrelation_of_neurons(
    weight: Float[AnyArray, "*networks inputs neurons"], images: Shaped[AnyArray, "examples ..."]
) -> Float[np.ndarray, "*networks neurons"]:
    """Each neuron's, over the pixels that ever carry ink in ``images``: of the others nothing is learnt."""
    rows = np.moveaxis(np.asarray(weight), -1, -2)
    inked = inked_pixels(images)
    return morans_i(rows.reshape(-1, *inked.shape), inked).reshape(rows.shape[:-1])


def inked_pixels(images: Shaped[AnyArray, "examples ..."]) -> Bool[np.ndarray, "..."]:
    """Where some of the ``images`` is not as low as all are at their lowest."""
    return np.asarray(images).max(axis=0) > np.min(images)


def morans_i(images: Shaped[np.ndarray, "n ..."], inside: Bool[np.ndarray, "..."]) -> Float[np.ndarray, " n"]:
    """The autocorrelation of each of ``images`` [n, height, width, …] over the pixels ``inside``: the mean
    product of the deviations of two pixels side by side or one above the other, in units of the variance.

    Of independent values it is −1 / (number of pixels − 1) on average (Moran 1950, Biometrika 37).
    """
    values = images[:, inside].astype(float)
    deviations = np.zeros(images.shape)
    deviations[:, inside] = values - values.mean(axis=1, keepdims=True)
    num_pairs = _neighbour_products(inside[None].astype(float))
    return _neighbour_products(deviations) / num_pairs / values.var(axis=1)


def static_limit(inside: Bool[np.ndarray, "..."]) -> float:
    """Moran's I that 99 of 100 images of independent normal values stay below."""
    random = np.random.default_rng(0)
    # A few at a time, since images may be large.
    each = [morans_i(random.normal(size=(10, *inside.shape)), inside) for _ in range(_NUM_RANDOM // 10)]
    return float(np.quantile(np.concatenate(each), 0.99))


def most_exciting(
    layers: Params,
    affine: Affine,
    images: Shaped[AnyArray, "examples ..."],
    *,
    activation: mlp.Activation = jax.nn.relu,
    num_images: int = 1,
) -> Int[np.ndarray, "neurons images"]:
    """For each neuron of the last of the ``layers``, the ``images`` that give it the largest values before
    its activation, the largest first.
    """
    excite = jax.vmap(lambda x: mlp.apply(layers, apply_affine(affine, x), activation=activation))
    return np.asarray(jax.lax.top_k(excite(jnp.asarray(images)).T, num_images)[1])


def _neighbour_products(images: np.ndarray) -> np.ndarray:
    """For each image, the sum over neighbours of one pixel times the other."""
    products = images[:, 1:] * images[:, :-1], images[:, :, 1:] * images[:, :, :-1]
    return np.sum([product.reshape(len(images), -1).sum(axis=1) for product in products], axis=0)
