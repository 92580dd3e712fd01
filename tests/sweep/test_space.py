"""Ranges: the grammar, its refusals, and the laws of what is drawn."""

import re
from collections import Counter
from itertools import chain, product

import numpy as np
import pytest
from scipy.stats import qmc

from jaxmlp.nn.embeddings import EmbeddingSpec
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.sweep import sampling, space
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.sweep.space import Choice, Range, Structure, group_by_structure, member_columns, parse
from jaxmlp.train.optimizers import RECIPES
from jaxmlp.types import Hyperparams, InputError

ONE_STRUCTURE = {
    "hidden_sizes": Choice((8,)),
    "depth": Choice((1,)),
    "activation": Choice(("relu",)),
    "optimizer": Choice(("adam",)),
}
WIDE = {
    "hidden_sizes": Range(64, 512, log=True),
    "depth": Range(1, 3),
    "activation": Choice(("relu", "gelu", "silu")),
    "optimizer": Choice(("adamw", "nadamw")),
}


def values_of(members, name):
    return np.array([getattr(member.hyperparams, name) for member in members])


def refusal(call, *arguments, **options):
    with pytest.raises(InputError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# The grammar


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("dropout", "0:0.5", Range(0.0, 0.5)),
        ("learning_rate", "1e-4:1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("learning_rate", " 1e-4 : 1e-2 : log ", Range(1e-4, 1e-2, log=True)),
        ("momentum", "0.5,0.9, 0.99", Choice((0.5, 0.9, 0.99))),
        ("momentum", "0.9", Choice((0.9,))),
        ("activation", "relu , gelu", Choice(("relu", "gelu"))),
        ("optimizer", "adam", Choice(("adam",))),
        ("hidden_sizes", "64:512:log", Range(64, 512, log=True)),
        ("hidden_sizes", "1e2", Choice((100,))),
        ("depth", "0:3", Range(0, 3)),
    ],
)
def test_text_says_a_range_choices_or_a_constant(name, text, expected):
    assert parse(name, text) == expected


