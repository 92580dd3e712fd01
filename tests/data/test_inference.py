"""What a column of texts is taken for, as people write numbers and dates, and what is said of it."""

import datetime
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import jaxmlp
from jaxmlp.data import remarks, tables
from jaxmlp.data.cells import MISSING
from jaxmlp.data.columns import CategoryColumn, DateColumn, DroppedColumn, NumberColumn
from jaxmlp.data.encoding import transform_columns
from jaxmlp.data.targets import read_target
from jaxmlp.types import InputError

NUM_ROWS = 200
NUMBERS = np.random.default_rng(0).normal(10, 3, NUM_ROWS).round(2)
DAYS = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.random.default_rng(1).integers(0, 900, NUM_ROWS), "D")


def learn(said=None, **columns):
    frame = pd.DataFrame(columns)
    return tables.learn_columns(frame, np.arange(len(frame)), said or {})[0]


def encoded(columns, **values):
    return transform_columns(pd.DataFrame(values), columns)


def swap_marks(text):
    return text.translate(str.maketrans(",.", ".,"))


# What spreadsheets add


def test_an_apostrophe_before_a_number_is_none_of_it():
    plain, marked = [f"{x:.2f}" for x in NUMBERS], [f"'{x:.2f}" for x in NUMBERS]
    columns = learn(x=plain)
    assert learn(x=marked) == columns
    np.testing.assert_array_equal(encoded(columns, x=marked), encoded(columns, x=plain))
    codes = [f"'{row % 7:03}" for row in range(NUM_ROWS)]
    assert learn(x=codes) == (CategoryColumn("x", tuple(f"{row:03}" for row in range(7))),)
    assert learn(x=["'tis", "'n"] * 9) == (CategoryColumn("x", ("'n", "'tis")),)


@pytest.mark.parametrize(
    ("columns", "is_said"),
    [
        ({"x": ["950", "1.050", "2.300"]}, True),
        ({"x": ["950", "1.050", "2.300"], "y": ["0.5", "1", "2"]}, False),
        ({"x": ["950", "0.050", "2.300"]}, False),
        ({"x": [950, 1.05, 2.3]}, False),
        ({"x": ["950", "1.050,5", "2.300"]}, False),
    ],
)
def test_points_that_may_group_thousands_are_said(capsys, columns, is_said):
    learn(**{name: cells * 20 for name, cells in columns.items()})
    says = (
        "column 'x': '1.050' is taken for a decimal; if points group thousands, say that it is decimal-comma"
    )
    assert (says in capsys.readouterr().err) is is_said


def test_what_shows_decimals_is_looked_for_once_among_many_columns(monkeypatch, capsys):
    calls, own = [], remarks.shown_decimals
    monkeypatch.setattr(remarks, "shown_decimals", lambda words: (calls.append(words), own(words))[1])
    learn(**{f"x{place}": ["950", "1.050", "2.300"] * 20 for place in range(30)})
    assert capsys.readouterr().err.count("if points group thousands") == 30 and len(calls) == 30


def test_codes_that_are_numbers_with_an_exponent_are_said_to_be_read_so(capsys):
    columns = learn(x=["3E1", "4E2", "5"] * 20)
    assert encoded(columns, x=["4E2"]).tolist() == [[400]]
    assert "column 'x': '3E1' is the number 30\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("odd", "number", "is_told"), [("0123", 123, True), ("00", 0, True), ("0", 0, False), ("0.5", 0.5, False)]
)
def test_a_few_numbers_with_zeros_before_them_are_said_to_be_read_so(capsys, odd, number, is_told):
    texts = [*map(str, range(5, 200)), odd]
    columns = learn(x=texts)
    assert encoded(columns, x=[odd]) == number
    assert (f"column 'x': {odd!r} is the number {number}\n" in capsys.readouterr().err) is is_told


@pytest.mark.parametrize("write", ["\u200e{}", "{}\u200b", "\ufeff{}", '="{}"', "\u00a0{} "])
def test_what_is_not_meant_around_a_cell_is_none_of_it(capsys, write):
    columns = learn(x=[f"{x:.2f}" for x in NUMBERS], w=["a", "b"] * 100)
    cells = {"x": [write.format(f"{x:.2f}") for x in NUMBERS], "w": [write.format("a"), "b"] * 100}
    assert learn(**cells) == columns
    assert encoded(columns, **cells)[:, 0].tolist() == NUMBERS.tolist()
    assert "were not learnt" not in capsys.readouterr().err
    assert learn(day=[write.format(f"{day}.01.2024") for day in range(10, 30)])[0].format == "%d.%m.%Y"


def test_a_letter_and_its_accent_are_one_however_they_are_stored(capsys):
    assert learn(x=["caf\u00e9", "cafe\u0301", "bar"] * 9) == (CategoryColumn("x", ("bar", "caf\u00e9")),)
    assert "different categories" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["male", "Male", "female"], "'Male', 'male'"),
        (["new york", "new  york", "rome"], "'new  york', 'new york'"),
        (["B", "a", "C", "A", "D", "b"], "'A', 'a', 'B', …"),
        (["new york", "newyork", "rome"], None),
    ],
)
def test_categories_that_differ_only_in_capitals_or_space_are_told(capsys, words, told):
    learn(x=words * 9)
    said = capsys.readouterr().err
    assert f"column 'x': {told} are different categories; write them" in said if told else not said


