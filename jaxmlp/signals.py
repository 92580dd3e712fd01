"""Ctrl-C and SIGTERM: a loop takes note of them, ends when it likes, and says which it was."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_noted: list[int] = []
"""Those that a loop has taken note of, since ``one_run`` was entered."""
_depth: list[None] = []


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """A function that tells the number of the signal that asked to stop, 0 if none did. A second one acts at
    once. Outside the main thread, which alone receives signals, it tells 0.

    Within ``one_run``, a loop that begins after another one was stopped ends the process.
    """
    leave_if_noted()
    hits: list[int] = []

    def handler(number: int, frame: Any) -> None:
        hits.append(number)
        note(number)
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)

    try:
        previous = [signal.signal(each, handler) for each in _SIGNALS]
    except ValueError:  # not the main thread
        yield lambda: 0
        return
    try:
        yield lambda: hits[0] if hits else 0
    finally:
        for each, before in zip(_SIGNALS, previous, strict=True):
            signal.signal(each, before)


@contextmanager
def one_run() -> Iterator[None]:
    """What belongs together: once one loop was stopped by a signal, the process ends when it is left, or when
    the next loop begins, with the status that shells give to it, 130 or 143.
    """
    _noted.clear()
    _depth.append(None)
    try:
        yield
        leave_if_noted()
    finally:
        _depth.pop()
        _noted.clear()


def note(number: int) -> None:
    """A loop of this ``one_run`` was stopped by this signal, which another process may have received."""
    if _depth:
        _noted.append(number)


def leave_if_noted() -> None:
    """End the process if a loop of this ``one_run`` was stopped by a signal."""
    if _noted:
        _leave(_noted[0])


def _leave(number: int) -> NoReturn:
    sys.exit(128 + number)
