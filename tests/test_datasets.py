"""Data sets: known facts of known sets, laws of a split, and every guard."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from jaxmlp import datasets
from jaxmlp.types import Dataset, InputError

MNIST_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

LABELS = np.repeat([0, 1, 2], 20)
TABLE = np.arange(120.0).reshape(60, 2)


def rows(dataset: Dataset) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(dataset.inputs)}


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    everything = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=everything, capture_output=True, text=True, check=False
    )


# What scikit-learn ships


def test_digits_are_scikit_learns_images():
    splits = datasets.load("digits")
    bunch = sklearn.datasets.load_digits()
    images = np.concatenate([part.inputs for part in splits[:3]])
    labels = np.concatenate([part.targets for part in splits[:3]])
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    order, their_order = (
        np.lexsort(np.column_stack([t, x]).T)
        for t, x in ((labels, images.reshape(len(images), 64)), (bunch.target, bunch.data))
    )
    np.testing.assert_array_equal(images[order], bunch.images[their_order])
    np.testing.assert_array_equal(labels[order], bunch.target[their_order])
    assert splits.task == "multiclass"
    assert splits.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "task", "shape", "num_classes"),
    [
        ("iris", "multiclass", (150, 4), 3),
        ("wine", "multiclass", (178, 13), 3),
        ("breast_cancer", "binary", (569, 30), 2),
        ("diabetes", "regression", (442, 10), 0),
        ("linnerud", "regression", (20, 3), 0),
    ],
)
def test_tables_have_their_published_size_and_task(name, task, shape, num_classes):
    splits = datasets.load(name)
    assert splits.task == task
    assert sum(len(part.inputs) for part in splits[:3]) == shape[0]
    assert splits.train.inputs.shape[1:] == shape[1:]
    assert splits.train.inputs.dtype == np.float32
    assert len(splits.class_names) == num_classes


def test_diabetes_columns_are_raw_not_scaled_with_the_test_part():
    ages = np.concatenate([part.inputs[:, 0] for part in datasets.load("diabetes")[:3]])
    assert (ages.min(), ages.max()) == (19, 79)


# The split


def test_parts_are_disjoint_complete_and_sized_as_asked():
    splits = datasets.from_arrays(TABLE, LABELS, test_fraction=0.25, validation_fraction=0.2)
    assert [len(part.inputs) for part in splits[:3]] == [36, 9, 15]
    assert len(set.union(*(rows(part) for part in splits[:3]))) == 60
    for part in splits[:3]:
        np.testing.assert_array_equal(part.targets, part.inputs[:, 0] // 40)


def test_split_is_stratified_to_within_one_example():
    splits = datasets.load("digits")
    totals = np.bincount(sklearn.datasets.load_digits().target)
    for part, fraction in zip(splits[:3], (0.8 * 0.9, 0.8 * 0.1, 0.2), strict=True):
        # A second cut rounds what the first has rounded: one example each.
        assert np.abs(np.bincount(part.targets) - fraction * totals).max() < 2
    given = datasets.from_arrays(TABLE, LABELS, test=(TABLE, LABELS), validation_fraction=0.3)
    np.testing.assert_array_equal(np.bincount(given.validation.targets), [6, 6, 6])


def test_split_follows_the_seed():
    first, again, other = (datasets.load("iris", split_seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first[:3], again[:3], strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
    assert rows(first.test) != rows(other.test)
    assert rows(first.validation) != rows(other.validation)
    assert other.split_seed == 2


def test_given_test_part_is_kept_as_it_is():
    splits = datasets.from_arrays(TABLE, LABELS, test=(TABLE[::-1], LABELS[::-1]))
    np.testing.assert_array_equal(splits.test.inputs, TABLE[::-1])
    assert len(splits.train.inputs) + len(splits.validation.inputs) == 60


# Tasks and dtypes


@pytest.mark.parametrize(
    ("targets", "options", "task", "names"),
    [
        (LABELS, {}, "multiclass", ("0", "1", "2")),
        (LABELS > 0, {}, "binary", ("0", "1")),
        (LABELS.astype(float), {}, "regression", ()),
        (LABELS.astype(float), {"task": "multiclass"}, "multiclass", ("0", "1", "2")),
        (LABELS.astype(float), {"class_names": "abc"}, "multiclass", ("a", "b", "c")),
        (LABELS, {"class_names": "abcd"}, "multiclass", ("a", "b", "c", "d")),
        (LABELS, {"task": "regression"}, "regression", ()),
        (LABELS > 0, {"task": "multiclass"}, "multiclass", ("0", "1")),
    ],
)
def test_task_and_names_follow_the_stated_rule(targets, options, task, names):
    splits = datasets.from_arrays(TABLE, targets, **options)
    assert (splits.task, splits.class_names) == (task, names)
    assert splits.train.targets.dtype == (np.float32 if task == "regression" else np.int32)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool, np.float16, np.float64])
def test_inputs_become_floats_except_uint8(dtype):
    assert datasets.from_arrays(TABLE.astype(dtype), LABELS).train.inputs.dtype == np.float32
    assert datasets.from_arrays(TABLE.astype(np.uint8), LABELS).train.inputs.dtype == np.uint8


# Guards


def altered(array, row, value):
    array = np.array(array, float)
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("inputs", "targets", "options", "says"),
    [
        ([], [], {}, r"targets: must hold at least one example, got shape \(0,\)"),
        (np.zeros((0, 2)), LABELS, {}, r"inputs: must hold at least one example, got shape \(0, 2\)"),
        (TABLE[:, 0], LABELS, {}, r"inputs: need an axis of values .*\(60,\)"),
        (TABLE[:50], LABELS, {}, "targets: must be as many as inputs, got 60 for 50"),
        (
            altered(TABLE, [3, 7], np.nan),
            LABELS,
            {},
            "inputs: .*infinity in 2 of 60 rows, the first is row 3",
        ),
        (altered(TABLE, 5, 1e300), LABELS, {}, "inputs: must be finite as float32, .*row 5"),
        (TABLE, altered(LABELS, 9, np.inf), {}, "^targets: .*in 1 of 60 rows, the first is row 9"),
        (TABLE, altered(LABELS, 9, np.nan), {"class_names": "abc"}, "^targets: must be finite"),
        (TABLE, altered(LABELS, 9, 1.5), {"task": "multiclass"}, "whole numbers, got 1.5 in row 9"),
        (TABLE, np.zeros(60, int), {}, "at least two classes must occur, got only label 0"),
        (TABLE, LABELS + 1, {}, "0 never occurs and 3 does"),
        (TABLE, LABELS * 2, {}, "1 never occurs and 4 does"),
        (TABLE, LABELS - 1, {}, "labels must be 0…2, got -1 in row 0"),
        (TABLE, LABELS, {"class_names": "ab"}, "labels must be 0…1, got 2 in row 40"),
        (TABLE, LABELS, {"task": "binary"}, "'binary' has two classes, got 3"),
        (TABLE, LABELS, {"task": "clasification"}, "task: unknown name 'clasification'"),
        (TABLE, TABLE[:, 0], {"task": "regression", "class_names": "ab"}, "class_names: must be empty"),
        (TABLE, np.eye(3, dtype=int)[LABELS], {}, "task: cannot be inferred"),
        (TABLE, np.eye(3)[LABELS], {"task": "multiclass"}, r"one label per example, got shape \(60, 3\)"),
        (TABLE.astype(str), LABELS, {}, "inputs: must be an array of real numbers, got dtype <U"),
        (TABLE, [None] * 60, {}, "targets: must be an array of real numbers, got dtype object"),
        ([[1.0], [1.0, 2.0]], [0, 1], {}, "inputs: rows must have one shape"),
        (TABLE, LABELS, {"test": (TABLE[:, :1], LABELS)}, r"test inputs: .*float32\(2,\).*float32\(1,\)"),
        (TABLE, LABELS, {"test": (TABLE, LABELS + 1)}, "test targets: labels must be 0…2, got 3 in row 40"),
        (TABLE, LABELS, {"validation_fraction": 0.0}, "validation_fraction: must be .*above 0, got 0"),
        (TABLE, LABELS, {"test_fraction": 1.0}, "test_fraction: .*below 1, got 1.0"),
        (TABLE, LABELS, {"split_seed": -1}, "split_seed: must be a whole number of at least 0"),
        (TABLE, altered(LABELS, 0, 3).astype(int), {}, "test_fraction: cannot cut 0.2 off 60 examples"),
        (TABLE, LABELS, {"validation_fraction": 0.02}, "validation_fraction: cannot cut 0.02 off 48"),
        (TABLE[:1], [0.5], {}, "test_fraction: cannot cut 0.2 off 1 examples"),
    ],
)
def test_guards_name_the_argument_and_the_value(inputs, targets, options, says):
    with pytest.raises(InputError, match=says) as error:
        datasets.from_arrays(inputs, targets, **options)
    one_line(error)


# Class weights


def labelled(labels) -> Dataset:
    return Dataset(np.zeros((len(labels), 1)), np.array(labels, np.int32))


def test_balanced_weights_by_hand():
    # Four examples, classes of 3 and 1: 4 / (2·3) = 2/3 and 4 / (2·1) = 2.
    weights = datasets.with_class_weights(labelled([0, 0, 1, 0]), "balanced").weights
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2, 2 / 3], rtol=1e-6)
    assert weights.dtype == np.float32


def test_given_weights_have_mean_one():
    # 1, 1, 3 have the mean 5/3.
    weights = datasets.with_class_weights(labelled([0, 0, 1]), {0: 1.0, 1: 3.0}).weights
    np.testing.assert_allclose(weights, [0.6, 0.6, 1.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("class_weight", "says"),
    [
        ("equal", "must be 'balanced' or"),
        ({0: 1.0}, r"must weigh the labels that occur, \[0, 1\], got \[0\]"),
        ({0: 1.0, 1: 2.0, 5: 1.0}, "got .*5"),
        ({0: 1.0, 1: -2.0}, r"class_weight\[1\]: .*at least 0, got -2.0"),
        ({0: 0.0, 1: 0.0}, "got only zeros"),
    ],
)
def test_class_weight_guards(class_weight, says):
    with pytest.raises(InputError, match=says) as error:
        datasets.with_class_weights(labelled([0, 1, 1]), class_weight)
    one_line(error)


def test_class_weights_refuse_regression():
    with pytest.raises(InputError, match="needs class labels"):
        datasets.with_class_weights(Dataset(TABLE, TABLE[:, 0]), "balanced")


# A small set of our own, known to tensorflow-datasets


@pytest.fixture(scope="session")
def tiny_image_sets():
    """Six colour images called train only, and three of grey in both parts; every image holds its label."""
    tfds = pytest.importorskip("tensorflow_datasets")

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
    splits, again = datasets.load(name), datasets.load(name)
    assert capfd.readouterr() == ("", f"preparing {name} (once)...\n")
    assert splits.train.inputs.shape[1:] == shape
    assert len(splits.test.inputs) == num_test
    assert splits.class_names == ("low", "high")
    for part, same in zip(splits[:3], again[:3], strict=True):
        assert part.inputs.dtype == np.uint8
        np.testing.assert_array_equal(part.inputs.reshape(len(part.inputs), -1)[:, 0], 200 * part.targets)
        np.testing.assert_array_equal(part.inputs, same.inputs)
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no meta", "no array", "not a folder"])
def test_damaged_cache_is_replaced(tiny_image_sets, cache, capfd, damage):
    whole = datasets.load("tiny_set/grey")
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
    np.testing.assert_array_equal(datasets.load("tiny_set/grey").train.inputs, whole.train.inputs)
    assert "is damaged and will be replaced" in capfd.readouterr().err
    assert datasets.load("tiny_set/grey").name == "tiny_set/grey"
    assert [path.name for path in cache.iterdir()] == [entry.name]


def test_of_two_preparing_at_once_the_second_keeps_the_firsts_entry(tiny_image_sets, cache, monkeypatch):
    prepare, entries = datasets._prepare, []

    def prepare_after_another(*arguments):
        monkeypatch.setattr(datasets, "_prepare", prepare)
        datasets.load("tiny_set/grey")
        entries.extend((path.name, path.stat().st_ino) for path in cache.glob("tiny*"))
        return prepare(*arguments)

    monkeypatch.setattr(datasets, "_prepare", prepare_after_another)
    assert len(datasets.load("tiny_set/grey").test.inputs) == 4
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
        datasets.load(name)
    assert str(cache) not in one_line(error)
    assert list(cache.iterdir()) == []


def test_unwritable_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"cannot keep 'mnist' in .*set JAXMLP_CACHE_DIR") as error:
        datasets.load("mnist")
    one_line(error)


def test_missing_extra_says_what_to_install(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    code = """
import sys
from jaxmlp import datasets, types
for module in ("tensorflow_datasets", "tensorflow"):
    sys.modules[module] = None
    try:
        datasets.load("mnist")
    except types.InputError as error:
        print(error)
    del sys.modules[module]
