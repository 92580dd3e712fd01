"""Pictures from records and params; each becomes a PNG at ``path``, which is returned; nothing trains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Integer, Shaped
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jaxmlp.types import InputError

DOTS_PER_INCH = 150
# Okabe and Ito's colours, which stay apart for colour-blind eyes.
SPLIT_COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}
OTHER_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")
MAX_NUMBERED_CLASSES = 20
MAX_BARS = 10
MAX_NAME_LENGTH = 20
TILE_PIXELS = 84
MOSAIC_COLUMNS = 10

Curves = Mapping[str, Sequence[Sequence[float | None]]]
"""Name → [num_runs][num_epochs], one run for each seed or split; nan or None where a run has ended early."""


def learning_curves(
    curves: Curves, path: str | Path, *, epochs: Sequence[int] | None = None, title: str = ""
) -> Path:
    """Each measure against the epoch: one panel for all losses, one for each other family of measures.

    ``train_accuracy`` and ``validation_accuracy`` are one family. A thin line is a seed, a thick one the mean
    of several, drawn as far as every seed goes. ``epochs`` are those of the values, from 1 if not given (a
    record keeps them beside its thinned curves). Accuracies are fractions. InputError if there is no curve.
    """
    if not curves:
        raise InputError("curves: must hold at least one measure, got none")
    families: dict[str, list[str]] = {}
    for name in curves:
        families.setdefault(_family(name), []).append(name)
    figure = Figure(figsize=(5.2 * len(families), 3.9), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(families), squeeze=False)[0]
    for axes, (family, names) in zip(panels, families.items(), strict=True):
        for index, name in enumerate(names):
            _draw_curve(axes, name, np.array(curves[name], dtype=float), epochs, OTHER_COLOURS[index % 4])
        _label_curves(axes, family, max(len(curves[name]) for name in names))
    return _save(figure, path)


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
    largest = np.max(np.abs(shown), axis=0)
    unit = (1 + (shown / np.where(largest > 0, largest, 1)).T.reshape(-1, *shape)) / 2
    in_colour = shape[2:] == (3,)
    mosaic = _mosaic(unit if in_colour else colormaps["RdBu_r"](_grey(unit))[..., :3])
    width = max(5.5, 0.85 * min(len(unit), MOSAIC_COLUMNS))
    figure = Figure(figsize=(width, 0.9 * width * len(mosaic) / mosaic.shape[1] + 0.7), layout="constrained")
    axes = figure.subplots()
    axes.imshow(mosaic, interpolation="nearest")
    _hide_axes(axes)
    axes.set_title(title or "Incoming weights of the first hidden layer", fontsize=11)
    zero = "; mid-grey is 0" if in_colour else ""
    num_shown = f"Neurons: {shown.shape[1]} of {weight.shape[1]}"
    axes.set_xlabel(f"{num_shown}, each scaled by its own largest absolute weight{zero}", fontsize=9)
    if not in_colour:
        bar = figure.colorbar(ScalarMappable(cmap="RdBu_r"), ax=axes, pad=0.01)
        bar.set_ticks([0, 0.5, 1], labels=["-largest", "0", "+largest"])
    return _save(figure, path)


def confusion_matrix(
    labels: Integer[Array | np.ndarray, " examples"],
    predictions: Integer[Array | np.ndarray, " examples"],
    class_names: Sequence[str],
    path: str | Path,
) -> Path:
    """How many examples of each class (row) were taken for each class (column).

    The colour is the share of the row, on a scale that shows a per cent; the numbers are counts, written for
    up to 20 classes.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    num_classes = len(class_names)
    counts = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.48 * num_classes, 2.6, 12))
    figure = Figure(figsize=(side + 2.8, side + 1.8), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.4, vmin=0, vmax=1))
    bar = figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0 %", "1 %", "5 %", "20 %", "50 %", "100 %"])
    axes.set_title(f"{100 * np.mean(labels == predictions):.2f} % of {len(labels)} examples right")
    _name_classes(axes, [_short(name) for name in class_names], side / num_classes)
    if num_classes <= MAX_NUMBERED_CLASSES:
        _write_counts(axes, counts, shares)
    return _save(figure, path)


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
        return _save(figure, path)
    figure.suptitle("The worst mistakes, by the probability of the true class", fontsize=11)
    grid = figure.subplots(num_rows, columns, squeeze=False).ravel()
    for axes in grid[len(chosen) :]:
        axes.set_axis_off()
    for axes, example in zip(grid, chosen, strict=False):
        _show(axes, np.asarray(images[example]))
        axes.set_title(_mistake(int(labels[example]), probabilities[example], class_names), fontsize=7.5)
    return _save(figure, path)


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
    return _save(figure, path)


