"""One file of all: the scripts and the style of a page, and the model that they show."""

import html
import json
import math
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

from jaxmlp.models.model import Model
from jaxmlp.nn.metrics import METRICS
from jaxmlp.page.effects import measure_effects
from jaxmlp.page.examples import find_examples, read_images, tried_images
from jaxmlp.page.exciting import describe_neurons
from jaxmlp.page.fields import describe_fields
from jaxmlp.page.members import describe_members
from jaxmlp.page.novelty import describe_familiar
from jaxmlp.page.packing import pack_model, pack_networks
from jaxmlp.page.timeline import choose_frames

STYLES = "page.css", "parts.css", "tables.css"
SCRIPTS = (
    *("nn", "picture", "ink", "novelty", "dom", "state", "pad", "examples", "confusion", "answer"),
    *("exciting", "weights", "neurons", "fields", "maps", "contours", "heights", "plane", "timeline"),
    *("members", "ideas", "main"),
)
"""In the order in which they stand in the page."""


def describe_page(
    model: Model,
    snapshots: Mapping[int, Model] | None = None,
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that a page of the model shows, with what it was on its way, by the number of epochs before, and
    what the record of its run tells.
    """
    raw = read_images(model)
    neurons = describe_neurons(model, raw)
    effects = measure_effects(model, *tried_images(model, raw), neurons) if raw and neurons else None
    return {
        "title": title_of(model),
        "model": pack_model(model),
        "summary": model.summary(),
        "fields": describe_fields(model),
        "examples": find_examples(model, raw),
        "neurons": neurons,
        "effects": effects,
        "familiar": describe_familiar(model, raw),
        "timeline": [_frame(*one) for one in choose_frames(model, snapshots or {}).items()],
        "members": describe_members(model.spec, record or {}),
    }


def build_page(content: dict[str, Any]) -> str:
    """The page as one HTML document that needs nothing else."""
    return Template(_read("page.html")).substitute(
        title=html.escape(content["title"]),
        style="\n".join(map(_read, STYLES)),
        script="\n".join(_read(f"{name}.js") for name in SCRIPTS),
        content=_inert(content),
    )


def title_of(model: Model) -> str:
    """What the page is called."""
    about = f"{model.spec.target}: {model.spec.dataset}" if model.spec.target else model.spec.dataset
    return f"A network for {about}"


def _frame(epoch: int, model: Model) -> dict[str, Any]:
    """What a snapshot was: its weights, and how it validated."""
    measure = next(iter(METRICS[model.spec.head]))
    score = model.spec.metrics.get(f"validation_{measure}")
    return {"epoch": epoch, "score": score, "measure": measure, "networks": pack_networks(model)}


def _inert(content: Any) -> str:
    """JSON that no HTML parser takes for the end of the script it stands in, or for anything else; what is no
    finite number, such as the R² of a target that never changes, is null.
    """
    text = json.dumps(_without_infinite(content), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _without_infinite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _without_infinite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_infinite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
