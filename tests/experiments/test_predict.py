"""A person's picture of a digit becomes what the network was trained on, however it was drawn."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from experiments import command_line, predict
from jaxmlp.data import drawings
from jaxmlp.data.drawings import drawing_extent, to_network_input
from jaxmlp.models import model
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.types import InputError, Layer

DIGITS = load_digits()
NUM_TRAIN = 1400
TEST_IMAGES, TEST_LABELS = DIGITS.images[NUM_TRAIN:], DIGITS.target[NUM_TRAIN:]


@pytest.fixture(scope="module")
def digits_model() -> Model:
    """Logistic regression on scikit-learn's digits: a network of one layer."""
    images = DIGITS.images[:NUM_TRAIN]
    affine = fit_affine(images)
    scaled = (images.reshape(NUM_TRAIN, 64) - affine.shift) / affine.scale
    fitted = LogisticRegression(max_iter=500).fit(scaled, DIGITS.target[:NUM_TRAIN])
    layer = Layer(jnp.asarray(fitted.coef_.T, jnp.float32), jnp.asarray(fitted.intercept_, jnp.float32))
    description = ModelSpec(
        networks=(dense_network((64, 10), "relu"),),
        head="multiclass",
        input_shape=(8, 8),
        class_names=tuple("0123456789"),
        dataset="digits",
        metrics={},
        versions={},
        drawing_extent=drawing_extent(images),
    )
    return Model(((layer,),), affine, description)


def sheet(digit: np.ndarray, *, dark_ink: bool = True, corner: tuple[int, int] = (20, 40)) -> Image.Image:
    """An 8×8 digit, enlarged to 150×150, on a sheet of 300×200."""
    enlarged = Image.fromarray(np.round(digit * 255 / 16).astype(np.uint8)).resize((150, 150))
    dark = Image.new("L", (300, 200), 0)
    dark.paste(enlarged, corner)
    return Image.fromarray(255 - np.asarray(dark)) if dark_ink else dark


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


def test_drawings_of_pictures_with_one_name_are_told_apart():
    paths = [Path("a/7.png"), Path("b/7.jpg"), Path("8.png")]
    assert predict.output_names(paths, "prediction", ".png") == [
        "7-prediction-1.png",
        "7-prediction-2.png",
        "8-prediction.png",
    ]


def test_a_picture_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    image = Image.new("L", (60, 30), 255)
    image.paste(0, (0, 0, 20, 10))
    image.save(tmp_path / "turned.jpg", exif=exif)
    upright = drawings.read_picture(tmp_path / "turned.jpg")
    assert upright.size == (30, 60)
    assert upright.getpixel((25, 5)) < 50 < 200 < upright.getpixel((5, 5))


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of the predict command."""
    status = 0
    try:
        command_line.main(predict.Config, predict.run, [str(argument) for argument in arguments])
    except SystemExit as finished:
        status = finished.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_reads_enlarged_digits_and_draws_them(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    pictures = [tmp_path / f"digit-{label}.png" for label in range(10)]
    for label, picture in enumerate(pictures):
        digit = TEST_IMAGES[TEST_LABELS.tolist().index(label)]
        sheet(digit, dark_ink=label % 2 == 0, corner=(10 * label, 5 * label)).save(picture)
    status, out, err = command(capsys, path, *pictures, "--out", tmp_path / "drawings")
    assert (status, err) == (0, "")
    named = [line for line in out.splitlines() if line.startswith(str(tmp_path))]
    right = sum(line.startswith(f"{pictures[label]}: {label} (") for label, line in enumerate(named))
    assert len(named) == 10 and right >= 8
    drawings = sorted((tmp_path / "drawings").iterdir())
    assert [drawing.name for drawing in drawings] == [f"digit-{label}-prediction.png" for label in range(10)]
    for drawing in drawings:
        with Image.open(drawing) as image:
            assert min(image.size) > 200


def test_one_bad_picture_stops_the_command_before_anything_is_written(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    sheet(TEST_IMAGES[0]).save(tmp_path / "good.png")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:200])
    for name, message in {
        "absent.png": "no such file",
        "blank.png": "the picture is blank",
        "text.png": "cannot be read as a picture",
        "cut.png": "cannot be read as a picture",
    }.items():
        out = tmp_path / "drawings"
        status, printed, err = command(capsys, path, tmp_path / "good.png", tmp_path / name, "--out", out)
        assert (status, printed, out.exists()) == (2, "", False)
        assert err.startswith(f"error: {tmp_path / name}: {message}") and err.count("\n") == 1


def test_the_command_without_pictures_or_with_a_folder_in_the_way_says_what_to_do(
    tmp_path, digits_model, capsys
):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    sheet(TEST_IMAGES[0]).save(tmp_path / "good.png")
    nothing = "error: files: name at least one picture or table after the model\n"
    assert command(capsys, path) == (2, "", nothing)
    status, _, err = command(capsys, path, tmp_path / "good.png", "--out", path)
    assert status == 2 and err.startswith("error: out: must be a folder")


def test_the_module_runs_by_name():
    finished = subprocess.run(
        [sys.executable, "-m", "experiments.predict", "--help"], capture_output=True, text=True, check=True
    )
    for part in (
        "usage: python -m experiments.predict",
        "MODEL",
        "FILE",
        "--out",
        "predictions",
        "own picture",
    ):
        assert part in finished.stdout


@dataclass(frozen=True)
class Settings:
    hidden_sizes: tuple[int, ...] = (512, 512)
    """Widths of the hidden layers."""
    smoke: bool = False
    """A run of seconds."""


def test_flags_become_fields():
    received: list[Settings] = []
    command_line.main(Settings, received.append, ["--hidden-sizes", "3", "4", "--smoke"])
    command_line.main(Settings, received.append, [])
    assert received == [Settings((3, 4), True), Settings()]


def test_the_help_shows_the_module_the_fields_and_their_defaults(capsys):
    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, print, ["--help"])
    out = capsys.readouterr().out
    assert finished.value.code == 0
    for part in ("A person's picture", "--hidden-sizes", "Widths of the hidden layers. (default: 512 512)"):
        assert part in out
    assert "--no-smoke" not in out


def test_an_unknown_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, print, ["--hiden-sizes", "3"])
    assert finished.value.code == 2
    assert "--hidden-sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (InputError("epochs: must be\n above 0"), 2, "error: epochs: must be above 0\n"),
        (FloatingPointError("the loss is nan"), 1, "error: the loss is nan\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_known_error_is_one_line_and_a_status(error, status, printed, capsys):
    def fail(_: Settings) -> None:
        raise error

    with pytest.raises(SystemExit) as finished:
        command_line.main(Settings, fail, [])
    assert (finished.value.code, capsys.readouterr().err) == (status, printed)


def test_a_fault_keeps_its_trace():
    def fail(_: Settings) -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        command_line.main(Settings, fail, [])
