"""Data sets: known facts of known sets, laws of a split, and every guard."""

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from jaxmlp.data import class_weights, sources
from jaxmlp.data.parts import _is_mapped
from jaxmlp.data.splits import first_examples, from_arrays, join_parts, layer_sizes, standardize
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.types import Dataset, InputError

LABELS = np.repeat([0, 1, 2], 20)
TABLE = np.arange(120.0).reshape(60, 2)


def rows(dataset: Dataset) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(dataset.inputs)}


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    st.lists(st.integers(2, 6), min_size=30, max_size=80),
    st.sampled_from([0.05, 0.1, 0.2, 1 / 3, 0.5]),
    st.integers(0, 99),
)
def test_of_more_classes_than_rows_of_a_part_each_is_learnt_and_none_loses_more_than_its_share(
    counts, fraction, seed
):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    options = {"validation_fraction": 0.0, "test_fraction": fraction, "split_seed": seed}
    splits = from_arrays(np.arange(2.0 * len(labels)).reshape(-1, 2), labels, **options)
    cut = np.bincount(splits.test.targets, minlength=len(counts))
    assert len(rows(splits.train) | rows(splits.test)) == len(labels) and len(splits.class_names) == len(
        counts
    )
    assert cut.sum() == np.ceil(fraction * len(labels))
    # The stratified cut of scikit-learn, where there is room for each class, comes as near.
    assert (np.abs(cut - cut.sum() * np.array(counts) / len(labels)) < 1 + 1e-9).all()
    assert (np.bincount(splits.train.targets) > 0).all()


def test_seventy_classes_of_three_hundred_rows_are_split_and_it_is_said(capsys):
    labels = np.random.default_rng(0).permutation(np.arange(300) % 70)
    splits = from_arrays(np.random.default_rng(1).normal(size=(300, 3)), labels)
    assert [len(part.inputs) for part in splits[:3]] == [216, 24, 60]
    assert capsys.readouterr().err == (
        "warning: test_fraction: 60 of 300 examples are too few for each of 70 classes\n"
        "warning: validation_fraction: 24 of 240 examples are too few for each of 70 classes\n"
    )


def test_columns_that_differ_too_little_are_said(capsys):
    for table, which in ((TABLE * [1, 1e-305], "1 of 2"), (TABLE[:, 1:] * 1e-305, "1 of 1")):
        from_arrays(table, LABELS)
        says = f"warning: inputs: {which} columns differ by less than 1e-300, too little to learn from: "
        assert capsys.readouterr().err == f"{says}{len(table[0]) - 1}\n"


@pytest.mark.parametrize("scale", [1e-300, 1e-45, 1e-40, 0.0])
def test_images_without_differences_are_refused(scale):
    with pytest.raises(InputError, match=r"^inputs: images differ by .* at most, too little to learn from$"):
        from_arrays(scale * TABLE.reshape(60, 2, 1), LABELS)


# What scikit-learn ships


def test_digits_are_scikit_learns_images():
    splits = sources.load_dataset("digits")
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
    splits = sources.load_dataset(name)
    assert splits.task == task
    assert sum(len(part.inputs) for part in splits[:3]) == shape[0]
    assert splits.train.inputs.shape[1:] == shape[1:]
    assert splits.train.inputs.dtype == np.float64
    assert len(splits.class_names) == num_classes


def test_diabetes_columns_are_raw_not_scaled_with_the_test_part():
    ages = np.concatenate([part.inputs[:, 0] for part in sources.load_dataset("diabetes")[:3]])
    assert (ages.min(), ages.max()) == (19, 79)


# The split


