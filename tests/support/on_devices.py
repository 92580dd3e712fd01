"""What eight simulated devices compute, as JSON: JAX counts its devices once, so they need a process."""

import json
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxmlp import make_evaluate, make_network, make_optimizer, make_train, vmap_runs
from jaxmlp.data.folds import assign_folds, cross_folds
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime import compilation
from jaxmlp.runtime.devices import device_put, make_mesh, shard_keys, sharding
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range
from jaxmlp.train import epoch, loop
from jaxmlp.train.population import seed_keys
from jaxmlp.train.state import EarlyStopping
from jaxmlp.types import Dataset, Hyperparams

MESHES = {"one": None, "data": {"data": 8}, "members": {"members": 8}, "both": {"members": 2, "data": 4}}
HYPERPARAMS = Hyperparams(jnp.asarray(0.01), dropout=jnp.asarray(0.25))


def network_of(hidden_sizes):
    return make_network((6, *hidden_sizes, 3), heads.multiclass, Affine(jnp.zeros(()), jnp.ones(())))


def dataset(num_examples):
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(num_examples, 6)), random.integers(0, 3, num_examples)
    return Dataset(inputs, labels.astype(np.int32))


def trained(sizes):
    """Five members, 250 examples, batches of 100: nothing that 2, 4 or 8 devices share evenly. What they
    reached, the collectives of their compiled epochs, and the operations of one device in one.
    """
    mesh, network = make_mesh(sizes) if sizes else None, network_of((16,))
    train = make_train(
        network.init_fn,
        network.loss_fn,
        make_optimizer("adam"),
        batch_size=100,
        mesh=mesh,
    )
    train, evaluate = vmap_runs(train, make_evaluate(network.predict_fn, CLASSIFICATION), "key", "data_key")
    key, data_key = seed_keys(range(5))
    data, validation = dataset(250), dataset(30)
    options = {"key": key, "data_key": data_key, "hyperparams": HYPERPARAMS, "num_epochs": 5}
    found = loop.fit(train, evaluate, data, validation, progress=False, **options)
    # The program that fit has just compiled.
    if mesh:
        key, data_key = shard_keys(mesh, key), shard_keys(mesh, data_key)
    where, shared = sharding(mesh, "members"), device_put((HYPERPARAMS, data, validation), sharding(mesh))
    state = compilation.compile_for(epoch.make_init(train, where), key, shared[0])(key, shared[0])
    epochs = epoch.make_epochs(train, evaluate, EarlyStopping("accuracy", True), where)
    zero = epoch.epoch_index(0, mesh)
    program = compilation.compile_for(epochs, state, *shared, zero, zero, data_key)
    return {
        "reached": plain((found.params, found.history["train_loss"])),
        "collectives": sorted(
            kind + name
            for kind, name in re.findall(
                r"= (pred\[\] )?[^=\n]*?(all-\w+|collective-\w+|reduce-scatter)(?:-start)?\(",
                program.as_text(),
            )
        ),
        "operations": program.cost_analysis()["flops"],
    }


def swept(sizes, data_bytes=None):
    """Seven members of three folds, that are cut on the way: the last chunks lack some."""
    space = {"hidden_sizes": Choice((5,)), "depth": Choice((1,)), "dropout": Range(0.1, 0.3)}
    mesh = make_mesh(sizes) if sizes else None
    settings = SweepConfig("multiclass", num_epochs=4, batch_size=12, halving=3, mesh=mesh)
    settings = settings._replace(data_bytes=data_bytes)
    data = dataset(50)
    found = run_sweep(
        draw_members(space, 7, max_programs=1),
        lambda spec: network_of(spec.hidden_sizes),
        cross_folds(data, assign_folds(data.targets, 3)),
        settings,
        progress=False,
    )
    chosen = [(c.counts, c.predictions, c.params) for c in found.candidates]
    return plain((found.history, found.statuses, found.losses, chosen))


def plain(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), tree)


if __name__ == "__main__":
    compilation.enable_cache()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)
    told = sys.stdout
    # What a run says of itself is not of what was asked.
    sys.stdout = sys.stderr
    json.dump(
        {
            "trained": {name: trained(sizes) for name, sizes in MESHES.items()},
            "swept": {name: swept(MESHES[name]) for name in ("one", "both")}
            # Two steps of 12 examples at a time.
            | {"in parts": swept(MESHES["both"], 2 * 24 * (6 * 8 + 4 + 3 * 8))},
        },
        told,
    )
