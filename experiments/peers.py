"""The systems that the benchmark compares: the same work, as each one's own documentation recommends it.

Each is a function (work, data) -> Trainer, and imports what it needs itself, since every one runs in a
process of its own. All start from the same weights, see every example once an epoch in batches of a random
order, and take Adam's steps on the mean cross-entropy.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer


class Work(NamedTuple):
    """What is to be trained."""

    layer_sizes: tuple[int, ...]
    batch_size: int = 128
    num_members: int = 1
    """Networks, which differ in their initial weights."""
    num_examples: int | None = None
    """As many of the first examples; None: all."""
    dataset: str = "images"
    learning_rate: float = 1e-3
    seed: int = 0


class Data(NamedTuple):
    """Inputs scaled to about 1, and labels; of images the training inputs as bytes, too."""

    inputs: Float[np.ndarray, "examples features"]
    labels: Integer[np.ndarray, " examples"]
    validation_inputs: Float[np.ndarray, "others features"]
    validation_labels: Integer[np.ndarray, " others"]
    pixels: Integer[np.ndarray, "..."] = np.zeros((0, 0), np.uint8)
    """For those whose documentation scales pixels within the step, which is this library; else empty."""
    brightest: Float[np.ndarray, ""] = np.ones((), np.float32)
    """``pixels`` / ``brightest`` are ``inputs``."""


class Trainer(NamedTuple):
    """One system at work."""

    epoch: Callable[[], None]
    """Trains for one epoch, and returns when all is done."""
    accuracy: Callable[[], float]
    """The share of the validation examples that is right, the mean of all members."""


def initial(work: Work, member: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """The weight (in, out) and bias of each layer: normal, of variance 2 / inputs, of the last 1 / inputs."""
    draws = np.random.default_rng([work.seed, member])
    shapes = list(pairwise(work.layer_sizes))
    gains = [2.0] * (len(shapes) - 1) + [1.0]
    return [
        (
            draws.normal(0, np.sqrt(gain / shape[0]), shape).astype(np.float32),
            np.zeros(shape[1], np.float32),
        )
        for shape, gain in zip(shapes, gains, strict=True)
    ]


def orders(work: Work, num_examples: int) -> Iterator[Integer[np.ndarray, "steps batch"]]:
    """For each epoch a random order, cut into whole batches, for systems without one of their own."""
    draws, num_steps = np.random.default_rng(work.seed), num_examples // work.batch_size
    while True:
        yield draws.permutation(num_examples)[: num_steps * work.batch_size].reshape(num_steps, -1)


def share_right(logits: Any, labels: np.ndarray) -> float:
    """Of logits [..., examples, classes] the share whose largest is the label's."""
    return float((np.asarray(logits).argmax(axis=-1) == labels).mean())


def own_networks(work: Work, data: Data, precision: str) -> tuple[np.ndarray, Any, Any]:
    """What this library trains on, the network that takes it, and the one of inputs that are scaled."""
    import jax.numpy as jnp

    from jaxmlp import make_network
    from jaxmlp.nn import heads
    from jaxmlp.nn.preprocessing import Affine

    raw, largest = (data.pixels, data.brightest) if data.pixels.size else (data.inputs, np.ones(()))
    network, unscaled = (
        make_network(
            work.layer_sizes,
            heads.multiclass,
            Affine(jnp.zeros(()), jnp.asarray(scale, float)),
            precision=precision,
        )
        for scale in (largest, 1.0)
    )
    return raw, network, unscaled


