"""Descriptions of models as earlier releases wrote them, in today's words."""

from itertools import pairwise
from typing import Any

OLDEST_FORMAT = 3


def upgrade(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields in the newest format. KeyError, TypeError or ValueError where they are not as they were
    written.
    """
    if fields["format"] == 3:
        fields = _from_third(fields)
    return _from_fourth(fields) if fields["format"] == 4 else fields


def _from_fourth(fields: dict[str, Any]) -> dict[str, Any]:
    """It knew no quantiles and no range of predictions, which its readers would pass over, and learnt late
    how a target is written.
    """
    return {"target_kind": None, "target_range": None} | fields | {"format": 5}


def _from_third(fields: dict[str, Any]) -> dict[str, Any]:
    """Networks were sizes with one activation, columns had no kind, other names: votes, ink_box."""
    columns = fields["columns"]
    return fields | {
        "networks": [_network(**network) for network in fields["networks"]],
        "columns": columns and [_column(**column) for column in columns],
        "drawing_extent": fields.pop("ink_box"),
        "loss": "squared error" if fields["head"] == "regression" else "cross-entropy",
        "intervals": {},
        "target": None,
        "format": 4,
    }


def _network(layer_sizes: list[int], activation: str, votes: int) -> dict[str, Any]:
    names = [activation] * (len(layer_sizes) - 2) + ["identity"]
    layers = zip(pairwise(layer_sizes), names, strict=True)
    keys = ("kind", "inputs", "outputs", "activation")
    return {
        "layers": [dict(zip(keys, ("dense", *sizes, name), strict=True)) for sizes, name in layers],
        "count": votes,
    }


def _column(name: str, fill: float | None, gaps: bool, categories: list[str]) -> dict[str, Any]:
    if fill is None:
        return {"kind": "category", "name": name, "categories": categories}
    return {"kind": "number", "name": name, "fill": fill, "gaps": gaps}
