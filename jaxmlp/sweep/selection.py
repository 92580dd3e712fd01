"""Ensembles of networks, chosen greedily by their predictions for examples that they have not learnt from.

Members of a sweep are candidates as they are at several times of their run. An average is judged by the
average of the predictions, so that choosing needs nothing else of a network.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.special import expit, log_softmax, softmax

from jaxmlp.data.folds import Folds
from jaxmlp.models.calibration import fit_temperature
from jaxmlp.types import InputError, PyTree

NUM_PARTS = 4
"""Of a validation part, for each of which is chosen on the others."""


class Candidate(NamedTuple):
    """A member of a sweep as it was after ``epoch`` (from 1)."""

    member: int
    epoch: int
    temperature: float
    """By which its logits are divided."""
    counts: Int[np.ndarray, " choices"]
    """How often it counts in the ensemble that is chosen on all rows, and in that of each part's others."""
    predictions: Float[np.ndarray, "rows outputs"]
    """Probabilities of all classes, or values, for the rows that it has not learnt from."""
    params: PyTree
    """Folds on the first axis."""


class HeldOut(NamedTuple):
    """What candidates are judged by: the rows that are held out of the folds, one fold after the other."""

    task: str
    targets: Shaped[np.ndarray, "rows ..."]
    weights: Float[np.ndarray, " rows"]
    """With sum 1."""
    parts: Int[np.ndarray, " rows"]
    """Rows of one part are judged by what is chosen on the others."""
    bounds: tuple[Float[np.ndarray, "rows outputs"], Float[np.ndarray, "rows outputs"]] | None = None
    """Of a regression, the range of the targets that each row's networks have learnt from."""

    def predict(self, outputs: Float[np.ndarray, "rows outputs"]) -> Float[np.ndarray, "rows values"]:
        """Probabilities of all classes, or values, from what networks put out."""
        if self.bounds is not None:
            return np.clip(outputs, *self.bounds)
        if outputs.shape[1] == 1:
            return np.concatenate([expit(-outputs), expit(outputs)], axis=1)
        return softmax(outputs, axis=1)

    def losses(self, predictions: Sequence[Float[np.ndarray, "rows outputs"]]) -> Float[np.ndarray, "n rows"]:
        """Of each array of predictions, the loss of each row: cross-entropy in nats, or the squared error."""
        return _loss(self.task, self.contributions(predictions))

    def contributions(
        self, predictions: Sequence[Float[np.ndarray, "rows outputs"]]
    ) -> Float[np.ndarray, "n rows values"]:
        """What the loss of an average of predictions follows from by averaging: the probability of the true
        class, or the errors.
        """
        if self.task == "regression":
            return np.stack([values - self.targets.reshape(values.shape) for values in predictions])
        return np.stack([values[np.arange(len(values)), self.targets, None] for values in predictions])


def held_out_rows(task: str, folds: Folds) -> HeldOut:
    """The rows that are held out of ``folds``; a single fold is cut into parts at random. InputError unless
    two parts have rows of some weight.
    """
    _, targets, weights = folds.held_out
    num_folds, num_rows = targets.shape[:2]
    parts = np.repeat(np.arange(num_folds), num_rows)
    if num_folds == 1:
        # Those of no weight are dealt out last, so that as many parts as can be have some that count.
        draws = np.random.default_rng(0).permutation(num_rows)
        parts[np.lexsort((draws, np.ravel(np.asarray(weights)) == 0))] = np.arange(num_rows) % NUM_PARTS
    flat = np.asarray(targets).reshape(num_folds * num_rows, *targets.shape[2:])
    shares = np.asarray(weights, float).ravel() / np.sum(np.asarray(weights, float))
    if len(np.unique(parts[shares > 0])) < 2:
        raise InputError(
            "validation: must have at least two examples of some weight to choose by, of two folds where "
            "there are folds"
        )
    bounds = _target_bounds(folds) if task == "regression" else None
    return HeldOut(task, flat, shares, parts, bounds)


def _target_bounds(folds: Folds) -> tuple[np.ndarray, np.ndarray]:
    """The range of the targets that each fold learns from, for each of its rows."""
    targets, num_rows = (
        folds.train.targets.reshape(len(folds.train.targets), -1),
        folds.held_out.targets.shape[1],
    )
    learnt = [targets[weights > 0] for weights in np.asarray(folds.train.weights)]
    low, high = (np.stack([bound(own, axis=0) for own in learnt]) for bound in (np.min, np.max))
    return np.repeat(low, num_rows, axis=0), np.repeat(high, num_rows, axis=0)


