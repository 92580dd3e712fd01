"""Buyers whose motives are known, and so the probability of what they do."""

import numpy as np
from scipy.special import expit

# What a motive asks of an offer: factors of price and utility, and a constant.
MOTIVES = {"value for money": (-1, 1, -0.2), "necessity": (0, 1, -0.8), "bargain hunter": (-1, 0, 0.2)}
STEEPNESS, NOISE = 15, 0.05


def indices(offers: np.ndarray) -> np.ndarray:
    """[offers, motives] The probability that a buyer with the motive buys at this price and utility."""
    *factors, constants = np.transpose(list(MOTIVES.values()))
    return expit(STEEPNESS * (offers @ np.array(factors) + constants))


def buying_probability(offers: np.ndarray) -> np.ndarray:
    """Over the motives that an offer meets, each in proportion to its index, and the coin's noise."""
    index = indices(offers)
    return NOISE + (1 - 2 * NOISE) * np.sum(index**2, axis=1) / np.sum(index, axis=1)


def draw_buyers(num_buyers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Offers anywhere on the plane, and whether the one buyer that each meets bought it (1) or not (0)."""
    draws = np.random.default_rng(seed)
    offers = draws.uniform(size=(num_buyers, 2))
    index = indices(offers)
    up_to = np.cumsum(index, axis=1) / np.sum(index, axis=1, keepdims=True)
    motive = np.sum(draws.uniform(size=(num_buyers, 1)) > up_to[:, :-1], axis=1)
    wanted = draws.uniform(size=num_buyers) < index[np.arange(num_buyers), motive]
    return offers, (wanted ^ (draws.uniform(size=num_buyers) < NOISE)).astype(int)
