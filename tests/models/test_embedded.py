"""Tables whose numbers are embedded: which these are, what it is good for, and that a model keeps it."""

from itertools import product

import chex
import jax
import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.models import numpy_predictor
from jaxmlp.models.training import embed_inputs
from jaxmlp.nn.embeddings import embed_numbers
from jaxmlp.nn.preprocessing import Affine
from jaxmlp.train.tuning import fit_population
from jaxmlp.types import Hyperparams, InputError, Layer

QUICK = {"progress": False, "embedding": "periodic"}


@pytest.fixture(scope="module")
def waves():
    """A number of which the target is a wave, and one that tells nothing."""
    inputs = np.random.default_rng(0).uniform(-1, 1, size=(900, 2))
    return jaxmlp.from_arrays(inputs, np.sin(6 * np.pi * inputs[:, 0]))


@pytest.fixture(scope="module")
def found(waves):
    return jaxmlp.fit_mlp(waves, num_epochs=60, learning_rate=1e-2, num_seeds=3, **QUICK).model


def test_a_table_embeds_its_numbers_and_dates():
    draws, rows = np.random.default_rng(0), 300
    frame = pandas.DataFrame(
        {
            "kind": draws.choice(["a", "b", "c"], rows),
            "size": np.where(draws.random(rows) < 0.1, np.nan, draws.normal(size=rows)),
            "flag": draws.choice([0.5, 1.5], rows),
            "day": pandas.date_range("2020-01-01", periods=rows, freq="5D"),
            "count": draws.integers(0, 9, rows) + 0.5,
            "y": draws.normal(size=rows),
        }
    )
    splits = jaxmlp.read_table(frame, "y")
    places = embed_inputs(splits).numbers
    # After three kinds come the size and its gaps, the flag, the day and its cycles, and the count.
    assert [places[0], places[1], len(places)] == [3, 6, 3]
    assert places[2] == splits.train.inputs.shape[1] - 1
    assert np.ptp(splits.train.inputs[:, places[1]]) > 1000


def test_arrays_embed_what_has_more_than_two_values():
    inputs = np.random.default_rng(0).normal(size=(60, 4))
    inputs[:, 1], inputs[:, 2] = inputs[:, 1] > 0, 1.0
    assert embed_inputs(jaxmlp.from_arrays(inputs, np.arange(60) % 2)).numbers == (0, 3)


def test_what_has_no_numbers_is_refused():
    flags = jaxmlp.from_arrays((np.arange(120).reshape(60, 2) % 4 > 1).astype(float), np.arange(60) % 3)
    with pytest.raises(InputError, match=r"^embedding: no input is a number of more than two values"):
        jaxmlp.fit_mlp(flags, **QUICK)
    images = jaxmlp.from_arrays(
        np.zeros((60, 4, 4), np.uint8) + np.arange(4, dtype=np.uint8), np.arange(60) % 3
    )
    with pytest.raises(InputError, match=r"^embedding: is for the columns of a table, not for images"):
        jaxmlp.fit_mlp(images, **QUICK)
    with pytest.raises(InputError, match=r"^embedding: unknown name 'periodik'; did you mean 'periodic'"):
        jaxmlp.fit_mlp(flags, embedding="periodik", progress=False)


def test_waves_are_learnt_that_a_plain_network_does_not_learn_as_soon(waves, found):
    plain = jaxmlp.fit_mlp(waves, num_epochs=60, learning_rate=1e-2, progress=False).model
    assert jaxmlp.evaluate(found, waves.test)["r2"] > 0.98
    assert jaxmlp.evaluate(plain, waves.test)["r2"] < 0.9


