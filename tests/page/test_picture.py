"""What the page makes of a drawing is what ``jaxmlp predict`` makes of it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from sklearn.datasets import load_digits

from experiments.photographs.camera import photograph
from jaxmlp.data.drawings import read_drawing
from jaxmlp.data.sources import load_dataset
from tests.support.drawings import to_network_input
from tests.support.figures import sheet
from tests.support.node import needs_node, run_script

pytestmark = needs_node
FILES = "nn.js", "picture.js", "ink.js"
SET = load_dataset("digits").test


def page_reads(expression, image, shape, folder, extent=20 / 28, low=0.0, high=255.0):
    pixels = np.asarray(image.convert("RGBA"))
    data = {
        "model": {
            "input_shape": shape,
            "drawing_extent": extent,
            "preprocess": {"shift": [low], "scale": [high - low]},
        },
        "pixels": {"width": image.width, "height": image.height, "data": pixels.ravel().tolist()},
    }
    return run_script(expression, data, folder, FILES)


def page_input(image, shape, folder):
    found = page_reads(
        "((x) => x && Array.from(x))(toNetworkInput(data.model, data.pixels))", image, shape, folder
    )
    return None if found is None else np.reshape(found, shape)


def strokes(size, *, transparent=False):
    image = Image.new("RGBA", size, (0, 0, 0, 0) if transparent else (250, 250, 250, 255))
    pen = ImageDraw.Draw(image)
    width, height = size
    pen.line([(width * 0.3, height * 0.2), (width * 0.35, height * 0.7)], fill=(20, 40, 120, 255), width=9)
    pen.arc([width * 0.3, height * 0.4, width * 0.7, height * 0.8], 0, 250, fill=(20, 40, 120, 255), width=7)
    pen.point((int(width * 0.9), int(height * 0.9)), fill=(0, 0, 0, 255))
    return image


DRAWINGS = {
    "strokes": strokes((280, 280)),
    "wide": strokes((300, 200)),
    "small": strokes((60, 61)),
    "transparent": strokes((200, 200), transparent=True),
    "large": strokes((1100, 900)),
    "sheet": sheet(load_digits().images[3]),
    "light on dark": sheet(load_digits().images[7], dark_ink=False),
}


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("shape", [(28, 28), (8, 8, 1), (12, 20)])
def test_a_drawing_becomes_the_same_input(name, shape, tmp_path):
    expected = to_network_input(DRAWINGS[name], shape, 0.0, 255.0)
    found = page_input(DRAWINGS[name], shape, tmp_path)
    assert np.ptp(expected) == 255
    # Pillow keeps shrunk pictures as bytes.
    np.testing.assert_allclose(found, expected, atol=2.5)


@pytest.mark.parametrize("seed", range(12))
def test_a_photograph_becomes_the_same_input(seed, tmp_path):
    draws = np.random.default_rng(seed)
    image = photograph(SET.inputs[seed] / 16, draws).convert("RGB")
    # Every second one as chalk on a board.
    image = ImageOps.invert(image) if seed % 2 else image
    expected = to_network_input(image, (28, 28), 0.0, 1.0)
    found = page_reads(
        "Array.from(toNetworkInput(data.model, data.pixels))", image, (28, 28), tmp_path, high=1.0
    )
    np.testing.assert_allclose(np.reshape(found, (28, 28)), expected, atol=1e-5)


@pytest.mark.parametrize("names", [(3, 7), (3,), ()])
def test_several_drawings_are_told_by_both(names, tmp_path):
    image = Image.new("L", (320, 200), 255)
    for place, name in enumerate(names):
        image.paste(sheet(load_digits().images[name]).crop((20, 40, 170, 190)), (5 + 155 * place, 25))
    image.paste(200, (0, 0, 3, 3))
    shape = (28, 28)
    remark = page_reads("readPicture(data.model, data.pixels).remark", image, shape, tmp_path)
    assert bool(remark) == bool(read_drawing(image, shape, 0, 1)[1]) == (len(names) == 2)
    assert page_reads("readPicture(data.model, data.pixels).remark", image, (8, 8, 3), tmp_path) == ""


@pytest.mark.parametrize("size", [(64, 40), (40, 64), (32, 32)])
def test_colours_are_cut_and_shrunk_alike(size, tmp_path):
    draws = np.random.default_rng(0)
    image = Image.fromarray(draws.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    expected = to_network_input(image, (16, 12, 3), 0.0, 255.0)
    np.testing.assert_allclose(page_input(image, (16, 12, 3), tmp_path), expected, atol=2.5)


def test_a_blank_picture_is_none(tmp_path):
    assert page_input(Image.new("L", (50, 50), 255), (8, 8), tmp_path) is None


def test_halves_are_rounded_as_python_does(tmp_path):
    values = [0.5, 1.5, 2.5, 3.5, 7.49, 7.51, 20.0]
    found = run_script("data.map(roundEven)", values, tmp_path, FILES)
    assert found == list(map(round, values))
