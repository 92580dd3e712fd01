"""A plane's weights, dragged; the known truth beside it; the ensemble of a sweep as it grew."""

from base64 import b64decode

import jax.numpy as jnp
import numpy as np
import pandas
import pytest

import jaxmlp
from experiments.harness.network_pictures import map_truth
from jaxmlp.data.encoding import transform_columns
from jaxmlp.models.model import with_spec
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.page.fields import describe_fields
from jaxmlp.page.members import describe_members
from tests.page.test_browser import answers, find, press
from tests.support.browser import needs_browser, open_browser

CLOSING = "</script>"


@pytest.fixture(scope="module")
def driver():
    driver = open_browser()
    yield driver
    driver.quit()


def fitted(frame, **options):
    splits = jaxmlp.read_table(frame, "answer")
    given = {"hidden_sizes": (4,), "num_epochs": 10, "learning_rate": 0.03, "progress": False}
    return jaxmlp.fit_mlp(splits, **given, **options).model


@pytest.fixture(scope="module")
def frame():
    draws, rows = np.random.default_rng(0), 300
    kinds = draws.choice(["a", "b", "c"], rows)
    frame = pandas.DataFrame(
        {"kind": kinds, CLOSING: draws.normal(size=rows), "price": draws.uniform(size=rows)}
    )
    return frame.assign(answer=np.where(frame[CLOSING] + frame["price"] > 0.5, "yes", "no"))


@pytest.fixture(scope="module")
def model(frame):
    return fitted(frame)


def opened(driver, content, path):
    path.write_text(build_page(content), "utf-8")
    driver.get(path.as_uri())


def slide(driver, number, value):
    """Set one of the sliders of the neuron that is pointed at."""
    code = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    driver.execute_script(code, find(driver, ".weights input")[number], value)


@needs_browser
def test_a_dragged_weight_is_that_of_the_network(driver, tmp_path, frame, model):
    content = describe_page(model)
    opened(driver, content, tmp_path / "page.html")
    start = {field["name"]: field["start"] for field in content["fields"]}
    inputs = transform_columns(pandas.DataFrame([start]), model.spec.columns)
    find(driver, ".neuron")[2].click()
    before = answers(driver)
    np.testing.assert_allclose(before, jaxmlp.predict_proba(model, inputs)[0], atol=2e-3)
    labels = [one.get_attribute("aria-label") for one in find(driver, ".weights input")]
    assert labels == [f"Weight of {CLOSING}", "Weight of price", "Bias"]
    (first, *others) = model.networks[0]
    slide(driver, 1, -1.25)
    slide(driver, 2, 0.75)
    # Three columns of the category, then the two numbers.
    weight, bias = map(jnp.asarray, first)
    changed = first._replace(weight=weight.at[4, 2].set(-1.25), bias=bias.at[2].set(0.75))
    expected = jaxmlp.predict_proba(model._replace(networks=((changed, *others),)), inputs)[0]
    np.testing.assert_allclose(answers(driver), expected, atol=2e-3)
    assert np.abs(expected - before).max() > 0.01
    press(driver, "Weights as trained")
    np.testing.assert_array_equal(answers(driver), before)
    assert not find(driver, ".weights button")[0].is_enabled() and driver.get_log("browser") == []


@needs_browser
def test_the_known_truth_stands_beside_the_plane(driver, tmp_path, frame):
    model = fitted(frame.drop(columns="kind"))
    truth = map_truth(model, lambda places: (places[:, 0] + places[:, 1] > 0.5) * 1.0)
    content = describe_page(model) | {"truth": truth}
    shown = np.frombuffer(b64decode(content["truth"]["shown"]["data"]), "<f4").reshape(61, 61)
    fields = describe_fields(model)
    across, up = (np.linspace(field["low"], field["high"], 61) for field in fields)
    np.testing.assert_array_equal(shown, across + up[:, None] > 0.5)
    opened(driver, content, tmp_path / "page.html")
    assert "The known truth" in find(driver, ".side")[0].text and driver.get_log("browser") == []
    inner = "return Array.from(arguments[0].getContext('2d').getImageData(20, arguments[1], 1, 1).data)"
    canvas = find(driver, ".side canvas")[0]
    top, bottom = (driver.execute_script(inner, canvas, place) for place in (20, 580))
    # Low on the left, where the boundary does not come: blue.
    assert bottom[2] > bottom[0] and top[3] == 255
    driver.get_log("browser")


@needs_browser
def test_the_ensemble_is_shown_as_it_grew(driver, tmp_path, model):
    history = {"epochs": [1.0, 2.0, 4.0], "loss": [0.5, 0.4, 0.125], "size": [4.0, 8.0, 8.0]}
    record = {
        "epochs": [1, 2, 4],
        "curves": {"member_validation_accuracy": [[0.5, 0.75, 0.875], [0.25, 0.5, None]]},
        "tables": {
            "settings": {"dropout": [0.125, 0.25]},
            "growth": history | {"candidates": [1.0, 2.0, 3.0]},
        },
    }
    opened(driver, describe_page(model, None, record), tmp_path / "page.html")
    (slider,) = find(driver, "input[aria-label='Epoch of the ensemble']")
    assert slider.get_attribute("aria-valuetext") == "After epoch 4: 3 networks, held out loss 0.125"
    slider.send_keys("\ue011")
    assert slider.get_attribute("aria-valuetext") == "After epoch 1: 1 network, held out loss 0.5"
    (curve,) = find(driver, "section:has(input[aria-label='Epoch of the ensemble']) polyline")
    assert curve.get_attribute("points").split()[-1] == "100,29"
    assert driver.get_log("browser") == []
    none = {**record, "tables": {"settings": {}}}
    assert describe_members(with_spec(model).spec, none)["growth"] is None
