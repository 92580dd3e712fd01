"""What a fit of one network, or of several seeds, hands out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxmlp.data.splits import Splits
from jaxmlp.models.evaluation import calibrate
from jaxmlp.models.model import Model, with_spec
from jaxmlp.models.training import Loss, Scaling, TrainedNetwork, build_model
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.printing import printable
from jaxmlp.runtime.devices import gather
from jaxmlp.train.state import RunResult


@printable
class FitResult(NamedTuple):
    """What ``fit_mlp`` returns."""

    models: tuple[Model, ...]
    """One for each seed, as it was in its best epoch, and calibrated."""
    best: int
    """The one that validates best."""
    run: RunResult
    """All seeds, on the first axis of every array."""
    snapshots: Mapping[int, Model] = {}
    """Of the chosen model, what it was after so many epochs, and at last, in its best epoch, the model."""

    @property
    def model(self) -> Model:
        """The model that validates best."""
        return self.models[self.best]

    @property
    def history(self) -> dict[str, Float[np.ndarray, " epochs"]]:
        """Of that model, ``train_loss`` and ``validation_…`` after each epoch."""
        return {name: values[self.best] for name, values in self.run.history.items()}

    @property
    def best_epoch(self) -> int:
        """Of that model, from 1."""
        return int(self.run.best_epoch[self.best])

    @property
    def interrupted(self) -> int:
        """The number of the signal that ended the run before its time; 0 if none did."""
        return self.run.interrupted

    def summary(self) -> dict[str, Any]:
        """The chosen model, and how the run went, in words."""
        seeds = {"chosen among": f"{len(self.models)} seeds"} if len(self.models) > 1 else {}
        run = self.run.summary() | {"best epoch": self.best_epoch}
        about = {name: value for name, value in run.items() if not name.startswith("validation")}
        return self.model.summary() | seeds | about


def make_result(
    splits: Splits, scaling: Scaling, spec: NetworkSpec, run: RunResult, loss: Loss | None
) -> FitResult:
    """Each seed's network as a calibrated model that knows how it validated in its best epoch."""
    params, models = gather(run.params), []
    for index, epoch in enumerate(run.best_epoch):
        own = jax.tree.map(lambda leaf, index=index: np.array(leaf[index]), params)
        model = build_model(splits, scaling, [TrainedNetwork(spec, own)], loss)
        metrics = _reached(run, index, int(epoch))
        models.append(with_spec(calibrate(model, splits.validation), metrics=metrics))
    worth = run.best_score if run.choice.higher_is_better else -run.best_score
    best = int(np.argmax(np.nan_to_num(worth, nan=-np.inf)))
    found = FitResult(tuple(models), best, run)

    def build(epoch: int) -> Model:
        params = jax.tree.map(lambda leaf: np.array(leaf[best]), run.snapshots[epoch])
        early = build_model(splits, scaling, [TrainedNetwork(spec, params)], loss)
        # Calibrated as the model is, so that the last step changes nothing but the weights.
        about = found.model.spec
        same = {"temperature": about.temperature, "noise_scale": about.noise_scale}
        return with_spec(early, metrics=_reached(run, best, epoch) if epoch else {}, **same)

    snapshots = {epoch: build(epoch) for epoch in run.snapshots if epoch < found.best_epoch}
    return found._replace(snapshots=snapshots | ({found.best_epoch: found.model} if snapshots else {}))


def _reached(run: RunResult, index: int, epoch: int) -> dict[str, float]:
    """What the history tells of one seed after this epoch; of the first one where none was finite."""
    reached = {name: float(values[index, max(epoch, 1) - 1]) for name, values in run.history.items()}
    return {name: value for name, value in reached.items() if np.isfinite(value)}
