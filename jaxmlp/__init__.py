"""Multilayer perceptrons as pure JAX functions: parameters are pytrees, and a training run is a function.

The names below are the public ones. They are imported when first used, so that ``import jaxmlp`` is cheap.
"""

from importlib import import_module
from typing import Any

from jaxmlp.runtime.flags import set_required

set_required()
__version__ = "0.1.0"

_ROOM_OF = {
    "Affine": "nn.preprocessing",
    "Checkpoints": "train.checkpoints",
    "Dataset": "types",
    "FitResult": "train.loop",
    "Hyperparams": "types",
    "InputError": "types",
    "Layer": "types",
    "Network": "nn.network",
    "Params": "types",
    "Train": "train.step",
    "apply": "nn.mlp",
    "apply_affine": "nn.preprocessing",
    "fit": "train.loop",
    "from_arrays": "data.splits",
    "load_dataset": "data.sources",
    "read_table": "data.tables",
    "fit_affine": "nn.preprocessing",
    "Choice": "space",
    "Range": "space",
    "fit_ensemble": "search",
    "fit_members": "search",
    "fit_population": "train.tuning",
    "grid": "train.population",
    "init": "nn.mlp",
    "make_evaluate": "train.step",
    "make_network": "nn.network",
    "make_optimizer": "train.optimizers",
    "make_train": "train.step",
    "vmap_runs": "train.population",
    "seed_keys": "train.population",
    "tune": "train.tuning",
}
_ROOMS = [
    "checks",
    "ensemble",
    "halving",
    "plan",
    "population",
    "records",
    "search",
    "settings",
    "space",
    "statistics",
    "sweep_loop",
    "sweep_state",
    "swept",
    "types",
]
__all__ = [*_ROOM_OF, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"jaxmlp.{_ROOM_OF[name]}"), name)
    if name in _ROOMS:
        return import_module(f"jaxmlp.{name}")
    raise AttributeError(f"module 'jaxmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
