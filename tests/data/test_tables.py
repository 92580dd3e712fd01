"""Tables of one's own: what a file's columns become, and every refusal."""

import bz2
import csv
import gzip
import io
import lzma
import re
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import jaxmlp
from jaxmlp.data import frames, tables, text_files
from jaxmlp.data.columns import MAX_CATEGORIES, CategoryColumn, NumberColumn
from jaxmlp.data.encoding import transform_columns
from jaxmlp.types import InputError

SIZES = [1.0, 2.0, np.nan, 10.0] * 5
MIXED = pd.DataFrame(
    {
        "size": SIZES,
        "count": range(20),
        "colour": ["red", "blue", None, "red"] * 5,
        "new": [True, False] * 10,
        "kind": ["cat", "dog", "cat", "dog"] * 5,
    }
)
MIXED_COLUMNS = (
    NumberColumn("size", 2.0, True),
    NumberColumn("count", 9.5, False),
    CategoryColumn("colour", ("", "blue", "red")),
    CategoryColumn("new", ("False", "True")),
)


def refusal(call, *arguments, **options):
    with pytest.raises(InputError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def learn(frame, **said):
    """The columns that all rows of the frame show."""
    return tables.learn_columns(frame, np.arange(len(frame)), said)[0]


def rows_of(splits):
    """Inputs and targets of all parts together."""
    parts = splits.train, splits.validation, splits.test
    return np.concatenate([part.inputs for part in parts]), np.concatenate([part.targets for part in parts])


def with_target(values):
    return pd.DataFrame({"x": np.arange(len(values)), "y": values})


# What columns become


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_mixed_table_is_read_from_each_kind_of_file(tmp_path, suffix):
    path = tmp_path / f"pets.{suffix}"
    MIXED.to_parquet(path) if suffix == "parquet" else MIXED.to_csv(path, index=False)
    columns = learn(frames.read_frame(path).drop(columns="kind"))
    assert columns == MIXED_COLUMNS
    splits = tables.read_table(path, "kind")
    inputs, labels = rows_of(splits)
    assert (splits.task, splits.class_names) == ("binary", ("cat", "dog"))
    assert splits.name.startswith("pets")
    assert inputs.dtype == np.float64
    assert inputs.shape == (20, 8)
    # The count is the row's number, by which to find its kind.
    np.testing.assert_array_equal(labels, inputs[:, 2].astype(int) % 2)


def test_rows_become_numbers_as_worked_by_hand():
    expected = [
        # size, whether it is missing, count, no colour, blue, red, old, new
        [1, 0, 0, 0, 0, 1, 0, 1],
        [2, 0, 1, 0, 1, 0, 1, 0],
        [2, 1, 2, 1, 0, 0, 0, 1],
        [10, 0, 3, 0, 0, 1, 1, 0],
    ]
    encoded = transform_columns(MIXED, MIXED_COLUMNS)
    np.testing.assert_array_equal(encoded[:4], expected)
    # No row depends on those beside it.
    for row in range(4):
        np.testing.assert_array_equal(
            transform_columns(MIXED[row : row + 1], MIXED_COLUMNS)[0], expected[row]
        )


@pytest.mark.parametrize("validation", [None, range(40)])
def test_medians_categories_and_gaps_are_learnt_from_the_rows_to_learn_from_alone(validation):
    frame = pd.DataFrame({"row": range(100), "y": np.arange(100) % 2})
    options = {} if validation is None else {"validation": list(validation), "test": list(range(80, 100))}
    parts = tables.read_table(frame, "y", **options)[: 2 if validation is None else 1]
    train = np.sort(np.concatenate([part.inputs[:, 0] for part in parts])).astype(int)
    outside = np.setdiff1d(np.arange(100), train)
    frame["x"] = np.where(np.isin(frame["row"], train), frame["row"], 1e6)
    frame["gap"] = np.where(np.isin(frame["row"], train), 1.0 + frame["row"] % 3, np.nan)
    frame["word"] = np.where(
        np.isin(frame["row"], train), np.where(frame["row"] % 2, "odd", "even"), "unseen"
    )
    splits = tables.read_table(frame, "y", **options)
    assert splits.columns[1:] == (
        NumberColumn("x", float(np.median(train)), False),
        NumberColumn("gap", 2.0, False),
        CategoryColumn("word", ("even", "odd")),
    )
    inputs, _ = rows_of(splits)
    elsewhere = np.isin(inputs[:, 0], outside)
    np.testing.assert_array_equal(inputs[elsewhere, 1:], [[1e6, 2.0, 0.0, 0.0]] * len(outside))
    np.testing.assert_array_equal(inputs[~elsewhere, 4], inputs[~elsewhere, 0] % 2)


def test_new_rows_may_be_reordered_wider_unseen_and_written_as_text():
    new = pd.DataFrame(
        {"extra": [1, 2], "new": ["True", "maybe"], "colour": ["green", "blue"], "count": ["7", " 8.5"]}
    )
    before = new.assign(size=[np.inf, 3])
    after = before.copy()
    expected = [[2, 1, 7, 0, 0, 0, 0, 1], [3, 0, 8.5, 0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(transform_columns(after, MIXED_COLUMNS), expected)
    pd.testing.assert_frame_equal(before, after)


def test_one_category_may_be_written_as_text_or_as_a_number():
    (column,) = columns = learn(pd.DataFrame({"c": ["1", "a", None] * 5}))
    assert column.categories == ("", "1", "a")
    encoded = transform_columns(pd.DataFrame({"c": [1.0, np.nan]}), columns)
    np.testing.assert_array_equal(encoded, [[0, 1, 0], [1, 0, 0]])


def test_a_column_keeps_its_most_frequent_categories():
    words = [f"{i:03}" for i in range(100) for _ in range(1 + (i >= 90))]
    (column,) = learn(pd.DataFrame({"c": words}))
    assert len(column.categories) == MAX_CATEGORIES
    assert {f"{i:03}" for i in range(90, 100)} < set(column.categories)
    assert list(column.categories) == sorted(column.categories)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype="int64[pyarrow]"),
        pd.Series([1, None, 3], dtype=object),
        pd.Series([Decimal(1), None, Decimal(3)]),
        pd.Series([1, np.inf, 3]),
    ],
    ids=["nullable", "pyarrow", "object", "decimal", "infinite"],
)
def test_numbers_are_numbers_whatever_holds_them(values):
    frame = pd.DataFrame({"x": values})
    columns = learn(frame)
    assert columns == (NumberColumn("x", 2.0, True),)
    np.testing.assert_array_equal(transform_columns(frame, columns), [[1, 0], [2, 1], [3, 0]])


