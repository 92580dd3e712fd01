"""Pictures made of images: what a neuron looks for, what a network mistook.

Each becomes a PNG (an animation a GIF) at ``path``, which is returned.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float, Integer, Shaped
from matplotlib import colormaps
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from jaxmlp import charts
from jaxmlp.types import InputError

MAX_BARS = 10
TILE_PIXELS = 84
ANIMATION_DOTS_PER_INCH = 80
FRAMES_PER_SECOND = 4
MOSAIC_COLUMNS = 10


def neuron_weights(
    weight: Float[Array | np.ndarray, "inputs hidden"],
    image_shape: Sequence[int],
    path: str | Path,
    *,
    num_neurons: int = 60,
    title: str = "",
) -> Path:
    """The weights into each of the first ``num_neurons`` hidden neurons, as an image of the input's shape.

    ``image_shape`` is (height, width) or (height, width, 1 or 3). Each neuron has its own scale, from minus
    to plus its largest absolute weight: grey images go from blue over white to red, colour images show a
    weight of 0 as mid-grey in its channel. InputError if the shape is none of these or does not fit.
    """
    weight, shape = np.asarray(weight, dtype=float), tuple(image_shape)
    _check_image_shape(shape, len(weight))
    shown = weight[:, :num_neurons]
    mosaic = _weights_mosaic(shown, shape, np.max(np.abs(shown), axis=0))
    num_shown = f"Neurons: {shown.shape[1]} of {weight.shape[1]}"
    note = f"{num_shown}, each scaled by its own largest absolute weight"
    figure, _ = _weights_figure(mosaic, shape, shown.shape[1], note)
    figure.axes[0].set_title(title or "Incoming weights of the first hidden layer", fontsize=11)
    return charts.save_figure(figure, path)


def neuron_animation(
    weights: Float[Array | np.ndarray, "frames inputs hidden"],
    image_shape: Sequence[int],
    frame_titles: Sequence[str],
    path: str | Path,
    *,
    num_neurons: int = 60,
) -> Path:
    """A GIF of ``neuron_weights`` over time; each neuron keeps one scale, its largest weight of all frames.

    The last frame stays for two seconds. InputError unless there is one title for each frame.
    """
    weights, shape = np.asarray(weights, dtype=float)[..., :num_neurons], tuple(image_shape)
    _check_image_shape(shape, weights.shape[1])
    if len(frame_titles) != len(weights):
        raise InputError(f"frame_titles: must name each of {len(weights)} frames, got {len(frame_titles)}")
    largest = np.max(np.abs(weights), axis=(0, 1))
    mosaics = [_weights_mosaic(weight, shape, largest) for weight in weights]
    note = "each neuron scaled by its largest absolute weight of all frames"
    figure, image = _weights_figure(mosaics[0], shape, weights.shape[2], note)
    FigureCanvasAgg(figure)
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    with writer.saving(figure, path, dpi=ANIMATION_DOTS_PER_INCH):
        # GIF has no pause of its own: the last frame is repeated.
        for frame in [*range(len(weights)), *[len(weights) - 1] * (2 * FRAMES_PER_SECOND)]:
            image.set_data(mosaics[frame])
            figure.axes[0].set_title(frame_titles[frame], fontsize=11)
            writer.grab_frame()
    return Path(path)


def image_grid(
    images: Shaped[Array | np.ndarray, "images height width *channels"],
    titles: Sequence[str],
    path: str | Path,
    *,
    signed: bool = False,
    columns: int = MOSAIC_COLUMNS,
    title: str = "",
) -> Path:
    """Images in rows, each under its own title.

    ``signed`` images, of one channel, go from blue over white to red, each on a scale of its own from minus
    to plus its largest absolute value. InputError unless there is one title for each image.
    """
    images = np.asarray(images)
    if len(titles) != len(images):
        raise InputError(f"titles: must name each of {len(images)} images, got {len(titles)}")
    columns = min(columns, len(images))
    num_rows = -(-len(images) // columns)
    figure = Figure(figsize=(max(4.0, 1.25 * columns), 1.6 * num_rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(num_rows, columns, squeeze=False).ravel()
    for axes in grid[len(images) :]:
        axes.set_axis_off()
    for axes, image, name in zip(grid, images, titles, strict=False):
        _show(axes, image)
        axes.set_title(name, fontsize=8)
        if signed:
            largest = float(np.max(np.abs(image))) or 1.0
            axes.images[0].set(cmap="RdBu_r", clim=(-largest, largest))
    return charts.save_figure(figure, path)


def most_wrong(
    images: Shaped[Array | np.ndarray, "examples height width *channels"],
    labels: Integer[Array | np.ndarray, " examples"],
    probabilities: Float[Array | np.ndarray, "examples classes"],
    class_names: Sequence[str],
    path: str | Path,
    *,
    num_images: int = 24,
) -> Path:
    """The misclassified examples whose true class got the least probability, the worst first.

    Above each stand the true and the predicted class with the probability that each was given.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check_class_names(class_names, probabilities)
    chosen = worst_examples(labels, probabilities)[:num_images]
    columns = min(6, max(len(chosen), 3))
    num_rows = max(1, -(-len(chosen) // columns))
    figure = Figure(figsize=(1.9 * columns, 2.4 * num_rows + 0.5), layout="constrained")
    if len(chosen) == 0:
        figure.text(
            0.5, 0.5, f"None of the {len(labels)} examples\nis misclassified.", ha="center", va="center"
        )
        return charts.save_figure(figure, path)
    figure.suptitle("The worst mistakes, by the probability of the true class", fontsize=11)
    grid = figure.subplots(num_rows, columns, squeeze=False).ravel()
    for axes in grid[len(chosen) :]:
        axes.set_axis_off()
    for axes, example in zip(grid, chosen, strict=False):
        _show(axes, np.asarray(images[example]))
        axes.set_title(_mistake(int(labels[example]), probabilities[example], class_names), fontsize=7.5)
    return charts.save_figure(figure, path)


def worst_examples(
    labels: Integer[np.ndarray, " examples"], probabilities: Float[np.ndarray, "examples classes"]
) -> Integer[np.ndarray, " wrong"]:
    """The indices of the misclassified examples, by rising probability of the true class."""
    wrong = np.flatnonzero(np.argmax(probabilities, axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")]


def prediction(
    image: Shaped[Array | np.ndarray, "..."],
    seen: Shaped[Array | np.ndarray, "..."],
    probabilities: Float[Array | np.ndarray, " classes"],
    class_names: Sequence[str],
    path: str | Path,
) -> Path:
    """A person's picture, what the network saw of it, and its ten most probable classes, the first on top."""
    probabilities = np.asarray(probabilities)
    _check_class_names(class_names, probabilities)
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    _show(left, np.asarray(image))
    left.set_title("your picture")
    _show(middle, np.asarray(seen))
    middle.set_title("what the network saw")
    _draw_probabilities(right, probabilities, class_names)
    return charts.save_figure(figure, path)


def _grey(images: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """``images`` without a channel axis of size 1 at the end."""
    return images[..., 0] if images.shape[-1] == 1 else images


def _weights_mosaic(
    weight: Float[np.ndarray, "inputs shown"], shape: tuple[int, ...], largest: Float[np.ndarray, " shown"]
) -> Float[np.ndarray, "rows columns 3"]:
    unit = (1 + (weight / np.where(largest > 0, largest, 1)).T.reshape(-1, *shape)) / 2
    return _mosaic(unit if shape[2:] == (3,) else colormaps["RdBu_r"](_grey(unit))[..., :3])


def _weights_figure(
    mosaic: Float[np.ndarray, "rows columns 3"], shape: tuple[int, ...], num_shown: int, note: str
) -> tuple[Figure, AxesImage]:
    width = max(5.5, 0.85 * min(num_shown, MOSAIC_COLUMNS))
    figure = Figure(figsize=(width, 0.9 * width * len(mosaic) / mosaic.shape[1] + 0.7), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(mosaic, interpolation="nearest")
    _hide_axes(axes)
    in_colour = shape[2:] == (3,)
    axes.set_xlabel(note + ("; mid-grey is 0" if in_colour else ""), fontsize=9)
    if not in_colour:
        bar = figure.colorbar(ScalarMappable(cmap="RdBu_r"), ax=axes, pad=0.01)
        bar.set_ticks([0, 0.5, 1], labels=["-largest", "0", "+largest"])
    return figure, image


def _mosaic(images: Float[np.ndarray, "images height width 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """``images`` side by side, enlarged to about one size whatever theirs, with thin grey lines between."""
    num_images, height, width, _ = images.shape
    columns = min(num_images, MOSAIC_COLUMNS)
    factor = max(1, TILE_PIXELS // max(height, width))
    gap = max(1, factor * max(height, width) // 28)
    enlarged = images.repeat(factor, axis=1).repeat(factor, axis=2)
    tile_height, tile_width = factor * height + gap, factor * width + gap
    num_rows = -(-num_images // columns)
    mosaic = np.ones((num_rows * tile_height + gap, columns * tile_width + gap, 3))
    for index, image in enumerate(enlarged):
        top, left = tile_height * (index // columns), tile_width * (index % columns)
        mosaic[top : top + tile_height + gap, left : left + tile_width + gap] = 0.6
        mosaic[top + gap : top + tile_height, left + gap : left + tile_width] = image
    return mosaic


def _draw_probabilities(
    axes: Axes, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str]
) -> None:
    top = np.argsort(-probabilities, kind="stable")[:MAX_BARS]
    names, texts = (
        [charts.shorten(class_names[label]) for label in top],
        [_percent(probabilities[label]) for label in top],
    )
    colours = [charts.COLOURS[0]] + ["#999999"] * (len(top) - 1)
    bars = axes.barh(range(len(top)), probabilities[top], color=colours)
    axes.bar_label(bars, texts, padding=3)
    axes.set(title=f"{names[0]}: {texts[0]}", xlabel="probability", xlim=(0, 1.2))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_yticks(range(len(top)), names)
    # Downwards, and never so few slots that two bars fill the panel.
    axes.set_ylim(max(len(top), 5) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _mistake(
    true_class: int, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str]
) -> str:
    predicted = int(np.argmax(probabilities))
    # A long name leaves no room for its probability on the line.
    break_ = "\n" if max(len(class_names[label]) for label in (true_class, predicted)) > 8 else " "
    return "\n".join(
        f"{verb} {charts.shorten(class_names[label])}:{break_}{_percent(probabilities[label])}"
        for verb, label in (("is", true_class), ("taken for", predicted))
    )


def _show(axes: Axes, image: Shaped[np.ndarray, "..."]) -> None:
    """An image as it is (uint8 colour), else stretched to its own darkest and brightest value."""
    image = _grey(image)
    if image.ndim == 3 and image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (image - low) / (high - low or 1)
    axes.imshow(image, cmap="gray", interpolation="nearest")
    # The frame shows where a picture on white paper ends.
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#bbbbbb")


def _hide_axes(axes: Axes) -> None:
    """Only the labels stay."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _check_image_shape(shape: tuple[int, ...], num_inputs: int) -> None:
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise InputError(f"image_shape: must be (height, width) with 1 or 3 channels, got {shape}")
    if num_inputs != np.prod(shape):
        raise InputError(f"image_shape: {shape} does not fit a layer of {num_inputs} inputs")


def _check_class_names(class_names: Sequence[str], probabilities: Float[np.ndarray, "... classes"]) -> None:
    if len(class_names) != probabilities.shape[-1]:
        raise InputError(
            f"class_names: must name each of {probabilities.shape[-1]} classes, got {len(class_names)}"
        )


def _percent(probability: float | np.floating) -> str:
    """In percent with one decimal; never 0 or 100 for what is not."""
    if 0 < probability < 0.0005:
        return "<0.1 %"
    if 0.9995 <= probability < 1:
        return ">99.9 %"
    return f"{100 * probability:.1f} %"
