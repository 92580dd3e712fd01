"""Ctrl-C and, where it was asked for, other signals: a loop takes note of them, ends when it likes, and says
which it was.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jaxmlp.types import InputError

_more: list[int] = []
"""Signals besides Ctrl-C that end loops at present."""
_stops: list[int] = []
"""Those that a loop has taken note of, since ``single_run`` was entered."""
_depth: list[None] = []


@contextmanager
def stop_on(*numbers: int) -> Iterator[None]:
    """Within it, a fit or sweep that receives one of these signals ends with what it has, within half a
    second or after the current epoch, as it does on Ctrl-C, and its result says so; the program goes on.
    Elsewhere they do what they do in any program. InputError for what no process can catch.

    >>> import signal
    >>> with stop_on(signal.SIGTERM):
    ...     pass
    """
    catchable = [each for each in signal.Signals if each.name not in ("SIGKILL", "SIGSTOP")]
    if refused := [each for each in numbers if each not in catchable]:
        raise InputError(f"stop_on: must be signals that a process can catch, got {refused}")
    _more.extend(numbers)
    try:
        yield
    finally:
        # Not the last ones, which another thread may have added.
        for each in numbers:
            _more.remove(each)


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """A function that tells the number of the signal that asked to stop, 0 if none did. A second one acts at
    once. Whoever handles these signals otherwise does so again afterwards. Outside the main thread, which
    alone receives signals, it tells 0.

    Within ``single_run``, a loop that begins after another one was stopped ends the process.
    """
    exit_if_stopped()
    hits: list[int] = []
    # A handler that is not of Python, as of a program that embeds it, could not be put back.
    wanted = dict.fromkeys((signal.SIGINT, *_more))
    numbers = [each for each in wanted if signal.getsignal(each) is not None]

    def handler(number: int, frame: Any) -> None:
        hits.append(number)
        note_stop(number)
        for each in numbers:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)

    try:
        previous = [signal.signal(each, handler) for each in numbers]
    except ValueError:  # not the main thread
        yield lambda: 0
        return
    try:
        yield lambda: hits[0] if hits else 0
    finally:
        for each, before in zip(numbers, previous, strict=True):
            signal.signal(each, before)


@contextmanager
def single_run() -> Iterator[None]:
    """What belongs together, as a command does: once one loop was stopped, by Ctrl-C or SIGTERM, the process
    ends when it is left, or when the next loop begins, with the status that shells give to it, 130 or 143.
    """
    _stops.clear()
    _depth.append(None)
    try:
        with stop_on(signal.SIGTERM):
            yield
        exit_if_stopped()
    except KeyboardInterrupt:
        # Of a run that had nothing to hand back, on whichever signal.
        exit_if_stopped()
        raise
    finally:
        _depth.pop()
        _stops.clear()


def note_stop(number: int) -> None:
    """A loop of this ``single_run`` was stopped by this signal, which another process may have received."""
    if _depth:
        _stops.append(number)


def exit_if_stopped() -> None:
    """End the process if a loop of this ``single_run`` was stopped by a signal."""
    if _stops:
        sys.exit(128 + _stops[0])