def test_columns_may_be_called_by_numbers():
    frame = pd.DataFrame(np.arange(40).reshape(20, 2) // [1, 20])
    splits = tables.read_table(frame, "1")
    assert [column.name for column in splits.columns] == ["0"]
    assert splits.class_names == (0, 1)


def test_long_numbers_of_classes_keep_their_last_digit():
    names = [900719925474099301, 900719925474099303]
    splits = tables.read_table(with_target(names * 20), "y")
    assert splits.class_names == tuple(names)


def test_a_few_rows_train_without_further_flags():
    splits = tables.read_table(with_target(["a", "b"] * 4), "y")
    assert len(jaxmlp.fit_mlp(splits, num_epochs=2, progress=False).models) == 1


# Files


def compressed(kind, content):
    if kind == ".zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("pets.csv", content)
        return file.getvalue()
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, "": bytes}[kind](content)


@pytest.mark.parametrize("kind", ["", ".gz", ".bz2", ".xz", ".zip", ".GZ"])
@pytest.mark.parametrize(
    ("separator", "name"), [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
)
def test_a_table_is_read_whatever_separates_it_and_packs_it(tmp_path, capsys, kind, separator, name):
    path = tmp_path / f"PETS.CSV{kind}"
    lines = ['"kind",size,"a note"', *['"cat, or dog; or | one",1.5,x y'] * 3, "dog,2,"]
    rows = [next(csv.reader([line])) for line in lines]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows(rows)
    path.write_bytes(compressed(kind.lower(), text.getvalue().encode()))
    frame = frames.read_frame(path)
    assert list(frame.columns) == ["kind", "size", "a note"]
    assert frame["kind"].tolist() == ["cat, or dog; or | one"] * 3 + ["dog"]
    assert frame["size"].tolist() == ["1.5", "1.5", "1.5", "2"]
    said = capsys.readouterr().err
    assert said == (f"warning: {path}: its columns are separated by {name}\n" if name else "")


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", ""), ("cp1252", "read as cp1252")]
)
def test_a_table_is_read_in_its_encoding(tmp_path, capsys, encoding, told):
    path = tmp_path / "größe.txt"
    path.write_bytes("größe,preis\n1,5 €\n2,7 €\n".encode(encoding))
    assert frames.read_frame(path).to_dict("list") == {"größe": ["1", "2"], "preis": ["5 €", "7 €"]}
    said = capsys.readouterr().err
    assert told in said and bool(said) == bool(told)
    # Told by hand, nothing is assumed.
    assert list(frames.read_frame(path, encoding=encoding, separator=",")) == ["größe", "preis"]
    assert capsys.readouterr().err == ""


