"""How a sweep is run."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

from jax.sharding import Mesh

from jaxmlp import checks
from jaxmlp.train import batching


class SweepConfig(NamedTuple):
    """How a sweep is run; what its members are is another matter."""

    task: str
    num_epochs: int = 20
    batch_size: int = 128
    schedule: str = "constant"
    numeric_scaling: str = "standard"
    """Of a table's numbers, "standard" or "quantile"."""
    precision: str = "float32"
    """Of the matrix products in training, one of matmul.PRODUCTS."""
    halving: int | None = None
    """At each rung one in so many goes on, for so many times as long (Jamieson and Talwalkar 2016);
    None trains all to the end."""
    max_ensemble: int = 20
    """Votes in the ensemble; a candidate may have several."""
    max_candidates: int | None = None
    """Different ones among them, each of which is a network for each fold; None: as many as help."""
    chunk_size: int | None = None
    """Members that train at once; None: what suits the structure and the device."""
    time_budget: float | None = None
    """Seconds after which nothing more is begun."""
    mesh: Mesh | None = None
    """The devices, where there are several (``devices.make_mesh``)."""
    num_snapshots: int = 0
    """Epochs, from before the first to the last and most of them early, after which the parameters of all
    members are kept."""
    data_bytes: int | None = None
    """Training data of more than this reach the device in parts; None: half of its memory."""
    seed: int = 0
    """Of the order of the data, which all members share."""


def num_schedule_steps(config: SweepConfig, num_examples: int) -> float | None:
    """The steps of the whole run, over which a schedule stretches; a constant one would only cost time."""
    if config.schedule == "constant":
        return None
    return float(config.num_epochs * batching.num_batches(num_examples, config.batch_size))


def make_config(task: str, num_examples: int, settings: Mapping[str, Any]) -> SweepConfig:
    """``settings``, with a batch size and a number of epochs that suit the size of the data where they have
    none. Raises InputError for a setting that there is not.
    """
    for name in settings:
        checks.known_name("settings", name, {*SweepConfig._fields} - {"task"})
    checks.of_type("mesh", settings.get("mesh"), Mesh, NoneType)
    names = "batch_size", "num_epochs"
    sizes = batching.choose_sizes(num_examples, *map(settings.get, names))
    return SweepConfig(task, **{**settings, **dict(zip(names, sizes, strict=True))})
