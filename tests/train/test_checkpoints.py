"""A run stopped and gone on with is the run that was never stopped, or a line says why it cannot be."""

import json
import os
import re
import signal
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime import signals
from jaxmlp.train import checkpoints, loop
from jaxmlp.train.checkpoints import Checkpoints
from jaxmlp.train.loop import fit
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import seed_keys, vmap_runs
from jaxmlp.train.state import Evaluate
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, Hyperparams, InputError

NUM_EPOCHS = 5
HYPERPARAMS = Hyperparams(0.02, dropout=0.2, num_steps=40.0)
SIGNALS = {"epochs": 0, "stop_at": 0, "number": signal.SIGINT}
"""How many epochs were evaluated, and in which of them a real signal comes (0: in none)."""


def dataset(num_examples, seed=0):
    draws = np.random.default_rng(seed)
    inputs = draws.normal(size=(num_examples, 4)).astype(np.float32)
    return Dataset(inputs, (inputs[:, 0] > 0).astype(np.int32) + (inputs[:, 1] > 1))


def signalled(loss):
    SIGNALS["epochs"] += 1
    if SIGNALS["epochs"] == SIGNALS["stop_at"]:
        os.kill(os.getpid(), SIGNALS["number"])
    return loss


@lru_cache
def functions(hidden_size=6, optimizer="adam", population=False):
    """A network that learns, in whose evaluation a signal may come."""
    network = make_network((4, hidden_size, 3), heads.multiclass, Affine(jnp.zeros(()), jnp.ones(())))
    train = make_train(network.init_fn, network.loss_fn, make_optimizer(optimizer, "cosine"), 8)
    measure = make_evaluate(network.predict_fn, CLASSIFICATION)

    def evaluate(params, model_state, data):
        report = measure(params, model_state, data)
        loss = report["log_loss"]
        shape = jax.ShapeDtypeStruct(loss.shape, loss.dtype)
        return report | {"log_loss": jax.pure_callback(signalled, shape, loss, vmap_method="broadcast_all")}

    evaluate = Evaluate(evaluate, CLASSIFICATION)
    return vmap_runs(train, evaluate, "key", "data_key") if population else (train, evaluate)


def trained(folder=None, stop_at=0, *, every=1, resume=False, run=None, population=False, **options):
    keys, data_keys = seed_keys(range(3))
    if not population:
        keys, data_keys = keys[0], data_keys[0]
    kinds = {name: options.pop(name) for name in ("hidden_size", "optimizer") if name in options}
    made = functions(population=population, **kinds)
    SIGNALS.update(epochs=0, stop_at=stop_at)
    kept = folder and Checkpoints(folder, every, resume, run or {})
    options = {"num_epochs": NUM_EPOCHS, "hyperparams": HYPERPARAMS, "progress": False, **options}
    data = options.pop("data", dataset(60)), dataset(20, 1)
    return fit(*made, *data, key=keys, data_key=data_keys, checkpoints=kept, **options)


@pytest.fixture(autouse=True)
def calls_of_one_epoch(monkeypatch):
    """So that a signal ends a run after the epoch in which it comes."""
    monkeypatch.setattr(loop, "next_num_epochs", lambda *measured: 1)


def newest(folder):
    return checkpoints._files(folder)[0]


def tensors(folder):
    return checkpoints.decode(newest(folder).read_bytes())[0]


@pytest.fixture(scope="module", params=[False, True], ids=["one", "population"])
def whole(request, tmp_path_factory):
    """A run that was never stopped, and all that it was at its end."""
    folder = tmp_path_factory.mktemp("whole")
    return request.param, trained(folder, population=request.param), tensors(folder)


@pytest.mark.parametrize("stop_at", range(1, NUM_EPOCHS))
def test_stopped_after_any_epoch_and_resumed_it_ends_in_the_same_bits(whole, stop_at, tmp_path, capsys):
    population, never_stopped, state = whole
    stopped = trained(tmp_path, stop_at, every=None, population=population)
    assert stopped.interrupted == signal.SIGINT
    assert stopped.history["train_loss"].shape[-1] == stop_at
    resumed = trained(tmp_path, resume=True, population=population)
    assert f"resumed after epoch {stop_at}\n" in capsys.readouterr().out
    for found, expected in zip(jax.tree.leaves(resumed[:5]), jax.tree.leaves(never_stopped[:5]), strict=True):
        np.testing.assert_array_equal(found, expected)
    # The optimizer's state, the keys and the best epoch, too.
    found = tensors(tmp_path)
    assert found.keys() == state.keys()
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor, state[name], err_msg=name)


@pytest.mark.parametrize("population", [False, True])
def test_an_optimizer_with_noise_goes_on_with_it_and_can_be_lost(population, tmp_path):
    own = {"optimizer": "noisy_sgd", "population": population}
    expected = trained(**own)
    trained(tmp_path, 2, every=None, **own)
    found = trained(tmp_path, resume=True, **own)
    np.testing.assert_array_equal(found.history["train_loss"], expected.history["train_loss"])
    with pytest.raises(FloatingPointError, match="non-finite in epoch"):
        trained(**own, hyperparams=Hyperparams(1e30, num_steps=40.0))


