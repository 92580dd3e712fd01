"""What populations cost: the arithmetic by hand, and a small run."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.harness.pages import module_of
from experiments.populations import measure
from jaxmlp.data import sources
from jaxmlp.records import metric_summary
from tests.support.commands import refused, run

populations = module_of("populations")
Config = populations.Config


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("populations")
    small = ("--sizes", 1, 3, "--num-members", 4, "--hidden-size", 8, "--num-seeds", 2)
    run(populations, "--smoke", "--dataset", "digits", *small, "--out", out)
    assert {path.name for path in out.iterdir()} == {"record.json", "time.png", "memory.png"}
    return json.loads((out / "record.json").read_text())


@pytest.mark.long
def test_ratios_are_of_the_same_repetition(record):
    metrics = record["metrics"]
    alone, together = (
        np.array(metrics[f"epoch_per_member_{name}"]["values"]) for name in ("one_after_another", "race_of_4")
    )
    np.testing.assert_allclose(metrics["ratio_one_after_another"]["values"], alone / together, rtol=1e-4)
    reached = metrics["halving_reached"]
    assert reached["n"] == 2
    assert metrics.get("ratio_halving", {"n": 0})["n"] == sum(reached["values"])
    assert metrics["memory_3"]["mean"] >= metrics["memory_1"]["mean"] > 0


def test_the_limit_counts_the_matrix_products():
    splits = sources.load_dataset("digits")
    train, validation = len(splits.train.inputs), len(splits.validation.inputs)
    # Forward: 64·8 and 8·10 multiplications; backward: both weights, and the error to the hidden layer.
    expected = 2 * (train * (2 * 64 * 8 + 3 * 8 * 10) + validation * (64 * 8 + 8 * 10))
    assert populations.limit(Config(hidden_size=8), splits) == expected


def test_the_race_ends_when_the_goal_is_reached(monkeypatch):
    def found(accuracy, seconds, last=3):
        history = {"validation_accuracy": np.array(accuracy)}
        return SimpleNamespace(
            sweep=SimpleNamespace(
                history=history,
                ensemble_history={"epochs": [1, 2, last], "seconds": seconds},
                seconds={"compile": 1.0},
            )
        )

    runs = iter(
        [
            found([[0.90, 0.9495, 0.95], [0.8, 0.8, 0.8]], [11.0, 21.0, 31.0]),
            found([[0.90, 0.93, 0.9495], [0.8, np.nan, np.nan]], [3.0, 4.0, 5.0], last=2),
        ]
    )
    monkeypatch.setattr(measure.search, "fit_members", lambda *arguments, **options: next(runs))
    (race,) = measure.race(Config(num_seeds=1), sources.load_dataset("digits"), measure.SPACE)
    assert (race["full"], race["halving"], race["full_total"], race["halving_total"]) == (20, 4, 30, 4)
    np.testing.assert_allclose(race["difference"], -0.0005)


@pytest.mark.parametrize(
    ("halving", "share", "ratios"), [([5.0, np.nan], 0.5, [4.0]), ([np.nan] * 2, 0, None)]
)
def test_halving_is_compared_where_it_reached_the_goal(halving, share, ratios):
    races = [
        {"difference": 0.0, "full": 20.0, "full_total": 40.0, "halving": time, "halving_total": 10.0}
        for time in halving
    ]
    times = {"race of 2": [1.0, 1.0], "one after another": [2.0, 3.0]}
    config, splits = Config(num_members=2), sources.load_dataset("digits")
    measured = populations.measures(config, splits, times, {1: 0.5}, [1e9, 1e9], races)
    assert np.mean(measured["halving_reached"][0]) == share
    found = measured.get("ratio_halving")
    assert (found if found is None else found[0].tolist()) == ratios
    np.testing.assert_array_equal(measured["ratio_one_after_another"][0], [2, 3])


def test_every_ratio_says_whether_it_is_shown():
    ratios = {"one_after_another": [1.4, 1.5, 1.6], "pytorch": [0.9, 1.4, 1.3], "halving": [3.0, 4.0]}
    metrics = {f"ratio_{name}": metric_summary(ratio, "1") for name, ratio in ratios.items()}
    metrics["halving_reached"] = metric_summary([1.0, 1.0, 0.0], "fraction")
    config = {"num_members": 8, "varied": "repetition"}
    found = populations.answer({"metrics": metrics, "config": config})
    assert found.shown and found.text.endswith("(3 repetitions)")
    for part in (
        "1.50 ± 0.06 (faster) times as fast as one after another;",
        "1.20 ± 0.15 (no difference shown) times as fast as one after another in PyTorch;",
        "in 67 % of the races, 3.50 ± 0.50 (no difference shown) times as soon",
    ):
        assert part in found.text


def test_bad_input_is_one_line(capsys, tmp_path):
    line, code = refused(capsys, populations, "--sizes", 0, "--out", tmp_path)
    assert code == 2 and "sizes: must be a whole number of at least 1" in line
