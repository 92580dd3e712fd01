"""What every experiment shares: the question, the flags and the record."""

from pathlib import Path

import pytest

import experiments.__main__
from experiments import NAMES, digits, optimizers
from experiments.harness import flags, receipt
from experiments.harness.pages import module_of
from experiments.harness.provenance import Provenance
from jaxmlp.types import InputError


def test_name_and_question_come_from_the_module(tmp_path):
    begun = receipt.begin(optimizers.Config(out=tmp_path))
    assert (begun.experiment, begun.folder) == ("optimizers", tmp_path)
    assert begun.question == "Is swapping the optimizer one word, and does the word matter?"
    assert begun.command.startswith("python -m experiments.optimizers")


def test_a_folder_is_run_by_its_name():
    assert receipt.runnable_name("experiments.__main__") == "experiments"
    assert receipt.runnable_name("experiments.digits") == "experiments.digits"


def test_every_experiment_is_named_and_asks_a_question():
    folder = Path(experiments.__main__.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {
        "__init__",
        "__main__",
        "results",
        "ask_and_tell",
    }
    assert set(NAMES) == modules | {path.parent.name for path in folder.glob("*/__main__.py")}
    questions = experiments.__main__.questions()
    assert tuple(questions) == NAMES
    assert all(question.endswith("?") and len(question) > 10 for question in questions.values())


@pytest.mark.parametrize("name", NAMES)
def test_shorter_runs_set_flags_that_are_there(name):
    config_class = module_of(name).Config
    for sizes in (config_class.SMOKE, config_class.QUICK):
        config_class(**sizes)
    # What needs no download.
    quick = config_class(**config_class.QUICK)
    assert getattr(quick, "dataset", "digits") == "digits"


@pytest.mark.parametrize("changes", [{"num_seeds": 0}, {"num_seeds": 1.5}, {"seed": -1}])
def test_counts_out_of_range_are_refused_before_a_folder_is_made(tmp_path, changes):
    with pytest.raises(InputError, match=rf"^{next(iter(changes))}: must be a whole number"):
        receipt.begin(digits.Config(out=tmp_path / "new", **changes))
    assert not (tmp_path / "new").exists()


COMMITTED, CHANGED, NO_GIT = Provenance("abc", False), Provenance("abc", True), Provenance(None, None)


@pytest.mark.parametrize(
    ("flags", "folder"),
    [
        ({}, Path("runs/digits")),
        ({"name": "wide"}, Path("runs/wide")),
        ({"smoke": True}, Path("runs/digits-smoke")),
        ({"quick": True}, Path("runs/digits-quick")),
        ({"name": "wide", "smoke": True}, Path("runs/wide-smoke")),
        ({"out": Path("elsewhere"), "smoke": True}, Path("elsewhere")),
        ({"publish": True}, receipt.PUBLISHED / "digits"),
        ({"publish": True, "name": "wide-2.0"}, receipt.PUBLISHED / "wide-2.0"),
    ],
)
def test_only_what_is_to_be_published_goes_to_the_published_results(flags, folder):
    assert receipt.result_folder(digits.Config(**flags), "digits", COMMITTED) == folder


@pytest.mark.parametrize(
    ("flags", "provenance", "message"),
    [
        ({"publish": True, "smoke": True}, COMMITTED, "publish: must be a whole run"),
        ({"publish": True, "quick": True}, COMMITTED, "publish: must be a whole run"),
        ({"publish": True}, CHANGED, "publish: must be a run of committed code"),
        ({"publish": True}, NO_GIT, "publish: must be a run of committed code"),
        ({"publish": True, "out": Path("x")}, COMMITTED, "out: must stand alone"),
        ({"name": "x", "out": Path("x")}, COMMITTED, "out: must stand alone"),
        ({"name": "../results/digits"}, COMMITTED, "name: must be letters"),
        ({"name": ".."}, COMMITTED, "name: must be letters"),
        ({"out": receipt.PUBLISHED}, COMMITTED, "out: must be outside of results/"),
        ({"out": receipt.PUBLISHED / "digits"}, COMMITTED, "out: must be outside of results/"),
        ({"out": receipt.PUBLISHED / "../results/digits"}, CHANGED, "out: must be outside of results/"),
    ],
)
def test_published_results_are_out_of_reach_of_all_else(flags, provenance, message):
    with pytest.raises(InputError, match=f"^{message}"):
        receipt.result_folder(digits.Config(**flags), "digits", provenance)


def test_a_trial_has_few_examples():
    config, trial = flags.ImageConfig(dataset="digits"), flags.ImageConfig(dataset="digits", smoke=True)
    assert len(flags.load(trial).train.inputs) == flags.SMOKE_EXAMPLES
    assert len(flags.load(config).train.inputs) > flags.SMOKE_EXAMPLES
