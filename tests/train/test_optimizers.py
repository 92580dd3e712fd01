"""Every recipe solves a small least-squares problem; the options around it against numbers worked by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from jaxmlp.train.optimizers import RECIPES, get_recipe, make_optimizer
from jaxmlp.train.schedules import SCHEDULES, warn_few_steps
from jaxmlp.train.step import make_train
from jaxmlp.train.transforms import project_max_norm
from jaxmlp.types import Dataset, Hyperparams, InputError, Layer


def layer(weight, bias):
    return Layer(jnp.array(weight), jnp.array(bias))


START = layer([[1.0, -0.5], [0.5, 1.0]], [0.5, -0.25])
SOLUTION = layer([[1.1, -0.6], [0.55, 1.1]], [0.6, -0.3])
# The corners of a square: inputs and the constant are orthogonal, so the Hessian is the identity.
CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], np.float32)
NUM_STEPS = 1000


def affine(params, x):
    return x @ params.weight + params.bias


def init_fn(key, hyperparams):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), START), ()


def half_square(params, model_state, example, key, hyperparams):
    x, target = example
    return jnp.sum(jnp.square(affine(params, x) - target)) / 2, model_state


def corners():
    """Arrays of the default dtype."""
    dataset = Dataset(CORNERS, CORNERS @ SOLUTION.weight + SOLUTION.bias[None])
    return jax.tree.map(lambda values: jnp.asarray(values, float), dataset)


def make_run(optimizer, num_steps):
    """(hyperparams) -> the parameters to evaluate and each step's loss; every step sees all corners."""
    train = make_train(init_fn, half_square, make_optimizer(optimizer), batch_size=4)
    dataset, key = corners(), jax.random.key(0)

    def run(hyperparams):
        def step(state, epoch):
            state, info = train.advance(state, hyperparams, dataset, epoch, key)
            return state, info.loss

        state, losses = jax.lax.scan(step, train.start(key, hyperparams), jnp.arange(num_steps))
        return train.eval_params(state, hyperparams), losses

    return run


def distance(params):
    return max(np.max(np.abs(leaf - solution)) for leaf, solution in zip(params, SOLUTION, strict=True))


def member(tree, index):
    return jax.tree.map(lambda leaf: np.asarray(leaf[index]), tree)


