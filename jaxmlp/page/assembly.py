"""One file of all: the scripts and the style of a page, and the model that they show."""

import html
import json
from importlib import resources
from string import Template
from typing import Any

from jaxmlp.models.model import Model
from jaxmlp.page.examples import find_examples
from jaxmlp.page.fields import describe_fields
from jaxmlp.page.packing import pack_model

STYLES = "page.css", "parts.css"
SCRIPTS = (
    *("nn.js", "picture.js", "dom.js", "pad.js", "examples.js", "answer.js", "neurons.js", "fields.js"),
    *("maps.js", "contours.js", "plane.js", "main.js"),
)
"""In the order in which they stand in the page."""


def describe_page(model: Model) -> dict[str, Any]:
    """All that a page of the model shows."""
    return {
        "title": title_of(model),
        "model": pack_model(model),
        "summary": model.summary(),
        "fields": describe_fields(model),
        "examples": find_examples(model),
    }


def build_page(content: dict[str, Any]) -> str:
    """The page as one HTML document that needs nothing else."""
    return Template(_read("page.html")).substitute(
        title=html.escape(content["title"]),
        style="\n".join(map(_read, STYLES)),
        script="\n".join(map(_read, SCRIPTS)),
        content=_inert(content),
    )


def title_of(model: Model) -> str:
    """What the page is called."""
    about = f"{model.spec.target} of {model.spec.dataset}" if model.spec.target else model.spec.dataset
    return f"A network for {about}"


def _inert(content: Any) -> str:
    """JSON that no HTML parser takes for the end of the script it stands in, or for anything else."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