@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_every_reader_predicts_alike(tmp_path, waves, parametrization):
    options = {"num_epochs": 3, "learning_rate": 3e-2, "num_seeds": 2, "parametrization": parametrization}
    trained = jaxmlp.fit_mlp(waves, **QUICK | options)
    path, inputs = jaxmlp.save(tmp_path / "m", trained.model), waves.test.inputs
    again, expected = jaxmlp.load(path), jaxmlp.predict(trained.model, inputs)
    assert again.spec == trained.model.spec and again.spec.networks[0].embedding.numbers == (0, 1)
    assert all(isinstance(layer, Layer) for layer in again.networks[0][1:])
    np.testing.assert_array_equal(jaxmlp.predict(again, inputs), expected)
    np.testing.assert_allclose(
        numpy_predictor.predict(numpy_predictor.load(path), inputs), expected, atol=1e-5
    )
    # What was measured while it trained is what its model does.
    reached = jaxmlp.evaluate(again, waves.validation)["r2"]
    np.testing.assert_allclose(reached, trained.model.spec.metrics["validation_r2"], rtol=1e-4)


def test_a_run_goes_on_from_a_model(waves, found):
    still = jaxmlp.fit_mlp(waves, start=found, learning_rate=1e-12, num_epochs=1, progress=False).model
    for before, after in zip(jax.tree.leaves(found.networks), jax.tree.leaves(still.networks), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6, atol=1e-9)
    assert still.spec.networks == found.spec.networks
    for changed, says in (
        ({"parametrization": "ntk"}, "parametrization: are those of start, standard, got ntk"),
        ({"frequency_scale": 0.5}, "frequency_scale: the initial weights are those of start"),
        ({"max_norm": 1.0}, "max_norm: is for plain weights"),
    ):
        with pytest.raises(InputError, match=f"^{says}"):
            jaxmlp.fit_mlp(waves, start=found, progress=False, **changed)


def test_spreads_and_rates_train_as_one_program_like_each_alone(waves):
    with jax.enable_x64(True):
        forms = {"embedding": embed_numbers((0, 1)), "parametrization": "ntk"}
        network = jaxmlp.make_network((2, 8, 1), "regression", Affine(0.0, 1.0), **forms)
        optimizer = jaxmlp.make_optimizer("adam", "cycles", {"input_scale": 6.0, "frequencies": 0.1})
        options = {"seeds": [0], "num_epochs": 2, "batch_size": 32, "progress": False}
        spreads, rates = (0.1, 1.0), (0.01, 0.1)
        of_all, *alone = (
            fit_population(
                network,
                optimizer,
                waves.train,
                waves.validation,
                hyperparams=jaxmlp.grid(Hyperparams(num_steps=42), frequency_scale=some, learning_rate=rate),
                **options,
            )[0].params
            for some, rate in ((spreads, rates), *(((s,), (r,)) for s, r in product(spreads, rates)))
        )
        for setting, expected in enumerate(alone):
            own = jax.tree.map(lambda leaf, setting=setting: leaf[:, setting : setting + 1], of_all)
            chex.assert_trees_all_close(own, expected, rtol=1e-8, atol=1e-8)


def test_an_ensemble_has_frequencies_unless_it_is_to_have_none(waves):
    quick = {"num_members": 2, "num_epochs": 1, "progress": False}
    found = jaxmlp.fit_ensemble(waves, {"frequency_scale": 0.5}, **quick)
    assert {type(network[0]).__name__ for network in found.ensemble.networks} == {"Embedding"}
    assert {member.hyperparams.frequency_scale for member in found.sweep.members} == {0.5}
    found = jaxmlp.fit_ensemble(waves, {"embedding": "none"}, **quick)
    assert {type(network[0]).__name__ for network in found.ensemble.networks} == {"Layer"}
    assert {member.hyperparams.frequency_scale for member in found.sweep.members} == {None}


def test_the_spread_of_frequencies_reaches_the_run(waves):
    quick = QUICK | {"num_epochs": 1}
    one, other = (jaxmlp.fit_mlp(waves, frequency_scale=scale, **quick).model for scale in (None, 0.1))
    ratio = np.std(other.networks[0][0].frequencies) / np.std(one.networks[0][0].frequencies)
    np.testing.assert_allclose(ratio, 0.4, rtol=0.2)
