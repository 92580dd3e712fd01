"""Cells that are neither plain numbers nor plain words."""

import numpy as np
import pandas as pd
import pytest

from jaxmlp.data.columns import CategoryColumn, DateColumn
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
