"""The README's Python runs as it stands, block after block."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_train_networks(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    for code in blocks:
        exec(compile(code, str(README), "exec"), names)
    tested = names["evaluate"](names["fitted"].params, (), names["splits"].test)
    assert tested["accuracy"] > 0.9
    best = names["tuned"].evaluate(names["tuned"].params, (), names["splits"].test)["accuracy"]
    assert best.shape == (5,) and best.mean() > 0.9
    assert "accuracy" in capsys.readouterr().out
