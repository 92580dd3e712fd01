"""Where caches are, and programs that a second process loads instead of compiling them."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxmlp.runtime import compilation, files, host
from jaxmlp.types import InputError

ROOT = Path(__file__).parents[2]
HOMES = ("HOME", "XDG_CACHE_HOME", "JAXMLP_CACHE_DIR")
# Prints the folder, how many programs were loaded, and a number that a program made.
PROGRAM = """
from jaxmlp.runtime import compilation
kept = compilation.enable_cache()
import jax
import jax.numpy as jnp
advance = jax.jit(lambda x: jax.lax.scan(lambda x, _: (jax.numpy.tanh(x @ x), None), x, length=3)[0])
number = advance(jax.numpy.eye(3))[0, 0]
print(kept, compilation.num_cache_hits(), number, sep="\\n")
"""


def run_program(root, **environment):
    ours = {"PYTHONPATH": str(ROOT), "JAXMLP_CACHE_DIR": str(root), "JAX_COMPILATION_CACHE_DIR": ""}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | ours | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, num_loaded, number = done.stdout.splitlines()
    return kept, int(num_loaded), number, done.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"JAXMLP_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"JAXMLP_CACHE_DIR": "~/b"}, Path.home() / "b"),
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/jaxmlp")),
        ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache/jaxmlp"),
    ],
)
def test_the_folder_is_chosen_by_the_environment(environment, expected, monkeypatch):
    for name in ("JAXMLP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert files.cache_folder() == expected


def test_a_home_that_is_none_holds_no_folder(monkeypatch):
    monkeypatch.setenv("JAXMLP_CACHE_DIR", "~no such user/x")
    with pytest.raises(
        InputError, match=r"^JAXMLP_CACHE_DIR: must be a whole path, since there is no home for"
    ):
        files.cache_folder()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root becomes somebody else")
def test_a_user_without_a_home_has_no_folder():
    program = "import os; os.setreuid(12345, 0); from jaxmlp.runtime import files; files.cache_folder()"
    environment = {name: value for name, value in os.environ.items() if name not in HOMES}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    expected = "JAXMLP_CACHE_DIR: must be a whole path, since there is no home for '~/.cache/jaxmlp'"
    assert done.stderr.splitlines()[-1].endswith(expected)


def test_a_second_process_loads_what_the_first_compiled_and_survives_its_damage(tmp_path):
    kept, num_loaded, number, _ = run_program(tmp_path)
    assert num_loaded == 0 and Path(kept).parent == tmp_path / "compiled"
    assert any(path.name.startswith("jit__lambda") for path in Path(kept).iterdir())
    assert run_program(tmp_path)[1:3] == (len(list(Path(kept).glob("*-cache"))), number)
    for path in Path(kept).glob("*-cache"):
        path.write_bytes(path.read_bytes()[:-20])
    assert run_program(tmp_path)[:3] == (kept, 0, number)


def test_jaxs_own_settings_go_first(tmp_path):
    off = run_program(tmp_path, JAX_ENABLE_COMPILATION_CACHE="false")
    elsewhere = run_program(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert off[0] == elsewhere[0] == "None" and not (tmp_path / "compiled").exists()


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    kept, num_loaded, _, errors = run_program(tmp_path / "file")
    (line,) = errors.splitlines()
    assert (kept, num_loaded) == ("None", 0)
    assert line.startswith(
        "warning: compiled programs are not kept; set JAXMLP_CACHE_DIR to a folder ([Errno"
    )


def test_another_processor_has_a_folder_of_its_own(monkeypatch):
    ours = host.processor()
    assert ours and "MHz" not in ours
    monkeypatch.setattr(
        compilation.Path, "read_text", lambda *_: "flags\t: fpu sse\nflags\t: fpu sse\ncpu MHz : 1\n"
    )
    assert host.processor().splitlines()[1:] == ["flags\t: fpu sse"] != ours.splitlines()[1:]


def test_a_cache_that_finds_nothing_again_is_noticed(tmp_path, monkeypatch):
    assert compilation.cache_works() is True
    monkeypatch.setattr(compilation, "_HIT", "nothing that JAX tells")
    assert compilation.cache_works() is False


def test_without_a_cache_nothing_is_said_of_it():
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        assert compilation.cache_works() is None
    finally:
        jax.config.update("jax_enable_compilation_cache", True)


def test_products_of_another_precision_are_another_program():
    product, x = jax.jit(jnp.matmul), jnp.ones((3, 3))
    usual = compilation.compile_for(product, x, x)
    with jax.default_matmul_precision("highest"):
        assert compilation.compile_for(product, x, x) is not usual
    assert compilation.compile_for(product, x, x) is usual
