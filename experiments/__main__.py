"""The questions that the experiments answer: python -m experiments."""

import ast
from pathlib import Path

HELPERS = {"classification", "command_line", "receipt", "provenance", "peers", "timings", "worker"}
HELPERS |= {"epoch_timer", "results", "ask_and_tell", "__init__", "__main__"}


def questions() -> dict[str, str]:
    """The first sentence of each experiment's docstring, by its name; nothing is imported."""
    paths = [path for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem not in HELPERS]
    texts = {path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in paths}
    return {name: " ".join(text.split()).partition("?")[0] + "?" for name, text in texts.items()}


if __name__ == "__main__":
    print("python -m experiments.NAME runs one of these; --help explains its flags:\n")
    for name, question in questions().items():
        print(f"  {name:16} {question}")
