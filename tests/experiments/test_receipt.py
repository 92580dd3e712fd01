"""What every experiment shares: the question, the flags and the record."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import experiments.__main__  # noqa: F401
from experiments import digits, optimizers, receipt
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(receipt.ImageConfig):
    dataset: str = "digits"


def test_name_and_question_come_from_the_module(tmp_path):
    begun = receipt.begin(optimizers.Config(out=tmp_path))
    assert (begun.experiment, begun.folder) == ("optimizers", tmp_path)
    assert begun.question == "Is swapping the optimizer one word, and does the word matter?"
    assert begun.command.startswith("python -m experiments.optimizers")


def test_a_folder_is_run_by_its_name():
    assert receipt.runnable_name("experiments.__main__") == "experiments"
    assert receipt.runnable_name("experiments.digits") == "experiments.digits"


@pytest.mark.parametrize("changes", [{"num_seeds": 0}, {"num_seeds": 1.5}, {"seed": -1}])
def test_counts_out_of_range_are_refused_before_a_folder_is_made(tmp_path, changes):
    with pytest.raises(InputError, match=rf"^{next(iter(changes))}: must be a whole number"):
        receipt.begin(digits.Config(out=tmp_path / "new", **changes))
    assert not (tmp_path / "new").exists()


def test_a_smoke_run_has_few_examples():
    assert len(receipt.load(Config(smoke=True)).train.inputs) == receipt.SMOKE_EXAMPLES
    assert len(receipt.load(Config()).train.inputs) > receipt.SMOKE_EXAMPLES


def test_the_record_holds_what_was_measured_and_how(tmp_path, capsys):
    config = digits.Config(out=tmp_path, seed=3, num_seeds=2)
    receipt.finish(
        receipt.begin(config),
        config,
        dataset="digits",
        metrics={"gap": (np.array([1.0, 2.0]), "nats")},
        tables={"rates": np.array([0.5])},
        notes={"varied": "split"},
    )
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["seeds"] == [3, 4]
    assert record["metrics"]["gap"]["values"] == [1.0, 2.0]
    assert (record["config"]["varied"], record["config"]["hidden_sizes"]) == ("split", [60])
    assert record["tables"] == {"rates": [0.5]} and record["seconds"]["total"] > 0
    assert str(tmp_path) in capsys.readouterr().out
