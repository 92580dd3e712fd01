"""A member's network of a fold is the same run alone, through chunks, cuts and company of every kind."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp.data.folds import assign_folds, cross_folds
from jaxmlp.nn import heads
from jaxmlp.nn.metrics import CLASSIFICATION
from jaxmlp.nn.network import NetworkSpec, make_network
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.runtime import compilation
from jaxmlp.sweep import programs
from jaxmlp.sweep.chunks import (
    advance_chunk,
    compile_ahead,
    init_chunks,
    member_params,
    select_members,
    to_device,
    to_host,
)
from jaxmlp.sweep.programs import Group
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range, Structure
from jaxmlp.train.epoch import epoch_index
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.population import seed_keys
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset

# One of each kind: every hyperparameter that may be swept, and optimizers of three kinds.
SPACE = {
    "hidden_sizes": Choice((5,)),
    "depth": Choice((1,)),
    "learning_rate": Range(1e-3, 1e-1, log=True),
    "weight_decay": Range(1e-4, 1e-1, log=True),
    "momentum": Range(0.5, 0.9),
    "clip_norm": Range(0.5, 2.0),
    "dropout": Range(0.1, 0.5),
    "input_dropout": Range(0.1, 0.3),
    "label_smoothing": Range(0.05, 0.2),
    "initial_scale": Range(0.5, 2.0),
}
NUM_FOLDS = 3
IDENTITY = Affine(jnp.zeros(()), jnp.ones(()))
OPTIMIZERS = ("nesterov", "schedule_free_adamw")
_, (DATA_KEY,) = seed_keys([7])


def dataset():
    """23 examples, which are no three folds of one size, of weights of their own."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 23).astype(np.int32)
    return Dataset(random.normal(size=(23, 3)), labels, np.linspace(0.5, 1.5, 23))


def folds():
    data = dataset()
    return cross_folds(data, assign_folds(data.targets, NUM_FOLDS))


def begun(made, members, numbers=range(5)):
    return init_chunks(Group(made, members, numbers), NUM_FOLDS)


def program(optimizer, chunk_size=2, batch_size=6):
    network = make_network((3, 5, 3), heads.multiclass, IDENTITY, activation=jax.nn.silu)
    train = make_train(network.init_fn, network.loss_fn, make_optimizer(optimizer), batch_size)
    evaluate = make_evaluate(network.predict_fn, CLASSIFICATION)
    structure = Structure(NetworkSpec((5,), "silu"), optimizer)
    made = programs.make_program(structure, train, evaluate)
    return made._replace(chunk_size=chunk_size), train


def drawn(optimizer, num_members=5):
    return draw_members(SPACE | {"optimizer": Choice((optimizer,))}, num_members, max_programs=1)


def parameters(chunks):
    return {m: member_params(chunk, i) for chunk in chunks for i, m in enumerate(chunk.members)}


def alone(train, member, fold, num_epochs):
    """The parameters of a single run on all data, with the weights of this fold."""
    key, _ = seed_keys([member.seed])
    hyperparams = jax.tree.map(lambda value: jnp.asarray(value, float), member.hyperparams)
    state = train.start(jax.random.split(key[0], NUM_FOLDS)[fold], hyperparams)
    advance, data = jax.jit(train.advance), folds().train
    data = jax.tree.map(jnp.asarray, data._replace(weights=data.weights[fold]))
    for epoch in range(num_epochs):
        state, _ = advance(state, hyperparams, data, epoch_index(epoch), DATA_KEY)
    return train.eval_params(state, hyperparams)


def assert_alone(found, train, members, num_epochs, tolerance):
    """The parameters of each member and fold are those of its run alone."""
    for number, params in found.items():
        for fold in range(NUM_FOLDS):
            own = jax.tree.map(lambda leaf, fold=fold: leaf[fold], params)
            expected = alone(train, members[number], fold, num_epochs)
            chex.assert_trees_all_close(own, expected, rtol=0, atol=tolerance)


def advanced(chunk, num_epochs=1):
    chunk, data = to_device(chunk), jax.tree.map(jnp.asarray, folds()[:2])
    with compile_ahead([chunk], *data, DATA_KEY) as find:
        chunk, report = advance_chunk(chunk, find(chunk), num_epochs)
    return to_host(chunk), report