# Identifiers


@pytest.mark.parametrize(
    ("texts", "is_told"),
    [
        (["3.8", "3.9", "3.10"], True),
        (["1.5", "1.50", "2"], True),
        (["1.50", "2.00"], False),
        (["1.5", "2"], False),
    ],
)
def test_numbers_that_may_be_versions_are_said_to_be_numbers(capsys, texts, is_told):
    assert isinstance(learn(x=texts * 9)[0], NumberColumn)
    assert ("if these are versions, say that it is text" in capsys.readouterr().err) == is_told


@pytest.mark.parametrize("word", ["Total", "GRAND TOTAL", "Summe:", "total"])
def test_a_last_row_that_may_sum_up_the_others_is_told(capsys, word):
    learn(region=["north", "south", "east"] * 5 + [word], x=[*range(15), 105])
    assert f"the last row holds {word!r}; if it sums up the others, leave it out" in capsys.readouterr().err
    learn(region=["north", word, "east"] * 5 + [word], x=[*range(16)])
    assert "the last row" not in capsys.readouterr().err


def long_numbers(number, each=1):
    return [str(10**17 + row // each) for row in range(number)]


@pytest.mark.parametrize("write", [list, lambda texts: [int(text) for text in texts]])
def test_whole_numbers_that_floats_would_merge_are_identifiers(capsys, write):
    different, repeated, short = long_numbers(NUM_ROWS), long_numbers(NUM_ROWS, 50), [*range(NUM_ROWS)]
    given = {"a": write(different), "b": write(repeated), "c": short}
    columns = learn(**given)
    assert columns[0] == DroppedColumn("a", "its texts are all different")
    assert columns[1] == CategoryColumn("b", tuple(sorted({*repeated})))
    assert isinstance(columns[2], NumberColumn)
    err = capsys.readouterr().err
    assert "column 'a': is left out: its texts are all different" in err
    assert "column 'b': is taken for categories, since its whole numbers are too long to compute with" in err
    rows = encoded(columns, b=write(repeated)[::50], c=short[:4])
    np.testing.assert_array_equal(rows[:, :4], np.eye(4))
    assert isinstance(learn({"a": "number"}, **given)[0], NumberColumn)


@pytest.mark.parametrize("step", [1000, 10**15])
def test_long_numbers_that_floats_tell_apart_stay_numbers(step):
    assert isinstance(learn(x=[str(10**18 + step * row) for row in range(NUM_ROWS)])[0], NumberColumn)


# Months, quarters and weeks


QUARTERS = ["2024-01-01", "2024-04-01", "2024-10-01", "2025-07-01"]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2024Q1", "2024Q2", "2024Q4", "2025Q3"], QUARTERS),
        (["2024M01", "2024M04", "2024-M10", "2025-M07"], QUARTERS),
        (["2024-q1", "2024-q2", "2024-q4", "2025-q3"], QUARTERS),
        (["Q1 2024", "Q2 2024", "Q4 2024", "Q3 2025"], QUARTERS),
        (["01/2024", "04/2024", "10/2024", "07/2025"], QUARTERS),
        (["01.2024", "04.2024", "10.2024", "07.2025"], QUARTERS),
        (["2024/01", "2024/04", "2024/10", "2025/07"], QUARTERS),
        (["Jan-2024", "Apr-2024", "Oct-2024", "Jul-2025"], QUARTERS),
        (["2024-W01", "2024-W14", "2024-W40", "2025W27"], [*QUARTERS[:2], "2024-09-30", "2025-06-30"]),
        (["Jan-94", "Apr-94", "Oct-94", "Jul-95"], ["1994-01-01", "1994-04-01", "1994-10-01", "1995-07-01"]),
    ],
)
def test_months_quarters_and_weeks_are_their_first_days(texts, days):
    (column,) = columns = learn(x=texts * 5)
    assert isinstance(column, DateColumn)
    first = np.array(days, "datetime64[D]").astype(int)
    np.testing.assert_array_equal(encoded(columns, x=texts)[:, 0], first)


@pytest.mark.parametrize("number", [40, 10])
def test_months_with_a_year_or_a_day_are_said_to_look_like_dates(capsys, number):
    # Some come again, or all are different.
    texts = [f"{month}-{year}" for month in ("Jan", "Apr", "Oct") for year in range(10, 24)][:number]
    texts *= 40 // number
    assert not isinstance(learn(x=texts, n=[*range(40)])[0], DateColumn)
    says = "column 'x': looks like months of years, such as 'Jan-10'; if it holds these, say that it is date"
    assert says in capsys.readouterr().err
    columns = learn({"x": "date"}, x=texts)
    assert encoded(columns, x=["Jan-10"])[0, 0] == 14610 and "looks like" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "texts",
    [["2024Q5", "2024Q7"], ["2024-W54", "2024-W60"], ["13/2024", "14/2024"], ["abc-12", "xyz-14"], ["A-12"]],
)
def test_what_no_month_quarter_or_week_is_stays_a_category(capsys, texts):
    assert not isinstance(learn(x=[*texts, "other"] * 9)[0], DateColumn)
    assert "looks like" not in capsys.readouterr().err