def test_sizes_are_read_as_whole_numbers():
    assert type(parse("hidden_sizes", "64:128").low) is int
    assert type(parse("depth", "2").values[0]) is int


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("dropout", "", "dropout: must be a number, low:high, low:high:log or a,b,c; got ''"),
        ("dropout", "0.1,,0.2", "dropout: must be a number, .*; got ''"),
        ("dropout", "much", "dropout: must be a number, .*; got 'much'"),
        ("dropout", "0.1:much", "dropout: must be a number, .*; got 'much'"),
        ("dropout", "0.1:0.2:lin", "dropout: must be low:high, low:high:log, .* got '0.1:0.2:lin'"),
        ("dropout", "0.1:0.2:log:log", "dropout: must be low:high, low:high:log"),
        ("dropout", "0.5:0.1", "dropout: a range must rise from low to high, got 0.5:0.1"),
        ("depth", "2:2", "depth: a range must rise from low to high, got 2:2"),
        ("weight_decay", "0:0.1:log", "weight_decay: a range in the logarithm must begin above 0"),
        ("dropout", "0:1", r"dropout: must be at least 0 and below 1, got 1\.0"),
        ("dropout", "nan", "dropout: must be at least 0 and below 1, got nan"),
        ("learning_rate", "0.1,-0.1", r"learning_rate: must be a finite number above 0, got -0\.1"),
        ("learning_rate", "0.1:inf", "learning_rate: must be a finite number above 0, got inf"),
        ("hidden_sizes", "0:8", "hidden_sizes: must be a whole number of at least 1, got 0"),
        ("hidden_sizes", "8.5", r"hidden_sizes: must be a whole number of at least 1, got 8\.5"),
        ("depth", "-1", "depth: must be a whole number of at least 0, got -1"),
        ("activation", "relu,gleu", "activation: unknown name 'gleu'; did you mean 'gelu'?"),
        ("optimizer", "adamm", "optimizer: unknown name 'adamm'; did you mean 'adam'?"),
        ("optimizer", "lbfgs", "optimizer: 'lbfgs' is not offered"),
        ("activation", "", "activation: unknown name ''"),
        ("activation", "relu:gelu", "activation: must be names, a,b,c, got 'relu:gelu'"),
        ("embedding", "periodik", "embedding: unknown name 'periodik'; did you mean 'periodic'?"),
        ("parametrization", "ntx", "parametrization: unknown name 'ntx'; did you mean 'ntk'?"),
        ("learning_rat", "much", "space: unknown name 'learning_rat'; did you mean 'learning_rate'?"),
        ("num_steps", "100", "space: unknown name 'num_steps'"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused_by_its_rule(name, text, says):
    message = refusal(parse, name, text)
    assert re.match(says, message), message


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ({"activation": Range(1, 2)}, {}, "activation: must be names, a,b,c, got the range 1:2"),
        ({"dropout": Choice(())}, {}, "dropout: must hold at least one value, got none"),
        ({"dropout": Choice((None,))}, {}, "dropout: must be a number, got None"),
        ({"dropout": Choice(((0.1, 0.2),))}, {}, "dropout: must be a number, got (0.1, 0.2)"),
        ({}, {"num_members": 0}, "num_members: must be a whole number of at least 1, got 0"),
        ({}, {"max_programs": 0}, "max_programs: must be a whole number of at least 1, got 0"),
        ({}, {"seed": -1}, "seed: must be a whole number of at least 0, got -1"),
        ({}, {"method": "sobel"}, "method: unknown name 'sobel'; did you mean 'sobol'?"),
        (
            {"depth": Choice((1, 2, 3)), "activation": Choice(("relu", "tanh"))},
            {"method": "grid", "max_programs": 5},
            "max_programs: the grid has 6 structures, and 5 are allowed",
        ),
        # 2 learning rates of the recipe × 3 × 100⁴: counted without being made.
        (
            {"dropout": Choice((0.0, 0.1, 0.2))}
            | {
                name: Choice(tuple(np.linspace(0.1, 0.2, 100).tolist()))
                for name in ("weight_decay", "momentum", "input_dropout", "label_smoothing")
            },
            {"method": "grid"},
            "num_members: the grid has 600000000 settings, and 4 are allowed",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, options, says):
    message = refusal(draw_members, ONE_STRUCTURE | given, **({"num_members": 4} | options))
    assert message.startswith(says)


@pytest.mark.parametrize(
    ("value", "distribution"),
    [
        (64, Choice((64,))),
        ([64, 128], Choice((64, 128))),
        (np.array([64, 128]), Choice((64, 128))),
        (range(1, 4), Choice((1, 2, 3))),
        ("16:64:log", Range(16, 64, log=True)),
        (Range(16, 64), Range(16, 64)),
    ],
)
def test_a_space_holds_constants_values_and_texts(value, distribution):
    assert space.as_distribution("hidden_sizes", value) == distribution
    members = draw_members({"hidden_sizes": value, "depth": 1, "activation": "relu"}, 8)
    widths = {member.structure.network.hidden_sizes for member in members}
    allowed = distribution.values if isinstance(distribution, Choice) else range(16, 65)
    assert widths <= {(int(width),) for width in allowed}


def test_a_value_that_is_no_distribution_is_refused():
    assert refusal(space.as_distribution, "dropout", None) == "dropout: must be a number, got None"
    assert refusal(space.as_distribution, "hidden_sizes", []).startswith("hidden_sizes: must hold at least")


# Structures


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(64, 512, (64, 128, 256, 512)), (32, 100, (32, 57, 100)), (100, 110, (100, 110)), (1, 4, (1, 2, 4))],
)
def test_widths_are_about_factors_of_two_from_end_to_end(low, high, expected):
    assert sampling.width_grid(Range(low, high)) == expected


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_structures_are_few_and_their_members_lie_together(method):
    members = draw_members(WIDE, 50, method=method, max_programs=5, seed=3)
    runs = [a.structure for a, b in zip(members, [None, *members], strict=False) if b is None or a[0] != b[0]]
    assert len(members) == 50
    assert len(runs) == len(set(runs)) == 5
    assert set(Counter(member.structure for member in members).values()) == {10}
    for structure in runs:
        assert set(structure.network.hidden_sizes) <= {64, 128, 256, 512}
        assert 1 <= len(structure.network.hidden_sizes) <= 3
        assert structure.network.activation in ("relu", "gelu", "silu")
        assert structure.optimizer in ("adamw", "nadamw")
    together = group_by_structure(members)
    assert [*together] == runs
    assert [*chain(*together.values())] == list(range(50))


