"""A pen, paper, light and a camera: pictures of digits as people take them."""

from functools import partial
from io import BytesIO

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy import ndimage

Draws = np.random.Generator
Plane = Float[np.ndarray, "height width"]

PENS = {
    "black": (0.1, 0.1, 0.12),
    "blue": (0.12, 0.18, 0.5),
    "red": (0.7, 0.12, 0.12),
    "pencil": (0.38, 0.38, 0.4),
}
RULES = {"blue": (1.0, 0.6, 0.2), "grey": (0.7, 0.7, 0.7), "red": (0.2, 0.9, 0.9)}
"""How much of red, green and blue the printed lines swallow, next to the pen."""
DRAWN = 0.1
"""Share of pictures that no camera made."""


def look(size: tuple[int, int], side: float, draws: Draws) -> tuple[Plane, Plane]:
    """At which row and column of the paper each pixel of a camera held askew looks. A digit of ``side``
    pixels lies from 0 to 28 there, wholly within the picture.
    """
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    centre = [draws.uniform(0.6 * side, length - 0.6 * side) for length in size]
    y, x = (y - centre[0]) / side, (x - centre[1]) / side
    tilt = draws.uniform(-0.12, 0.12, 2)
    angle = np.deg2rad(draws.uniform(-6, 6))
    depth = 1 + tilt[0] * y + tilt[1] * x
    turned = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    row, column = (28 * (along / depth + 0.5) for along in turned)
    return row, column


def strokes(digit: Plane, row: Plane, column: Plane, draws: Draws) -> Plane:
    """How much ink of a pen, thick or thin, lies where, from 0 to 1."""
    places = [along * length / 28 - 0.5 for along, length in zip((row, column), digit.shape, strict=True)]
    values = ndimage.map_coordinates(digit, places, order=3)
    return np.clip((values - draws.uniform(0.25, 0.5)) / 0.25 + 0.5, 0, 1)


def rules(row: Plane, column: Plane, draws: Draws) -> Plane:
    """The printed lines of plain, ruled or squared paper, from 0 to 1."""
    angle, kind = np.deg2rad(draws.uniform(-4, 4)), draws.choice(["plain", "ruled", "squared"])
    spacing, width, offset = draws.uniform(6, 18), draws.uniform(0.3, 0.8), draws.uniform(0, 18)
    along, across = row + angle * column, column - angle * row
    printed = np.zeros(row.shape)
    for line in {"plain": [], "ruled": [along], "squared": [along, across]}[kind]:
        distance = np.abs((line + offset) % spacing - spacing / 2)
        printed = np.maximum(printed, np.clip((width - distance) / 0.3, 0, 1))
    return printed


def light(size: tuple[int, int], draws: Draws) -> Plane:
    """A lamp at one side, and mostly the soft edge of a shadow, straight or round."""
    y, x = (np.mgrid[: size[0], : size[1]] / max(size)).astype(float)
    y, x = y - y.mean(), x - x.mean()
    angle, strength = draws.uniform(0, 2 * np.pi), draws.uniform(0, 0.6)
    along = np.cos(angle) * x + np.sin(angle) * y
    lamp = 1 - strength * (along + 0.5 + draws.uniform(-0.4, 0.4) * (x**2 + y**2))
    radius, away = draws.uniform(0.3, 3), draws.uniform(0, 2 * np.pi)
    edge = np.hypot(x - radius * np.cos(away), y - radius * np.sin(away)) - radius + draws.uniform(-0.3, 0.3)
    shade = 1 / (1 + np.exp(edge / draws.uniform(0.005, 0.06)))
    return lamp * (1 - draws.uniform(0.15, 0.6) * shade * (draws.random() < 0.7))


def photograph(digit: Plane, draws: Draws) -> Image.Image:
    """A picture of the digit, whose values are 0 to 1, as a camera or a drawing program would deliver it."""
    height, width = (draws.integers(200, 401) * draws.uniform(0.75, 1, 2)).astype(int)
    paper_places = look((height, width), draws.uniform(0.45, 0.8) * min(height, width), draws)
    ink, printed = (make(*paper_places, draws)[..., None] for make in (partial(strokes, digit), rules))
    if draws.random() < DRAWN:
        ink = ink[..., 0]
        return to_picture(ink if draws.random() < 0.5 else 1 - ink)
    paper = draws.uniform(0.75, 1) * np.array([1, 1, draws.uniform(0.85, 1)])
    pen = np.array(PENS[draws.choice(list(PENS))])
    pale = draws.uniform(0.15, 0.5) * np.array(RULES[draws.choice(list(RULES))])
    colours = paper - (paper - paper.mean() * pen) * np.maximum(ink, pale * printed)
    lit = colours * light((height, width), draws)[..., None]
    focused = ndimage.gaussian_filter(lit, (*2 * [draws.uniform(0.3, 1.5)], 0))
    noise = draws.normal(0, draws.uniform(0.005, 0.04), focused.shape)
    file = BytesIO()
    to_picture(draws.uniform(0.8, 1.1) * focused + noise).save(
        file, "JPEG", quality=int(draws.integers(60, 96))
    )
    return Image.open(file)


def to_picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8))
