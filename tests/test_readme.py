"""The README's Python runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_trains_a_network(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(compile(code, str(README), "exec"), names)
    tested = names["evaluate"](names["fitted"].params, (), names["splits"].test)
    assert tested["accuracy"] > 0.9
    assert "accuracy" in capsys.readouterr().out
