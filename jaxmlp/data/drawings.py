"""A person's own drawing or photograph, as a network trained on images knows them."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image, ImageOps

from jaxmlp.data.ink import composite_on, find_ink, seems_several
from jaxmlp.types import InputError, Numbers

MNIST_EXTENT = 20 / 28
SEVERAL = "several drawings seem to stand side by side, and are read as one; cut out one of them"


def read_picture(path: Path) -> Image.Image:
    """The picture in the file ``path``, turned upright as its EXIF data say.

    Raises InputError when the file is missing, is no picture, or is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a picture")
    try:
        with Image.open(path) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow's decoders raise errors of a dozen kinds on damaged files.
        raise InputError(f"{path}: cannot be read as a picture ({error}); give a PNG or a JPEG") from None


def read_drawing(
    image: Image.Image,
    input_shape: tuple[int, ...],
    low: Numbers,
    high: Numbers,
    extent: float | int = MNIST_EXTENT,
) -> tuple[Float[np.ndarray, "..."], str | None]:
    """An upright ``image`` as a network trained on inputs of ``input_shape`` knows them, in [low, high].

    Grey images, (height, width) or (height, width, 1), become ink (``high``) on paper (``low``), cut out,
    scaled and centred by ``center_drawing``. For colour, (height, width, 3), the middle of the picture is
    shrunk to fit. With it what to know of the network's answer: that several drawings seem to stand side by
    side.

    Raises InputError when the picture is blank or the network does not take images.
    """
    channels = input_shape[2] if len(input_shape) == 3 else 1
    if len(input_shape) not in (2, 3) or channels not in (1, 3):
        raise InputError(f"the model's inputs have the shape {input_shape}; give a model trained on images")
    (height, width), remark = input_shape[:2], None
    if channels == 3:
        fitted = ImageOps.fit(composite_on(image, "white"), (width, height), Image.Resampling.BICUBIC)
        values = np.asarray(fitted) / 255
    else:
        found = find_ink(image)
        values = center_drawing(found, (height, width), extent)
        remark = SEVERAL if seems_several(found) else None
    paper, ink = np.asarray(low, float), np.asarray(high, float)
    return (paper + (ink - paper) * values.reshape(input_shape)).astype(np.float32), remark


def center_drawing(
    ink: Float[np.ndarray, "height width"], size: tuple[int, int], extent: float | int
) -> Float[np.ndarray, "rows columns"]:
    """``ink`` on a canvas of ``size`` (height, width), as the images of MNIST were made.

    The smallest box around the ink is scaled, keeping its proportions, until it fills ``extent`` of the
    canvas, and its centre of mass goes to the middle (LeCun et al. 1998; 20 of 28 pixels in MNIST), as far as
    the canvas allows.
    """
    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(extent * side / length for side, length in zip(size, box.shape, strict=True))
    height, width = (max(1, round(scale * length)) for length in box.shape)
    small = np.asarray(Image.fromarray(box).resize((width, height), Image.Resampling.BILINEAR))
    # Thin lines turn grey when they shrink.
    small = small / small.max()
    top, left = (_start(small.sum(axis=1), size[0]), _start(small.sum(axis=0), size[1]))
    canvas = np.zeros(size, np.float32)
    canvas[top : top + height, left : left + width] = small
    return canvas


def _start(mass: Float[np.ndarray, " length"], side: int) -> int:
    """Where ``mass`` must start for its centre to lie in the middle of ``side``, if it is to stay inside."""
    centre = np.average(np.arange(len(mass)) + 0.5, weights=mass)
    return int(np.clip(round(side / 2 - centre), 0, side - len(mass)))


def drawing_extent(images: Shaped[np.ndarray, "examples height width ..."]) -> float:
    """The share of the image's side that a drawing fills: the median over training ``images`` of the longer
    side of the box around all values above the lowest. It is saved as ``ModelSpec.drawing_extent``.
    """
    marked = images > images.min()
    marked = marked.reshape(*marked.shape[:3], -1).any(axis=3)
    fractions = [_extent(marked.any(axis=axis)) / marked.shape[3 - axis] for axis in (1, 2)]
    return float(np.median(np.maximum(*fractions)))


def _extent(used: Shaped[np.ndarray, "examples length"]) -> Shaped[np.ndarray, " examples"]:
    """How many places lie from the first used one to the last; 0 where none is used."""
    last = used.shape[1] - np.argmax(used[:, ::-1], axis=1)
    return np.where(used.any(axis=1), last - np.argmax(used, axis=1), 0)
