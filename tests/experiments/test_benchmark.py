"""The benchmark: its arithmetic by hand, its systems from the same weights, and a small run."""

import json

import jax
import msgspec
import numpy as np
import pytest

from experiments.benchmark import figures, measures, peers
from experiments.benchmark.measures import Race, Results, Timed
from experiments.benchmark.process import save, started
from experiments.benchmark.work import Data, Work, initial, orders
from experiments.harness.answers import slug
from experiments.harness.apart import ProcessError
from experiments.harness.pages import module_of
from tests.support.commands import refused, run

benchmark = module_of("benchmark")
Config = benchmark.Config


def made_data(num_examples=64, num_validation=40):
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(num_examples + num_validation, 6)).astype(np.float32)
    labels = inputs[:, :3].argmax(axis=1).astype(np.int32)
    return Data(inputs[:num_examples], labels[:num_examples], inputs[num_examples:], labels[num_examples:])


def timed(*epochs, accuracy=0.97):
    return Timed(first=9.0, epochs=list(epochs), accuracy=accuracy, memory=0.5)


ROW = {
    "jaxmlp": timed(1.0, 2.0),
    "slow": timed(4.0, 4.0),
    "fast": timed(3.0, 3.0),
    "fast, bfloat16": timed(2.0, 2.0),
    "fastest, but wrong": timed(0.1, 0.1, accuracy=0.9),
    "products": timed(0.5, 0.8, accuracy=0.0),
}
WORKS = {"60, batch 128": Work((4, 3, 2)), "2 of 60": Work((4, 3, 2), num_members=2)}
POPULATION = {"jaxmlp": timed(1.0, 1.0), "jaxmlp, bfloat16": timed(0.5, 0.8), "batched": timed(1.5, 3.0)}


def measured(**changes):
    results = Results({"60, batch 128": ROW, "2 of 60": POPULATION}, {"60, batch 128": [1e4, 1e4]}, {}, {})
    return measures.measures(
        msgspec.structs.replace(results, **changes), WORKS, {"images": made_data(1000, 1000)}
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ratio_60_batch_128", [3.0, 1.5]),
        ("ratio_60_batch_128_any_precision", [2.0, 1.0]),
        ("ratio_2_of_60", [1.5, 3.0]),
        ("ratio_2_of_60_any_precision", [3.0, 3.75]),
        # Two networks one after another, by the best of all that count.
        ("ratio_2_of_60_one_after_another", [6.0, 6.0]),
        ("ratio_2_of_60_one_after_another_any_precision", [8.0, 5.0]),
        # 2 (2 · 12 + 3 · 6) operations an example, 1000 examples, 10,000 operations a second: 8.4 s.
        ("share_of_peak_60_batch_128", [8.4, 4.2]),
        ("products_share_of_peak_60_batch_128", [16.8, 10.5]),
        ("epoch_60_batch_128_fast_bfloat16", [2000.0, 2000.0]),
    ],
)
def test_a_ratio_is_to_the_best_of_those_that_count(name, expected):
    np.testing.assert_allclose(measured()[name][0], expected)


def test_a_race_is_won_by_the_median_and_lost_by_who_never_arrives():
    seconds = {"jaxmlp": [2.0, 2.0, 4.0], "steady": [6.0, 6.0, 6.0], "moody": [1.0, None, None]}
    races = {name: [Race(goal) for goal in goals] for name, goals in seconds.items()}
    found = measured(races={"60, batch 128": {"warm": races}})
    np.testing.assert_allclose(found["ratio_warm_to_goal_60_batch_128"][0], [3.0, 3.0, 1.5])


def test_an_exponent_is_that_of_a_power_law():
    grown = {"width": {n: [0.1 * n**1.5, 7 * n**0.5] for n in (10, 20, 80)}}
    np.testing.assert_allclose(measured(grown=grown)["exponent_width"][0], [1.5, 0.5])


@pytest.mark.parametrize(("other", "expected"), [(0.97, True), (0.95, True), (0.93, False)])
def test_accuracies_agree_within_their_noise(other, expected):
    # With 1000 examples a share of 0.96 has a standard error of 0.0062, and a difference one of 0.0088.
    assert bool(measures.agrees(0.97, other, 1000)) is expected


def by_hand(work, data, member=0):
    """The accuracy before any step, in NumPy."""
    x, layers = data.validation_inputs, initial(work, member)
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    weight, bias = layers[-1]
    return np.mean((x @ weight + bias).argmax(axis=1) == data.validation_labels)


@pytest.mark.parametrize(
    ("name", "num_members"),
    [*((name, 1) for name in peers.SYSTEMS), *((name, 3) for name in peers.POPULATIONS)],
)
def test_every_system_starts_from_the_same_weights_and_learns(name, num_members):
    work, data = Work((6, 16, 3), 16, num_members=num_members, learning_rate=1e-2), made_data(320)
    # What our own tests forbid, Keras does.
    with jax.numpy_rank_promotion("allow"):
        try:
            trainer = peers.systems_for(work)[name](work, data)
        except ImportError as error:
            pytest.skip(f"needs {error.name}: pip install -e '.[peers]'")
        before = np.mean([by_hand(work, data, member) for member in range(num_members)])
        np.testing.assert_allclose(trainer.accuracy(), before, atol=1e-6)
        for _ in range(8):
            trainer.epoch()
        assert trainer.accuracy() > max(0.75, before)


