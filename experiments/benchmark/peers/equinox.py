"""Equinox."""

from typing import Any

from experiments.benchmark.work import Data, Trainer, Work, initial, orders, share_right


def equinox(work: Work, data: Data) -> Trainer:
    """Equinox: a filtered, compiled step that uses the old parameters' memory."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    parts: list[Any] = []
    for weight, bias in initial(work):
        linear = eqx.nn.Linear(*weight.shape, key=jax.random.key(work.seed))
        arrays = jnp.asarray(weight.T), jnp.asarray(bias)
        parts += [eqx.tree_at(lambda x: (x.weight, x.bias), linear, arrays), eqx.nn.Lambda(jax.nn.relu)]
    parts = parts[:-1]
    model, optimizer = eqx.nn.Sequential(parts), optax.adam(work.learning_rate)
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))

    def loss_fn(model: Any, x: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()

    @eqx.filter_jit(donate="all-except-first")
    def step(batch: Any, model: Any, opt_state: Any) -> Any:
        loss, grads = eqx.filter_value_and_grad(loss_fn)(model, *batch)
        updates, opt_state = optimizer.update(grads, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, loss

    inputs, labels, validation = map(jnp.asarray, data[:3])
    permutations = orders(work, len(data.inputs))

    def epoch() -> None:
        nonlocal model, opt_state
        for rows in next(permutations):
            model, opt_state, loss = step((inputs[rows], labels[rows]), model, opt_state)
        jax.block_until_ready(loss)

    predict = eqx.filter_jit(lambda model, x: jax.vmap(model)(x))
    return Trainer(epoch, lambda: share_right(predict(model, validation), data.validation_labels))
