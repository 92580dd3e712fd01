"""The convolutional experiment: its network against SciPy and XLA, its comparison, and its runs."""

import json
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

from experiments.cnn import measure, network
from experiments.harness.pages import module_of
from jaxmlp.data import sources
from jaxmlp.data.splits import first_examples
from jaxmlp.records import metric_summary
from tests.support import commands

cnn = module_of("cnn")
CONVOLUTIONS = ((5, 4), (3, 6))


run = partial(commands.run, cnn)


def pooled(x, weight):
    """Convolution and the largest of each 2×2 answers, by SciPy."""
    answers = sum(
        np.stack(
            [correlate2d(x[..., c], kernel, mode="same") for kernel in np.moveaxis(weight[:, :, c], -1, 0)]
        )
        for c in range(x.shape[-1])
    )
    height, width = (size // 2 * 2 for size in x.shape[:2])
    corners = [answers[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    return np.moveaxis(np.max(corners, axis=0), 0, -1)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "side"), [((8, 8, 1), 5), ((7, 10, 3), 3), ((6, 9, 2), 2)])
def test_both_convolutions_agree_with_each_other_and_with_scipy(shape, side):
    x, weight = random(*shape), random(side, side, shape[-1], 4, seed=1)

    def both(convolve):
        slopes = jax.grad(lambda *given: jnp.sum(jnp.sin(convolve(*given))), argnums=(0, 1))
        return jax.jit(lambda *given: (convolve(*given), slopes(*given)))(x, weight)

    ours, theirs = both(network.patches_times_matrix), both(network.lax_convolution)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-4), ours, theirs)
    if side % 2:
        np.testing.assert_allclose(ours[0], pooled(x, weight), atol=1e-4)


def test_a_block_of_pixels_becomes_a_row():
    rows = network.by_blocks(jnp.arange(16).reshape(4, 4, 1))
    np.testing.assert_array_equal(rows[0], [[0, 1, 4, 5], [2, 3, 6, 7]])
    np.testing.assert_array_equal(rows[1], [[8, 9, 12, 13], [10, 11, 14, 15]])


def test_the_network_is_convolutions_then_layers():
    init = jax.jit(network.init, static_argnums=(1, 2, 3))
    params = init(jax.random.key(0), CONVOLUTIONS, (9, 8, 3), 10)
    assert [weight.shape for weight in params.weights] == [(5, 5, 3, 4), (3, 3, 4, 6)]
    assert [layer.weight.shape for layer in params.dense] == [
        (2 * 2 * 6, network.HIDDEN),
        (network.HIDDEN, 10),
    ]
    # He et al. (2015): the standard deviation is √(2 / inputs of a filter).
    spreads = [float(np.std(weight)) for weight in params.weights]
    np.testing.assert_allclose(spreads, [np.sqrt(2 / 75), np.sqrt(2 / 36)], rtol=0.15)
    assert not any(np.any(bias) for bias in params.biases)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + 0.1, params)
    x = image = random(9, 8, 3)
    for weight, bias in zip(params.weights, params.biases, strict=True):
        x = np.maximum(pooled(x, weight) + bias, 0)
    hidden = np.maximum(x.ravel() @ params.dense[0].weight + params.dense[0].bias, 0)
    logits = jax.jit(network.apply, static_argnums=2)(params, image, network.patches_times_matrix)
    np.testing.assert_allclose(logits, hidden @ params.dense[1].weight + params.dense[1].bias, rtol=1e-4)


@pytest.fixture
def splits():
    return first_examples(sources.load_dataset("digits"), 100)


@pytest.mark.parametrize(("better", "epochs"), [(0, 22), (1, 44)])
def test_a_rival_takes_the_better_form_and_the_time_it_is_given(better, epochs, monkeypatch, splits):
    calls = []

    def train(config, splits, form, num_epochs, runs):
        calls.append((form.name, num_epochs, list(runs)))
        score = 0.9 if (("still" in form.name) == better) == (num_epochs > 4) else 0.8
        seconds = num_epochs * (0.25 if "still" in form.name else 0.5)
        history = {"validation_accuracy": np.array([[score] + [0.1] * (num_epochs - 1)])}
        fitted = SimpleNamespace(history=history, seconds={"train": np.array([seconds])})
        return measure.Outcome(form, 1, fitted, {})

    monkeypatch.setattr(measure, "train", train)
    outcome = measure.train_rival(cnn.Config(num_epochs=4, num_seeds=2, seed=7), splits, (5,), None, 11.0)
    moved, still = "64-5-10, images moved", "64-5-10, images still"
    best = (moved, still)[better]
    assert calls == [
        (moved, 4, [7]),
        (moved, 22, [7]),
        (still, 4, [7]),
        (still, 44, [7]),
        (best, epochs, [7, 8]),
    ]
    assert outcome.form.name == best
    assert sorted(outcome.tried.values()) == [0.8, 0.9]


