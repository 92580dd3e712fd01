"""Each guard names the argument, the rule and the value, and lets good values through."""

import re
from math import inf, nan

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmlp import checks
from jaxmlp.types import Dataset, Hyperparams, InputError

POSITIVE = "must be a finite number above 0"
AT_LEAST_ZERO = "must be a finite number of at least 0"
FRACTION = "must be at least 0 and below 1"


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_pass(value):
    found = checks.integer("size", value, at_least=3)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize("value", [2, -1, 3.0, nan, True, np.True_, "3", None, [3]])
def test_other_values_are_no_whole_numbers(value):
    with pytest.raises(InputError) as error:
        checks.integer("size", value, at_least=3)
    assert str(error.value) == f"size: must be a whole number of at least 3, got {value!r}"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("abc", "'a', 'b', 'c'"),
        (np.array(["a", "b"]), "'a', 'b'"),
        ([3, 0.5, True, "True?"], "3, 0.5, True, 'True?'"),
        ([np.int64(3), np.float32(0.5), np.True_], "3, 0.5, True"),
        ([-(2**63), 2**64 - 1], "-9223372036854775808, 18446744073709551615"),
        ((), ""),
    ],
)
def test_names_of_classes_keep_their_types(names, expected):
    assert ", ".join(map(repr, checks.class_names("names", names))) == expected


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (("a", None), "must be text, finite numbers or truth values, got None"),
        ((nan, 1), "must be text, finite numbers or truth values, got nan"),
        (([1], 2), r"must be text, finite numbers or truth values, got \[1\]"),
        (("a", "b", "a"), "must differ as they are written, got 'a' 2 times"),
        ((1, "1"), "must differ as they are written, got '1' 2 times"),
        ((2**64, 1), "whole numbers must fit into 64 bits, got 18446744073709551616; make them texts"),
        ((-(2**63) - 1, 1), "whole numbers must fit into 64 bits, got -9223372036854775809; make them texts"),
    ],
)
def test_names_that_cannot_be_told_apart_or_written_are_refused(names, rule):
    with pytest.raises(InputError, match=f"^names: {rule}$"):
        checks.class_names("names", names)


@pytest.mark.parametrize("rule", [checks.integer, checks.positive, checks.at_least_zero, checks.fraction])
def test_a_large_value_is_told_on_one_short_line(rule):
    with pytest.raises(InputError, match="got ") as error:
        rule("size", np.ones((50, 5)))
    assert "\n" not in str(error.value) and len(str(error.value)) < 160 and str(error.value).endswith("…")


def test_true_is_not_1():
    with pytest.raises(InputError, match=r"got True$"):
        checks.integer("size", True, at_least=1)


@pytest.mark.parametrize(
    ("guard", "values"),
    [
        (checks.positive, [1e-9, 3, np.float32(0.5), np.int64(2)]),
        (checks.at_least_zero, [0, 0.0, 3.5, np.float64(2)]),
        (checks.fraction, [0, 0.0, 0.999, np.float32(0.5)]),
    ],
)
def test_numbers_pass(guard, values):
    for value in values:
        found = guard("rate", value)
        assert (found, type(found)) == (value, float)


@pytest.mark.parametrize(
    ("guard", "rule", "value"),
    [(checks.positive, POSITIVE, value) for value in (0, -1.5)]
    + [(checks.at_least_zero, AT_LEAST_ZERO, value) for value in (-1e-9, -3)]
    + [(checks.fraction, FRACTION, value) for value in (1, 1.0, -0.1, 2)]
    + [
        (guard, rule, value)
        for guard, rule in (
            (checks.positive, POSITIVE),
            (checks.at_least_zero, AT_LEAST_ZERO),
            (checks.fraction, FRACTION),
        )
        for value in (nan, inf, -inf, True, False, np.True_, "0.5", None, 1j)
    ],
)
def test_other_values_are_refused(guard, rule, value):
    with pytest.raises(InputError) as error:
        guard("rate", value)
    assert str(error.value) == f"rate: {rule}, got {value!r}"


def test_a_known_name_passes():
    assert checks.known_name("optimizer", "adam", {"sgd", "adam"}) == "adam"


@pytest.mark.parametrize("name", ["adm", "Adam", "addam", "ADAM"])
def test_an_unknown_name_suggests_the_nearest(name):
    with pytest.raises(InputError) as error:
        checks.known_name("optimizer", name, ["sgd", "adamw", "adam"])
    assert str(error.value) == f"optimizer: unknown name {name!r}; did you mean 'adam'?"


def test_a_name_far_from_all_lists_them():
    with pytest.raises(InputError) as error:
        checks.known_name("optimizer", "zzz", ["sgd", "adam"])
    assert str(error.value) == "optimizer: unknown name 'zzz'; known: adam, sgd"
    with pytest.raises(InputError, match=r"known: c000, c001, .*, c059 and 2,940 more$"):
        checks.known_name("target", "zzz", [f"c{place:03}" for place in range(3000)])


GOOD = Hyperparams(*[0.5] * len(Hyperparams._fields))