@pytest.mark.parametrize("write", [str, int])
def test_days_without_marks_are_days(write):
    texts = [*map(write, ("20231230", "20231231", "20240101", "20240331"))]
    (column,) = columns = learn(x=texts * 5)
    assert isinstance(column, DateColumn)
    days = encoded(columns, x=texts)[:, 0]
    assert np.diff(days).tolist() == [1, 1, 90]
    np.testing.assert_array_equal(encoded(columns, x=[*map(str, texts)])[:, 0], days)
    assert not isinstance(learn({"x": "number"}, x=texts * 5)[0], DateColumn)


MONTHS = ["202311", "202312", "202401", "202402", "202403", "202404", "202405"]


@pytest.mark.parametrize(
    ("texts", "first", "missing"),
    [
        (["20231231", "20240101", "00000000"], ["2023-12-31", "2024-01-01"], "2 of 6"),
        ([20231231, 20240101, 0, 0], ["2023-12-31", "2024-01-01"], "4 of 8"),
        ([20231231, 20240101, 99991231], ["2023-12-31", "2024-01-01"], "2 of 6"),
        (["20231231", "20240101", "unknown"], ["2023-12-31", "2024-01-01"], "2 of 6"),
        (MONTHS, ["2023-11-01", "2023-12-01", "2024-01-01"], None),
        ([2023123123, 2024010100], ["2023-12-31T23:00", "2024-01-01"], None),
        (["2023123123", "2024010100", "none"], ["2023-12-31T23:00", "2024-01-01"], None),
        (["202312312359", "202401010000"], ["2023-12-31T23:59", "2024-01-01"], None),
        (["20231231235959", "20240101000000"], ["2023-12-31T23:59:59", "2024-01-01"], None),
    ],
)
def test_dates_without_marks_are_dates_beside_gaps_too_and_are_said(capsys, texts, first, missing):
    (column,) = columns = learn(x=texts * 2)
    assert isinstance(column, DateColumn)
    said = capsys.readouterr().err
    assert f"column 'x': '{texts[0]}' is the date {first[0][:10]}" in said
    assert (f"{missing} cells are no dates and count as missing: {texts[-1]!r}" in said) == bool(missing)
    days = np.array(first, "datetime64[s]").astype(int) / 86_400
    np.testing.assert_allclose(encoded(columns, x=texts)[: len(first), 0], days, rtol=0, atol=1e-9)


@pytest.mark.parametrize("numbers", [[200001, 200112], [201001, 201002, 201003, 201077, 201088, 201099]])
def test_numbers_that_may_be_months_by_chance_stay_numbers(numbers):
    assert isinstance(learn(x=numbers * 5)[0], NumberColumn)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["05.03.45", "17.03.81"], "'05.03.45' is the date 2045-03-05; if it was earlier, write years with"),
        (["05.03.05", "17.03.81"], None),
        (["05.03.2045", "17.03.1981"], None),
    ],
)
def test_years_of_two_digits_that_are_yet_to_come_are_told(capsys, texts, told):
    learn(day=texts * 9)
    said = capsys.readouterr().err
    assert f"column 'day': {told}" in said if told else "if it was earlier" not in said


@pytest.mark.parametrize("others", [["unknown"], ["2024-01-07 (?)", "spring"], ["17.01.2024", "18.01.2024"]])
@pytest.mark.parametrize("number", [5, 40])
def test_dates_beside_words_or_other_dates_are_told(capsys, others, number):
    texts = [*pd.date_range("2024-01-20", periods=number).strftime("%Y-%m-%d"), *others * 4]
    found, _ = learn(x=texts, n=[*range(len(texts))])
    assert not isinstance(found, DateColumn)
    said = capsys.readouterr().err
    assert f"holds dates such as '2024-01-20', and others that are not written so, {others[0]!r}" in said


def test_scores_are_no_times():
    scores = [f"{home}:{guest}" for home in range(4) for guest in range(4)]
    assert learn(x=scores * 3) == (CategoryColumn("x", tuple(scores)),)


@pytest.mark.parametrize(
    "others", [[20231345, 20231231], [20240101, 5], [19000000, 20000000], [20240101] * 2]
)
def test_numbers_of_eight_digits_that_are_no_days_stay_numbers(others):
    found, _ = learn(x=others * 10, n=[*range(20)])
    assert not isinstance(found, DateColumn)


# Numbers


