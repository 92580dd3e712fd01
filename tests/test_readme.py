"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


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
