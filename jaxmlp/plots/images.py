"""Pictures made of images: what a network mistook, what it saw.

Each becomes a PNG at ``path``, which is returned.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float, Integer, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxmlp.plots import charts, lettering
from jaxmlp.printing import format_percent
from jaxmlp.statistics import worst_examples
from jaxmlp.types import ClassName

MAX_BARS = 10
MOSAIC_COLUMNS = 10


def most_wrong(
    images: Shaped[Array | np.ndarray, "examples height width *channels"],
    labels: Integer[Array | np.ndarray, " examples"],
    probabilities: Float[Array | np.ndarray, "examples classes"],
    class_names: Sequence[ClassName],
    path: str | Path,
    *,
    num_images: int = 24,
) -> Path:
    """The misclassified examples whose true class got the least probability, the worst first.

    Above each stand the true and the predicted class with the probability that each was given.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
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
    titles = [_mistake(int(labels[example]), probabilities[example], class_names) for example in chosen]
    fill_grid(figure, [np.asarray(images[example]) for example in chosen], titles, columns, fontsize=7.5)
    return charts.save_figure(figure, path)


def prediction(
    image: Shaped[Array | np.ndarray, "..."],
    seen: Shaped[Array | np.ndarray, "..."],
    probabilities: Float[Array | np.ndarray, " classes"],
    class_names: Sequence[ClassName],
    path: str | Path,
) -> Path:
    """A person's picture, what the network saw of it, and its ten most probable classes, the first on top."""
    probabilities = np.asarray(probabilities)
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    _show(left, np.asarray(image))
    left.set_title("your picture")
    _show(middle, np.asarray(seen))
    middle.set_title("what the network saw")
    _draw_probabilities(right, probabilities, class_names)
    return charts.save_figure(figure, path)


def without_channel(images: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """``images`` without a channel axis of size 1 at the end."""
    return images[..., 0] if images.shape[-1] == 1 else images


def _draw_probabilities(
    axes: Axes, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[ClassName]
) -> None:
    top = np.argsort(-probabilities, kind="stable")[:MAX_BARS]
    names = [lettering.shorten(class_names[label]) for label in top]
    texts = [format_percent(probabilities[label]) for label in top]
    colours = [charts.COLOURS[0]] + ["#999999"] * (len(top) - 1)
    bars = axes.barh(range(len(top)), probabilities[top], color=colours)
    axes.bar_label(bars, texts, padding=3)
    axes.set(title=f"{names[0]}: {texts[0]}", xlabel="probability", xlim=(0, 1.2))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_yticks(range(len(top)), names)
    # Downwards, and never so few slots that two bars fill the panel.
    axes.set_ylim(max(len(top), 5) - 0.5, -0.5)
    charts.style_axes(axes, grid="none")


def _mistake(
    true_class: int, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[ClassName]
) -> str:
    predicted = int(np.argmax(probabilities))
    # A long name leaves no room for its probability on the line.
    break_ = "\n" if max(len(str(class_names[label])) for label in (true_class, predicted)) > 8 else " "
    return "\n".join(
        f"{verb} {lettering.shorten(class_names[label])}:{break_}{format_percent(probabilities[label])}"
        for verb, label in (("is", true_class), ("taken for", predicted))
    )


def fill_grid(
    figure: Figure, images: Sequence[np.ndarray], titles: Sequence[str], columns: int, *, fontsize: float
) -> list[Axes]:
    """Images in rows, each below its title; their axes, in order."""
    num_rows = -(-len(images) // columns)
    grid = figure.subplots(num_rows, columns, squeeze=False).ravel()
    for axes in grid[len(images) :]:
        axes.set_axis_off()
    used = list(grid[: len(images)])
    for axes, image, title in zip(used, images, titles, strict=True):
        _show(axes, image)
        axes.set_title(title, fontsize=fontsize)
    return used


def _show(axes: Axes, image: Shaped[np.ndarray, "..."]) -> None:
    """An image as it is (uint8 colour), else stretched to its own darkest and brightest value."""
    image = without_channel(image)
    if image.ndim == 3 and image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (image - low) / (high - low or 1)
    axes.imshow(image, cmap="gray", interpolation="nearest")
    # The frame shows where a picture on white paper ends.
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#bbbbbb")