def trained(chunks, num_epochs):
    return [advanced(chunk, num_epochs)[0] for chunk in chunks]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_network_of_a_fold_is_its_run_alone_over_ten_epochs_and_a_cut_in_double_precision(optimizer):
    with jax.enable_x64(True):
        (made, train), members = program(optimizer), drawn(optimizer)
        chunks = trained(begun(made, members), 4)
        # Three survivors of three chunks move into two.
        chunks = trained(select_members(chunks, {0, 3, 4}), 6)
        found = parameters(chunks)
        assert list(found) == [0, 3, 4]
        assert_alone(found, train, members, 10, 1e-8)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_network_of_a_fold_is_its_run_alone_for_one_step_in_single_precision(optimizer):
    (made, train), members = program(optimizer, batch_size=23), drawn(optimizer)
    assert_alone(parameters(trained(begun(made, members), 1)), train, members, 1, 1e-6)


def test_what_a_fold_leaves_out_changes_nothing_of_its_network_and_all_of_the_others():
    (made, _), members, found = program("nadamw"), drawn("nadamw", 1), []
    assigned, change = assign_folds(dataset().targets, NUM_FOLDS), np.zeros((23, 1))
    for size in (0.0, 9.0):
        change[assigned == 2] = size
        data = cross_folds(dataset()._replace(inputs=dataset().inputs + change), assigned)
        (chunk,) = begun(made, members, range(1))
        with compile_ahead([chunk], *jax.tree.map(jnp.asarray, data[:2]), DATA_KEY) as find:
            chunk, _ = advance_chunk(chunk, find(chunk), 3)
        found.append(member_params(chunk, 0)[0].weight)
    assert [(before == after).all() for before, after in zip(*found, strict=True)] == [False, False, True]


def test_each_fold_is_judged_by_what_it_leaves_out():
    (made, _), members = program("nadamw"), drawn("nadamw")
    (chunk, *_) = trained(begun(made, members), 2)
    chunk, report = advanced(chunk)
    network = make_network((3, 5, 3), heads.multiclass, IDENTITY, activation=jax.nn.silu)
    for place in range(2):
        params, (inputs, targets, weights) = member_params(chunk, place), folds().held_out
        for fold in range(NUM_FOLDS):
            own = jax.tree.map(lambda leaf, fold=fold: leaf[fold], params)
            logits = np.stack([network.predict_fn(own, (), x) for x in jnp.asarray(inputs[fold], float)])
            expected = np.average(logits.argmax(axis=1) == targets[fold], weights=weights[fold])
            np.testing.assert_allclose(report["validation_accuracy"][place, fold, 0], expected, rtol=1e-6)


def test_what_a_member_reports_does_not_depend_on_its_company():
    members, reports = drawn("nadamw"), []
    for chunk_size in (5, 2):
        made, _ = program("nadamw", chunk_size)
        seen = {}
        for chunk in begun(made, members):
            _, report = advanced(chunk)
            expected = {"train_loss", "first_bad_step", *(f"validation_{name}" for name in CLASSIFICATION)}
            assert set(report) == expected
            seen |= dict(zip(chunk.members, report["train_loss"][..., 0], strict=True))
        reports.append([seen[number] for number in range(5)])
    np.testing.assert_allclose(*reports, rtol=1e-5)
    assert len(set(np.round(np.ravel(reports[0]), 4))) == 5 * NUM_FOLDS


def test_a_last_chunk_is_filled_up_and_reports_its_members_alone():
    made, _ = program("nadamw", 4)
    chunks = begun(made, drawn("nadamw"), (10, 11, 12, 13, 14))
    assert [chunk.members for chunk in chunks] == [(10, 11, 12, 13), (14,)]
    assert {len(chunk.hyperparams.learning_rate) for chunk in chunks} == {4}
    _, report = advanced(chunks[1], 3)
    assert {values.shape for values in report.values()} == {(1, NUM_FOLDS, 3)}


def test_cutting_compiles_no_new_epoch():
    made, _ = program("nadamw")
    chunks = trained(begun(made, drawn("nadamw")), 1)
    misses = compilation._lower.cache_info().misses
    for survivors in ({1, 2, 4}, {4}):
        chunks = trained(select_members(chunks, survivors), 3)
    assert compilation._lower.cache_info().misses == misses


def test_nobody_is_moved_when_all_survive():
    made, _ = program("nadamw")
    chunks = begun(made, drawn("nadamw"))
    assert select_members(chunks, set(range(5))) == chunks


