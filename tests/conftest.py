"""Every test runs with shapes checked by beartype, rank promotion forbidden and programs compiled fast."""

import os
from pathlib import Path

import jax
import jaxtyping
import pytest
from jaxtyping import install_import_hook

install_import_hook("jaxmlp", "beartype.beartype")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Nearly all programs here compile longer than they run.
jax.config.update("jax_disable_most_optimizations", True)


def pytest_configure():
    """What the other worker or an earlier run has compiled is not compiled again, and what a test keeps is in
    the checkout.
    """
    from jaxmlp.runtime import compilation

    os.environ.setdefault("JAXMLP_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache"))
    compilation.enable_cache()


@pytest.fixture
def figure_of(monkeypatch, tmp_path):
    """Draws with a function that saves a figure, and returns the figure instead."""
    from jaxmlp.plots import charts

    figures = []

    def keep(figure, path):
        figures.append(figure)
        return path

    def draw_figure(draw, *arguments, **options):
        draw(*arguments, tmp_path / "unused.png", **options)
        return figures.pop()

    monkeypatch.setattr(charts, "save_figure", keep)
    return draw_figure


@pytest.fixture
def optimized():
    """Programs as users compile them: for what their optimization decides."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture
def no_runtime_types():
    """Without it, beartype would speak first of an argument that is of another type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