@pytest.mark.parametrize(
    ("write", "decimal", "unit"),
    [
        (lambda x: f"{x:.2f}", ".", ""),
        (lambda x: f" {x:+.2f} ", ".", ""),
        (lambda x: f"{x:.2e}", ".", ""),
        (lambda x: f"{1e5 * x:,.2f}", ".", ""),
        (lambda x: swap_marks(f"{1e5 * x:,.2f}"), ",", ""),
        (lambda x: swap_marks(f"{x:.2f}"), ",", ""),
        (lambda x: f"{1e5 * x:,.0f}".replace(",", " "), ".", ""),
        (lambda x: f"{1e5 * x:,.1f}".replace(",", "'"), ".", ""),
        (lambda x: f"${1e5 * x:,.2f}", ".", "$"),
        (lambda x: swap_marks(f"{1e5 * x:,.2f}") + " €", ",", "€"),
        (lambda x: f"{x:.1f}%", ".", "%"),
        (lambda x: f"{x:.1f} km/h", ".", "km/h"),
        (lambda x: f"{x:.1f} m2", ".", "m2"),
        (lambda x: swap_marks(f"{1e5 * x:,.2f}") + "€/ft2", ",", "€/ft2"),
        (lambda x: f"USD {x:.2f}", ".", "USD"),
        (lambda x: f"({x:.2f})", ".", ""),
        (lambda x: f"−{x:.2f}", ".", ""),
        (lambda x: f"–{x:.2f}", ".", ""),
    ],
)
def test_numbers_are_read_as_people_write_them(capsys, write, decimal, unit):
    texts = [write(x) for x in NUMBERS]
    (column,) = columns = learn(x=texts)
    assert isinstance(column, NumberColumn) and (column.decimal, column.unit) == (decimal, unit)
    # Their order is that of the numbers, or its reverse where they are written as negative ones.
    values = encoded(columns, x=texts)[:, 0]
    sign = np.sign(values[0])
    ratio = values / (sign * NUMBERS)
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.02)
    said = re.search(r"column 'x': (['\"])(.*)\1 is the number (.*)\n", capsys.readouterr().err)
    plain = not re.search("[^0-9.e+-]", texts[0].strip())
    assert plain if said is None else float(said[3]) == encoded(columns, x=[said[2]])[0, 0]
    # Numbers of a type are what they are, whatever the texts looked like.
    np.testing.assert_array_equal(encoded(columns, x=NUMBERS)[:, 0], NUMBERS)


@pytest.mark.parametrize(
    ("other", "decimal"),
    [(["1.5", "20.25"] * 100, "."), (["1,5", "20,25"] * 100, ","), (["1.234,5", "2"] * 100, ",")],
)
def test_neighbours_decide_what_a_comma_is(other, decimal):
    column, _ = learn(x=["9,604", "12,345"] * 100, other=other)
    assert column.decimal == decimal
    # Points between thousands, too.
    column, _ = learn(x=["9.604", "12.345"] * 100, other=other)
    assert column.decimal == decimal


def test_where_nothing_decides_what_a_comma_is_the_user_is_asked():
    texts = ["9,604", "12,345"] * 100
    with pytest.raises(InputError, match=r"'9,604' may be 9604 \(decimal-point\) or 9.604 \(decimal-comma\)"):
        learn(x=texts)
    for kind, number in {"decimal-point": 9604, "decimal-comma": 9.604}.items():
        assert encoded(learn({"x": kind}, x=texts), x=["9,604"])[0, 0] == number
    # Thousands without a mark between them, so that the comma is none; a zero begins no group.
    assert learn(x=[*texts, "12345"])[0].decimal == ","
    assert learn(x=[*texts, "0,604"])[0].decimal == ","
    # A point is one before decimals, unless its neighbours say otherwise.
    assert learn(x=["9.604", "12.345"] * 100)[0].decimal == "."


def test_a_few_odd_cells_are_named_and_count_as_missing(capsys):
    texts = [f"{x}" if i % 50 else "?" for i, x in enumerate(NUMBERS)]
    (column,) = columns = learn(x=texts)
    assert "column 'x': 4 of 200 cells are no numbers and count as missing: '?'" in capsys.readouterr().err
    assert (column.fill, column.gaps) == (np.median(NUMBERS[np.arange(200) % 50 > 0]), True)
    np.testing.assert_array_equal(encoded(columns, x=texts)[::50], [[column.fill, 1]] * 4)


def test_words_that_pandas_takes_for_gaps_are_gaps():
    from pandas._libs.parsers import STR_NA_VALUES

    assert {word.casefold() for word in STR_NA_VALUES} <= MISSING


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_column_between_numbers_and_words_is_refused_until_it_is_said_what_it_is(share):
    texts = [f"{x}{i}" if i < share * NUM_ROWS else f"word {i}" for i, x in enumerate(NUMBERS)]
    with pytest.raises(
        InputError, match=rf"column 'x': {share:.0%} of its cells are numbers, and others are not"
    ):
        learn(x=texts, z=NUMBERS)
    assert isinstance(learn({"x": "number"}, x=texts, z=NUMBERS)[0], NumberColumn)
    assert isinstance(learn({"x": "text"}, x=texts, z=NUMBERS)[0], CategoryColumn)
    assert isinstance(learn({"x": "drop"}, x=texts, z=NUMBERS)[0], DroppedColumn)


# Categories


@pytest.mark.parametrize(
    "values",
    [
        ["01234", "02345", "A1000"] * 50,
        ["01234", "12345", "23456"] * 50,
        ["1.2.3", "1.10.0"] * 50,
        ["192.168.0.1", "10.0.0.7"] * 50,
        ["A12", "A7"] * 50,
        ["Monday", "Tuesday", None] * 50,
        [True, False, None] * 50,
        pd.Categorical([1, 2, 3] * 50),
        [[1, 2], [3]] * 50,
        [b"ab", b"c"] * 50,
    ],
)
def test_what_is_no_number_and_no_date_is_a_category(values):
    (column,) = columns = learn(x=values)
    assert isinstance(column, CategoryColumn)
    np.testing.assert_array_equal(encoded(columns, x=values).sum(axis=1), 1)