def jaxmlp(work: Work, data: Data, precision: str = "float32") -> Trainer:
    """This library, one network: an epoch is one compiled program."""
    import jax
    import jax.numpy as jnp

    from jaxmlp import make_evaluate, make_optimizer, make_train
    from jaxmlp.nn import metrics
    from jaxmlp.train.epoch import make_init
    from jaxmlp.types import Dataset, Hyperparams, Layer

    raw, network, unscaled = own_networks(work, data, precision)
    train = make_train(network.init_fn, network.loss_fn, make_optimizer("adam"), work.batch_size)
    hyperparams = Hyperparams(learning_rate=work.learning_rate)
    key, data_key = jax.random.split(jax.random.key(work.seed))
    state = make_init(train)(key, hyperparams).train
    params = tuple(Layer(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in initial(work))
    state = state._replace(params=params)
    advance = jax.jit(train.advance, donate_argnums=0)
    evaluate = jax.jit(make_evaluate(unscaled.predict_fn, metrics.CLASSIFICATION))
    dataset, validation = jax.device_put((Dataset(raw, data.labels), Dataset(*data[2:4])))
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
    from jaxmlp.types import Dataset, Hyperparams, Layer

    raw, network, unscaled = own_networks(work, data, precision)
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
    evaluate = jax.jit(
        jax.vmap(
            jax.vmap(make_evaluate(unscaled.predict_fn, metrics.CLASSIFICATION), in_axes=(0, None, None)),
            in_axes=(0, None, None),
        )
    )
    counted = jnp.ones((1, len(data.labels)))
    dataset, validation = jax.device_put((Dataset(raw, data.labels, counted), Dataset(*data[2:4])))
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


def torch_device() -> Any:
    """The GPU if PyTorch knows one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def torch_wait() -> None:
    """Return when all that was asked of the GPU, if there is one, is done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def torch_module(layers: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """PyTorch's perceptron with these weights and biases."""
    import torch

    parts: list[Any] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(*weight.shape)
        linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1]).to(torch_device())


def torch_tensors(data: Data) -> Any:
    """Inputs, labels and validation inputs as PyTorch takes them, on its device."""
    import torch

    arrays = data.inputs, data.labels.astype(np.int64), data.validation_inputs
    return [torch.from_numpy(array).to(torch_device()) for array in arrays]


