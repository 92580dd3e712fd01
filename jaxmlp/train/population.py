"""Many runs as one program: ``vmap`` of a run."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.runtime.devices import all_devices
from jaxmlp.train.state import Evaluate, Train
from jaxmlp.types import Dataset, Hyperparams, InputError

VARIED = ("key", "hyperparams", "dataset", "folds", "data_key")


def vmap_runs(train: Train, evaluate: Evaluate, *differing: str) -> tuple[Train, Evaluate]:
    """Runs that differ in the arguments called ``differing``, each on its first axis, and share the rest.

    - ``"key", "data_key"``: seeds. Each has its own order of the data; a shared one understates their spread.
    - ``"hyperparams"``: settings, every field an array, with the same initial draw, dropout and order, to be
      compared in pairs.
    - ``"key", "hyperparams"``: members of a sweep, which share the order, and so the reading of the data.
    - ``"key", "folds"``: the folds of a cross-validation, which share order and examples; on the first axis
      of the training Dataset's ``weights``, 0 for what a fold leaves out, and of all that is evaluated.
    - ``"key", "dataset", "data_key"``: splits; every array of every Dataset has them on its first axis.

    Seeds × settings are ``vmap_runs(*vmap_runs(train, evaluate, "hyperparams"), "key", "data_key")``.
    InputError for another name, or when the runs would all start alike.
    """
    for name in differing:
        checks.known_name("differing", name, VARIED)
    if not {"key", "hyperparams"} & set(differing):
        raise InputError(f"differing: must name 'key' or 'hyperparams', got {differing}")
    key, hyperparams, dataset, folds, data_key = (0 if name in differing else None for name in VARIED)
    examples = dataset if folds is None else Dataset(None, None, 0)  # type: ignore[arg-type]
    population = Train(
        start=jax.vmap(train.start, in_axes=(key, hyperparams)),
        advance=jax.vmap(train.advance, in_axes=(0, hyperparams, examples, None, data_key)),
        eval_params=jax.vmap(train.eval_params, in_axes=(0, hyperparams)),
        advance_part=None if dataset == 0 else _vmap_parts(train, hyperparams, examples, data_key),
        batch_size=train.batch_size,
        mesh=train.mesh,
        num_axes=train.num_axes + 1,
    )
    measured = 0 if dataset == 0 or folds == 0 else None
    return population, replace(evaluate, function=jax.vmap(evaluate.function, in_axes=(0, 0, measured)))


def _vmap_parts(
    train: Train, hyperparams: int | None, examples: Any, data_key: int | None
) -> Callable | None:
    """``advance_part`` of many runs: those with an order of their own see parts of their own."""
    advance_part = train.advance_part
    if advance_part is None:
        return None

    def of_many(state: Any, info: Any, numbers: Any, part: Dataset, epoch: Any, first: Any, key: Any) -> Any:
        axes = examples
        if data_key is not None:
            # Of the weights, axes of orders come after those of folds.
            weights = None if part.weights is None else part.weights.ndim - 1 - key.ndim
            axes = Dataset(0, 0, weights)  # type: ignore[arg-type]
        mapped = jax.vmap(advance_part, in_axes=(0, 0, hyperparams, axes, None, None, data_key))
        return mapped(state, info, numbers, part, epoch, first, key)

    return of_many


def grid(hyperparams: Hyperparams | None = None, /, **values: Iterable[float | int]) -> Hyperparams:
    """Every combination of ``values``, the last varying fastest, each field an array over the settings.

    Fields that are not in ``values`` keep what ``hyperparams`` says, if given. Raises InputError for
    a name that is no hyperparameter or has no values.
    """
    for name in values:
        checks.known_name("values", name, Hyperparams._fields)
    rows = list(product(*values.values()))
    if not rows:
        raise InputError("values: every hyperparameter needs at least one value")
    settings = [
        (hyperparams or Hyperparams())._replace(**dict(zip(values, row, strict=True))) for row in rows
    ]
    all_devices()
    return jax.tree.map(lambda *numbers: jnp.asarray(numbers, float), *settings)


def seed_keys(seeds: Sequence[int]) -> tuple[Key[Array, " seeds"], Key[Array, " seeds"]]:
    """The key of each run and of its order of the data, as ``jax.random.split(jax.random.key(seed))``."""
    all_devices()
    keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.asarray(seeds))
    return keys[:, 0], keys[:, 1]
