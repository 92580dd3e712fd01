"""What the experiment on scaling works out from seconds and data sheets, by hand."""

import numpy as np
import pytest

from experiments.harness.pages import module_of
from experiments.scaling.memory import watched_memory
from experiments.scaling.roofline import roofline

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


def test_memory_is_watched():
    with watched_memory() as most:
        held = np.ones(10_000_000)
        held += 1
        while most() < 80:
            pass
    assert 80 < most() < 5000
