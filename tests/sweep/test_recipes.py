"""The rule of what is trained, by the kind and size of data, and images that are deformed for all members."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxmlp
from jaxmlp.data.splits import from_arrays
from jaxmlp.models.training import prepare_training
from jaxmlp.sweep.programs import fold_keys, make_groups
from jaxmlp.sweep.search import make_folds, plan_search
from jaxmlp.types import InputError


def images(num_examples, *shape, real=False, **options):
    draws = np.random.default_rng(0)
    targets = draws.normal(size=num_examples) if real else np.arange(num_examples) % 3
    inputs = draws.integers(0, 256, (num_examples, *(shape or (4, 4)))).astype(np.uint8)
    return from_arrays(inputs, targets, **{"test_fraction": 0.1} | options)


def strengths(plan):
    return [member.hyperparams.deformation for member in plan.members]


@pytest.mark.parametrize(
    ("num_examples", "hidden_sizes", "learnt", "num_epochs"),
    [(1000, (256,), 900, 150), (11_000, (256,), 9900, 150), (40_000, (512, 512), 32_400, 52)],
)
def test_many_images_get_wider_networks_and_a_validation_part(num_examples, hidden_sizes, learnt, num_epochs):
    plan = plan_search(images(num_examples))
    assert {member.structure.network.hidden_sizes for member in plan.members} == {hidden_sizes}
    assert len(plan.splits.train.inputs) == learnt
    assert (len(plan.splits.validation.inputs) == 0) == (learnt < 10_000)
    assert plan.config.num_epochs == num_epochs
    assert strengths(plan) == [0.0, 0.5, 1.0]
    assert plan.config.max_candidates * (4 if learnt < 10_000 else 1) <= 16


def test_a_time_budget_may_be_filled_with_epochs_of_many_images_alone():
    few, many = images(1000), images(40_000)
    assert plan_search(few, time_budget=60).config.num_epochs == plan_search(few).config.num_epochs
    longer = plan_search(many, time_budget=60).config.num_epochs
    assert longer == 10 * plan_search(many).config.num_epochs
    assert plan_search(many, time_budget=60, num_epochs=3).config.num_epochs == 3


def test_zero_keeps_deformation_out_and_leaves_the_rest_as_it_was():
    own, off = plan_search(images(100)), plan_search(images(100), {"deformation": 0})
    assert strengths(off) == [None] and off.config == own.config
    assert off.members[0].hyperparams == own.members[0].hyperparams._replace(deformation=None)


@pytest.mark.parametrize("space", [{"dropout": "0.1,0.2"}, {"dropout": "0:0.2"}, {"optimizer": "sgd"}])
def test_ranges_of_ones_own_are_drawn_from(space):
    plan = plan_search(images(100), space)
    assert len(plan.members) == 16 and plan.config.halving == 3
    assert {0.0, 0.5, 1.0} == {*strengths(plan)}


def test_strengths_may_be_a_range():
    found = strengths(plan_search(images(100), {"deformation": "0.2:0.6"}))
    assert len({*found}) == 16 and 0.2 <= min(found) < 0.25 and 0.55 < max(found) <= 0.6


def test_a_table_is_not_deformed():
    table = from_arrays(np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2)
    assert {*strengths(plan_search(table))} == {None}
    with pytest.raises(InputError, match=r"^deformation: is for images, .*\(3,\)"):
        jaxmlp.fit_ensemble(table, {"deformation": 0.5}, num_epochs=1, progress=False)


def test_a_strength_below_zero_is_refused():
    with pytest.raises(InputError, match="deformation: must be a finite number of at least 0, got -1"):
        plan_search(images(100), {"deformation": -1})


def outputs_of(jaxpr):
    """Each primitive within a program, also in its loops, with every array that it makes."""
    for equation in jaxpr.eqns:
        yield from ((equation.primitive.name, variable) for variable in equation.outvars)
        for inner in jaxprs_in_params(equation.params):
            yield from outputs_of(inner)


def training_program(strength, num_members=3):
    """The first epoch of members that differ in dropout, four folds each, and what it takes."""
    space = {"deformation": strength, "dropout": (0.1, 0.2, 0.3), "hidden_sizes": 6, "learning_rate": 0.1}
    plan = plan_search(images(25, 5, 7), space, num_members=3, method="grid", batch_size=9, halving=None)
    network_of, data = prepare_training(plan.splits)
    folds = make_folds(data, 4, 0)
    (group,) = make_groups(plan.members, network_of, plan.config, len(folds.train.inputs), 4)
    train = group.program.run.train
    hyperparams = jax.tree.map(
        lambda *v: jnp.asarray(v, float), *(member.hyperparams for member in group.members)
    )
    state = train.start(fold_keys([0] * num_members, 4), hyperparams)
    arguments = state, hyperparams, folds.train, jnp.asarray(0), jax.random.key(0)
    return train.advance, arguments


def made_by(program, arguments):
    """The primitives of a program and the shapes of what they make."""
    return [(name, made.aval.shape) for name, made in outputs_of(jax.make_jaxpr(program)(*arguments).jaxpr)]


def test_a_batch_is_drawn_once_for_all_members_and_deformed_once_for_all_folds():
    made = made_by(*training_program(0.5))
    shapes = {shape for _, shape in made}
    assert (9, 2, 5, 7) in shapes, "what bends a batch of images"
    assert [shape for shape in shapes if shape[:2] == (3, 4)], "members and folds"
    assert not [shape for shape in shapes if shape[-2:] == (5, 7) and 4 in shape[:-2]]
    assert {shape[0] for name, shape in made if name == "random_bits"} == {9, 22}, "a batch, and the order"


def test_strength_zero_adds_nothing_to_the_program():
    assert not [shape for _, shape in made_by(*training_program(0.0)) if shape[-3:] == (2, 5, 7)]


@pytest.mark.parametrize(("shape", "real"), [((5, 5, 3), False), ((5, 4), True)])
def test_images_of_any_kind_are_learnt_with_deformations(shape, real):
    splits = images(60, *shape, real=real)
    found = jaxmlp.fit_ensemble(splits, {"hidden_sizes": 8}, num_epochs=2, progress=False)
    assert sorted(m.hyperparams.deformation for m in found.sweep.members) == [0.0, 0.5, 1.0]
    assert np.isfinite(jaxmlp.predict(found.ensemble, splits.test.inputs)).all()


def test_the_strength_is_chosen_by_what_is_held_out():
    """Where a bright pixel is, is what is asked: moved images teach another thing than the target."""
    draws = np.random.default_rng(0)
    places = draws.integers(0, 4, 400)
    inputs = np.zeros((400, 4, 4), np.uint8)
    inputs[np.arange(400), draws.integers(0, 4, 400), places] = 255
    splits = from_arrays(inputs, places)
    found = jaxmlp.fit_ensemble(
        splits,
        {"deformation": (0.0, 3.0), "learning_rate": 0.01},
        num_members=2,
        method="grid",
        num_epochs=10,
        halving=None,
        progress=False,
    )
    counts = dict.fromkeys((0.0, 3.0), 0)
    for one in found.sweep.ensemble:
        counts[found.sweep.members[one.member].hyperparams.deformation] += int(one.counts[0])
    assert counts[0.0] > 0.8 * sum(counts.values())


def test_tables_of_more_rows_have_more_settings_and_very_wide_ones_no_embedding():
    draws = np.random.default_rng(0)

    def plan(num_rows, num_columns=3):
        inputs = draws.normal(size=(num_rows, num_columns))
        return plan_search(from_arrays(inputs, np.arange(num_rows) % 2, test_fraction=0.0))

    few, many, wide = plan(1999), plan(2000), plan(40, 1001)
    assert {m.hyperparams.dropout for m in few.members} == {0.1} and len(few.members) == 4
    assert sorted(m.hyperparams.dropout for m in many.members) == [0.0] * 4 + [0.2] * 4
    assert many.members[0].structure.network.embedding.numbers == (0, 1, 2)
    assert wide.members[0].structure.network.embedding is None
    # A few steps at least, however few rows there are.
    assert wide.config.num_epochs * -(-40 // wide.config.batch_size) >= 500
