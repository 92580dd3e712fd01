"""Rows split as the data demand, through the command."""

import json

import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.models.model import load
from tests.support.commands import command

SMALL = ("--hidden-sizes", 8, "--depth", 1, "--embedding", "none", "--num-epochs", 2, "--quiet")
QUICK = ("--num-members", 1, "--num-folds", 3, *SMALL)


def visits(num_people, seed, first_day="2024-01-01"):
    random = np.random.default_rng(seed)
    number = 6 * num_people
    frame = pandas.DataFrame(random.normal(size=(number, 3)), columns=["a", "b", "c"])
    frame["person"] = [f"{seed}-{row // 6}" for row in range(number)]
    frame["day"] = pandas.date_range(first_day, periods=number).strftime("%d/%m/%Y")
    frame["bought"] = np.where(frame["a"] + random.normal(size=number) > 0, "yes", "no")
    return frame.sample(frac=1, random_state=seed)


@pytest.fixture
def table(tmp_path):
    visits(30, 0).to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path / "visits.csv"


def fit(capsys, table, *flags):
    out = table.parent / "run"
    status, printed, err = command(capsys, "fit", table, "--target", "bought", *QUICK, *flags, "--out", out)
    assert status == 0, err
    return printed, err, out


def test_people_stay_whole_and_their_names_are_no_input(capsys, table):
    printed, err, out = fit(capsys, table, "--group", "person", "--column", "day=drop")
    assert "visits: 144 train, 36 test examples, binary (2 classes); 24 groups, split whole" in printed
    assert "1 setting, each without one of 3 folds in turn" in printed and err == ""
    assert [column.name for column in load(out / "model.safetensors").spec.columns] == ["a", "b", "c", "day"]
    config = json.loads((out / "record.json").read_text())["config"]
    assert config["group"] == "person"
    # New rows need no person.
    visits(5, 1).drop(columns=["person", "bought"]).to_csv(table.parent / "new.csv", index=False)
    model, new = out / "model.safetensors", table.parent / "new.csv"
    assert command(capsys, "predict", model, new, "--out", table.parent / "out.csv")[0] == 0


def test_days_are_split_in_their_order(capsys, table):
    printed, err, out = fit(capsys, table, "--time", "day", "--column", "person=drop")
    assert "144 train, 36 test examples, binary (2 classes); 144 times, split in their order" in printed
    assert "each on what is before each of 3 stretches of time, and on all" in printed
    assert err.startswith("warning: column 'day': orders the rows and is no input") and err.count("\n") == 1
    assert len(load(out / "best_member.safetensors").networks) == 1


def test_parts_may_be_files_of_their_own(capsys, table):
    flags = []
    for seed, part in enumerate(("validation", "test"), 1):
        visits(10, seed, "2025-01-01").to_csv(table.parent / f"{part}.csv", index=False, sep=";")
        flags += [f"--{part}", table.parent / f"{part}.csv"]
    flags += ["--group", "person", "--column", "day=day-first"]
    printed, err, _ = fit(capsys, table, *flags)
    assert "visits: 180 train, 60 validation, 60 test examples" in printed
    assert "folds" not in printed and "are of groups" not in err
    # A test part that is the table itself is known to the last row, and said to be.
    printed, err, _ = fit(capsys, table, *flags[:2], "--test", table, *flags[4:])
    assert f"test ({table}): 180 of 180 rows are of groups that the table has, too, by 'person'" in err
    assert "test: 180 of 180 rows have twins among those to learn from" in err


def test_a_run_with_another_group_is_not_gone_on_with(capsys, table):
    flags = "--checkpoint-every", 1, "--column", "day=drop", "--column", "person=drop"
    _, _, out = fit(capsys, table, "--group", "person", *flags)
    flags = *flags, "--target", "bought", *QUICK, "--resume", "--out", out
    status, _, err = command(capsys, "fit", table, *flags)
    assert status == 2 and "is of another run: " in err and "group was 'person', and is 'None'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits", "--group", "person"), "group: is for a CSV or Parquet file, but the data are 'digits'"),
        (("digits", "--test", "a.csv"), "test: is for a CSV or Parquet file, but the data are 'digits'"),
        (("{table}", "--target", "bought", "--group", "human"), "groups: unknown name 'human'"),
        (
            ("{table}", "--target", "bought", "--time", "person"),
            "time: column 'person' must hold dates or numbers, which have an order, got '0-",
        ),
        (("{table}", "--target", "bought", "--test", "nowhere.csv"), "nowhere.csv: no such file"),
        (
            ("{table}", "--target", "bought", "--column", "a=text", "--column", "a=drop"),
            "column: what 'a' is must be said once, got it 2 times",
        ),
    ],
)
def test_what_cannot_be_is_one_line(capsys, table, arguments, message):
    given = [str(table) if one == "{table}" else one for one in arguments]
    status, _, err = command(capsys, "fit", *given, "--out", table.parent / "run")
    assert status == 2 and err.startswith(f"error: {message}") and err.count("\n") == 1


def test_a_time_that_cannot_be_read_is_refused_in_the_words_of_the_command(capsys, table):
    flags = "--target", "bought", "--time", "person", "--out", table.parent / "run"
    _, _, err = command(capsys, "fit", table, *flags)
    assert "say it as --column person=day-first, or columns={'person': 'day-first'}" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="bought"), "target: unknown name 'bought'; known: "),
        (
            lambda rows: rows.assign(bought=["", *["yes"] * 59]),
            "target: 'bought' is missing in 1 of 60 rows, ",
        ),
        (
            lambda rows: rows.assign(bought="perhaps"),
            "target: 'bought' has the class 'perhaps', which was not",
        ),
        (lambda rows: rows.drop(columns="a"), "column 'a': is not in the table, which has 'b'"),
        (lambda rows: rows.assign(a="much"), "column 'a': 60 of 60 cells are no numbers: 'much'"),
    ],
)
@pytest.mark.parametrize("part", ["validation", "test"])
def test_what_is_wrong_with_a_parts_own_file_names_the_file(capsys, table, part, change, message):
    own = table.parent / "own.csv"
    change(visits(10, 1)).to_csv(own, index=False)
    flags = ("--target", "bought", "--group", "person", "--column", "day=drop", f"--{part}", own)
    status, _, err = command(capsys, "fit", table, *flags, "--out", table.parent / "run")
    assert status == 2 and err.startswith(f"error: {part} ({own}): {message}") and err.count("\n") == 1


def test_what_is_odd_in_a_parts_own_file_names_the_file(table, capsys):
    own = table.parent / "own.csv"
    visits(10, 1).assign(a=["much", *["1"] * 59]).to_csv(own, index=False)
    jaxmlp.read_table(table, "bought", groups="person", columns={"day": "drop"}, test=own)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"warning: test ({own}): column 'a': 1 of 60 cells are no numbers: 'much'; they count"
    )
