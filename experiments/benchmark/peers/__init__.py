"""The systems that the benchmark compares: the same work, as each one's own documentation recommends it.

Each is a function (work, data) -> Trainer, and imports what it needs itself, since every one runs in a
process of its own. All start from the same weights, see every example once an epoch in batches of a random
order, and take Adam's steps on the mean cross-entropy.
"""

from collections.abc import Callable
from functools import partial

from experiments.benchmark.peers.equinox import equinox
from experiments.benchmark.peers.flax import flax
from experiments.benchmark.peers.keras import keras
from experiments.benchmark.peers.ours import jaxmlp, jaxmlp_population
from experiments.benchmark.peers.products import products
from experiments.benchmark.peers.sklearn import sklearn
from experiments.benchmark.peers.torch import torch, torch_by_hand, torch_func
from experiments.benchmark.work import Data, Trainer, Work

SYSTEMS: dict[str, Callable[[Work, Data], Trainer]] = {
    "jaxmlp": jaxmlp,
    "jaxmlp, bfloat16": partial(jaxmlp, precision="bfloat16"),
    "PyTorch": partial(torch, fused=False),
    "PyTorch, fused Adam": torch,
    "PyTorch, fused, compiled": partial(torch, compiled=True),
    "PyTorch, fused, bfloat16": partial(torch, bfloat16=True),
    "Keras on JAX": keras,
    "Flax NNX": flax,
    "Equinox": equinox,
    "scikit-learn": sklearn,
}
POPULATIONS: dict[str, Callable[[Work, Data], Trainer]] = {
    "jaxmlp": jaxmlp_population,
    "jaxmlp, bfloat16": partial(jaxmlp_population, precision="bfloat16"),
    "PyTorch by hand": torch_by_hand,
    "PyTorch by hand, bfloat16": partial(torch_by_hand, bfloat16=True),
    "torch.func": torch_func,
}
PRODUCTS = "products"


def systems_for(work: Work) -> dict[str, Callable[[Work, Data], Trainer]]:
    """Those that can do this work, and of one network nothing but its matrix products."""
    return POPULATIONS if work.num_members > 1 else SYSTEMS | {PRODUCTS: products}
