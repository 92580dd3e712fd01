"""What a model was on its way, as files beside it: each is a model like any other."""

import re
from collections.abc import Mapping
from pathlib import Path

from jaxmlp.models.model import Model, load, save


def save_snapshots(folder: str | Path, snapshots: Mapping[int, Model]) -> Path:
    """Writes a FitResult's ``snapshots`` to ``folder``, which is made, in the place of those that are there.
    Called "snapshots" and beside the model, its page finds it. Returns the folder.

    Raises InputError as ``save`` does.
    """
    folder = Path(folder)
    for old in _files(folder).values():
        old.unlink()
    for epoch, model in snapshots.items():
        save(folder / f"epoch-{epoch:08d}.safetensors", model)
    return folder


def load_snapshots(folder: str | Path) -> dict[int, Model]:
    """The models in ``folder`` by the number of epochs before, ascending; none where there is no folder.

    Raises InputError as ``load`` does.
    """
    return {epoch: load(path) for epoch, path in sorted(_files(Path(folder)).items())}


def _files(folder: Path) -> dict[int, Path]:
    found = {path: re.fullmatch(r"epoch-(\d{8,})\.safetensors", path.name) for path in folder.glob("epoch-*")}
    return {int(match[1]): path for path, match in found.items() if match}
