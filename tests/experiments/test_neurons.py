"""Strokes and static: the moments of training and the removal of neurons, by known answers."""

import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from experiments.harness.pages import module_of
from experiments.neurons import measure
from jaxmlp import Affine, Dataset, Layer, make_network
from jaxmlp.nn import heads
from jaxmlp.records import metric_summary
from tests.support import commands

neurons = module_of("neurons")
run = partial(commands.run, neurons)


class TestRemoval:
    """Two networks of 3-4-3 with ReLU, evaluated by NumPy."""

    def setup_method(self):
        generator = np.random.default_rng(3)
        sizes = ((2, 3, 4), (2, 4, 3))
        self.params = tuple(
            Layer(generator.normal(size=size).astype(np.float32), np.full((2, size[-1]), 0.1, np.float32))
            for size in sizes
        )
        labels = generator.integers(0, 3, 200).astype(np.int32)
        self.dataset = Dataset(generator.normal(size=(200, 3)).astype(np.float32), labels)
        affine = Affine(np.zeros(3, np.float32), np.ones(3, np.float32))
        self.network = make_network((3, 4, 3), heads.multiclass, affine)

    def accuracy(self, seed, silent):
        (w1, b1), (w2, b2) = ((layer.weight[seed], layer.bias[seed]) for layer in self.params)
        hidden = np.maximum(self.dataset.inputs @ w1 + b1, 0)
        hidden[:, silent] = 0
        return np.mean(np.argmax(hidden @ w2 + b2, axis=1) == self.dataset.targets)

    def test_neurons_fall_silent_in_the_order_of_their_scores(self):
        strokes = np.array([[0.3, 0.1, 0.4, 0.2], [0.1, 0.2, 0.3, 0.4]])
        norms = np.linalg.norm(self.params[1].weight, axis=-1)
        scores = measure.removal_scores({"end": strokes, "outgoing_norm": norms}, seed=0)
        counts = [0, 1, 3, 4]
        found = measure.remove(self.network, self.params, scores, counts, self.dataset)
        for seed, static_first in enumerate(([1, 3, 0, 2], [0, 1, 2, 3])):
            orders = {
                "static_first": static_first,
                "strokes_first": static_first[::-1],
                "smallest_outgoing_weights_first": np.argsort(norms[seed]),
            }
            for name, order in orders.items():
                expected = [self.accuracy(seed, order[:count]) for count in counts]
                np.testing.assert_allclose(found[name][seed], expected, atol=1e-6)
            random = [[self.accuracy(seed, np.argsort(s)[:n]) for n in counts] for s in scores[seed, 3:]]
            assert len({tuple(np.argsort(s)) for s in scores[seed, 3:]}) > 3
            np.testing.assert_allclose(found["random_order"][seed], np.mean(random, axis=0), atol=1e-6)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("neurons")
    flags = ("--smoke", "--dataset", "digits", "--num-seeds", 2, "--num-neurons", 12, "--batch-size", 32)
    run(*flags, "--weight-decay", 30, "--dropout", 0.5, "--learning-rate", 0.01, "--out", out)
    return out, json.loads((out / "record.json").read_text())


@pytest.mark.long
def test_the_record_holds_the_measures_and_what_the_pictures_show(smoke):
    record = smoke[1]
    metrics, tables = record["metrics"], record["tables"]
    assert next(iter(metrics)) == "autocorrelation_at_end" and {m["n"] for m in metrics.values()} == {2}
    np.testing.assert_allclose(
        metrics["autocorrelation_at_end"]["values"], np.mean(tables["end"], axis=1), rtol=1e-4
    )
    # Strong decay leaves nothing of the random weights.
    assert metrics["weight_decay_30_autocorrelation"]["mean"] > metrics["neither_autocorrelation"]["mean"]
    values = {name: np.array(metric["values"]) for name, metric in metrics.items()}
    np.testing.assert_allclose(
        values["static_first_minus_strokes_first"],
        values["half_removed_static_first_test_accuracy"]
        - values["half_removed_strokes_first_test_accuracy"],
    )
    assert values["neither_validation_accuracy"].mean() > 0.6
    assert set(record["seconds"]) == {"compile", "train", "total"}


@pytest.mark.long
def test_the_moments_are_the_ends_of_the_parts_of_the_data(smoke):
    tables = smoke[1]["tables"]
    # 512 examples in ten parts of 51, and then once more, whole.
    np.testing.assert_allclose(tables["passes"], np.append(51 * np.arange(11), 510 + 512) / 512, rtol=1e-4)
    assert tables["first_pass"] == 10
    assert np.shape(tables["autocorrelation"]) == np.shape(tables["accuracy"]) == (12, 2, 3)


@pytest.mark.long
def test_without_any_neuron_all_orders_are_alike(smoke):
    removed = smoke[1]["tables"]["removed"]
    assert removed["counts"] == list(range(13))
    for at, expected in ((0, smoke[1]["metrics"]["neither_validation_accuracy"]["values"]), (-1, None)):
        ends = [np.array(removed[order])[:, at] for order in measure.ORDERS]
        np.testing.assert_allclose(
            ends, np.broadcast_to(ends[0] if expected is None else expected, (4, 2)), rtol=1e-4
        )


@pytest.mark.long
def test_the_pictures_are_there_and_the_animation_moves(smoke):
    folder = smoke[0]
    charts = {"histograms.png", "course.png", "settings.png", "removed.png", "exciting.png"}
    neuron_pictures = {"neurons.gif", "neurons_start.png", "neurons_first_pass.png", "neurons_end.png"}
    assert {path.name for path in folder.iterdir()} == {"record.json"} | charts | neuron_pictures
    with Image.open(folder / "neurons.gif") as animation:
        assert animation.n_frames > 5
    assert (folder / "neurons_start.png").read_bytes() != (folder / "neurons_end.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--num-neurons", 1), "num_neurons: must be a whole number of at least 2, got 1"),
        (("--num-epochs", 0), "num_epochs"),
        (("--batch-size", 0), "batch_size"),
        (("--batch-size", 100_000), "batch_size: must be at most"),
        (("--weight-decay", -0.1), "weight_decay: must be a finite number of at least 0, got -0.1"),
        (("--dropout", 0.5, 1), "dropout: must be at least 0 and below 1, got 1.0"),
        (("--learning-rate", 0), "learning_rate"),
        (("--dataset", "wine"), "dataset: must hold images"),
        (("--dataset", "diabetes"), "real values"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path, capsys):
    arguments = arguments if "--dataset" in arguments else ("--dataset", "digits", *arguments)
    line, status = commands.refused(capsys, neurons, *arguments, "--out", tmp_path)
    assert status == 2 and line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "word"), [([0.5, 0.52, 0.51], "Both in one"), ([0.3, -0.2, 0.1], "Strokes are not shown")]
)
def test_strokes_are_found_where_a_rise_is_shown(end, word):
    gaps = {f"static_first_minus_{order}": [0.2, 0.21, 0.22] for order in measure.ORDERS[1:]}
    shares = {"autocorrelation_at_start": [0.01, 0.0, -0.01], "autocorrelation_at_end": end} | gaps
    shares["share_like_static"] = [0.0, 0.1, 0.0]
    metrics = {name: metric_summary(values, "1") for name, values in shares.items()}
    text = neurons.answer({"metrics": metrics, "config": {}}).text
    assert text.startswith(f"{word}: ") and text.endswith("0.210 ± 0.006 (higher) (3 seeds)")
