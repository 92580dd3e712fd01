"""What the experiment on scaling works out from seconds and data sheets, by hand."""

import itertools
import multiprocessing
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from experiments.harness.apart import ProcessError
from experiments.harness.pages import module_of
from experiments.scaling.memory import watch_memory
from experiments.scaling.processes import agreement, started, timed, ways_of
from experiments.scaling.roofline import roofline
from jaxmlp.records import metric_summary
from jaxmlp.types import Dataset

scaling = module_of("scaling")
Config = scaling.Config


def test_speeds_and_costs_follow_from_seconds():
    seconds = {
        "strong data 1": [4.0, 6.0],
        "strong data 2": [2.0, 4.0],
        "weak data 2": [8.0, 3.0],
        "strong members 1": [9.0, 9.0],
        "strong members 2": [3.0, 9.0],
        # Twice as many networks in the same time is twice as much work.
        "weak members 2": [9.0, 18.0],
        "in memory": [9.0],
        "parts": [10.0],
        "as it is": [3.0],
        "deformed": [4.0],
    }
    found = scaling.measures(Config(processes=(1, 2)), seconds)
    assert {name: values.tolist() for name, (values, _) in found.items()} == {
        "strong_data_2": [2.0, 1.5],
        "weak_data_2": [0.5, 2.0],
        "strong_members_2": [3.0, 1.0],
        "weak_members_2": [2.0, 1.0],
        "streaming_speed": [0.9],
        "deformation_share": [0.25],
    }


def test_each_process_has_as_much_to_do_in_weak_scaling():
    images = Dataset(np.zeros((1000, 8, 8), np.uint8), np.zeros(1000))
    ways = ways_of(Config(processes=(1, 2), batch_size=64, num_members=3), images)
    kinds = {f"{kind} {axis} 2" for kind in ("strong", "weak") for axis in ("data", "members")}
    assert {name for name, (number, _) in ways.items() if number == 2} == kinds
    flags = {name: dict(itertools.pairwise(flags)) for name, (_, flags) in ways.items()}
    assert [flags[f"{kind} data 2"]["--batch-size"] for kind in ("strong", "weak")] == ["64", "128"]
    assert [flags[f"{kind} members 2"]["--num-seeds"] for kind in ("strong", "weak")] == ["3", "6"]


@pytest.mark.long
def test_two_processes_train_what_one_does_as_often_as_they_are_told(tmp_path):
    config = Config(dataset="digits", num_seeds=2, processes=(1, 2), axes=("members",), num_members=2)
    found = agreement(replace(config, num_epochs=2), tmp_path)
    assert list(found) == ["difference_members_2"]
    assert 0 <= found["difference_members_2"][0][0] < scaling.SAME
    flags = "--hidden-sizes", "8", "--num-seeds", "2", "--mesh", "members=2"
    seconds = timed(replace(config, num_epochs=1), tmp_path, {"shared": (2, flags)})
    assert list(seconds) == ["shared"] and len(seconds["shared"]) == 2 and min(seconds["shared"]) > 0


@pytest.mark.long
def test_a_process_that_fails_says_why(tmp_path):
    ways = {"none": ("--hidden-sizes", "0")}
    with (
        pytest.raises(ProcessError, match="hidden_sizes"),
        started(Config(dataset="digits"), tmp_path, None, ways) as train,
    ):
        train("none")


def test_the_roofline_of_one_host_by_hand():
    row = next(row for row in roofline() if row["precision"] == "tf32")
    # 2 · 7/8 · 4 P bytes over 450 GB/s take as long as 6 P B operations at half of 495 TFLOP/s.
    assert row["images_per_gpu_for_one_network"] == round(2 * 7 / 8 * 4 / 450e9 * 247.5e12 / 6)
    assert row["images_per_step_for_one_network"] == pytest.approx(
        8 * row["images_per_gpu_for_one_network"], abs=4
    )
    network = 785 * 512 + 513 * 512 + 513 * 10
    found = row["networks_per_gpu_to_fill_a_step_of_128"]
    np.testing.assert_allclose(found, 8e-6 * 247.5e12 / (6 * 128 * network), atol=0.05)


@pytest.mark.parametrize(
    ("processes", "said"),
    [([1], "no more"), ([1, 3], "with networks shared out, 2.00 ± 0.00 (more) times as much")],
)
@pytest.mark.parametrize(("difference", "result"), [(9e-16, "the same"), (1e-3, "another one")])
def test_the_answer_is_of_the_fewest_processes_that_share(processes, said, difference, result):
    metrics = {"streaming_speed": [0.9, 1.1], "deformation_share": [0.1, 0.2], "strong_members_3": [2.0, 2.0]}
    metrics["difference_members_3"] = [difference]
    summaries = {name: metric_summary(values, "1") for name, values in metrics.items()}
    record = {"config": {"processes": processes, "cores": 2}, "metrics": summaries}
    text = scaling.answer(record).text
    assert said in text and text.startswith(f"The result is {result}: ")
    assert "1.00 ± 0.10 (no difference shown) of the speed" in text
    assert "0.15 ± 0.05 (no difference shown) of the time (2 seeds)" in text


def hold(num_floats, status):
    held = np.ones(num_floats)
    held += 1
    time.sleep(0.2)
    sys.exit(status)


def test_memory_is_watched_until_a_process_ends():
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(10_000_000, 0))
    process.start()
    # 80 MB of numbers, and what Python and its libraries take themselves.
    assert 80 < watch_memory(process) < 1000
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(1, 3))
    process.start()
    with pytest.raises(RuntimeError, match="ended with status 3"):
        watch_memory(process)