def test_letters_far_down_that_are_no_utf_8_are_read_too(tmp_path, capsys):
    path = tmp_path / "far.csv"
    path.write_bytes(b"name,n\n" + b"Anna,1\n" * 60_000 + "Zoé,2\n".encode("cp1252"))
    assert frames.read_frame(path)["name"].iloc[-1] == "Zoé"
    assert "read as cp1252" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "names", "first", "told"),
    [
        (["a,b", "1,2,", "3,4,"], ["a", "b"], ["1", "2"], "end with a separator that the header lacks"),
        (["a,b", "r1,1,2", "r2,3,4"], ["Unnamed: 0", "a", "b"], ["r1", "1", "2"], "begin with a cell that"),
        ([",a", "0,1", "1,2"], ["Unnamed: 0", "a"], ["0", "1"], ""),
        (["", "a,b", "", "1,2"], ["a", "b"], ["1", "2"], ""),
        (["0,1", "5,6"], ["0", "1"], ["5", "6"], ""),
        (["a , b", "1, x"], ["a", "b"], ["1", "x"], ""),
        (["sep=;", "a;b", "1,5;2"], ["a", "b"], ["1,5", "2"], ""),
        (['"SEP=,"', "a,b", "1,2"], ["a", "b"], ["1", "2"], ""),
        (["a", "1,5", "2,7"], ["a"], ["1,5"], ""),
        (["a", "New York", "Rome", "New Orleans"], ["a"], ["New York"], ""),
        (["a", '"1" 5.5', '"2" 7.5'], ["Unnamed: 0", "a"], ["1", "5.5"], "begin with a cell that"),
        (["a", "1,5", "2,7", "3,1"], ["Unnamed: 0", "a"], ["1", "5"], "begin with a cell that"),
        (["a", "1,", "2,"], ["a"], ["1"], "end with a separator that the header lacks"),
        (
            ["a,b,c", "1,2,3", "4,5", "6,7,8"],
            ["a", "b", "c"],
            ["1", "2", "3"],
            "its row 2 has 2 cells, and its",
        ),
        (["a,b", "1,2", "3,4"], ["a", "b"], ["1", "2"], ""),
        (['"a\n (cm)",b', "1,2"], ["a (cm)", "b"], ["1", "2"], ""),
        (["\ufeffu\u0308,b", "1,2"], ["\u00fc", "b"], ["1", "2"], ""),
    ],
    ids=[
        *("trailing", "row names", "index", "blank lines", "numbered", "spaces", "said separator"),
        *("quoted", "decimal commas", "words", "quoted names", "counted names", "one and nothing"),
        *("short", "plain", "broken name", "accent"),
    ],
)
def test_no_column_moves_under_another_name(tmp_path, capsys, rows, names, first, told):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(rows) + "\n")
    frame = frames.read_frame(path)
    assert (list(frame.columns), frame.iloc[0].tolist()) == (names, first)
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (['1,2,"x', "3,4,y", '5,6,z"', "7,8,w"], "its row 1 has a cell with 2 more rows in it"),
        (["0,1,w", '1,"2,x', '3,4",y', "5,6,z"], "its row 2 has a cell with 1 more rows in it"),
        (['1,2,"x', 'y, and z"', "7,8,w"], None),
        (['1,2,"x', 'y, z, a"', '7,8,"w', 'v"'], None),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_in_a_quote_that_was_not_closed_are_told(tmp_path, capsys, rows, told, end):
    path = tmp_path / "rows.csv"
    path.write_text(end.join(["a,b,c", *rows]) + end, newline="")
    frames.read_frame(path)
    said = capsys.readouterr().err
    assert told in said if told else "more rows" not in said