def test_parts_are_disjoint_complete_and_sized_as_asked():
    splits = from_arrays(TABLE, LABELS, test_fraction=0.25, validation_fraction=0.2)
    assert [len(part.inputs) for part in splits[:3]] == [36, 9, 15]
    assert len(set.union(*(rows(part) for part in splits[:3]))) == 60
    for part in splits[:3]:
        np.testing.assert_array_equal(part.targets, part.inputs[:, 0] // 40)


def test_split_is_stratified_to_within_one_example():
    splits = sources.load_dataset("digits")
    totals = np.bincount(sklearn.datasets.load_digits().target)
    for part, fraction in zip(splits[:3], (0.8 * 0.9, 0.8 * 0.1, 0.2), strict=True):
        # A second cut rounds what the first has rounded: one example each.
        assert np.abs(np.bincount(part.targets) - fraction * totals).max() < 2
    given = from_arrays(TABLE, LABELS, test=(TABLE, LABELS), validation_fraction=0.3)
    np.testing.assert_array_equal(np.bincount(given.validation.targets), [6, 6, 6])


def test_split_follows_the_seed():
    first, again, other = (sources.load_dataset("iris", split_seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first[:3], again[:3], strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
    assert rows(first.test) != rows(other.test)
    assert rows(first.validation) != rows(other.validation)
    assert other.split_seed == 2


def test_given_test_part_is_kept_as_it_is():
    splits = from_arrays(TABLE, LABELS, test=(TABLE[::-1], LABELS[::-1]))
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
        (LABELS, {"class_names": (30, 0.5, "c")}, "multiclass", (30, 0.5, "c")),
        (LABELS, {"task": "regression"}, "regression", ()),
        (LABELS > 0, {"task": "multiclass"}, "multiclass", ("0", "1")),
    ],
)
def test_task_and_names_follow_the_stated_rule(targets, options, task, names):
    splits = from_arrays(TABLE, targets, **options)
    assert (splits.task, splits.class_names) == (task, names)
    assert splits.train.targets.dtype == (np.float64 if task == "regression" else np.int32)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool, np.float64])
def test_inputs_become_floats_except_uint8(dtype):
    assert from_arrays(TABLE.astype(dtype), LABELS).train.inputs.dtype == np.float64
    assert from_arrays(TABLE.astype(np.uint8), LABELS).train.inputs.dtype == np.uint8
    # What came in single precision has no more to lose.
    assert from_arrays(TABLE.astype(np.float16), LABELS).train.inputs.dtype == np.float32
    assert from_arrays(TABLE.reshape(60, 2, 1), LABELS).train.inputs.dtype == np.float32


# Guards