def test_every_hyperparameter_has_a_rule():
    checks.hyperparams(GOOD)
    for name in Hyperparams._fields:
        with pytest.raises(InputError, match=f"^{name}: must be .*, got -1.0$"):
            checks.hyperparams(GOOD._replace(**{name: -1.0}))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        *((name, POSITIVE) for name in ("learning_rate", "clip_norm", "max_norm", "num_steps")),
        *((name, POSITIVE) for name in ("initial_scale", "frequency_scale")),
        ("weight_decay", AT_LEAST_ZERO),
        *((name, FRACTION) for name in ("momentum", "dropout", "input_dropout", "label_smoothing")),
    ],
)
def test_the_rule_of_each_hyperparameter(name, rule):
    bad = {POSITIVE: 0.0, AT_LEAST_ZERO: -0.5, FRACTION: 1.0}[rule]
    with pytest.raises(InputError) as error:
        checks.hyperparams(Hyperparams(**{name: bad}))
    assert str(error.value) == f"{name}: {rule}, got {bad}"


@pytest.mark.parametrize("make", [np.array, jnp.array])
def test_every_member_of_a_population_is_checked(make):
    checks.hyperparams(Hyperparams(learning_rate=make([0.1, 0.2, 0.3]), dropout=make([0.0, 0.5, 0.9])))
    for bad, shown in ((-1.0, "-1.0"), (nan, "nan"), (inf, "inf")):
        with pytest.raises(InputError, match=f"^learning_rate: {POSITIVE}, got {shown}$"):
            checks.hyperparams(Hyperparams(learning_rate=make([0.1, 0.2, bad])))


@pytest.mark.parametrize("value", [True, np.array([True])])
def test_booleans_are_no_hyperparameters(value):
    with pytest.raises(InputError, match=f"^momentum: {FRACTION}, got True$"):
        checks.hyperparams(Hyperparams(momentum=value))


@pytest.mark.parametrize("values", [None, {"rate": -1.0}, (np.nan,), Hyperparams()])
def test_other_pytrees_pass(values):
    checks.hyperparams(values)


def dataset(num_inputs: int, num_targets: int, num_weights: int | None = None) -> Dataset:
    weights = None if num_weights is None else np.ones(num_weights)
    return Dataset(np.zeros((num_inputs, 2)), np.zeros(num_targets, np.int32), weights)


@pytest.mark.parametrize("given", [dataset(5, 5), dataset(5, 5, 5)])
def test_a_data_set_of_one_whole_batch_passes(given):
    checks.dataset_shapes(given, batch_size=5)


@pytest.mark.parametrize(
    ("given", "batch_size", "message"),
    [
        (dataset(0, 0), 1, "inputs: must hold at least one example, got none"),
        (dataset(5, 4), 1, "targets: must be as many as the 5 inputs, got 4"),
        (dataset(5, 5, 6), 1, "weights: must be as many as the 5 inputs, got 6"),
        (dataset(5, 5), 6, "batch_size: must be at most the 5 training examples, got 6"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(given, batch_size, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        checks.dataset_shapes(given, batch_size)


def test_lists_of_a_data_set_become_arrays():
    given = checks.as_dataset("part", ([[1.0, 2.0], [3.0, 4.0]], [0, 1]))
    assert isinstance(given.inputs, np.ndarray) and given.targets.dtype.kind == "i" and given.weights is None
    weighted = (jnp.ones((2, 2)), np.array([0, 1]), [1, 2])
    kept = checks.as_dataset("part", weighted)
    assert kept.inputs is weighted[0] and kept.targets is weighted[1] and kept.weights.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (([[1.0, 2.0], [3.0]], [0, 1]), "part inputs: rows must have one shape; "),
        (([[1.0], [2.0]], ["a", "b"]), r"part targets: must be an array of real numbers, got \['a', 'b'\]"),
        (([[1.0], [2.0]], 3), "part targets: must be an array of real numbers, got 3"),
        ([[[1.0]], [0]], r"part: must be a Dataset or a tuple \(inputs, targets\), got <class 'list'>"),
    ],
)
def test_a_data_set_of_other_things_is_refused(data, message):
    with pytest.raises(InputError, match=f"^{message}"):
        checks.as_dataset("part", data)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_the_first_bad_example_is_named(bad):
    values = np.zeros((4, 3))
    values[2, 1] = values[3, 0] = bad
    message = "training inputs: must be finite, got 2 NaN or infinite values, first in example 2"
    with pytest.raises(InputError, match=f"^{message}$"):
        checks.finite("training inputs", values)


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.array([1, 255], np.uint8), jnp.ones(3)])
def test_finite_values_pass(values):
    checks.finite("inputs", values)


@pytest.mark.parametrize("bad", [-1.0, nan])
def test_the_example_of_a_bad_weight_is_named_also_in_a_fold(bad):
    values = np.ones((2, 5))
    values[1, 3] = bad
    for weights in (values[1], values):
        with pytest.raises(InputError, match=r"^weights: must be .*, got .* in example 3$"):
            checks.weights("weights", weights)


def test_a_fold_without_any_weight_is_refused():
    checks.weights("weights", np.eye(2))
    with pytest.raises(InputError, match=r"^weights: at least one must be above 0, got only zeros$"):
        checks.weights("weights", np.diag([1.0, 0.0]))


def test_each_value_keeps_the_rule_and_there_is_one():
    checks.each("rates", (0.1, 0.2), checks.positive)
    with pytest.raises(InputError, match=r"^rates: must be a finite number above 0, got -1$"):
        checks.each("rates", (0.1, -1), checks.positive)
    with pytest.raises(InputError, match=r"^rates: must hold at least one value, got none$"):
        checks.each("rates", (), checks.positive)
