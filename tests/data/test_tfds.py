"""Image sets of tensorflow-datasets: prepared once, read again, and every way in which that can fail."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from experiments import mnist
from jaxmlp.data import sources
from jaxmlp.data import tfds as data_tfds
from jaxmlp.data.parts import _is_mapped
from jaxmlp.models import model
from jaxmlp.types import InputError
from tests.support.commands import run

MNIST_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    everything = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=everything, capture_output=True, text=True, check=False)


def needs_tensorflow_datasets() -> ModuleType:
    return pytest.importorskip("tensorflow_datasets", reason="needs pip install -e '.[tfds]'")


# A small set of our own, known to tensorflow-datasets


@pytest.fixture(scope="session")
def tiny_image_sets():
    """Six colour images called train only, and three of grey in both parts; every image holds its label."""
    tfds = needs_tensorflow_datasets()

    class TinySet(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = tuple(
            tfds.core.BuilderConfig(name=name) for name in ("colour", "grey", "varied", "trainless")
        )

        def _info(self):
            side = None if self.builder_config.name == "varied" else 2
            channels = 1 if self.builder_config.name == "grey" else 3
            features = {
                "image": tfds.features.Image(shape=(side, side, channels)),
                "label": tfds.features.ClassLabel(names=["low", "high"]),
                "note": tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            if self.builder_config.name == "grey":
                return {"train": self._generate_examples(20), "test": self._generate_examples(4)}
            return {
                "test" if self.builder_config.name == "trainless" else "train": self._generate_examples(30)
            }

        def _generate_examples(self, num_examples):
            for i in range(num_examples):
                image = np.full(self.info.features["image"].shape, 200 * (i % 2), np.uint8)
                yield i, {"image": image, "label": i % 2, "note": "x"}

    return TinySet


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXMLP_MANUAL_DIR", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize(("config", "shape", "num_test"), [("colour", (2, 2, 3), 6), ("grey", (2, 2), 4)])
def test_image_set_is_prepared_once_and_read_again(tiny_image_sets, cache, capfd, config, shape, num_test):
    name = f"tiny_set/{config}"
    splits, again = sources.load_dataset(name), sources.load_dataset(name)
    assert capfd.readouterr() == ("", f"preparing {name} (once)...\n")
    assert splits.train.inputs.shape[1:] == shape
    assert len(splits.test.inputs) == num_test
    assert splits.class_names == ("low", "high")
    for part, same in zip(splits[:3], again[:3], strict=True):
        assert part.inputs.dtype == np.uint8 and _is_mapped(part.inputs)
        np.testing.assert_array_equal(part.inputs.reshape(len(part.inputs), -1)[:, 0], 200 * part.targets)
        np.testing.assert_array_equal(part.inputs, same.inputs)
    assert len(list(cache.iterdir())) == 1


def test_images_decoded_some_at_a_time_are_all_there(tiny_image_sets, cache, monkeypatch):
    monkeypatch.setattr(data_tfds, "_BATCH_SIZE", 7)
    splits = sources.load_dataset("tiny_set/colour")
    assert sum(len(part.inputs) for part in splits[:3]) == 30
    for part in splits[:3]:
        np.testing.assert_array_equal(part.inputs[:, 1, 1, 2], 200 * part.targets)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no meta", "no array", "not a folder"])
def test_damaged_cache_is_replaced(tiny_image_sets, cache, capfd, damage):
    whole = sources.load_dataset("tiny_set/grey")
    (entry,) = cache.iterdir()
    array = entry / "inputs.npy"
    if damage == "truncated":
        array.write_bytes(array.read_bytes()[:-7])
    elif damage == "flipped":
        array.write_bytes(array.read_bytes()[:-1] + b"\x01")
    elif damage == "not a folder":
        shutil.rmtree(entry)
        entry.write_text("")
    else:
        (entry / "meta.json" if damage == "no meta" else array).unlink()
    np.testing.assert_array_equal(sources.load_dataset("tiny_set/grey").train.inputs, whole.train.inputs)
    assert "is damaged and will be replaced" in capfd.readouterr().err
    assert sources.load_dataset("tiny_set/grey").name == "tiny_set/grey"
    assert [path.name for path in cache.iterdir()] == [entry.name]


def test_of_two_preparing_at_once_the_second_keeps_the_firsts_entry(tiny_image_sets, cache, monkeypatch):
    prepare, entries = data_tfds.prepare, []

    def prepare_after_another(*arguments):
        monkeypatch.setattr(data_tfds, "prepare", prepare)
        sources.load_dataset("tiny_set/grey")
        entries.extend((path.name, path.stat().st_ino) for path in cache.glob("tiny*"))
        return prepare(*arguments)

    monkeypatch.setattr(data_tfds, "prepare", prepare_after_another)
    assert len(sources.load_dataset("tiny_set/grey").test.inputs) == 4
    assert [(path.name, path.stat().st_ino) for path in cache.iterdir()] == entries


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tiny_sat", "unknown name 'tiny_sat'; did you mean 'tiny_set'"),
        ("digit", "did you mean 'digits'"),
        ("qqqqqqqq", "unknown name 'qqqqqqqq'; see https://"),
        ("../secrets", "unknown name"),
        ("tiny_set/blue", "'tiny_set/blue' cannot be used: .*blue"),
        ("tiny_set/varied", r"images must have one size.*\(None, None, 3\)"),
        ("tiny_set/trainless", "no train part, only test"),
        ("titanic", "'titanic' is not image classification"),
    ],
)
def test_unusable_names_leave_no_trace(tiny_image_sets, cache, name, says):
    with pytest.raises(InputError, match=f"^dataset: .*{says}") as error:
        sources.load_dataset(name)
    assert str(cache) not in one_line(error)
    assert list(cache.iterdir()) == []


def test_unwritable_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"cannot keep 'mnist' in .*set JAXMLP_CACHE_DIR") as error:
        sources.load_dataset("mnist")
    one_line(error)


WITHOUT = """
import sys
from jaxmlp import types
from jaxmlp.data import sources
for module in ("tensorflow_datasets", "tensorflow"):
    sys.modules[module] = None
    for name in sys.argv[1:]:
        try:
            sources.load_dataset(name)
        except types.InputError as error:
            print(error)
    del sys.modules[module]