def test_ctrl_c_ends_all_seeds(monkeypatch, splits):
    calls = []

    def fit(*arguments, **options):
        calls.append(options)
        return SimpleNamespace(interrupted=True)

    monkeypatch.setattr(measure, "fit", fit)
    config = cnn.Config(progress=False)
    with pytest.raises(KeyboardInterrupt):
        measure.train(
            config, splits, measure.enter(config, "one", network.make_cnn(config, splits), 0.5), 3, range(5)
        )
    assert len(calls) == 1 and calls[0]["hyperparams"].num_steps == 3 * 2


@pytest.mark.parametrize(
    ("difference", "word", "shown"),
    [
        ([0.01, 0.011, 0.012], "(ahead)", True),
        ([-0.02, -0.021], "(behind)", False),
        ([0.02, -0.01], "(no difference shown)", False),
        ([0.1], "(no difference shown)", False),
    ],
)
def test_only_a_difference_that_is_shown_is_told(difference, word, shown):
    wide, right = metric_summary([0.01, 0.011], "fraction"), metric_summary([0.5], "fraction")
    metrics = {"cnn_test_accuracy": right, "cnn_minus_wide_mlp": wide}
    metrics["cnn_minus_small_mlp"] = metric_summary(difference, "fraction")
    found = cnn.answer({"metrics": metrics, "config": {}})
    assert word in found.text.split(";")[1] and "(ahead)" in found.text.split(";")[2]
    assert found.shown is shown


@pytest.mark.long
def test_a_smoke_run_compares_three_forms(tmp_path):
    flags = ("--smoke", "--dataset", "digits", "--num-seeds", 2, "--convolutions", 5, 4, 3, 6)
    run(*flags, "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    metrics = record["metrics"]
    assert next(iter(metrics)) == "cnn_test_accuracy" and metrics["cnn_test_accuracy"]["n"] == 2
    sizes = [4 * 26, 6 * (9 * 4 + 1), 128 * (2 * 2 * 6 + 1), 10 * 129]
    np.testing.assert_allclose(metrics["cnn_parameters"]["mean"], sum(sizes) / 1000)
    assert 0 <= metrics["cnn_parameters"]["mean"] - metrics["small_mlp_parameters"]["mean"] < 0.075
    assert metrics["wide_mlp_parameters"]["mean"] == (65 * 512 + 513 * 512 + 513 * 10) / 1000
    for name in ("small_mlp", "wide_mlp"):
        assert record["tables"]["tried"][record["config"]["forms"][name]] > 0
        pairs = (metrics[f"{form}_test_accuracy"]["values"] for form in ("cnn", name))
        difference = np.subtract(*pairs)
        np.testing.assert_allclose(metrics[f"cnn_minus_{name}"]["values"], difference, atol=1e-6)
    times = {name: metrics[f"{name}_step"] for name in ("patches", "lax")}
    assert all(time["n"] == 2 and time["mean"] > 0 for time in times.values())
    ratio = times["lax"]["mean"] / times["patches"]["mean"]
    np.testing.assert_allclose(metrics["lax_slowdown"]["mean"], ratio, rtol=1e-4)
    assert np.shape(record["tables"]["filters"]) == (5, 5, 1, 4)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"record.json", "comparison.png", "filters.png", "answers.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "wine"), "dataset: must hold images"),
        (("--convolutions", 3, 8, 3, 8, 3, 8, 3, 8), "at least 16×16 pixels"),
        (("--convolutions", 1, 8), "convolutions"),
        (("--convolutions", 3, 0), "convolutions"),
        (("--shift", -1), "shift"),
        (("--num-epochs", 0), "num_epochs"),
        (("--batch-size", 0), "batch_size"),
        (("--batch-size", 100_000), "batch_size"),
        (("--learning-rate", 0), "learning_rate"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    arguments = arguments if "--dataset" in arguments else ("--dataset", "digits", *arguments)
    line, status = commands.refused(capsys, cnn, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
