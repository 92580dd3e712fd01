"""Multilayer perceptrons as pure JAX functions: parameters are pytrees, and a training run is a function.

The names below are the public ones. They are imported when first used, so that ``import jaxmlp`` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxmlp.runtime.flags import set_required, share_cores

if TYPE_CHECKING:
    # For editors and type checkers, which cannot follow what is imported when first used.
    from jaxmlp.data.sources import load_dataset as load_dataset
    from jaxmlp.data.splits import Splits as Splits
    from jaxmlp.data.splits import from_arrays as from_arrays
    from jaxmlp.data.tables import read_table as read_table
    from jaxmlp.estimators.ensembles import EnsembleClassifier as EnsembleClassifier
    from jaxmlp.estimators.ensembles import EnsembleRegressor as EnsembleRegressor
    from jaxmlp.estimators.perceptrons import MLPClassifier as MLPClassifier
    from jaxmlp.estimators.perceptrons import MLPRegressor as MLPRegressor
    from jaxmlp.models.evaluation import evaluate as evaluate
    from jaxmlp.models.fit_result import FitResult as FitResult
    from jaxmlp.models.fitting import fit_mlp as fit_mlp
    from jaxmlp.models.model import Model as Model
    from jaxmlp.models.model import load as load
    from jaxmlp.models.model import save as save
    from jaxmlp.models.prediction import predict as predict
    from jaxmlp.models.prediction import predict_proba as predict_proba
    from jaxmlp.models.snapshots import save_snapshots as save_snapshots
    from jaxmlp.models.tables import predict_table as predict_table
    from jaxmlp.nn.heads import Head as Head
    from jaxmlp.nn.metrics import Metric as Metric
    from jaxmlp.nn.mlp import apply as apply
    from jaxmlp.nn.mlp import init as init
    from jaxmlp.nn.network import Network as Network
    from jaxmlp.nn.network import NetworkSpec as NetworkSpec
    from jaxmlp.nn.network import make_network as make_network
    from jaxmlp.nn.preprocessing import Affine as Affine
    from jaxmlp.nn.preprocessing import Quantiles as Quantiles
    from jaxmlp.nn.preprocessing import apply_affine as apply_affine
    from jaxmlp.nn.preprocessing import apply_quantiles as apply_quantiles
    from jaxmlp.nn.preprocessing import fit_affine as fit_affine
    from jaxmlp.nn.preprocessing import fit_quantiles as fit_quantiles
    from jaxmlp.report.writing import write_report as write_report
    from jaxmlp.runtime.devices import make_mesh as make_mesh
    from jaxmlp.runtime.signals import stop_on as stop_on
    from jaxmlp.sweep.ensembles import SearchResult as SearchResult
    from jaxmlp.sweep.search import Plan as Plan
    from jaxmlp.sweep.search import fit_ensemble as fit_ensemble
    from jaxmlp.sweep.search import fit_members as fit_members
    from jaxmlp.sweep.search import plan_search as plan_search
    from jaxmlp.sweep.space import Choice as Choice
    from jaxmlp.sweep.space import Range as Range
    from jaxmlp.train.checkpoints import Checkpoints as Checkpoints
    from jaxmlp.train.loop import fit as fit
    from jaxmlp.train.optimizers import make_optimizer as make_optimizer
    from jaxmlp.train.population import grid as grid
    from jaxmlp.train.population import seed_keys as seed_keys
    from jaxmlp.train.population import vmap_runs as vmap_runs
    from jaxmlp.train.state import RunResult as RunResult
    from jaxmlp.train.state import Train as Train
    from jaxmlp.train.step import make_evaluate as make_evaluate
    from jaxmlp.train.step import make_train as make_train
    from jaxmlp.train.tuning import TuneResult as TuneResult
    from jaxmlp.train.tuning import tune as tune
    from jaxmlp.types import Dataset as Dataset
    from jaxmlp.types import Hyperparams as Hyperparams
    from jaxmlp.types import InputError as InputError
    from jaxmlp.types import Layer as Layer
    from jaxmlp.types import Params as Params

set_required()
share_cores()
__version__ = "0.1.0"

_MODULES = {
    "data.sources": ("load_dataset",),
    "data.splits": ("Splits", "from_arrays"),
    "data.tables": ("read_table",),
    "estimators.ensembles": ("EnsembleClassifier", "EnsembleRegressor"),
    "estimators.perceptrons": ("MLPClassifier", "MLPRegressor"),
    "models.evaluation": ("evaluate",),
    "models.fit_result": ("FitResult",),
    "models.fitting": ("fit_mlp",),
    "models.model": ("Model", "load", "save"),
    "models.prediction": ("predict", "predict_proba"),
    "models.snapshots": ("save_snapshots",),
    "models.tables": ("predict_table",),
    "nn.heads": ("Head",),
    "nn.metrics": ("Metric",),
    "nn.mlp": ("apply", "init"),
    "nn.network": ("Network", "NetworkSpec", "make_network"),
    "nn.preprocessing": (
        "Affine",
        "Quantiles",
        "apply_affine",
        "apply_quantiles",
        "fit_affine",
        "fit_quantiles",
    ),
    "report.writing": ("write_report",),
    "runtime.devices": ("make_mesh",),
    "runtime.signals": ("stop_on",),
    "sweep.ensembles": ("SearchResult",),
    "sweep.search": ("Plan", "fit_ensemble", "fit_members", "plan_search"),
    "sweep.space": ("Choice", "Range"),
    "train.checkpoints": ("Checkpoints",),
    "train.loop": ("fit",),
    "train.optimizers": ("make_optimizer",),
    "train.population": ("grid", "seed_keys", "vmap_runs"),
    "train.state": ("RunResult", "Train"),
    "train.step": ("make_evaluate", "make_train"),
    "train.tuning": ("TuneResult", "tune"),
    "types": ("Dataset", "Hyperparams", "InputError", "Layer", "Params"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
__all__ = list(_MODULE_OF)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # to whom a name that is none is an error

    def __getattr__(name: str) -> Any:
        if name in _MODULE_OF:
            return getattr(import_module(f"jaxmlp.{_MODULE_OF[name]}"), name)
        raise AttributeError(f"module 'jaxmlp' has no attribute {name!r}")
