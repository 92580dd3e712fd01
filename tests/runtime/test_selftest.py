"""The backend computes right, a wrong one is seen and stops a run in one line, and both are remembered."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jaxlib
import numpy as np
import pytest
from packaging.requirements import Requirement

from jaxmlp.runtime import compilation, flags, host, miscompilations, selftest
from jaxmlp.types import InputError

pytestmark = pytest.mark.usefixtures("optimized")

ROOT = Path(__file__).parents[2]
CASES = list(miscompilations.cases())
NEEDED = [case for case in CASES if case.needed]
CHECK = "from jaxmlp.runtime import selftest as s; s.check_backend(); print(s.outcome_text())"


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing remembered, in this process or on the disk."""
    monkeypatch.setenv("JAXMLP_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("JAXMLP_SELFTEST", raising=False)
    for remembered in (selftest.outcome, selftest._check_backend):
        remembered.cache_clear()
    yield tmp_path
    for remembered in (selftest.outcome, selftest._check_backend):
        remembered.cache_clear()


@pytest.fixture
def one_wrong(monkeypatch, fresh):
    """The last of the needed programs says something else."""
    broken = NEEDED[-1]._replace(program=lambda *arguments: NEEDED[-1].program(*arguments) + 1)
    monkeypatch.setattr(miscompilations, "cases", lambda: iter([*NEEDED[:2], broken]))
    return broken


@pytest.mark.parametrize("case", NEEDED, ids=lambda case: case.what)
def test_what_this_library_compiles_is_right(case):
    assert selftest.is_right(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_value_from_a_wrong_place_is_seen_and_rounding_is_not(case):
    def shifted(*arguments):
        return np.roll(case.reference(*map(np.asarray, arguments)), 1)

    def rounded(*arguments):
        # By eleven bits, as factors of TF32 are.
        return case.reference(*map(np.asarray, arguments)) * (1 + 2**-11)

    assert not selftest.is_right(case._replace(program=shifted))
    assert selftest.is_right(case._replace(program=rounded))


def test_nan_is_wrong():
    assert not selftest.is_right(NEEDED[0]._replace(program=lambda *_: np.nan))


def test_programs_are_compiled_also_where_a_user_has_turned_that_off():
    case, compiled = NEEDED[0], []

    def program(*arguments):
        compiled.append(isinstance(arguments[0], jax.core.Tracer))
        return case.program(*arguments)

    with jax.disable_jit():
        assert selftest.is_right(case._replace(program=jax.jit(program)))
    assert compiled == [True]


def test_a_wrong_backend_stops_a_run_in_one_line(one_wrong):
    with pytest.raises(InputError) as error:
        selftest.check_backend()
    line = str(error.value)
    assert re.fullmatch(
        rf"jaxlib: {jaxlib.__version__} computes wrong on cpu: {one_wrong.what} \({one_wrong.report}\); .* "
        r"\(JAXMLP_SELFTEST=warn goes on all the same\)",
        line,
    )
    assert selftest.outcome_text() == f"wrong: {one_wrong.what} ({one_wrong.report})"


def test_the_stop_can_be_made_a_warning(one_wrong, monkeypatch, capsys):
    monkeypatch.setenv("JAXMLP_SELFTEST", "warn")
    selftest.check_backend()
    selftest.check_backend()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: jaxlib: ") and one_wrong.what in line


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("0.10.2", f"pip install 'jax=={selftest.RIGHT}'"),
        ("0.10.1", "import jaxmlp before JAX computes anything, or set XLA_FLAGS=--xla_cpu"),
        ("0.12.0.1", "report it, and take another release"),
    ],
)
def test_what_to_do_is_said(version, remedy, monkeypatch):
    monkeypatch.setattr(selftest, "RIGHT", "0.12.0.1")
    monkeypatch.setattr(host, "jaxlib_version", lambda: version)
    assert selftest._remedy().startswith(remedy.replace("0.10.1'", "0.12.0.1'"))


def test_what_is_wrong_elsewhere_is_said_and_stops_nothing(fresh, monkeypatch, capsys):
    other = NEEDED[-1]._replace(program=lambda *_: 0.0, needed=False)
    monkeypatch.setattr(miscompilations, "cases", lambda: iter([other]))
    selftest.check_backend()
    assert selftest.outcome_text() == f"passed; wrong elsewhere: {other.what} ({other.report})"
    assert capsys.readouterr().err == ""


def test_a_second_process_does_not_test_again(fresh, monkeypatch):
    found = selftest.outcome()
    (kept,) = (fresh / "selftest").iterdir()
    assert json.loads(kept.read_text())["wrong"] == list(found.wrong) == []
    selftest.outcome.cache_clear()
    with monkeypatch.context() as context:
        context.setattr(miscompilations, "cases", lambda: pytest.fail("tested again"))
        assert selftest.outcome() == found
    # What cannot be read is made again.
    kept.write_text("{}")
    selftest.outcome.cache_clear()
    assert selftest.outcome() == found


