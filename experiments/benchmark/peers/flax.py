"""Flax NNX."""

from typing import Any

from experiments.benchmark.work import Data, Trainer, Work, initial, orders, share_right


def flax(work: Work, data: Data) -> Trainer:
    """Flax NNX: its compiled step, with the traversal of the modules cached."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    rngs, parts = nnx.Rngs(work.seed), []
    for weight, bias in initial(work):
        linear = nnx.Linear(*weight.shape, rngs=rngs)
        linear.kernel[...], linear.bias[...] = jnp.asarray(weight), jnp.asarray(bias)
        parts += [linear, nnx.relu]
    model = nnx.Sequential(*parts[:-1])
    optimizer = nnx.Optimizer(model, optax.adam(work.learning_rate), wrt=nnx.Param)

    def loss_fn(model: Any, x: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    @nnx.jit
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        loss, grads = nnx.value_and_grad(loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    cached_step = nnx.cached_partial(step, model, optimizer)
    predict = nnx.jit(lambda model, x: model(x))
    inputs, labels, validation = map(jnp.asarray, data[:3])
    permutations = orders(work, len(data.inputs))

    def epoch() -> None:
        for rows in next(permutations):
            loss = cached_step(inputs[rows], labels[rows])
        jax.block_until_ready(loss)

    return Trainer(epoch, lambda: share_right(predict(model, validation), data.validation_labels))
