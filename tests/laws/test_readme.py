"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxmlp.models.model import load

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What is defined after all blocks have run in one session, in a folder with a table of customers, and
    the ``result`` that there was after each.
    """
    folder = tmp_path_factory.mktemp("readme")
    draws = np.random.default_rng(0)
    cities = draws.choice(["Rome", "Oslo"], 300)
    customers = pd.DataFrame({"age": draws.integers(18, 90, 300), "city": cities})
    bought = np.where((customers["age"] > 50) ^ (cities == "Oslo"), "yes", "no")
    customers.assign(bought=bought).to_csv(folder / "customers.csv", index=False)
    customers[:5].to_csv(folder / "new_customers.csv", index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        found: dict = {}
        after = [exec(compile(block, str(README), "exec"), found) or found.get("result") for block in BLOCKS]
        predicted = found["jaxmlp"].predict_table(load("bought.safetensors"), customers)
    return found | {"after": after, "right": np.mean(predicted["prediction"] == bought)}


def test_what_people_need_takes_eight_lines_at_most():
    section = README.read_text("utf-8").split("## In Python")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert len(blocks) == 7
    assert max(len(re.findall(r"^.", block, flags=re.MULTILINE)) for block in blocks) <= 8


def test_a_table_to_predictions_takes_five_lines_of_shell_and_five_of_python():
    section = README.read_text("utf-8").split("## Your table in five lines")[1].split("\n## ")[0]
    blocks = re.findall(r"```(?:sh|python)\n(.*?)```", section, flags=re.DOTALL)
    assert [len(re.findall(r"^.", block, flags=re.MULTILINE)) for block in blocks] == [5, 5]


def test_arrays_to_a_saved_model_take_four_statements_and_five_names():
    code = BLOCKS[1].split("\n\n")[1]
    assert len(code.strip().splitlines()) == 4
    assert len(set(re.findall(r"jaxmlp\.(\w+)", code))) <= 5


def test_the_examples_train_networks(names):
    tuned, splits = names["tuned"], names["jaxmlp"].load_dataset("wine")
    accuracies = tuned.evaluate(tuned.params, tuned.model_state, splits.test)["accuracy"]
    assert accuracies.shape == (3,) and accuracies.mean() > 0.9
    own = names["evaluate"](names["run"].params, names["run"].model_state, splits.test)
    assert own["accuracy"] > 0.9
    _, digits, _, chained, quantile, _, kept, *_, seeds = names["after"]
    assert digits.run.best_score > 0.9 and chained.run.best_score > 0.9 and kept.best_epoch > 1
    assert 0.75 < quantile.history["validation_below"][-1] <= 1
    assert len(seeds.models) == 5
    assert names["right"] > 0.9
    table, model = names["table"], names["model"]
    assert model.score(table.drop(columns="bought"), table["bought"]) > 0.9 and model.oof_score_ > 0.9
    assert names["found"].ensemble.spec.dataset == "wine"


def test_the_saved_networks_beside_the_records_can_be_read():
    # Those that the README names; larger ones are not kept.
    for name in ("digits", "mnist"):
        model = load(README.parent / "results" / name / "model.safetensors")
        assert model.spec.dataset == name


def test_every_promise_names_a_test_that_is_there():
    table = README.read_text("utf-8").split("| promise | test |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+/)?(test_\w+\.py)(?:::(test_\w+))?`", table)
    assert len(named) >= table.count("\n|") - 1
    for folder, file, test in named:
        path = README.parent / "tests" / folder / file
        assert f"def {test}" in path.read_text("utf-8"), (path, test)
