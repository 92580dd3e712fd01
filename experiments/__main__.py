"""The questions that the experiments answer: python -m experiments."""

import ast
from pathlib import Path

from experiments import NAMES


def questions() -> dict[str, str]:
    """The first sentence of each experiment's docstring, by its name; nothing is imported."""
    found = {}
    for name in NAMES:
        folder = Path(__file__).parent
        path = folder / name / "__main__.py" if (folder / name).is_dir() else folder / f"{name}.py"
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        found[name] = " ".join(text.split()).partition("?")[0] + "?"
    return found


if __name__ == "__main__":
    print(
        "python -m experiments.NAME runs one of these; --quick takes a minute, --help explains all flags:\n"
    )
    for name, question in questions().items():
        print(f"  {name:16} {question}")