def test_no_row_of_a_single_column_is_lost(tmp_path):
    path = tmp_path / "column.csv"
    for end in ("", "\n", "\n\n\n", '\n""\n'):
        path.write_text(f"\na\n1\n\n3{end}")
        assert frames.read_frame(path)["a"].tolist() == ["1", "", "3", *[""] * ('"' in end)]


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_mark_within_a_cell_that_is_no_end_of_a_line_stays_there(tmp_path, capsys, mark):
    path = tmp_path / "marks.csv"
    path.write_text(f"a,b{mark}c,d\n" + f"1,x{mark}y,2\n" * 9, "utf-8", newline="")
    frame = frames.read_frame(path)
    assert [len(name.split()) for name in frame] == [1, 2, 1]
    assert frame.iloc[0].tolist() == ["1", f"x{mark}y", "2"] and capsys.readouterr().err == ""


@pytest.mark.parametrize("row", ["1,2,3,4,", "1,2,3"])
def test_no_cell_beyond_the_header_is_lost(tmp_path, row):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2,\n" * 300 + row + "\n")
    with pytest.raises(
        InputError, match=r"row 301 has a cell more, '3'|Expected 3 fields in line 302, saw 5"
    ):
        frames.read_frame(path)


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize("before", ["1,2,3\n", "1,2,\n", '1,"2\n\n2",\n', "\n1,2,3\n \n"])
def test_a_row_that_ends_too_soon_is_told_wherever_it_stands(tmp_path, capsys, name, before):
    rows = "\n\na,b,c\n" + before * 300
    for end, told in (("4,5\n", True), ("4,5,\n", False)):
        content = (rows + end).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        frames.read_frame(tmp_path / name)
        says = f"{name}: its row 301 has 2 cells, and its header 3 names: what is not there"
        assert (says in capsys.readouterr().err) is told


def test_a_header_may_be_longer_than_what_shows_how_a_file_is_written(tmp_path, capsys):
    names = [f"{'word ' * 20}{place}" for place in range(3_000)]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([";".join(names), *[";".join(["0,5"] * len(names))] * 3]))
    frame = frames.read_frame(path)
    assert [*frame] == names and frame.shape == (3, 3_000) and (frame == "0,5").all(axis=None)
    assert "separated by semicolons" in capsys.readouterr().err


def test_a_table_that_cannot_fit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    path.write_text("a,b\n" + "1,2\n" * 1000)
    monkeypatch.setattr(text_files, "memory_bytes", lambda: 10_000)
    message = refusal(frames.read_frame, path)
    assert re.search(
        r"would take about .* GB for some 1,00\d rows of 2 columns, and there are 1e-05 GB", message
    )


def test_a_page_of_text_in_a_cell_is_no_fault(tmp_path):
    (tmp_path / "pages.csv").write_text("page,n\n" + ("word " * 50_000 + ",1\n") * 3)
    assert frames.read_frame(tmp_path / "pages.csv")["n"].tolist() == ["1"] * 3


def test_an_archive_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("b.csv", "a,b\n1,2\n")
    assert refusal(frames.read_frame, tmp_path / "two.zip").endswith(
        "holds 2 files; take out the one that is meant"
    )


def test_what_a_mac_adds_to_an_archive_is_no_file_of_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("data/", "")
        archive.writestr("data/a.csv", "a,b\n1,2\n")
        archive.writestr("__MACOSX/data/._a.csv", b"\0\5\26\7")
    assert frames.read_frame(tmp_path / "one.zip").to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize("names", [["day"], ["day", "place"], ["day", None]])
