"""What comes after an optimizer: transformations of its updates that optax does not have."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr
from jaxtyping import Array, Scalar

from jaxmlp import checks
from jaxmlp.types import PyTree


def project_max_norm(max_norm: Scalar | float) -> optax.GradientTransformation:
    """The update that ends with every unit's incoming weights at most ``max_norm`` long (Srebro and
    Shraibman 2005; Srivastava et al. 2014, §5.1). The last axis of a weight counts units; biases are free.
    """

    def project(update: Array, param: Array) -> Array:
        if param.ndim < 2:
            return update
        moved = param + update
        norm = jnp.sqrt(jnp.sum(jnp.square(moved), axis=tuple(range(moved.ndim - 1)), keepdims=True))
        return moved * jnp.where(norm > max_norm, max_norm / norm, 1) - param

    return optax.stateless(lambda updates, params: jax.tree.map(project, updates, params))


def scale_rates(multipliers: Mapping[str, float]) -> optax.GradientTransformation:
    """Learning rates of their own for parts of the params: ``multipliers`` are factors on the updates of all
    that lies under a field or key of that name, the outermost where several are named.

    Raises InputError where the params have no such name.
    """

    def labels(params: PyTree) -> PyTree:
        paths = [_names(path) for path, _ in jax.tree.leaves_with_path(params)]
        for name in multipliers:
            checks.known_name("rate_multipliers", name, {one for names in paths for one in names})
        return jax.tree.map_with_path(
            lambda path, _: next((name for name in _names(path) if name in multipliers), ""), params
        )

    scales = {name: optax.scale(factor) for name, factor in multipliers.items()}
    return optax.partition({"": optax.identity(), **scales}, labels)


def _names(path: tuple[Any, ...]) -> list[str]:
    return [keystr((key,), simple=True) for key in path]
