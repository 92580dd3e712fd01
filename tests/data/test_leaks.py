"""What makes a score too good is told in a line, and what does not is not."""

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

import jaxmlp
from jaxmlp.data.leaks import find_leaks, measure_columns


def honest(num_rows=600, seed=0):
    """Columns of which each tells something of a class and of a number, and none all."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(num_rows, 4)), columns=list("abcd"))
    frame["word"] = random.choice(["x", "y", "z"], num_rows)
    worth = frame["a"] + frame["b"] + (frame["word"] == "x") + 0.5 * random.normal(size=num_rows)
    return frame.assign(real=np.exp(worth), kind=np.where(worth > 0.5, "yes", "no"))


def leaks_of(frame, target, **options):
    return find_leaks(jaxmlp.read_table(frame, target, **options))


LEAKS = {
    # The target by another name, in another unit, with a few errors, or beside much else.
    "code": lambda frame: np.where(frame["kind"] == "yes", 17, 4),
    "words": lambda frame: np.where(frame["kind"] == "yes", frame["word"] + "1", frame["word"] + "2"),
    "gap": lambda frame: np.where(frame["kind"] == "yes", 1.0 * np.arange(len(frame)), np.nan),
    "errors": lambda frame: (frame["kind"] == "yes") ^ (np.arange(len(frame)) % 300 == 0),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_gives_a_class_away_is_named(name, capfd):
    frame = honest().drop(columns="real")
    assert leaks_of(frame, "kind") == []
    (line,) = leaks_of(frame.assign(**{name: LEAKS[name](frame)}), "kind")
    assert line.startswith(f"column {name!r}: alone gives the target away, with an AUC of ")
    assert f"warning: {line}\n" in capfd.readouterr().err


@pytest.mark.parametrize("leak", [lambda y: 3.6 * y, lambda y: -np.log(y), lambda y: (y - np.median(y)) ** 3])
def test_a_column_that_gives_a_number_away_is_named(leak):
    frame = honest().drop(columns="kind")
    assert leaks_of(frame, "real") == []
    (line,) = leaks_of(frame.assign(other=leak(frame["real"])), "real")
    assert line.startswith("column 'other': alone gives the target away, with an R² of ranks of ")


def test_a_word_among_many_can_give_several_classes_away():
    random = np.random.default_rng(0)
    town = random.integers(0, 40, 800)
    frame = pd.DataFrame({"town": [f"t{one}" for one in town], "x": random.normal(size=800), "y": town % 3})
    (line,) = leaks_of(frame, "y")
    assert line.startswith("column 'town'")


def test_what_a_person_has_alone_is_no_leak_between_people():
    # A number of each person's own tells his level, which is nothing for other people.
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(60), 20)
    level, own = random.normal(size=60)[person], random.normal(size=60)[person]
    frame = pd.DataFrame({"person": person, "own": own, "x": random.normal(size=1200)})
    frame["y"] = level + 0.01 * random.normal(size=1200)
    assert len(leaks_of(frame.drop(columns="person"), "y")) == 1
    assert leaks_of(frame, "y", groups="person") == []


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_bundled_sets_have_no_column_that_tells_all(name):
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    assert leaks_of(frame, "target") == []


def test_rows_on_both_sides_are_told():
    frame = honest().drop(columns="kind")
    own = jaxmlp.read_table(frame, "real", test=pd.concat([frame[:30], honest(90, seed=1)]))
    (line,) = find_leaks(own)
    assert line.startswith("test: 30 of 120 rows have twins among those to learn from, with all inputs and ")
    # Twins of the inputs alone are no leak, and a single one is none to speak of.
    others = frame[:30].assign(real=frame["real"] * 1.5)
    assert find_leaks(own._replace(test=jaxmlp.read_table(frame, "real", test=others).test)) == []
    assert leaks_of(frame, "real", test=pd.concat([frame[:1], honest(90, seed=1)])) == []
    lines = leaks_of(frame, "real", test=honest(90, seed=1), validation=frame[:50])
    assert [line[:30] for line in lines] == ["validation: 50 of 50 rows have"]


def test_rows_that_are_there_twice_are_told_where_they_are_on_both_sides():
    frame = honest(300).drop(columns="kind")
    twice = pd.concat([frame, frame]).assign(row=[*range(300)] * 2)
    lines = leaks_of(twice.drop(columns="row"), "real")
    assert [line.partition(":")[0] for line in lines] == ["test", "rows"]
    # A test part of their own says nothing of the folds.
    own = twice.drop(columns="row")
    lines = leaks_of(own, "real", test=pd.concat([frame[:30], honest(90, seed=1)]))
    assert [line.partition(":")[0] for line in lines] == ["test", "rows"]
    (line,) = leaks_of(twice.drop(columns="row"), "real", test=honest(90, seed=1))
    assert line.startswith("rows: 600 of 600 to learn from have twins among the others, with all inputs and ")
    own = {"validation": honest(90, seed=1), "test": honest(90, seed=2)}
    assert leaks_of(twice.drop(columns="row"), "real", **own) == []
    assert leaks_of(twice, "real", groups="row") == []


def test_rows_of_few_categories_are_alike_by_chance():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.choice(["a", "b", "c"], (2000, 4)), columns=list("wxyz"))
    frame["y"] = random.choice(["yes", "no"], 2000)
    assert leaks_of(frame, "y") == []


def test_what_was_found_stays_with_the_splits(capsys):
    column = np.random.default_rng(0).normal(size=600)
    splits = jaxmlp.read_table(pd.DataFrame({"leak": column, "y": column}), "y")
    assert [*splits.leaks] == find_leaks(splits) and len(splits.leaks) == 1
    assert f"warning: {splits.leaks[0]}\n" in capsys.readouterr().err


def test_of_many_columns_the_likeliest_are_measured():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(200, 150))
    splits = jaxmlp.from_arrays(inputs, (inputs[:, 140] > 0).astype(int))
    found = measure_columns(splits)
    assert len(found) == 100 and max(found, key=found.get) == "140"
    assert [line.split(":")[0] for line in find_leaks(splits)] == ["column '140'"]


def test_of_too_few_rows_nothing_is_said():
    inputs = np.arange(48.0).reshape(24, 2)
    assert find_leaks(jaxmlp.from_arrays(inputs, (inputs[:, 0] > 23).astype(int))) == []
    assert find_leaks(jaxmlp.from_arrays(inputs[:12], np.arange(12.0))) == []
