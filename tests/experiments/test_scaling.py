"""What the experiment on scaling works out from seconds and data sheets, by hand."""

import resource

import numpy as np
import pytest

from experiments.harness.pages import module_of
from experiments.scaling.memory import watched_memory
from experiments.scaling.roofline import roofline
from jaxmlp.records import metric_summary

scaling = module_of("scaling")
Config = scaling.Config


def test_speeds_follow_from_seconds():
    config = Config(processes=(1, 2))
    seconds = {
        "strong data": {1: [4.0, 6.0], 2: [2.0, 4.0]},
        "weak data": {1: [4.0, 4.0], 2: [4.0, 2.0]},
        "strong members": {1: [9.0, 9.0], 2: [3.0, 9.0]},
        # Twice as many networks in the same time is twice as much work.
        "weak members": {1: [5.0, 5.0], 2: [5.0, 10.0]},
    }
    found = {name: values.tolist() for name, (values, _) in scaling.scaling(config, seconds).items()}
    assert found == {
        "strong_data_2": [2.0, 1.5],
        "weak_data_2": [1.0, 2.0],
        "strong_members_2": [3.0, 1.0],
        "weak_members_2": [2.0, 1.0],
    }


def test_costs_follow_from_seconds():
    seconds = {
        "streaming": {"in memory": [9.0], "parts": [10.0]},
        "deformation": {"as it is": [3.0], "deformed": [4.0]},
    }
    found = {name: values[0] for name, (values, _) in scaling.costs(seconds).items()}
    assert found == {"streaming_speed": 0.9, "deformation_share": 0.25}


def test_the_roofline_of_one_host_by_hand():
    row = next(row for row in roofline() if row["precision"] == "tf32")
    # 2 · 7/8 · 4 P bytes over 450 GB/s take as long as 6 P B operations at half of 495 TFLOP/s.
    assert row["images_per_gpu_for_one_network"] == round(2 * 7 / 8 * 4 / 450e9 * 247.5e12 / 6)
    assert row["images_per_step_for_one_network"] == pytest.approx(
        8 * row["images_per_gpu_for_one_network"], abs=4
    )
    np.testing.assert_allclose(row["gradient_mb"], 4 * (785 * 512 + 513 * 512 + 513 * 10) / 1e6)


@pytest.mark.parametrize(
    ("processes", "said"), [([1], "no more"), ([1, 3], "with networks shared out, 2.00")]
)
def test_the_answer_is_of_the_fewest_processes_that_share(processes, said):
    metrics = {"streaming_speed": [0.9], "deformation_share": [0.1], "strong_members_3": [2.0, 2.0]}
    summaries = {name: metric_summary(values, "1") for name, values in metrics.items()}
    record = {"config": {"processes": processes, "cores": 2}, "metrics": summaries}
    assert said in scaling.answer(record).text


def test_memory_is_watched():
    with watched_memory() as most:
        held = np.ones(10_000_000)
        held += 1
        while most() < 80:
            pass
    # The kernel's own peak, in kilobytes, has files beside it; it is counted a little later.
    assert 80 < most() < 1.05 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