def test_bytes_train_this_library_as_their_scaled_inputs_do():
    data = made_data(320)
    pixels = np.random.default_rng(0).integers(0, 256, data.inputs.shape, dtype=np.uint8)
    scaled = data._replace(inputs=(pixels / np.float32(255)).astype(np.float32))
    raw = scaled._replace(pixels=pixels, brightest=np.asarray(255, np.float32))
    work, reached = Work((6, 16, 3), 16, learning_rate=1e-2), []
    for one in (scaled, raw):
        trainer = peers.SYSTEMS["jaxmlp"](work, one)
        for _ in range(3):
            trainer.epoch()
        reached.append(trainer.accuracy())
    assert reached[0] == reached[1]


def test_the_initial_weights_keep_the_signals_variance_and_differ_by_member():
    work = Work((400, 300, 10))
    (first, bias), (last, _) = initial(work)
    np.testing.assert_allclose([first.var(), last.var()], [2 / 400, 1 / 300], rtol=0.1)
    assert not bias.any() and first.dtype == np.float32
    assert not np.allclose(first, initial(work, 1)[0][0])


def test_an_order_is_another_one_each_epoch_and_whole_batches():
    found = orders(Work((6, 3), 16), 50)
    first, second = next(found), next(found)
    assert first.shape == (3, 16) and len(set(first.ravel())) == 48
    assert (first != second).any()


def test_a_worker_does_what_it_is_told(tmp_path):
    save(tmp_path / "images", made_data())
    with started("scikit-learn", Work((6, 8, 3), 16, num_examples=32), tmp_path) as ask:
        assert ask("epoch") > 0 and 0 <= ask("accuracy") <= 1 and 0.01 < ask("memory") < 10
        with pytest.raises(ProcessError, match="KeyError: 'dance'"):
            ask("dance")
    with (
        started("nobody", Work((6, 3)), tmp_path) as ask,
        pytest.raises(ProcessError, match="KeyError: 'nobody'"),
    ):
        ask("epoch")


@pytest.mark.long
def test_a_small_run_leaves_its_record_and_pictures(tmp_path, capsys):
    options = ("--works", "60, batch 512", "--systems", "scikit-learn", "--num-examples", 1024)
    run(benchmark, "--smoke", "--dataset", "digits", *options, "--out", tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == {"record.json", "epochs_60.png", "costs.png"}
    row = record["tables"]["timed"]["60, batch 512"]
    assert set(row) == {"jaxmlp", "scikit-learn", "products"}
    for name in ("jaxmlp", "scikit-learn", "products"):
        (found,) = record["metrics"][f"epoch_60_batch_512_{slug(name)}"]["values"]
        np.testing.assert_allclose(found, 1000 * row[name]["epochs"][0], rtol=1e-3)
    assert "60, batch 512: jaxmlp" in capsys.readouterr().out


@pytest.mark.long
def test_races_and_growth_run_and_are_measured_and_drawn(tmp_path):
    save(tmp_path / "images", made_data(1024, 200))
    config = Config(num_seeds=2, num_races=1, goal=0.6, systems=("scikit-learn",))
    races = benchmark.race(config, Work((6, 16, 3), 32, learning_rate=1e-2), tmp_path)
    assert {way: set(each) for way, each in races.items()} == {
        way: {"jaxmlp", "scikit-learn"} for way in ("cold", "warm")
    }
    assert all(0 < run.goal < 60 for each in races.values() for (run,) in each.values())
    grown = benchmark.grow(config, {8: Work((6, 8, 3))}, tmp_path)
    assert set(grown) == {8} and len(grown[8]) == 2 and min(grown[8]) > 0
    peaks = {"60, batch 128": [1e4, 1e4]}
    results = Results(
        {"60, batch 128": ROW}, peaks, {"60, batch 128": races}, {"width": grown | {16: [1.0, 2.0]}}
    )
    found = measures.measures(results, WORKS, {"images": made_data()})
    warm = {name: runs[0].goal for name, runs in races["warm"].items()}
    expected = warm["scikit-learn"] / warm["jaxmlp"]
    np.testing.assert_allclose(found["ratio_warm_to_goal_60_batch_128"][0], expected)
    figures.draw({"tables": json.loads(msgspec.json.encode(results))}, tmp_path)
    for name in ("growth_width.png", "races_60_batch_128.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_who_fails_on_the_way_is_named_and_asked_no_more(capsys):
    def fails(command):
        raise ProcessError("out of memory")

    asks = {"steady": lambda command: 2.0, "weak": fails}
    assert benchmark.answers(asks, "epoch") == {"steady": 2.0}
    assert set(asks) == {"steady"}
    assert "weak is left out: out of memory" in capsys.readouterr().out
    assert benchmark.answers(asks, "memory", ["weak"]) == {}


def test_the_works_fit_their_data_and_are_whole_batches():
    data = benchmark.load_all(Config(dataset="digits", num_examples=1200))
    assert set(data) == {"images", "table", "digits"}
    assert [len(one.inputs) for one in data.values()] == [1024, 9984, 1024]
    for name, work in benchmark.works_of(data).items():
        one = data[work.dataset]
        assert len(one.inputs) % work.batch_size == 0, name
        if one.pixels.size:
            np.testing.assert_allclose(one.pixels / one.brightest, one.inputs, rtol=1e-6)
        assert work.layer_sizes[0] == one.inputs.shape[1] and work.layer_sizes[-1] == 1 + one.labels.max()
        assert len(one.validation_inputs) == len(one.validation_labels) > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--works", "sixty"), "works: must name parts of 60, batch 128"),
        (("--num-examples", 100), "num_examples: must be at least 512"),
        (("--goal", 1.0), "goal: must be at least 0 and below 1"),
        (("--num-races", 0), "num_races: must be a whole number of at least 1"),
    ],
)
def test_flags_that_cannot_be_are_refused(flags, message, tmp_path, capsys):
    line, status = refused(capsys, benchmark, "--dataset", "digits", *flags, "--out", tmp_path)
    assert message in line and status == 2