def torch(
    work: Work, data: Data, *, fused: bool = True, compiled: bool = False, bfloat16: bool = False
) -> Trainer:
    """PyTorch: data as tensors in memory, a step at a time."""
    import torch

    torch.manual_seed(work.seed)
    model = torch_module(initial(work))
    optimizer = torch.optim.Adam(model.parameters(), lr=work.learning_rate, fused=fused)
    loss_fn = torch.nn.CrossEntropyLoss()
    inputs, labels, validation = torch_tensors(data)
    device = torch_device()

    def forward(x: Any, y: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return loss_fn(model(x), y)

    # Of a GPU's launches a whole step becomes one: its CUDA graph.
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    loss_of = torch.compile(forward, mode=mode) if compiled else forward

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=device).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(inputs[rows], labels[rows]).backward()
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            return share_right(model(validation).cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def torch_by_hand(work: Work, data: Data, *, bfloat16: bool = False) -> Trainer:
    """PyTorch with all members' first layers as one large one, and their others as a batch of products."""
    import torch

    torch.manual_seed(work.seed)
    each = [initial(work, member) for member in range(work.num_members)]
    arrays = [np.stack(parts) for layer in zip(*each, strict=True) for parts in zip(*layer, strict=True)]
    arrays[0] = np.moveaxis(arrays[0], 0, 1).reshape(work.layer_sizes[0], -1)
    arrays[1] = arrays[1].ravel()
    device = torch_device()
    flat = [torch.from_numpy(array).to(device).requires_grad_() for array in arrays]
    optimizer = torch.optim.Adam(flat, lr=work.learning_rate, fused=True)
    inputs, labels, validation = torch_tensors(data)

    def forward(x: Any) -> Any:
        hidden = torch.addmm(flat[1], x, flat[0])
        hidden = hidden.view(len(x), work.num_members, -1).transpose(0, 1)
        for weight, bias in zip(flat[2::2], flat[3::2], strict=True):
            hidden = torch.baddbmm(bias[:, None], torch.relu(hidden), weight)
        return hidden

    def loss_of(x: Any, y: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits, targets = forward(x), y.expand(work.num_members, -1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return work.num_members * loss

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=device).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(inputs[rows], labels[rows]).backward()
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            return share_right(forward(validation).cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def torch_func(work: Work, data: Data) -> Trainer:
    """PyTorch's own way to ensembles: torch.func's vmap of the gradient over stacked modules."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.manual_seed(work.seed)
    modules = [torch_module(initial(work, member)) for member in range(work.num_members)]
    base = modules[0]
    params, buffers = stack_module_state(modules)
    optimizer = torch.optim.Adam(params.values(), lr=work.learning_rate, fused=True)
    inputs, labels, validation = torch_tensors(data)

    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(base, (params, buffers), (x,)), y)

    grads_of = vmap(grad(loss_fn), in_dims=(0, None, None))

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=torch_device()).split(work.batch_size):
            for name, grads in grads_of(params, inputs[rows], labels[rows]).items():
                params[name].grad = grads
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            logits = vmap(lambda p: functional_call(base, (p, buffers), (validation,)))(params)
        return share_right(logits.cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def keras(work: Work, data: Data) -> Trainer:
    """Keras 3 on JAX: ``fit`` on arrays, compiled, several steps in one call."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(work.seed)
    *hidden, num_classes = work.layer_sizes[1:]
    layers = [keras.layers.Dense(size, activation="relu") for size in hidden]
    model = keras.Sequential([keras.Input((work.layer_sizes[0],)), *layers, keras.layers.Dense(num_classes)])
    model.set_weights([array for layer in initial(work) for array in layer])
    model.compile(
        optimizer=keras.optimizers.Adam(work.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=8,
    )

    def epoch() -> None:
        model.fit(data.inputs, data.labels, batch_size=work.batch_size, epochs=1, verbose=0)

    def accuracy() -> float:
        return share_right(
            model.predict(data.validation_inputs, batch_size=1024, verbose=0), data.validation_labels
        )

    return Trainer(epoch, accuracy)


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


def sklearn(work: Work, data: Data) -> Trainer:
    """scikit-learn's MLPClassifier, an epoch at a time."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        work.layer_sizes[1:-1],
        batch_size=work.batch_size,
        learning_rate_init=work.learning_rate,
        alpha=0.0,
        random_state=work.seed,
    )
    first = slice(work.batch_size)
    model.partial_fit(data.inputs[first], data.labels[first], classes=np.arange(work.layer_sizes[-1]))
    # Its optimizer holds these very arrays.
    for weight, bias, (new_weight, new_bias) in zip(
        model.coefs_, model.intercepts_, initial(work), strict=True
    ):
        weight[...], bias[...] = new_weight, new_bias

    def epoch() -> None:
        model.partial_fit(data.inputs, data.labels)

    return Trainer(epoch, lambda: float(model.score(data.validation_inputs, data.validation_labels)))


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


def optimizer(work: Work, data: Data) -> Trainer:
    """Nothing but Adam's update in each step, with the parameters as their own gradients."""
    import jax
    import jax.numpy as jnp
    import optax

    num_steps = len(data.inputs) // work.batch_size
    adam, params = optax.adam(work.learning_rate), jax.tree.map(jnp.asarray, initial(work))

    def step(carry: Any, _: None) -> tuple[Any, None]:
        params, opt_state = carry
        updates, opt_state = adam.update(params, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    run = jax.jit(lambda params: jax.lax.scan(step, (params, adam.init(params)), length=num_steps)[0])
    return Trainer(lambda: jax.block_until_ready(run(params)), lambda: 0.0)


SYSTEMS: dict[str, Callable[[Work, Data], Trainer]] = {
    "jaxmlp": jaxmlp,
    "jaxmlp, bfloat16": partial(jaxmlp, precision="bfloat16"),
    "PyTorch": partial(torch, fused=False),
    "PyTorch, fused Adam": torch,
    "PyTorch, fused, compiled": partial(torch, compiled=True),
    "PyTorch, fused, bfloat16": partial(torch, bfloat16=True),
    "Keras on JAX": keras,
    "Flax NNX": flax,
    "Equinox": equinox,
    "scikit-learn": sklearn,
}
POPULATIONS: dict[str, Callable[[Work, Data], Trainer]] = {
    "jaxmlp": jaxmlp_population,
    "jaxmlp, bfloat16": partial(jaxmlp_population, precision="bfloat16"),
    "PyTorch by hand": torch_by_hand,
    "PyTorch by hand, bfloat16": partial(torch_by_hand, bfloat16=True),
    "torch.func": torch_func,
}
PARTS: dict[str, Callable[[Work, Data], Trainer]] = {"products": products, "optimizer": optimizer}
"""What an epoch of one network consists of, and nothing else."""


def systems_for(work: Work) -> dict[str, Callable[[Work, Data], Trainer]]:
    """Those that can do this work."""
    return POPULATIONS if work.num_members > 1 else SYSTEMS | PARTS
