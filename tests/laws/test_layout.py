"""The house, drawn from its imports: who stands on whom, how high it is, and how long its parts may be."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import jaxmlp

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "jaxmlp": {"jaxmlp"},
    "experiments": {"jaxmlp", "experiments"},
    "tests": {"jaxmlp", "experiments", "tests"},
}
HEAVY = {"matplotlib", "sklearn", "tensorflow", "tensorflow_datasets", "tqdm", "tyro", "pandas"}
EXTRAS = {
    "pandas",
    "polars",
    "optuna",
    "torch",
    "keras",
    "flax",
    "equinox",
    "catboost",
    "lightgbm",
    "pytabkit",
}
DOORS = {"jaxmlp.cli", "jaxmlp.estimators"}
MAX_FLOORS = 7
MAX_CHAIN = 10
MAX_BESIDE = 8
MAX_FILE_LINES = 250
MAX_EXPERIMENT_LINES = 200
MAX_BODY_LINES = {"jaxmlp": 40, "experiments": 50}
MAX_PARAMETERS = 10
Arrows = Mapping[str, set[str]]


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def sources() -> dict[str, str]:
    """Each module of the library, by its dotted name."""
    return {module_name(path): path.read_text("utf-8") for path in files("jaxmlp")}


def imported(source: str) -> Iterator[str]:
    """Every module or name that ``source`` imports, wherever in it, with its full dotted name; not what is
    imported for type checkers alone.
    """
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not for_types_alone(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def for_types_alone(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def arrows_of(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """For each module the others that it imports, or imports from."""

    def target(name: str) -> str | None:
        return next((m for m in (name, name.rpartition(".")[0]) if m in modules), None)

    found = {name: {target(other) for other in imported(source)} for name, source in modules.items()}
    return {name: {to for to in targets if to and to != name} for name, targets in found.items()}


def of_packages(arrows: Arrows) -> dict[str, set[str]]:
    """The arrows between packages; a file beside them counts as one."""

    def package(name: str) -> str:
        return ".".join(name.split(".")[:2])

    found: dict[str, set[str]] = {}
    for name, targets in arrows.items():
        found.setdefault(package(name), set()).update(map(package, targets))
    return {name: targets - {name} for name, targets in found.items()}


def longest_chain(arrows: Arrows) -> list[str]:
    """The longest way down along the arrows; a ValueError where they run in a circle."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        if name in open_:
            raise ValueError(f"a circle through {name}")
        open_.add(name)
        longest = max((below(to) for to in sorted(arrows.get(name, ()))), key=len, default=())
        open_.remove(name)
        return (name, *longest)

    open_: set[str] = set()
    return list(max(map(below, sorted(arrows)), key=len))


def broken_borders(package: str, source: str) -> list[str]:
    forbidden = {*MAY_IMPORT, ""} - MAY_IMPORT[package]
    return [f"{package} → {name}" for name in imported(source) if name.split(".")[0] in forbidden]


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines after the docstring; a nested function counts in its parent too."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def num_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    return len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)


def shadowed(name: str, source: str) -> bool:
    """Whether the module is called like something that it defines."""
    defined = [getattr(node, "name", None) for node in ast.parse(source).body]
    return name.rpartition(".")[2] in defined


def names_in(source: str) -> Iterator[str]:
    """Every name that code or a key of text in ``source`` is called by."""
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "name", "arg", "value"):
            text = getattr(node, field, None)
            if isinstance(text, str) and re.fullmatch(r"[\w.]+", text):
                yield from text.split(".")


def names_in_prose(source: str) -> set[str]:
    """What docstrings and comments of ``source`` put between double backticks, where it is a name."""
    return set(re.findall(r"``([A-Za-z_][\w.]*)``", source))


def test_what_prose_names_is_there():
    paths = [path for package in MAY_IMPORT for path in files(package)]
    known = {part for path in paths for part in path.with_suffix("").parts}
    known.update(*(names_in(path.read_text("utf-8")) for path in paths))
    named = {(path.name, name) for path in paths for name in names_in_prose(path.read_text("utf-8"))}
    assert {(file, name) for file, name in named if not {*name.split(".")} <= known} == set()


def test_packages_stand_on_each_other_and_not_too_high():
    chain = longest_chain(of_packages(arrows_of(sources())))
    assert len(chain) <= MAX_FLOORS, chain


def test_no_chain_of_imports_is_long():
    chain = longest_chain(arrows_of(sources()))
    assert len(chain) <= MAX_CHAIN, chain


def test_nothing_stands_on_a_door():
    arrows = of_packages(arrows_of(sources()))
    assert [name for name, targets in arrows.items() if targets & DOORS and name != "jaxmlp.__main__"] == []


def test_few_files_lie_beside_the_packages():
    beside = [path.name for path in (ROOT / "jaxmlp").glob("*.py")]
    assert len(beside) <= MAX_BESIDE, beside