"""
NEAREST = {
    "wines": "wine",
    "digit": "digits",
    "Mnits": "mnist",
    "cifr10": "cifar10",
    "emnits/mnist": "emnist",
}


def test_without_the_extra_the_nearest_name_is_suggested_and_the_extra_named(tmp_path):
    names = [*NEAREST, "mnist", "qqqqqqqq"]
    done = run_python(WITHOUT, *names, JAXMLP_CACHE_DIR=str(tmp_path))
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(names), done.stderr
    assert all(
        "; others need tensorflow-datasets and TensorFlow: pip install 'jaxmlp[tfds]'" in line
        for line in lines
    )
    for name, line in zip(names * 2, lines, strict=True):
        suggested = re.findall(r"did you mean '(\w+)'\?", line)
        assert repr(name) in line and suggested == ([NEAREST[name]] if name in NEAREST else [])
    assert list(tmp_path.iterdir()) == []


# Files downloaded beforehand


def test_no_files_and_no_network(cache, monkeypatch):
    needs_tensorflow_datasets()
    monkeypatch.setattr(data_tfds, "_reachable", lambda url: False)
    with pytest.raises(
        InputError, match=r"no connection.*train-images-idx3-ubyte\.gz.*--manual-dir"
    ) as error:
        sources.load_dataset("mnist")
    one_line(error)
    assert list(cache.iterdir()) == []


def test_manual_dir_must_exist(cache):
    needs_tensorflow_datasets()
    with pytest.raises(InputError, match="manual_dir: must be an existing folder, got '/no/such'"):
        sources.load_dataset("mnist", manual_dir="/no/such")
    assert list(cache.iterdir()) == []


@pytest.fixture(scope="session")
def mnist_files():
    needs_tensorflow_datasets()
    folder = os.environ.get("JAXMLP_MANUAL_DIR")
    if not folder or not Path(folder, "train-images-idx3-ubyte.gz").exists():
        pytest.skip("needs the four MNIST files in the folder JAXMLP_MANUAL_DIR")
    return Path(folder)


@pytest.fixture(scope="session")
def mnist_cache(mnist_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist-cache")
    done = run_python(
        "from jaxmlp.data import sources; sources.load_dataset('mnist')",
        JAXMLP_CACHE_DIR=str(folder),
        JAXMLP_MANUAL_DIR=str(mnist_files),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "preparing mnist (once)...\n")
    return folder


@pytest.mark.long
def test_mnist_is_what_is_known_of_it(mnist_cache, monkeypatch):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(mnist_cache))
    splits = sources.load_dataset("mnist")
    assert splits.train.inputs.shape == (54_000, 28, 28)
    assert splits.test.inputs.shape == (10_000, 28, 28)
    assert splits.train.inputs.dtype == splits.test.inputs.dtype == np.uint8
    assert splits.class_names == tuple("0123456789")
    both = np.concatenate([splits.train.targets, splits.validation.targets])
    np.testing.assert_array_equal(np.bincount(both), MNIST_TRAIN_COUNTS)
    np.testing.assert_array_equal(np.bincount(splits.test.targets), MNIST_TEST_COUNTS)
    # The mean and deviation with which everybody standardises MNIST, of all 60,000 training images.
    images = np.concatenate([splits.train.inputs, splits.validation.inputs]) / 255
    assert images.mean() == pytest.approx(0.1307, abs=1e-4)
    assert images.std() == pytest.approx(0.3081, abs=1e-4)


@pytest.mark.long
def test_second_load_imports_no_tensorflow(mnist_cache):
    code = """
import sys
from jaxmlp.data import sources
assert len(sources.load_dataset("mnist").test.inputs) == 10_000
print([name for name in ("tensorflow", "tensorflow_datasets") if name in sys.modules])
"""
    done = run_python(code, JAXMLP_CACHE_DIR=str(mnist_cache), JAXMLP_MANUAL_DIR="")
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.long
def test_the_experiment_reads_it_by_its_name(mnist_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(mnist_cache))
    run(mnist, "--smoke", "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["metrics"]["test_accuracy"]["mean"] > 0.3
    assert model.load(tmp_path / "model.safetensors").spec.input_shape == (28, 28)


def test_a_file_of_another_set_is_refused(mnist_files, cache):
    with pytest.raises(InputError, match="is not the one registered for 'fashion_mnist'") as error:
        sources.load_dataset("fashion_mnist", manual_dir=mnist_files)
    one_line(error)
    assert list(cache.iterdir()) == []


def test_a_corrupt_file_is_refused_by_name(mnist_files, cache, tmp_path, capfd):
    for file in mnist_files.glob("*.gz"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    images = bytearray((tmp_path / "train-images-idx3-ubyte.gz").read_bytes())
    images[5_000_000] ^= 1
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(images)
    with pytest.raises(
        InputError, match=r"dataset: train-images-idx3-ubyte\.gz from .* may be corrupt"
    ) as error:
        sources.load_dataset("mnist", manual_dir=tmp_path)
    one_line(error)
    assert list(cache.iterdir()) == []
    assert capfd.readouterr() == ("", "preparing mnist (once)...\n")
