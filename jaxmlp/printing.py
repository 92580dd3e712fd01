"""How results show themselves: numbers as people write them, a few lines of text, a table in a notebook."""

from html import escape
from typing import Any, TypeVar

import numpy as np

Class = TypeVar("Class", bound=type)
JOINERS = "\u200c\u200d"
"""Signs without a width of their own that words of some languages, and pictures made of several, need."""


def format_number(value: float) -> str:
    """In six digits, and not as a power of ten where people would not write one."""
    short = f"{value + 0.0:.6g}"  # of which none is -0
    return f"{value:.0f}" if "e+" in short and abs(value) < 1e12 else short


def format_percent(share: float | np.floating) -> str:
    """In percent with one decimal; never 0 or 100 for what is not."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %"


def one_line(text: str) -> str:
    """The text with signs that would break a line, or steer a terminal, as ``repr`` writes them: a column's
    name may hold any.
    """
    shown = (sign if sign.isprintable() or sign in JOINERS else repr(sign)[1:-1] for sign in text)
    return "".join(shown)


def printable(cls: Class) -> Class:
    """The class with objects that show what their ``summary`` tells, name by name."""
    for name, show in {"__repr__": _as_text, "_repr_html_": _as_html}.items():
        setattr(cls, name, show)
    return cls


def _as_text(shown: Any) -> str:
    lines = [one_line(f"  {name}: {value}") for name, value in shown.summary().items()]
    return "\n".join([type(shown).__name__, *lines])


def _as_html(shown: Any) -> str:
    left = "style='text-align: left'"
    rows = (
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(str(value))}</td></tr>"
        for name, value in shown.summary().items()
    )
    return f"<table><caption>{type(shown).__name__}</caption>{''.join(rows)}</table>"