def test_a_few_members_are_as_many_structures_at_most():
    assert len(group_by_structure(draw_members(WIDE, 3, max_programs=8))) == 3
    assert len(group_by_structure(draw_members({}, 3, max_programs=8))) == 1
    assert len(draw_members({}, 1)) == 1


def test_an_embedding_is_what_it_is_for_the_data_and_its_spread_is_drawn_with_it():
    given = ONE_STRUCTURE | {"embedding": "none,periodic", "frequency_scale": "0.1:1:log"}
    members = draw_members(given, 16, max_programs=2, embedding=EmbeddingSpec((0, 2), 4))
    for member in members:
        embedded = member.structure.network.embedding is not None
        assert member.structure.network.embedding in (None, EmbeddingSpec((0, 2), 4))
        assert (member.hyperparams.frequency_scale is not None) == embedded
    assert len(group_by_structure(members)) == 2
    (member,) = draw_members(ONE_STRUCTURE | {"parametrization": "ntk", "b2": 0.95}, 1)
    assert (member.structure.network.parametrization, member.hyperparams.b2) == ("ntk", 0.95)


def test_depth_repeats_the_width():
    (member,) = draw_members(ONE_STRUCTURE | {"depth": Choice((3,))}, 1)
    assert member.structure == Structure(NetworkSpec((8, 8, 8), "relu"), "adam")


@pytest.mark.parametrize(("log", "expected"), [(False, {1, 2, 3, 4, 5, 6, 7, 8}), (True, {1, 2, 4, 8})])
def test_depths_in_the_logarithm_lie_on_a_grid(log, expected):
    found = draw_members(
        {"depth": Range(1, 8, log=log), "activation": Choice(("relu",))}, 200, max_programs=200
    )
    assert {len(member.structure.network.hidden_sizes) for member in found} == expected


# Numbers


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_many_members_have_the_quartiles_of_their_ranges(method):
    ranges = {"learning_rate": Range(1e-4, 1e0, log=True), "dropout": Range(0.2, 0.6)}
    members = draw_members(ONE_STRUCTURE | ranges, 1024, method=method)
    rates, dropouts = values_of(members, "learning_rate"), values_of(members, "dropout")
    assert 1e-4 <= rates.min() < rates.max() <= 1
    assert 0.2 <= dropouts.min() < dropouts.max() <= 0.6
    # A sample's quartile of 1,024 has a standard error of at most 0.016 of the range.
    np.testing.assert_allclose(np.quantile(np.log10(rates), [0.25, 0.5, 0.75]), [-3, -2, -1], atol=0.2)
    np.testing.assert_allclose(np.quantile(dropouts, [0.25, 0.5, 0.75]), [0.3, 0.4, 0.5], atol=0.02)


def test_choices_are_equally_likely_and_drawn_apart_from_each_other():
    choices = {"momentum": Choice((0.5, 0.9)), "dropout": Choice((0.1, 0.2, 0.3, 0.4))}
    members = draw_members(ONE_STRUCTURE | choices, 64)
    pairs = Counter((member.hyperparams.momentum, member.hyperparams.dropout) for member in members)
    assert pairs == dict.fromkeys(product((0.5, 0.9), (0.1, 0.2, 0.3, 0.4)), 8)


def test_the_learning_rate_comes_from_the_recipe_of_the_members_optimizer():
    members = draw_members(ONE_STRUCTURE | {"optimizer": Choice(("adam", "sgd"))}, 64)
    for optimizer in ("adam", "sgd"):
        mine = values_of([m for m in members if m.structure.optimizer == optimizer], "learning_rate")
        recipe = RECIPES[optimizer]
        assert len(mine) == 32
        assert recipe.low <= mine.min() < 2 * recipe.low < recipe.high / 2 < mine.max() <= recipe.high