def _save(figure: Figure, path: str | Path) -> Path:
    # Without the writer's version the same figure is the same bytes, and git sees no change.
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png", metadata={"Software": None})
    return Path(path)


def _family(name: str) -> str:
    """The measure that ``name`` is an instance of: ``accuracy`` for ``train_accuracy``."""
    if name.endswith("loss"):
        return "loss"
    split, _, measure = name.partition("_")
    return measure if split in SPLIT_COLOURS and measure else name


def _draw_curve(
    axes: Axes,
    name: str,
    rows: Float[np.ndarray, "runs epochs"],
    epochs: Sequence[int] | None,
    other_colour: str,
) -> None:
    steps = np.arange(1, rows.shape[1] + 1) if epochs is None else np.asarray(epochs)
    split = name.partition("_")[0]
    colour = SPLIT_COLOURS.get(split, other_colour)
    label = split if split in SPLIT_COLOURS else name.replace("_", " ")
    # A line of one point is invisible; so are short ones without their points.
    style: dict[str, Any] = {"color": colour, "marker": "o" if len(steps) <= 20 else None, "markersize": 3}
    if len(rows) == 1:
        axes.plot(steps, rows[0], label=label, linewidth=1.8, **style)
        return
    axes.plot(steps, rows.T, linewidth=0.7, alpha=0.35, **style)
    # nan wherever a seed has stopped: the mean of those that went on would jump there.
    axes.plot(steps, rows.mean(axis=0), label=label, linewidth=2.2, **style)


def _label_curves(axes: Axes, family: str, num_runs: int) -> None:
    axes.set(xlabel="epoch", ylabel=family.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()])
    values = values[np.isfinite(values)]
    if family == "loss" and values.size and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
    if family.endswith("accuracy"):
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    meaning = f"thick: mean of {num_runs} runs" if num_runs > 1 else None
    axes.legend(title=meaning, title_fontsize="small", fontsize="small", frameon=False)


def _grey(images: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """``images`` without a channel axis of size 1 at the end."""
    return images[..., 0] if images.shape[-1] == 1 else images


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


def _name_classes(axes: Axes, names: Sequence[str], cell_inches: float) -> None:
    ticks = range(len(names))
    font_size = min(10, 72 * 0.8 * cell_inches)
    # A letter is about 0.6 of the font's size wide.
    fits = max(len(name) for name in names) * 0.6 * font_size < 72 * cell_inches
    axes.set_xticks(ticks, names, fontsize=font_size, rotation=0 if fits else 90)
    axes.set_yticks(ticks, names, fontsize=font_size)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_counts(
    axes: Axes, counts: Integer[np.ndarray, "true predicted"], shares: Float[np.ndarray, "true predicted"]
) -> None:
    font_size = 9 if counts.max() < 1000 else 7
    for (row, column), count in np.ndenumerate(counts):
        # The colour scale is dark from about a third of a row on.
        colour = "white" if shares[row, column] > 0.3 else "black" if count else "#999999"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=font_size)


def _draw_probabilities(
    axes: Axes, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str]
) -> None:
    top = np.argsort(-probabilities, kind="stable")[:MAX_BARS]
    names, texts = (
        [_short(class_names[label]) for label in top],
        [_percent(probabilities[label]) for label in top],
    )
    colours = [SPLIT_COLOURS["train"]] + ["#999999"] * (len(top) - 1)
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
        f"{verb} {_short(class_names[label])}:{break_}{_percent(probabilities[label])}"
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


def _short(name: str) -> str:
    """``name`` without its middle if it is long: classes often share their first words."""
    tail = MAX_NAME_LENGTH // 3
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - tail - 1]}…{name[-tail:]}"


def _percent(probability: float | np.floating) -> str:
    """In percent with one decimal; never 0 or 100 for what is not."""
    if 0 < probability < 0.0005:
        return "<0.1 %"
    if 0.9995 <= probability < 1:
        return ">99.9 %"
    return f"{100 * probability:.1f} %"
