"""The parts of a page of HTML that needs nothing beside it: texts are escaped, pictures are inside."""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from jaxmlp.printing import JOINERS

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>$title</title>
<style>
:root { color-scheme: light dark;
  --ink: #1c1e21; --soft: #5f6670; --paper: #ffffff; --line: #d9dde2; --card: #f5f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a3abb5; --paper: #16181b; --line: #383d44; --card: #212429; }
}
body { margin: 0 auto; max-width: 54rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
nav { font-size: .9rem; }
a { color: inherit; }
.short { background: var(--card); border-radius: .5rem; padding: .75rem 1rem .75rem 2rem; }
.short li:first-child { font-weight: 600; }
.note { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .75rem 0; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td { font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: .5rem; display: block;
  margin: .75rem 0; }
code { background: var(--card); padding: .1rem .3rem; border-radius: .25rem; }
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")

_LETTERS = rf"[{JOINERS}\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+"
_TURNED = re.compile(rf"{_LETTERS}(?: +{_LETTERS})*")
"""Words that run from right to left, and would turn the numbers beside them."""
_SCALE, _READABLE = 0.6, 540
"""Of a picture's width, and the pixels below which it is moved sideways rather than made smaller."""


def text(value: Any) -> str:
    """Whatever it is as text that a page may hold: signs that cannot be shown become spaces, and words from
    right to left stand for themselves.
    """
    shown = "".join(sign if sign.isprintable() or sign in f"\n{JOINERS}" else " " for sign in str(value))
    return escape(_TURNED.sub("\u2068\\g<0>\u2069", shown))


def paragraph(value: Any, kind: str = "") -> str:
    """A paragraph, perhaps of a kind that looks otherwise, such as "note"."""
    return f'<p class="{kind}">{text(value)}</p>' if kind else f"<p>{text(value)}</p>"


def items(values: Iterable[Any], kind: str = "") -> str:
    """A list."""
    rows = "".join(f"<li>{text(value)}</li>" for value in values)
    return f'<ul class="{kind}">{rows}</ul>' if rows else ""


def table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """Cells below their names, which can be moved sideways where there is no room."""
    head = "".join(f"<th>{text(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def picture(path: Path, meaning: str) -> str:
    """The PNG, which is then part of the page, with what it shows for those who cannot see it."""
    content = path.read_bytes()
    # Where a PNG says it; letters are then as large as those of the page.
    width = round(_SCALE * int.from_bytes(content[16:20]))
    source = base64.b64encode(content).decode()
    image = f'src="data:image/png;base64,{source}" width="{width}" alt="{text(meaning)}"'
    return f'<div class="wide"><img {image} style="min-width: {min(width, _READABLE)}px"/></div>'


def page(title: str, sections: Iterable[tuple[str, str]]) -> str:
    """The sections below their titles, which are listed before them, after the first, which has none."""
    (_, first), *others = sections
    places = [f'<a href="#part{number}">{text(name)}</a>' for number, (name, _) in enumerate(others)]
    parts = [f'<h2 id="part{number}">{text(name)}</h2>\n{body}' for number, (name, body) in enumerate(others)]
    body = "\n".join([first, f"<nav>{' · '.join(places)}</nav>", *parts])
    return _PAGE.substitute(title=text(title), body=body)