def test_what_is_not_given_or_constantly_zero_is_absent():
    names = ("weight_decay", "dropout", "input_dropout", "label_smoothing")
    zeros = {name: parse(name, "0") for name in names} | {"momentum": parse("momentum", "0")}
    (member,) = draw_members(ONE_STRUCTURE | zeros | {"learning_rate": Choice((0.5,))}, 1)
    assert member.hyperparams == Hyperparams(0.5, momentum=0.0)
    (member,) = draw_members(ONE_STRUCTURE | {"dropout": Choice((0.25,)), "learning_rate": Choice((0.5,))}, 1)
    assert member.hyperparams == Hyperparams(0.5, dropout=0.25)


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_members_follow_the_seed(method):
    first, again, other = (draw_members({}, 16, method=method, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert not set(values_of(first, "learning_rate")) & set(values_of(other, "learning_rate"))


@pytest.mark.parametrize("method", ["sobol", "random", "grid"])
def test_every_member_has_weights_of_its_own_in_sweeps_of_different_seeds(method):
    given = ONE_STRUCTURE | {"dropout": Choice((0.1, 0.2)), "learning_rate": Choice((0.1, 0.2))}
    seeds = [member.seed for seed in range(3) for member in draw_members(given, 4, method=method, seed=seed)]
    assert len(set(seeds)) == 12


@pytest.mark.parametrize("method", ["sobol", "grid"])
def test_the_largest_seed_has_members_whose_seeds_a_device_can_count(method):
    given = ONE_STRUCTURE | {"learning_rate": Choice((0.1, 0.2))}
    seeds = [member.seed for member in draw_members(given, 2, method=method, seed=2**31 - 1)]
    assert len(set(seeds)) == 2 and min(seeds) >= 0 and max(seeds) < 2**31


def test_sobol_spreads_more_evenly_than_random():
    names = ("momentum", "dropout", "input_dropout")
    ranges = ONE_STRUCTURE | {name: Range(0.0, 0.5) for name in names}
    for seed in range(3):
        even, uneven = (
            qmc.discrepancy(
                2 * np.stack([values_of(draw_members(ranges, 64, method=m, seed=seed), n) for n in names], 1)
            )
            for m in ("sobol", "random")
        )
        assert even < uneven / 3


# The grid


def test_a_grid_is_the_cartesian_product():
    given = {
        "depth": Range(1, 2),
        "learning_rate": Range(0.1, 0.4, log=True),
        "dropout": Choice((0.0, 0.5, 0.25)),
    }
    members = draw_members(ONE_STRUCTURE | given, 12, method="grid")
    expected = product(((8,), (8, 8)), (0.1, 0.4), (0.0, 0.5, 0.25))
    assert [
        (m.structure.network.hidden_sizes, m.hyperparams.learning_rate, m.hyperparams.dropout)
        for m in members
    ] == [*expected]


def test_a_grid_has_the_ends_of_each_optimizers_recipe():
    members = draw_members(ONE_STRUCTURE | {"optimizer": Choice(("adam", "sgd"))}, 4, method="grid")
    assert [(m.structure.optimizer, m.hyperparams.learning_rate) for m in members] == [
        (name, rate) for name in ("adam", "sgd") for rate in (RECIPES[name].low, RECIPES[name].high)
    ]


def test_networks_without_hidden_layers_are_one_structure_of_a_grid():
    given = {"depth": Choice((0,)), "hidden_sizes": Choice((8, 16)), "learning_rate": Choice((0.1,))}
    assert len(draw_members(ONE_STRUCTURE | given, 1, method="grid")) == 1


def test_columns_are_what_the_members_have():
    members = draw_members(
        ONE_STRUCTURE | {"learning_rate": Choice((0.1, 0.2)), "dropout": Choice((0.5,))}, 2, method="grid"
    )
    assert member_columns(members) == {
        "hidden_sizes": [8, 8],
        "depth": [1, 1],
        "activation": ["relu", "relu"],
        "optimizer": ["adam", "adam"],
        "embedding": ["none", "none"],
        "parametrization": ["standard", "standard"],
        "learning_rate": [0.1, 0.2],
        "dropout": [0.5, 0.5],
    }