def test_files_are_short():
    lengths = {name: source.count("\n") for name, source in sources().items()}
    scripts = [
        path for path in (ROOT / "jaxmlp" / "page").iterdir() if path.suffix in (".js", ".css", ".html")
    ]
    lengths |= {path.name: path.read_text("utf-8").count("\n") for path in scripts}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_an_experiment_is_read_in_one_go():
    root = ROOT / "experiments"
    lengths = {path.relative_to(root): path.read_text("utf-8").count("\n") for path in files("experiments")}
    # One file by itself, or a folder of them.
    most = {path: MAX_FILE_LINES if path.parent.name else MAX_EXPERIMENT_LINES for path in lengths}
    assert {str(path): length for path, length in lengths.items() if length > most[path]} == {}


def test_no_file_is_called_like_what_it_defines_or_the_package_exports():
    assert [name for name, source in sources().items() if shadowed(name, source)] == []
    assert {path.stem for path in (ROOT / "jaxmlp").iterdir()} & set(jaxmlp.__all__) == set()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_library_knows_no_experiment_and_nobody_knows_the_tests(package):
    broken = [arrow for path in files(package) for arrow in broken_borders(package, path.read_text())]
    assert broken == []


@pytest.mark.parametrize("package", MAX_BODY_LINES)
def test_functions_are_short_and_take_few_parameters(package):
    found = [(path.stem, one) for path in files(package) for one in functions(path.read_text())]
    assert [f"{file}.{one.name}" for file, one in found if body_lines(one) > MAX_BODY_LINES[package]] == []
    many = {f"{file}.{one.name}" for file, one in found if num_parameters(one) > MAX_PARAMETERS}
    # What a run or a data set may be told is told at its door.
    doors = {
        "loop.fit",
        "fitting.fit_mlp",
        "splits.from_arrays",
        "tables.read_table",
        "ensembles.__init__",
        "perceptrons.__init__",
    }
    assert many <= doors


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_file_is_called_utils(package):
    assert [path.name for path in files(package) if path.stem in ("utils", "util", "helpers")] == []


def test_importing_the_package_is_light():
    program = f"import sys, jaxmlp; print(*({HEAVY} | {{'jax', 'numpy'}}) & set(sys.modules))"
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


# Each rule, broken


HOUSE = {
    "jaxmlp.types": "import numpy",
    "jaxmlp.nn.mlp": "from jaxmlp.types import Layer\nfrom jaxmlp.nn import heads",
    "jaxmlp.nn.heads": "def f():\n    from jaxmlp import types",
    "jaxmlp.train.step": "from jaxmlp.nn import mlp, heads",
}


def test_the_arrows_of_a_house():
    arrows = arrows_of(HOUSE)
    assert arrows["jaxmlp.nn.mlp"] == {"jaxmlp.types", "jaxmlp.nn.heads"}
    assert longest_chain(arrows) == ["jaxmlp.train.step", "jaxmlp.nn.mlp", "jaxmlp.nn.heads", "jaxmlp.types"]
    assert longest_chain(of_packages(arrows)) == ["jaxmlp.train", "jaxmlp.nn", "jaxmlp.types"]


def test_an_arrow_that_runs_back_up_is_seen():
    house = HOUSE | {"jaxmlp.nn.heads": "import jaxmlp.train.step"}
    with pytest.raises(ValueError, match="circle"):
        longest_chain(of_packages(arrows_of(house)))


@pytest.mark.parametrize(
    ("package", "source", "num_broken"),
    [
        ("jaxmlp", "from experiments import digits", 1),
        ("jaxmlp", "if True:\n    import tests.nn.test_mlp", 1),
        ("jaxmlp", "from . import mlp", 1),
        ("experiments", "from tests.nn.test_mlp import draw", 1),
        ("experiments", "from experiments import digits\nimport jaxmlp", 0),
        ("tests", "from experiments import digits", 0),
    ],
)
def test_a_broken_border_is_seen(package, source, num_broken):
    assert len(broken_borders(package, source)) == num_broken


def test_lines_and_parameters_are_counted():
    body = ['    """First line.', "", '    Last line."""', *["    x = 1"] * 40]
    (one,) = functions("\n".join(["def f(a, /, b, *, c):", *body]))
    assert (body_lines(one), num_parameters(one)) == (40, 3)
    outer, inner = functions("def f():\n    def g():\n        return 1\n    return g")
    assert (body_lines(outer), body_lines(inner)) == (3, 1)


def test_a_module_called_like_its_function_is_seen():
    assert shadowed("jaxmlp.sweep.plan", "def plan(): ...") and not shadowed("jaxmlp.a", "def b(): ...")


def test_every_package_is_in_the_readme():
    page = (ROOT / "README.md").read_text("utf-8").split("## How to read the code")[1].split("\n## ")[0]
    packages = {path.parent.name for path in (ROOT / "jaxmlp").glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`([a-z_]+)/?`", page))


def test_pages_of_results_are_made_without_an_extra():
    """A record without a sentence of its own is told by its experiment, whose module is imported for it."""
    told = [
        path for path in files("experiments") if "peers" not in path.parts and path.stem != "ask_and_tell"
    ]
    found = {
        (module_name(path), name.partition(".")[0])
        for path in told
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(ast.unparse(node))
    }
    assert len(told) > 50 and not [pair for pair in found if pair[1] in EXTRAS]