@pytest.mark.parametrize(
    "words", [["TRUE", "FALSE", "1"], ["true", "0"], ["False", "1", "0", "True"], ["1", "False"]]
)
def test_ones_and_zeros_among_truth_values_are_truth_values_and_are_told(capsys, words):
    columns = learn(x=words * 20)
    values = [[0, 1] if word.lower() in ("true", "1") else [1, 0] for word in words]
    np.testing.assert_array_equal(encoded(columns, x=words), values)
    said, digits = capsys.readouterr().err, [word for word in words if word in ("0", "1")]
    told = "is taken for truth values, and {} among them for True or False"
    assert f"column 'x': {told.format(', '.join(map(repr, digits)))}\n" in said
    frame = pd.DataFrame({"x": NUMBERS[: 20 * len(words)], "y": words * 20})
    assert tables.read_table(frame, "y", test=frame[:9]).class_names == (False, True)
    told = told.format(", ".join(map(repr, sorted(digits))))
    assert f"target: 'y': {told}\n" in capsys.readouterr().err


def test_truth_values_are_the_same_however_they_are_written():
    columns = learn(x=["true", "FALSE"] * 20)
    assert columns == learn(x=[True, False] * 20)
    for values in ([True, False], ["True", "false"], [1, 0], ["1", "0"], [1.0, 0.0]):
        np.testing.assert_array_equal(encoded(columns, x=values), [[0, 1], [1, 0]])


# Dates


@pytest.mark.parametrize(
    "form",
    [
        *("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%B %d, %Y", "%d %b %Y", "%Y/%m/%d"),
        *("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y-%m-%dT%H:%M:%SZ"),
    ],
)
def test_dates_are_read_as_people_write_them(form, capsys):
    texts = DAYS.strftime(form).tolist()
    (column,) = columns = learn(day=texts)
    assert isinstance(column, DateColumn) and column.cycles == ("week", "year")
    days = (DAYS - pd.Timestamp("1970-01-01")).days
    values = encoded(columns, day=texts)
    np.testing.assert_array_equal(values[:, 0], days)
    np.testing.assert_allclose(values[:, 1], np.sin(2 * np.pi * days / 7), atol=1e-12)
    # A column of dates is the same in any type.
    np.testing.assert_array_equal(encoded(columns, day=DAYS), values)
    np.testing.assert_array_equal(encoded(columns, day=DAYS.tz_localize("UTC")), values)
    assert f"column 'day': {texts[0]!r} is the date {DAYS[0].date()}" in capsys.readouterr().err


def test_a_date_whose_day_or_month_may_stand_first_is_asked_for():
    texts = ["01/02/2024", "03/04/2024", "05/06/2023"] * 20
    with pytest.raises(InputError, match=r"'01/02/2024' may have its day first \(day-first\) or its month"):
        learn(day=texts)
    for kind, month in {"day-first": 2, "month-first": 1}.items():
        day = datetime.date(2024, month, 3 - month) - datetime.date(1970, 1, 1)
        assert encoded(learn({"day": kind}, day=texts), day=texts)[0, 0] == day.days


STAMPS = pd.Timestamp("2024-01-01 09:05") + pd.to_timedelta(np.arange(NUM_ROWS) * 7, "h")


