"""Who may import whom, and how long a function may be."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxmlp

ROOT = Path(__file__).parents[1]
PACKAGES = ("jaxmlp", "experiments", "tests")
# A room imports only from rows above its own.
ROOMS = [
    {"types", "flags", "miscompilations"},
    {"caches", "checks", "files", "signals", "statistics"},
    {"losses", "metrics", "batching", "preprocessing", "products", "mesh", "hosts", "selftest"},
    {"mlp", "optimizers", "ensemble", "halving", "checkpoints"},
    {"train", "space", "augment"},
    {"streaming"},
    {"epochs", "divergence"},
    {"fit_state", "probes"},
    {"loop"},
    {"sweep"},
    {"population", "swept"},
    {"settings"},
    {"sweep_state"},
    {"sweep_loop"},
    {"prepared", "description", "predictor"},
    {"datasets", "records", "models", "charts"},
    {"plots", "pictures", "landscape", "tables", "calibration"},
    {"search"},
    {"plan", "__main__"},
]
ROW = {room: i for i, row in enumerate(ROOMS) for room in row}
MAY_IMPORT = {
    "jaxmlp": {"jaxmlp"},
    "experiments": {"jaxmlp", "experiments"},
    "tests": {"jaxmlp", "experiments", "tests"},
}
HEAVY = {"matplotlib", "sklearn", "tensorflow", "tensorflow_datasets", "tqdm", "tyro"}
MAX_LINES = 50


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Every module or name that ``source`` imports, wherever in it, with its full dotted name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def broken_arrows(room: str, source: str) -> list[str]:
    """The imports of ``source`` that point to a room of its own row or below, or to the package itself."""
    arrows = [name.split(".")[1] if "." in name else "" for name in imported(source) if is_in(name, "jaxmlp")]
    return [f"{room} → {to or 'jaxmlp'}" for to in arrows if ROW.get(to, len(ROOMS)) >= ROW[room]]


def broken_borders(package: str, source: str) -> list[str]:
    forbidden = {*PACKAGES, ""} - MAY_IMPORT[package]
    return [f"{package} → {name}" for name in imported(source) if name.split(".")[0] in forbidden]


def is_in(name: str, package: str) -> bool:
    return name.split(".")[0] == package


def long_functions(source: str) -> list[str]:
    """Functions of more than 50 lines after the docstring; a nested one counts in its parent too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            num_lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if num_lines > MAX_LINES:
                found.append(f"{node.name}: {num_lines} lines")
    return found


def test_every_room_has_its_row():
    assert {path.stem for path in files("jaxmlp")} - {"__init__"} == set(ROW)


@pytest.mark.parametrize("room", sorted(ROW))
def test_arrows_between_rooms_go_one_way(room):
    assert broken_arrows(room, (ROOT / "jaxmlp" / f"{room}.py").read_text()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_library_knows_no_experiment_and_nobody_knows_the_tests(package):
    broken = [arrow for path in files(package) for arrow in broken_borders(package, path.read_text())]
    assert broken == []


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("from jaxmlp.train import Train", ["mlp → train"]),
        ("from jaxmlp import checks, optimizers", ["mlp → optimizers"]),
        ("def f():\n    import jaxmlp.plots", ["mlp → plots"]),
        ("import jaxmlp", ["mlp → jaxmlp"]),
        ("from jaxmlp import fit", ["mlp → fit"]),
        ("import jax\nfrom jaxmlp.types import Params\nfrom jaxmlp import losses", []),
    ],
)
def test_a_broken_arrow_is_seen(source, broken):
    assert broken_arrows("mlp", source) == broken


@pytest.mark.parametrize(
    ("package", "source", "num_broken"),
    [
        ("jaxmlp", "from experiments import digits", 1),
        ("jaxmlp", "if True:\n    import tests.test_mlp", 1),
        ("jaxmlp", "from . import mlp", 1),
        ("experiments", "from tests.test_mlp import draw", 1),
        ("experiments", "from experiments import digits\nimport jaxmlp", 0),
        ("tests", "from experiments import digits", 0),
    ],
)
def test_a_broken_border_is_seen(package, source, num_broken):
    assert len(broken_borders(package, source)) == num_broken


def test_every_room_is_in_the_readme():
    table = (ROOT / "README.md").read_text().split("| room | what is in it |")[1].split("\n\n")[0]
    assert set(re.findall("`([a-z_]+)`", table)) >= set(ROW)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_called_utils(package):
    assert [path.name for path in files(package) if path.stem in ("utils", "util", "helpers")] == []


@pytest.mark.parametrize("package", ["jaxmlp", "experiments"])
def test_functions_are_short(package):
    found = [f"{path.stem}.{long}" for path in files(package) for long in long_functions(path.read_text())]
    assert found == []


@pytest.mark.parametrize(("num_lines", "num_found"), [(50, 0), (51, 1)])
def test_a_long_function_is_seen(num_lines, num_found):
    body = ['    """First line.', "", '    Last line."""', *["    x = 1"] * num_lines]
    assert len(long_functions("\n".join(["def f():", *body]))) == num_found


def test_a_nested_function_counts_in_its_parent():
    source = "\n".join(["def f():", "    def g():", *["        x = 1"] * 49, "    return g"])
    assert long_functions(source) == ["f: 51 lines"]


@pytest.mark.parametrize("rooms", [[], sorted(room for row in ROOMS[:-4] for room in row)])
def test_the_import_is_light(rooms):
    modules = ["jaxmlp", *(f"jaxmlp.{room}" for room in rooms)]
    program = f"import sys, {', '.join(modules)}; print(*{HEAVY} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", jaxmlp.__all__)
def test_every_public_name_is_there(name):
    assert getattr(jaxmlp, name) is not None


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'rellu'"):
        _ = jaxmlp.rellu
