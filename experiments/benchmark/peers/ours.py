"""This library: an epoch is one compiled program, and many networks go through it in chunks."""

import itertools
from typing import Any

import numpy as np

from experiments.benchmark.work import Data, Trainer, Work, initial


def prepare(work: Work, data: Data, precision: str) -> tuple[Any, Any, Any]:
    """The network, which scales its inputs itself, its training data (of images as bytes) and the others."""
    import jax.numpy as jnp

    from jaxmlp import make_network
    from jaxmlp.nn.preprocessing import Affine
    from jaxmlp.types import Dataset

    inputs, largest = (data.pixels, data.brightest) if data.pixels.size else (data.inputs, np.float32(1))
    affine = Affine(jnp.zeros(()), jnp.asarray(largest, float))
    network = make_network(work.layer_sizes, "multiclass", affine, precision=precision)
    validation = Dataset(data.validation_inputs * np.float32(largest), data.validation_labels)
    return network, Dataset(inputs, data.labels), validation


def jaxmlp(work: Work, data: Data, precision: str = "float32") -> Trainer:
    """This library, one network: an epoch is one compiled program."""
    import jax
    import jax.numpy as jnp

    from jaxmlp import make_evaluate, make_optimizer, make_train
    from jaxmlp.nn import metrics
    from jaxmlp.train.epoch import make_init
    from jaxmlp.types import Hyperparams, Layer

    network, dataset, validation = prepare(work, data, precision)
    train = make_train(network.init_fn, network.loss_fn, make_optimizer("adam"), work.batch_size)
    hyperparams = Hyperparams(learning_rate=work.learning_rate)
    key, data_key = jax.random.split(jax.random.key(work.seed))
    state = make_init(train)(key, hyperparams).train
    params = tuple(Layer(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in initial(work))
    state = state._replace(params=params)
    advance = jax.jit(train.advance, donate_argnums=0)
    evaluate = jax.jit(make_evaluate(network.predict_fn, metrics.CLASSIFICATION))
    dataset, validation = jax.device_put((dataset, validation))
    numbers = itertools.count()

    def epoch() -> None:
        nonlocal state
        state, info = advance(state, hyperparams, dataset, jnp.asarray(next(numbers)), data_key)
        info.loss.block_until_ready()

    return Trainer(epoch, lambda: float(evaluate(state.params, (), validation)["accuracy"]))


def jaxmlp_population(work: Work, data: Data, precision: str = "float32") -> Trainer:
    """This library, many networks: members go through one compiled program in chunks that suit the device."""
    import jax
    import jax.numpy as jnp

    from jaxmlp import make_evaluate
    from jaxmlp.nn import metrics
    from jaxmlp.nn.network import NetworkSpec
    from jaxmlp.sweep import chunks as sweep_chunks
    from jaxmlp.sweep.config import SweepConfig
    from jaxmlp.sweep.programs import make_groups
    from jaxmlp.sweep.space import Member, Structure
    from jaxmlp.train.population import seed_keys
    from jaxmlp.types import Hyperparams, Layer

    network, dataset, validation = prepare(work, data, precision)
    structure = Structure(NetworkSpec(work.layer_sizes[1:-1], "relu"), "adam")
    members = [Member(structure, Hyperparams(work.learning_rate), seed) for seed in range(work.num_members)]
    settings = SweepConfig("multiclass", batch_size=work.batch_size, halving=None)
    (group,) = make_groups(members, lambda structure: network, settings, len(data.inputs), 1)
    chunks, states = sweep_chunks.init_chunks(group, 1), []
    for chunk in chunks:
        own = [initial(work, member) for member in chunk.members]
        own += own[-1:] * (group.program.chunk_size - len(own))
        # The second axis is that of a single fold.
        params = jax.tree.map(lambda *leaves: jnp.stack(leaves)[:, None], *own)
        states.append(chunk.state.train._replace(params=tuple(Layer(*layer) for layer in params)))
    advance = jax.jit(group.program.run.train.advance, donate_argnums=0)
    axes = (0, None, None)
    of_one = make_evaluate(network.predict_fn, metrics.CLASSIFICATION)
    evaluate = jax.jit(jax.vmap(jax.vmap(of_one, axes), axes))
    counted = dataset._replace(weights=jnp.ones((1, len(data.labels))))
    dataset, validation = jax.device_put((counted, validation))
    _, (data_key,) = seed_keys([work.seed])
    numbers = itertools.count()

    def epoch() -> None:
        number = jnp.asarray(next(numbers))
        for index, chunk in enumerate(chunks):
            states[index], info = advance(states[index], chunk.hyperparams, dataset, number, data_key)
        info.loss.block_until_ready()

    def accuracy() -> float:
        found = [np.asarray(evaluate(state.params, (), validation)["accuracy"]) for state in states]
        return float(np.concatenate(found)[: work.num_members].mean())

    return Trainer(epoch, accuracy)
