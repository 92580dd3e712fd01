"""The flags of experiments, and what of a run follows from them alone."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

import tyro

from jaxmlp import Checkpoints, InputError, checks
from jaxmlp.data import sources
from jaxmlp.data.splits import Splits, first_examples

SMOKE_EXAMPLES = 512
MAX_SEEDS = 100_000
Sizes = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """What the value of a flag so annotated must keep, unless it is None; each one of a tuple."""

    check: Callable[[str, Any], Any]
    """(flag, value) -> InputError where it breaks the rule."""

    def apply(self, flag: str, value: Any) -> None:
        """InputError if the value of the flag breaks the rule."""
        if isinstance(value, tuple):
            checks.each(flag, value, self.check)
        elif value is not None:
            self.check(flag, value)


Count = Annotated[int, Rule(checks.integer)]
Counts = Annotated[tuple[int, ...], Rule(checks.integer)]
Positive = Annotated[float, Rule(checks.positive)]
Positives = Annotated[tuple[float, ...], Rule(checks.positive)]
Share = Annotated[float, Rule(checks.fraction)]


@dataclass(frozen=True)
class Config:
    """The flags of every experiment."""

    SMOKE: ClassVar[Sizes] = {}
    """What other flags are with --smoke, where they are not given."""
    QUICK: ClassVar[Sizes] = {}
    """What they are with --quick: about a minute on two cores, on data that need no download."""

    num_seeds: int = 5
    """Networks per setting, which differ in initial weights, dropout and the order of the data."""
    seed: int = 0
    """The first seed."""
    name: str | None = None
    """Name of the folder in runs/, or in results/ with --publish (default: the experiment's)."""
    out: Path | None = None
    """Any other folder for record and pictures."""
    publish: bool = False
    """Write to results/, which is published: a whole run of committed code."""
    progress: bool = True
    """Show a progress bar."""
    quick: bool = False
    """The same question at a smaller size: about a minute, without a download."""
    smoke: bool = False
    """A trial of seconds on a few hundred examples, to see that everything works; it shows nothing else."""

    @property
    def folder(self) -> Path:
        """Where results go, while the experiment runs."""
        assert self.out is not None
        return self.out

    @property
    def seeds(self) -> range:
        """The seeds that the flags ask for."""
        return range(self.seed, self.seed + self.num_seeds)


@dataclass(frozen=True)
class TrainingConfig(Config):
    """The flags of an experiment whose networks all train alike."""

    num_epochs: Count = 20
    """Passes through the training data."""
    batch_size: Count = 128
    """Examples per step."""


@dataclass(frozen=True)
class HyperparamFlags:
    """Those of jaxmlp.Hyperparams that a single network has."""

    learning_rate: float | None = None
    """Step size (default: the optimizer's own)."""
    weight_decay: float | None = None
    """Decoupled weight decay (default: the optimizer's own)."""
    momentum: float | None = None
    """Decay rate of the gradient's running mean (default: the optimizer's own)."""
    clip_norm: float | None = None
    """Scale longer gradients down to this norm."""
    max_norm: float | None = None
    """Keep each neuron's incoming weights within this norm."""
    dropout: float | None = None
    """Share of hidden neurons dropped in each training step."""
    input_dropout: float | None = None
    """Share of inputs dropped in each training step."""
    label_smoothing: float | None = None
    """Share of the target's probability spread over all classes."""


Hyperparameters = Annotated[
    tyro.conf.OmitArgPrefixes[HyperparamFlags],
    Rule(lambda _, given: checks.hyperparams(dataclasses.asdict(given))),
]


@dataclass(frozen=True)
class ImageConfig(Config):
    """The flags of an experiment on images."""

    QUICK: ClassVar[Sizes] = {"dataset": "digits"}

    dataset: str = "mnist"
    """Name of the data: digits, or any image set of tensorflow-datasets."""
    manual_dir: Path | None = None
    """Folder with the set's files, already downloaded (default: $JAXMLP_MANUAL_DIR)."""


@dataclass(frozen=True)
class DeviceConfig(ImageConfig):
    """The flags of an experiment that runs on any number of devices and hosts."""

    mesh: str | None = None
    """Devices, as data=4,members=2 (default: all there are, for members first)."""
    coordinator: str | None = None
    """HOST:PORT where process 0 of several is found, or "auto" where SLURM, Kubernetes or a TPU pod knows."""
    num_processes: int | None = None
    """Processes that are one run together, each started with the same flags and its own --process-id."""
    process_id: int | None = None
    """Which of them this is, from 0."""
    checkpoint_every: Annotated[int | None, Rule(checks.integer)] = None
    """Epochs from one checkpoint to the next (default: one where Ctrl-C or SIGTERM ends the run)."""
    resume: bool = False
    """Go on from the last checkpoint in the folder, with the other flags as they were."""


def check_flags(config: Config) -> None:
    """The rules of all flags that need no data; InputError."""
    if checks.integer("num_seeds", config.num_seeds, at_least=1) > MAX_SEEDS:
        raise InputError(f"num_seeds: must be at most {MAX_SEEDS}, got {config.num_seeds}")
    checks.integer("seed", config.seed, at_least=0)
    if config.quick and config.smoke:
        raise InputError("quick: must stand without --smoke, got both")
    # Of every base, since a class that changes a default alone keeps the rule.
    for base in type(config).__mro__:
        for name, hint in get_type_hints(base, include_extras=True).items():
            for rule in getattr(hint, "__metadata__", ()):
                if isinstance(rule, Rule):
                    rule.apply(name, getattr(config, name))


# What a run may be gone on with otherwise; of the epochs and the data, the run itself knows what matters.
_FREE = {field.name for field in dataclasses.fields(DeviceConfig)} - {"dataset", "num_seeds", "seed"}
_FREE |= {"num_epochs", "num_splits", "data_bytes", "time_budget"}


def checkpoints(config: DeviceConfig, part: str) -> Checkpoints:
    """Those of one part of a run, such as a split."""
    run = {name: value for name, value in dataclasses.asdict(config).items() if name not in _FREE}
    return Checkpoints(config.folder / "checkpoints" / part, config.checkpoint_every, config.resume, run)


def load(config: ImageConfig, **options: Any) -> Splits:
    """The classes that the flags name, a few hundred examples of each part for a trial."""
    splits = sources.load_dataset(config.dataset, manual_dir=config.manual_dir, **options)
    if splits.task == "regression":
        raise InputError(f"dataset: must have classes, but {config.dataset} has real values")
    return first_examples(splits, SMOKE_EXAMPLES) if config.smoke else splits
