"""A sweep as its users run it: ranges and data in, models, pictures and a record out."""

import contextlib
import json

import numpy as np
import pytest

from experiments import sweep
from tests.support.commands import refused, run

SMALL = (
    "--dataset",
    "digits",
    "--num-members",
    6,
    "--max-programs",
    1,
    "--hidden-sizes",
    8,
    "--depth",
    1,
    "--num-epochs",
    3,
)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep")
    with (out / "printed").open("w") as printed, contextlib.redirect_stdout(printed):
        run(
            sweep,
            "--smoke",
            *SMALL,
            "--activation",
            "relu",
            "--optimizer",
            "adam",
            "--num-seeds",
            2,
            "--out",
            out,
        )
    return out


def test_every_score_lies_in_its_interval_over_the_examples(digits_run):
    record = json.loads((digits_run / "record.json").read_text())
    intervals = record["tables"]["intervals"]
    names = "ensemble_held_out_accuracy", "ensemble_test_accuracy", "best_member_test_accuracy"
    for name in names:
        low, high = intervals[name]
        assert 0 <= low < record["metrics"][name]["values"][0] < high <= 1
    low, high = intervals["ensemble_minus_best_member"]
    assert low <= record["metrics"]["ensemble_minus_best_member"]["values"][0] <= high


def test_the_answer_says_whose_examples_its_interval_is_of(digits_run):
    text = sweep.answer(json.loads((digits_run / "record.json").read_text())).text
    assert text.endswith("between them over the examples of the first of 2 sweeps")


def test_a_sweep_leaves_record_models_and_pictures(digits_run):
    pictures = {"members.png", "landscape.png", "importance.png", "growth.png"}
    names = {path.name for path in digits_run.iterdir()}
    assert (
        names >= {"record.json", "model.safetensors", "best_member.safetensors", "neurons_1.png"} | pictures
    )


def test_the_record_has_every_member_and_each_sweeps_scores(digits_run):
    record = json.loads((digits_run / "record.json").read_text())
    assert record["metrics"]["ensemble_test_accuracy"]["n"] == 2
    gain = record["metrics"]["ensemble_minus_best_member"]["values"]
    scores = [record["metrics"][f"{name}_test_accuracy"]["values"] for name in ("ensemble", "best_member")]
    np.testing.assert_allclose(gain, np.subtract(*scores))
    assert len(record["curves"]["member_validation_accuracy"]) == 6
    assert {len(values) for values in record["tables"]["settings"].values()} == {6}
    assert set(record["tables"]["settings"]["hidden_sizes"]) == {8}
    assert record["metrics"]["num_programs"]["mean"] == 1


def test_the_plan_stands_before_everything(digits_run):
    lines = (digits_run / "printed").read_text().splitlines()
    assert lines[0].startswith("trial: ")
    assert lines[1] == "digits: 656 train, 360 test examples, multiclass (10 classes)"
    assert lines[2].startswith("6 settings, each without one of 4 folds in turn, ")
    assert lines[3].startswith("expected: ") and "GB of memory" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--learning-rate", "1:0.1"), "learning_rate: a range must rise from low to high, got 1.0:0.1"),
        (("--learning-rate", "0:1:log"), "learning_rate: "),
        (("--optimizer", "adamv"), "optimizer: unknown name 'adamv'; did you mean 'adam"),
        (("--depth", "one"), "depth: must be a number"),
        (("--num-members", 0), "num_members: must be a whole number of at least 1"),
        (("--search", "grid", "--max-programs", 1, "--depth", "1,2"), "max_programs: the grid has"),
        (("--time-budget", -1), "time_budget: must be a finite number above 0"),
        (("--validation-fraction", 0.0001), "validation_fraction: cannot cut"),
        (("--hidden-sizes", 10**9), "hidden_sizes: the networks would take"),
        (("--depth", 1000), "layer_sizes: must be at most 100 layers, got 1002"),
        (("--halving", 0), "halving: must be a whole number of at least 1"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capsys, tmp_path, arguments, message):
    line, code = refused(capsys, sweep, "--dataset", "digits", *arguments, "--out", tmp_path / "out")
    assert code == 2 and line.startswith("error: ") and message in line
    assert not list(tmp_path.glob("out/*.json"))