NO_MOMENTUM = {
    *("adadelta", "adagrad", "cocob", "dadapt_adamw", "dog", "dowg", "fromage", "galore"),
    *("noisy_sgd", "optimistic_gradient_descent", "polyak_sgd", "prodigy", "rprop", "sign_sgd"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_solves_least_squares_at_its_default_rate_in_one_trace(name, optimized):
    chex.clear_trace_counter()
    run = chex.assert_max_traces(make_run(name, NUM_STEPS), n=1)
    population = jax.jit(jax.vmap(run, in_axes=(Hyperparams(0, None),)))
    rate = RECIPES[name].learning_rate
    params, losses = population(Hyperparams(rate * jnp.array([1.0, 0.1]), 0.0))
    _, decayed_losses = population(Hyperparams(rate * jnp.array([1.0, 0.5]), 0.5))
    # Muon's steps are as long as its rate whatever the gradient, so at about that distance it circles around.
    reached = [2 * rate, 0.2 * rate] if name == "muon" else [distance(START) / 10]
    for index, most in enumerate(reached):
        assert distance(member(params, index)) < most
    # Coin betting does not depend on the gradient's scale, which is all that cocob's rate is.
    assert np.array_equal(losses[0, :10], losses[1, :10]) == (name == "cocob")
    assert not np.array_equal(losses[0, :10], decayed_losses[0, :10])
    chex.assert_trees_all_equal_dtypes(member(params, 0), jax.tree.map(np.float32, START))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_keeps_double_precision_with_all_its_numbers_traced(name):
    def two_numbers_and_a_step(key, dataset, hyperparams):
        state = train.start(key, hyperparams)
        return state, train.advance(state, hyperparams, dataset, jnp.int32(0), key)

    with jax.enable_x64(True):
        train = make_train(init_fn, half_square, make_optimizer(name), batch_size=4)
        # Optax keeps adafactor's momentum, alone of all states, in float32.
        momentum = None if name in NO_MOMENTUM | {"adafactor"} else 0.5
        hyperparams = jax.tree.map(jnp.asarray, Hyperparams(0.1, 0.1, momentum, clip_norm=1.0))
        shapes = jax.eval_shape(two_numbers_and_a_step, jax.random.key(0), corners(), hyperparams)
        floats = [leaf.dtype for leaf in jax.tree.leaves(shapes) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert set(floats) == {np.dtype(np.float64)}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_default_rate_lies_in_the_range_to_search(recipe):
    assert 0 < recipe.low <= recipe.learning_rate <= recipe.high


def walk(optimizer, num_steps, start=START):
    """The parameters after each step down the half square of the distance to SOLUTION, whose gradient is
    that distance.
    """
    state, params, path = optimizer.init(start), start, []
    for _ in range(num_steps):
        grads = jax.tree.map(jnp.subtract, params, SOLUTION)
        value = sum(jnp.sum(jnp.square(grad)) / 2 for grad in grads)
        updates, state = optax.with_extra_args_support(optimizer).update(grads, state, params, value=value)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path, state


def step(params, grads, hyperparams, optimizer="sgd"):
    """One step with these gradients."""
    transformation, _ = make_optimizer(optimizer)(hyperparams)
    updates, _ = transformation.update(grads, transformation.init(params), params)
    return optax.apply_updates(params, updates)


def is_weight(params):
    return Layer(True, False)


@pytest.mark.parametrize(
    "name, reason",
    [
        ("lbfgs", "line search needs the loss function"),
        ("sam", "needs a second gradient"),
        ("sophia", "needs an estimate of the Hessian"),
        ("dpsgd", "needs the gradient of each example"),
    ],
)
def test_a_refused_name_says_why_in_one_line(name, reason):
    with pytest.raises(InputError, match=rf"^optimizer: {name!r} is not offered[^\n]*{reason}[^\n]*$"):
        get_recipe(name)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("adm",), "optimizer: unknown name 'adm'; did you mean 'adam'?"),
        (("adam", "cosin"), "schedule: unknown name 'cosin'; did you mean 'cosine'?"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(arguments, message):
    with pytest.raises(InputError) as error:
        make_optimizer(*arguments)
    assert str(error.value) == message


def test_a_missing_learning_rate_is_the_optimizers_own():
    params, grads = layer([[1.0]], [2.0]), layer([[3.0]], [4.0])
    own, given = (step(params, grads, numbers, "adamax") for numbers in (Hyperparams(), Hyperparams(0.002)))
    chex.assert_trees_all_equal(own, given)
    assert not np.allclose(own.weight, params.weight)


def test_a_mapping_of_names_is_as_good_as_hyperparams():
    params, grads = layer([[1.0]], [2.0]), layer([[3.0]], [4.0])
    chex.assert_trees_all_equal(
        step(params, grads, {"learning_rate": 0.1}, "sgd"), step(params, grads, Hyperparams(0.1), "sgd")
    )
    with pytest.raises(InputError, match=r"^hyperparams: unknown name 'learning_rat'; did you mean"):
        make_optimizer("sgd")({"learning_rat": 0.1})
    with pytest.raises(InputError, match=r"^hyperparams: must be Hyperparams or a mapping .*, got 0.1$"):
        make_optimizer("sgd")(0.1)


def test_an_optimizer_of_ones_own_is_used_as_it_is_and_clipped():
    params, grads = layer([[1.0]], [2.0]), layer([[3.0]], [4.0])
    chex.assert_trees_all_close(step(params, grads, Hyperparams(), optax.sgd(0.5)), layer([[-0.5]], [0.0]))
    # The gradient's norm is 5, so it is divided by 5.
    clipped = step(params, grads, Hyperparams(clip_norm=1.0), optax.sgd(0.5))
    chex.assert_trees_all_close(clipped, layer([[0.7]], [1.6]))


@pytest.mark.parametrize("optimizer", ["noisy_sgd", optax.noisy_sgd(0.1, key=3)])
def test_noise_is_that_of_the_run(optimizer):
    train = make_train(init_fn, half_square, make_optimizer(optimizer), batch_size=4)
    order = jnp.int32(0), jax.random.key(9)

    def moved(seed):
        state = train.start(jax.random.key(seed), Hyperparams())
        return train.advance(state, Hyperparams(), corners(), *order)[0].params

    first, second = moved(0), moved(1)
    chex.assert_trees_all_equal(first, moved(0))
    assert np.abs(first.weight - second.weight).min() > 0


@pytest.mark.parametrize("field", ["learning_rate", "weight_decay", "momentum", "b2"])
def test_an_optimizer_of_ones_own_refuses_what_it_has_itself(field):
    with pytest.raises(InputError, match=f"^{field}: an optimizer of your own"):
        make_optimizer(optax.sgd(0.5))(Hyperparams(**{field: 0.1}))


def rates(schedule, learning_rate, num_steps):
    """The learning rates of the first five steps, seen as SGD's updates under a gradient of -1."""
    sgd, _ = make_optimizer("sgd", schedule)(Hyperparams(learning_rate, num_steps=num_steps))
    state, updates = sgd.init(jnp.ones(())), []
    for _ in range(5):
        update, state = sgd.update(-jnp.ones(()), state, jnp.ones(()))
        updates.append(update)
    return jnp.stack(updates)


# At progress 0, 1/2 and 1. The half falls 4/9 of the way down the cosine after a warm-up of one tenth, and
# 2/7 of the way down one cycle's, which rises from 1/25 for three tenths and ends 10⁴ times
# lower than it began. Of cycles that double, the last is then only begun.
UNIT_VALUES = {
    "constant": (1, 1, 1),
    "cosine": (1, 0.5, 0),
    "warmup_cosine": (0, (1 + np.cos(np.pi * 4 / 9)) / 2, 0),
    "cycles": (0, (1 - np.cos(2 * np.pi * np.log2(16.5))) / 2, 0),
    "one_cycle": (0.04, 4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * 2 / 7)) / 2, 4e-6),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_a_factor_on_the_learning_rate(schedule):
    expected = 2.0 * np.array(UNIT_VALUES[schedule])
    np.testing.assert_allclose(rates(schedule, 2.0, num_steps=4)[::2], expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_the_same_in_the_midst_of_a_million_steps(schedule):
    sgd, _ = make_optimizer("sgd", schedule)(Hyperparams(2.0, num_steps=1_000_000))
    state = optax.tree.set(sgd.init(jnp.ones(())), count=jnp.int32(500_000))
    update, _ = sgd.update(-jnp.ones(()), state, jnp.ones(()))
    np.testing.assert_allclose(update, 2.0 * UNIT_VALUES[schedule][1], rtol=2e-6, atol=1e-7)


def test_five_cycles_end_and_peak_where_they_should():
    factors = np.asarray(SCHEDULES["cycles"](10_000 * np.arange(3101) / 3100))
    (ends,) = np.nonzero((factors[1:-1] < factors[:-2]) & (factors[1:-1] < factors[2:]))
    np.testing.assert_array_equal(ends + 1, [100, 300, 700, 1500])
    np.testing.assert_allclose(factors[[0, 100, 300, 700, 1500, 3100]], 0, atol=1e-6)
    (peaks,) = np.nonzero((factors[1:-1] > factors[:-2]) & (factors[1:-1] > factors[2:]))
    np.testing.assert_allclose(1 + (peaks + 1) / 100, 2 ** (np.arange(5) + 0.5), rtol=0.01)
    np.testing.assert_allclose(factors[peaks + 1], 1, atol=1e-3)


def test_parts_of_the_params_have_rates_of_their_own():
    params = {"first": layer([[1.0, 2.0]], [3.0, 4.0]), "scale": jnp.ones(2), "last": layer([[1.0]], [1.0])}
    grads = jax.tree.map(jnp.ones_like, params)
    multipliers = {"bias": 0.0, "scale": 6.0, "last": 10.0}
    optimizer, _ = make_optimizer("sgd", rate_multipliers=multipliers)(Hyperparams(0.1, weight_decay=0.5))
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    expected = {
        "first": layer([[-0.15, -0.2]], [0.0, 0.0]),
        "scale": jnp.full(2, -0.6),
        "last": layer([[-1.5]], [-1.0]),
    }
    chex.assert_trees_all_close(updates, expected, rtol=1e-6)


def test_rates_of_parts_apply_to_any_optimizer_and_leave_a_schedule_alone():
    params = layer([[1.0]], [1.0])
    for optimizer in ("adam", optax.adam(1e-3)):
        make = make_optimizer(optimizer, "cosine", {"bias": 0.1})
        transformation, _ = make(Hyperparams(num_steps=2))
        state, found = transformation.init(params), []
        for _ in range(2):
            updates, state = transformation.update(layer([[1.0]], [1.0]), state, params)
            found.append([updates.weight[0, 0], updates.bias[0]])
        np.testing.assert_allclose(found, [[-1e-3, -1e-4], [-5e-4, -5e-5]], rtol=1e-4)


def test_rates_of_parts_that_cannot_be_are_refused():
    optimizer, _ = make_optimizer("adam", rate_multipliers={"biases": 0.1})(Hyperparams())
    with pytest.raises(InputError, match=r"^rate_multipliers: unknown name 'biases'; did you mean 'bias'"):
        optimizer.init(layer([[1.0]], [1.0]))
    with pytest.raises(InputError, match=r"^rate_multipliers: must be a finite number of at least 0, got -1"):
        make_optimizer("adam", rate_multipliers={"bias": -1.0})
    with pytest.raises(InputError, match=r"^rate_multipliers: schedule_free_adamw averages"):
        make_optimizer("schedule_free_adamw", rate_multipliers={"bias": 0.1})


def test_another_number_of_steps_or_rate_stretches_a_schedule_without_another_trace():
    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(lambda *numbers: rates("cosine", *numbers), n=1))
    assert traced(1.0, 4)[2] == pytest.approx(0.5)
    assert traced(3.0, 8)[2] == pytest.approx(3 * (1 + np.cos(np.pi / 4)) / 2)


@pytest.mark.parametrize(
    ("schedule", "num_steps", "reached"),
    [
        *(("warmup_cosine", 1, "0%"), ("cycles", 1, "0%"), ("cycles", 2, "2%"), ("one_cycle", 1, "4%")),
        *(("warmup_cosine", 2, None), ("cycles", 3, None), ("cosine", 1, None), ("constant", None, None)),
    ],
)
def test_a_run_that_ends_before_its_rate_has_risen_is_told(schedule, num_steps, reached, capsys):
    warn_few_steps(schedule, num_steps)
    told = capsys.readouterr().err
    assert (f"{schedule!r} reaches {reached} of the learning rate" in told) if reached else not told


def test_a_schedule_without_a_length_is_refused():
    with pytest.raises(InputError, match=r"^num_steps: "):
        make_optimizer("sgd", "cosine")(Hyperparams(0.1))


def test_weight_decay_shrinks_weights_and_spares_biases():
    # 1 - 0.5 × 3 - 0.5 × 0.2 × 1 for the weight, 1 - 0.5 × 3 for the bias.
    params, grads = layer([[1.0]], [1.0]), layer([[3.0]], [3.0])
    moved = step(params, grads, Hyperparams(0.5, 0.2))
    chex.assert_trees_all_close(moved, layer([[-0.6]], [-0.5]), rtol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize(
    "name, oracle", [("adamw", optax.adamw), ("nadamw", optax.nadamw), ("lion", optax.lion)]
)
def test_decoupled_decay_is_optax_with_a_mask(name, oracle, schedule):
    rate = 0.1 if schedule == "constant" else optax.cosine_decay_schedule(0.1, 5)
    ours, _ = make_optimizer(name, schedule)(
        Hyperparams(0.1, 0.3, num_steps=None if schedule == "constant" else 5)
    )
    expected, _ = walk(oracle(rate, weight_decay=0.3, mask=is_weight), 5)
    chex.assert_trees_all_close(walk(ours, 5)[0], expected, atol=1e-5)


def test_clipping_scales_a_long_gradient_and_leaves_a_short_one():
    params = layer([[0.0]], [0.0])
    hyperparams = Hyperparams(0.5, clip_norm=1.0)
    long = step(params, layer([[3.0]], [4.0]), hyperparams)
    chex.assert_trees_all_close(long, layer([[-0.3]], [-0.4]), rtol=1e-6)
    short = step(params, layer([[0.3]], [0.4]), hyperparams)
    chex.assert_trees_all_close(short, layer([[-0.15]], [-0.2]), rtol=1e-6)


def test_max_norm_projects_long_columns_and_spares_short_ones_and_biases():
    # Columns of length 5, 1/2 and 0, under a gradient of 0.
    params = layer([[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]], [7.0, 7.0, 7.0])
    moved = step(params, jax.tree.map(jnp.zeros_like, params), Hyperparams(0.1, max_norm=1.0))
    expected = layer([[0.6, 0.3, 0.0], [0.8, 0.4, 0.0]], [7.0, 7.0, 7.0])
    chex.assert_trees_all_close(moved, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 4)])
def test_max_norm_holds_after_every_update_for_every_unit(shape):
    random = np.random.default_rng(0)
    param, update = random.normal(size=(2, *shape)).astype(np.float32)
    norms = np.sqrt(np.sum((param + update) ** 2, axis=tuple(range(len(shape) - 1))))
    bound = float(np.median(norms))
    projected, _ = project_max_norm(bound).update(jnp.asarray(update), optax.EmptyState(), jnp.asarray(param))
    expected = (param + update) * np.minimum(1, bound / norms)
    np.testing.assert_allclose(param + projected, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_max_norm_holds_all_the_way(name):
    # SOLUTION's columns are 1.23 and 1.25 long.
    optimizer, _ = make_optimizer(name)(Hyperparams(0.1, max_norm=1.1))
    path, _ = walk(optimizer, 20)
    lengths = np.stack([np.linalg.norm(params.weight, axis=0) for params in path])
    assert np.all(lengths <= 1.1 * (1 + 1e-6))
    np.testing.assert_allclose(lengths[-1], 1.1, rtol=1e-6)


@pytest.mark.parametrize(
    "name, oracle",
    [
        ("sgd", optax.sgd(0.1, momentum=0.3)),
        ("nesterov", optax.sgd(0.1, momentum=0.3, nesterov=True)),
        ("rmsprop", optax.rmsprop(0.1, momentum=0.3)),
        ("adam", optax.adam(0.1, b1=0.3)),
        ("lion", optax.lion(0.1, b1=0.3, weight_decay=0.0)),
        ("signum", optax.signum(0.1, beta=0.3)),
        ("muon", optax.contrib.muon(0.1, beta=0.3)),
        ("schedule_free_sgd", optax.contrib.schedule_free_sgd(0.1, b1=0.3)),
    ],
)
def test_momentum_is_the_decay_of_the_first_moment(name, oracle):
    optimizer, _ = make_optimizer(name)(Hyperparams(0.1, momentum=0.3))
    chex.assert_trees_all_close(walk(optimizer, 4)[0], walk(oracle, 4)[0], atol=1e-6)


@pytest.mark.parametrize("name", sorted(NO_MOMENTUM))
def test_momentum_is_refused_where_there_is_none(name):
    with pytest.raises(InputError, match=rf"^momentum: {name} has none"):
        make_optimizer(name)(Hyperparams(0.1, momentum=0.9))


@pytest.mark.parametrize(
    "name, oracle",
    [
        ("schedule_free_sgd", optax.contrib.schedule_free_sgd(0.1)),
        ("schedule_free_adamw", optax.contrib.schedule_free_adamw(0.1)),
    ],
)
def test_schedule_free_evaluates_the_average(name, oracle):
    optimizer, eval_params = make_optimizer(name)(Hyperparams(0.1, clip_norm=100.0))
    path, state = walk(optimizer, 5)
    oracle_path, oracle_state = walk(oracle, 5)
    average = eval_params(state, path[-1])
    expected = optax.contrib.schedule_free_eval_params(oracle_state, oracle_path[-1])
    chex.assert_trees_all_close(average, expected, atol=1e-6)
    assert np.max(np.abs(average.weight - path[-1].weight)) > 1e-4


def test_other_optimizers_evaluate_what_they_train():
    _, eval_params = make_optimizer("adam")(Hyperparams(0.1))
    assert eval_params((), START) is START


@pytest.mark.parametrize("schedule", sorted(set(SCHEDULES) - {"constant"}))
def test_schedule_free_refuses_schedules(schedule):
    with pytest.raises(InputError, match=rf"^schedule: schedule_free_sgd averages[^\n]*{schedule}"):
        make_optimizer("schedule_free_sgd", schedule)


def test_schedule_free_refuses_max_norm():
    with pytest.raises(InputError, match=r"^max_norm: "):
        make_optimizer("schedule_free_adamw")(Hyperparams(0.1, max_norm=1.0))
