"""What stands on pictures: names from data as they are, short enough to be read."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

from jaxmlp.runtime.console import warn
from jaxmlp.types import ClassName

MAX_NAME_LENGTH, MAX_LABEL_LENGTH = 20, 40
"""Letters of a class's name, and of the label of a line or a row."""
_GLYPH = re.compile(r"Glyph (\d+) .* missing from font", re.DOTALL)


def shorten(name: ClassName, length: int = MAX_NAME_LENGTH) -> str:
    """``name`` on one line, without its middle if it is long: classes often share their first words."""
    line, tail = " ".join(drawable(str(name)).split()), length // 3
    return line if len(line) <= length else f"{line[: length - tail - 1]}…{line[-tail:]}"


def drawable(text: str) -> str:
    """The lines of ``text`` without what nothing can be drawn for, as parts of a broken sign."""
    lines = ("".join(sign if sign.isprintable() else " " for sign in line) for line in text.splitlines())
    return "\n".join(" ".join(line.split()) for line in lines)


@contextmanager
def plain_texts(figure: Figure) -> Iterator[None]:
    """While the figure is drawn, its texts stand as they are: names from data may hold dollar signs, between
    which matplotlib would read a formula. Signs that no font has are named in one line on stderr.
    """
    plain = rc_context({"text.parse_math": False, "text.usetex": False})
    with plain, warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        # Those that are there already; what drawing adds follows the context.
        for text in figure.findobj(Text):
            text.set(parse_math=False, usetex=False)
        yield
    glyphs = {one: _GLYPH.match(str(one.message)) for one in noted}
    if lacking := {chr(int(glyph[1])) for glyph in glyphs.values() if glyph}:
        _warn_of_signs("".join(sorted(lacking)))
    for other in (one for one, glyph in glyphs.items() if not glyph):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


@lru_cache
def _warn_of_signs(signs: str) -> None:
    """Once for all pictures of a process."""
    warn(f"in pictures boxes stand for signs that the fonts here lack: {signs}")


def fit_titles(figure: Figure) -> None:
    """Titles that are wider than the figure or their panel lose the middle of their lines."""
    FigureCanvasAgg(figure)
    # Each title, and how wide its panel is, where others stand beside it.
    titles: list[tuple[Text, Axes | None]] = [(text, None) for text in figure.texts]
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        titles.append((axes.title, axes if spec and spec.get_gridspec().ncols > 1 else None))
    for title, _ in titles:
        title.set_text(drawable(title.get_text()))
    if max((len(title.get_text()) for title, _ in titles), default=0) > MAX_NAME_LENGTH:
        # Only then it is known where the panels lie.
        figure.draw_without_rendering()
        for title, panel in titles:
            _fit_title(title, figure.bbox.width, panel.bbox.width * 1.1 if panel else np.inf)


def _fit_title(title: Text, whole: float, room: float) -> None:
    """A title, centred as it is, on a figure of the width ``whole`` and in ``room`` beside others."""
    box = title.get_window_extent()
    centre = (box.x0 + box.x1) / 2
    share = min(2 * centre, 2 * (whole - centre), room) / max(box.width, 1)
    if share < 1:
        lines = title.get_text().splitlines()
        # A little less, as letters differ in width.
        length = int(0.95 * share * max(map(len, lines)))
        title.set_text("\n".join(shorten(line, length) for line in lines))


def log_locator(span: float) -> Locator:
    """A few ticks: powers of ten alone would be none within a decade, and all between them too many."""
    if span < 10:
        return MaxNLocator(4)
    return LogLocator(subs=(1, 3) if span < 100 else (1,), numticks=4)
