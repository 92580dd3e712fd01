"""Columns of a table that decide how its rows are split, and are no inputs."""

import numpy as np
import pandas as pd
import pytest

import jaxmlp
from jaxmlp.types import InputError

DAYS = pd.date_range("2021-03-01", periods=120)


def visits(**columns):
    """Visits of 30 people on 120 days, in no order, whose target is the day."""
    random = np.random.default_rng(0)
    order = random.permutation(120)
    frame = {"x": random.normal(size=120), "w": random.choice(["u", "v"], 120), "y": 1.0 * order}
    return pd.DataFrame(frame | {name: np.asarray(values)[order] for name, values in columns.items()})


def people_of(part, frame):
    return {*frame["person"][np.isin(frame["y"], part.targets)]}


@pytest.mark.parametrize("people", [np.arange(120) // 4, [f"Mr {row // 4}" for row in range(120)]])
def test_no_person_is_in_two_parts_and_none_is_an_input(people):
    frame = visits(person=people)
    splits = jaxmlp.read_table(frame, "y", groups="person")
    train, validation, test = (people_of(part, frame) for part in splits[:3])
    assert len(train) + len(validation) + len(test) == len(train | validation | test) == 30
    assert [column.name for column in splits.columns] == ["x", "w"]
    assert splits.train.inputs.shape[1] == 3


@pytest.mark.parametrize(
    ("days", "options"),
    [
        (DAYS, {}),
        (DAYS.strftime("%Y-%m-%d"), {}),
        (DAYS.strftime("%d.%m.%Y"), {}),
        ([f"{day:%b} {day.day}, {day.year}" for day in DAYS], {}),
        (DAYS[:12].append(DAYS[:12]).append(DAYS[:96])[:120].map(lambda day: f"0{day.month}/01/2021"), None),
        (np.arange(120.0), {}),
        ([f"{row},5" for row in range(120)], {"columns": {"day": "decimal-comma"}}),
        (DAYS.to_period("D"), {}),
    ],
)
def test_the_latest_rows_are_the_test_part_however_time_is_written(days, options, capfd):
    frame = visits(day=days)
    if options is None:
        # Which of the two is the month has to be said.
        with pytest.raises(InputError, match=r"^column 'day': .* may have its day first"):
            jaxmlp.read_table(frame, "y", time="day")
        assert jaxmlp.read_table(frame, "y", time="day", columns={"day": "day-first"}).is_ordered
        return
    splits = jaxmlp.read_table(frame, "y", time="day", **options)
    np.testing.assert_array_equal(np.sort(splits.test.targets), np.arange(96, 120))
    assert (
        splits.train.targets.max() < splits.validation.targets.min() <= splits.validation.targets.max() < 96
    )
    assert [column.name for column in splits.columns] == ["x", "w"]
    assert "column 'day': orders the rows and is no input, since what is" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"person": [1.0, np.nan] * 60},
            {"groups": "person"},
            "groups: column 'person' is missing or cannot",
        ),
        ({"person": ["a", "NA"] * 60}, {"groups": "person"}, "groups: column 'person' is missing or cannot"),
        ({"person": [1] * 120}, {"groups": "person"}, "groups: is the same in all rows, 1"),
        ({}, {"groups": "y"}, "groups: must be another column than the target, got 'y'"),
        ({}, {"groups": "z"}, "groups: unknown name 'z'"),
        ({}, {"time": "z"}, "time: unknown name 'z'"),
        ({}, {"time": "w"}, "time: column 'w' must hold dates or numbers, which have an order, got '[uv]'"),
        (
            {"day": [*DAYS[:117].astype(str), *["soon"] * 3]},
            {"time": "day"},
            "time: column 'day' is missing o",
        ),
        (
            {"day": [*DAYS[:60].astype(str), *["soon"] * 60]},
            {"time": "day"},
            "time: column 'day' must hold da",
        ),
        (
            {"day": [*DAYS[:119], None]},
            {"time": "day"},
            "time: column 'day' is missing or cannot be read in 1",
        ),
        ({"day": [DAYS[0]] * 120}, {"time": "day"}, "time: is the same in all rows"),
        ({"day": DAYS, "person": range(120)}, {"time": "day", "groups": "person"}, "groups, time: give one"),
    ],
)
def test_columns_that_cannot_split_are_refused(columns, options, message):
    with pytest.raises(InputError, match=f"^{message}") as error:
        jaxmlp.read_table(visits(**columns), "y", **options)
    assert "\n" not in str(error.value)


def test_parts_of_their_own_with_known_people_or_earlier_days_are_told(capfd):
    people = [f"p{row // 4}" for row in range(120)]
    frame = visits(person=people, day=DAYS)
    own = frame.assign(person=["p0", "p1", "q"] * 40)
    jaxmlp.read_table(frame.drop(columns="day"), "y", groups="person", test=own)
    line = "test: 80 of 120 rows are of groups that the table has, too, by 'person'"
    assert line in capfd.readouterr().err
    later = frame.assign(day=frame["day"] + pd.Timedelta(days=100))
    jaxmlp.read_table(frame.drop(columns="person"), "y", time="day", test=later)
    assert "test: 20 of 120 rows are no later than rows that the table has" in capfd.readouterr().err
    jaxmlp.read_table(frame.drop(columns="day"), "y", groups="person", test=own.drop(columns="person"))
    assert "rows are of groups" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("people", "told"),
    [
        (["p1", "P1", "p2", "P2", "q", "r"], "'P1', 'p1', 'P2', …"),
        (["Ann  Lee", "Ann Lee", "Bo"], "'Ann  Lee', 'Ann Lee'"),
        ([1, 2, 3], None),
        (["p1", "p2", "q1"], None),
    ],
)
def test_groups_that_look_alike_are_told(people, told, capfd):
    jaxmlp.read_table(visits(person=[people[row % len(people)] for row in range(120)]), "y", groups="person")
    said = capfd.readouterr().err
    line = f"groups: {told} are different groups; write them alike if they are one"
    assert line in said if told else "alike" not in said
