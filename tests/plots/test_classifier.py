"""What stands on the pictures, read off the figures; that they are pictures at all, read off the files."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from jaxmlp.plots import classifier, lettering
from jaxmlp.plots.images import most_wrong, prediction
from jaxmlp.plots.weights import TILE_PIXELS, neuron_weights
from jaxmlp.statistics import confusion_counts, worst_examples
from jaxmlp.types import InputError
from tests.support.figures import fits, texts

DIGITS = [str(digit) for digit in range(10)]


def rows(num_seeds, num_epochs):
    return np.random.default_rng(0).uniform(0.5, 1, (num_seeds, num_epochs)).tolist()


def one_hot(predictions, num_classes, confidence=0.9):
    rest = (1 - confidence) / (num_classes - 1)
    return np.where(np.eye(num_classes, dtype=bool)[np.asarray(predictions)], confidence, rest)


class TestFiles:
    """One small picture of each kind, from the file."""

    @pytest.mark.parametrize(
        ("draw", "arguments"),
        [
            (classifier.learning_curves, ({"train_loss": rows(2, 3)},)),
            (neuron_weights, (np.eye(12), (3, 4))),
            (classifier.confusion_matrix, (np.array([[1, 0], [1, 0]]), ["a", "b"])),
            (most_wrong, (np.eye(4)[None], np.array([0]), one_hot([1], 2), ["a", "b"])),
            (most_wrong, (np.eye(4)[None], np.array([1]), one_hot([1], 2), ["a", "b"])),
            (prediction, (np.eye(4), np.eye(8), one_hot(1, 10), DIGITS)),
        ],
    )
    def test_each_picture_is_a_png_that_is_not_blank(self, tmp_path, draw, arguments):
        path = draw(*arguments, tmp_path / "picture.png")
        assert path == tmp_path / "picture.png"
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = imread(path)
        assert all(150 <= size <= 2500 for size in pixels.shape[:2])
        assert pixels[..., :3].std() > 0.01

    def test_the_same_picture_is_the_same_bytes(self, tmp_path):
        first, second = (
            neuron_weights(np.eye(4), (2, 2), str(tmp_path / name)) for name in ("first.png", "second.png")
        )
        assert first.read_bytes() == second.read_bytes()
        assert b"Matplotlib" not in first.read_bytes()

    def test_no_picture_leaves_anything_in_the_global_state(self, tmp_path):
        from matplotlib import pyplot

        neuron_weights(np.eye(4), (2, 2), tmp_path / "picture.png")
        assert pyplot.get_fignums() == []


class TestLearningCurves:
    def test_losses_share_one_panel_and_each_other_family_has_its_own(self, figure_of):
        names = ("train_loss", "validation_accuracy", "validation_loss", "train_accuracy", "gap")
        figure = figure_of(classifier.learning_curves, {name: rows(1, 4) for name in names}, title="digits")
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "gap"]
        assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
        legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
        assert legends == [["train", "validation"], ["validation", "train"], ["gap"]]
        assert figure.get_suptitle() == "digits"
        assert fits(figure)

    def test_a_loss_of_any_name_is_a_loss(self, figure_of):
        curves = {"train_loss": rows(1, 4), "validation_focal_loss": rows(1, 4), "loss": rows(1, 4)}
        assert [axes.get_ylabel() for axes in figure_of(classifier.learning_curves, curves).axes] == ["loss"]

    def test_one_colour_for_one_split_in_every_panel(self, figure_of):
        curves = {"train_loss": rows(1, 4), "validation_loss": rows(1, 4), "train_accuracy": rows(1, 4)}
        loss, accuracy = figure_of(classifier.learning_curves, curves).axes
        assert loss.lines[0].get_color() == accuracy.lines[0].get_color() != loss.lines[1].get_color()

    def test_the_thick_line_is_the_mean_as_far_as_every_seed_goes(self, figure_of):
        curves = {"train_loss": [[4.0, 2.0, 1.0], [2.0, 1.0, None]]}
        axes = figure_of(classifier.learning_curves, curves).axes[0]
        *seeds, mean = axes.lines
        assert len(seeds) == 2
        assert all(line.get_linewidth() < mean.get_linewidth() for line in seeds)
        np.testing.assert_array_equal(mean.get_ydata(), [3.0, 1.5, np.nan])
        np.testing.assert_array_equal(mean.get_xdata(), [1, 2, 3])
        assert axes.get_legend().get_title().get_text() == "thick: mean of 2 runs"

    def test_counts_have_whole_ticks(self, figure_of):
        curves = {"networks": [[1.0, 2.0, 2.0]], "rmse": [[1.0, 1.5, 2.0]]}
        networks, rmse = figure_of(classifier.learning_curves, curves).axes
        assert all(tick == round(tick) for tick in networks.get_yticks())
        assert any(tick != round(tick) for tick in rmse.get_yticks())

    def test_one_seed_is_one_line_and_one_epoch_is_a_visible_point(self, figure_of):
        figure = figure_of(classifier.learning_curves, {"train_loss": [[0.5]]})
        (line,) = figure.axes[0].lines
        assert line.get_marker() == "o"
        ticks = figure.axes[0].get_xticks()
        assert 1 in ticks
        np.testing.assert_array_equal(ticks, np.round(ticks))

    def test_thinned_epochs_come_from_the_record(self, figure_of):
        figure = figure_of(classifier.learning_curves, {"train_loss": [[3.0, 2.0, 1.0]]}, epochs=[1, 50, 100])
        np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [1, 50, 100])

    @pytest.mark.parametrize(
        ("values", "scale"), [([2.0, 0.01], "log"), ([2.0, 1.0], "linear"), ([2.0, 0.0], "linear")]
    )
    def test_a_loss_that_falls_far_is_shown_by_its_logarithm(self, figure_of, values, scale):
        assert figure_of(classifier.learning_curves, {"train_loss": [values]}).axes[0].get_yscale() == scale

    def test_a_run_that_diverged_at_once_is_an_empty_panel(self, figure_of):
        assert fits(figure_of(classifier.learning_curves, {"train_loss": [[np.nan], [np.inf]]}))


class TestNeuronWeights:
    def test_every_neuron_is_one_tile_with_its_own_symmetric_scale(self, figure_of):
        # Neuron 0 sees 1, 0, 0, -1 and neuron 1 the same a hundred times larger: two equal tiles.
        weight = np.array([1.0, 0, 0, -1])[:, None] * np.array([1.0, 100.0])
        figure = figure_of(neuron_weights, weight, (2, 2))
        mosaic = np.asarray(figure.axes[0].images[0].get_array())
        tile = TILE_PIXELS // 2
        gap = (mosaic.shape[0] - 2 * tile) // 2
        left, right = gap + tile // 2, 2 * gap + 2 * tile + tile // 2
        for column in (left, right):
            positive, zero = mosaic[left, column], mosaic[left, column + tile]
            negative = mosaic[left + tile, column + tile]
            assert positive[0] > positive[2] and negative[2] > negative[0]
            assert zero.min() > 0.95
        np.testing.assert_array_equal(mosaic[left, left], mosaic[left, right])

    def test_colour_weights_keep_their_channel_and_zero_is_grey(self, figure_of):
        weight = np.zeros((12, 1))
        weight[1] = 5.0
        figure = figure_of(neuron_weights, weight, (2, 2, 3))
        mosaic = np.asarray(figure.axes[0].images[0].get_array())
        colours = {tuple(colour) for colour in mosaic.reshape(-1, 3).round(3)}
        assert colours == {(0.6, 0.6, 0.6), (0.5, 1.0, 0.5), (0.5, 0.5, 0.5)}
        assert any("mid-grey is 0" in text for text in texts(figure))

    @pytest.mark.parametrize(("hidden", "said"), [(100, "60 of 100"), (60, "60 of 60"), (1, "1 of 1")])
    def test_the_caption_says_how_many_are_shown(self, figure_of, hidden, said):
        figure = figure_of(neuron_weights, np.ones((4, hidden)), (2, 2, 1), title="digits")
        caption = figure.axes[0].get_xlabel()
        assert caption == f"Neurons: {said}, each scaled by its own largest absolute weight"
        assert {"digits", "+largest", "0", "-largest"} <= set(texts(figure))
        assert fits(figure)

    def test_what_fills_the_last_row_is_white(self, figure_of):
        figure = figure_of(neuron_weights, np.ones((4, 12)), (2, 2))
        mosaic = np.asarray(figure.axes[0].images[0].get_array())
        half = mosaic.shape[1] // 20
        assert mosaic[-half, -half].min() == 1 and mosaic[-half, half].min() < 0.5

    def test_a_dead_neuron_is_blank(self, figure_of):
        figure = figure_of(neuron_weights, np.zeros((4, 1)), (2, 2))
        assert np.isfinite(figure.axes[0].images[0].get_array()).all()

    @pytest.mark.parametrize("shape", [(4,), (2, 2, 2), (1, 2, 2, 1), (3, 3)])
    def test_a_shape_that_is_no_image_or_does_not_fit(self, tmp_path, shape):
        with pytest.raises(InputError, match=r"^image_shape: [^\n]*\(.*\)[^\n]*$"):
            neuron_weights(np.ones((4, 2)), shape, tmp_path / "picture.png")


class TestConfusionMatrix:
    @pytest.mark.parametrize("num_classes", [2, 10, 20])
    def test_the_numbers_are_the_counts(self, figure_of, num_classes):
        labels, predictions = np.random.default_rng(0).integers(0, num_classes, (2, 300))
        names = [f"class {index}" for index in range(num_classes)]
        figure = figure_of(
            classifier.confusion_matrix, confusion_counts(labels, predictions, num_classes), names
        )
        axes = figure.axes[0]
        written = np.array([int(text.get_text()) for text in axes.texts]).reshape(num_classes, num_classes)
        expected = sklearn_confusion_matrix(labels, predictions, labels=range(num_classes))
        np.testing.assert_array_equal(written, expected)
        np.testing.assert_allclose(
            axes.images[0].get_array(), sklearn_confusion_matrix(labels, predictions, normalize="true")
        )
        assert [label.get_text() for label in axes.get_yticklabels()] == names
        assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
        assert fits(figure)

    def test_classes_may_be_numbers_and_truth_values(self, figure_of):
        figure = figure_of(classifier.confusion_matrix, np.diag([1, 1, 1]), (10, 0.5, True))
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["10", "0.5", "True"]

    def test_many_classes_have_names_and_no_numbers(self, figure_of):
        labels = np.arange(100)
        names = [f"a long name of class {index}" for index in labels]
        figure = figure_of(classifier.confusion_matrix, confusion_counts(labels, labels, len(names)), names)
        axes = figure.axes[0]
        assert len(axes.texts) == 0
        shown = [label.get_text() for label in axes.get_xticklabels()]
        assert len(set(shown)) == 100
        assert max(map(len, shown)) == lettering.MAX_NAME_LENGTH
        assert axes.get_title() == "100.00 % of 100 examples right"

    def test_names_stand_upright_only_when_they_do_not_fit(self, figure_of):
        def rotation(names):
            figure = figure_of(classifier.confusion_matrix, np.diag([1, 1]), names)
            return figure.axes[0].get_xticklabels()[0].get_rotation()

        assert rotation(["even", "odd"]) == 0
        assert rotation(["even but rather long", "odd"]) == 90

    def test_a_class_without_examples(self, figure_of):
        figure = figure_of(classifier.confusion_matrix, np.diag([1, 0]), ["a", "b"])
        np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), [[1, 0], [0, 0]])


class TestMostWrong:
    def test_the_worst_first_and_only_the_wrong(self):
        labels = np.array([0, 0, 0, 1, 1])
        true_class = np.array([0.4, 0.1, 0.9, 0.2, 0.3])
        probabilities = np.stack([true_class, 1 - true_class], axis=1)
        probabilities[3:] = probabilities[3:, ::-1]
        np.testing.assert_array_equal(worst_examples(labels, probabilities), [1, 3, 4, 0])

    def test_each_picture_is_named_with_both_probabilities(self, figure_of):
        images = np.stack([np.full((2, 2), value) for value in (1, 2, 3)])
        probabilities = np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8]])
        figure = figure_of(most_wrong, images, np.array([1, 1, 1]), probabilities, ["cat", "dog"])
        shown = [axes for axes in figure.axes if axes.images]
        assert [axes.get_title() for axes in shown] == [
            "is dog: 10.0 %\ntaken for cat: 90.0 %",
            "is dog: 30.0 %\ntaken for cat: 70.0 %",
        ]
        assert [axes.images[0].get_array().max() for axes in shown] == [2, 1]
        figure = figure_of(most_wrong, images, np.array([1, 1, 1]), probabilities, [10, 20])
        assert figure.axes[0].get_title() == "is 20: 10.0 %\ntaken for 10: 90.0 %"

    def test_long_names_fit_and_no_more_are_shown_than_asked_for(self, figure_of):
        names = [f"a rather long name of class {index}" for index in range(2)]
        labels = np.zeros(30, dtype=int)
        figure = figure_of(
            most_wrong, np.zeros((30, 4, 4, 3)), labels, one_hot(labels + 1, 2), names, num_images=7
        )
        assert sum(bool(axes.images) for axes in figure.axes) == 7
        assert fits(figure)

    def test_nothing_wrong_is_said(self, figure_of):
        labels = np.arange(10)
        figure = figure_of(most_wrong, np.zeros((10, 2, 2)), labels, one_hot(labels, 10), DIGITS)
        assert texts(figure) == ["None of the 10 examples\nis misclassified."]


class TestPrediction:
    @pytest.mark.parametrize(("num_classes", "num_bars"), [(2, 2), (10, 10), (30, 10)])
    def test_the_most_probable_class_is_on_top(self, figure_of, num_classes, num_bars):
        probabilities = np.random.default_rng(0).permutation(num_classes) + 1.0
        probabilities /= probabilities.sum()
        names = [f"a rather long name of class {index}" for index in range(num_classes)]
        image = np.zeros((30, 20, 3), dtype=np.uint8)
        figure = figure_of(prediction, image, np.eye(8), probabilities, names)
        left, middle, right = figure.axes
        assert (left.get_title(), middle.get_title()) == ("your picture", "what the network saw")
        widths = [bar.get_width() for bar in right.patches]
        np.testing.assert_allclose(widths, sorted(probabilities)[::-1][:num_bars])
        top = right.get_yticklabels()[0].get_text()
        assert top.endswith(f"ss {np.argmax(probabilities)}")
        assert right.get_title() == f"{top}: {100 * max(probabilities):.1f} %"
        assert right.get_ylim()[0] > right.get_ylim()[1]
        assert fits(figure)

    @pytest.mark.parametrize(
        ("probability", "said"), [(0.0, "0.0 %"), (1e-5, "<0.1 %"), (0.99999, ">99.9 %"), (1.0, "100.0 %")]
    )
    def test_nothing_is_rounded_to_certainty(self, figure_of, probability, said):
        probabilities = np.array([probability, 1 - probability])
        assert said in texts(figure_of(prediction, np.eye(2), np.eye(2), probabilities, ["this", "other"]))

    def test_the_two_images_are_shown_as_they_are(self, figure_of):
        image = np.random.default_rng(0).integers(0, 255, (4, 5, 3), dtype=np.uint8)
        seen = np.arange(9.0).reshape(3, 3, 1)
        left, middle, _ = figure_of(prediction, image, seen, one_hot(0, 10), DIGITS).axes
        np.testing.assert_array_equal(left.images[0].get_array(), image)
        np.testing.assert_array_equal(middle.images[0].get_array(), seen[..., 0])


def test_what_is_cut_off_is_seen():
    figure = Figure(figsize=(3, 3))
    axes = figure.subplots()
    assert fits(figure)
    axes.set_title("far too long a title for a figure as small as this one")
    assert not fits(figure)
