"""The comparison on tables: what the systems get, what is kept of them, and what is made of it."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean, sem, t
from sklearn.model_selection import train_test_split

from experiments.harness.pages import module_of
from experiments.tabular import comparison, peers, tables
from experiments.tabular.comparison import frame_of
from experiments.tabular.measure import Measured, Outcome, losses_of, measure, read_outcomes, write_outcomes
from jaxmlp import records
from jaxmlp.types import InputError
from tests.support.commands import refused, run

tabular = module_of("tabular")


def outcome(table, system, split, loss, version="1"):
    seconds = {"wall": 1.0, "cpu": 2.0} | ({"warm_wall": 0.5, "warm_cpu": 1.0} if system == "jaxmlp" else {})
    return Outcome(table, system, split, Measured(80, {"log_loss": loss, "accuracy": 0.5}, seconds, version))


@pytest.fixture
def compared():
    """Two splits on each of four tables, where the other's loss is 2, 4, 1/2 and 8 times ours."""
    factors = {"a": 2, "b": 4, "c": 0.5, "d": 8}
    each = [outcome(table, "jaxmlp", split, 0.1 * (split + 1)) for table in factors for split in (0, 1)]
    each += [
        outcome(table, "other", split, factor * 0.1 * (split + 1))
        for table, factor in factors.items()
        for split in (0, 1)
    ]
    return frame_of(each)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A folder with a table whose classes follow from a word and a number, with gaps in both."""
    draws = np.random.default_rng(0)
    frame = pd.DataFrame({"city": draws.choice(["Rome", "Oslo", "Bern"], 400), "age": draws.normal(size=400)})
    frame["target"] = np.where((frame["city"] == "Rome") | (frame["age"] > 1), "yes", "no")
    frame.loc[::50, "age"] = np.nan
    frame.loc[7, "city"] = None
    # Each is in one row only, so that some words to test on were never trained on.
    frame.loc[8:108:5, "city"] = [f"town {number}" for number in range(21)]
    folder = tmp_path_factory.mktemp("words")
    frame.to_csv(folder / "words.csv.gz", index=False)
    return folder


# What the systems get


def test_a_split_is_scikit_learns_of_the_rows_themselves(words):
    frame = tables.read_rows(str(words / "words.csv.gz"))
    split = tables.cut(frame, 3)
    train, test = train_test_split(frame, test_size=0.2, random_state=3, stratify=frame["target"])
    pd.testing.assert_frame_equal(split.train, train[["city", "age"]])
    pd.testing.assert_frame_equal(split.test, test[["city", "age"]])
    assert split.classes == ("no", "yes")
    np.testing.assert_array_equal(peers.named(split.test_targets, split.classes), test["target"])


def test_gaps_are_the_empty_word_or_nan_and_large_tables_are_sampled(tmp_path, words):
    frame = tables.read_rows(str(words / "words.csv.gz"))
    assert frame["city"][7] == "" and frame["age"].isna().sum() == 8
    numbers = pd.DataFrame({"x": np.arange(12_001), "target": np.arange(12_001) / 2})
    numbers.to_csv(tmp_path / "large.csv", index=False)
    sampled = tables.read_rows(str(tmp_path / "large.csv"))
    pd.testing.assert_frame_equal(sampled, numbers.sample(12_000, random_state=0))


@pytest.mark.parametrize(
    ("values", "labels", "classes"),
    [
        ([2.0, 10.0, 2.0], [0, 1, 0], ("2", "10")),
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        ([0.5, 1.0, 2.0], [0.5, 1.0, 2.0], ()),
        (list(range(21)), list(range(21)), ()),
    ],
)
def test_words_and_few_whole_numbers_are_classes(values, labels, classes):
    found, names = tables.read_targets(pd.Series(values))
    np.testing.assert_array_equal(found, labels)
    assert names == classes


def test_tables_are_those_that_ship_and_those_in_the_folder(words, tmp_path, capsys, monkeypatch):
    found = tables.find_tables(words)
    assert list(found) == ["breast_cancer", "wine", "diabetes", "digits", "words"]
    with pytest.raises(InputError, match="tables: must be a folder of CSV files"):
        tables.find_tables(tmp_path)
    monkeypatch.setattr(tables, "BESIDE", tmp_path / "none")
    assert len(tables.find_tables(None)) == 4
    assert "--tables FOLDER" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["linear", "HistGradientBoosting", "LightGBM", "CatBoost"])
def test_each_system_takes_words_and_gaps(name, words):
    pytest.importorskip(peers.peers()[name].package)
    found = measure(name, str(words / "words.csv.gz"), 0)
    assert found.num_rows == 320 and found.losses["accuracy"] > 0.9 and found.losses["log_loss"] < 0.35
    assert found.seconds["wall"] > 0 and found.seconds["cpu"] > 0
    assert re.search(r"\d", found.version)


@pytest.mark.long
@pytest.mark.parametrize("name", ["jaxmlp", "MLP tuned", "RealMLP", "TabM"])
def test_each_network_takes_words_and_gaps(name, words):
    pytest.importorskip(peers.peers()[name].package)
    found = measure(name, str(words / "words.csv.gz"), 0, smoke=name == "jaxmlp")
    assert found.losses["accuracy"] > 0.6 and np.isfinite(found.losses["log_loss"])


def test_losses_are_those_of_the_rows_to_test_on():
    frame = pd.DataFrame({"x": [0, 1]})
    split = tables.Split(frame, frame, np.array([0, 1]), np.array([0, 1]), ("no", "yes"), 0)
    found = losses_of(split, np.array([[0.8, 0.2], [0.75, 0.25]]))
    np.testing.assert_allclose(found["log_loss"], -(np.log(0.8) + np.log(0.25)) / 2)
    assert found["accuracy"] == 0.5
    real = split._replace(classes=(), test_targets=np.array([1.0, 2.0]))
    np.testing.assert_allclose(losses_of(real, np.array([[4.0], [6.0]]))["rmse"], np.sqrt((9 + 16) / 2))
    for wrong in (np.full((2, 2), np.nan), np.ones((3, 2)), np.ones((2, 3))):
        with pytest.raises(ValueError):
            losses_of(split, wrong)


# What is kept


def test_outcomes_are_kept_line_by_line(tmp_path):
    path, kept = tmp_path / "measured.jsonl", [outcome("a", "x", 0, 0.7), outcome("a", "x", 1, 0.6)]
    assert read_outcomes(path) == {}
    write_outcomes(path, {("a", "x", split): one for split, one in enumerate(kept)})
    assert path.read_bytes().count(b"\n") == 2
    assert read_outcomes(path) == {("a", "x", split): one for split, one in enumerate(kept)}
    with path.open("a") as file:
        file.write('{"table": "a"')
    with pytest.raises(InputError, match=r"measured.jsonl' is damaged"):
        read_outcomes(path)


def test_a_run_goes_on_where_another_one_ended(tmp_path, capsys):
    flags = ("--datasets", "wine", "--systems", "linear", "--out", tmp_path)
    run(tabular, *flags, "--num-seeds", 2)
    assert len(re.findall(r"wine, split \d: linear log_loss", capsys.readouterr().out)) == 2
    first = (tmp_path / "measured.jsonl").read_text()
    run(tabular, *flags, "--num-seeds", 3)
    assert re.findall(r"wine, split (\d)", capsys.readouterr().out) == ["2"]
    lines = (tmp_path / "measured.jsonl").read_text()
    assert lines.startswith(first) and lines.count("\n") == 3
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["experiment"] == "tabular" and record["command"].startswith("python -m experiments.tabular")
    assert record["metrics"]["wine_linear_log_loss"]["n"] == 3


@pytest.mark.long
def test_a_trial_has_every_part_and_keeps_no_outcome(tmp_path):
    flags = ("--datasets", "wine", "diabetes", "--systems", "jaxmlp", "linear")
    run(tabular, "--smoke", *flags, "--out", tmp_path)
    pictures = {"ranks.png", "ratios.png", "seconds.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"record.json", "trial.jsonl"} | pictures
    record = json.loads((tmp_path / "record.json").read_text())
    assert next(iter(record["metrics"])) == "mean_rank_jaxmlp"
    assert record["metrics"]["mean_rank_linear"]["n"] == 2
    assert record["metrics"]["diabetes_jaxmlp_rmse"]["mean"] > 0
    cold, warm = (record["metrics"][f"wine_jaxmlp_{name}_time"]["mean"] for name in ("cpu", "warm_cpu"))
    # What the first process compiled, the second one finds.
    assert warm < cold
    assert record["tables"]["ratios"]["linear"]["num_tables"] == 2


# What is made of it


def test_ratios_are_geometric_means_over_tables(compared):
    (ratio,) = comparison.summaries(compared)["ratios"].values()
    np.testing.assert_allclose(ratio.mean, gmean([2, 4, 0.5, 8]))
    np.testing.assert_allclose(ratio.without_two_largest, gmean([2, 0.5]))
    assert (ratio.wins, ratio.num_tables) == (3, 4)
    expected = t.interval(0.95, 3, np.log(ratio.mean), sem(np.log([2, 4, 0.5, 8])))
    np.testing.assert_allclose(ratio.interval, np.exp(expected))
    assert comparison.log_ratios(compared[compared["system"] == "other"]) == {}


def test_only_splits_of_both_are_compared():
    found = frame_of(
        [outcome("a", "jaxmlp", 0, 0.1), outcome("a", "other", 0, 0.2), outcome("a", "other", 1, 9)]
    )
    np.testing.assert_allclose(comparison.log_ratios(found)["other"]["a"], [np.log(2)])


def test_ranks_are_over_tables_that_all_were_measured_on(compared):
    assert comparison.ranks(compared) == {"jaxmlp": [1, 1, 2, 1], "other": [2, 2, 1, 2]}
    more = pd.concat([compared, frame_of([outcome("a", "third", 0, 0.2)])])
    # Mean losses on the one table of all three: .15, .3 and .2.
    assert comparison.ranks(more) == {"jaxmlp": [1], "other": [3], "third": [2]}


def answer_of(frame, **record):
    metrics = {name: records.metric_summary(*pair) for name, pair in comparison.measures(frame).items()}
    return tabular.answer(
        record | {"metrics": metrics, "tables": records._plain(comparison.summaries(frame))}
    )


def test_versions_that_are_mixed_are_told():
    versions = {0: "2", 1: "1"}
    each = [outcome("a", "other", split, 0.2, version) for split, version in versions.items()]
    text = answer_of(frame_of([*each, outcome("a", "jaxmlp", 0, 0.1)])).text
    assert text.endswith("; other was measured as 1 and 2")
    assert "the loss of other, the best of the others, is 2.00 times ours" in text


def test_what_another_commit_measured_is_told():
    each = [outcome("a", "other", 0, 0.2, "1"), outcome("a", "jaxmlp", 0, 0.1, "jaxmlp 0123456")]
    told = [answer_of(frame_of(each), commit=commit).text for commit in ("0123456789", "9876543210")]
    assert [text.endswith("; jaxmlp was measured as jaxmlp 0123456") for text in told] == [False, True]


def test_few_tables_show_what_student_s_interval_shows(compared):
    # Logarithms 0.69, 1.39, -0.69 and 2.08: 0.87 ± 0.59, so from -1.02 to 2.75 with 3 degrees of freedom.
    found = answer_of(compared)
    assert found.text.startswith("No difference shown: ") and not found.shown
    assert "2.38 times ours in geometric mean (95 % from 0.36 to 15.64 over 4 tables" in found.text
    assert answer_of(compared[compared["table"] != "c"]).text.startswith("No difference shown: ")
    tables = {name: np.exp(1 + place / 10) for place, name in enumerate("abc")}
    pairs = [
        (table, system, loss)
        for table, ratio in tables.items()
        for system, loss in (("jaxmlp", 0.1), ("other", 0.1 * ratio))
    ]
    assert answer_of(frame_of([outcome(t, s, 0, loss) for t, s, loss in pairs])).text.startswith("Yes: ")


# What is asked for


def test_parts_of_the_recipe_are_systems_beside_the_whole(monkeypatch):
    monkeypatch.setattr(peers, "ABLATIONS", {"folds": {"num_epochs": 1}})
    assert list(tabular.chosen_systems(tabular.Config(ablation=True))) == ["jaxmlp", "jaxmlp with folds"]
    assert peers.ablations()["jaxmlp with folds"].package == "jaxmlp"


def test_a_system_that_is_not_installed_is_named_and_left_out(monkeypatch, capsys):
    known = {"jaxmlp": peers.peers()["jaxmlp"], "other": peers.Peer(peers.linear, "not_there")}
    monkeypatch.setattr(tabular, "peers", lambda: known)
    assert list(tabular.chosen_systems(tabular.Config())) == ["jaxmlp"]
    assert "other: left out, since not_there is not installed" in capsys.readouterr().out


def test_a_system_that_fails_is_told_and_the_others_go_on(tmp_path, capsys):
    lonely = pd.DataFrame({"x": range(30), "target": ["a"] * 29 + ["b"]})
    lonely.to_csv(tmp_path / "lonely.csv", index=False)
    flags = ("--tables", tmp_path, "--datasets", "lonely", "wine", "--systems", "linear", "--num-seeds", 1)
    run(tabular, *flags, "--out", tmp_path / "out")
    told = capsys.readouterr().out
    assert (
        "lonely, split 0: linear is left out: ValueError" in told and "wine, split 0: linear log_loss" in told
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--datasets", "wines"), "did you mean 'wine'"),
        (("--systems", "linea"), "did you mean 'linear'"),
        (("--num-seeds-large", 0), "num_seeds_large"),
        (("--tables", "nowhere"), "tables: must be a folder"),
    ],
)
def test_bad_input_is_one_line(flags, message, capsys, tmp_path):
    line, code = refused(capsys, tabular, *flags, "--out", tmp_path)
    assert code == 2 and message in line
    assert list(tmp_path.iterdir()) == []
