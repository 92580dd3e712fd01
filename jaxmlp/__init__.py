"""Multilayer perceptrons as pure JAX functions: parameters are pytrees, and a training run is a function.

The names below are the public ones. They are imported when first used, so that ``import jaxmlp`` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxmlp.runtime.flags import set_required

if TYPE_CHECKING:
    # For editors and type checkers, which cannot follow what is imported when first used.
    from jaxmlp.data.sources import load_dataset as load_dataset
    from jaxmlp.data.splits import from_arrays as from_arrays
    from jaxmlp.data.tables import read_table as read_table
    from jaxmlp.nn.mlp import apply as apply
    from jaxmlp.nn.mlp import init as init
    from jaxmlp.nn.network import Network as Network
    from jaxmlp.nn.network import NetworkSpec as NetworkSpec
    from jaxmlp.nn.network import make_network as make_network
    from jaxmlp.nn.preprocessing import Affine as Affine
    from jaxmlp.nn.preprocessing import apply_affine as apply_affine
    from jaxmlp.nn.preprocessing import fit_affine as fit_affine
    from jaxmlp.sweep.search import fit_ensemble as fit_ensemble
    from jaxmlp.sweep.search import fit_members as fit_members
    from jaxmlp.sweep.space import Choice as Choice
    from jaxmlp.sweep.space import Range as Range
    from jaxmlp.train.checkpoints import Checkpoints as Checkpoints
    from jaxmlp.train.loop import FitResult as FitResult
    from jaxmlp.train.loop import fit as fit
    from jaxmlp.train.optimizers import make_optimizer as make_optimizer
    from jaxmlp.train.population import grid as grid
    from jaxmlp.train.population import seed_keys as seed_keys
    from jaxmlp.train.population import vmap_runs as vmap_runs
    from jaxmlp.train.step import Train as Train
    from jaxmlp.train.step import make_evaluate as make_evaluate
    from jaxmlp.train.step import make_train as make_train
    from jaxmlp.train.tuning import fit_population as fit_population
    from jaxmlp.train.tuning import tune as tune
    from jaxmlp.types import Dataset as Dataset
    from jaxmlp.types import Hyperparams as Hyperparams
    from jaxmlp.types import InputError as InputError
    from jaxmlp.types import Layer as Layer
    from jaxmlp.types import Params as Params

set_required()
__version__ = "0.1.0"

_MODULE_OF = {
    **dict.fromkeys(("Dataset", "Hyperparams", "InputError", "Layer", "Params"), "types"),
    "load_dataset": "data.sources",
    "from_arrays": "data.splits",
    "read_table": "data.tables",
    **dict.fromkeys(("apply", "init"), "nn.mlp"),
    **dict.fromkeys(("Network", "NetworkSpec", "make_network"), "nn.network"),
    **dict.fromkeys(("Affine", "apply_affine", "fit_affine"), "nn.preprocessing"),
    **dict.fromkeys(("fit_ensemble", "fit_members"), "sweep.search"),
    **dict.fromkeys(("Choice", "Range"), "sweep.space"),
    "Checkpoints": "train.checkpoints",
    **dict.fromkeys(("FitResult", "fit"), "train.loop"),
    "make_optimizer": "train.optimizers",
    **dict.fromkeys(("grid", "seed_keys", "vmap_runs"), "train.population"),
    **dict.fromkeys(("Train", "make_evaluate", "make_train"), "train.step"),
    **dict.fromkeys(("fit_population", "tune"), "train.tuning"),
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"jaxmlp.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'jaxmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