def altered(array, row, value):
    array = np.array(array, float)
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("inputs", "targets", "options", "says"),
    [
        ([], [], {}, r"targets: must hold at least one example and value, got shape \(0,\)"),
        (
            np.zeros((0, 2)),
            LABELS,
            {},
            r"inputs: must hold at least one example and value, got shape \(0, 2\)",
        ),
        (TABLE[:, 0], LABELS, {}, r"inputs: need an axis of values .*\(60,\)"),
        (TABLE[:50], LABELS, {}, "targets: must be as many as inputs, got 60 for 50"),
        (
            altered(TABLE, [3, 7], np.nan),
            LABELS,
            {},
            "inputs: .*infinity in 2 of 60 rows, the first is row 3",
        ),
        (altered(TABLE, 5, 1e300), LABELS, {}, r"inputs: must be finite numbers of at most 1e\+37, .*row 5"),
        (TABLE, altered(LABELS, 9, np.inf), {}, "^targets: .*in 1 of 60 rows, the first is row 9"),
        (TABLE, altered(LABELS, 9, np.nan), {"class_names": "abc"}, "^targets: must be finite"),
        (TABLE, altered(LABELS, 9, 1.5), {"task": "multiclass"}, "whole numbers, got 1.5 in row 9"),
        (TABLE, np.zeros(60, int), {}, "at least two classes must occur, got only label 0"),
        (TABLE, LABELS + 1, {}, "0 never occurs and 3 does"),
        (TABLE, LABELS * 2, {}, "1 never occurs and 4 does"),
        (TABLE, LABELS - 1, {}, "labels must be 0…2, got -1 in row 0"),
        (TABLE, LABELS, {"class_names": "ab"}, "labels must be 0…1, got 2 in row 40"),
        (
            TABLE,
            LABELS,
            {"class_names": (1, "1", 2)},
            "must differ as they are written, got '1'",
        ),
        (TABLE, LABELS, {"task": "binary"}, "'binary' has two classes, got 3"),
        (TABLE, LABELS, {"task": "clasification"}, "task: unknown name 'clasification'"),
        (TABLE, TABLE[:, 0], {"task": "regression", "class_names": "ab"}, "class_names: must be empty"),
        (TABLE, np.eye(3, dtype=int)[LABELS], {}, "task: cannot be inferred"),
        (TABLE, LABELS[:, None], {}, r"of shape \(60, 1\); pass labels as one row, with ravel\(\)"),
        (TABLE, LABELS[:, None], {"task": "multiclass"}, r"got shape \(60, 1\); pass ravel\(\)"),
        (TABLE, np.eye(3)[LABELS], {"task": "multiclass"}, r"one label per example, got shape \(60, 3\)"),
        (TABLE.astype(str), LABELS, {}, "inputs: must be an array of real numbers, got dtype <U"),
        (TABLE, [None] * 60, {}, "targets: must be an array of real numbers, got dtype object"),
        ([[1.0], [1.0, 2.0]], [0, 1], {}, "inputs: rows must have one shape"),
        (np.zeros((60, 0)), LABELS, {}, r"inputs: must hold at least one example and value, got .*\(60, 0\)"),
        (
            altered(TABLE, 5, -np.inf),
            LABELS,
            {},
            r"inputs: must be finite numbers of at most 1e\+37, got NaN or infinity",
        ),
        (altered(TABLE, 5, 1e38), LABELS, {}, "inputs: .* got numbers near the largest .* row 5"),
        (TABLE + 1j, LABELS, {}, "inputs: must be an array of real numbers, got dtype complex128"),
        (TABLE, LABELS.astype(object), {}, "targets: must be an array of real numbers, got dtype object"),
        (TABLE, LABELS.astype(bytes), {}, "targets: must be an array of real numbers, got dtype [|]S"),
        (TABLE, LABELS + 2**32, {}, "targets: labels must be 0…k-1, but 0 never occurs"),
        (TABLE, LABELS + 2**32, {"class_names": "abc"}, "labels must be 0…2, got 4294967296 in row 0"),
        (np.ma.masked_less(TABLE, 0.5), LABELS, {}, "inputs: must have no masked values"),
        (TABLE, LABELS, {"test": (TABLE[:, :1], LABELS)}, r"test inputs: .*float64\(2,\).*float64\(1,\)"),
        (TABLE, LABELS, {"test": (TABLE, LABELS + 1)}, "test targets: labels must be 0…2, got 3 in row 40"),
        (TABLE, LABELS, {"validation_fraction": -0.1}, "validation_fraction: must be at least 0 .* got -0.1"),
        (TABLE, LABELS, {"test_fraction": 1.0}, "test_fraction: .*below 1, got 1.0"),
        (TABLE, LABELS, {"split_seed": -1}, "split_seed: must be a whole number of at least 0"),
        (TABLE, altered(LABELS, 0, 3).astype(int), {}, "targets: class '3' has a single example"),
        (TABLE, LABELS, {"validation_fraction": 0.02}, "validation_fraction: cannot cut 0.02 off 48"),
        (
            TABLE[:1],
            [0.5],
            {},
            "test_fraction: cannot cut 0.2 off 1 examples; take another share, 0 for none",
        ),
        (TABLE, np.full(len(TABLE), 2.5), {}, "targets: must differ, got only 2.5; nothing to learn"),
        (TABLE, np.full((len(TABLE), 2), 2.5), {}, "targets: must differ, got only 2.5"),
    ],
)
def test_guards_name_the_argument_and_the_value(inputs, targets, options, says):
    with pytest.raises(InputError, match=says) as error:
        from_arrays(inputs, targets, **options)
    one_line(error)


@pytest.mark.usefixtures("no_runtime_types")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"inputs": csr_matrix(TABLE)}, r"inputs: must be dense, got a sparse matrix; pass its toarray\(\)"),
        ({"class_names": 3}, "class_names: must be of the type Iterable, got 3"),
        ({"test": (TABLE,)}, r"test: must be a tuple \(inputs, targets\), got one of 1"),
        (
            {"validation": [TABLE[:9], LABELS[:9]]},
            r"validation: must be a tuple \(inputs, targets\), rows, or .*",
        ),
    ],
)
def test_what_is_of_another_type_is_refused(options, says):
    with pytest.raises(InputError, match=f"^{says}$") as error:
        from_arrays(**{"inputs": TABLE, "targets": LABELS} | options)
    one_line(error)


