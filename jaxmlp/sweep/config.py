"""How a sweep is run."""

from collections.abc import Sequence
from typing import NamedTuple

from jax.sharding import Mesh

from jaxmlp import checks
from jaxmlp.nn.metrics import METRICS
from jaxmlp.sweep import selection
from jaxmlp.sweep.space import Member
from jaxmlp.train import batching
from jaxmlp.train.optimizers import make_optimizer
from jaxmlp.types import Dataset, InputError


class SweepConfig(NamedTuple):
    """How a sweep is run; what its members are is another matter."""

    task: str
    num_epochs: int = 20
    batch_size: int = 128
    schedule: str = "constant"
    precision: str = "float32"
    """Of the matrix products in training, one of matmul.PRODUCTS."""
    halving: int | None = 3
    """At each rung one in so many members goes on, for so many times as long (Jamieson and Talwalkar 2016);
    None trains all to the end."""
    max_ensemble: int = 32
    num_bags: int = selection.NUM_BAGS
    chunk_size: int | None = None
    """Members that train at once; None: what suits the structure and the device."""
    time_budget: float | None = None
    """Seconds after which nothing more is begun."""
    mesh: Mesh | None = None
    """The devices, where there are several (``devices.make_mesh``)."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts; None: half of its memory."""
    seed: int = 0
    """Of the order of the data, which all members share."""


def check_config(settings: SweepConfig, members: Sequence[Member], dataset: Dataset) -> None:
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


def num_schedule_steps(settings: SweepConfig, num_examples: int) -> float | None:
    """The steps of the whole run, over which a schedule stretches; a constant one would only cost time."""
    if settings.schedule == "constant":
        return None
    return float(settings.num_epochs * batching.num_batches(num_examples, settings.batch_size))
