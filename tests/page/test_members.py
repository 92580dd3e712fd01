"""The members of a sweep in the page of its ensemble."""

import json
import shutil
from pathlib import Path

import pytest

import jaxmlp
from jaxmlp.models.model import with_spec
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.page.members import describe_members
from jaxmlp.records import read_record
from tests.page.test_browser import find
from tests.support.browser import needs_browser, open_browser
from tests.support.commands import command

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a model, and the record of a sweep over its data."""
    folder = tmp_path_factory.mktemp("run")
    for path in ("mnist/model.safetensors", "sweep/record.json"):
        shutil.copy(RESULTS / path, folder)
    return folder


def test_the_page_of_a_run_has_its_members(run, tmp_path, capsys):
    status, _, err = command(capsys, "page", run, "--out", tmp_path / "page.html")
    assert (status, err) == (0, "")
    record = json.loads((run / "record.json").read_text("utf-8"))
    model = jaxmlp.load(run / "model.safetensors")
    content = describe_page(model, None, record)
    assert build_page(content) == (tmp_path / "page.html").read_text("utf-8")
    members = content["members"]
    assert (
        members["curves"] == record["curves"]["member_validation_accuracy"] and len(members["curves"]) == 32
    )
    assert members["settings"]["dropout"] == record["tables"]["settings"]["dropout"]
    assert describe_page(model)["members"] is None
    assert describe_page(model, None, read_record(RESULTS / "mnist" / "record.json"))["members"] is None


def test_settings_that_all_share_are_left_out():
    curves = {"member_validation_r2": [[0.1], [0.2]]}
    record = {
        "epochs": [1],
        "curves": curves,
        "tables": {"settings": {"depth": [2, 2], "dropout": [0.1, 0.2]}},
    }
    spec = with_spec(jaxmlp.load(RESULTS / "mnist" / "model.safetensors"), head="regression").spec
    assert describe_members(spec, record)["settings"] == {"dropout": [0.1, 0.2]}


def test_the_ensemble_has_a_network_of_each_fold_for_each_candidate():
    model = jaxmlp.load(RESULTS / "mnist" / "model.safetensors")
    networks = model.spec.networks * 12
    spec = with_spec(model, networks=networks).spec
    growth = {"epochs": [3.0, 9.0], "loss": [0.2, 0.1], "candidates": [2.0, 3.0]}
    tables = {"settings": {"dropout": [0.1, 0.2]}, "growth": growth}
    record = {"epochs": [1], "curves": {"member_validation_accuracy": [[0.1], [0.2]]}, "tables": tables}
    assert describe_members(spec, record)["growth"]["networks"] == [8, 12]


@needs_browser
def test_each_curve_tells_its_setting(run, tmp_path):
    record = json.loads((run / "record.json").read_text())
    content = describe_page(jaxmlp.load(run / "model.safetensors"), None, record)
    (tmp_path / "page.html").write_text(build_page(content), "utf-8")
    driver = open_browser()
    try:
        driver.get((tmp_path / "page.html").as_uri())
        assert len(find(driver, ".members polyline")) == 32
        find(driver, "select[aria-label=Member] option")[2].click()
        (shown,) = find(driver, ".members .shown")
        assert shown.get_attribute("points") == find(driver, ".members polyline")[1].get_attribute("points")
        assert "Member 1, accuracy" in driver.find_element("tag name", "body").text
        assert "learning rate" in driver.find_element("tag name", "body").text
        assert driver.get_log("browser") == []
    finally:
        driver.quit()
