"""How results show themselves: a few lines of text, or a table in a notebook."""

from html import escape
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


def one_line(text: str) -> str:
    """The text with signs that would break a line, or steer a terminal, as ``repr`` writes them: a column's
    name may hold any.
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


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