@pytest.mark.parametrize("universal", ["", " UTC", " GMT"])
@pytest.mark.parametrize("time", ["%H:%M", "%H:%M:%S", "%I:%M:%S %p"])
@pytest.mark.parametrize(
    "date",
    [
        *("%Y-%m-%d ", "%d.%m.%Y ", "%d.%m.%Y, ", "%m/%d/%Y, ", "%B %d, %Y, ", "%b %d %Y ", "%B %d %Y, "),
        *("%d%b%Y:", "%d/%b/%Y:", "%d-%b-%Y "),
    ],
)
def test_dates_and_times_are_read_whatever_stands_between_and_behind_them(date, time, universal):
    if (date, time) == ("%Y-%m-%d ", "%I:%M:%S %p"):
        return
    texts = (STAMPS.strftime(date + time) + universal).str.upper().tolist()
    columns = learn(at=texts, z=NUMBERS)
    assert isinstance(columns[0], DateColumn) and columns[0].cycles == ("day", "week")
    days = (STAMPS - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    np.testing.assert_allclose(encoded(columns, at=texts, z=NUMBERS)[:, 0], days, rtol=0, atol=1e-9)


def test_times_repeat_each_day(capsys):
    times = pd.Timestamp("2024-01-01 00:30") + pd.to_timedelta(np.arange(NUM_ROWS) * 1.7, "h")
    (column,) = columns = learn(at=times.strftime("%Y-%m-%d %H:%M"))
    assert column.cycles == ("day", "week")
    hours = (times.hour + times.minute / 60).to_numpy()
    values = encoded(columns, at=times)
    np.testing.assert_allclose(
        values[:, 1:3].T, [np.sin(hours * np.pi / 12), np.cos(hours * np.pi / 12)], atol=1e-9
    )
    (column,) = learn(at=times.strftime("%H:%M"))
    assert isinstance(column, DateColumn) and "is taken for 11:51:00" in column.describe()
    assert "column 'at': '00:30' is the time 00:30:00\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["2h 30m", "45m", "1h"], [9000, 2700, 3600]),
        (["1 day 02:03:04", "0 days 00:00:30", "-1 days +23:59:00"], [93784, 30, -60]),
        (["1 day, 2:03:04", "0:00:30", "30:00:00"], [93784, 30, 108_000]),
        (["5 min", "2 hours", "30 s"], [300, 7200, 30]),
        (["P1DT2H3M4S", "P0DT0H0M30S"], [93784, 30]),
        ([str(pd.Timedelta(hours=hours)) for hours in (1, 30)], [3600, 108_000]),
    ],
)
def test_spans_of_time_are_seconds_however_they_are_written(capsys, texts, seconds):
    (column, _) = columns = learn(x=texts * 20, z=[*range(20 * len(texts))])
    assert isinstance(column, NumberColumn) and column.unit == "seconds"
    assert encoded(columns, x=texts, z=seconds)[:, 0].tolist() == seconds
    spans = pd.to_timedelta(seconds, "s")
    np.testing.assert_array_equal(encoded(columns, x=spans, z=seconds)[:, 0], seconds)
    assert f"column 'x': {texts[0]!r} is the number of seconds {seconds[0]}\n" in capsys.readouterr().err
    frame = pd.DataFrame({"x": NUMBERS, "y": [f"{i}h {i % 50}m" for i in range(NUM_ROWS)]})
    with pytest.raises(InputError, match="target: 'y' holds dates or times; give it as numbers"):
        tables.read_table(frame, "y")


@pytest.mark.parametrize(
    "texts",
    [
        ["2h", "5", "30m"],
        ["5 m", "3 km", "2 h"],
        ["spring", "2h", "fall"],
        ["+49 170 1000", "+49 171 2000"],
        ["1,-", "2,-"],
        ["1:30", "45:10"],
        ["10:30", "11:45"],
    ],
)
def test_what_may_be_no_span_of_time_is_none(texts):
    column, _ = learn(x=texts * 20, z=[*range(20 * len(texts))])
    assert not isinstance(column, NumberColumn)


# What is left out, and what is said


def test_columns_that_tell_nothing_are_left_out_with_a_word(capsys):
    columns = learn(
        **{"Unnamed: 0": range(NUM_ROWS)},
        name=[f"customer {i}" for i in range(NUM_ROWS)],
        page=["word " * 100] * 50 + ["short"] * 150,
        version=20230101,
        country="DE",
        nothing=None,
        infinite=np.inf,
        x=NUMBERS,
    )
    said = capsys.readouterr().err
    assert [column.name for column in columns if not isinstance(column, DroppedColumn)] == ["x"]
    for name, reason in {
        "Unnamed: 0": "it counts the rows, as a saved index does",
        "name": "its texts are all different",
        "page": "it holds pages of text",
        "version": "it never changes in the training rows (20230101)",
        "country": "it never changes in the training rows (DE)",
        "nothing": "it has no value in any row",
        "infinite": "it has no value in any training row",
    }.items():
        assert f"column {name!r}: is left out: {reason}\n" in said
    # New rows need not have them.
    np.testing.assert_array_equal(encoded(columns, x=[1.0]), [[1.0]])


def test_whole_numbers_that_are_all_different_stay_with_a_word(capsys):
    columns = learn(price=np.random.default_rng(0).permutation(NUM_ROWS))
    assert isinstance(columns[0], NumberColumn)
    assert "column 'price': holds whole numbers that are all different" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sentinel", "every", "is_told"),
    [(-999, 20, True), (9999.0, 7, True), (-999, 150, False), (0, 20, False), (25, 20, False)],
)
def test_a_number_that_stands_for_a_gap_is_named(capsys, sentinel, every, is_told):
    ages = NUMBERS.copy()
    ages[::every] = sentinel
    learn(age=ages)
    told = f"is {sentinel:g} in {len(ages[::every])} rows, far from all others" in capsys.readouterr().err
    assert told is is_told
    learn({"age": "number"}, age=ages)
    assert "far from all others" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["number", "text", "drop"])
def test_what_is_said_overrules_what_is_found(kind):
    (column, _) = learn({"x": kind}, x=[1, 2, 3, 4] * 50, z=NUMBERS)
    assert column.__class__ is {"number": NumberColumn, "text": CategoryColumn, "drop": DroppedColumn}[kind]


@pytest.mark.parametrize("cells", [["Rs. 5", "Rs. 7"], ["u", "v"], ["True", "False"], DAYS[:2]])
@pytest.mark.parametrize("kind", ["number", "decimal-comma"])
def test_what_is_said_to_be_numbers_holds_some(cells, kind):
    with pytest.raises(InputError, match="column 'x': was said to hold numbers, got '"):
        learn({"x": kind}, x=[*cells] * 100, z=NUMBERS)
    assert isinstance(learn({"x": kind}, x=["5", *["x"] * 199], z=NUMBERS)[0], NumberColumn)


