"""The members of a sweep: how each learnt, and with what setting, from the record beside the model."""

from collections.abc import Mapping
from typing import Any

from jaxmlp.models.schema import ModelSpec
from jaxmlp.nn.metrics import METRICS


def describe_members(spec: ModelSpec, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Each member's curve of the measure that chooses, what differs between their settings, and the ensemble
    as it grew.

    None where the record is not that of a sweep.
    """
    measure = next(iter(METRICS[spec.head]))
    curves = record.get("curves", {}).get(f"member_validation_{measure}")
    settings = record.get("tables", {}).get("settings")
    if not curves or settings is None:
        return None
    varied = {name: column for name, column in settings.items() if len(set(column)) > 1}
    told = {"measure": measure, "epochs": record["epochs"], "curves": curves, "settings": varied}
    growth = _describe_growth(record["tables"].get("growth", {}), len(spec.networks))
    return told | {"growth": growth}


def _describe_growth(history: Mapping[str, Any], num_networks: int) -> dict[str, Any] | None:
    """After each epoch in which the ensemble was chosen anew: its networks, of which each candidate has one
    for each fold, and its loss.
    """
    if not history.get("epochs"):
        return None
    num_folds = max(1, num_networks // int(history["candidates"][-1]))
    return {
        "epochs": list(map(int, history["epochs"])),
        "networks": [num_folds * int(number) for number in history["candidates"]],
        "loss": history["loss"],
    }
