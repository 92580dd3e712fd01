"""Nothing that stdout and stderr are tied to ends a command with a trace, and nothing is lost by it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = "import os, shutil, sys; from jaxmlp.runtime.streams import prepare_streams; prepare_streams()\n"


def run(program, *, shell="{}", **environment):
    """The process of ``program`` after the streams are set up, in a line of the shell."""
    python = '"$PYTHON" -c "$PROGRAM"'
    ours = {"PYTHON": sys.executable, "PROGRAM": SETUP + program, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", shell.format(python)],
        env=os.environ | ours | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_signs_that_the_encoding_lacks_are_escapes(unbuffered):
    done = run(
        "print('0.9 ± 0.1'); print('R², ×', file=sys.stderr); print('\\udce9')",
        PYTHONIOENCODING="ascii:strict",
        PYTHONUNBUFFERED=unbuffered,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.9 \\xb1 0.1\n\\udce9\n", "R\\xb2, \\xd7\n")


@pytest.mark.parametrize("pipe", ["{} | head -1", "{} 2>&1 | head -1"])
def test_the_run_goes_on_when_nobody_reads_any_more(pipe, tmp_path):
    program = """
import pathlib, time
print("first", flush=True)
time.sleep(0.2)
for _ in range(9):
    print("said to nobody " * 999, flush=True)
    print("nor this", file=sys.stderr)
pathlib.Path(os.environ["RESULT"]).write_text("results")
"""
    done = run(program, shell=f"set -o pipefail; {pipe}", RESULT=str(tmp_path / "result"))
    assert (done.returncode, done.stdout, done.stderr.replace("nor this\n", "")) == (0, "first\n", "")
    assert (tmp_path / "result").read_text() == "results"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_goes_nowhere_and_no_file_takes_its_place(closed, tmp_path):
    program = """
file = open(os.environ["RESULT"], "w")
os.write(1, b"out\\n"), os.write(2, b"err\\n")
print("out"), print("err", file=sys.stderr), print("results", file=file)
"""
    done = run(program, shell=f"{{}} {closed}", RESULT=str(tmp_path / "result"))
    open_ = {">&-": ("", "err\nerr\n"), "2>&-": ("out\nout\n", ""), "<&-": ("out\nout\n", "err\nerr\n")}
    assert (done.returncode, done.stdout, done.stderr) == (0, *open_.get(closed, ("", "")))
    assert (tmp_path / "result").read_text() == "results\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_told_once():
    program = """
try:
    print("lost")
    sys.stdout.flush()
except OSError as error:
    sys.exit(f"error: {error}")
"""
    done = run(program, shell="{} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "error: [Errno 28] No space left on device\n")


def test_a_terminal_too_narrow_for_help_counts_as_wider():
    program = "print(shutil.get_terminal_size().columns)"
    assert [run(program, COLUMNS=columns).stdout for columns in ("1", "99")] == ["40\n", "99\n"]


def test_streams_that_a_caller_has_replaced_stay(capsys):
    from jaxmlp.runtime.streams import prepare_streams

    before = sys.stdout, sys.stderr
    prepare_streams()
    assert (sys.stdout, sys.stderr) == before
    print("±")
    assert capsys.readouterr().out == "±\n"
