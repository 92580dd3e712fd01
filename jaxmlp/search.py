"""From data and ranges to a tuned, calibrated ensemble."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxmlp.data.splits import Splits, fit_target_affine
from jaxmlp.models.evaluation import calibrate
from jaxmlp.models.model import Model
from jaxmlp.models.training import build_model, default_batch_size, default_num_epochs, prepare_training
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.settings import Settings
from jaxmlp.space import DEFAULT_SPACE, Member, Space, draw
from jaxmlp.sweep_loop import sweep
from jaxmlp.swept import Swept
from jaxmlp.train.checkpoints import Checkpoints


class Found(NamedTuple):
    """What a search hands back."""

    swept: Swept
    best: Model
    """The member that validates best, in its best epoch."""
    ensemble: Model


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
) -> Found:
    """Train ``num_members`` networks drawn from ``space`` on ``splits``, and choose on its validation part.

    ``method`` and ``max_programs`` are those of ``space.draw``, ``settings`` those of settings.Settings. The
    test part is not looked at. Raises InputError, and FloatingPointError when no loss stays finite.
    """
    chosen = with_defaults(splits, settings)
    members = draw(space, num_members, method=method, max_programs=max_programs, seed=chosen.seed)
    return fit_members(splits, members, chosen, checkpoints=checkpoints, progress=progress)


def fit_members(
    splits: Splits,
    members: Sequence[Member],
    settings: Settings,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> Found:
    """``fit_ensemble`` from members already drawn, by ``space.draw`` or by any searcher."""
    network_of, data = prepare_training(splits, settings.precision)
    options: dict[str, Any] = {"checkpoints": checkpoints, "progress": progress}
    swept = sweep(members, network_of, data.train, data.validation, settings, **options)
    return hand_back(splits, swept)


def hand_back(splits: Splits, swept: Swept) -> Found:
    """The best member and the ensemble of a sweep as calibrated models."""
    affine, targets = fit_affine(splits.train.inputs), fit_target_affine(splits)
    best = swept.members[swept.best].structure.network, 1, swept.best_params
    chosen = [(swept.members[c.member].structure.network, c.votes, c.params) for c in swept.chosen]
    single, together = (build_model(splits, affine, targets, networks) for networks in ([best], chosen))
    return Found(swept, calibrate(single, splits.validation), calibrate(together, splits.validation))


def with_defaults(splits: Splits, settings: dict[str, Any]) -> Settings:
    """``settings``, with a batch size and a number of epochs that suit the size of the data."""
    batch_size = settings.get("batch_size") or default_batch_size(splits)
    num_epochs = settings.get("num_epochs") or default_num_epochs(splits, batch_size)
    return Settings(splits.task, **(settings | {"batch_size": batch_size, "num_epochs": num_epochs}))
