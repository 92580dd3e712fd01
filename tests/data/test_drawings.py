"""A person's picture of a digit becomes what the network was trained on, however it was drawn."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from jaxmlp.data import drawings
from jaxmlp.data.drawings import drawing_extent
from jaxmlp.types import InputError
from tests.support.drawings import to_network_input
from tests.support.figures import sheet

DIGITS = load_digits()
TEST_IMAGES = DIGITS.images[1400:]


def seen(image: Image.Image) -> np.ndarray:
    return to_network_input(image, (8, 8), 0, 16, extent=1)


def ring(side: int = 200) -> Image.Image:
    """A circle in black on white, of half the picture's side."""
    image = Image.new("L", (side, side), 255)
    ImageDraw.Draw(image).ellipse(
        (side // 4, side // 4, 3 * side // 4, 3 * side // 4), outline=0, width=side // 20
    )
    return image


def assert_alike(a: np.ndarray, b: np.ndarray, tolerance: float = 0.02) -> None:
    """Equal up to ``tolerance``, on the scale from paper to ink."""
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.ptp(b))


@pytest.mark.parametrize("index", range(10))
def test_polarity_and_place_do_not_matter(index):
    digit = TEST_IMAGES[index]
    expected = seen(sheet(digit))
    assert_alike(seen(sheet(digit, dark_ink=False)), expected, 1e-5)
    assert_alike(seen(sheet(digit, corner=(131, 7))), expected, 1e-5)
    assert_alike(seen(sheet(digit).resize((900, 600))), expected, 0.1)


def test_an_enlarged_digit_becomes_the_digit_again():
    correlations = [
        np.corrcoef(seen(sheet(digit)).ravel(), digit.ravel())[0, 1] for digit in TEST_IMAGES[:100]
    ]
    assert np.median(correlations) > 0.85
    assert np.mean(np.array(correlations) > 0.8) > 0.8


def test_values_span_the_range_of_the_training_data():
    image = to_network_input(ring(), (28, 28), -1.0, 3.0)
    assert (image.min(), image.max(), image.dtype) == (-1, 3, np.float32)


def test_ink_fills_20_of_28_pixels_with_its_centre_of_mass_in_the_middle():
    image = Image.new("L", (400, 300), 255)
    ImageDraw.Draw(image).polygon([(50, 50), (50, 250), (250, 250)], fill=0)
    ink = to_network_input(image, (28, 28), 0.0, 1.0)
    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 20)
    centre = [np.average(np.arange(28), weights=ink.sum(axis=axis)) for axis in (1, 0)]
    np.testing.assert_allclose(centre, 13.5, atol=0.51)
    # The mass of this triangle lies below and left of the middle of its box.
    assert rows[0] < 4 and columns[0] > 4


def test_ink_keeps_its_proportions_and_stays_inside_a_box_that_is_full():
    image = Image.new("L", (300, 300), 0)
    ImageDraw.Draw(image).rectangle((10, 20, 29, 219), fill=255)
    ink = to_network_input(image, (20, 30, 1), 0.0, 1.0, extent=1.0)
    assert ink.shape == (20, 30, 1)
    assert ink.any(axis=(1, 2)).sum() == 20
    assert ink.any(axis=(0, 2)).sum() == 2


def test_transparent_paper_is_paper_whatever_the_ink():
    ink = Image.fromarray(255 - np.asarray(ring()))
    expected = to_network_input(ring(), (28, 28), 0, 1)
    for colour in ("black", "white", "red"):
        drawing = Image.new("RGBA", ink.size, colour)
        drawing.putalpha(ink)
        assert_alike(to_network_input(drawing, (28, 28), 0, 1), expected)


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "LA", "CMYK", "I;16", "F"])
def test_every_kind_of_pixel_is_read(mode):
    grey = ring()
    wide = {"I;16": np.uint16(257), "F": np.float32(1 / 255)}
    image = Image.fromarray(np.asarray(grey) * wide[mode]) if mode in wide else grey.convert(mode)
    assert image.mode == mode
    assert_alike(to_network_input(image, (28, 28), 0, 1), to_network_input(grey, (28, 28), 0, 1))


def test_a_photograph_with_noise_and_uneven_light_shows_the_same_ink():
    slope = np.linspace(0.75, 1, 400)[None, :] * np.linspace(0.9, 1, 400)[:, None]
    noise = np.random.default_rng(0).normal(0, 6, (400, 400))
    photograph = np.clip(np.asarray(ring(400)) * 0.8 * slope + 40 + noise, 0, 255).astype(np.uint8)
    clean, shown = (
        to_network_input(image, (28, 28), 0, 1) for image in (ring(400), Image.fromarray(photograph))
    )
    assert np.corrcoef(clean.ravel(), shown.ravel())[0, 1] > 0.95
    assert np.mean(shown == 0) > 0.5