"""
    done = run_python(code, JAXMLP_CACHE_DIR=str(tmp_path))
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all(line.endswith("pip install 'jaxmlp[tfds]'") for line in lines)
    assert list(tmp_path.iterdir()) == []


# Files downloaded beforehand


def test_no_files_and_no_network(cache, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(datasets, "_reachable", lambda url: False)
    with pytest.raises(
        InputError, match=r"no connection.*train-images-idx3-ubyte\.gz.*--manual-dir"
    ) as error:
        datasets.load("mnist")
    one_line(error)
    assert list(cache.iterdir()) == []


def test_manual_dir_must_exist(cache):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(InputError, match="manual_dir: must be an existing folder, got '/no/such'"):
        datasets.load("mnist", manual_dir="/no/such")
    assert list(cache.iterdir()) == []


@pytest.fixture(scope="session")
def mnist_files():
    pytest.importorskip("tensorflow_datasets")
    folder = os.environ.get("JAXMLP_MANUAL_DIR")
    if not folder or not Path(folder, "train-images-idx3-ubyte.gz").exists():
        pytest.skip("set JAXMLP_MANUAL_DIR to a folder with the four MNIST files")
    return Path(folder)


@pytest.fixture(scope="session")
def mnist_cache(mnist_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist-cache")
    done = run_python(
        "from jaxmlp import datasets; datasets.load('mnist')",
        JAXMLP_CACHE_DIR=str(folder),
        JAXMLP_MANUAL_DIR=str(mnist_files),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "preparing mnist (once)...\n")
    return folder


def test_mnist_is_what_is_known_of_it(mnist_cache, monkeypatch):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(mnist_cache))
    splits = datasets.load("mnist")
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


def test_second_load_imports_no_tensorflow(mnist_cache):
    code = """
import sys
from jaxmlp import datasets
assert len(datasets.load("mnist").test.inputs) == 10_000
print([name for name in ("tensorflow", "tensorflow_datasets") if name in sys.modules])
"""
    done = run_python(code, JAXMLP_CACHE_DIR=str(mnist_cache), JAXMLP_MANUAL_DIR="")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_file_of_another_set_is_refused(mnist_files, cache):
    with pytest.raises(InputError, match="is not the one registered for 'fashion_mnist'") as error:
        datasets.load("fashion_mnist", manual_dir=mnist_files)
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
        datasets.load("mnist", manual_dir=tmp_path)
    one_line(error)
    assert list(cache.iterdir()) == []
    assert capfd.readouterr() == ("", "preparing mnist (once)...\n")
