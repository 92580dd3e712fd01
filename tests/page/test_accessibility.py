"""Nothing serious is in the way of people who see little or few colours, or use keys alone, axe-core says."""

import os
from pathlib import Path

import numpy as np
import pandas
import pytest

import jaxmlp
from experiments.harness.network_pictures import map_truth
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.records import read_record
from tests.page.test_browser import RESULTS, find
from tests.support.browser import needs_browser, open_browser

AXE = Path(os.environ.get("AXE_CORE", "axe.min.js"))
RUN = "axe.run().then(({violations}) => arguments[0](violations))"
needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="AXE_CORE names no axe.min.js (npm install axe-core brings one)"
)


@pytest.fixture(scope="module")
def driver():
    driver = open_browser()
    yield driver
    driver.quit()


ARROW_LEFT, ARROW_UP, ARROW_RIGHT, ARROW_DOWN = "\ue012", "\ue013", "\ue014", "\ue015"


def plane():
    """Two numbers, a category and a known truth."""
    draws = np.random.default_rng(0)
    frame = pandas.DataFrame(draws.normal(size=(200, 2)), columns=["width", "height"])
    frame["answer"] = np.where(frame["width"] > frame["height"], "yes", "no")
    options = {"hidden_sizes": (5, 3), "num_epochs": 3, "progress": False, "num_snapshots": 3}
    found = jaxmlp.fit_mlp(jaxmlp.read_table(frame, "answer"), **options)
    truth = map_truth(found.model, lambda places: (places[:, 0] > 0.5) * 1.0)
    return describe_page(found.model, found.snapshots) | {"truth": truth}


def sweep():
    """Images, the members of a sweep and its ensemble."""
    record = read_record(RESULTS / "sweep" / "record.json")
    record["tables"]["growth"] = {"epochs": [1.0, 2.0], "loss": [0.5, 0.4], "candidates": [1.0, 2.0]}
    return describe_page(jaxmlp.load(RESULTS / "digits"), None, record)


@needs_browser
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [plane, sweep])
def test_axe_finds_nothing_serious(driver, tmp_path, make, scheme):
    scheme = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    (tmp_path / "page.html").write_text(build_page(make()), "utf-8")
    driver.get((tmp_path / "page.html").as_uri())
    for selector in (".example", ".neuron", ".confusion button", "summary"):
        for one in find(driver, selector)[:1]:
            one.click()
    driver.execute_script(AXE.read_text("utf-8"))
    found = driver.execute_async_script(RUN)
    told = [(one["id"], one["impact"], [node["html"] for node in one["nodes"]]) for one in found]
    assert [one for one in told if one[1] in ("serious", "critical")] == [], told


@needs_browser
def test_tab_reaches_one_neuron_of_a_layer_and_arrow_keys_the_others(driver, tmp_path):
    (tmp_path / "page.html").write_text(build_page(sweep()), "utf-8")
    driver.get((tmp_path / "page.html").as_uri())
    neurons = find(driver, ".neuron")
    columns = len({one.location["x"] for one in neurons})
    assert 1 < columns < len(neurons)

    def reached():
        return [place for place, one in enumerate(neurons) if one.get_attribute("tabindex") == "0"]

    driver.execute_script("arguments[0].focus()", neurons[0])
    steps = (ARROW_UP, 0), (ARROW_RIGHT, 1), (ARROW_DOWN, 1 + columns), (ARROW_LEFT, columns), (ARROW_UP, 0)
    for key, place in steps:
        driver.switch_to.active_element.send_keys(key)
        assert reached() == [place]
        assert driver.switch_to.active_element == neurons[place]
    assert "Neuron 1 of layer 1" in [one.text for one in find(driver, ".details h3")]
