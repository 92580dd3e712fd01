"""The members of a sweep: how each learnt, and with what setting, from the record beside the model."""

from collections.abc import Mapping
from typing import Any

from jaxmlp.models.schema import ModelSpec
from jaxmlp.nn.metrics import METRICS


def describe_members(spec: ModelSpec, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Each member's curve of the measure that chooses, and what differs between their settings.

    None where the record is not that of a sweep.
    """
    measure = next(iter(METRICS[spec.head]))
    curves = record.get("curves", {}).get(f"member_validation_{measure}")
    settings = record.get("tables", {}).get("settings")
    if not curves or settings is None:
        return None
    varied = {name: column for name, column in settings.items() if len(set(column)) > 1}
    return {"measure": measure, "epochs": record["epochs"], "curves": curves, "settings": varied}