def test_the_parameters_of_a_member_stay_when_the_population_goes_on():
    made, _ = program("nadamw")
    chunks = begun(made, drawn("nadamw", 2), range(2))
    kept = member_params(chunks[0], 1)
    before = jax.tree.map(np.copy, kept)
    trained(chunks, 2)
    chex.assert_trees_all_equal(kept, before)


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr(programs, "num_concurrent_calls", lambda: 1)


@pytest.mark.parametrize(("num_cores", "size"), [(1, 6), (2, 3), (4, 2), (8, 1)])
def test_there_is_a_chunk_for_each_core(num_cores, size, monkeypatch):
    monkeypatch.setattr(programs, "num_concurrent_calls", lambda: num_cores)
    group = Group(program("adam")[0], drawn("adam", 1) * 6, range(6))
    (found,) = programs.with_chunk_sizes([group])
    assert found.program.chunk_size == size


@pytest.mark.parametrize(
    ("width", "num_members", "size"), [(64, 40, 14), (64, 16, 16), (64, 3, 3), (1024, 40, 1), (0, 17, 9)]
)
@pytest.mark.usefixtures("one_core")
def test_chunks_on_a_cpu_are_even_and_wide_networks_go_alone(width, num_members, size):
    made = program("adam")[0]._replace(
        structure=Structure(NetworkSpec((width,) if width else (), "relu"), "adam")
    )
    (found,) = programs.with_chunk_sizes([Group(made, drawn("adam", 1) * num_members, range(num_members))])
    assert (found.program.chunk_size, found.program.wait) == (size, False)


@pytest.mark.parametrize(("num_folds", "size"), [(1, 14), (2, 8), (4, 4), (5, 3), (20, 1)])
@pytest.mark.usefixtures("one_core")
def test_a_chunk_on_a_cpu_holds_as_many_networks_however_many_folds_they_are_of(num_folds, size):
    made, _ = program("adam")
    group = Group(made, drawn("adam", 1) * 40, range(40))
    (found,) = programs.with_chunk_sizes([group], num_folds=num_folds)
    assert found.program.chunk_size == size


@pytest.mark.parametrize(("num_members", "size"), [(8, 2), (27, 3), (81, 9)])
@pytest.mark.usefixtures("one_core")
def test_chunks_are_smaller_where_halving_will_empty_their_places(num_members, size):
    made, alive = program("adam")[0], [1.0, 1 / 3, 1 / 3, *[1 / 9] * 6]
    group = Group(made, drawn("adam", 1) * num_members, range(num_members))
    (found,) = programs.with_chunk_sizes([group], alive)
    assert found.program.chunk_size == size
    # Counted: each call costs one and a half members and as many as it has places.
    chunks = [np.ceil(num_members * np.array(alive) / s).sum() * (1.5 + s) for s in range(1, 17)]
    assert chunks[size - 1] <= 1.15 * min(chunks)


# A member of 38 parameters keeps them and Adam's two moments: 456 bytes, and some more.
@pytest.mark.parametrize(
    ("memory", "size", "wait"), [(10**9, 40, False), (40 * 700, 10, True), (8 * 700, 2, True), (1, 1, True)]
)
def test_chunks_on_another_device_fit_its_memory(memory, size, wait, monkeypatch):
    monkeypatch.setattr(programs, "device_memory_bytes", lambda: memory)
    made, _ = program("adam")
    (found,) = programs.with_chunk_sizes([Group(made, drawn("adam", 1) * 40, range(40))])
    assert (found.program.chunk_size, found.program.wait) == (size, wait)


def test_on_another_device_a_member_takes_the_memory_of_all_its_folds(monkeypatch):
    monkeypatch.setattr(programs, "device_memory_bytes", lambda: 40 * 700)
    group = Group(program("adam")[0], drawn("adam", 1) * 40, range(40))
    (found,) = programs.with_chunk_sizes([group], num_folds=4)
    assert (found.program.chunk_size, found.program.wait) == (3, True)


def test_members_that_wait_on_the_host_are_trained_to_the_same_bits():
    members, results = drawn("nadamw"), []
    for wait in (False, True):
        made = program("nadamw")[0]._replace(wait=wait)
        chunks = trained(begun(made, members), 2)
        assert isinstance(chunks[0].state.train.params[0].weight, np.ndarray) == wait
        chunks = trained(select_members(chunks, {0, 3, 4}), 2)
        assert isinstance(chunks[0].state.train.params[0].weight, np.ndarray) == wait
        results.append(parameters(chunks))
    chex.assert_trees_all_equal(*results)
