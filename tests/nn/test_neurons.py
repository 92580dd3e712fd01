"""What neurons look for: the measure of stroke and static, and what excites them, by known answers."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp import Affine, Layer
from jaxmlp.nn import neurons


class TestMoransI:
    def test_a_chessboard_is_minus_one_and_two_halves_are_worked_by_hand(self):
        chessboard = np.indices((4, 4)).sum(axis=0) % 2
        halves = np.repeat([[0, 0, 1, 1]], 4, axis=0)
        # 24 pairs of deviations ±1/2, of which the 4 across the border between the halves have two signs.
        expected = [-1, (20 - 4) / 24]
        whole = np.ones((4, 4), bool)
        np.testing.assert_allclose(neurons.morans_i(np.stack([chessboard, halves]), whole), expected)

    @pytest.mark.parametrize("shape", [(5, 7), (6, 4, 3)])
    def test_pair_by_pair(self, shape):
        generator = np.random.default_rng(0)
        images, inside = generator.normal(size=(3, *shape)), generator.random(shape) < 0.6
        expected = [pair_by_pair(image, inside) for image in images]
        np.testing.assert_allclose(neurons.morans_i(images, inside), expected, rtol=1e-10)

    def test_of_noise_it_is_minus_one_over_the_other_pixels_whatever_lies_outside(self):
        images = np.random.default_rng(1).normal(size=(20_000, 5, 4))
        inside = np.ones((5, 4), bool)
        inside[0] = False
        images[:, 0] = 1e6
        values = neurons.morans_i(images, inside)
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() + 1 / 15) < 4 * error < 0.01

    def test_a_neuron_is_measured_where_some_training_image_has_ink(self):
        images = np.zeros((2, 3, 3), np.uint8)
        images[0, :, 1:] = 7
        weight = np.random.default_rng(2).normal(size=(4, 9, 2))
        expected = [[pair_by_pair(column.reshape(3, 3), images[0] > 0) for column in w.T] for w in weight]
        np.testing.assert_allclose(neurons.autocorrelation_of_neurons(weight, images), expected)


def pair_by_pair(image, inside):
    deviations = image - image[inside].mean()
    products = []
    for at in np.argwhere(inside):
        for axis in (0, 1):
            other = at + np.eye(image.ndim, dtype=int)[axis]
            if other[axis] < image.shape[axis] and inside[tuple(other)]:
                products.append(deviations[tuple(at)] * deviations[tuple(other)])
    return np.mean(products) / np.mean(deviations[inside] ** 2)


def test_a_neuron_is_excited_most_by_the_image_it_is_a_template_of():
    images = np.random.default_rng(4).permutation(np.eye(4, dtype=np.uint8) * 9).reshape(4, 2, 2)
    layer = Layer(jnp.eye(4) * 2 - 1, jnp.array([0.0, 5.0, 0.0, -5.0]))
    found = neurons.most_exciting((layer,), Affine(np.float32(0), np.float32(9)), images)
    np.testing.assert_array_equal(images.reshape(4, 4)[found[:, 0]], np.eye(4) * 9)


def test_deeper_neurons_are_excited_by_what_the_layers_below_make_of_images():
    draws = np.random.default_rng(5)
    images = draws.uniform(size=(50, 3, 2)).astype(np.float32)
    first, second = (
        Layer(*(jnp.array(draws.normal(size=shape)) for shape in (sizes, sizes[1])))
        for sizes in ((6, 4), (4, 3))
    )
    affine = Affine(np.float32(0), np.float32(1))
    (w1, b1), (w2, b2) = (map(np.asarray, layer) for layer in (first, second))
    hidden = np.tanh(images.reshape(50, 6) @ w1 + b1)
    expected = np.argsort(-(hidden @ w2 + b2), axis=0).T[:, :4]
    found = neurons.most_exciting((first, second), affine, images, activation=jnp.tanh, num_images=4)
    np.testing.assert_array_equal(found, expected)


def test_random_neurons_stay_below_the_limit_of_static_but_for_one_of_a_hundred():
    inside = np.random.default_rng(6).random((9, 8)) < 0.8
    images = np.random.default_rng(7).normal(3, 2, size=(20_000, 9, 8))
    share = np.mean(neurons.morans_i(images, inside) > neurons.static_limit(inside))
    assert 0.004 < share < 0.02
