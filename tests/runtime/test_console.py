"""How far a run has come: a bar for who watches, lines where nobody does."""

import contextlib
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from jaxmlp.runtime import console
from jaxmlp.types import InputError

ROOT = Path(__file__).parents[2]
PROGRAM = """
from jaxmlp.runtime.console import progress_bar

with progress_bar(300, 0, show=True) as bar:
    for epoch in range(300):
        bar.set_postfix_str(f"loss {epoch}", refresh=False)
        bar.update()
"""


def test_what_messages_are_about_is_said_once_and_a_name_breaks_no_line(capsys):
    about = console.about
    with pytest.raises(InputError, match=r"^a: b: wrong$"), about("a"), about("b"), about("b"):
        console.warn("column \x1b[2J'x\ny'")
        raise InputError("wrong")
    console.warn("after")
    lines = "warning: a: b: column \\x1b[2J'x\\ny'", "warning: after"
    assert capsys.readouterr().err.splitlines() == [*lines]


def test_a_file_gets_a_few_plain_lines():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, last = done.stderr.splitlines()
    assert first.startswith("1 of 300 epochs, ") and first.endswith(" s, loss 0")
    assert last.startswith("300 of 300 epochs, ") and last.endswith(", 0.0 s left, loss 299")
    assert "\r" not in done.stderr and done.stdout == ""


def test_a_terminal_gets_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        # Its end is an error on Linux.
        with contextlib.suppress(OSError):
            while block := os.read(ours, 2**16):
                shown += block
    os.close(ours)
    assert child.returncode == 0
    assert b"\r" in shown and b"300/300" in shown and b"loss 299" in shown


def test_lines_come_every_so_often_and_know_what_was_behind(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with console.progress_bar(40, 10, show=True) as bar:
        # As long as compiling may take.
        clock[0] = 90.0
        for _ in range(30):
            clock[0] += 1
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" of ")[0] for line in lines] == ["11", "21", "31", "40"]
    # A second for each of the ten epochs after the first, and 19 are left.
    assert lines[:2] == ["11 of 40 epochs, 91.0 s", "21 of 40 epochs, 101.0 s, 19.0 s left"]


def test_a_run_that_ends_early_tells_its_last_epoch(capsys):
    with contextlib.suppress(KeyboardInterrupt), console.progress_bar(40, 10, show=True) as bar:
        for epoch in (11, 12, 13):
            bar.set_postfix_str(f"loss {epoch}", refresh=False)
            bar.update()
        raise KeyboardInterrupt
    with console.progress_bar(40, 10, show=True):
        pass
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("11 of 40 epochs, ")
    assert last.startswith("13 of 40 epochs, ") and last.endswith(", loss 13")


def test_who_asks_for_silence_gets_it(capsys):
    with console.progress_bar(3, 0, show=False) as bar:
        bar.set_postfix_str("loss", refresh=False)
        bar.update(3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("number", "told"), [(0, ""), (2, "SIGINT"), (15, "SIGTERM")])
def test_a_stop_is_told_by_its_name(capsys, number, told):
    console.tell_stop(number, 3, 20)
    said = capsys.readouterr().err
    assert (f"stopped by {told} after epoch 3 of 20: " in said) if told else (said == "")


def test_who_collects_warnings_gets_them_and_nothing_else_is_said(capsys):
    with console.collect_warnings() as outer:
        console.warn("a row is odd")
        with console.collect_warnings() as inner:
            console.tell_stop(2, 3, 20)
        console.note("good to know")
        console.tell("in parts")
    assert outer == ["a row is odd"] and inner[0].startswith("stopped by SIGINT after epoch 3 of 20")
    assert capsys.readouterr() == ("", "")
    console.note("good to know")
    console.tell("in parts")
    assert capsys.readouterr() == ("in parts\n", "warning: good to know\n")
