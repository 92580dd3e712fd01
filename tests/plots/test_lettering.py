"""Names from data stand on pictures as they are, and matplotlib's surroundings change nothing."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from experiments.harness import plots
from experiments.neurons import figures as neurons
from jaxmlp.plots import charts, classifier, images, lettering, sweeps
from tests.support.figures import fits

ROOT = Path(__file__).parents[2]
# The second is no formula, and ended the drawing.
NAMES = ("$a_1$", "$\\frac{$ x", "a^b_{c}%", "two\nlines", "w" * 200, "שלום", "\\$5 or $6", "a\udce9b")


@pytest.fixture
def drawn(monkeypatch):
    """Every figure as it is when it has been saved, in few pixels."""
    monkeypatch.setattr(charts, "DOTS_PER_INCH", 30)
    monkeypatch.setattr(neurons, "FRAMES_PER_SECOND", 1)
    figures, savefig = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (savefig(self, *a, **k), figures.append(self))
    )
    return figures


def test_every_picture_takes_any_name(drawn, tmp_path):
    draws = np.random.default_rng(0)
    number, path = len(NAMES), tmp_path / "p.png"
    labels, probabilities = np.arange(number), np.roll(np.eye(number), 1, axis=1)
    values, tiles = {name: draws.random(4) for name in NAMES}, draws.random((number, 4, 4))
    lines = {name: (np.arange(3), draws.random((2, 3))) for name in NAMES}
    title = "in $ and $ " * 40
    classifier.confusion_matrix(np.diag(np.ones(number, int)), NAMES, path)
    classifier.learning_curves({"train_loss": [[3.0, 1.0, 0.01]]}, path, title=title)
    classifier.reliability({name: ([0.5], [True]) for name in NAMES[:4]}, path)
    images.most_wrong(tiles, labels, probabilities, NAMES, path)
    images.prediction(tiles[0], tiles[1], probabilities[0], NAMES, path)
    plots.image_grid(tiles, NAMES, path, title=title)
    plots.line_plot({NAMES[4]: lines}, path, xlabel="x", ylabel="y", log_y=True, title=title)
    charts.point_plot(dict.fromkeys(NAMES[:5], values), path, xlabel="x", title=title)
    plots.heatmap(
        dict.fromkeys(NAMES[:5], tiles[0]), (0, 1, 0, 1), path, xlabel="", ylabel="", colour_label=""
    )
    settings = {"optimizer": NAMES, "dropout": tuple(range(number))}
    sweeps.score_maps(settings, draws.random(number), path, score_label="loss", title=title)
    neurons.neuron_animation(draws.random((2, 4, 3)), (2, 2), NAMES[:2], tmp_path / "p.gif")
    assert len(drawn) > 10
    assert [index for index, figure in enumerate(drawn) if not fits(figure)] == []
    texts = [text for figure in drawn for text in figure.findobj(Text) if text.get_text()]
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts)
    shown = {text.get_text() for text in texts}
    assert {
        "$a_1$",
        "$\\frac{$ x",
        "a^b_{c}%",
        "two lines",
        "\\$5 or $6",
        "a b",
        "wwwwwwwwwwwww…wwwwww",
    } <= shown


def test_dollars_are_no_formula(tmp_path):
    """Two pictures that differ in nothing but what would be a formula."""

    def pixels(title):
        figure = Figure(figsize=(2, 1))
        figure.text(0.1, 0.5, title)
        with Image.open(charts.save_figure(figure, tmp_path / "p.png")) as picture:
            return np.asarray(picture.convert("L"))

    # A formula would drop the dollars, and the space between.
    assert (pixels("$a b$") < 128).sum() > (pixels("a b") < 128).sum()
    with matplotlib.rc_context({"text.usetex": True}):
        assert (pixels("50 %") < 128).any()
    assert matplotlib.rcParams["text.parse_math"]


def test_signs_without_a_glyph_are_said_once(tmp_path, capsys, recwarn):
    lettering._warn_of_signs.cache_clear()
    for _ in range(2):
        charts.point_plot({"": {"你🤖": [1.0, 2.0]}}, tmp_path / "p.png", xlabel="x")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "warning: in pictures boxes stand for signs that the fonts here lack: 你🤖"
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize(("backend", "kept"), [("nonsense", False), ("tkagg", True)])
def test_no_backend_and_no_home_of_the_surroundings_matters(backend, kept, tmp_path):
    program = f"""
import os
from jaxmlp.plots import charts
charts.point_plot({{"": {{"a": [1.0, 2.0]}}}}, {str(tmp_path / "p.png")!r}, xlabel="x")
import matplotlib
assert os.environ["MPLBACKEND"] == {backend!r}
print(matplotlib.rcParams._get_backend_or_none())
"""
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    environment |= {"MPLBACKEND": backend, "HOME": os.devnull, "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{backend if kept else None}\n")
    assert (tmp_path / "p.png").stat().st_size > 1000
