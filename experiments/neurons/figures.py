"""The pictures of the neurons: their weights as images, and charts of what was measured."""

from pathlib import Path

import numpy as np

from experiments.harness.answers import Record
from experiments.neurons.measure import ORDERS, Tables
from jaxmlp import Params, Splits
from jaxmlp.plots import charts, lettering
from jaxmlp.plots.images import image_grid
from jaxmlp.plots.weights import neuron_animation, neuron_weights


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
    neuron_animation(weights[shown], shape, frames, path, num_neurons=size)
    for name, at in (("start", 0), ("first_pass", tables["first_pass"]), ("end", -1)):
        path = folder / f"neurons_{name}.png"
        neuron_weights(weights[at], shape, path, num_neurons=size, title=titles[at])
    chosen = tables["exciting"][order]
    classes = [lettering.shorten(splits.class_names[label]) for label in splits.train.targets[chosen]]
    title = "The training image that excites each neuron most, and its class; in the order of neurons_end.png"
    image_grid(splits.train.inputs[chosen], classes, folder / "exciting.png", title=title)


def draw(record: Record, folder: Path) -> None:
    """Histograms, the course of training, the settings at its end, and the removal of neurons."""
    tables = record["tables"]
    ends = {"random, before training": "start", "after training": "end"}
    neurons = {label: np.ravel(tables[name]) for label, name in ends.items()}
    xlabel, passes = "autocorrelation of a neuron's weights (Moran's I)", tables["passes"]
    charts.histograms(neurons, folder / "histograms.png", xlabel=xlabel, ylabel="share of the neurons")
    named = {"mean Moran's I of the neurons": "autocorrelation", "validation accuracy": "accuracy"}
    moments = {label: np.array(tables[name]) for label, name in named.items()}
    course = {label: (passes, values[:, :, 0].T) for label, values in moments.items()}
    xlabel, ylabel = "passes through the training data", "Moran's I, or share right"
    charts.line_plot({"": course}, folder / "course.png", xlabel=xlabel, ylabel=ylabel)
    rows = {label: dict(zip(tables["settings"], v[-1].T, strict=True)) for label, v in moments.items()}
    xlabels = ["Moran's I (0: static)", "share of validation images right"]
    charts.point_plot(rows, folder / "settings.png", xlabel=xlabels, percent=[*named][1:])
    counts = tables["removed"]["counts"]
    removed = {order.replace("_", " "): (counts, tables["removed"][order]) for order in ORDERS}
    xlabel, ylabel = f"neurons removed, of {counts[-1]}", "validation accuracy"
    charts.line_plot({"": removed}, folder / "removed.png", xlabel=xlabel, ylabel=ylabel, percent=True)
