"""From data and ranges to a tuned, calibrated ensemble."""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

from jaxmlp import checks
from jaxmlp.data.folds import Folds, assign_folds, cross_folds, single_fold
from jaxmlp.data.splits import Splits, join_parts
from jaxmlp.models.training import fit_scaling, prepare_training
from jaxmlp.sweep.config import SweepConfig, make_config
from jaxmlp.sweep.ensembles import SearchResult, build_models
from jaxmlp.sweep.loop import run_sweep
from jaxmlp.sweep.recipes import NUM_FOLDS, choose_recipe, keeps_recipe, merge_space, most_with_folds
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Member, Space
from jaxmlp.train.checkpoints import Checkpoints

_NUM_DRAWN, _HALVING = 16, 3


class Plan(NamedTuple):
    """What a search will train."""

    splits: Splits
    """As it is learnt from: without a validation part where there are folds."""
    members: Sequence[Member]
    config: SweepConfig
    num_folds: int


def fit_ensemble(
    splits: Splits,
    space: Space | None = None,
    *,
    num_members: int | None = None,
    num_folds: int | None = None,
    method: str = "sobol",
    max_programs: int = 8,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
    **settings: Any,
) -> SearchResult:
    """Train networks of several settings, each once for each of ``num_folds`` folds without the rows of this
    fold, and choose, calibrate and measure an ensemble by the rows that they have not learnt from.

    Settings and folds suit the data (``recipes``); those in ``space`` take the place of these. If there are
    ranges among them, ``num_members`` settings, by default 16, are drawn, by ``method`` and from at most
    ``max_programs`` structures as ``sampling.draw_members`` does, and by default those that fall behind are
    cut. ``settings`` are those of SweepConfig.

    A validation part that was cut off by this library joins the training rows; one that was brought along
    takes the folds' place, as that of many examples does. Of splits in time, a fold is a stretch whose
    networks learn from what was before it, and one more of each setting learns from all; the models are made
    of these. The test part is not looked at. Raises InputError, and FloatingPointError when no loss stays
    finite.

    >>> import jaxmlp
    >>> splits = jaxmlp.load_dataset("iris")
    >>> found = jaxmlp.fit_ensemble(splits, num_epochs=30, progress=False)
    >>> found.score["accuracy"] > 0.9
    True
    """
    drawn: dict[str, Any] = {"num_members": num_members, "method": method, "max_programs": max_programs}
    plan = plan_search(splits, space, num_folds=num_folds, **drawn, **settings)
    return fit_members(*plan, checkpoints=checkpoints, progress=progress)


def plan_search(
    splits: Splits,
    space: Space | None = None,
    *,
    num_members: int | None = None,
    num_folds: int | None = None,
    method: str = "sobol",
    max_programs: int = 8,
    **settings: Any,
) -> Plan:
    """What ``fit_ensemble`` trains when it is given the same. Raises InputError."""
    checks.of_type("splits", splits, Splits)
    checks.of_type("space", space, Mapping, NoneType)
    if num_folds is not None:
        checks.integer("num_folds", num_folds)
    if _joins(splits, num_folds):
        splits = join_parts(splits)
    recipe = choose_recipe(splits, has_budget=settings.get("time_budget") is not None)
    by_recipe = num_members is None and keeps_recipe(space)
    settings = {**recipe.settings, **({} if by_recipe else {"halving": _HALVING}), **settings}
    config = make_config(splits.task, len(splits.train.inputs), settings)
    members = draw_members(
        merge_space(recipe, space),
        _NUM_DRAWN if num_members is None else num_members,
        method="grid" if by_recipe else method,
        max_programs=max_programs,
        seed=config.seed,
        embedding=recipe.embedding,
    )
    return Plan(splits, members, config, num_folds or NUM_FOLDS)


def _joins(splits: Splits, num_folds: int | None) -> bool:
    """Whether there are folds, and not a validation part."""
    few = len(splits.train.inputs) + len(splits.validation.inputs) <= most_with_folds(splits)
    return splits.validation_is_cut and (few if num_folds is None else num_folds > 1)


def fit_members(
    splits: Splits,
    members: Sequence[Member],
    config: SweepConfig,
    num_folds: int = NUM_FOLDS,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> SearchResult:
    """``fit_ensemble`` from members already drawn, by ``sampling.draw_members`` or by any searcher. Where
    ``splits`` have a validation part, it takes the folds' place.
    """
    checks.of_type("splits", splits, Splits)
    checks.of_type("checkpoints", checkpoints, Checkpoints, NoneType)
    scaling = fit_scaling(splits, config.numeric_scaling)
    network_of, data = prepare_training(splits, config.precision, scaling)
    folds = make_folds(data, num_folds, config.seed)
    result = run_sweep(members, network_of, folds, config, checkpoints=checkpoints, progress=progress)
    return build_models(splits, scaling, folds, result)


def make_folds(data: Splits, num_folds: int, seed: int) -> Folds:
    """The folds of the training part, or the validation part in their place."""
    if len(data.validation.inputs):
        return single_fold(data.train, data.validation)
    options: dict[str, Any] = {"seed": seed, "class_names": data.class_names, "blocks": data.blocks}
    folds = assign_folds(data.train.targets, num_folds, **options)
    return cross_folds(data.train, folds, ordered=data.is_ordered)