def test_an_index_with_names_is_columns_of_a_file_and_of_another_library(tmp_path, names):
    pyarrow = pytest.importorskip("pyarrow")
    index = pd.MultiIndex.from_arrays(
        [pd.date_range("2024", periods=20), ["u", "v"] * 10][: len(names)], names=names
    )
    frame = with_target(["a", "b"] * 10).set_axis(index)
    frame.to_parquet(tmp_path / "t.parquet")
    for table in (
        frames.read_frame(tmp_path / "t.parquet"),
        frames.as_frame(pyarrow.Table.from_pandas(frame)),
    ):
        assert list(table) == [name or f"level_{level}" for level, name in enumerate(names)] + ["x", "y"]
        assert table["day"].tolist() == pd.date_range("2024", periods=20).tolist()
    # A number of the row, or what has no name, is none.
    for plain in (with_target(["a", "b"]), with_target(["a", "b"])[::-1]):
        plain.to_parquet(tmp_path / "plain.parquet")
        assert list(frames.read_frame(tmp_path / "plain.parquet")) == ["x", "y"]
    # In pandas an index is no column.
    assert list(frames.as_frame(frame)) == ["x", "y"]


@pytest.mark.parametrize("library, call", [("polars", "Series"), ("pyarrow", "array")])
def test_a_column_alone_is_no_table(library, call):
    column = getattr(pytest.importorskip(library), call)([1, 2])
    assert refusal(frames.as_frame, column).startswith("table: must be a file, a table of pandas, polars or")


# The task


@pytest.mark.parametrize(
    ("values", "task", "expected", "class_names"),  # the values in the order of their labels
    [
        (["no", "yes"], None, "binary", ("no", "yes")),
        (["10", "2.0", "v1.0"], None, "multiclass", ("10", "2.0", "v1.0")),
        ([False, True], None, "binary", (False, True)),
        ([3, 5, 10], None, "multiclass", (3, 5, 10)),
        ([1.0, 2.0], None, "binary", (1, 2)),
        ([1234567, 1234568], None, "binary", (1234567, 1234568)),
        (list(range(20)), None, "multiclass", tuple(range(20))),
        (list(range(21)), None, "regression", ()),
        ([0.5, 1.0], None, "regression", ()),
        ([3, 5, 10], "regression", "regression", ()),
        ([0.5, 1.0], "multiclass", "multiclass", (0.5, 1.0)),
        ([0.5, 1.0], "binary", "binary", (0.5, 1.0)),
    ],
)
def test_the_task_is_inferred_or_given(values, task, expected, class_names):
    splits = tables.read_table(with_target(values * 20), "y", task=task)
    # By what is written, since 1, 1.0 and True are equal.
    assert (splits.task, repr(splits.class_names)) == (expected, repr(class_names))
    inputs, targets = rows_of(splits)
    value_of_row = inputs[:, 0].astype(int) % len(values)
    np.testing.assert_array_equal(targets, value_of_row if class_names else np.array(values)[value_of_row])


@pytest.mark.parametrize(
    ("values", "kind", "task", "class_names"),
    [
        (list(range(26)), "text", "multiclass", tuple(range(26))),
        ([0.5, 1.5], "text", "binary", (0.5, 1.5)),
        ([1, 2, 3], "number", "regression", ()),
        (["1", "2", "3"], "number", "regression", ()),
        (["1 star", "3 star"], "number", "regression", ()),
        (["1,5", "2,5"], "decimal-comma", "regression", ()),
        ([1, 2, 3], None, "multiclass", (1, 2, 3)),
    ],
)
def test_a_target_that_is_said_to_be_text_is_classes_and_numbers_are_numbers(
    capsys, values, kind, task, class_names
):
    frame = with_target(values * 20)
    splits = tables.read_table(frame, "y", columns=kind and {"y": kind}, test=frame[:9])
    assert (splits.task, splits.class_names) == (task, class_names)
    assert "targets: are floats" not in capsys.readouterr().err
    # What is said of the task goes first.
    assert tables.read_table(frame, "y", columns=kind and {"y": kind}, task=task).task == task


