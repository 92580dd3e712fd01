"""A run's parameters on the way."""

from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.runtime.compilation import compile_for
from jaxmlp.train.divergence import failure_message
from jaxmlp.train.epoch import epoch_index
from jaxmlp.train.state import Train
from jaxmlp.types import Dataset, PyTree


def parameter_snapshots(
    train: Train,
    parts: Sequence[Dataset],
    *,
    key: Key[Array, "*members"],
    data_key: Key[Array, "*orders"],
    hyperparams: PyTree,
) -> Iterator[PyTree]:
    """The parameters to evaluate: at the start, then after training once on each of ``parts``.

    Parts are whole epochs or pieces of them. All is compiled before the first parameters are handed out.
    FloatingPointError when no loss is finite any more.
    """
    checks.hyperparams(hyperparams)
    state = jax.jit(train.start)(key, hyperparams)
    advance, eval_params = jax.jit(train.advance), jax.jit(train.eval_params)
    programs = [compile_for(advance, state, hyperparams, part, epoch_index(0), data_key) for part in parts]
    yield eval_params(state, hyperparams)
    for index, (program, part) in enumerate(zip(programs, parts, strict=True)):
        state, info = program(state, hyperparams, part, epoch_index(index), data_key)
        if not np.any(np.isfinite(info.loss)):
            raise FloatingPointError(failure_message(info, index))
        yield eval_params(state, hyperparams)
