"""What a run says on the screen: how far it has come, and what to beware of."""

import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jaxmlp.printing import one_line
from jaxmlp.types import InputError

_SECONDS = 10.0
"""From one line to the next where nobody watches a bar."""
_collected: ContextVar[list[str] | None] = ContextVar("_collected", default=None)
"""Where warnings go instead of the screen."""
_about: ContextVar[str] = ContextVar("_about", default="")
"""What warnings begin with."""


def progress_bar(total: int, done: int, *, show: bool) -> Any:
    """A context manager: a bar over ``total`` epochs, ``done`` of them behind, in a terminal or a notebook, a
    line every so often elsewhere; silent unless ``show``.
    """
    if show and not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        return _Lines(total, done)
    with warnings.catch_warnings():
        # A notebook without widgets has a bar of text, which does as well.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, initial=done, unit="epoch", disable=not show, dynamic_ncols=True)


class _Lines:
    """As much of tqdm's bar as the loops use, in lines: after the first and last epoch, also where a run ends
    early, and now and then.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.n, self._told = total, done, done
        self._first: tuple[int, float] | None = None
        self._postfix, self._began, self._last = "", time.monotonic(), -_SECONDS

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: Any) -> None:
        if self.n > self._told:
            self._tell()

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """What stands behind the next line."""
        self._postfix = text

    def update(self, number: int = 1) -> None:
        """So many more are behind."""
        self.n += number
        # What comes before may be compiling, which says nothing of the epochs to come.
        self._first = self._first or (self.n, time.monotonic())
        if time.monotonic() - self._last >= _SECONDS or self.n >= self.total:
            self._tell()

    def _tell(self) -> None:
        self._told, self._last = self.n, time.monotonic()
        number, began = self._first or (self.n, self._began)
        rate = (self.n - number) / max(self._last - began, 1e-9)
        left = f"{(self.total - self.n) / rate:.1f} s left" if rate else ""
        passed = f"{self._last - self._began:.1f} s"
        parts = f"{self.n:,} of {self.total:,} epochs", passed, left, self._postfix
        print(", ".join(filter(None, parts)), file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """A line on stderr about what could make a result surprising; the run goes on."""
    message = one_line(_about.get() + message)
    _say_or_collect(f"warning: {message}", message)


@contextmanager
def about(what: str) -> Iterator[None]:
    """Within it, this thread's warnings, and the InputErrors that come out of it, begin with ``what``, such
    as the file that is read; once, where they do already.
    """
    start, before = f"{what}: ", _about.get()
    token = _about.set(before if before.endswith(start) else before + start)
    try:
        yield
    except InputError as error:
        raise InputError(start + str(error).removeprefix(start)) from None
    finally:
        _about.reset(token)


def note(message: str) -> None:
    """A line on stderr about what is good to know, and changes no result."""
    if _collected.get() is None:
        warn(message)


def tell(message: str) -> None:
    """A line on stdout about how a run goes."""
    if _collected.get() is None:
        print(message, flush=True)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Within it, this thread's warnings are in a list, and no other line is said: for programs that others
    call, which have ways of their own to warn.
    """
    collected: list[str] = []
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)


def _say_or_collect(line: str, message: str) -> None:
    if (collected := _collected.get()) is None:
        print(line, file=sys.stderr, flush=True)
    else:
        collected.append(message)


def tell_stop(number: int, done: int, total: int) -> None:
    """Say that the signal ``number``, if any, ended a run after so many epochs."""
    if number:
        name = signal.Signals(number).name
        text = f"stopped by {name} after epoch {done} of {total}: the results are those of the epochs so far"
        _say_or_collect(text, text)
