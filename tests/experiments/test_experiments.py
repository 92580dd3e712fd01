"""The experiments as their users run them: from the command line, with good and with bad input."""

import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import NAMES, digits, optimizers
from experiments.harness import command, network_pictures
from experiments.harness.pages import module_of
from jaxmlp.data import sources
from jaxmlp.models.model import load
from jaxmlp.models.prediction import predict
from jaxmlp.records import metric_summary
from tests.support.commands import refused, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("smoke")
    run(digits, "--smoke", "--num-seeds", 3, "--out", out)
    return out


def test_a_run_leaves_record_model_page_and_pictures(smoke):
    names = {path.name for path in smoke.iterdir()}
    pictures = {"curves.png", "neurons.png", "confusion.png", "most_wrong.png"}
    assert names == {"record.json", "model.safetensors", "page.html", "snapshots"} | pictures


@pytest.mark.long
def test_deformed_images_are_shown_and_train_another_network(smoke, tmp_path):
    run(digits, "--smoke", "--augment", "--out", tmp_path)
    assert (tmp_path / "deformed.png").stat().st_size > 1000
    losses = [
        json.loads((out / "record.json").read_text())["curves"]["train_loss"][0] for out in (smoke, tmp_path)
    ]
    assert losses[0] != losses[1]


def test_the_record_says_what_was_run_and_how_sure_it_is(smoke):
    record = json.loads((smoke / "record.json").read_text())
    assert record["config"]["varied"] == "seed" and record["seeds"] == [0, 1, 2]
    accuracy = record["metrics"]["test_accuracy"]
    assert accuracy["n"] == 3 and accuracy["unit"] == "fraction"
    np.testing.assert_allclose(accuracy["mean"], np.mean(accuracy["values"]))
    np.testing.assert_allclose(accuracy["standard_error"], np.std(accuracy["values"], ddof=1) / np.sqrt(3))
    assert set(record["seconds"]) == {"data", "compile", "train", "total"}
    assert len(record["curves"]["validation_accuracy"]) == 3


def test_the_saved_network_has_the_recorded_accuracy(smoke):

    record = json.loads((smoke / "record.json").read_text())
    model = load(smoke / "model.safetensors")
    test = sources.load_dataset("digits").test
    predictions = predict(model, test.inputs)
    best = np.argmax(record["metrics"]["validation_accuracy"]["values"])
    np.testing.assert_allclose(
        np.mean(predictions == test.targets), record["metrics"]["test_accuracy"]["values"][best], atol=1e-6
    )


def test_what_it_confuses_and_its_weights_are_drawn_again_from_what_is_kept(smoke, tmp_path):
    record = json.loads((smoke / "record.json").read_text())
    counts = np.array(record["tables"]["confusion"])
    # As many right as the accuracy of the network that is kept says.
    best = np.argmax(record["metrics"]["validation_accuracy"]["values"])
    accuracy = record["metrics"]["test_accuracy"]["values"][best]
    np.testing.assert_allclose(np.trace(counts) / counts.sum(), accuracy, atol=1e-6)
    targets = sources.load_dataset("digits").test.targets
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(targets))
    (tmp_path / "model.safetensors").write_bytes((smoke / "model.safetensors").read_bytes())
    digits.draw(record, tmp_path)
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {"curves.png", "neurons.png", "confusion.png"}


