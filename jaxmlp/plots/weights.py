"""The weights into hidden neurons as images: what each of them looks for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from jaxmlp.plots import charts
from jaxmlp.plots.images import MOSAIC_COLUMNS, without_channel
from jaxmlp.types import InputError

TILE_PIXELS = 84


def neuron_weights(
    weight: Float[Array | np.ndarray, "inputs hidden"],
    image_shape: Sequence[int],
    path: str | Path,
    *,
    num_neurons: int = 60,
    title: str = "",
) -> Path:
    """The weights into each of the first ``num_neurons`` hidden neurons, as an image of the input's shape: a
    PNG at ``path``, which is returned.

    ``image_shape`` is (height, width) or (height, width, 1 or 3). Each neuron has its own scale, from minus
    to plus its largest absolute weight: grey images go from blue over white to red, colour images show a
    weight of 0 as mid-grey in its channel. InputError if the shape is none of these or does not fit.
    """
    weight, shape = np.asarray(weight, dtype=float), tuple(image_shape)
    _check_image_shape(shape, len(weight))
    shown = weight[:, :num_neurons]
    mosaic = weights_mosaic(shown, shape, np.max(np.abs(shown), axis=0))
    num_shown = f"Neurons: {shown.shape[1]} of {weight.shape[1]}"
    note = f"{num_shown}, each scaled by its own largest absolute weight"
    figure, _ = mosaic_figure(mosaic, shape, shown.shape[1], note)
    figure.axes[0].set_title(title or "Incoming weights of the first hidden layer", fontsize=11)
    return charts.save_figure(figure, path)


def weights_mosaic(
    weight: Float[np.ndarray, "inputs shown"], shape: tuple[int, ...], largest: Float[np.ndarray, " shown"]
) -> Float[np.ndarray, "rows columns 3"]:
    """The images of all neurons in one, each from minus to plus its ``largest`` weight."""
    unit = (1 + (weight / np.where(largest > 0, largest, 1)).T.reshape(-1, *shape)) / 2
    return _mosaic(unit if shape[2:] == (3,) else colormaps["RdBu_r"](without_channel(unit))[..., :3])


def mosaic_figure(
    mosaic: Float[np.ndarray, "rows columns 3"], shape: tuple[int, ...], num_shown: int, note: str
) -> tuple[Figure, AxesImage]:
    """A figure of the mosaic of ``num_shown`` neurons with its scale, and a ``note`` below."""
    width = max(5.5, 0.85 * min(num_shown, MOSAIC_COLUMNS))
    figure = Figure(figsize=(width, 0.9 * width * len(mosaic) / mosaic.shape[1] + 0.7), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(mosaic, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    in_colour = shape[2:] == (3,)
    axes.set_xlabel(note + ("; mid-grey is 0" if in_colour else ""), fontsize=9)
    if not in_colour:
        bar = figure.colorbar(ScalarMappable(cmap="RdBu_r"), ax=axes, pad=0.01)
        bar.set_ticks([0, 0.5, 1], labels=["-largest", "0", "+largest"])
    return figure, image


def _mosaic(images: Float[np.ndarray, "images height width 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """``images`` side by side, enlarged to about one size whatever theirs, with thin grey lines between."""
    side, columns = max(images.shape[1:3]), min(len(images), MOSAIC_COLUMNS)
    factor = max(1, TILE_PIXELS // side)
    gap = max(1, factor * side // 28)
    enlarged = images.repeat(factor, axis=1).repeat(factor, axis=2)
    tiles = np.pad(enlarged, [(0, 0), (gap, 0), (gap, 0), (0, 0)], constant_values=0.6)
    tiles = np.pad(tiles, [(0, -len(images) % columns), (0, 0), (0, 0), (0, 0)], constant_values=1)
    rows = [np.concatenate(row, axis=1) for row in tiles.reshape(-1, columns, *tiles.shape[1:])]
    return np.pad(np.concatenate(rows), [(0, gap), (0, gap), (0, 0)], constant_values=0.6)


def _check_image_shape(shape: tuple[int, ...], num_inputs: int) -> None:
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise InputError(f"image_shape: must be (height, width) with 1 or 3 channels, got {shape}")
    if num_inputs != np.prod(shape):
        raise InputError(f"image_shape: {shape} does not fit a layer of {num_inputs} inputs")
