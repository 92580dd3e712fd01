"""What the host loop is told from call to call."""

from typing import Any

import numpy as np

from jaxmlp.train.state import EarlyStopping

Told = dict[str, dict[str, np.ndarray]]
"""The ``history``, each curve by its name, and the ``snapshots``, flat, as checkpoints have them."""


def append_curves(told: Told, curves: dict[str, Any]) -> Told:
    """With what the epochs of one more call told in the history."""
    news = {name: values for name, values in curves.items() if name != "first_bad_step"}
    before = {name: told["history"].get(name, values[..., :0]) for name, values in news.items()}
    return told | {"history": {name: np.append(before[name], values, -1) for name, values in news.items()}}


def progress_text(choice: EarlyStopping, history: dict[str, np.ndarray]) -> str:
    """Loss and score of the best member, and how many are lost."""
    monitor, higher_is_better, _ = choice
    now = {name: values[..., -1] for name, values in history.items()}
    finite = np.isfinite(now["train_loss"])
    shown = (("train_loss", np.min), (f"validation_{monitor}", np.max if higher_is_better else np.min))
    whose = "best " if finite.ndim else ""
    values = [f"{whose}{name.replace('_', ' ')} {best(now[name][finite]):.4f}" for name, best in shown]
    return ", ".join(values + [f"{np.sum(~finite)} not finite"] * (not finite.all()))
