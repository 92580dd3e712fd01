"""The network of three motives as a model: to predict with, and as a page beside the known truth."""

import jax
import numpy as np

import jaxmlp
from experiments.harness.answers import Record, values
from jaxmlp.data.columns import NumberColumn
from jaxmlp.models.model import Model
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.runtime.host import package_version


def model_of(record: Record, layers: jaxmlp.Params, place: int) -> Model:
    """The network at this place among the seeds, with what it reached."""
    own = jax.tree.map(lambda leaf: np.array(leaf[place]), layers)
    sizes = own[0].weight.shape[0], *(len(layer.bias) for layer in own)
    shift, scale = (record["tables"]["inputs"][name] for name in ("shift", "scale"))
    measures = ("validation_log_loss", "test_accuracy", "test_log_loss")
    spec = ModelSpec(
        networks=(dense_network(sizes, "relu"),),
        head="binary",
        input_shape=sizes[:1],
        class_names=("no purchase", "purchase"),
        dataset=record["dataset"],
        metrics={name: values(record, f"mlp_{name}")[place] for name in measures},
        versions={name: package_version(name) for name in ("jaxmlp", "jax", "numpy")},
        columns=(NumberColumn("price", shift[0]), NumberColumn("utility", shift[1])),
        target="a purchase",
    )
    return Model((own,), jaxmlp.Affine(np.array(shift), np.array(scale)), spec)