@pytest.mark.usefixtures("no_runtime_types")
def test_a_data_set_is_called_by_a_name():
    with pytest.raises(InputError, match=r"^name: must be of the type str, got \['iris'\]$"):
        sources.load_dataset(["iris"])


@pytest.mark.parametrize(
    "same",
    [
        np.asfortranarray,
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.float16).astype(np.float16),
        lambda x: np.ma.masked_array(x, False),
        lambda x: x[::-1][::-1],
        lambda x: x.tolist(),
    ],
    ids=["fortran", "big-endian", "float16", "nothing masked", "strided", "lists"],
)
def test_numbers_are_numbers_however_they_lie_in_memory(same):
    table = np.round(TABLE * 8) / 8
    found, expected = (from_arrays(x, LABELS).train.inputs for x in (same(table), table))
    assert found.dtype.kind == "f" and found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


def test_bytes_of_a_mapped_file_are_split_into_mapped_files_that_go_with_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (2500, 3, 2), dtype=np.uint8)
    labels = np.arange(2500) % 3
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    found, expected = (from_arrays(one, labels) for one in (mapped, images))
    for part, same in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(part.inputs, same.inputs)
        np.testing.assert_array_equal(part.targets, same.targets)
        assert _is_mapped(part.inputs) and not _is_mapped(same.inputs)
    assert list((tmp_path / "cache").iterdir()) == []
    # What is written to a part changes no file of its owner.
    found.train.inputs[:] = 0
    np.testing.assert_array_equal(mapped, images)


def test_a_part_that_cannot_be_kept_says_where(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path / "file"))
    np.save(tmp_path / "images.npy", np.zeros((60, 2, 2), np.uint8))
    with pytest.raises(InputError, match=r"cannot be kept in .*file: .*set JAXMLP_CACHE_DIR") as error:
        from_arrays(np.load(tmp_path / "images.npy", mmap_mode="r"), LABELS)
    one_line(error)


def test_arrays_that_are_read_only_stay_as_they_are():
    table = TABLE.copy()
    table.setflags(write=False)
    standardize(from_arrays(table, LABELS))


@pytest.mark.parametrize("column", [0.0, 3.0, 1e-310])
def test_a_column_that_tells_nothing_is_left_out(column):
    table = TABLE.copy()
    table[:, 0] = column * np.linspace(0, 1, len(table)) if column == 1e-310 else column
    splits = from_arrays(table, LABELS)
    scaled = fit_affine(splits.train.inputs)
    assert scaled.scale[0] == np.inf
    assert (standardize(splits).train.inputs[:, 0] == 0).all()
    assert np.isfinite(standardize(splits).train.inputs).all()


# Class weights


def labelled(labels) -> Dataset:
    return Dataset(np.zeros((len(labels), 1)), np.array(labels, np.int32))


def weighed(train, class_weight):
    return class_weights.weigh_parts(train, train, class_weight)[0]


def test_balanced_weights_by_hand():
    # Four examples, classes of 3 and 1: 4 / (2·3) = 2/3 and 4 / (2·1) = 2.
    weights = weighed(labelled([0, 0, 1, 0]), "balanced").weights
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2, 2 / 3], rtol=1e-6)
    assert weights.dtype == np.float32


def test_balanced_weights_leave_out_rows_without_weight():
    # The third label 0 is not there, and the last one is there twice: classes of 2 and 2, and one of none.
    rows = labelled([0, 0, 0, 1, 2])._replace(weights=np.array([1.0, 1.0, 0.0, 2.0, 0.0]))
    factors = class_weights.class_factors(rows.targets, "balanced", rows.weights)
    np.testing.assert_allclose(factors, [1.0, 1.0, 1.0])
    splits = from_arrays(
        np.arange(8.0)[:, None],
        [0, 0, 0, 0, 0, 1, 1, 1],
        class_weight="balanced",
        test_fraction=0.0,
        validation_fraction=0.0,
        sample_weight=[1, 1, 0, 0, 0, 1, 1, 4],
    )
    # 8 in all: 8 / (2 · 2) and 8 / (2 · 6).
    np.testing.assert_allclose(splits.class_weights, [2.0, 2 / 3])


