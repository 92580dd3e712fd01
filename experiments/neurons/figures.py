"""The pictures of the neurons: their weights as images, and charts of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.harness import plots
from experiments.harness.answers import Record
from experiments.neurons.measure import ORDERS, Tables
from jaxmlp import Params, Splits
from jaxmlp.plots import charts, lettering
from jaxmlp.plots.weights import mosaic_figure, neuron_weights, weights_mosaic

ANIMATION_DOTS_PER_INCH = 80
FRAMES_PER_SECOND = 4


def draw_images(splits: Splits, tables: Tables, networks: list[Params], folder: Path) -> None:
    """The first seed's neurons through training and what excites them, from the most static to the least."""
    order = np.argsort(tables["end"][0])
    weights = np.stack([params[0].weight[0][:, order] for params in networks])
    moments = zip(*(tables[name] for name in ("passes", "accuracy", "autocorrelation")), strict=True)
    titles = [
        f"Data seen {passes:.2g} ×: {100 * right[0, 0]:.1f} % of validation images right, Moran's I "
        f"{strokes[0, 0]:.2f} on average\n"
        "Neurons from the most like static at the end (top left) to the most like strokes"
        for passes, right, strokes in moments
    ]
    shape, size = splits.train.inputs.shape[1:], len(order)
    shown = np.unique(np.geomspace(1, len(weights), 20).astype(int)) - 1
    frames, path = [titles[at] for at in shown], folder / "neurons.gif"
    neuron_animation(weights[shown], shape, frames, path)
    for name, at in (("start", 0), ("first_pass", tables["first_pass"]), ("end", -1)):
        path = folder / f"neurons_{name}.png"
        neuron_weights(weights[at], shape, path, num_neurons=size, title=titles[at])
    chosen = tables["exciting"][order]
    classes = [lettering.shorten(splits.class_names[label]) for label in splits.train.targets[chosen]]
    title = "The training image that excites each neuron most, and its class; in the order of neurons_end.png"
    plots.image_grid(splits.train.inputs[chosen], classes, folder / "exciting.png", title=title)


def draw(record: Record, folder: Path) -> None:
    """Histograms, the course of training, the settings at its end, and the removal of neurons."""
    tables = record["tables"]
    ends = {"random, before training": "start", "after training": "end"}
    neurons = {label: np.ravel(tables[name]) for label, name in ends.items()}
    xlabel, passes = "autocorrelation of a neuron's weights (Moran's I)", tables["passes"]
    histograms(neurons, folder / "histograms.png", xlabel=xlabel, ylabel="share of the neurons")
    named = {"mean Moran's I of the neurons": "autocorrelation", "validation accuracy": "accuracy"}
    moments = {label: np.array(tables[name]) for label, name in named.items()}
    course = {label: (passes, values[:, :, 0].T) for label, values in moments.items()}
    xlabel, ylabel = "passes through the training data", "Moran's I, or share right"
    plots.line_plot({"": course}, folder / "course.png", xlabel=xlabel, ylabel=ylabel)
    rows = {label: dict(zip(tables["settings"], v[-1].T, strict=True)) for label, v in moments.items()}
    xlabels = ["Moran's I (0: static)", "share of validation images right"]
    charts.point_plot(rows, folder / "settings.png", xlabel=xlabels, percent=[*named][1:])
    counts = tables["removed"]["counts"]
    removed = {order.replace("_", " "): (counts, tables["removed"][order]) for order in ORDERS}
    xlabel, ylabel = f"neurons removed, of {counts[-1]}", "validation accuracy"
    plots.line_plot({"": removed}, folder / "removed.png", xlabel=xlabel, ylabel=ylabel, percent=True)


def neuron_animation(
    weights: np.ndarray, image_shape: Sequence[int], frame_titles: Sequence[str], path: Path
) -> Path:
    """A GIF of the ``weights`` [frames, inputs, neurons] over time as ``neuron_weights`` shows them; each
    neuron keeps one scale, its largest weight of all frames. The last frame stays for two seconds.
    """
    shape, num_neurons = tuple(image_shape), weights.shape[2]
    largest = np.max(np.abs(weights), axis=(0, 1))
    mosaics = [weights_mosaic(weight, shape, largest) for weight in weights]
    note = "each neuron scaled by its largest absolute weight of all frames"
    figure, image = mosaic_figure(mosaics[0], shape, num_neurons, note)
    FigureCanvasAgg(figure)
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    with lettering.plain_texts(figure), writer.saving(figure, path, dpi=ANIMATION_DOTS_PER_INCH):
        # GIF has no pause of its own: the last frame is repeated.
        for frame in [*range(len(weights)), *[len(weights) - 1] * (2 * FRAMES_PER_SECOND)]:
            image.set_data(mosaics[frame])
            figure.axes[0].set_title(lettering.drawable(frame_titles[frame]), fontsize=11)
            writer.grab_frame()
    return path


def histograms(samples: Mapping[str, np.ndarray], path: Path, *, xlabel: str, ylabel: str) -> Path:
    """One histogram per label, drawn over each other with the same bins, as shares of each label's values."""
    bins = np.histogram_bin_edges(np.concatenate(list(samples.values())), bins=30).tolist()
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axes = figure.subplots()
    for (label, sample), colour in zip(samples.items(), charts.COLOURS, strict=False):
        weights = np.full(len(sample), 1 / len(sample))
        axes.hist(sample, bins=bins, weights=weights, color=colour, alpha=0.3)
        axes.hist(sample, bins=bins, weights=weights, color=colour, histtype="step", lw=1.6, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    charts.style_axes(axes, grid="none", percent="y")
    axes.legend(frameon=False, fontsize="small")
    return charts.save_figure(figure, path)
