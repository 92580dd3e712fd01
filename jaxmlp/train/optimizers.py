"""Optax optimizers by name, with schedules, weight decay, clipping and max-norm, all traced.

``make_optimizer`` is built outside the compiled step and called inside it with traced hyperparameters, so
that a learning rate is a number to sweep and not a program to compile.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jaxtyping import Array

from jaxmlp import checks
from jaxmlp.train.schedules import SCHEDULES, TICKS
from jaxmlp.train.transforms import project_max_norm, scale_rates
from jaxmlp.types import Hyperparams, InputError, PyTree

EvalParams = Callable[[PyTree, PyTree], PyTree]
"""(opt_state, params) -> the parameters to evaluate and to keep."""
MakeOptimizer = Callable[[Any], tuple[optax.GradientTransformation, EvalParams]]


class Recipe(NamedTuple):
    """An optimizer with a default that works on standardised inputs and the range worth searching."""

    factory: Callable[..., optax.GradientTransformation]
    learning_rate: float
    low: float
    high: float
    weight_decay: float | None = None
    averages: bool = False
    """Whether it trains other parameters than those it evaluates (schedule-free; Defazio et al. 2024)."""


_adam_like = partial(Recipe, learning_rate=1e-3, low=1e-4, high=1e-2)
_sign_like = partial(Recipe, learning_rate=1e-4, low=1e-5, high=1e-3)
_sgd_like = partial(Recipe, learning_rate=0.1, low=1e-2, high=1.0)
_rate_free = partial(Recipe, learning_rate=1.0, low=0.1, high=10.0)
_contrib = optax.contrib
RECIPES: dict[str, Recipe] = {
    "acprop": _adam_like(_contrib.acprop),
    "adabelief": _adam_like(optax.adabelief),
    "adadelta": _rate_free(optax.adadelta),
    "adafactor": _adam_like(optax.adafactor, learning_rate=1e-2, low=1e-3, high=1e-1),
    "adagrad": _adam_like(optax.adagrad, learning_rate=3e-2, low=3e-3, high=0.3),
    "adam": _adam_like(optax.adam),
    "adamax": _adam_like(optax.adamax, learning_rate=2e-3),
    "adamaxw": _adam_like(optax.adamax, learning_rate=2e-3, weight_decay=1e-2),
    "adamw": _adam_like(optax.adam, weight_decay=1e-2),
    "adan": _adam_like(optax.adan),
    "ademamix": _adam_like(_contrib.ademamix),
    "adopt": _adam_like(_contrib.adopt),
    "amsgrad": _adam_like(optax.amsgrad),
    "cocob": _rate_free(_contrib.cocob),
    "dadapt_adamw": _rate_free(_contrib.dadapt_adamw),
    "dog": _rate_free(_contrib.dog),
    "dowg": _rate_free(_contrib.dowg),
    "fromage": _adam_like(optax.fromage, learning_rate=1e-2, low=1e-3, high=0.1),
    "galore": _adam_like(partial(_contrib.galore, rank=16)),
    "lamb": _adam_like(optax.lamb, learning_rate=3e-3, high=3e-2),
    "lars": _sgd_like(optax.lars, learning_rate=1.0, low=0.1, high=10.0),
    "lion": _sign_like(optax.lion, weight_decay=1e-2),
    "madgrad": _adam_like(_contrib.madgrad),
    "momentum": _sgd_like(partial(optax.sgd, momentum=0.9), learning_rate=3e-2, low=1e-3, high=0.3),
    "momo": _rate_free(_contrib.momo),
    "momo_adam": _adam_like(_contrib.momo_adam, learning_rate=1e-2, low=1e-3, high=0.1),
    "muon": _adam_like(_contrib.muon, learning_rate=1e-2, low=1e-3, high=0.1),
    "nadam": _adam_like(optax.nadam),
    "nadamw": _adam_like(optax.nadam, weight_decay=1e-2),
    "nesterov": _sgd_like(
        partial(optax.sgd, momentum=0.9, nesterov=True), learning_rate=3e-2, low=1e-3, high=0.3
    ),
    "noisy_sgd": _sgd_like(partial(optax.noisy_sgd, key=0)),
    "novograd": _adam_like(optax.novograd, learning_rate=1e-2, low=1e-3, high=0.1),
    "optimistic_adam": _adam_like(optax.optimistic_adam_v2),
    # Its beta weighs the last gradient; it is no decay rate for momentum to set.
    "optimistic_gradient_descent": _sgd_like(lambda rate: optax.optimistic_gradient_descent(rate)),
    "polyak_sgd": _rate_free(optax.polyak_sgd),
    "prodigy": _rate_free(_contrib.prodigy),
    "radam": _adam_like(optax.radam),
    "rmsprop": _adam_like(optax.rmsprop),
    "rprop": _adam_like(optax.rprop),
    "schedule_free_adamw": _adam_like(
        partial(optax.adam, b1=0.0), learning_rate=2.5e-3, high=3e-2, weight_decay=1e-2, averages=True
    ),
    "schedule_free_sgd": _sgd_like(optax.sgd, learning_rate=1.0, low=0.1, high=10.0, averages=True),
    "sgd": _sgd_like(optax.sgd),
    "sign_sgd": _sign_like(optax.sign_sgd),
    "signum": _sign_like(optax.signum),
    "simplified_ademamix": _adam_like(_contrib.simplified_ademamix, learning_rate=1e-4, low=1e-6, high=1e-3),
    "sm3": _sgd_like(optax.sm3),
    "yogi": _adam_like(optax.yogi, learning_rate=1e-2, low=1e-3, high=0.1),
}

_REFUSED = {
    "lbfgs": "its line search needs the loss function itself at every step",
    "sam": "it needs a second gradient at every step",
    "sophia": "it needs an estimate of the Hessian at every step",
    "dpsgd": "it needs the gradient of each example at every step",
}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name; an unknown name suggests the nearest, a refused one says why."""
    if name in _REFUSED:
        raise InputError(f"optimizer: {name!r} is not offered, because {_REFUSED[name]}")
    return RECIPES[checks.known_name("optimizer", name, RECIPES)]


