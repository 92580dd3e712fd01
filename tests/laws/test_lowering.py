"""Every kind of program that the library compiles can be compiled for accelerators, which no test has here.

Lowering for another platform runs no program: it finds what only CPU has a rule for, and dtypes and
collectives that a platform refuses. What a kernel then computes is for ``runtime.selftest`` to ask there.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from jaxmlp.models.prediction import _network_outputs
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime import devices
from jaxmlp.train import streaming
from jaxmlp.train.epoch import make_epochs, make_init, make_validate
from jaxmlp.train.optimizers import RECIPES, make_optimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.state import EarlyStopping
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams

PLATFORMS = ("cuda", "rocm", "tpu")
NUM_EXAMPLES, NUM_INPUTS, BATCH_SIZE = 11, 4, 4
AFFINE = Affine(np.zeros((), np.float32), np.ones((), np.float32))
DATA = Dataset(np.zeros((NUM_EXAMPLES, NUM_INPUTS), np.float32), np.zeros(NUM_EXAMPLES, np.int32))
EPOCH = np.int32(0)
KEY, DATA_KEY = seed_keys([0, 1])
EIGHT_DEVICES = AbstractMesh((2, 4), devices.AXES, axis_types=(AxisType.Auto, AxisType.Auto))


def functions(optimizer="adam", precision="float32", mesh=None):
    network = make_network((NUM_INPUTS, 6, 3), heads.multiclass, AFFINE, precision=precision)
    train = make_train(network.init_fn, network.loss_fn, make_optimizer(optimizer), BATCH_SIZE, mesh=mesh)
    return train, make_evaluate(network.predict_fn, CLASSIFICATION)


def hyperparams(optimizer="adam", **values):
    recipe = RECIPES[optimizer]
    values = {"learning_rate": recipe.learning_rate, "weight_decay": recipe.weight_decay} | values
    return Hyperparams(**{name: value and np.float32(value) for name, value in values.items()})


def epoch(optimizer="adam", precision="float32", differing=(), where=None, mesh=None, **values):
    """The beginning of a run, or of two, and epochs of it with their validation: each with its arguments."""
    train, evaluate = functions(optimizer, precision, mesh)
    key, settings = (KEY[0], DATA_KEY[0]), hyperparams(optimizer, **values)
    if differing:
        train, evaluate = vmap_runs(train, evaluate, *differing)
        key = KEY, DATA_KEY if "data_key" in differing else DATA_KEY[0]
    if "hyperparams" in differing:
        settings = jax.tree.map(lambda value: np.stack([value, value]), settings)
    begin = make_init(train, where)
    state = jax.eval_shape(begin, key[0], settings)
    epochs = make_epochs(train, evaluate, EarlyStopping("accuracy", True), where)
    yield begin, (key[0], settings)
    yield epochs, (state, settings, DATA, DATA, EPOCH, EPOCH, key[1])


def streamed():
    train, evaluate = functions()
    state = jax.eval_shape(make_init(train), KEY[0], hyperparams())
    begin, step, end = streaming.part_programs(train, NUM_EXAMPLES)
    info = jax.eval_shape(begin, state.train)
    yield begin, (state.train,)
    yield step, (state.train, info, hyperparams(), DATA, EPOCH, EPOCH, DATA_KEY[0])
    yield end, (info,)
    judge = make_validate(train, evaluate, EarlyStopping("accuracy", True))
    yield judge, (state.best, state.train, info, hyperparams(), DATA, EPOCH)


def on_a_mesh():
    """Networks over two shares of the devices, and each batch over four."""
    where = NamedSharding(EIGHT_DEVICES, PartitionSpec("members"))
    return epoch(differing=("key", "data_key"), where=where, mesh=EIGHT_DEVICES)


def evaluation():
    train, evaluate = functions()
    state = jax.eval_shape(train.start, KEY[0], hyperparams())
    yield jax.jit(evaluate), (state.params, (), DATA)


def prediction():
    params = jax.eval_shape(functions()[0].start, KEY[0], hyperparams()).params
    yield jax.jit(partial(_network_outputs, activation="relu", numbers=())), ((params, params), DATA.inputs)


KINDS = {
    "an epoch": epoch,
    "an epoch of bfloat16 products": partial(epoch, precision="bfloat16"),
    "dropout, clipping and max-norm": partial(
        epoch, dropout=0.3, input_dropout=0.1, clip_norm=1.0, max_norm=2.0, label_smoothing=0.1
    ),
    "seeds": partial(epoch, differing=("key", "data_key")),
    "a sweep": partial(epoch, differing=("key", "hyperparams")),
    "a sweep of bfloat16 products": partial(epoch, precision="bfloat16", differing=("key", "hyperparams")),
    "data in parts": streamed,
    "a mesh": on_a_mesh,
    "evaluation": evaluation,
    "prediction": prediction,
}


def lowered(function, arguments, *platforms):
    return jax.export.export(function, platforms=platforms)(*arguments)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_program_lowers_for_accelerators(kind, platform):
    for function, arguments in KINDS[kind]():
        exported = lowered(function, arguments, platform)
        assert exported.platforms == (platform,)
        assert exported.nr_devices == (8 if kind == "a mesh" else 1)


@pytest.mark.parametrize("optimizer", RECIPES)
def test_every_optimizer_lowers_for_accelerators(optimizer):
    for function, arguments in epoch(optimizer):
        assert lowered(function, arguments, *PLATFORMS).platforms == PLATFORMS


def test_what_only_a_cpu_can_do_is_seen():
    schur = jax.jit(jax.scipy.linalg.schur)
    assert lowered(schur, [jnp.eye(3)], "cpu").platforms == ("cpu",)
    with pytest.raises(NotImplementedError, match="not found for platform cuda"):
        lowered(schur, [jnp.eye(3)], "cuda")
