"""Pictures of a report: everything on the paper, names as they are."""

import numpy as np
import pytest

from jaxmlp.plots import reports
from tests.support.figures import fits, texts

CURVE = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.9, 1.0])
LONG = "a name of $100 and more that nobody would give to a class or to a column of a table"


def test_curves_are_named_by_their_classes(figure_of):
    figure = figure_of(reports.ranking_curves, {LONG: CURVE}, {LONG: CURVE}, rates={LONG: 0.3})
    assert fits(figure) and {"ROC", "precision and recall", "found (recall)"} <= {*texts(figure)}
    assert list(figure.axes[1].get_lines()[-1].get_ydata()) == [0.3, 0.3]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_residuals_lie_where_they_are_and_the_interval_about_them(figure_of, scale):
    predictions, errors = np.arange(5.0) * scale, np.array([-2.0, 1.0, 0.0, 3.0, -1.0]) * scale
    held = np.array([0.5, 0.9]), np.array([0.4, 0.8])
    figure = figure_of(reports.residuals, predictions, errors, 2 * scale, held, unit=LONG)
    left, right = figure.axes
    shown = left.get_lines()[0]
    assert sorted(shown.get_xdata()) == sorted(predictions) and sorted(shown.get_ydata()) == sorted(errors)
    assert [line.get_ydata()[0] for line in left.get_lines()[2:]] == [-2 * scale, 2 * scale]
    assert list(right.get_lines()[1].get_ydata()) == [0.4, 0.8] and fits(figure)


@pytest.mark.parametrize("percent", [False, True])
def test_each_column_has_a_panel_with_its_values_or_words(figure_of, percent):
    panels = [
        reports.EffectPanel("income", [1.0, 2.0, 5.0, 7.0, 9.0], np.arange(10.0).reshape(5, 2)),
        reports.EffectPanel(LONG, ["Oslo", "Rome <b>", LONG, "x"], np.ones((4, 2))),
        reports.EffectPanel("sex", [1.0, 2.0], np.ones((2, 2))),
        reports.EffectPanel("more", [1.0, 2.0, 5.0, 7.0, 8e5], np.ones((5, 2))),
    ]
    figure = figure_of(reports.effect_panels, panels, ["low", "high"], ylabel=LONG, percent=percent)
    assert fits(figure) and {"income", "Oslo", "Rome <b>", "low", "high"} <= {*texts(figure)}
    income, _, sex, *_ = figure.axes
    assert [list(line.get_ydata()) for line in income.get_lines()] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert [text.get_text() for text in sex.get_xticklabels()] == ["1", "2"]