@pytest.mark.parametrize("change", ["XLA_FLAGS", "jaxlib", "device"])
def test_another_release_device_or_flag_is_tested_anew(change, monkeypatch):
    before = selftest._fingerprint()
    if change == "XLA_FLAGS":
        monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    elif change == "jaxlib":
        monkeypatch.setattr(host, "jaxlib_version", lambda: "0.10.2")
    else:
        device = type(
            "Device", (), {"platform": "cuda", "device_kind": "B200", "client": jax.devices()[0].client}
        )
        monkeypatch.setattr(jax, "local_devices", lambda: [device])
    assert selftest._fingerprint() != before


def test_a_folder_that_cannot_be_written_to_stops_nothing(fresh, monkeypatch):
    (fresh / "file").write_text("")
    monkeypatch.setattr(miscompilations, "cases", lambda: iter(NEEDED[-1:]))
    for folder in (fresh / "file", "~no such user/x"):
        monkeypatch.setenv("JAXMLP_CACHE_DIR", str(folder))
        selftest.outcome.cache_clear()
        assert selftest.outcome().wrong == ()


def test_programs_that_are_not_found_again_are_said_once(fresh, monkeypatch, capsys):
    monkeypatch.setattr(miscompilations, "cases", lambda: iter(()))
    monkeypatch.setattr(compilation, "cache_works", lambda: False)
    selftest.check_backend()
    selftest.check_backend()
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not find compiled programs again" in line and "jax#38445" in line


# Releases


def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def admitted(name, version, python):
    environment = {"python_version": python}
    found = [
        requirement.specifier.contains(version)
        for requirement in requirements()
        if requirement.name == name
        and (requirement.marker is None or requirement.marker.evaluate(environment))
    ]
    return bool(found) and all(found)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_no_excluded_release_is_admitted_and_the_advised_one_is(python):
    right = "0.10.1" if python == "3.11" else "0.12.0.1"
    for name in ("jax", "jaxlib"):
        assert admitted(name, right, python)
        assert not any(admitted(name, version, python) for version in selftest.EXCLUDED)


def test_this_release_is_admitted_and_advised_for_its_python():
    assert admitted("jaxlib", jaxlib.__version__, f"3.{sys.version_info.minor}")
    assert admitted("jaxlib", selftest.RIGHT, f"3.{sys.version_info.minor}")


# Flags


@pytest.mark.parametrize(
    ("version", "given", "expected"),
    [
        ("0.10.1", "", "--xla_cpu_experimental_ynn_fusion_type=-reduce"),
        ("0.10.1", "--xla_foo=1", "--xla_foo=1 --xla_cpu_experimental_ynn_fusion_type=-reduce"),
        ("0.10.1", "--xla_cpu_experimental_ynn_fusion_type=", "--xla_cpu_experimental_ynn_fusion_type="),
        ("0.12.0.1", "--xla_foo=1", "--xla_foo=1"),
    ],
)
def test_the_flag_that_a_release_needs_is_set(version, given, expected, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", given)
    monkeypatch.setattr(flags.metadata, "version", lambda name: version)
    monkeypatch.setattr(flags.sys, "version_info", (3, 11))
    flags.set_required()
    assert os.environ["XLA_FLAGS"] == given, "after JAX has started it would not be read"
    monkeypatch.setattr(flags, "_backend_started", lambda: False)
    flags.set_required()
    assert os.environ["XLA_FLAGS"] == expected


@pytest.mark.parametrize(
    ("name", "share", "decided", "expected"),
    [
        ("LokyProcess-1", "3", None, "3"),
        ("LokyProcess-1", "3", "2", "2"),
        ("LokyProcess-1", "", None, None),
        ("MainProcess", "3", None, None),
    ],
)
def test_a_worker_of_a_pool_has_the_cores_that_it_is_told(name, share, decided, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", share)
    monkeypatch.setattr(flags.multiprocessing.current_process(), "_name", name)
    monkeypatch.setattr(flags, "_backend_started", lambda: False)
    monkeypatch.setenv("PJRT_NPROC", decided or "")
    if decided is None:
        monkeypatch.delenv("PJRT_NPROC")
    flags.share_cores()
    assert os.environ.get("PJRT_NPROC") == expected
    assert host.num_cores() <= int(expected or 2**31)


def run_python(code, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"JAXMLP_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.mark.skipif(jaxlib.__version__ not in flags.REQUIRED, reason="this jaxlib needs no flag")
def test_without_its_flag_the_release_is_found_wrong(tmp_path):
    done = run_python(CHECK, tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("passed")
    late = run_python(f"import jax; jax.numpy.ones(3); {CHECK}", tmp_path)
    assert late.returncode == 1 and "import jaxmlp before JAX computes anything" in late.stderr


def test_the_environment_is_printed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jaxmlp", "env"],
        cwd=ROOT,
        env=os.environ | {"JAXMLP_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["jaxlib"] == jaxlib.__version__ and lines["selftest"].startswith("passed")
    assert lines["cache"] == str(tmp_path)
