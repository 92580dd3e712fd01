"""From data and ranges to a tuned, calibrated ensemble."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxmlp import checks
from jaxmlp.calibration import calibrated
from jaxmlp.data.splits import Splits, fit_target_affine, layer_sizes, scale_part
from jaxmlp.description import Description, Form
from jaxmlp.models import Model
from jaxmlp.nn import mlp, network
from jaxmlp.nn.heads import HEADS
from jaxmlp.nn.preprocessing import Affine, fit_affine
from jaxmlp.settings import Settings
from jaxmlp.space import DEFAULT_SPACE, Member, Space, Structure, draw
from jaxmlp.sweep_loop import sweep
from jaxmlp.swept import Swept
from jaxmlp.train import batching
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
    network_of, data = prepare(splits, settings.precision)
    options: dict[str, Any] = {"checkpoints": checkpoints, "progress": progress}
    swept = sweep(members, network_of, data.train, data.validation, settings, **options)
    return hand_back(splits, swept)


def hand_back(splits: Splits, swept: Swept) -> Found:
    """The best member and the ensemble of a sweep as calibrated models."""
    affine, targets = fit_affine(splits.train.inputs), fit_target_affine(splits)
    best = swept.members[swept.best].structure, 1, swept.best_params
    chosen = [(swept.members[c.member].structure, c.votes, c.params) for c in swept.chosen]
    single, together = (_model(splits, affine, targets, networks) for networks in ([best], chosen))
    return Found(swept, calibrated(single, splits.validation), calibrated(together, splits.validation))


def prepare(
    splits: Splits, precision: str = "float32"
) -> tuple[Callable[[Structure], network.Network], Splits]:
    """The network of each structure, and the data as these networks take them.

    Pixels are scaled inside the program and rest as bytes. Tables and real targets are scaled here: their
    numbers would be part of the program, which another split could then not use again.
    """
    affine, targets = fit_affine(splits.train.inputs), fit_target_affine(splits)
    pixels = splits.train.inputs.dtype == np.uint8
    inside = (float(affine.shift), float(affine.scale)) if pixels else None
    network_of = partial(_network, layer_sizes(splits, ()), splits.task, inside, precision)
    inputs = None if pixels else affine
    train, validation, test = (scale_part(part, inputs, targets) for part in splits[:3])
    return network_of, splits._replace(train=train, validation=validation, test=test)


def with_defaults(splits: Splits, settings: dict[str, Any]) -> Settings:
    """``settings``, with a batch size and a number of epochs that suit the size of the data."""
    batch_size = settings.get("batch_size") or default_batch_size(splits)
    num_epochs = settings.get("num_epochs") or default_num_epochs(splits, batch_size)
    return Settings(splits.task, **(settings | {"batch_size": batch_size, "num_epochs": num_epochs}))


def default_batch_size(splits: Splits) -> int:
    """128, or less for a small data set, so that an epoch has eight steps at least."""
    return int(min(128, max(8, 2 ** (len(splits.train.inputs) // 8).bit_length() // 2)))


def default_num_epochs(splits: Splits, batch_size: int) -> int:
    """20, or more for a small data set: as many as make some 3,000 steps, at most 300."""
    num_steps = batching.num_batches(len(splits.train.inputs), checks.whole_number("batch_size", batch_size))
    return min(300, max(20, 3000 // num_steps))


@lru_cache(maxsize=64)
def _network(
    ends: tuple[int, int],
    task: str,
    affine: tuple[float, float] | None,
    precision: str,
    structure: Structure,
) -> network.Network:
    """The same functions for the same arguments, so that what was compiled for them is found again."""
    num_inputs, num_outputs = ends
    return network.make_network(
        (num_inputs, *structure.hidden_sizes, num_outputs),
        HEADS[task],
        Affine(*map(jnp.asarray, affine or (0.0, 1.0))),
        activation=mlp.get_activation(structure.activation),
        precision=precision,
    )


def _model(
    splits: Splits, affine: Affine, targets: Affine | None, networks: Sequence[tuple[Structure, int, Any]]
) -> Model:
    forms = tuple(
        Form(layer_sizes(splits, structure.hidden_sizes), structure.activation, count)
        for structure, count, _ in networks
    )
    description = Description(
        networks=forms,
        head=splits.task,
        input_shape=splits.train.inputs.shape[1:],
        class_names=splits.class_names,
        dataset=splits.name,
        metrics={},
        versions={},
    )
    return Model(tuple(params for *_, params in networks), affine, description, targets)
