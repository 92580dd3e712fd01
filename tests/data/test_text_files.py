"""What is written opens where what was read does."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmlp.data.frames import read_frame
from jaxmlp.data.numerals import read_numbers
from jaxmlp.data.text_files import write_like

NUMBERS = [0.1, -1234.5678, 1e-12, 1e22, 2 / 3, float("nan")]


def write_and_read(folder, sep, mark, encoding, texts):
    """The frame that was read, what was written like it with NUMBERS beside, and the words for how."""
    own = pd.DataFrame({"größe": texts, "w": ["a", "b c", 'say "x"', "d;e", "f,g", "h"]})
    own.to_csv(folder / "own.csv", sep=sep, index=False, encoding=encoding)
    frame = read_frame(folder / "own.csv", separator=sep)
    beside = pd.DataFrame({"prediction": NUMBERS}, index=frame.index)
    said = write_like(folder / "out.csv", frame.join(beside), frame)
    return frame, read_frame(folder / "out.csv", separator=sep), said


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([".", ","]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_cells_and_numbers_come_back_as_they_were(tmp_path_factory, sep, mark, encoding):
    texts = [f"{x:.2f}".replace(".", mark) for x in (1, 22, 333.25, -4, 5.5, 6)]
    frame, written, said = write_and_read(tmp_path_factory.mktemp("own"), sep, mark, encoding, texts)
    pd.testing.assert_frame_equal(written[["größe", "w"]], frame)
    found = read_numbers(written["prediction"], mark)
    assert found.values[:-1].tolist() == NUMBERS[:-1] and written["prediction"].iloc[-1] == ""
    assert (said == "") is ((sep, mark) == (",", "."))
    # With the other mark none of those with decimals would be the number that it is.
    assert all(mark in text for text in written["prediction"][[1, 2, 5]])


@pytest.mark.parametrize(
    ("sep", "texts", "mark"),
    [
        (";", ["1", "2", "3", "4", "5", "6"], ","),
        (",", ["1", "2", "3", "4", "5", "6"], "."),
        (";", ["1.5", "2", "3", "4", "5", "6"], "."),
        (";", ["1.500", "2.500", "3.500", "4.500", "5.500", "6.500"], ","),
        ("\t", ["01.02.2024"] * 6, "."),
        (";", ["01.02.2024"] * 6, ","),
        (",", ["1,5 %", "2 %", "3 %", "4 %", "5 %", "6 %"], ","),
    ],
)
def test_where_no_number_shows_a_mark_semicolons_go_with_commas(tmp_path, sep, texts, mark):
    _, written, _ = write_and_read(tmp_path, sep, mark, "utf-8", texts)
    assert written["prediction"].iloc[0] == f"0{mark}1"


def test_a_table_of_another_format_becomes_a_plain_file(tmp_path):
    frame = pd.DataFrame({"x": [0.5]})
    assert write_like(tmp_path / "out.csv", frame, frame) == ""
    assert (tmp_path / "out.csv").read_bytes() == b"x\n0.5\n"
