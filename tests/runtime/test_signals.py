"""Real signals to real programs: who is stopped, who is told, and who goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import contextlib, signal, sys
import jaxmlp

splits = jaxmlp.load_dataset("iris")


def fit():
    return jaxmlp.fit_mlp(splits, hidden_sizes=(4,), num_epochs=1_000_000)


print("ready", flush=True)
with jaxmlp.stop_on(signal.SIGTERM) if "opted in" in sys.argv else contextlib.nullcontext():
    first = fit()
print("first", first.interrupted, first.run.history["train_loss"].shape[1] < 1_000_000, flush=True)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
if "opted in" not in sys.argv and "once" not in sys.argv:
    fit()
"""


def signalled(number, *arguments, code=PROGRAM):
    """The status and what was printed, on both streams, of a program that got a signal while it trained."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, **pipes) as child:
        assert child.stdout.readline() == "ready\n"
        # The first line of progress says that it trains.
        while "epochs" not in (line := child.stderr.readline()):
            assert line, "it ended before it trained"
        time.sleep(0.2)
        child.send_signal(number)
        out, errors = child.communicate(timeout=60)
        return child.returncode, out.splitlines(), errors


def test_sigterm_ends_a_program_that_trains_twice():
    status, out, _ = signalled(signal.SIGTERM)
    assert status == -signal.SIGTERM
    assert [line for line in out if not line.startswith("compiled")] == []


def test_who_opts_in_gets_what_there_is_and_goes_on():
    status, out, errors = signalled(signal.SIGTERM, "opted in")
    assert status == 0
    assert out[-2:] == ["first 15 True", "True"]
    assert "stopped by SIGTERM after epoch " in errors and " of 1000000: the results are " in errors


def test_ctrl_c_ends_a_fit_with_what_there_is_and_says_so():
    status, out, errors = signalled(signal.SIGINT, "once")
    assert status == 0
    assert out[-2:] == ["first 2 True", "True"]
    assert "stopped by SIGINT after epoch " in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_was_opted_in_ends_with_the_block(number):
    from jaxmlp.runtime.signals import interruptible, stop_on

    before = signal.getsignal(number)
    with stop_on(number):
        with interruptible() as stopped:
            signal.raise_signal(number)
            assert stopped() == number
        assert signal.getsignal(number) is before
    with interruptible():
        assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, 9999])
def test_what_no_process_can_catch_is_refused(number):
    from jaxmlp.runtime.signals import stop_on
    from jaxmlp.types import InputError

    with (
        pytest.raises(InputError, match=r"^stop_on: must be signals that a process can catch"),
        stop_on(number),
    ):
        pytest.fail("it was taken")


def test_sigterm_to_a_command_with_nothing_to_hand_back_ends_it_as_sigterm():
    from jaxmlp.runtime.signals import interruptible, single_run

    with pytest.raises(SystemExit) as left, single_run(), interruptible():
        signal.raise_signal(signal.SIGTERM)
        raise KeyboardInterrupt
    assert left.value.code == 143


def test_blocks_may_end_in_another_order_than_they_began():
    from jaxmlp.runtime.signals import interruptible, stop_on

    first, second = stop_on(signal.SIGUSR1), stop_on(signal.SIGTERM)
    with first:
        second.__enter__()
    with interruptible() as stopped:
        signal.raise_signal(signal.SIGTERM)
        assert stopped() == signal.SIGTERM
    second.__exit__(None, None, None)


def test_a_handler_that_python_did_not_set_is_left_alone(monkeypatch):
    from jaxmlp.runtime.signals import interruptible

    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: pytest.fail("it was replaced"))
    with interruptible() as stopped:
        assert stopped() == 0