def test_a_value_of_several_that_never_changes_is_said(capsys):
    from_arrays(TABLE, np.column_stack([TABLE[:, 0], np.ones(len(TABLE))]))
    assert (
        capsys.readouterr().err == "warning: targets: 1 of 2 values never change; nothing is learnt of them\n"
    )


def test_rows_are_called_as_they_came():
    inputs = np.arange(60.0)[:, None]
    splits = from_arrays(inputs, np.arange(60.0))
    for part in (splits, first_examples(splits, 4)):
        known = np.concatenate([part.train.inputs, part.validation.inputs])
        np.testing.assert_array_equal(part.rows, known[:, 0])
    # A part of its own counts for itself.
    own = from_arrays(inputs, np.arange(60.0), validation=(inputs[:7], np.arange(7.0)), test_fraction=0.5)
    np.testing.assert_array_equal(own.rows, [*own.train.inputs[:, 0], *range(7)])


def test_given_weights_have_mean_one():
    # 1, 1, 3 have the mean 5/3.
    weights = weighed(labelled([0, 0, 1]), {0: 1.0, 1: 3.0}).weights
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
        weighed(labelled([0, 1, 1]), class_weight)
    one_line(error)


@pytest.mark.parametrize(
    ("given", "by_label", "says"),
    [
        ({"yes": 2, "no": 1}, {0: 1, 1: 2}, ""),
        ({"yes": 5}, {0: 1, 1: 5}, "class_weight: says nothing of 'no', which counts 1"),
        (
            {"yes": 2, "no": 3, "Yes": 9},
            {0: 3, 1: 2},
            "class_weight: weighs 'Yes', which does not occur; classes are 'no', 'yes'",
        ),
    ],
)
def test_what_weights_by_class_lack_or_add_is_said(capsys, given, by_label, says):
    assert class_weights.weights_by_label(given, ["no", "yes"]) == by_label
    assert capsys.readouterr().err == (f"warning: {says}\n" if says else "")


def test_weights_of_no_class_are_refused():
    with pytest.raises(InputError, match="class_weight: must weigh classes, 'no', 'yes', got 'Yes', 'No'"):
        class_weights.weights_by_label({"Yes": 2, "No": 1}, ["no", "yes"])


def test_class_weights_refuse_regression():
    with pytest.raises(InputError, match="needs class labels"):
        weighed(Dataset(TABLE, TABLE[:, 0]), "balanced")


def test_the_head_of_the_splits_is_their_first_examples_with_their_weights():
    splits = sources.load_dataset("iris")
    splits = splits._replace(train=weighed(splits.train, "balanced"))
    short = first_examples(splits, 20)
    assert [len(part.inputs) for part in (short.train, short.validation, short.test)] == [20, 12, 20]
    for name in ("inputs", "targets", "weights"):
        np.testing.assert_array_equal(getattr(short.train, name), getattr(splits.train, name)[:20])
    assert short.task == splits.task and short.class_names == splits.class_names


@pytest.mark.parametrize(
    ("name", "sizes"), [("digits", (64, 5, 10)), ("breast_cancer", (30, 5, 1)), ("linnerud", (3, 5, 3))]
)
def test_layer_sizes_follow_from_the_data(name, sizes):
    assert layer_sizes(sources.load_dataset(name), (5,)) == sizes