@pytest.mark.usefixtures("no_runtime_types")
def test_what_a_target_cannot_be_is_refused():
    says = "column 'y': unknown name 'nmber'; did you mean 'number'?"
    assert refusal(tables.read_table, with_target([1, 2] * 9), "y", columns={"y": "nmber"}) == says
    says = "target: unknown name ['y', 'z']; known: x, y"
    assert refusal(tables.read_table, with_target([1, 2] * 9), ["y", "z"]) == says


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_gap_in_a_target_is_named_also_where_rows_have_one_name(repeats):
    frame = with_target([*map(str, np.arange(30) / 7), None])
    says = rf"target: 'y' is missing in {repeats} of {31 * repeats} rows, the first is row 30;"
    assert re.match(says, refusal(tables.read_table, pd.concat([frame] * repeats), "y"))


@pytest.mark.parametrize(
    ("values", "is_told"), [(np.arange(12) * 7, True), ([0.5, *[1] * 11], True), (["a", *["b"] * 11], False)]
)
def test_few_numbers_that_are_taken_for_classes_may_be_said_to_be_none(values, is_told):
    task = None if values[0] != 0.5 else "multiclass"
    message = refusal(tables.read_table, with_target(values), "y", task=task)
    assert ("if these are no classes but numbers, give task='regression'" in message) is is_told


@pytest.mark.parametrize(
    ("values", "dtype"), [(["a", "b"], object), ([3, 5], int), ([False, True], bool), ([0.5, 1.0], float)]
)
def test_predictions_have_the_type_of_the_target(tmp_path, values, dtype):
    frame = with_target(values * 20)
    splits = tables.read_table(frame, "y", task="binary", test=frame[:2])
    model = jaxmlp.fit_mlp(splits, num_epochs=1, progress=False).model
    found = jaxmlp.predict_table(jaxmlp.load(jaxmlp.save(tmp_path / "m", model)), frame)
    assert set(found["prediction"]) <= set(values)
    assert pd.api.types.infer_dtype(found["prediction"]) == pd.api.types.infer_dtype(frame["y"])
    assert list(found.columns[1:]) == [f"probability of {value}" for value in values]


@pytest.mark.parametrize(
    ("class_names", "values", "labels"),
    [
        ((0.5, 1.0), [1.0, 1.0], [1, 1]),
        ((0.5, 1.0), [1, 1], [1, 1]),
        ((0.5, 1.0), [1.0, 0.5], [1, 0]),
        (("0.5", "1.0"), [1.0, 1.0], [1, 1]),
        ((1, 2), [1.0, 2.0], [0, 1]),
        (("1", "2"), [2, 2], [1, 1]),
        (("2", "2.0"), ["2.0", "2"], [1, 0]),
        ((False, True), [True, True], [1, 1]),
    ],
)
def test_a_class_is_found_however_the_other_rows_are_written(class_names, values, labels):
    found = tables.transform_targets(pd.Series(values, name="y"), class_names)
    assert found.tolist() == labels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1e19, 2e19]), (1e19, 2e19)),
        (np.array([2**63, 2**64 - 1], np.uint64), (2**63, 2**64 - 1)),
    ],
)
def test_classes_beyond_whole_numbers_of_64_bits_stay_what_they_are(values, expected):
    splits = tables.read_table(with_target(np.tile(values, 20)), "y", task="binary")
    assert splits.class_names == expected


@pytest.mark.parametrize("first", [2**70, 10**18, 2**63])
def test_long_numbers_of_classes_in_texts_are_told_apart(first):
    names = [first, first + 1, first + 2]
    splits = tables.read_table(with_target([*map(str, names)] * 20), "y")
    assert splits.class_names == tuple(names if first < 2**64 else map(str, names))


def test_whole_numbers_of_classes_beyond_64_bits_are_refused():
    message = refusal(tables.read_table, with_target([2**70, 2**70 + 1] * 20), "y")
    assert message.startswith("class_names: whole numbers must fit into 64 bits, got 1180591620717411303424;")


