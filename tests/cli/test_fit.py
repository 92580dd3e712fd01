"""A table's way through the command: fit, show, predict, and what is refused in a line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, r2_score, roc_auc_score

import jaxmlp
from jaxmlp.data.encoding import transform_columns
from jaxmlp.models.model import load
from tests.support.commands import command

ROOT = Path(__file__).parents[2]
SMALL = ("--num-members", 6, "--max-programs", 1, "--hidden-sizes", 8, "--depth", 1, "--quiet")


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
def folder(tmp_path_factory):
    """A table that was fitted, with new rows beside it."""
    out = tmp_path_factory.mktemp("table")
    shop(400)[0].to_csv(out / "shop.csv", index=False)
    flags = ("--target", "bought", *SMALL, "--num-epochs", 30, "--out", out / "run")
    # In a process of its own, as the command's user has it.
    line = [sys.executable, "-m", "jaxmlp", "fit", out / "shop.csv", *flags]
    done = subprocess.run([*map(str, line)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (out / "printed").write_text(done.stdout)
    return out


def test_a_table_becomes_a_model_a_record_and_pictures(folder):
    names = {path.name for path in (folder / "run").iterdir()}
    pictures = {"members.png", "landscape.png", "importance.png", "growth.png"}
    files = {"record.json", "model.safetensors", "best_member.safetensors", "report.html"}
    assert names == files | pictures
    record = json.loads((folder / "run" / "record.json").read_text())
    assert record["metrics"]["ensemble_test_accuracy"]["mean"] > 0.7
    model = load(folder / "run" / "model.safetensors")
    assert model.spec.class_names == ("no", "yes") and model.spec.target == "bought"
    low, high = model.spec.intervals["ensemble_test_accuracy"]
    assert low < model.spec.metrics["ensemble_test_accuracy"] < high


def test_the_plan_stands_before_everything(folder):
    lines = (folder / "printed").read_text().splitlines()
    names = ["price", "brand", "on sale", "stars"]
    assert [line[:9].strip() for line in lines[:5]] == [*names, ""]
    assert lines[1] == "brand    3 categories, A, B, C"
    assert lines[5] == "shop: 320 train, 80 test examples, binary (2 classes)"
    assert lines[6].startswith("6 settings, each without one of 4 folds in turn, ")
    assert lines[6].endswith(" parameters in one program; 30 epochs, some cut after epochs 7")
    assert lines[7].startswith("expected: ")
    assert lines[-1] == f"model, report.html, record and pictures in {folder / 'run'}"


def test_what_was_found_is_told_in_ten_lines_and_written_as_a_page(folder):
    lines = (folder / "printed").read_text().splitlines()[8:-1]
    assert 4 <= len(lines) <= 12
    # Of this table, either is ahead of the networks or level, or they are better.
    assert "ensemble" in lines[0] and "95 % interval of the difference" in lines[0]
    assert any(line.startswith("On 80 test rows: accuracy ") for line in lines)
    page = (folder / "run" / "report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>") and "Could not be shown" not in page and lines[0] in page


def test_predictions_stand_beside_the_columns_of_new_rows(folder, capsys):
    fresh, worth = shop(300, seed=1)
    fresh = fresh.drop(columns="bought")[["stars", "brand", "on sale", "price"]].assign(note="new")
    fresh.loc[0, "brand"] = "Z"
    fresh.to_csv(folder / "new.csv", index=False)
    model = folder / "run" / "model.safetensors"
    status, out, err = command(capsys, "predict", model, folder / "new.csv", "--out", folder / "predicted")
    told = "column 'brand': 1 of 300 cells were not learnt: 'Z'; they count as none of the known categories"
    assert (status, err) == (0, f"warning: {folder / 'new.csv'}: {told}\n")
    assert "300 rows predicted in" in out and "rows with a target" not in out
    predicted = pandas.read_csv(folder / "predicted" / "new-predictions.csv")
    assert list(predicted.columns[:5]) == list(fresh.columns)
    assert np.mean((predicted["prediction"] == "yes") == (worth > 4)) > 0.8
    probabilities = predicted[["probability of no", "probability of yes"]]
    inputs = transform_columns(fresh, load(model).spec.columns)
    np.testing.assert_allclose(probabilities, jaxmlp.predict_proba(load(model), inputs), rtol=1e-5)


def test_rows_whose_target_is_known_are_scored(folder, capsys):
    fresh, _ = shop(300, seed=2)
    fresh.loc[:9, "bought"] = None
    fresh.to_csv(folder / "known.csv", index=False)
    model = folder / "run" / "model.safetensors"
    _, out, _ = command(capsys, "predict", model, folder / "known.csv", "--out", folder / "known-out.csv")
    predicted = pandas.read_csv(folder / "known-out.csv")[10:]
    right = np.mean(predicted["prediction"] == predicted["bought"])
    right_one = predicted["prediction"].iloc[0] == predicted["bought"].iloc[0]
    chances, truth = predicted["probability of yes"], predicted["bought"] == "yes"
    (told,) = (line for line in out.splitlines() if "with 95 % intervals: " in line)
    assert told.startswith(
        f"  on 290 rows with a target, with 95 % intervals: accuracy {100 * right:.1f} % ("
    )
    found = dict(re.findall(r"(balanced accuracy|AUC|log-loss) (.*?) \(", told))
    balanced = balanced_accuracy_score(truth, chances > 0.5)
    expected = (
        f"{100 * balanced:.1f} %",
        f"{roc_auc_score(truth, chances):.3f}",
        f"{log_loss(truth, chances):.3f}",
    )
    assert tuple(found.values()) == expected
    fresh[10:11].to_csv(folder / "one.csv", index=False)
    _, out, _ = command(capsys, "predict", model, folder / "one.csv", "--out", folder / "one-out.csv")
    few = "(too few rows for an interval)"
    assert f"on 1 rows with a target, with 95 % intervals: accuracy {100 * right_one:.1f} % (" in out
    assert f"balanced accuracy {100 * right_one:.1f} % {few}; AUC not to be measured; log-loss" in out
    fresh.assign(bought="perhaps").to_csv(folder / "odd.csv", index=False)
    status, out, _ = command(capsys, "predict", model, folder / "odd.csv", "--out", folder / "odd-out.csv")
    assert status == 0 and len(pandas.read_csv(folder / "odd-out.csv")) == 300
    assert out.splitlines()[1:] == [
        "  nothing could be measured: 0 of 300 rows have a target that is known",
        "  left out of this: 300 with a class that was not learnt, 'perhaps'",
    ]


def test_rows_whose_class_was_not_learnt_are_predicted_and_left_out_of_the_measure(folder, capsys):
    fresh, _ = shop(300, seed=2)
    fresh.loc[:9, "bought"], fresh.loc[10:14, "bought"] = None, "perhaps"
    fresh.to_csv(folder / "partly.csv", index=False)
    given = folder / "run" / "model.safetensors", folder / "partly.csv", "--out", folder / "partly-out.csv"
    status, out, _ = command(capsys, "predict", *given)
    predicted = pandas.read_csv(folder / "partly-out.csv")
    right = np.mean(predicted["prediction"][15:] == fresh["bought"][15:])
    assert status == 0 and predicted["prediction"].isin(["yes", "no"]).all() and len(predicted) == 300
    first, second = out.splitlines()[1:]
    told = f"  on 285 rows with a target, with 95 % intervals: accuracy {100 * right:.1f} % ("
    assert first.startswith(told)
    assert second == "  left out of this: 10 with no target and 5 with a class that was not learnt, 'perhaps'"


def test_predictions_of_a_german_table_open_where_it_does(tmp_path, capsys):
    frame, worth = shop(60)
    path, out = tmp_path / "german.csv", tmp_path / "out.csv"
    german = frame.drop(columns="bought").assign(worth=worth)
    german.to_csv(path, index=False, sep=";", decimal=",", encoding="utf-8-sig")
    splits = jaxmlp.read_table(path, "worth")
    model = jaxmlp.fit_mlp(splits, hidden_sizes=(4,), num_epochs=1, progress=False).model
    jaxmlp.save(tmp_path / "model.safetensors", model)
    status, printed, _ = command(capsys, "predict", tmp_path / "model.safetensors", path, "--out", out)
    assert status == 0 and "  with semicolons and decimal commas, as in this file" in printed.splitlines()
    reached = r2_score(worth, jaxmlp.predict_table(model, path)["prediction"])
    told = f"on 60 rows with a target, with 95 % intervals: R² {reached:.3f}".replace("-", "−")
    assert told in printed
    written = pandas.read_csv(out, sep=";", decimal=",", encoding="utf-8-sig")
    pandas.testing.assert_frame_equal(written[german.columns], german)
    predicted = jaxmlp.predict_table(model, path).reset_index(drop=True)
    pandas.testing.assert_frame_equal(written[predicted.columns], predicted, check_exact=True)


def test_a_threshold_says_from_which_probability_on_a_class_is_predicted(folder, capsys):
    fresh, _ = shop(300, seed=2)
    fresh.to_csv(folder / "decided.csv", index=False)
    given = "predict", folder / "run", folder / "decided.csv", "--out", folder / "decided-out.csv"
    status, out, _ = command(capsys, *given, "--threshold", "yes=0.2")
    predicted = pandas.read_csv(folder / "decided-out.csv")
    expected = np.where(predicted["probability of yes"] >= 0.2, "yes", "no")
    plain = np.where(predicted["probability of yes"] > 0.5, "yes", "no")
    assert (predicted["prediction"] == expected).all() and (expected != plain).any() and status == 0
    assert f"accuracy {100 * np.mean(expected == fresh['bought']):.1f} % (" in out
    balanced = balanced_accuracy_score(fresh["bought"], expected)
    assert f"balanced accuracy {100 * balanced:.1f} % (" in out
    command(capsys, *given, "--threshold", "yes=1")
    assert (pandas.read_csv(folder / "decided-out.csv")["prediction"] == "no").all()
    for wrong, says in {
        "0.2": "threshold: must be CLASS=PROBABILITY, as yes=0.3, got '0.2'\n",
        "yes=nan": "threshold: must be CLASS=PROBABILITY, as yes=0.3, got 'yes=nan'\n",
        "yes=2": "threshold: must be CLASS=PROBABILITY, as yes=0.3, got 'yes=2'\n",
        "yess=0.2": "threshold: unknown name 'yess'; did you mean 'yes'?\n",
    }.items():
        assert command(capsys, *given, "--threshold", wrong) == (2, "", f"error: {says}")


def test_rows_that_the_model_may_know_are_said_to_be(folder, capsys):
    given = "predict", folder / "run", folder / "shop.csv", "--out", folder / "same-out.csv"
    assert (
        "the model learnt from a file of this name: on rows it knows, a score" in command(capsys, *given)[1]
    )
    shop(50, seed=4)[0].to_csv(folder / "fresh.csv", index=False)
    assert "of this name" not in command(capsys, *given[:2], folder / "fresh.csv", *given[3:])[1]


def test_predictions_leave_a_persons_own_files_and_cells_as_they_are(folder, capsys):
    model, own = folder / "run" / "model.safetensors", folder / "own.csv"
    fresh = shop(3, seed=3)[0].drop(columns="bought").assign(id=["007", "NA", "1.50"])
    fresh.to_csv(own, index=False)
    before = own.read_bytes()
    status, _, err = command(capsys, "predict", model, own, "--out", own)
    assert status == 2 and own.read_bytes() == before
    assert err.startswith(f"error: {own}: out: would take the place of this file")
    status, _, err = command(capsys, "predict", model, own, "--out", folder / "own.png")
    assert status == 2 and "must be a folder, or a file that ends with .csv" in err
    assert command(capsys, "predict", model, own, "--out", folder / "beside.csv")[0] == 0
    written = (folder / "beside.csv").read_text().splitlines()
    assert [line.split(",")[4] for line in written[1:]] == ["007", "NA", "1.50"]
    fresh.drop(columns="brand").to_csv(folder / "less.csv", index=False)
    _, _, err = command(capsys, "predict", model, folder / "less.csv", "--out", folder / "less-out.csv")
    assert err.startswith(f"error: {folder / 'less.csv'}: column 'brand': is not in the table")
    fresh.rename(columns={"brand": "Brand"}).to_csv(folder / "less.csv", index=False)
    _, _, err = command(capsys, "predict", model, folder / "less.csv", "--out", folder / "less-out.csv")
    assert "column 'brand': is not in the table; did you mean 'Brand'?\n" in err


def test_a_model_is_shown_in_words(folder, capsys):
    status, out, _ = command(capsys, "show", folder / "run" / "model.safetensors")
    lines = out.splitlines()
    assert status == 0
    for part in ("binary", "no, yes", "the column 'bought'", "cross-entropy"):
        assert any(part in line for line in lines), part
    accuracy = load(folder / "run" / "model.safetensors").spec.metrics["ensemble_test_accuracy"]
    assert any(line.split(maxsplit=3)[3:] == [f"{100 * accuracy:.2f} %"] for line in lines)
    assert any(line == "brand    3 categories, A, B, C" for line in lines)
    stars = next(line for line in lines if line.startswith("stars "))
    assert stars.endswith("is taken for 3, and whether it was missing")


def test_a_regression_comes_with_intervals(tmp_path, capsys):
    frame, worth = shop(200)
    frame.drop(columns="bought").assign(worth=worth).to_parquet(tmp_path / "shop.parquet")
    flags = ("--target", "worth", *SMALL, "--num-epochs", 3, "--no-baselines", "--out", tmp_path / "run")
    status, out, _ = command(capsys, "fit", tmp_path / "shop.parquet", *flags)
    assert status == 0 and "On 40 test rows: R² " in out and "better than" not in out
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert {"ensemble_test_r2", "ensemble_test_rmse", "ensemble_test_coverage_90"} <= set(record["metrics"])
    model = load(tmp_path / "run" / "best_member.safetensors")
    path, rows = tmp_path / "run" / "best_member.safetensors", jaxmlp.predict_table(model, frame)
    _, out, _ = command(capsys, "predict", path, tmp_path / "shop.parquet", "--out", tmp_path / "out.csv")
    reached = f"{r2_score(worth, rows['prediction']):.3f}".replace("-", "−")
    assert f"on 200 rows with a target, with 95 % intervals: R² {reached} (" in out and "; RMSE " in out
    held = np.mean((rows["5 %"] <= worth) & (worth <= rows["95 %"]))
    assert f"intervals that should hold 90 % hold {100 * held:.2f} % of these" in out
    half = 1.6448536 * model.spec.noise_scale[0]
    np.testing.assert_allclose(rows["95 %"] - rows["prediction"], half, rtol=1e-4)
    np.testing.assert_allclose(rows["prediction"] - rows["5 %"], half, rtol=1e-4)


def test_images_have_a_folder_of_their_own_by_default(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "fit", "digits", *SMALL)[0] == 0
    assert {"model.safetensors", "neurons_1.png"} <= {path.name for path in Path("runs/digits").iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits", "--target", "bought"), "target: is for a CSV or Parquet file"),
        (("nowhere.csv", "--target", "a"), "nowhere.csv: no such file"),
        (("nowhere.csv",), "target: name the column of the table to predict, as --target COLUMN"),
        (("digitz",), "did you mean 'digits'?"),
        (("digits", "--dropout", 2), "dropout: must be at least 0 and below 1, got 2.0"),
        (("digits", "--seed", -1), "seed: must be a whole number of at least 0, got -1"),
        (("digits", "--checkpoint-every", 0), "checkpoint_every: must be a whole number of at least 1"),
        (("digits", "--cost", "5"), "cost: must be FALSE_POSITIVE:FALSE_NEGATIVE, as 1:5, got '5'"),
        (("diabetes", "--class-weight", "balanced"), "class_weight: needs class labels as targets"),
        (("digits", "--seed", 1, "--seed=2"), "seed: must be given once, got it 2 times"),
        (("digits", "--num_epochs", 1, "--num-epochs", 2), "num_epochs: must be given once, got it 2 times"),
        (("digits", "--test-fraction", 2), "test_fraction: must be at least 0 and below 1, got 2"),
        (("digits", "--task", "binary"), "task: is for a CSV or Parquet file, but the data are 'digits'"),
        (("digits", "--column", "a=text"), "column: is for a CSV or Parquet file"),
        (("digits", "--encoding", "utf-8"), "encoding: is for a CSV or Parquet file"),
        (
            ("a.csv", "--target", "b", "--manual-dir", "c"),
            "manual_dir: is for an image set, but the data are",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capsys, tmp_path, arguments, message):
    status, _, err = command(capsys, "fit", *arguments, "--out", tmp_path / "out")
    assert status == 2 and err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not list(tmp_path.glob("out/*.json"))


@pytest.mark.parametrize("subcommand", ["fit", "predict", "show", "env"])
def test_the_help_is_plain(capsys, subcommand):
    status, out, _ = command(capsys, subcommand, "--help")
    assert status == 0 and f"jaxmlp {subcommand}" in out
    assert "None" not in out and "True" not in out and "False" not in out
    assert out.count("(default:") == len([line for line in out.splitlines() if "(default:" in line])


def run_alone(*arguments, **environment):
    """A process of its own."""
    line = [sys.executable, *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment)


def test_the_help_waits_for_no_library_that_only_a_fit_needs():
    program = "import sys, jaxmlp.cli.command; print('sklearn' in sys.modules)"
    assert run_alone("-c", program).stdout == "False\n"


@pytest.mark.parametrize("subcommand", [("env",), ("show", "m"), ("--help",)])
def test_a_variable_that_jax_refuses_is_one_line(subcommand):
    done = run_alone("-m", "jaxmlp", *subcommand, JAX_ENABLE_X64="maybe")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'; ")
    assert done.stderr.count("\n") == 1


def test_the_environment_is_told_where_there_is_no_home(monkeypatch, capsys):
    monkeypatch.delenv("JAXMLP_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody_of_this_name/cache")
    status, out, _ = command(capsys, "env")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0 and lines["cache"].startswith("none (JAXMLP_CACHE_DIR: must be a whole path, since ")
    assert {"python", "jax", "selftest"} <= set(lines)


def test_the_package_installs_the_command_and_nothing_else():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["scripts"] == {"jaxmlp": "jaxmlp.__main__:main"}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["jaxmlp"]


def test_the_experiments_are_listed_with_their_questions():
    line = [sys.executable, "-m", "experiments"]
    out = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "shopping         Do hidden neurons turn price and utility into indices" in out
    names = [line.split()[0] for line in out.splitlines()[2:]]
    assert {"digits", "mnist", "sweep", "tabular", "benchmark"} <= set(names)
    assert all(line.endswith("?") for line in out.splitlines()[2:])
