"""The questions that the experiments answer: python -m experiments."""

import ast
from pathlib import Path

HELPERS = {"classification", "command_line", "receipt", "provenance", "peers", "timings", "worker"}
HELPERS |= {"epoch_timer", "results", "ask_and_tell", "__init__", "__main__"}


def questions() -> dict[str, str]:
    """The first sentence of each experiment's docstring, by its name; nothing is imported."""
    folder = Path(__file__).parent
    paths = {path.stem: path for path in folder.glob("*.py") if path.stem not in HELPERS}
    paths |= {path.parent.name: path for path in folder.glob("*/__main__.py")}
    texts = {
        name: ast.get_docstring(ast.parse(paths[name].read_text("utf-8"))) or "" for name in sorted(paths)
    }
    return {name: " ".join(text.split()).partition("?")[0] + "?" for name, text in sorted(texts.items())}


if __name__ == "__main__":
    print("python -m experiments.NAME runs one of these; --help explains its flags:\n")
    for name, question in questions().items():
        print(f"  {name:16} {question}")
