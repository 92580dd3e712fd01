"""The ink of a picture: of a drawing on even paper, or of a photograph with shadows and printed lines."""

from itertools import combinations

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image
from scipy import ndimage

from jaxmlp.types import InputError

# Large enough for a small digit on a large sheet; shrinking to it averages a camera's noise away.
_WORKING_SIDE = 512
# Shares of the range from paper to ink: below the first a picture counts as blank, of the second as paper.
_BLANK, _FAINT = 0.05, 0.1
_SPECK = 0.01
# A drawing program's paper is of one grey, but for what a JPEG makes of it.
_EVEN = 1.5 / 255
# Shares of a photograph's longer side: what is wider than the first is light, not a stroke; noise is averaged
# over the second.
_STROKE, _GRAIN = 0.2, 0.01
# Of a photograph's darkest ink: printed lines are paler than the pen, but how pale is seen where they leave
# the picture.
_PALEST, _DARKEST_LINE, _PIECE = 0.3, 0.6, 0.05
# A piece this high, as a share of all ink, is a drawing of its own where hardly any of it lies above or below
# another one.
_TALL, _OVERLAP = 0.5, 0.2
Plane = Float[np.ndarray, "height width"]


def composite_on(image: Image.Image, colour: str) -> Image.Image:
    """The picture as RGB, its transparent parts showing paper of this colour."""
    if image.mode.startswith(("I", "F")):
        # Pillow clips 16 bits to 8 instead of scaling them.
        image = Image.fromarray(_stretched(np.asarray(image, np.float32)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, colour), layer).convert("RGB")


def _stretched(values: Plane) -> Shaped[np.ndarray, "height width"]:
    span = max(float(np.ptp(values)), 1e-9)
    return np.round(255 * (values - values.min()) / span).astype(np.uint8)


def shrink(image: Image.Image) -> Image.Image:
    share = min(1.0, _WORKING_SIDE / max(image.size))
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def find_ink(image: Image.Image) -> Plane:
    """How much ink lies where, from 0 (paper) to 1, for dark ink on light paper or the reverse.

    Where the paper is of one grey, that is the median of the picture's border. What differs from it by less
    than a tenth of the ink, or than the border's own spread, counts as paper too; so does a speck, a separate
    piece with less than a hundredth of the ink of the largest. Any other picture is a photograph: its paper
    is what is left when strokes up to a fifth of the picture wide are closed, and what is hardly darker than
    lines that leave the picture, or is a piece that leaves it, counts as paper too.

    Raises InputError when the picture is blank.
    """
    for paper in ("white", "black"):
        grey = np.asarray(shrink(composite_on(image, paper)).convert("L"), np.float32) / 255
        if np.ptp(grey) >= _BLANK:
            return _drawn(grey) if _is_even(grey) else _photographed(grey)
    raise InputError("the picture is blank; give one with a clear contrast between ink and paper")


def seems_several(ink: Plane) -> bool:
    """Whether ``ink`` has separate pieces side by side, each at least half as high as all of it."""
    height = np.ptp(np.nonzero(ink.any(axis=1))[0]) + 1
    places = ndimage.find_objects(_pieces(ink)[0])
    ends = sorted((x.start, x.stop) for y, x in places if y.stop - y.start >= _TALL * height)
    return any(
        min(one[1], other[1]) - other[0] <= _OVERLAP * min(one[1] - one[0], other[1] - other[0])
        for one, other in combinations(ends, 2)
    )


def _border(plane: Shaped[np.ndarray, "height width"]) -> Shaped[np.ndarray, " length"]:
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _is_even(grey: Plane) -> bool:
    border = _border(grey)
    away = np.abs(border - np.median(border))
    return bool(np.median(away) <= _EVEN or np.quantile(away, 0.98) < _FAINT * np.ptp(grey))


def _drawn(grey: Plane) -> Plane:
    border = _border(grey)
    paper = np.median(border)
    is_light = paper > (grey.min() + grey.max()) / 2
    ink = np.clip(paper - grey if is_light else grey - paper, 0, None)
    ink /= ink.max()
    # Three times the median deviation covers an even slope of light; a border crossed by ink hardly moves it.
    spread = 3 * np.median(np.abs(border - paper)) / np.ptp(grey)
    ink = np.where(ink < np.clip(spread, _FAINT, 0.5), 0, ink)
    pieces, mass = _pieces(ink)
    return np.where((mass >= _SPECK * mass.max())[pieces], ink, 0)


def _photographed(grey: Plane) -> Plane:
    window = _odd(_STROKE * max(grey.shape))
    grey = ndimage.uniform_filter(grey.astype(float), _odd(_GRAIN * max(grey.shape)))
    # Strokes are narrow, so that they lie far on one side of their surroundings; light lies on both.
    if np.mean((grey - ndimage.uniform_filter(grey, window)) ** 3) > 0:
        grey = 1 - grey
    paper = ndimage.grey_closing(grey, size=(window, window))
    ink = 1 - grey / np.maximum(paper, _BLANK)
    ink /= ink.max()
    printed = 1.25 * np.quantile(_border(ink), 0.98)
    ink = np.where(ink < np.clip(printed, _PALEST, _DARKEST_LINE), 0, ink)
    pieces, mass = _pieces(ink)
    free = np.where(np.isin(np.arange(len(mass)), _border(pieces)), 0, mass)
    mass = free if free.max() > _FAINT * mass.max() else mass
    return np.where((mass >= _PIECE * mass.max())[pieces], ink, 0).astype(np.float32)


def _odd(length: float) -> int:
    return int(length) | 1


def _pieces(ink: Plane) -> tuple[Shaped[np.ndarray, "height width"], Float[np.ndarray, " pieces"]]:
    """The number of the separate piece in which each place lies, and how much ink each has; 0 is paper."""
    pieces, _ = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    return pieces, np.bincount(pieces.ravel(), weights=ink.ravel())
