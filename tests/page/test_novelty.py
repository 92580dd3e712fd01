"""A picture unlike those that a model learnt from is told from the others, in the page as in Python."""

import numpy as np
import pytest

import jaxmlp
from jaxmlp.page.examples import read_images
from jaxmlp.page.novelty import describe_familiar, left_out
from tests.support.node import needs_node, run_script

MODEL = "results/digits/model.safetensors"


@pytest.fixture(scope="module")
def model(request):
    return jaxmlp.load(request.config.rootpath / MODEL)


def test_nothing_is_left_of_what_the_components_span():
    components = np.eye(3)[:2]
    shares = left_out(np.array([[3.0, 4.0, 0.0], [3.0, 0.0, 4.0], [1.0, 1.0, 9.0]]), np.ones(3), components)
    np.testing.assert_allclose(shares, [1 / 14, 9 / 14, 1])
    np.testing.assert_array_equal(left_out(np.ones((1, 3)), np.ones(3), components), [1])


def shares_told(model, images, folder):
    """The share of the images that a page calls unlike those that the model learnt from."""
    familiar = describe_familiar(model, read_images(model))
    shift, scale = (np.ravel(part) for part in model.affine)
    values = (images.reshape(len(images), -1) - shift) / scale
    script = "data.values.map((x) => seemsUnfamiliar(unpack(data.familiar), x))"
    data = {"familiar": familiar, "values": values.tolist()}
    return np.mean(run_script(script, data, folder, ("nn.js", "novelty.js")))


@needs_node
def test_noise_and_negatives_are_told_and_what_belongs_to_the_set_is_not(model, tmp_path):
    images = np.asarray(read_images(model).inputs, float)[:300]
    noise = np.random.default_rng(0).uniform(0, images.max(), images.shape)
    assert shares_told(model, images, tmp_path) < 0.03
    assert shares_told(model, noise, tmp_path) > 0.97
    assert shares_told(model, images.max() - images, tmp_path) > 0.97


def test_without_the_images_there_is_nothing_to_tell(model):
    assert describe_familiar(model, None) is None
    few = read_images(model)._replace(inputs=read_images(model).inputs[:9])
    assert describe_familiar(model, few) is None
