"""``jaxmlp page``: a saved model as one HTML file to try out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import jaxmlp
from jaxmlp.models.snapshots import load_snapshots
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.records import check_writable, read_record
from jaxmlp.runtime.files import write_atomic
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Page:
    """Make a page of a network: one HTML file that opens by a double click, without a server or the internet.

    jaxmlp page runs/digits --out digits.html

    Draw on it, if the network reads images, or move along two columns of its table, and see what each neuron
    and each network makes of it; switch neurons off, drag their weights, or take activations away, and see
    what changes. For an image set that was prepared before there are examples to click, all kinds of
    mistakes, and what excites each neuron most. A folder "snapshots" beside the model, as save_snapshots
    writes it, becomes a slider through its training, and the record of a fit shows how each of its members
    learnt, and how their ensemble grew.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A file that jaxmlp saved (model.safetensors), or the folder of a run."""
    out: Path = Path("page.html")
    """The file to write."""


def run(config: Page) -> None:
    if config.out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"out: must be a file that ends with .html, got {str(config.out)!r}")
    model = jaxmlp.load(config.model)
    beside = config.model if config.model.is_dir() else config.model.parent
    record = read_record(beside / "record.json") if (beside / "record.json").exists() else None
    content = describe_page(model, load_snapshots(beside / "snapshots"), record)
    page = build_page(content).encode("utf-8", "backslashreplace")
    check_writable(config.out.parent)
    write_atomic(config.out, page)
    if content["fields"] is None and content["examples"] is None:
        print(f"without examples to click, since the data set {content['model']['dataset']!r} is not at hand")
    print(f"{config.out}: {len(page) / 1e6:.1f} MB; open it in a browser")
