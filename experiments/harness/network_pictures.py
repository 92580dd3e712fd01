"""Pictures of one network of classes: of what it confuses, its weights and its data; and its page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.harness import plots
from experiments.harness.answers import Record
from jaxmlp.data.splits import Splits
from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.models.snapshots import load_snapshots
from jaxmlp.nn.augment import random_deformation
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.page.binary import pack_array
from jaxmlp.page.fields import describe_fields
from jaxmlp.plots import images, weights
from jaxmlp.runtime.files import write_atomic
from jaxmlp.statistics import confusion_counts
from jaxmlp.types import Layer

MAX_PAGE_BYTES, NUM_SNAPSHOTS = 3_000_000, 12
TRUTH_SIDE = 61
Truth = Callable[[np.ndarray], np.ndarray]
"""What is true of two numbers, [places, 2]: a probability of the second class, or a value."""


def confusion_table(model: Model, splits: Splits) -> dict[str, Any]:
    """How many test examples of each class (row) the network takes for each class (column)."""
    predictions = predict(model, splits.test.inputs)
    counts = confusion_counts(splits.test.targets, predictions, len(splits.class_names))
    return {"confusion": counts, "class_names": splits.class_names}


def draw_neurons(model: Model, path: Path) -> None:
    """The weights into each neuron of the first layer, where the inputs are images."""
    first, shape = model.networks[0][0], model.spec.input_shape
    if len(shape) > 1 and isinstance(first, Layer):
        weights.neuron_weights(first.weight, shape, path, title=model.spec.dataset)


def write_page(model: Model, record: Record, path: Path, truth: Truth | None = None) -> None:
    """The network as one HTML file to try out, with what it was on its way, where that lies beside it, and
    the known ``truth`` of a plane; one that is too large to keep beside a record is left out, as a line says.
    """
    content = describe_page(model, load_snapshots(path.parent / "snapshots"), record)
    if truth is not None:
        content["truth"] = map_truth(model, truth)
    page = build_page(content).encode("utf-8", "backslashreplace")
    if len(page) <= MAX_PAGE_BYTES:
        write_atomic(path, page)
    else:
        print(f"a page would take {len(page) / 1e6:.1f} MB; it is made by: jaxmlp page {path.parent}")


def map_truth(model: Model, truth: Truth) -> dict[str, Any]:
    """The truth over the plane that a page of a model of two numbers shows, row by row from below."""
    fields = describe_fields(model) or []
    ways = [np.linspace(field["low"], field["high"], TRUTH_SIDE) for field in fields]
    places = np.stack(np.meshgrid(*ways), axis=-1).reshape(-1, 2)
    return {"size": TRUTH_SIDE, "shown": pack_array(truth(places), "float32")}


def draw_data(model: Model, splits: Splits, augmented: bool, folder: Path) -> None:
    """Where there are images, which test images the network gets wrong; and a few training images, each
    beside others that it met in its place.
    """
    test, path = splits.test, folder / "most_wrong.png"
    if test.inputs.ndim > 2:
        probabilities = np.asarray(predict_proba(model, test.inputs))
        images.most_wrong(test.inputs, test.targets, probabilities, splits.class_names, path)
    if augmented:
        shown, keys = jax.numpy.asarray(splits.train.inputs[:6]), jax.random.split(jax.random.key(0), 7)
        met = [np.asarray(jax.vmap(random_deformation, in_axes=(None, 0))(key, shown)) for key in keys]
        rows = np.stack([np.asarray(shown, float), *met], axis=1).reshape(-1, *shown.shape[1:])
        titles = ["as it is", *[""] * len(met)] * len(shown)
        plots.image_grid(rows, titles, folder / "deformed.png", columns=1 + len(met))