@pytest.mark.parametrize(
    ("kind", "cells", "why"),
    [
        ("text", ["q"] * 200, "it never changes in the training rows (q)"),
        ("number", ["5 €"] * 200, "it never changes in the training rows (5)"),
        ("date", ["2024-02-03"] * 200, "it never changes in the training rows (2024-02-03)"),
        ("", ["2024-02-03 11:30"] * 200, "it never changes in the training rows (2024-02-03 11:30:00)"),
    ],
)
def test_a_column_that_never_changes_is_told_whatever_was_said_of_it(capsys, kind, cells, why):
    assert isinstance(learn({"x": kind} if kind else {}, x=cells, z=NUMBERS)[0], DroppedColumn)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith(f"column 'x': is left out: {why}")


def test_numbers_may_not_be_said_to_be_dates():
    with pytest.raises(InputError, match="column 'x': was said to hold dates, got '1', '2', '3'"):
        learn({"x": "date"}, x=[1, 2, 3], z=[1, 2, 4])


# New rows


@pytest.mark.parametrize(
    ("learnt", "new"),
    [
        (NUMBERS, ["a", "b"]),
        (NUMBERS, pd.to_datetime(["2024-01-01", "2024-01-02"])),
        (["01234", "02345"] * 20, [1234, 2345]),
        (["yes", "no"] * 20, ["oui", "non"]),
        (DAYS.strftime("%Y-%m-%d"), [19000, 19001]),
        (DAYS.strftime("%d.%m.%Y"), ["2024-01-31", "2024-02-28"]),
        ([True, False] * 20, ["yes", "no"]),
    ],
)
def test_new_rows_in_which_nothing_can_be_read_are_refused(learnt, new):
    with pytest.raises(InputError, match=r"^column 'x': 2 of 2 cells .*; was learnt as "):
        encoded(learn(x=learnt), x=new)


def test_new_rows_with_new_or_missing_cells_are_told_with_their_share(capsys):
    columns = learn(x=NUMBERS, word=["a", "b"] * 100)
    capsys.readouterr()
    values = encoded(columns, x=["1", "2", "many", None], word=["a", "c", "c", "b"])
    np.testing.assert_array_equal(values[:, 0], [1, 2, columns[0].fill, columns[0].fill])
    np.testing.assert_array_equal(values[:, 1:], [[1, 0], [0, 0], [0, 0], [0, 1]])
    unknown = "they count as none of the known categories"
    assert capsys.readouterr().err.splitlines() == [
        "warning: column 'x': 1 of 4 cells are no numbers: 'many'; they count as missing",
        "warning: column 'x': is missing in 1 of 4 rows, and never was in training",
        f"warning: column 'word': 2 of 4 cells were not learnt: 'c'; {unknown}",
    ]
    gap = learn(x=[*NUMBERS[1:], None])
    capsys.readouterr()
    assert encoded(gap, x=[None]).tolist() == [[gap[0].fill, 1]] and capsys.readouterr().err == ""
    encoded(gap, x=[None, None])
    assert capsys.readouterr().err == "warning: column 'x': is missing in 2 of 2 rows\n"
    # A single new row may have a new category.
    assert encoded(columns, x=[1.0], word=["c"]).tolist() == [[1, 0, 0]]


# Targets, and tables of other libraries


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["NA", "None", "EU"], ("EU", "NA", "None")),
        (["yes ", "yes", "no"], ("no", "yes")),
        (["\u200byes", "yes", "no"], ("no", "yes")),
        (["007", "7", "08"], ("007", "08", "7")),
        (["TRUE", "False", "true"], (False, True)),
        (["3", "1", "2"], (1, 2, 3)),
    ],
)
def test_classes_are_read_as_they_are_meant(tmp_path, cells, names, capsys):
    path = tmp_path / "classes.csv"
    pd.DataFrame({"x": NUMBERS[:60], "y": cells * 20}).to_csv(path, index=False)
    assert tables.read_table(path, "y").class_names == names
    padded = f"space around a class does not count: {cells[0]!r}" in capsys.readouterr().err
    assert padded == (cells[1] == "yes")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["yes", "no", "NA"], "'NA' is taken for a class; where it stands for a gap, drop these rows"),
        (["yes", "no", "?"], "'?' is taken for a class"),
        (["Yes", "yes", "no"], "'Yes', 'yes' are different classes; write them alike if they are one"),
        (
            ["0,5", "1,5", "2"],
            "'0,5', '1,5', '2' are taken for classes; if they are numbers, say decimal-comma",
        ),
        (
            ["1.5 €", "2.5 €", "3 €"],
            "'1.5 €', '2.5 €', '3 €' are taken for classes; if they are numbers, say decimal-point",
        ),
        (
            ["5%", "10%", "20%"],
            "'10%', '20%', '5%' are taken for classes; if they are numbers, say decimal-point of it",
        ),
        (
            ["1,000", "2,000", "5,500"],
            "'1,000', '2,000', '5,500' are taken for classes; if they are numbers, say decimal-point or "
            "decimal-comma of it",
        ),
        (["1 star", "2 stars", "3 stars"], None),
        (["<=50K", ">50K", "0"], None),
        (["Smith, J", "Doe, A", "Roe, B"], None),
        (["yes", "no", "perhaps"], None),
        (pd.Categorical(["1", "2", "3"]), None),
        (["0.5", "1.5", "2"], None),
        ([True, False, True], None),
        (["007", "7", "08"], None),
    ],
)
def test_classes_that_may_be_meant_otherwise_are_told(capsys, cells, told):
    tables.read_table(
        pd.DataFrame({"x": NUMBERS[:60], "y": pd.Series(cells).repeat(20).reset_index(drop=True)}), "y"
    )
    said = capsys.readouterr().err
    assert f"target: 'y': {told}" in said if told else "target: " not in said


