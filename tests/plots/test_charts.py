"""What stands on the charts, read off the figures."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex

from jaxmlp.plots import charts, classifier
from jaxmlp.types import InputError
from tests.support.figures import fits, texts

X = [1.0, 2.0, 4.0]
TWO = {
    "left": {"a": (X, [[1, 2, 3], [3, 4, 5]]), "b": (X, [[1, 1, 1]])},
    "right": {"b": (X, [[2, np.nan, 2]])},
}


class TestLines:
    def labels(self):
        return {"xlabel": "rate", "ylabel": "accuracy"}

    def test_a_line_is_the_mean_and_its_band_one_standard_error(self, figure_of):
        axes = figure_of(charts.line_plot, TWO, **self.labels()).axes[0]
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.transpose([X, [2, 3, 4]]))
        band = axes.collections[0].get_paths()[0].vertices
        # Of two values that differ by 2 the standard error is 1.
        assert {(1.0, 1.0), (1.0, 3.0), (4.0, 3.0), (4.0, 5.0)} <= {tuple(v) for v in band}
        assert len(axes.collections) == 1

    def test_a_label_has_one_colour_and_one_place_in_the_legend(self, figure_of):
        figure = figure_of(charts.line_plot, TWO, **self.labels(), title="both", log_x=True, percent=True)
        left, right = figure.axes
        assert left.lines[1].get_color() == right.lines[0].get_color() != left.lines[0].get_color()
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
        assert (left.get_title(), right.get_title(), figure.get_suptitle()) == ("left", "right", "both")
        assert (left.get_xscale(), left.get_yscale(), right.get_xlabel()) == ("log", "linear", "rate")
        assert fits(figure)

    def test_whole_numbers_have_whole_ticks(self, figure_of):
        figure = figure_of(charts.line_plot, {"": {"a": ([1, 2, 3], [[1, 2, 3]])}}, **self.labels())
        ticks = figure.axes[0].get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))

    def test_a_logarithmic_axis_is_labelled_within_a_decade(self, figure_of):
        line = {"a": ([0.5, 1.5], [[0.04, 0.3]])}
        figure = figure_of(charts.line_plot, {"": line}, **self.labels(), log_y=True, percent=True)
        assert fits(figure)
        shown = {label.get_text() for label in figure.axes[0].get_yticklabels()}
        assert {"5 %", "10 %", "20 %"} <= {text.replace(".0", "") for text in shown}
        assert not any(label.get_text() for label in figure.axes[0].get_yticklabels(minor=True))

    def test_labels_of_many_decades_keep_apart(self, figure_of):
        line = {"a": ([3e-7, 30.0], [[0.1, 0.9]])}
        figure = figure_of(charts.line_plot, {"": line}, **self.labels(), log_x=True)
        assert fits(figure)
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
        shown = sorted((box.x0, box.x1) for box in boxes)
        assert len(shown) > 2 and all(one[1] < other[0] for one, other in itertools.pairwise(shown))

    def test_many_lines_differ_in_colour_or_dash(self, figure_of):
        panel = {f"optimizer {i}": (X, [[i, i, i]]) for i in range(14)}
        figure = figure_of(charts.line_plot, {"": panel}, **self.labels())
        styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
        assert len(styles) == 14
        assert fits(figure)


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


class TestPlane:
    def test_maps_share_a_scale_and_the_boundary_is_where_they_cross_it(self, figure_of):
        ramp = np.tile(np.linspace(0, 1, 11), (5, 1))
        figure = figure_of(
            charts.heatmap,
            {"ramp": ramp, "flat": np.full((5, 11), 3.0)},
            (0, 10, 0, 4),
            xlabel="price",
            ylabel="utility",
            colour_label="probability",
            boundary=0.5,
            points=([[1, 1], [2, 2], [3, 3]], [0, 1, 0]),
        )
        ramped, flat, bar = figure.axes
        assert ramped.images[0].get_clim() == flat.images[0].get_clim() == (0.0, 3.0)
        crossing = ramped.collections[0].get_paths()[0].vertices
        # Of 11 columns over 10 units, the middle of the sixth is at 5.
        np.testing.assert_allclose(crossing[:, 0], 5.0)
        assert len(flat.collections) == 0
        assert [len(line.get_xdata()) for line in ramped.lines] == [2, 1]
        assert (ramped.get_xlabel(), ramped.get_ylabel(), bar.get_ylabel()) == (
            "price",
            "utility",
            "probability",
        )
        assert fits(figure)


class TestHistograms:
    def test_shares_of_each_label_in_the_same_bins(self, figure_of):
        values = {"start": np.zeros(10), "end": np.linspace(0, 1, 30)}
        figure = figure_of(charts.histograms, values, xlabel="correlation", ylabel="share of neurons")
        assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["start", "end"]
        heights = [patch.get_height() for patch in figure.axes[0].patches if hasattr(patch, "get_height")]
        np.testing.assert_allclose(sum(heights), 2.0)
        assert fits(figure)


class TestReliability:
    def test_a_dot_is_the_share_that_was_right_at_its_mean_confidence(self, figure_of):
        confidences, right = [0.62, 0.66, 0.68, 0.64, 1.0], [True, False, True, True, True]
        figure = figure_of(classifier.reliability, {"digits": (confidences, right)}, title="How sure?")
        diagonal, bar, dot, _, last = figure.axes[0].lines
        np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
        np.testing.assert_allclose(dot.get_xydata(), [[0.65, 0.75]])
        # Wilson's interval of 3 in 4, from the formula's tables.
        np.testing.assert_allclose(bar.get_ydata(), [0.3006, 0.9544], atol=1e-4)
        assert last.get_xydata().tolist() == [[1.0, 1.0]]
        assert dot.get_markersize() > last.get_markersize()
        assert fits(figure)


@pytest.mark.parametrize(
    ("draw", "arguments", "options"),
    [
        (charts.line_plot, ({},), {"xlabel": "", "ylabel": ""}),
        (charts.point_plot, ({"empty": {}},), {"xlabel": ""}),
        (charts.heatmap, ({}, (0, 1, 0, 1)), {"xlabel": "", "ylabel": "", "colour_label": ""}),
        (charts.histograms, ({},), {"xlabel": "", "ylabel": ""}),
        (classifier.reliability, ({},), {}),
    ],
)
def test_nothing_to_draw_is_refused_in_one_line(draw, arguments, options, tmp_path):
    with pytest.raises(InputError, match=r"^[a-z]+: must hold at least one, got none$"):
        draw(*arguments, tmp_path / "picture.png", **options)
    assert list(tmp_path.iterdir()) == []


def test_colours_of_a_plane_are_told_apart(figure_of):
    points = (np.random.default_rng(0).uniform(size=(9, 2)), np.arange(9) % 3)
    options = {"xlabel": "x", "ylabel": "y", "colour_label": "z"}
    figure = figure_of(charts.heatmap, {"": np.zeros((2, 2))}, (0, 1, 0, 1), points=points, **options)
    assert len({to_hex(line.get_color()) for line in figure.axes[0].lines}) == 3
    assert "z" in texts(figure)
