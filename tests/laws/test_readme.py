"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

from jaxmlp.models.model import load

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_train_networks(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    names: dict = {}

    def run(code):
        exec(compile(code, str(README), "exec"), names)

    def accuracy(evaluate, fitted):
        return evaluate(fitted.params, (), names["splits"].test)["accuracy"]

    one, tuned, several = blocks
    run(one)
    alone = accuracy(names["evaluate"], names["fitted"])
    assert alone.shape == () and alone > 0.9
    run(tuned)
    best = accuracy(names["tuned"].evaluate, names["tuned"])
    assert best.shape == (5,) and best.mean() > 0.9
    run(several)
    seeds = accuracy(names["evaluate"], names["fitted"])
    assert seeds.shape == (5,) and seeds.mean() > 0.9
    assert "accuracy" in capsys.readouterr().out


def test_the_saved_networks_beside_the_records_can_be_read():
    # Those that the README names; larger ones are not kept.
    for name in ("digits", "mnist"):
        model = load(README.parent / "results" / name / "model.safetensors")
        assert model.description.dataset == name


def test_every_promise_names_a_test_that_is_there():
    table = README.read_text("utf-8").split("| promise | test |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+/)?(test_\w+\.py)(?:::(test_\w+))?`", table)
    assert len(named) >= table.count("\n|") - 1
    for folder, file, test in named:
        path = README.parent / "tests" / folder / file
        assert f"def {test}" in path.read_text("utf-8"), (path, test)
