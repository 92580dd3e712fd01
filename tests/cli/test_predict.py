"""Pictures and tables predicted from the command line."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import jaxmlp
from jaxmlp.cli.predict import sentence
from jaxmlp.data.drawings import drawing_extent
from jaxmlp.models import model
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.types import Layer
from tests.support.commands import command
from tests.support.figures import sheet

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


def test_a_picture_is_never_certain_and_nothing_impossible():
    told = sentence(np.array([0.9999, 0.00009, 0.00001]), ("one", "two", "three"))
    assert told == "one (one >99.9 %, two <0.1 %, three <0.1 %)"


def test_the_command_reads_enlarged_digits_and_draws_them(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    pictures = [tmp_path / f"digit-{label}.png" for label in range(10)]
    for label, picture in enumerate(pictures):
        digit = TEST_IMAGES[TEST_LABELS.tolist().index(label)]
        sheet(digit, dark_ink=label % 2 == 0, corner=(10 * label, 5 * label)).save(picture)
    status, out, err = command(capsys, "predict", path, *pictures, "--out", tmp_path / "drawings")
    assert (status, err) == (0, "")
    named = [line for line in out.splitlines() if line.startswith(str(tmp_path))]
    right = sum(line.startswith(f"{pictures[label]}: {label} (") for label, line in enumerate(named))
    assert len(named) == 10 and right >= 8
    drawings = sorted((tmp_path / "drawings").iterdir())
    assert [drawing.name for drawing in drawings] == [f"digit-{label}-prediction.png" for label in range(10)]
    for drawing in drawings:
        with Image.open(drawing) as image:
            assert min(image.size) > 200


def test_one_bad_picture_does_not_stop_the_others(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    sheet(TEST_IMAGES[0]).save(tmp_path / "good.png")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:200])
    bad = {
        "absent.png": "no such file",
        "blank.png": "the picture is blank",
        "text.png": "cannot be read as a picture",
        "cut.png": "cannot be read as a picture",
    }
    files = [tmp_path / name for name in bad]
    out = tmp_path / "drawings"
    status, printed, err = command(
        capsys, "predict", path, *files[:2], tmp_path / "good.png", *files[2:], "--out", out
    )
    assert status == 2
    assert printed.startswith(f"{tmp_path / 'good.png'}: ") and len(list(out.iterdir())) == 1
    *each, last = err.splitlines()
    for line, name in zip(each, bad, strict=True):
        assert line.startswith(f"error: {tmp_path / name}: {bad[name]}")
    assert last == "error: files: 4 of 5 could not be predicted"


def test_results_of_files_with_one_name_are_told_apart_and_one_may_be_named(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        sheet(TEST_IMAGES[0]).save(tmp_path / folder / "7.png")
    pictures = [tmp_path / folder / "7.png" for folder in ("a", "b")]
    command(capsys, "predict", path, *pictures, "--out", tmp_path / "out")
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"7-prediction-1.png", "7-prediction-2.png"}
    assert command(capsys, "predict", path, pictures[0], "--out", tmp_path / "mine.png")[0] == 0
    assert (tmp_path / "mine.png").exists()
    status, _, err = command(capsys, "predict", path, *pictures, "--out", tmp_path / "mine.png")
    assert status == 2 and err.startswith("error: out: must be a folder for 2 files")


def test_a_threshold_is_for_two_classes_of_a_table(tmp_path, digits_model, capsys):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    says = "error: threshold: is for a table's two classes, which this model has not; leave it out\n"
    assert command(capsys, "predict", path, path, "--threshold", "1=0.2") == (2, "", says)


def test_a_model_of_arrays_reads_no_file(tmp_path, capsys):
    splits = jaxmlp.load_dataset("wine")
    result = jaxmlp.fit_mlp(splits, hidden_sizes=(4,), num_epochs=1, progress=False)
    path = model.save(tmp_path / "model.safetensors", result.model)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    status, _, err = command(capsys, "predict", path, tmp_path / "new.csv", "--out", tmp_path / "out.csv")
    assert status == 2 and err.startswith("error: model: learnt from arrays, whose columns have no names")


def test_the_command_without_pictures_or_with_a_folder_in_the_way_says_what_to_do(
    tmp_path, digits_model, capsys
):
    path = model.save(tmp_path / "model.safetensors", digits_model)
    sheet(TEST_IMAGES[0]).save(tmp_path / "good.png")
    nothing = "error: files: name at least one picture or table after the model\n"
    assert command(capsys, "predict", path) == (2, "", nothing)
    status, _, err = command(capsys, "predict", path, tmp_path / "good.png", "--out", path)
    assert status == 2 and err.startswith("error: out: must be a folder")
