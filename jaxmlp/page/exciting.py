"""What excites the hidden neurons of a page: images of the data set, and whether they look for strokes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Shaped

from jaxmlp.models.model import Model
from jaxmlp.nn import mlp
from jaxmlp.nn.neurons import autocorrelation_of_neurons, inked_pixels, most_exciting, static_limit
from jaxmlp.page.binary import pack_images
from jaxmlp.types import Layer

if TYPE_CHECKING:
    from jaxmlp.data.tfds_cache import RawData

MAX_BYTES = 400_000
"""Of all these images in a page, before they are written as text."""
_MOST_IMAGES = 4
_MOST_OFF = 10
"""Neurons to switch off by their look, at most: a sixth of them."""


def describe_neurons(model: Model, raw: "RawData | None") -> dict[str, Any] | None:
    """Of each network's first layer, how alike neighbouring weights are (Moran's I) and what static reaches,
    and how many neurons are to be switched off by their look; of each layer's neurons, in order and as far
    as there is room, the training images that excite them most.
    """
    if raw is None:
        return None
    images = np.asarray(raw.inputs).reshape(-1, *model.spec.input_shape)
    first = [one.weight for network in model.networks for one in network[:1] if isinstance(one, Layer)]
    exciting = list(_exciting_rows(model, images))
    looks = [_listed(autocorrelation_of_neurons(weight, images)) for weight in first]
    rows = np.unique([row for layers in exciting for rows in layers for row in rows.ravel()]).astype(int)
    return {
        "autocorrelation": looks,
        "num_strokes": [int(np.clip(round(len(each) / 6), 1, _MOST_OFF)) for each in looks],
        "static_limit": static_limit(inked_pixels(images)),
        "exciting": [[np.searchsorted(rows, one).tolist() for one in layers] for layers in exciting],
        "labels": np.asarray(raw.targets)[rows].tolist(),
        **pack_images(images[rows]),
    }


def _exciting_rows(
    model: Model, images: Shaped[np.ndarray, "examples ..."]
) -> Iterator[list[Int[np.ndarray, "neurons images"]]]:
    """For each network and hidden layer, the rows in ``images`` for so many of the first neurons as there is
    room for, and at least one for each.
    """
    room = MAX_BYTES // images[0].size
    num_neurons = sum(sum(network.layer_sizes[1:-1]) for network in model.spec.networks)
    each = int(np.clip(room // max(num_neurons, 1), 1, min(_MOST_IMAGES, len(images))))
    for saved, network in zip(model.spec.networks, model.networks, strict=True):
        found, activation = [], mlp.get_activation(saved.activation)
        # An embedding is for tables.
        hidden = [layer for layer in network[:-1] if isinstance(layer, Layer)]
        for depth, (weight, bias) in enumerate(hidden):
            count = min(weight.shape[1], room // each)
            if not count:
                break
            layers = (*hidden[:depth], Layer(weight[:, :count], bias[:count]))
            options: Any = {"activation": activation, "num_images": each}
            found.append(most_exciting(layers, model.affine, images, **options))
            room -= count * each
        yield found


def _listed(values: np.ndarray) -> list[float | None]:
    """Rounded; None for weights that are all alike, which have no variance."""
    return [round(value, 3) if np.isfinite(value) else None for value in values.tolist()]