def make_optimizer(
    optimizer: str | optax.GradientTransformation = "adam",
    schedule: str = "constant",
    rate_multipliers: Mapping[str, float] | None = None,
) -> MakeOptimizer:
    """A function of the (traced) Hyperparams that returns the optimizer and its ``eval_params``.

    ``optimizer`` is a name of RECIPES, whose learning rate is the default, or any
    optax.GradientTransformation, which then has its own learning rate, weight decay and momentum. Clipping
    comes before it; schedule, ``rate_multipliers`` (as ``scale_rates`` takes them) and max-norm projection
    after.
    """
    unit = SCHEDULES[checks.known_name("schedule", schedule, SCHEDULES)]
    multipliers = read_multipliers(rate_multipliers)
    if not isinstance(optimizer, str):
        return partial(_wrap, partial(_user_optimizer, optimizer), unit, multipliers, False)
    recipe = get_recipe(optimizer)
    if recipe.averages and schedule != "constant":
        raise InputError(
            f"schedule: {optimizer} averages instead of decaying; use 'constant', not {schedule!r}"
        )
    if recipe.averages and multipliers:
        raise InputError(f"rate_multipliers: {optimizer} averages parameters of one rate; leave them out")
    return partial(_wrap, partial(_named_optimizer, optimizer, recipe), unit, multipliers, recipe.averages)


def read_multipliers(given: Mapping[str, float] | None) -> dict[str, float]:
    """The factors as floats, if all are finite numbers of at least 0."""
    return {name: checks.at_least_zero("rate_multipliers", factor) for name, factor in (given or {}).items()}


def _wrap(
    make_core: Callable[[Hyperparams], optax.GradientTransformation],
    unit: optax.Schedule,
    multipliers: dict[str, float],
    averages: bool,
    hyperparams: Any,
) -> tuple[optax.GradientTransformation, EvalParams]:
    hyperparams = checks.as_hyperparams(hyperparams)
    parts = [make_core(hyperparams)]
    if hyperparams.clip_norm is not None:
        parts.insert(0, optax.clip_by_global_norm(hyperparams.clip_norm))
    if multipliers:
        parts.append(scale_rates(multipliers))
    if hyperparams.num_steps is not None:
        parts.append(optax.scale_by_schedule(partial(_factor, unit, hyperparams.num_steps)))
    elif unit is not SCHEDULES["constant"]:
        raise InputError("num_steps: a schedule other than 'constant' needs the steps of the run, got None")
    if hyperparams.max_norm is not None:
        if averages:
            raise InputError(
                "max_norm: the average of a schedule-free optimizer would leave it; drop one of the two"
            )
        parts.append(project_max_norm(hyperparams.max_norm))
    return optax.chain(*parts), _average if averages else lambda opt_state, params: params


def _factor(unit: optax.Schedule, num_steps: Any, count: Array) -> Array:
    # As a float, since whole numbers overflow after 214,748 steps; XLA would join it to other factors, and
    # round otherwise.
    ticks = jax.lax.optimization_barrier(float(TICKS) * count)
    return jnp.asarray(unit(ticks / num_steps))


def _named_optimizer(name: str, recipe: Recipe, hyperparams: Hyperparams) -> optax.GradientTransformation:
    """The recipe itself with decoupled weight decay (Loshchilov and Hutter 2019) at its traced rate."""
    rate, decay, momentum = hyperparams.learning_rate, hyperparams.weight_decay, hyperparams.momentum
    rate = recipe.learning_rate if rate is None else rate
    accepted = inspect.signature(recipe.factory).parameters
    arguments: dict[str, Any] = {"weight_decay": 0.0} if "weight_decay" in accepted else {}
    if momentum is not None and not recipe.averages:
        arguments[_momentum_argument(name, tuple(accepted))] = momentum
    if hyperparams.b2 is not None:
        if "b2" not in accepted:
            raise InputError(f"b2: {name} has none to set; leave it out")
        arguments["b2"] = hyperparams.b2
    core = recipe.factory(rate, **arguments)
    if decay is not None:
        core = optax.chain(core, optax.add_decayed_weights(-rate * decay, mask=_is_weight))
    if recipe.averages:
        core = optax.contrib.schedule_free(core, rate, b1=0.9 if momentum is None else momentum)
    return core


def _user_optimizer(
    optimizer: optax.GradientTransformation, hyperparams: Hyperparams
) -> optax.GradientTransformation:
    for field in ("learning_rate", "weight_decay", "momentum", "b2"):
        if getattr(hyperparams, field) is not None:
            raise InputError(
                f"{field}: an optimizer of your own has its own; set it there and leave this None"
            )
    return optimizer


def _momentum_argument(name: str, accepted: tuple[str, ...]) -> str:
    for argument in ("momentum", "b1", "beta"):
        if argument in accepted:
            return argument
    raise InputError(f"momentum: {name} has none to set; leave it out")


def _is_weight(params: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _average(opt_state: PyTree, params: PyTree) -> PyTree:
    state = optax.tree.get(opt_state, "ScheduleFreeState")
    return optax.contrib.schedule_free_eval_params(state, params)
