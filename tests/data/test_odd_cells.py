"""Cells that are neither plain numbers nor plain words."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jaxmlp.data.cells import as_words
from jaxmlp.data.columns import CategoryColumn, DateColumn, DroppedColumn
from jaxmlp.data.dates import ISO
from jaxmlp.data.encoding import transform_columns
from jaxmlp.data.inference import infer_columns
from jaxmlp.data.learning import learn_columns
from jaxmlp.data.tables import read_table
from jaxmlp.types import InputError

HALVES = np.arange(40) / 2


def test_a_truth_value_is_not_the_number_that_equals_it():
    cells = pd.Series([1, True, "a"], dtype=object)
    assert CategoryColumn("c").read(cells).values.tolist() == ["1", "True", "a"]


@pytest.mark.parametrize(
    "values, kind",
    [
        (pd.period_range("2020-01", periods=40, freq="M"), "date"),
        (pd.Series(pd.to_timedelta(HALVES, "h")).astype(object), "number"),
        ([10**400 + i % 2 for i in range(40)], "dropped"),
    ],
)
def test_what_has_a_type_in_memory_is_read_by_it(values, kind):
    (column,) = infer_columns(pd.DataFrame({"c": values}), {})
    assert column.__struct_config__.tag == kind


def test_a_month_is_its_first_day():
    months = pd.Series(pd.period_range("1970-02", periods=3, freq="M"))
    assert DateColumn("c", ISO).read(months).values.tolist() == [31, 59, 90]


def test_a_short_column_that_is_half_numbers_is_asked_for():
    with pytest.raises(InputError, match="50% of its cells are numbers"):
        infer_columns(pd.DataFrame({"c": [f"{x}%" if x % 1 else f"{x}" for x in HALVES]}), {})


@pytest.mark.parametrize(
    "values, names",
    [([[1, 2], [3]] * 20, ("[1, 2]", "[3]")), (pd.Categorical([3, 5] * 20), (3, 5))],
)
def test_classes_keep_their_types_and_lists_are_texts(values, names):
    assert read_table(pd.DataFrame({"x": HALVES, "y": values}), "y").class_names == names


@pytest.mark.parametrize("values", [HALVES * 1e-300, pd.date_range("2020", periods=40)])
def test_targets_that_cannot_be_computed_with_are_refused(values):
    from jaxmlp.data.splits import standardize

    with pytest.raises(InputError, match=r"too little to compute with|holds dates"):
        standardize(read_table(pd.DataFrame({"x": HALVES, "y": values}), "y"))


def test_lists_among_numbers_and_categories_are_told_as_what_cannot_be_read(capsys):
    frame = pd.DataFrame({"x": [*HALVES, [1]], "w": ["a", "b"] * 20 + ["a"]})
    columns, _ = learn_columns(frame, np.arange(len(frame)), {})
    assert "column 'x': 1 of 41 cells are no numbers and count as missing: [1]\n" in capsys.readouterr().err
    rows = transform_columns(pd.DataFrame({"x": [[1], [1], 3.0], "w": [["a"], "b", "a"]}), columns)
    assert rows.tolist() == [[9.75, 1, 0, 0], [9.75, 1, 0, 1], [3, 0, 1, 0]]
    told = capsys.readouterr().err
    assert "2 of 3 cells are no numbers: [1]; " in told and "1 of 3 cells were not learnt: ['a']; " in told


@pytest.mark.parametrize("learnt", ["spans of time", "numbers"])
def test_spans_of_time_and_numbers_are_not_mixed_without_a_word(capsys, learnt):
    kinds = {"spans of time": pd.to_timedelta(HALVES, "s"), "numbers": HALVES}
    columns, _ = learn_columns(pd.DataFrame({"x": kinds[learnt]}), np.arange(len(HALVES)), {})
    for kind, cells in kinds.items():
        capsys.readouterr()
        np.testing.assert_array_equal(transform_columns(pd.DataFrame({"x": cells}), columns)[:, 0], HALVES)
        told = f"column 'x': holds {kind}, and was learnt as {learnt}; they count in seconds\n"
        assert (told in capsys.readouterr().err) == (kind != learnt)


GERMAN = [f"{x:.3f}".replace(".", ",") for x in HALVES + 0.25]


@pytest.mark.parametrize(
    "learnt, new, says",
    [
        (
            HALVES,
            ["0,604", "1,234", "9,999"],
            r"has decimal commas, as in '0,604', and it was learnt with dec",
        ),
        (HALVES, ["1,5", "1,234", "1.5", "2,5"], r"has decimal commas, as in '1,5'"),
        (
            GERMAN,
            ["0.604", "1.234", "-9.999"],
            r"has decimal points, as in '0.604', and it was learnt with dec",
        ),
    ],
)
def test_new_texts_with_another_decimal_mark_are_refused(learnt, new, says):
    columns, _ = learn_columns(pd.DataFrame({"x": learnt}), np.arange(40), {})
    with pytest.raises(InputError, match=f"^column 'x': {says}"):
        transform_columns(pd.DataFrame({"x": new}), columns)


@pytest.mark.parametrize(
    "learnt, new, number, is_told",
    [
        (HALVES, ["1,234", "9,999"], 1234, True),
        (GERMAN, ["1.234", "9.999"], 1234, True),
        (HALVES, ["1.234", "9.999"], 1.234, False),
        (HALVES, ["1,234.5", "9,999"], 1234.5, False),
        (GERMAN, ["1,234", "9,999"], 1.234, False),
        (GERMAN, ["7", "9"], 7, False),
        (HALVES, [7.5, 9.5], 7.5, False),
    ],
)
def test_new_texts_that_may_have_another_decimal_mark_are_told(capsys, learnt, new, number, is_told):
    columns, _ = learn_columns(pd.DataFrame({"x": learnt}), np.arange(40), {})
    capsys.readouterr()
    assert transform_columns(pd.DataFrame({"x": new}), columns)[0, 0] == number
    said = f"column 'x': {new[0]!r} is the number {number}, since it was learnt with decimal"
    assert (said in capsys.readouterr().err) is is_told


@pytest.mark.parametrize("unit", ["%", "€", "km/h", "m2"])
@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("write", [list, lambda numbers: [f"{x:.2f}" for x in numbers]])
def test_numbers_without_the_unit_that_was_learnt_are_told(capsys, unit, mark, write):
    texts = [f"{x:.1f} {unit}".replace(".", mark) for x in HALVES]
    columns, _ = learn_columns(pd.DataFrame({"x": texts}), np.arange(40), {})
    capsys.readouterr()
    assert transform_columns(pd.DataFrame({"x": texts}), columns)[:, 0].tolist() == HALVES.tolist()
    assert transform_columns(pd.DataFrame({"x": [f"0 {unit}", "0"]}), columns).tolist() == [[0], [0]]
    assert capsys.readouterr().err == ""
    new = write([0.15, 0.25])
    new = [x.replace(".", mark) if isinstance(x, str) else x for x in new]
    assert transform_columns(pd.DataFrame({"x": new}), columns).tolist() == [[0.15], [0.25]]
    says = (
        f"column 'x': in numbers such as {new[0]!r}, {new[1]!r} {unit!r} is missing, and taken to be meant\n"
    )
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("number", [float, Decimal, np.float32, lambda x: pd.Series([x], dtype="Float64")[0]])
def test_numbers_beside_texts_are_what_they_are_whatever_mark_these_have(mark, number):
    values = [1.25, 1.125, 1234.5, 7.0]
    texts = [f"{x:.2f}".replace(".", mark) for x in HALVES]
    columns, _ = learn_columns(pd.DataFrame({"x": texts}), np.arange(40), {})
    cells = pd.DataFrame({"x": [*map(number, values), texts[3], None]}, dtype=object)
    filled = columns[0].fill
    assert transform_columns(cells, columns)[:, 0].tolist() == [*values, HALVES[3], filled]
    # Also where they are learnt, and where no text is there.
    learnt, _ = learn_columns(pd.DataFrame({"x": [*texts, *texts, number(1.125)]}), np.arange(81), {})
    assert learnt[0].decimal == mark
    assert (
        transform_columns(pd.DataFrame({"x": [number(1.125)] * 2}, dtype=object), learnt).tolist()
        == [[1.125]] * 2
    )


def test_thousands_are_not_mixed_with_numbers_that_are_none():
    texts = [f"{x}k" for x in HALVES]
    columns, _ = learn_columns(pd.DataFrame({"x": texts}), np.arange(40), {})
    assert transform_columns(pd.DataFrame({"x": ["2.5k"]}), columns).tolist() == [[2.5]]
    for cells in (["950", "20"], [950, 20]):
        with pytest.raises(
            InputError, match=r"2 of 2 cells are no numbers: '?950'?, '?20'?; was learnt as numbers in k"
        ):
            transform_columns(pd.DataFrame({"x": cells}), columns)
    with pytest.raises(InputError, match="of its cells are numbers, and others are not"):
        learn_columns(pd.DataFrame({"x": [*texts, *map(str, range(100, 110))]}), np.arange(50), {})


@pytest.mark.parametrize(
    "cells, told",
    [
        (
            [f"{x}%" for x in HALVES] + ["0.15"] * 2,
            "in numbers such as '0.15' '%' is missing, and taken to be",
        ),
        ([f"${x}" for x in HALVES] + ["0"] * 2, None),
        (
            [*map(str, range(20)), "?", "?"] * 2,
            "is taken for categories, though most are numbers, since others",
        ),
        (["A12", "A7", "12"] * 14, None),
        (
            [*(f"{x} EUR" for x in range(9)), *(f"{x} USD" for x in range(7))] * 3,
            "are numbers with several units, 'EUR', 'USD'",
        ),
        (
            [*(f"${x}" for x in range(9)), *(f"€{x}" for x in range(9, 14))] * 3,
            "are numbers with several units, '$', '€'",
        ),
        (
            [f"{x:.1f}%".replace(".", ",") for x in HALVES] + ["0,15"] * 2,
            "in numbers such as '0,15' '%' is missing, and taken to be",
        ),
        (
            [*(f"{x},5" for x in range(20)), "?", "?"] * 2,
            "is taken for categories, though most are numbers, since others are not, '?'",
        ),
        (
            [*(f"{x}.5 €" for x in range(20)), "n.a.", "n.a."] * 2,
            "is taken for categories, though most are numbers, since others are not, 'n.a.'",
        ),
        (["1 star", "2 stars", "3 stars", "4 stars"] * 9, None),
        (["1.2", "1.2.3", "1.10.4"] * 14, None),
        (["01234", "02345", "A1000"] * 14, None),
        (pd.Categorical(["1", "2", "3", "x"] * 10), None),
        (
            [*pd.date_range("2024", periods=40).strftime("%Y-%m-%d"), *["9999-12-31"] * 4],
            "is 9999-12-31 in 4 rows, far from all others",
        ),
    ],
)
def test_what_may_have_been_meant_otherwise_is_told(capsys, cells, told):
    frame = pd.DataFrame({"c": cells})
    learn_columns(frame, np.arange(len(frame)), {})
    said = capsys.readouterr().err
    doubts = ("in numbers such as", "is taken for categories", "far from all others", "several units")
    assert f"column 'c': {told}" in said if told else not any(doubt in said for doubt in doubts)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "float16", object])
def test_a_column_without_any_value_is_left_out_whatever_its_type(capsys, dtype):
    gaps = pd.Series([np.nan if dtype == "float16" else None] * 40, dtype=dtype)
    (column, _), _ = learn_columns(pd.DataFrame({"x": gaps, "z": HALVES}), np.arange(40), {})
    assert isinstance(column, DroppedColumn)
    assert "column 'x': is left out: it has no value in any" in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
def test_numbers_of_half_precision_are_read_without_a_word(capsys):
    columns, _ = learn_columns(pd.DataFrame({"x": HALVES.astype(np.float16)}), np.arange(40), {})
    assert columns[0].fill == np.median(HALVES) and capsys.readouterr().err == ""


def test_one_long_text_takes_no_room_in_other_rows():
    words = as_words(pd.Series(["short", None] * 5000 + ["long" * 250]))
    assert words.nbytes < 100_000 and words.tolist()[:2] == ["short", ""] and len(words[-1]) == 1000
