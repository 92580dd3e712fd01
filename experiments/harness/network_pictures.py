"""Pictures of one network that reads images or tables: they need its weights and its data."""

from pathlib import Path

import jax
import numpy as np

from jaxmlp.data.splits import Splits
from jaxmlp.models.model import Model
from jaxmlp.models.prediction import predict, predict_proba
from jaxmlp.nn.augment import random_deformation
from jaxmlp.plots import classifier, images, weights
from jaxmlp.types import Layer


def draw_network(model: Model, splits: Splits, augmented: bool, folder: Path) -> None:
    """What the chosen network looks for, and which test images it gets wrong."""
    test, class_names = splits.test, splits.class_names
    probabilities = np.asarray(predict_proba(model, test.inputs))
    predictions = np.asarray(predict(model, test.inputs))
    classifier.confusion_matrix(test.targets, predictions, class_names, folder / "confusion.png")
    first = model.networks[0][0]
    if test.inputs.ndim > 2 and isinstance(first, Layer):
        shape, title = model.spec.input_shape, splits.name
        weights.neuron_weights(first.weight, shape, folder / "neurons.png", title=title)
        path = folder / "most_wrong.png"
        images.most_wrong(test.inputs, test.targets, probabilities, class_names, path)
    if augmented:
        draw_deformed(folder, np.asarray(splits.train.inputs))


def draw_deformed(folder: Path, inputs: np.ndarray) -> None:
    """A few training images, each beside others that the networks met in its place."""
    shown, keys = jax.numpy.asarray(inputs[:6]), jax.random.split(jax.random.key(0), 7)
    met = [np.asarray(jax.vmap(random_deformation, in_axes=(None, 0))(key, shown)) for key in keys]
    rows = np.stack([np.asarray(shown, float), *met], axis=1).reshape(-1, *inputs.shape[1:])
    titles = ["as it is", *[""] * len(met)] * len(shown)
    images.image_grid(rows, titles, folder / "deformed.png", columns=1 + len(met))
