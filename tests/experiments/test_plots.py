"""What stands on the pictures that experiments alone draw, read off the figures."""

import itertools

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image, ImageSequence

from experiments.harness import plots
from experiments.neurons.figures import histograms, neuron_animation
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
        axes = figure_of(plots.line_plot, TWO, **self.labels()).axes[0]
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.transpose([X, [2, 3, 4]]))
        band = axes.collections[0].get_paths()[0].vertices
        # Of two values that differ by 2 the standard error is 1.
        assert {(1.0, 1.0), (1.0, 3.0), (4.0, 3.0), (4.0, 5.0)} <= {tuple(v) for v in band}
        assert len(axes.collections) == 1

    def test_a_label_has_one_colour_and_one_place_in_the_legend(self, figure_of):
        figure = figure_of(plots.line_plot, TWO, **self.labels(), title="both", log_x=True, percent=True)
        left, right = figure.axes
        assert left.lines[1].get_color() == right.lines[0].get_color() != left.lines[0].get_color()
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
        assert (left.get_title(), right.get_title(), figure.get_suptitle()) == ("left", "right", "both")
        assert (left.get_xscale(), left.get_yscale(), right.get_xlabel()) == ("log", "linear", "rate")
        assert fits(figure)

    def test_whole_numbers_have_whole_ticks(self, figure_of):
        figure = figure_of(plots.line_plot, {"": {"a": ([1, 2, 3], [[1, 2, 3]])}}, **self.labels())
        ticks = figure.axes[0].get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))

    def test_a_logarithmic_axis_is_labelled_within_a_decade(self, figure_of):
        line = {"a": ([0.5, 1.5], [[0.04, 0.3]])}
        figure = figure_of(plots.line_plot, {"": line}, **self.labels(), log_y=True, percent=True)
        assert fits(figure)
        shown = {label.get_text() for label in figure.axes[0].get_yticklabels()}
        assert {"5 %", "10 %", "20 %"} <= {text.replace(".0", "") for text in shown}
        assert not any(label.get_text() for label in figure.axes[0].get_yticklabels(minor=True))

    def test_labels_of_many_decades_keep_apart(self, figure_of):
        line = {"a": ([3e-7, 30.0], [[0.1, 0.9]])}
        figure = figure_of(plots.line_plot, {"": line}, **self.labels(), log_x=True)
        assert fits(figure)
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
        shown = sorted((box.x0, box.x1) for box in boxes)
        assert len(shown) > 2 and all(one[1] < other[0] for one, other in itertools.pairwise(shown))

    def test_many_lines_differ_in_colour_or_dash(self, figure_of):
        panel = {f"optimizer {i}": (X, [[i, i, i]]) for i in range(14)}
        figure = figure_of(plots.line_plot, {"": panel}, **self.labels())
        styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
        assert len(styles) == 14
        assert fits(figure)


class TestPlane:
    def test_maps_share_a_scale_and_the_boundary_is_where_they_cross_it(self, figure_of):
        ramp = np.tile(np.linspace(0, 1, 11), (5, 1))
        figure = figure_of(
            plots.heatmap,
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
        figure = figure_of(histograms, values, xlabel="correlation", ylabel="share of neurons")
        assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["start", "end"]
        heights = [patch.get_height() for patch in figure.axes[0].patches if hasattr(patch, "get_height")]
        np.testing.assert_allclose(sum(heights), 2.0)
        assert fits(figure)


class TestImageGrid:
    def test_signed_images_have_white_for_zero(self, figure_of):
        images = np.array([[[1.0, -4.0]], [[0.0, 0.5]]])
        figure = figure_of(plots.image_grid, images, ["first", "second"], signed=True, title="errors")
        assert [axes.get_title() for axes in figure.axes] == ["first", "second"]
        assert [axes.images[0].get_clim() for axes in figure.axes] == [(-4.0, 4.0), (-0.5, 0.5)]
        assert fits(figure)

    def test_rows_are_filled_and_the_rest_is_empty(self, figure_of):
        figure = figure_of(plots.image_grid, np.zeros((7, 4, 4)), list("abcdefg"), columns=3)
        assert [len(axes.images) for axes in figure.axes] == [1] * 7 + [0] * 2
        assert fits(figure)


class TestNeuronAnimation:
    def test_every_frame_is_there_and_keeps_the_scale_of_all(self, tmp_path):
        weights = np.array([0.5, 1.0])[:, None, None] * np.eye(4)
        path = neuron_animation(weights, (2, 2), ["start", "end"], tmp_path / "p.gif")
        with Image.open(path) as film:
            frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(film)]
            assert film.format == "GIF"
        # Two seconds of the last frame, which GIF stores as one.
        assert 2 <= len(frames) <= 10
        red = [((frame[..., 0] - frame[..., 2]) > 60).sum() for frame in frames]
        reddest = [(frame[..., 0] - frame[..., 1]).max() for frame in frames]
        assert red[0] > 0 and reddest[-1] >= reddest[0]
        assert np.abs(frames[0] - frames[-1]).max() > 60


def test_colours_of_a_plane_are_told_apart(figure_of):
    points = (np.random.default_rng(0).uniform(size=(9, 2)), np.arange(9) % 3)
    options = {"xlabel": "x", "ylabel": "y", "colour_label": "z"}
    figure = figure_of(plots.heatmap, {"": np.zeros((2, 2))}, (0, 1, 0, 1), points=points, **options)
    assert len({to_hex(line.get_color()) for line in figure.axes[0].lines}) == 3
    assert "z" in texts(figure)