def _loss(task: str, contributions: Float[np.ndarray, "*n rows outputs"]) -> Float[np.ndarray, "*n rows"]:
    if task == "regression":
        return np.square(contributions).mean(axis=-1)
    return -np.log(np.maximum(contributions[..., 0], np.finfo(np.float32).tiny))


def sharpen(outputs: Float[np.ndarray, "rows outputs"], held_out: HeldOut) -> float:
    """The temperature of a candidate whose labels were smoothed, which makes it doubt too much."""
    logits = outputs if outputs.shape[1] > 1 else np.concatenate([np.zeros_like(outputs), outputs], axis=1)
    return fit_temperature(log_softmax(logits, axis=1), held_out.targets, held_out.weights)


def sharpen_parts(
    outputs: Float[np.ndarray, "rows outputs"], held_out: HeldOut
) -> Float[np.ndarray, "rows outputs"]:
    """The logits divided by their temperature, which for the rows of each part is fitted to the others."""
    sharpened = np.empty_like(outputs)
    for part in np.unique(held_out.parts):
        own = held_out.parts == part
        others = held_out._replace(weights=np.where(own, 0, held_out.weights))
        sharpened[own] = outputs[own] / sharpen(outputs, others)
    return sharpened


def greedy_selection(
    contributions: Float[np.ndarray, "candidates rows outputs"],
    weights: Float[np.ndarray, " rows"],
    task: str,
    max_size: int,
    max_different: int | None = None,
) -> Int[np.ndarray, " candidates"]:
    """How often each candidate counts in an average that loses little on these rows (Caruana et al. 2004):
    ``max_size`` times the candidate joins that helps most, again and again if need be. Only the first
    ``max_different`` may join again.
    """
    counts = np.zeros(len(contributions), int)
    total = np.zeros_like(contributions[0])
    used = np.flatnonzero(weights)
    contributions, total, weights = contributions[:, used], total[used], weights[used]
    for size in range(1, max_size + 1):
        losses = _loss(task, (total + contributions) / size) @ weights
        if max_different is not None and (counts > 0).sum() >= max_different:
            losses[counts == 0] = np.inf
        best = int(np.argmin(losses))
        counts[best] += 1
        total = total + contributions[best]
    return counts


def choose(
    predictions: Sequence[Float[np.ndarray, "rows outputs"]],
    known: Bool[np.ndarray, "choices candidates"],
    held_out: HeldOut,
    max_size: int,
    max_different: int | None = None,
) -> Int[np.ndarray, "choices candidates"]:
    """How often each candidate counts in what is chosen on all rows, and on all but those of each part, among
    the candidates that are ``known`` there.
    """
    contributions, counts = held_out.contributions(predictions), np.zeros(known.shape, int)
    for choice, own in enumerate(known):
        weights = np.where(held_out.parts == choice - 1, 0, held_out.weights)
        found = greedy_selection(contributions[own], weights, held_out.task, max_size, max_different)
        counts[choice, own] = found
    return counts


def ensemble_predictions(
    candidates: Sequence[Candidate], choice: int = 0
) -> Float[np.ndarray, "rows outputs"]:
    """Those of the ensemble that was chosen on all rows, or without a part."""
    chosen = [one for one in candidates if one.counts[choice]]
    counts = [int(one.counts[choice]) for one in chosen]
    return np.average([one.predictions for one in chosen], axis=0, weights=counts)


def cross_fitted_predictions(
    candidates: Sequence[Candidate], held_out: HeldOut
) -> Float[np.ndarray, "rows outputs"]:
    """For the rows of each part, the predictions of what was chosen on the others: what chooses has not seen
    them either.
    """
    found = np.zeros_like(ensemble_predictions(candidates))
    for part in np.unique(held_out.parts).tolist():
        rows = held_out.parts == part
        found[rows] = ensemble_predictions(candidates, part + 1)[rows]
    return found


def num_choices(held_out: HeldOut) -> int:
    """One on all rows, and one without each part."""
    return 2 + int(held_out.parts.max())