def test_the_split_is_as_asked_and_follows_its_seed():
    frame = with_target(["a", "b"] * 50)
    cut = {"validation_fraction": 0.25, "test_fraction": 0.4}
    first, again, other = (tables.read_table(frame, "y", **cut, split_seed=seed) for seed in (1, 1, 2))
    assert [len(part.inputs) for part in first[:3]] == [45, 15, 40]
    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    assert set(first.test.inputs.ravel()) != set(other.test.inputs.ravel())
    assert first.name == "table"


def test_parts_may_be_tables_or_rows_of_their_own(tmp_path):
    frame, held_out = with_target(["a", "b"] * 20), with_target(["b", "b", "a"])
    held_out.assign(x=[100, 101, np.nan]).to_csv(tmp_path / "test.csv", index=False)
    splits = tables.read_table(frame, "y", test=tmp_path / "test.csv", validation=[0, 1, 2])
    assert [len(part.inputs) for part in splits[:3]] == [37, 3, 3]
    np.testing.assert_array_equal(splits.test.targets, [1, 1, 0])
    # The gap is filled with the median of the training rows.
    np.testing.assert_array_equal(splits.test.inputs[:, 0], [100, 101, 21])
    np.testing.assert_array_equal(splits.validation.inputs[:, 0], [0, 1, 2])
    numbers = with_target(np.arange(40) / 7)
    real = tables.read_table(numbers, "y", test=with_target([0.25, 8.0]))
    np.testing.assert_array_equal(real.test.targets, [0.25, 8])
    assert real.task == "regression"


def test_a_column_of_weights_is_no_input():
    frame = with_target(["a", "b"] * 20).assign(w=np.arange(40) + 1)
    splits = tables.read_table(frame, "y", sample_weight="w")
    assert [column.name for column in splits.columns] == ["x"]
    numbers = splits.train.inputs[:, 0] + 1
    np.testing.assert_allclose(splits.train.weights, numbers / numbers.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"test": with_target(["c"])}, "test: target: 'y' has the class 'c', which was not learnt"),
        (
            {"validation": (np.zeros((2, 1)), ["a", "b"])},
            "validation: must be a table with its target, or rows of this one, got a tuple",
        ),
        ({"test": pd.DataFrame({"x": [1.0]})}, "test: target: unknown name 'y'; known: x"),
        (
            {"test": pd.DataFrame({"z": [1.0], "y": ["a"]})},
            "test: column 'x': is not in the table, which has",
        ),
        ({"sample_weight": "z"}, "sample_weight: unknown name 'z'"),
        ({"sample_weight": "x"}, "table: needs a column besides 'y' and 'x' to learn from"),
    ],
)
def test_parts_and_weights_that_do_not_fit_are_refused(options, says):
    assert refusal(tables.read_table, with_target(["a", "b"] * 20), "y", **options).startswith(says)


def test_splits_show_how_each_column_is_read():
    lines = [line.strip() for line in str(tables.read_table(MIXED, "kind")).splitlines()]
    assert "column new: 2 categories, False, True" in lines
    assert [line.split(":")[0] for line in lines[-4:]] == [f"column {name}" for name in list(MIXED)[:4]]


