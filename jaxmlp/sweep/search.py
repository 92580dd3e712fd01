"""From data and ranges to a tuned, calibrated ensemble."""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

from jaxmlp import checks
from jaxmlp.data.splits import Splits
from jaxmlp.models.evaluation import calibrate
from jaxmlp.models.model import Model
from jaxmlp.models.training import build_model, fit_scaling, prepare_training
from jaxmlp.printing import printable
from jaxmlp.sweep.config import SweepConfig, make_config
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import DEFAULT_SPACE, Member, Space
from jaxmlp.sweep.state import SweepResult
from jaxmlp.train.checkpoints import Checkpoints


@printable
class SearchResult(NamedTuple):
    """What a search hands back."""

    sweep: SweepResult
    best: Model
    """The member that validates best, in its best epoch."""
    ensemble: Model

    def summary(self) -> dict[str, Any]:
        """What was found, in words."""
        return self.sweep.summary() | {"task": self.ensemble.spec.head}


def fit_ensemble(
    splits: Splits,
    space: Space = DEFAULT_SPACE,
    *,
    num_members: int = 64,
    method: str = "sobol",
    max_programs: int = 8,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
    **settings: Any,
) -> SearchResult:
    """Train ``num_members`` networks drawn from ``space`` on ``splits``, and choose on its validation part.

    ``method`` and ``max_programs`` are those of ``sampling.draw_members``, ``settings`` those of SweepConfig.
    The test part is not looked at. Raises InputError, and FloatingPointError when no loss stays finite.
    """
    checks.of_type("splits", splits, Splits)
    checks.of_type("space", space, Mapping)
    checks.of_type("checkpoints", checkpoints, Checkpoints, NoneType)
    config = make_config(splits.task, len(splits.train.inputs), settings)
    members = draw_members(space, num_members, method=method, max_programs=max_programs, seed=config.seed)
    return fit_members(splits, members, config, checkpoints=checkpoints, progress=progress)


def fit_members(
    splits: Splits,
    members: Sequence[Member],
    config: SweepConfig,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> SearchResult:
    """``fit_ensemble`` from members already drawn, by ``sampling.draw_members`` or by any searcher."""
    network_of, data = prepare_training(splits, config.precision)
    options: dict[str, Any] = {"checkpoints": checkpoints, "progress": progress}
    result = run_sweep(members, network_of, data.train, data.validation, config, **options)
    return build_models(splits, result)


def build_models(splits: Splits, result: SweepResult) -> SearchResult:
    """The best member and the ensemble of a sweep as calibrated models."""
    scaling = fit_scaling(splits)
    best = result.members[result.best].structure.network, 1, result.best_params
    chosen = [(result.members[c.member].structure.network, c.count, c.params) for c in result.ensemble]
    single, together = (build_model(splits, scaling, networks) for networks in ([best], chosen))
    return SearchResult(result, calibrate(single, splits.validation), calibrate(together, splits.validation))
