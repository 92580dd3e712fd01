"""Ctrl-C and SIGTERM: a loop takes note of them, ends when it likes, and says which it was."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_stops: list[int] = []
"""Those that a loop has taken note of, since ``single_run`` was entered."""
_depth: list[None] = []


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """A function that tells the number of the signal that asked to stop, 0 if none did. A second one acts at
    once. Outside the main thread, which alone receives signals, it tells 0.

    Within ``single_run``, a loop that begins after another one was stopped ends the process.
    """
    exit_if_stopped()
    hits: list[int] = []

    def handler(number: int, frame: Any) -> None:
        hits.append(number)
        note_stop(number)
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
def single_run() -> Iterator[None]:
    """What belongs together: once one loop was stopped by a signal, the process ends when it is left, or when
    the next loop begins, with the status that shells give to it, 130 or 143.
    """
    _stops.clear()
    _depth.append(None)
    try:
        yield
        exit_if_stopped()
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
        _exit(_stops[0])


def _exit(number: int) -> NoReturn:
    sys.exit(128 + number)
