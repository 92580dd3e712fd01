"""``jaxmlp show``: what is in a model file, in words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import jaxmlp
from jaxmlp.data.columns import describe_columns
from jaxmlp.models.schema import ModelSpec
from jaxmlp.printing import one_line


@dataclass(frozen=True)
class Show:
    """Say what is in a model file: its networks, its data, what it reached.

    jaxmlp show runs/customers/model.safetensors
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A file that jaxmlp saved (model.safetensors), or the folder of a run."""


def run(config: Show) -> None:
    model = jaxmlp.load(config.model)
    lines = model.summary() | _trained(model.spec)
    width = max(map(len, lines))
    for name, value in lines.items():
        print(one_line(f"{name:{width}}  {value}"))
    if model.spec.columns is not None:
        print(f"\n{describe_columns(model.spec.columns)}")


def _trained(spec: ModelSpec) -> dict[str, str]:
    """How sure it is, and what it comes from."""
    sizes = ", ".join(f"{scale:.4g}" for scale in spec.noise_scale or ())
    lines = {
        "predicts": f"the column {spec.target!r}" if spec.target else "",
        "loss": spec.loss,
        "temperature": "" if spec.head == "regression" else f"{spec.temperature:.3g}",
        "error, one deviation": sizes,
        "trained with": ", ".join(f"{name} {version}" for name, version in spec.versions.items() if version),
        "format": str(spec.format),
    }
    return {name: value for name, value in lines.items() if value}