@pytest.mark.parametrize("name", ["digits", "wine", "diabetes"])
def test_scaled_rows_follow_the_training_part(name):
    raw, rows = sources.load_dataset(name), standardize(sources.load_dataset(name))
    inputs = raw.train.inputs.reshape(len(raw.train.inputs), -1).astype(float)
    if name == "digits":
        shift, scale = inputs.min(), np.ptp(inputs)
    else:
        shift, scale = inputs.mean(axis=0), inputs.std(axis=0)
    expected = (raw.test.inputs.reshape(len(raw.test.inputs), -1) - shift) / scale
    np.testing.assert_allclose(rows.test.inputs, expected, atol=1e-5)
    targets = raw.validation.targets
    if name == "diabetes":
        targets = (targets - raw.train.targets.mean()) / raw.train.targets.std()
    np.testing.assert_allclose(rows.validation.targets, targets, atol=1e-5)
    assert rows.validation.targets.dtype == (np.float32 if name == "diabetes" else np.int32)


# Parts of one's own


def test_parts_may_be_rows_or_other_examples():
    test, validation = np.arange(0, 60, 6), np.isin(np.arange(60), [1, 25, 50])
    splits = from_arrays(TABLE, LABELS, test=test, validation=validation)
    np.testing.assert_array_equal(splits.test.inputs, TABLE[test])
    np.testing.assert_array_equal(splits.validation.targets, LABELS[validation])
    assert rows(splits.train) == rows(Dataset(np.delete(TABLE, [*test, 1, 25, 50], axis=0), ()))
    own = from_arrays(TABLE, LABELS, test=(TABLE[:4] + 1, LABELS[:4]), validation=(TABLE[:2], LABELS[:2]))
    assert [len(part.inputs) for part in own[:3]] == [60, 2, 4]
    np.testing.assert_array_equal(own.test.inputs, TABLE[:4] + 1)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"test": [0, 60]}, "test: must name rows from 0 to 59, each once, and none of another part"),
        ({"test": [-1]}, "test: must name rows from 0 to 59"),
        ({"test": [3, 3]}, "test: must name rows from 0 to 59, each once"),
        ({"test": [3, 4], "validation": [4, 5]}, "validation: must name rows .* none of another part"),
        ({"test": []}, "test: must be a tuple .*, rows, or a mask of the 60 rows, got float64 .*\\(0,\\)"),
        ({"test": np.ones(59, bool)}, "test: must be a tuple .* got bool values of shape \\(59,\\)"),
        ({"validation": [0.5]}, "validation: must be a tuple .* got float64 values of shape \\(1,\\)"),
        ({"test": range(20)}, "test: taking 20 of 60 examples leaves no example of class '0'; take fewer"),
        ({"validation": (TABLE[:, :1], LABELS)}, r"validation inputs: .*float64\(2,\).*float64\(1,\)"),
    ],
)
def test_rows_that_are_no_part_are_refused(parts, says):
    with pytest.raises(InputError, match=f"^{says}") as error:
        from_arrays(TABLE, LABELS, **parts)
    one_line(error)


