"""Ensembles of networks, chosen greedily on validation data while the networks learn.

What a candidate contributes is one number for each validation example: the probability it gives the true
class, or its error where the target is real. The contribution of an average of networks is the average of
theirs, so that choosing needs nothing else.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Shaped

from jaxmlp.nn.metrics import Metric, log_probabilities
from jaxmlp.types import PyTree

NUM_BAGS = 8


class EnsembleMember(NamedTuple):
    """A network in the ensemble, as it was after ``epoch`` (from 1), and how often it counts."""

    member: int
    epoch: int
    count: int  # type: ignore[assignment]  # hides the method of tuples, which nobody calls here
    contribution: Float[np.ndarray, " examples"]
    params: PyTree


def probability_of_label(
    logits: Float[Array, "examples outputs"], labels: Integer[Array, " examples"]
) -> Float[Array, " examples"]:
    """A classifier's contribution."""
    return jnp.exp(jnp.take_along_axis(log_probabilities(logits), labels[:, None], axis=-1)[:, 0])


def prediction_error(
    predictions: Float[Array, "examples outputs"], targets: Shaped[Array, "examples ..."]
) -> Float[Array, " values"]:
    """A regression's contribution: each output of each example."""
    return (predictions - targets.reshape(predictions.shape)).ravel()


CONTRIBUTIONS = {
    "binary": Metric(probability_of_label, higher_is_better=True, unit="fraction"),
    "multiclass": Metric(probability_of_label, higher_is_better=True, unit="fraction"),
    "regression": Metric(prediction_error, higher_is_better=False, unit="target's unit"),
}


def contribution_loss(task: str) -> Callable[[Float[np.ndarray, "..."]], Float[np.ndarray, "..."]]:
    """What an average contribution costs: cross-entropy in nats, or the squared error."""
    if task == "regression":
        return np.square
    tiny = np.finfo(np.float32).tiny
    return lambda contribution: -np.log(np.maximum(contribution, tiny))


def greedy_selection(
    contributions: Float[np.ndarray, "candidates examples"],
    losses: Callable[..., np.ndarray],
    max_size: int,
    *,
    num_bags: int = NUM_BAGS,
    starts: Sequence[int] = (),
) -> Integer[np.ndarray, " candidates"]:
    """How often each candidate counts in the ensemble: greedy selection with replacement (Caruana et al.
    2004), each pick the candidate after which the average costs least.

    It guards against a small validation set in two ways. Each of ``num_bags`` ensembles is chosen on its own
    bootstrap sample of the examples, and all are put together; and each begins with another of the candidates
    ``starts``, in turn, so that not every vote is for who happens to fit these examples. A single bag holds
    every example once and begins with nobody: selection without the guard. At most ``max_size`` picks in all.
    """
    num_bags = min(num_bags, max_size)
    num_picks, num_examples = max_size // num_bags, contributions.shape[1]
    given = list(starts) if num_bags > 1 and num_picks > 1 else []
    draws = np.random.default_rng(0)
    counts = np.zeros(len(contributions), int)
    alike = np.full(num_examples, 1 / num_examples)
    bags = (
        draws.multinomial(num_examples, alike, size=num_bags) if num_bags > 1 else np.ones((1, num_examples))
    )
    for number, weights in enumerate(bags.astype(float)):
        picks = [given[number % len(given)]] if given else []
        total = contributions[picks].sum(axis=0)
        for size in range(len(picks) + 1, num_picks + 1):
            picks.append(int(np.argmin(losses((total + contributions) / size) @ weights)))
            total = total + contributions[picks[-1]]
        np.add.at(counts, picks, 1)
    return counts


def update_ensemble(
    ensemble: Sequence[EnsembleMember],
    members: Sequence[tuple[int, int]],
    contributions: Float[np.ndarray, "members examples"],
    params_of: Callable[[int], PyTree],
    *,
    losses: Callable[..., np.ndarray],
    max_size: int,
    num_bags: int = NUM_BAGS,
) -> list[EnsembleMember]:
    """The ensemble from those chosen before and what ``members``, each with the epochs it has behind it, are
    now; the best of these have a vote each to begin with.

    ``params_of(i)`` is called for the newly chosen of ``members`` alone; what is not chosen is let go.
    """
    finite = np.flatnonzero(np.isfinite(contributions).all(axis=1))
    known = [candidate.contribution for candidate in ensemble]
    pool = (
        np.stack([*known, *contributions[finite]])
        if known or len(finite)
        else np.empty((0, contributions.shape[1]))
    )
    if not len(pool):
        return []
    # The best of those who train now: they were not picked out of all epochs, where some only seem good.
    starts = len(ensemble) + np.argsort(losses(contributions[finite]).mean(axis=1), kind="stable")
    counts = greedy_selection(pool, losses, max_size, num_bags=num_bags, starts=starts.tolist())
    kept = [c._replace(count=int(n)) for c, n in zip(ensemble, counts, strict=False) if n]
    fresh = zip(finite.tolist(), counts[len(ensemble) :], strict=True)
    # A row of ``contributions`` would hold on to all rows: a copy.
    return kept + [
        EnsembleMember(*members[i], int(n), contributions[i].copy(), params_of(i)) for i, n in fresh if n
    ]
