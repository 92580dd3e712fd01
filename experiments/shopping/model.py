"""The network of three motives as a model: to predict with, and as a page beside the known truth."""

from typing import Any

import jax
import numpy as np

import jaxmlp
from experiments.harness.answers import Record, values
from jaxmlp.data.columns import NumberColumn
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.runtime.host import package_version


def layers_of(stored: Any) -> jaxmlp.Params:
    """Layers as a record holds them."""

    def array(values: Any) -> Any:
        return np.array(values, np.float32)

    return tuple(jaxmlp.Layer(array(layer["weight"]), array(layer["bias"])) for layer in stored)


def path_of(tuned: jaxmlp.TuneResult, place: int) -> dict[str, Any]:
    """What the network at this place among the seeds was on its way to its best epoch, for the record."""
    own = place, tuned.setting
    last, reached = int(tuned.fit.best_epoch[own]), tuned.fit.history["validation_accuracy"][own]
    path = {
        epoch: jax.tree.map(lambda leaf: leaf[own], params)
        for epoch, params in tuned.fit.snapshots.items()
        if epoch < last
    }
    path[last] = jax.tree.map(lambda leaf: leaf[place], tuned.params)
    return {
        str(epoch): {"layers": layers, "validation_accuracy": float(reached[epoch - 1]) if epoch else None}
        for epoch, layers in path.items()
    }


def snapshots_of(record: Record, model: Model) -> dict[int, Model]:
    """The model on its way, as ``path_of`` kept it."""
    return {
        int(epoch): with_spec(
            model._replace(networks=(layers_of(one["layers"]),)),
            metrics={} if epoch == "0" else {"validation_accuracy": one["validation_accuracy"]},
        )
        for epoch, one in record["tables"]["path"].items()
    }


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