def test_a_run_whose_data_come_in_parts_is_gone_on_with(whole, tmp_path, capsys):
    population, never_stopped, state = whole
    # Whole before, and in parts of one step of eight, of each order, after.
    trained(tmp_path, 2, every=None, population=population)
    part = 2 * 8 * 20 * (3 if population else 1)
    resumed = trained(tmp_path, resume=True, population=population, data_bytes=part)
    out = capsys.readouterr().out
    assert "resumed after epoch 2\n" in out and "come in parts of 1 steps" in out
    np.testing.assert_array_equal(resumed.history["train_loss"], never_stopped.history["train_loss"])
    for name, tensor in tensors(tmp_path).items():
        np.testing.assert_array_equal(tensor, state[name], err_msg=name)


def test_a_run_that_is_over_is_not_trained_again(tmp_path):
    done = trained(tmp_path)
    again = trained(tmp_path, resume=True)
    assert SIGNALS["epochs"] == 0
    for found, expected in zip(jax.tree.leaves(again[:5]), jax.tree.leaves(done[:5]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_patience_that_ran_out_stays_run_out(tmp_path):
    ended = trained(
        tmp_path, patience=1, num_epochs=50, hyperparams=Hyperparams(1e-9, dropout=0.2, num_steps=9)
    )
    assert ended.history["train_loss"].size < 50
    options = {"patience": 1, "num_epochs": 50, "hyperparams": Hyperparams(1e-9, dropout=0.2, num_steps=9)}
    assert (
        trained(tmp_path, resume=True, **options).history["train_loss"].size
        == ended.history["train_loss"].size
    )


def test_they_are_written_as_often_as_asked_and_the_last_two_stay(tmp_path):
    trained(tmp_path, every=2)
    assert [path.name for path in checkpoints._files(tmp_path)] == [
        "epoch-00000005.safetensors",
        "epoch-00000004.safetensors",
    ]
    assert len(list(tmp_path.iterdir())) == checkpoints.NUM_KEPT
    trained(tmp_path / "none", every=None)
    assert not (tmp_path / "none").exists()


def test_a_run_that_begins_anew_leaves_none_of_the_run_before(tmp_path):
    trained(tmp_path)
    trained(tmp_path, 2)
    assert [path.name[:14] for path in checkpoints._files(tmp_path)] == ["epoch-00000002", "epoch-00000001"]


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path, monkeypatch):
    monkeypatch.setitem(SIGNALS, "number", signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with signals.stop_on(signal.SIGTERM):
        assert trained(tmp_path, 2).interrupted == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_within_one_run_the_process_ends_with_the_status_of_the_signal(monkeypatch):
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        monkeypatch.setitem(SIGNALS, "number", number)
        with pytest.raises(SystemExit) as left, signals.single_run():
            trained(stop_at=1)
        assert left.value.code == status
        with pytest.raises(SystemExit) as left, signals.single_run():
            trained(stop_at=1)
            trained()
            pytest.fail("the second run began")
        assert left.value.code == status
    monkeypatch.setitem(SIGNALS, "number", signal.SIGINT)
    trained(stop_at=1)
    assert not trained().interrupted


def flip(content):
    return content[:-3] + bytes([content[-3] ^ 16]) + content[-2:]


@pytest.mark.parametrize(
    "damage", [flip, lambda c: c[: len(c) // 2], lambda c: b""], ids=["bit", "half", "empty"]
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(whole, damage, tmp_path, capsys):
    population, never_stopped, _ = whole
    trained(tmp_path, 3, population=population)
    newest(tmp_path).write_bytes(damage(newest(tmp_path).read_bytes()))
    resumed = trained(tmp_path, resume=True, population=population)
    out, errors = capsys.readouterr()
    assert "resumed after epoch 2\n" in out
    assert re.search(r"warning: .*epoch-00000003.safetensors is passed over: it is ", errors)
    np.testing.assert_array_equal(resumed.history["train_loss"], never_stopped.history["train_loss"])


def test_where_all_are_damaged_nothing_is_begun_over(tmp_path):
    trained(tmp_path, 3)
    for path in tmp_path.iterdir():
        path.write_bytes(flip(path.read_bytes()))
    with pytest.raises(InputError, match=r"none of the 2 checkpoints in .* is whole"):
        trained(tmp_path, resume=True)


def test_without_any_checkpoint_a_run_begins(tmp_path, whole):
    population, never_stopped, _ = whole
    begun = trained(tmp_path / "new", resume=True, population=population)
    np.testing.assert_array_equal(begun.history["train_loss"], never_stopped.history["train_loss"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": dataset(61)}, r"training data was .*60.*, and is .*61"),
        ({"data": dataset(60, 2)}, r"training data was "),
        (
            {"hyperparams": HYPERPARAMS._replace(learning_rate=0.01)},
            r"learning_rate was 0.0199.*, and is 0.00999",
        ),
        ({"hyperparams": HYPERPARAMS._replace(dropout=None)}, r"dropout was 0.2\d*, and is None"),
        ({"patience": 3}, "patience was None, and is 3"),
        ({"run": {"colour": "blue"}}, "colour was 'red', and is 'blue'"),
        ({"hidden_size": 7}, r"params\[0\].weight is float32\[4, 6\], here it is float32\[4, 7\]"),
        ({"optimizer": "sgd"}, "another network or optimizer: it has state.*opt_state"),
        ({"population": True}, r"keys was "),
        ({"num_epochs": 2}, "num_epochs: must be at least the 3 of the checkpoint, got 2"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_with_what_differs(options, message, tmp_path):
    trained(tmp_path, 3, run={"colour": "red"})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=message) as caught:
        trained(tmp_path, resume=True, **({"run": {"colour": "red"}} | options))
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("wrote", "reads", "remedy"),
    [(3, 2, "upgrade jaxmlp"), (1, 2, "resume it with the release that wrote it")],
)
def test_another_format_is_refused_and_not_passed_over(tmp_path, monkeypatch, wrote, reads, remedy):
    monkeypatch.setattr(checkpoints, "FORMAT", wrote)
    trained(tmp_path, 3)
    monkeypatch.setattr(checkpoints, "FORMAT", reads)
    with pytest.raises(InputError, match=f"has format {wrote}, and this jaxmlp reads {reads}; {remedy}"):
        trained(tmp_path, resume=True)


def test_other_conditions_are_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "")
    trained(tmp_path, 3)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_min_max=true")
    trained(tmp_path, resume=True)
    assert "xla_flags was '', and is '--xla_cpu" in capsys.readouterr().err


def test_more_epochs_may_be_asked_for(tmp_path):
    constant = HYPERPARAMS._replace(num_steps=1000.0)
    trained(tmp_path, num_epochs=3, hyperparams=constant)
    longer = trained(tmp_path, resume=True, hyperparams=constant)
    expected = trained(hyperparams=constant)
    np.testing.assert_array_equal(longer.history["train_loss"], expected.history["train_loss"])


def test_a_disk_that_is_full_costs_a_warning_and_never_the_run(tmp_path, monkeypatch, capsys, whole):
    population, never_stopped, _ = whole

    def fail(_):
        raise OSError(28, "No space left on device")

    trained(tmp_path, 2, population=population)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        result = trained(tmp_path, resume=True, population=population)
    assert capsys.readouterr().err.count("No space left on device") == NUM_EPOCHS - 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    np.testing.assert_array_equal(result.history["train_loss"], never_stopped.history["train_loss"])


def test_those_of_a_run_that_is_over_leave_nothing(tmp_path):
    folder = tmp_path / "checkpoints" / "split-0"
    trained(folder, 2)
    checkpoints.clear_checkpoints(Checkpoints(folder))
    assert list(tmp_path.iterdir()) == []
    checkpoints.clear_checkpoints(Checkpoints(folder))


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    tmp_path.joinpath(".epoch-00000001.safetensors.123.tmp").write_bytes(b"half")
    trained(tmp_path, num_epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00000001.safetensors"]


def test_what_failed_first_is_named(tmp_path):
    """The first step leads to infinite parameters; only the next loss is no number."""
    huge = dataset(60)._replace(inputs=np.float32(1e10) * dataset(60).inputs)
    with pytest.raises(FloatingPointError) as caught:
        trained(tmp_path, data=huge, optimizer="sgd", hyperparams=Hyperparams(1e30, num_steps=9.0))
    assert "in epoch 1, step 2, and before it params[0].weight in step 1; try" in str(caught.value)
    # Before the first epoch there is nothing to keep.
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(tmp_path):
    """The parameter counts the steps, and the loss is infinite from the third one on: in epoch 2, step 2."""

    def loss_fn(params, model_state, example, key, hyperparams):
        return jnp.where(params >= 3, jnp.inf, -params), model_state

    def init_fn(key, hyperparams):
        return jnp.zeros(()), ()

    train = make_train(init_fn, loss_fn, make_optimizer("sgd"), 1)
    ones = Dataset(np.ones(2, np.float32), np.ones(2, np.float32))
    keys = dict(zip(("key", "data_key"), jax.random.split(jax.random.key(0)), strict=True))

    evaluate = Evaluate(lambda params, model_state, data: {"accuracy": params}, CLASSIFICATION)
    options = {"hyperparams": Hyperparams(1.0), "num_epochs": 5, "progress": False, **keys}
    with pytest.raises(FloatingPointError, match=r"in epoch 2, step 2; try"):
        fit(train, evaluate, ones, ones, checkpoints=Checkpoints(tmp_path), **options)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00000001.safetensors"]
    assert tensors(tmp_path)["state.train.params"] == 2


def test_the_notes_are_json_that_anybody_can_read(tmp_path):
    trained(tmp_path, 1, run={"dataset": "blobs"})
    about = json.loads(checkpoints.unpack(newest(tmp_path).read_bytes())[1]["jaxmlp"])
    assert (about["epoch"], about["run"]["dataset"]) == (1, "blobs")
    assert about["environment"]["jaxlib"]