def test_a_page_that_is_too_large_is_left_out_and_named(smoke, tmp_path, monkeypatch, capsys):
    record = json.loads((smoke / "record.json").read_text())
    shutil.copytree(smoke / "snapshots", tmp_path / "snapshots")
    shutil.copy(smoke / "model.safetensors", tmp_path)
    size = (smoke / "page.html").stat().st_size
    monkeypatch.setattr(network_pictures, "MAX_PAGE_BYTES", size - 1)
    digits.draw(record, tmp_path)
    assert not (tmp_path / "page.html").exists()
    assert f"a page would take {size / 1e6:.1f} MB" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bits(tmp_path):
    for name in ("first", "second"):
        run(digits, "--smoke", "--out", tmp_path / name)
    first, second = (load(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    for ours, theirs in zip(first.networks[0], second.networks[0], strict=True):
        np.testing.assert_array_equal(ours.weight, theirs.weight)
        np.testing.assert_array_equal(ours.bias, theirs.bias)


def test_programs_are_kept_before_anything_is_compiled(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(command.compilation, "enable_cache", lambda: calls.append("keep"))
    run = lambda config: calls.append(config) or iter(())  # noqa: E731
    command.main(digits.Config, run, digits.draw, digits.answer, ["--seed", "3", "--out", str(tmp_path)])
    assert calls[0] == "keep" and calls[1].seed == 3


def test_splits_are_varied_one_value_each(tmp_path):
    run(digits, "--smoke", "--num-splits", 2, "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["config"]["varied"] == "split"
    assert record["metrics"]["test_accuracy"]["n"] == 2


@pytest.mark.parametrize("dataset", ["wine", "breast_cancer"])
def test_other_data_of_classes_works(dataset, tmp_path):
    run(digits, "--dataset", dataset, "--smoke", "--class-weight", "balanced", "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["dataset"] == dataset
    assert not (tmp_path / "neurons.png").exists()


@pytest.mark.long
def test_optimizers_choose_their_rate_on_validation_data(tmp_path):
    names = ("sgd", "schedule_free_adamw")
    flags = ("--smoke", "--num-seeds", 2, "--num-rates", 3, "--dataset", "digits", "--optimizers", *names)
    run(optimizers, *flags, "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    for name in names:
        table = record["tables"][name]
        # None of these rates diverges on so little data.
        best = np.argmax(np.mean(table["validation_accuracy"], axis=0))
        chosen = record["metrics"][f"{name}_learning_rate"]["mean"]
        np.testing.assert_allclose(chosen, table["learning_rates"][best], rtol=1e-4)
        assert record["metrics"][f"{name}_test_accuracy"]["n"] == 2
        np.testing.assert_allclose(np.diff(np.log10(table["learning_rates"])), 2.5, rtol=1e-4)
    # The best on validation data comes first.
    means = [m["mean"] for key, m in record["metrics"].items() if key.endswith("validation_accuracy")]
    assert means == sorted(means, reverse=True)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".png"}


def test_usable_decades_are_counted_around_the_best():
    validation = np.array([[0.1, 0.895, 0.9, 0.5, 0.2, 0.1], [0.1, 0.2, 0.9, 0.8, 0.2, 0.1]])
    np.testing.assert_array_equal(optimizers.usable_decades(validation), [2, 1])


@pytest.mark.parametrize(("lost", "word"), [(0.6, "rate"), (0.02, "word")])
def test_what_matters_more_follows_from_the_numbers(lost, word):
    tests = {"muon": [0.975, 0.976, 0.974], "adam": [0.974, 0.976, 0.973], "sgd": [0.90, 0.91, 0.92]}
    metrics = {f"{name}_test_accuracy": metric_summary(v, "fraction") for name, v in tests.items()}
    metrics |= {f"{name}_validation_accuracy": metric_summary(v, "fraction") for name, v in tests.items()}
    metrics |= {f"{name}_usable_decades": metric_summary([1.0, 1.5], "decades") for name in tests}
    tables = {name: {"validation_accuracy": [[0.9, 0.9 - lost]] * 3} for name in tests}
    found = optimizers.answer({"metrics": metrics, "tables": tables, "config": {}})
    assert f"The {word} matters more" in found.text and "a wrong word 6.5 %" in found.text
    assert "0.07 ± 0.03 % (no difference shown) (3 seeds)" in found.text and not found.shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--optimizers", "sgd", "adamm"), "did you mean 'adam"),
        (("--num-rates", 0), "num_rates"),
        (("--num-seeds", 0), "num_seeds"),
        (("--dataset", "diabetes"), "real values"),
    ],
)
def test_optimizers_refuse_bad_input_in_one_line(arguments, message, tmp_path, capsys):
    line, status = refused(capsys, optimizers, *arguments, "--out", tmp_path)
    assert status == 2 and message in line
    assert list(tmp_path.iterdir()) == []


BAD = [
    (("--batch-size", 0), "batch_size"),
    (("--batch-size", 100_000), "batch_size"),
    (("--num-epochs", 0), "num_epochs"),
    (("--num-epochs", -3), "num_epochs"),
    (("--num-seeds", 0), "num_seeds"),
    (("--num-splits", 0), "num_splits"),
    (("--patience", 0), "patience"),
    (("--learning-rate", -1), "learning_rate"),
    (("--learning-rate", 0), "learning_rate"),
    (("--learning-rate", "nan"), "learning_rate"),
    (("--hidden-sizes", 16, 0), "hidden_sizes"),
    (("--dropout", 1), "dropout"),
    (("--weight-decay", -1), "weight_decay"),
    (("--optimizer", "adamm"), "did you mean 'adam"),
    (("--optimizer", "lbfgs"), "line search"),
    (("--schedule", "cosin"), "did you mean 'cosine'"),
    (("--activation", "rellu"), "did you mean 'relu"),
    (("--dataset", "digitz"), "digits"),
    (("--num-epochs", 3, "--num_epochs", 4), "num_epochs: must be given once, got it 2 times"),
    (("--dataset", "diabetes"), "real values"),
    (("--seed", -1), "seed"),
    (("--validation-fraction", 0), "validation_fraction"),
    (("--validation-fraction", 1.5), "validation_fraction"),
    (("--checkpoint-every", 0), "checkpoint_every"),
    (("--num-epochs", 10**12), "num_epochs: must be at most 2147483647"),
    (("--hidden-sizes", 10**9), "hidden_sizes: the networks would take"),
    (("--hidden-sizes", *[64] * 1000), "hidden_sizes: must be at most 100 layers"),
    (("--num-seeds", 10**9), "num_seeds"),
    (("--seed", 2**40), "seed"),
    (("--clip-norm", "inf"), "clip_norm"),
    (("--max-norm", "nan"), "max_norm"),
    (("--momentum", -0.5), "momentum"),
    (("--label-smoothing", 1), "label_smoothing"),
    (("--input-dropout", "nan"), "input_dropout"),
    (("--data-bytes", 0), "data_bytes"),
    (("--dataset", "wine", "--augment"), "augment: is for images, but an example of wine has shape (13,)"),
    (("--mesh", "data=0"), "mesh data"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value))
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    line, status = refused(capsys, digits, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    line, status = refused(capsys, digits, "--out", tmp_path / "taken")
    assert status == 2 and "out" in line
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_loss_that_explodes_names_its_epoch(tmp_path, capsys):
    line, status = refused(
        capsys, digits, "--optimizer", "sgd", "--learning-rate", 1e30, "--num-epochs", 3, "--out", tmp_path
    )
    assert status == 1 and "epoch 1" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_help_explains_every_flag(name, capsys):
    module = module_of(name)
    with pytest.raises(SystemExit) as stopped:
        command.read_flags(module.Config, ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    assert module.__doc__.split()[:5] == shown[shown.index(module.__doc__.split()[0]) :].split()[:5]
    for field in dataclasses.fields(module.Config):
        assert field.name.replace("_", "-") in shown.lower()


@pytest.mark.parametrize("name", ["results"])
def test_help_is_there_without_a_trace(name):
    command = [sys.executable, "-m", f"experiments.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert importlib.import_module(f"experiments.{name}").__doc__.split("\n")[0][:40] in done.stdout
    assert "Traceback" not in done.stderr