def test_weights_go_with_their_rows_and_have_a_mean_of_one():
    weights = np.arange(60.0)
    train = from_arrays(TABLE, LABELS, sample_weight=weights).train
    numbers = train.inputs[:, 0] / 2
    np.testing.assert_allclose(train.weights, numbers / numbers.mean(), rtol=1e-6)
    balanced = weighed(train, {0: 1.0, 1: 2.0, 2: 0.0}).weights
    expected = train.weights * np.array([1.0, 2.0, 0.0])[train.targets]
    np.testing.assert_allclose(balanced, expected / expected.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.ones(59), "must be one number for each of the 60 examples, got shape \\(59,\\)"),
        (np.full(60, -1.0), "must be at least 0, got -1.0"),
        (np.zeros(60), "at least one must be above 0, got only zeros"),
        (np.full(60, np.nan), "must be finite"),
        (["a"] * 60, "must be an array of real numbers"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(weights, says):
    with pytest.raises(InputError, match=f"^sample_weight: {says}"):
        from_arrays(TABLE, LABELS, sample_weight=weights)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_refused_in_whatever_part_its_row_is(weight):
    for row in range(60):
        with pytest.raises(InputError, match=rf"^sample_weight: must be .*example {row}$"):
            from_arrays(TABLE, LABELS, sample_weight=altered(np.ones(60), row, weight))


def test_columns_that_never_change_are_said_to_be_left_out(capsys):
    from_arrays(np.column_stack([TABLE[:, :2], np.ones(60), np.zeros(60)]), LABELS)
    assert (
        "inputs: 2 of 4 columns never change in training and are left out: 2, 3\n" in capsys.readouterr().err
    )
    from_arrays(TABLE, LABELS)
    assert capsys.readouterr().err == ""


def test_a_class_of_a_single_example_is_learnt_where_nothing_is_measured():
    nothing = {"test_fraction": 0.0, "validation_fraction": 0.0}
    splits = from_arrays(TABLE, altered(LABELS, 0, 3).astype(int), **nothing)
    assert np.bincount(splits.train.targets)[3] == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_class_of_two_examples_is_learnt_also_where_one_of_them_is_tested(seed):
    labels = altered(LABELS, [7, 30, 45, 50], [3, 3, 4, 4]).astype(int)
    splits = from_arrays(TABLE, labels, split_seed=seed, test_fraction=0.4)
    assert [len(part.inputs) for part in splits[:3]] == [32, 4, 24]
    assert (np.bincount(splits.train.targets, minlength=5) > 0).all()
    assert len(rows(splits.train) | rows(splits.validation) | rows(splits.test)) == 60


def test_a_part_of_nothing_is_empty_and_the_rest_is_learnt_from():
    splits = from_arrays(TABLE, LABELS, validation_fraction=0.0, test_fraction=0.0)
    assert [len(part.inputs) for part in splits[:3]] == [len(TABLE), 0, 0]
    assert splits.validation_is_cut


def test_weights_of_both_parts_that_are_learnt_from_keep_their_proportions():
    inputs, weights = np.arange(60.0)[:, None], np.arange(60) + 1.0
    splits = from_arrays(inputs, np.arange(60) % 2, sample_weight=weights)
    unit = splits.train.weights[0] / (splits.train.inputs[0, 0] + 1)
    joined = join_parts(splits)
    assert len(joined.train.inputs) == 48 and not len(joined.validation.inputs)
    for part in (*splits[:2], joined.train):
        np.testing.assert_allclose(part.weights, unit * (part.inputs[:, 0] + 1), rtol=1e-6)
    np.testing.assert_allclose(splits.train.weights.mean(), 1, rtol=1e-6)
    assert splits.test.weights is None


def test_classes_may_count_the_same_in_training_and_never_in_the_test_part():
    labels = np.repeat([0, 1], [160, 40])
    plain = np.linspace(1, 2, 200)
    splits = from_arrays(np.random.default_rng(0).normal(size=(200, 2)), labels, class_weight="balanced")
    totals = [splits.train.weights[splits.train.targets == label].sum() for label in (0, 1)]
    np.testing.assert_allclose(totals[0], totals[1], rtol=0.05)
    assert splits.test.weights is None
    # Of 160 rows, 128 and 32: n / (2 × count).
    np.testing.assert_allclose(splits.class_weights, (160 / 256, 160 / 64))
    own = from_arrays(
        np.ones((200, 1)) * plain[:, None], labels, class_weight={0: 1, 1: 3}, sample_weight=plain
    )
    ratio = own.train.weights / own.train.inputs[:, 0]
    np.testing.assert_allclose(ratio / ratio.min(), np.where(own.train.targets == 1, 3, 1), rtol=1e-5)
    with pytest.raises(InputError, match="class_weight: needs class labels as targets"):
        from_arrays(np.ones((20, 1)) * plain[:20, None], plain[:20], class_weight="balanced")


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (np.arange(30.0) % 2, "if they are classes, pass whole numbers"),
        (np.eye(3)[np.arange(30) % 3], "if they are one-hot, pass argmax(axis=1)"),
        (np.arange(30.0), None),
        (np.arange(30) % 2 / 2, None),
        (np.arange(30) % 2, None),
    ],
)
def test_floats_that_look_like_labels_are_told(capsys, targets, told):
    inputs = np.random.default_rng(0).normal(size=(30, 2))
    from_arrays(inputs, targets)
    assert (f"targets: are floats and taken for real values; {told}" in capsys.readouterr().err) is bool(told)
    from_arrays(inputs, targets.astype(float), task="regression")
    assert "targets" not in capsys.readouterr().err
