"""The pictures of a sweep show every member, and what mattered."""

import numpy as np

from jaxmlp.plots import sweeps
from tests.support.figures import fits, texts

RANDOM = np.random.default_rng(0)
SETTINGS = {
    "learning_rate": (10 ** RANDOM.uniform(-4, -1, 40)).tolist(),
    "hidden_sizes": RANDOM.choice([64, 128, 1024], 40).tolist(),
    "activation": RANDOM.choice(["relu", "gelu"], 40).tolist(),
    "dropout": [0.1] * 40,
}
SCORES = 0.9 + 0.02 * np.log10(SETTINGS["learning_rate"]) + 1e-3 * RANDOM.normal(size=40)


def test_every_member_has_a_line_in_the_colour_of_its_fate(figure_of):
    losses = np.array([[0.5, 0.2, 0.1], [0.6, np.nan, np.nan], [0.7, 0.8, np.nan]])
    statuses = ["finished", "cut after epoch 1", "not finite in epoch 3"]
    figure = figure_of(sweeps.member_curves, losses, statuses, ylabel="held out log-loss", best=0)
    (axes,) = figure.axes
    drawn = {line.get_label(): np.asarray(line.get_ydata(), float) for line in axes.get_lines()}
    assert set(drawn) == {"finished (1)", "cut (1)", "not finite (1)", "the best"}
    np.testing.assert_array_equal(drawn["cut (1)"], losses[1])
    np.testing.assert_array_equal(drawn["the best"], losses[0])
    # The good ones are within the edges.
    assert axes.get_ylim()[0] < 0.1 < axes.get_ylim()[1] < 0.8
    assert axes.get_xlabel() == "epoch" and fits(figure)


def test_the_landscape_shows_what_was_swept_and_the_pair_in_colour(figure_of):
    figure = figure_of(
        sweeps.score_maps,
        SETTINGS,
        SCORES,
        score_label="validation accuracy",
        percent=True,
    )
    assert {"learning rate", "hidden sizes", "activation", "relu", "gelu"} <= set(texts(figure))
    assert "dropout" not in texts(figure)
    pair, rate = figure.axes[0], figure.axes[1]
    assert pair.get_xscale() == pair.get_yscale() == rate.get_xscale() == "log"
    np.testing.assert_array_equal(np.asarray(pair.collections[0].get_array()), SCORES)
    np.testing.assert_allclose(rate.get_lines()[0].get_ydata(), SCORES)
    assert fits(figure)


def test_failures_are_at_the_bottom_and_flatten_nothing(figure_of):
    scores = SCORES.copy()
    scores[[3, 7, 9]] = 0.1, 0.4, np.nan
    figure = figure_of(sweeps.score_maps, SETTINGS, scores, score_label="validation accuracy")
    pair, rate = figure.axes[:2]
    good, failed = rate.get_lines()
    lowest = np.delete(SCORES, [3, 7, 9]).min()
    np.testing.assert_allclose(good.get_ydata(), np.delete(SCORES, [3, 7, 9]))
    np.testing.assert_allclose(failed.get_ydata(), [lowest, lowest])
    np.testing.assert_allclose(failed.get_xdata(), np.array(SETTINGS["learning_rate"])[[3, 7]])
    assert pair.collections[0].get_clim()[0] == lowest


def test_what_the_score_follows_is_the_most_important():
    scores = SCORES.copy()
    scores[3] = np.nan
    found = sweeps.hyperparameter_importance(SETTINGS, scores)
    names = list(found)
    assert names[0] == "learning rate" and set(names) == {"learning rate", "hidden sizes", "activation"}
    assert found["learning rate"].mean() > 5 * found["activation"].mean()
    assert found["learning rate"].shape == (10,)