def test_a_target_is_read_as_numbers_are():
    frame = pd.DataFrame({"x": NUMBERS, "y": [f"€ {1e4 * x:,.1f}" for x in NUMBERS]})
    splits = tables.read_table(frame, "y")
    assert splits.task == "regression"
    np.testing.assert_allclose(splits.train.targets, 1e4 * splits.train.inputs[:, 0], rtol=1e-6)
    frame.loc[3, "y"] = "?"
    with pytest.raises(InputError, match=r"target: 'y' holds numbers, but in 1 of 200 rows others, '\?'"):
        tables.read_table(frame, "y")
    frame["y"] = [f"{x:.0f},{i:03}" for i, x in enumerate(NUMBERS)]
    with pytest.raises(InputError, match="decimal-comma"):
        tables.read_table(frame, "y")
    assert tables.read_table(frame, "y", columns={"y": "decimal-comma"}).train.targets.max() < 100


def test_tables_of_other_libraries_are_tables():
    pyarrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"x": NUMBERS, "w": ["a", "b"] * 100, "y": ["u", "v"] * 100})
    wanted = tables.read_table(frame, "y")
    for table in (pyarrow.Table.from_pandas(frame), frame.to_dict("list"), dict(frame)):
        splits = tables.read_table(table, "y")
        np.testing.assert_array_equal(splits.train.inputs, wanted.train.inputs)
        assert splits.columns == wanted.columns
    result = jaxmlp.fit_mlp(wanted, num_epochs=1, progress=False)
    np.testing.assert_array_equal(
        jaxmlp.predict_table(result.model, frame), jaxmlp.predict_table(result.model, frame.to_dict("list"))
    )


def test_any_holder_of_numbers_is_a_column_of_numbers():
    for values in (
        [Decimal(1), None, Decimal(3)],
        pd.Series([1, None, 3], dtype="Int64"),
        ["1", None, " 3.0"],
    ):
        columns = learn(x=values)
        assert columns == (NumberColumn("x", 2.0, True),)
        np.testing.assert_array_equal(encoded(columns, x=values), [[1, 0], [2, 1], [3, 0]])
    for dtype in (complex, object):
        with pytest.raises(InputError, match="column 'x': must hold real numbers, got complex ones"):
            learn(x=pd.Series([1 + 2j, 3j], dtype=dtype))


@pytest.mark.parametrize(
    "write",
    [
        lambda day: day,
        lambda day: day.date(),
        lambda day: datetime.time(day.day % 24, day.month),
        lambda day: f"{day:%Y-%m-%d}",
        lambda day: f"{day:%d.%m.%Y %H:%M}",
    ],
)
def test_a_target_of_dates_or_times_is_refused_however_it_is_written(write):
    frame = pd.DataFrame({"a": NUMBERS, "y": [write(day) for day in DAYS]}, dtype=object)
    with pytest.raises(InputError, match=r"target: 'y' holds dates or times; give it as numbers"):
        tables.read_table(frame, "y")


def test_a_target_is_read_as_was_said_also_where_it_could_be_plain_numbers():
    frame = pd.DataFrame({"x": NUMBERS, "y": [f"{i + 1}.{i + 100}" for i in range(NUM_ROWS)]})
    assert tables.read_table(frame, "y").train.targets.max() < 1000
    assert tables.read_table(frame, "y", columns={"y": "decimal-comma"}).train.targets.min() > 1000


def test_the_target_of_other_tables_is_written_as_that_of_the_training_table(tmp_path):
    texts = [swap_marks(f"{1e4 * x:,.1f}") for x in NUMBERS]
    frame = pd.DataFrame({"x": NUMBERS, "y": texts})
    splits = tables.read_table(frame, "y", test=pd.DataFrame({"x": [1.0, 2.0], "y": ["200.263", "1,25"]}))
    np.testing.assert_array_equal(splits.test.targets, [200263, 1.25])
    model = jaxmlp.fit_mlp(splits, num_epochs=1, progress=False).model
    loaded = jaxmlp.load(jaxmlp.save(tmp_path / "model.safetensors", model))
    assert loaded.spec.target_kind == "decimal-comma"
    values, _ = read_target(pd.Series(["200.263"], name="y"), loaded.spec.target_kind)
    assert values.tolist() == [200263]
    # Where the texts are plain numbers, nothing has to be known.
    assert tables.read_table(frame.assign(y=NUMBERS.astype(str)), "y").target_kind is None
