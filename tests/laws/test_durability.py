"""A sample of the long proofs: processes that are really killed, and files that are really damaged."""

import json

import pytest

from experiments.harness.pages import module_of
from tests.support.commands import run


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("durability")
    run(module_of("durability"), "--smoke", "--out", out)
    assert (out / "kills.png").stat().st_size > 0
    return json.loads((out / "record.json").read_text())


@pytest.mark.long
def test_a_run_that_is_killed_ends_in_the_same_bits(record):
    assert record["metrics"]["kills"]["mean"] >= 3
    assert record["metrics"]["runs_with_the_same_bits"]["mean"] == 1


@pytest.mark.long
def test_whatever_happens_to_a_run_it_holds(record):
    broken = [case for case in record["tables"]["cases"] if not case["held"]]
    assert broken == []
