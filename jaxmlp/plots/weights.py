"""Pictures of the weights into hidden neurons: what each of them looks for.

Each becomes a PNG (an animation a GIF) at ``path``, which is returned.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float
from matplotlib import colormaps
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from jaxmlp.plots import charts, lettering
from jaxmlp.plots.images import MOSAIC_COLUMNS, without_channel
from jaxmlp.types import InputError

TILE_PIXELS = 84
ANIMATION_DOTS_PER_INCH = 80
FRAMES_PER_SECOND = 4


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
    with lettering.plain_texts(figure), writer.saving(figure, path, dpi=ANIMATION_DOTS_PER_INCH):
        # GIF has no pause of its own: the last frame is repeated.
        for frame in [*range(len(weights)), *[len(weights) - 1] * (2 * FRAMES_PER_SECOND)]:
            image.set_data(mosaics[frame])
            figure.axes[0].set_title(lettering.drawable(frame_titles[frame]), fontsize=11)
            writer.grab_frame()
    return Path(path)


def _weights_mosaic(
    weight: Float[np.ndarray, "inputs shown"], shape: tuple[int, ...], largest: Float[np.ndarray, " shown"]
) -> Float[np.ndarray, "rows columns 3"]:
    unit = (1 + (weight / np.where(largest > 0, largest, 1)).T.reshape(-1, *shape)) / 2
    return _mosaic(unit if shape[2:] == (3,) else colormaps["RdBu_r"](without_channel(unit))[..., :3])


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


def _hide_axes(axes: Axes) -> None:
    """Only the labels stay."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _check_image_shape(shape: tuple[int, ...], num_inputs: int) -> None:
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise InputError(f"image_shape: must be (height, width) with 1 or 3 channels, got {shape}")
    if num_inputs != np.prod(shape):
        raise InputError(f"image_shape: {shape} does not fit a layer of {num_inputs} inputs")
