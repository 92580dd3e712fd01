"""A sweep as its users run it: ranges and data in, models, pictures and a record out."""

import contextlib
import json

import numpy as np
import pandas
import pytest

from experiments import predict, sweep
from experiments.command_line import main
from jaxmlp.data import columns
from jaxmlp.models import tables
from jaxmlp.models.model import load
from jaxmlp.models.prediction import predict_proba
from tests.support.commands import refused, run

SMALL = ("--num-members", 6, "--max-programs", 1, "--hidden-sizes", 8, "--depth", 1, "--num-epochs", 3)


def shop(num_rows, seed=0):
    """Buyers and what they saw, with numbers, words, truth values and gaps."""
    random = np.random.default_rng(seed)
    price, brand = random.uniform(1, 100, num_rows), random.choice(["A", "B", "C"], num_rows)
    sale, stars = random.random(num_rows) < 0.3, random.integers(1, 6, num_rows).astype(float)
    worth = 2 * stars + 3 * sale - price / 20 + np.array([0, 2, -2])[np.searchsorted(["A", "B", "C"], brand)]
    stars[random.random(num_rows) < 0.1] = np.nan
    bought = np.where(worth + random.normal(size=num_rows) > 4, "yes", "no")
    frame = {"price": price, "brand": brand, "on sale": sale, "stars": stars, "bought": bought}
    return pandas.DataFrame(frame), worth


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


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("table")
    shop(400)[0].to_csv(out / "shop.csv", index=False)
    run(
        sweep,
        "--dataset",
        out / "shop.csv",
        "--target",
        "bought",
        *SMALL,
        "--num-epochs",
        30,
        "--out",
        out / "run",
    )
    return out


def test_every_score_lies_in_its_interval_over_the_examples(digits_run):
    record = json.loads((digits_run / "record.json").read_text())
    intervals = record["tables"]["intervals"]
    for model in ("ensemble", "best_member"):
        for part in ("validation", "test"):
            low, high = intervals[name := f"{model}_{part}_accuracy"]
            assert 0 <= low < record["metrics"][name]["values"][0] < high <= 1
    low, high = intervals["ensemble_minus_best_member_test_accuracy"]
    assert low <= record["metrics"]["ensemble_minus_best_member"]["values"][0] <= high
    assert "95 % interval" in (digits_run / "printed").read_text()


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
    assert lines[0].startswith("digits: 512 train, ") and "multiclass (10 classes)" in lines[0]
    assert lines[1].startswith("6 members in 1 programs, ")
    assert lines[2].startswith("expected: ") and "GB of memory" in lines[2]


def test_a_table_goes_from_csv_to_predictions_of_new_rows(table_run, capsys):
    record = json.loads((table_run / "run" / "record.json").read_text())
    assert record["metrics"]["ensemble_test_accuracy"]["mean"] > 0.7
    model = load(table_run / "run" / "model.safetensors")
    assert model.spec.class_names == ("no", "yes") and model.spec.head == "binary"
    fresh, worth = shop(300, seed=1)
    fresh = fresh.drop(columns="bought")[["stars", "brand", "on sale", "price"]].assign(note="new")
    fresh.loc[0, "brand"] = "Z"
    fresh.to_csv(table_run / "new.csv", index=False)
    command = [
        table_run / "run" / "model.safetensors",
        table_run / "new.csv",
        "--out",
        table_run / "predicted",
    ]
    main(predict.Config, predict.run, list(map(str, command)))
    assert "300 rows predicted in" in capsys.readouterr().out
    predicted = pandas.read_csv(table_run / "predicted" / "new-predictions.csv")
    assert np.mean((predicted["prediction"] == "yes") == (worth > 4)) > 0.8
    probabilities = predicted[["probability of no", "probability of yes"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    expected = predict_proba(model, columns.transform_columns(fresh, model.spec.columns))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)


def test_a_regression_of_a_table_comes_with_intervals(tmp_path):
    frame, worth = shop(200)
    frame.drop(columns="bought").assign(worth=worth).to_parquet(tmp_path / "shop.parquet")
    table = ("--dataset", tmp_path / "shop.parquet", "--target", "worth")
    run(sweep, *table, *SMALL, "--out", tmp_path / "run")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert {"ensemble_test_r2", "ensemble_test_rmse", "ensemble_test_coverage_90"} <= set(record["metrics"])
    model = load(tmp_path / "run" / "best_member.safetensors")
    rows = tables.predict_table(model, frame)
    half = 1.6448536 * model.spec.noise_scale[0]
    np.testing.assert_allclose(rows["95 %"] - rows["prediction"], half, rtol=1e-4)
    np.testing.assert_allclose(rows["prediction"] - rows["5 %"], half, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--learning-rate", "1:0.1"), "learning_rate: a range must rise from low to high, got 1.0:0.1"),
        (("--learning-rate", "0:1:log"), "learning_rate: "),
        (("--optimizer", "adamv"), "optimizer: unknown name 'adamv'; did you mean 'adam"),
        (("--depth", "one"), "depth: must be a number"),
        (("--num-members", 0), "num_members: must be a whole number of at least 1"),
        (("--search", "grid", "--max-programs", 1), "max_programs: the grid has"),
        (("--target", "bought"), "target: is for a CSV or Parquet file"),
        (("--dataset", "nowhere.csv", "--target", "a"), "nowhere.csv: no such file"),
        (("--dataset", "nowhere.csv"), "target: name the column"),
        (("--time-budget", -1), "time_budget: must be a finite number above 0"),
        (("--validation-fraction", 0.0001), "validation_fraction: cannot cut"),
        (("--hidden-sizes", 10**9), "hidden_sizes: the networks would take"),
        (("--depth", 1000), "layer_sizes: must be at most 100 layers, got 1002"),
        (("--halving", 0), "halving: must be a whole number of at least 1"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capsys, tmp_path, arguments, message):
    line, code = refused(capsys, sweep, *arguments, "--out", tmp_path / "out")
    assert code == 2 and line.startswith("error: ") and message in line
    assert not list(tmp_path.glob("out/*.json"))
