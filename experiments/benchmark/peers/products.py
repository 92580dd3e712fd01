"""What no system can save: the matrix products of an epoch of one network."""

from typing import Any

from experiments.benchmark.work import Data, Trainer, Work, initial


def products(work: Work, data: Data) -> Trainer:
    """Nothing but the matrix products of each step: forward, to the weights, and to the layer before."""
    import jax
    import jax.numpy as jnp

    num_steps = len(data.inputs) // work.batch_size
    weights = [jnp.asarray(weight) for weight, _ in initial(work)]
    x = jnp.asarray(data.inputs[: work.batch_size])

    def step(weights: list[Any], _: None) -> tuple[list[Any], None]:
        layers = [x]
        for weight in weights:
            layers.append(layers[-1] @ weight)
        grad, moved = layers[-1], []
        for weight, layer in zip(reversed(weights), reversed(layers[:-1]), strict=True):
            # A little of each, or the compiler would leave it out.
            moved.append(weight - 1e-12 * (layer.T @ grad))
            grad = grad @ weight.T if layer is not x else grad
        return moved[::-1], None

    run = jax.jit(lambda weights: jax.lax.scan(step, weights, length=num_steps)[0])
    return Trainer(lambda: jax.block_until_ready(run(weights)), lambda: 0.0)
