"""A sample of the long proofs: processes that are really killed, and files that are really damaged."""

import json

import pytest

from experiments.durability import storage
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


def test_what_could_not_be_tried_counts_for_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(storage, "full_disk", lambda config, out: None)
    others = ("small_files", "read_only", "vanishing", "signalled", "crowded", "odd_path")
    for name in others:
        monkeypatch.setattr(storage, name, lambda config, out, **options: (True, 0, "well"))
    found = storage.storage_cases(module_of("durability").Config(), tmp_path)
    assert len(found) == 8 and found["SIGTERM"] == {"held": True, "outcome": "status 0: well"}
    assert "a full disk" not in found and "not tried: a full disk" in capsys.readouterr().out
