"""Deformed images: known warps, limits that are kept, and that evaluation sees none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn import augment, heads
from jaxmlp.nn.augment import Deformation
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.types import Hyperparams, InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (7, 7)).astype(np.uint8)
NOTHING = Deformation(0.0, 0.0, 0.0, 0.0, 0.0)
STILL = np.zeros((2, 1, 1))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[1, 0], [0, 1]], IMAGE),
        ([[0, 1], [1, 0]], IMAGE.T),
        ([[0, 1], [-1, 0]], np.rot90(IMAGE)),
        ([[-1, 0], [0, 1]], IMAGE[::-1]),
    ],
)
def test_a_warp_by_a_known_matrix(matrix, expected):
    found = augment.warp(jnp.asarray(IMAGE), jnp.array(matrix, float), jnp.asarray(STILL))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_displacement_moves_between_pixels_and_repeats_the_border():
    half = np.array([0.0, 0.5])[:, None, None]
    found = augment.warp(jnp.asarray(IMAGE), jnp.eye(2), jnp.asarray(half))
    values = IMAGE.astype(float)
    np.testing.assert_allclose(found[:, :-1], (values[:, :-1] + values[:, 1:]) / 2, atol=1e-4)
    np.testing.assert_allclose(found[:, -1], values[:, -1], atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 9), (6, 8, 3)])
def test_without_limits_an_image_stays(shape):
    image = jnp.asarray(np.random.default_rng(1).normal(size=shape))
    found = augment.random_deformation(jax.random.key(0), image, NOTHING)
    np.testing.assert_allclose(found, image, atol=1e-5)


def test_each_channel_is_bent_alike():
    image = jnp.asarray(np.stack([IMAGE, 255 - IMAGE], axis=-1))
    found = augment.random_deformation(jax.random.key(3), image)
    np.testing.assert_allclose(found[..., 0] + found[..., 1], 255, atol=1e-2)
    assert np.abs(found[..., 0] - IMAGE).max() > 10


def test_the_noise_is_smooth_and_of_variance_one():
    keys = jax.random.split(jax.random.key(0), 4000)
    noise = jax.vmap(lambda key: augment.smooth_noise(key, (9, 12), 2.0))(keys)
    assert noise.shape == (4000, 2, 9, 12)
    np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.12)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.08)
    # Two Gaussians of deviation s, d apart, overlap by exp(−d² / 4s²).
    middle = noise[:, 0, 4]
    neighbours = np.corrcoef(middle[:, 5], middle[:, 7])[0, 1]
    np.testing.assert_allclose(neighbours, np.exp(-(2**2) / (4 * 2.0**2)), atol=0.05)


@pytest.mark.parametrize(
    ("field", "limit"),
    [("rotation", 30.0), ("shear", 0.3), ("scale", 0.3), ("shift", 0.2), ("elastic", 0.05)],
)
def test_each_limit_deforms_by_itself_and_another_way_each_time(field, limit):
    only = NOTHING._replace(**{field: limit})
    found = [augment.random_deformation(jax.random.key(seed), jnp.asarray(IMAGE), only) for seed in (0, 1)]
    assert all(np.abs(image - IMAGE).max() > 1 for image in found)
    assert np.abs(found[0] - found[1]).max() > 1


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_a_strength_scales_all_limits_but_the_smoothness(strength):
    own, full = augment.scale_deformation(strength), Deformation()
    np.testing.assert_allclose(own[:-1], strength * np.array(full[:-1]))
    assert own.smoothness == full.smoothness


def test_a_shift_stays_within_its_limit():
    image = jnp.asarray(np.pad([[1.0]], 10))
    only = NOTHING._replace(shift=0.2)
    keys = jax.random.split(jax.random.key(0), 300)
    found = np.asarray(jax.vmap(lambda key: augment.random_deformation(key, image, only))(keys))
    places = np.arange(21) - 10
    # The centre of mass of one bright pixel is where it moved to.
    moves = np.stack([found.sum(axis=2) @ places, found.sum(axis=1) @ places])
    assert np.abs(moves).max() <= 0.2 * 21 and np.abs(moves).max() > 0.9 * 0.2 * 21


def test_shifts_move_by_every_whole_amount_and_repeat_the_border():
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    padded = np.pad(image, 2, mode="edge")
    windows = {padded[i : i + 5, j : j + 6].tobytes() for i in range(5) for j in range(5)}
    keys = jax.random.split(jax.random.key(0), 400)
    moved = jax.jit(jax.vmap(lambda key: augment.random_shift(key, jnp.asarray(image), 2)))(keys)
    assert {np.asarray(each).tobytes() for each in moved} == windows


def test_only_training_sees_other_images():
    affine = Affine(jnp.zeros(()), jnp.ones(()))
    network = make_network((49, 8, 3), heads.multiclass, affine)
    bent = augment.with_augmentation(network, augment.random_deformation)
    params, state = network.init_fn(jax.random.key(0), Hyperparams())
    example, key = (jnp.asarray(IMAGE), jnp.asarray(1)), jax.random.key(5)

    def losses_of(key):
        return [float(n.loss_fn(params, state, example, key, Hyperparams())[0]) for n in (network, bent)]

    assert losses_of(None)[0] == losses_of(None)[1]
    assert losses_of(key)[0] != losses_of(key)[1]
    assert bent.predict_fn is network.predict_fn


def test_the_strength_of_a_run_deforms_its_images_and_no_tables():
    network = make_network((49, 8, 3), heads.multiclass, Affine(jnp.zeros(()), jnp.ones(())))
    deformed = augment.with_deformation(network)
    params, state = network.init_fn(jax.random.key(0), Hyperparams())
    example, key = (jnp.asarray(IMAGE), jnp.asarray(1)), jax.random.key(5)

    def loss_of(strength, key, image=example[0]):
        hyperparams = Hyperparams(deformation=strength)
        return float(deformed.loss_fn(params, state, (image, example[1]), key, hyperparams)[0])

    plain = float(network.loss_fn(params, state, example, None, Hyperparams())[0])
    assert loss_of(None, key) == loss_of(1.0, None) == plain
    np.testing.assert_allclose(loss_of(0.0, key), plain, rtol=1e-4)
    assert abs(loss_of(0.5, key) - plain) > 1e-3
    with pytest.raises(InputError, match=r"^deformation: is for images, but an example has shape \(49,\)"):
        loss_of(0.5, key, example[0].ravel())
