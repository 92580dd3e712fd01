"""What stands on the charts, read off the figures."""

import numpy as np

from jaxmlp.plots import charts, classifier
from tests.support.figures import fits


class TestDots:
    def test_each_value_its_mean_and_its_interval(self, figure_of):
        panels = {"one": {"a": [1.0, 2.0, 3.0], "b": [5.0]}, "two": {"b": [np.nan], "c": [0.5, np.inf]}}
        figure = figure_of(charts.point_plot, panels, xlabel=["points", "seconds"], percent=["two"])
        one, two = figure.axes
        assert "50.0 %" in {label.get_text() for label in two.get_xticklabels()}
        assert not any("%" in label.get_text() for label in one.get_xticklabels())
        values, interval, mean = one.lines[:3]
        np.testing.assert_array_equal(values.get_xdata(), [1, 2, 3])
        # Student's t with two degrees of freedom: 4.303 standard errors of 1/√3.
        np.testing.assert_allclose(
            interval.get_xdata(), 2 + np.array([-1, 1]) * 4.3027 / np.sqrt(3), rtol=1e-4
        )
        assert mean.get_xdata() == [2.0]
        assert [text.get_text() for text in one.get_yticklabels()] == ["a", "b", "c"]
        assert (one.get_xlabel(), two.get_xlabel()) == ("points", "seconds")
        assert len(one.lines) == 5 and len(two.lines) == 2
        assert one.get_ylim()[0] > one.get_ylim()[1]
        assert fits(figure)


class TestReliability:
    def test_a_dot_is_the_share_that_was_right_at_its_mean_confidence(self, figure_of):
        confidences, right = [0.62, 0.66, 0.68, 0.64, 1.0], [True, False, True, True, True]
        figure = figure_of(classifier.reliability, {"digits": (confidences, right)})
        diagonal, bar, dot, _, last = figure.axes[0].lines
        np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
        np.testing.assert_allclose(dot.get_xydata(), [[0.65, 0.75]])
        # Wilson's interval of 3 in 4, from the formula's tables.
        np.testing.assert_allclose(bar.get_ydata(), [0.3006, 0.9544], atol=1e-4)
        assert last.get_xydata().tolist() == [[1.0, 1.0]]
        assert dot.get_markersize() > last.get_markersize()
        assert fits(figure)