# Refusals


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "no such file; give the path of a CSV or Parquet file"),
        ("none.csv", b"", "must hold at least one row below its header, got none"),
        ("rowless.csv", b"a,b\n", "must hold at least one row below its header, got none"),
        (
            "uneven.csv",
            b"a,b\n1,2\n1,2,3\n",
            "its row 2 has 3 cells, and its header 2 names; quote what holds a separator",
        ),
        (
            "far.csv",
            b"a,b\n" + b"1,2\n" * 999 + b"1,2,3\n",
            "cannot be read as a table: .*Expected 2 fields in line 1001, saw 3; quote what holds a sep",
        ),
        ("quote.csv", b'a,b\n1,2\n1,"2\n', "cannot be read as a table: .*; .*close every quote"),
        (
            "title.csv",
            b"Sales\n\na,b,c\n1,2,3\n",
            "its first line, 'Sales', is no line of names; drop what is above it",
        ),
        (
            "commas.csv",
            b"a,b\n1,5,x\n2,5,y\n1,7,z\n",
            "its row 1 has 3 cells, and its header 2 names; quote what holds a separator",
        ),
        ("binary.csv", bytes(range(128, 256)), "is no text, or in an encoding that has to be named"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "cannot be read as a table: "),
        ("wide.csv", b"a," * 1_000_000 + b"b\n1,2\n", "must have at most 50000 columns, got about "),
        (
            "numbers.csv",
            b"1.5,2.5\n1,2\n",
            "its first line holds numbers, 1.5, 2.5, and no names",
        ),
        ("zeros.csv", b"a,b\n1,\0\n", "is no text; give a CSV or Parquet file"),
        ("book.xlsx", b"PK", "is a spreadsheet; save its sheet as CSV"),
        ("rows.JSON", b"{}", "is JSON; read it with pandas and save it as CSV or Parquet"),
        ("damaged.parquet", b"PAR1 and no more", "cannot be read as a table: "),
        ("twins.csv", b"size,kind,size\n1,2,3\n", "has two columns called 'size'; rename one"),
    ],
)
def test_files_that_hold_no_table_are_refused(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    message = refusal(frames.read_frame, path)
    assert re.match(re.escape(f"{path}: ") + says, message), message


@pytest.mark.parametrize(
    ("frame", "target", "options", "says"),
    [
        (MIXED, "kinds", {}, "target: unknown name 'kinds'; did you mean 'kind'?"),
        (MIXED[:0], "kind", {}, "table: must hold at least one row, got none"),
        (MIXED[["kind"]], "kind", {}, "table: needs a column besides 'kind'"),
        (MIXED.assign(kind="cat"), "kind", {}, "target: 'kind' has only one value, 'cat'"),
        (MIXED, "colour", {}, "target: 'colour' is missing in 5 of 20 rows, the first is row 2"),
        (
            MIXED,
            "kind",
            {"task": "regression"},
            "target: 'kind' must hold numbers for a regression, got 'cat'",
        ),
        (MIXED, "new", {"task": "regression"}, "target: 'new' must hold numbers for a regression, got "),
        (MIXED, "kind", {"task": "ranking"}, "task: unknown name 'ranking'"),
        (
            MIXED[["size", "kind"]],
            "kind",
            {"columns": {"size": "drop"}},
            "table: no column is left to learn from; 'size' is left out: as was said",
        ),
        (
            MIXED.assign(size=np.arange(20) * 1e300),
            "kind",
            {},
            "column 'size': must hold numbers of at most 1e+37, got 1e+300 in row 1",
        ),
        (MIXED, "kind", {"columns": {"sise": "drop"}}, "columns: unknown name 'sise'; did you mean 'size'?"),
        (
            MIXED,
            "kind",
            {"columns": {"size": "drob"}},
            "column 'size': unknown name 'drob'; did you",
        ),
        (np.zeros((3, 2)), "kind", {}, "table: must be a file, a table of pandas, polars or pyarrow, or "),
        (
            MIXED.rename(columns={"new": "size"}),
            "kind",
            {},
            "table: has two columns called 'size'; rename one",
        ),
    ],
)
def test_tables_that_cannot_be_learnt_from_are_refused(frame, target, options, says):
    assert refusal(tables.read_table, frame, target, **options).startswith(says)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            MIXED.drop(columns="colour"),
            "column 'colour': is not in the table, which has 'size', 'count', 'new'",
        ),
        (MIXED.assign(count="many"), "column 'count': 20 of 20 cells are no numbers: 'many'; was learnt as "),
        (MIXED.assign(new="new"), "column 'new': 20 of 20 cells were not learnt: 'new'; was learnt as "),
        (MIXED[:0], "table: must hold at least one row, got none"),
        (MIXED.rename(columns={"kind": "size"}), "table: has two columns called 'size'; rename one"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(frame, says):
    assert refusal(transform_columns, frame, MIXED_COLUMNS).startswith(says)


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "pets.csv"
    MIXED.to_csv(path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert (
        refusal(frames.read_frame, path)
        == "tables need pandas; install the extra: pip install 'jaxmlp[tables]'"
    )
