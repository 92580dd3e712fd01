"""How a sweep is run, and the programs that follow from it and its members."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from jax.sharding import Mesh

from jaxmlp import checks, ensemble, population
from jaxmlp.nn.metrics import METRICS
from jaxmlp.nn.network import Network, NetworkSpec
from jaxmlp.population import Group, Program
from jaxmlp.runtime.devices import batch_sharding
from jaxmlp.space import Member, Structure, groups
from jaxmlp.train import batching
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.train.step import make_evaluate, make_train
from jaxmlp.types import Dataset, InputError


class Settings(NamedTuple):
    """How a sweep is run; what its members are is another matter."""

    task: str
    num_epochs: int = 20
    batch_size: int = 128
    schedule: str = "constant"
    precision: str = "float32"
    """Of the matrix products in training, one of products.PRODUCTS."""
    halving: int | None = 3
    """At each rung one in so many members goes on, for so many times as long (Jamieson and Talwalkar 2016);
    None trains all to the end."""
    max_ensemble: int = 32
    num_bags: int = ensemble.NUM_BAGS
    chunk_size: int | None = None
    """Members that train at once; None: what suits the structure and the device."""
    time_budget: float | None = None
    """Seconds after which nothing more is begun."""
    mesh: Mesh | None = None
    """The devices, where there are several (``mesh.make_mesh``)."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts; None: half of its memory."""
    seed: int = 0
    """Of the order of the data, which all members share."""


def check(settings: Settings, members: Sequence[Member], dataset: Dataset) -> None:
    """Raises InputError for settings or members that cannot be, before anything is compiled."""
    checks.known_name("task", settings.task, METRICS)
    for name in ("num_epochs", "batch_size", "max_ensemble", "num_bags"):
        checks.whole_number(name, getattr(settings, name))
    checks.whole_number("seed", settings.seed, at_least=0)
    checks.whole_number("halving", 2 if settings.halving is None else settings.halving, at_least=2)
    checks.whole_number("chunk_size", 1 if settings.chunk_size is None else settings.chunk_size)
    shares = settings.mesh.shape["members"] if settings.mesh else 1
    if (settings.chunk_size or 0) % shares:
        raise InputError(
            f"chunk_size: must be a multiple of the {shares} devices for members, got {settings.chunk_size}"
        )
    if settings.time_budget is not None:
        checks.positive("time_budget", settings.time_budget)
    if not members:
        raise InputError("members: must hold at least one, got none")
    checks.dataset_shapes(dataset, settings.batch_size)
    for member in members:
        hyperparams = member.hyperparams._replace(num_steps=1)
        make_optimizer(member.structure.optimizer, settings.schedule)(hyperparams)


def make_groups(
    members: Sequence[Member],
    network_of: Callable[[NetworkSpec], Network],
    settings: Settings,
    num_examples: int,
) -> list[Group]:
    """The members of each structure, with its program."""
    num_steps = steps_of(settings, num_examples)
    made = []
    for structure, numbers in groups(members).items():
        own = [members[number] for number in numbers]
        own = [m._replace(hyperparams=m.hyperparams._replace(num_steps=num_steps)) for m in own]
        network = network_of(structure.network)
        options = settings.task, settings.schedule, settings.batch_size, settings.mesh
        program = _program(structure, network, *options)
        made.append(Group(program, own, numbers))
    made = population.fitted(made)
    if settings.chunk_size is not None:
        made = [g._replace(program=g.program._replace(chunk_size=settings.chunk_size)) for g in made]
    return made


def steps_of(settings: Settings, num_examples: int) -> float | None:
    """The steps of the whole run, over which a schedule stretches; a constant one would only cost time."""
    if settings.schedule == "constant":
        return None
    return float(settings.num_epochs * batching.num_batches(num_examples, settings.batch_size))


@lru_cache(maxsize=64)
def _program(
    structure: Structure, network: Network, task: str, schedule: str, batch_size: int, mesh: Mesh | None
) -> Program:
    """The same program for the same arguments, so that what was compiled for it is found again."""
    optimizer = make_optimizer(structure.optimizer, schedule)
    return population.make_program(
        structure,
        make_train(
            network.init_fn, network.loss_fn, optimizer, batch_size, batch_sharding=batch_sharding(mesh)
        ),
        make_evaluate(network.predict_fn, METRICS[task] | {"share": ensemble.SHARES[task]}),
        monitor=next(iter(METRICS[task])),
        mesh=mesh,
    )
