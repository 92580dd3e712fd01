"""What is trained where nobody says more: settings, epochs and folds that suit the kind and size of data."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxmlp.data.splits import Splits
from jaxmlp.models.training import embed_inputs
from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.sweep.space import Choice, as_distribution
from jaxmlp.train.batching import num_batches
from jaxmlp.types import InputError

NUM_FOLDS = 4
MOST_ROWS_WITH_FOLDS, MOST_IMAGES_WITH_FOLDS = 50_000, 10_000
"""Training examples beyond which a validation part serves as well, at a fraction of the time."""
_OF_RATES = {"optimizer", "parametrization"}
_EPOCHS_OF_A_BUDGET = 10
"""Where there is a time budget, times as many as without one at most: more deformed images only help."""


_LEAST_STEPS, _MOST_EMBEDDED, _MANY_ROWS = 500, 1000, 2000


class Recipe(NamedTuple):
    """What is drawn from, and how it is trained."""

    space: Mapping[str, Any]
    """Few choices, each combination of which is a member."""
    settings: Mapping[str, Any]
    """Of SweepConfig."""
    embedding: EmbeddingSpec | None = None
    """Of the inputs that are numbers."""


def choose_recipe(splits: Splits, has_budget: bool = False) -> Recipe:
    """The recipe for these training examples, perhaps to be shortened to a time budget."""
    num_examples = len(splits.train.inputs)
    if splits.train.inputs.ndim > 2:
        return _for_images(splits, num_examples, has_budget)
    return _for_tables(splits, num_examples)


def most_with_folds(splits: Splits) -> int:
    """Examples for training and choosing up to which there are folds."""
    return MOST_IMAGES_WITH_FOLDS if splits.train.inputs.ndim > 2 else MOST_ROWS_WITH_FOLDS


def keeps_recipe(space: Mapping[str, Any] | None) -> bool:
    """Whether what a person gives leaves the recipe its few settings: constants, and none that the rates
    depend on.
    """
    given = {name: as_distribution(name, value) for name, value in (space or {}).items()}
    constant = all(isinstance(one, Choice) and len(one.values) == 1 for one in given.values())
    return constant and not _OF_RATES & given.keys()


def merge_space(recipe: Recipe, space: Mapping[str, Any] | None) -> dict[str, Any]:
    """The recipe's space with the ranges of a person's own in place of its own. A learning rate belongs to
    an optimizer: where that is another, its own range is the default.
    """
    given = {name: as_distribution(name, value) for name, value in (space or {}).items()}
    own = {name: as_distribution(name, value) for name, value in recipe.space.items()}
    if _OF_RATES & given.keys():
        own = {name: value for name, value in own.items() if name not in ("learning_rate", "b2")}
    return own | given


def _for_tables(splits: Splits, num_examples: int) -> Recipe:
    """Periodic embeddings of numbers, and cycles of the learning rate, at whose ends candidates stand
    (Gorishniy et al. 2022; Holzmüller et al. 2024).
    """
    embedding = _embedding(splits)
    space = {
        "hidden_sizes": 128,
        "depth": 3,
        "activation": "silu",
        "optimizer": "adam",
        "embedding": "none" if embedding is None else "periodic",
        "parametrization": "ntk",
        "learning_rate": Choice((0.02, 0.06)),
        "frequency_scale": Choice((0.25, 1.0)),
        "weight_decay": 0.01,
        "momentum": 0.9,
        "b2": 0.95,
        "dropout": Choice((0.0, 0.2)) if num_examples >= _MANY_ROWS else 0.1,
    }
    batch_size = int(np.clip(2 ** round(math.log2(num_examples / 32)), 32, 256))
    settings = {
        "numeric_scaling": "quantile",
        "schedule": "cycles",
        "batch_size": min(batch_size, num_examples),
        "num_epochs": _num_epochs(num_examples, batch_size, 300_000, 30, 90),
    }
    return Recipe(space, settings, embedding)


def _embedding(splits: Splits) -> EmbeddingSpec | None:
    """That of the inputs that are numbers; of very many, each tells little, and all would take long."""
    try:
        found = embed_inputs(splits)
    except InputError:
        return None
    return found if len(found.numbers) <= _MOST_EMBEDDED else None


def _num_epochs(num_examples: int, batch_size: int, num_seen: int, fewest: int, most: int) -> int:
    """As many as show ``num_seen`` examples, within these bounds, and of few examples more: some steps are
    needed in any case.
    """
    epochs = int(np.clip(num_seen // num_examples, fewest, most))
    return max(epochs, math.ceil(_LEAST_STEPS / num_batches(num_examples, batch_size)))


def _for_images(splits: Splits, num_examples: int, has_budget: bool) -> Recipe:
    """Dropout, smoothed labels, and images deformed as far as helps (Simard et al. 2003). The worst strength
    goes halfway; of many images, networks are wider and deeper.
    """
    many = num_examples > MOST_IMAGES_WITH_FOLDS
    space = {
        "hidden_sizes": 512 if many else 256,
        "depth": 2 if many else 1,
        "activation": "relu",
        "optimizer": "adam",
        "embedding": "none",
        "parametrization": "standard",
        "deformation": Choice((0.0, 0.5, 1.0)),
        "learning_rate": 2e-3 if many else 1e-2,
        "weight_decay": 0.01,
        "b2": 0.99,
        "dropout": 0.1,
    }
    if splits.class_names:
        space["label_smoothing"] = 0.1
    num_epochs = _num_epochs(num_examples, 128, 1_700_000, 15, 150)
    settings = {
        "schedule": "warmup_cosine",
        "batch_size": min(128, num_examples),
        "num_epochs": num_epochs * (_EPOCHS_OF_A_BUDGET if many and has_budget else 1),
        "halving": 2,
        "max_candidates": 8 if many else 4,
    }
    return Recipe(space, settings)