def photographed(picture: np.ndarray, *, paler: float = 0.3, shadow: float = 0.5) -> Image.Image:
    """The drawing on squared paper, whose lines are paler than the pen, the lower right corner in shadow."""
    rows, columns = np.mgrid[: len(picture), : len(picture)]
    printed = paler * ((rows % 50 < 3) | (columns % 50 < 3))
    lamp = (1 - 0.4 * columns / len(picture)) * np.where(rows + columns > 1.1 * len(picture), shadow, 1)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    seen = 230 * lamp * (1 - np.maximum(printed, 0.9 * (1 - picture / 255))) + noise
    return Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))


def test_shadows_and_printed_lines_are_no_ink():
    clean = to_network_input(ring(400), (28, 28), 0, 1)
    shown = to_network_input(photographed(np.asarray(ring(400))), (28, 28), 0, 1)
    assert np.corrcoef(clean.ravel(), shown.ravel())[0, 1] > 0.95
    assert np.all(shown[clean == 0] < 0.5)


def test_chalk_in_uneven_light_is_ink():
    board = Image.fromarray(255 - np.asarray(photographed(np.asarray(ring(400)), paler=0)))
    shown = to_network_input(board, (28, 28), 0, 1)
    clean = to_network_input(ring(400), (28, 28), 0, 1)
    assert np.corrcoef(clean.ravel(), shown.ravel())[0, 1] > 0.9


def test_what_reaches_into_a_photograph_is_no_ink():
    picture = np.asarray(ring(400)).copy()
    expected = to_network_input(photographed(picture), (28, 28), 0, 1)
    picture[:30, 40:80] = 0
    assert_alike(to_network_input(photographed(picture), (28, 28), 0, 1), expected, 0.05)


@pytest.mark.parametrize("is_photograph", [False, True])
def test_drawings_side_by_side_are_told_and_one_is_not(is_photograph):
    one, pair = np.asarray(ring(400)), np.full((400, 400), 255, np.uint8)
    pair[100:300, 5:195] = pair[100:300, 205:395] = np.asarray(
        ring(400).crop((95, 100, 305, 300)).resize((190, 200))
    )
    make = photographed if is_photograph else Image.fromarray
    assert drawings.read_drawing(make(pair), (28, 28), 0, 1)[1] == drawings.SEVERAL
    assert drawings.read_drawing(make(one), (28, 28), 0, 1)[1] is None
    assert drawings.read_drawing(Image.fromarray(pair), (28, 28, 3), 0, 1)[1] is None


def test_pieces_of_one_drawing_are_not_several():
    image = Image.new("L", (400, 400), 255)
    pen = ImageDraw.Draw(image)
    # A five whose top stands apart, and a dot.
    pen.arc((120, 180, 260, 320), -120, 120, fill=0, width=16)
    pen.line([(150, 180), (150, 110)], fill=0, width=16)
    pen.line([(180, 100), (280, 100)], fill=0, width=16)
    pen.ellipse((300, 300, 330, 330), fill=0)
    assert drawings.read_drawing(image, (28, 28), 0, 1)[1] is None


def test_dust_far_from_the_drawing_does_not_move_it():
    dusty = ring(400)
    ImageDraw.Draw(dusty).rectangle((370, 380, 372, 382), fill=0)
    assert_alike(to_network_input(dusty, (28, 28), 0, 1), to_network_input(ring(400), (28, 28), 0, 1))


def test_colour_is_cut_to_its_middle_and_keeps_its_values():
    image = Image.new("RGB", (90, 60), (255, 0, 51))
    image.paste((0, 0, 0), (0, 0, 10, 60))
    values = to_network_input(image, (4, 4, 3), 0.0, 10.0)
    np.testing.assert_allclose(values, np.broadcast_to([10.0, 0.0, 2.0], (4, 4, 3)), atol=0.05)


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_blank_picture_is_refused(colour):
    with pytest.raises(InputError, match="blank"):
        to_network_input(Image.new("L", (50, 50), colour), (28, 28), 0, 1)


def test_a_model_of_tables_is_refused():
    with pytest.raises(InputError, match=r"shape \(64,\); give a model trained on images"):
        to_network_input(ring(), (64,), 0, 1)


def test_drawing_extent_is_the_median_of_the_longer_sides():
    images = np.full((3, 10, 20), 7)
    images[0, 2:7, 4:6] = 9  # 5 of 10 rows
    images[1, 1, 3:19] = 9  # 16 of 20 columns
    images[2, 5, 5] = 9  # 1 of 10 rows
    assert drawing_extent(images) == 0.5
    assert drawing_extent(np.stack([images] * 3, axis=-1)) == 0.5
    assert drawing_extent(DIGITS.images) == 1


def test_a_picture_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    image = Image.new("L", (60, 30), 255)
    image.paste(0, (0, 0, 20, 10))
    image.save(tmp_path / "turned.jpg", exif=exif)
    upright = drawings.read_picture(tmp_path / "turned.jpg")
    assert upright.size == (30, 60)
    assert upright.getpixel((25, 5)) < 50 < 200 < upright.getpixel((5, 5))
