"""Inside a page's network: what excites its neurons, strokes and static, and every kind of mistake."""

import re
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import jaxmlp
from jaxmlp.data.tfds_cache import RawData
from jaxmlp.models.model import with_spec
from jaxmlp.models.schema import dense_network
from jaxmlp.nn.neurons import autocorrelation_of_neurons
from jaxmlp.page import examples, exciting
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.types import Layer
from tests.page.test_browser import find, press, shown, wait
from tests.support.browser import needs_browser, open_browser

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def model():
    return jaxmlp.load(RESULTS / "digits")


@pytest.fixture(scope="module")
def raw(model):
    """The digits, of which the last 297 are a test part."""
    inputs, targets, class_names, *_ = examples.read_images(model)
    return RawData(inputs[:1500], targets[:1500], class_names, (inputs[1500:], targets[1500:]))


@pytest.fixture(scope="module")
def driver():
    driver = open_browser()
    yield driver
    driver.quit()


def unpacked(packed, shape=(8, 8)):
    return np.frombuffer(b64decode(packed["images"]["data"]), np.uint8).reshape(-1, *shape)


def test_each_neuron_has_the_training_images_of_its_largest_sums(model, raw):
    told = exciting.describe_neurons(model, raw)
    weight, bias = map(np.asarray, model.networks[0][0])
    sums = (raw.inputs.reshape(1500, -1) - model.affine.shift) / model.affine.scale @ weight + bias
    order = np.argsort(-sums, axis=0).T[:, :4]
    (rows,) = told["exciting"][0]
    np.testing.assert_array_equal(unpacked(told)[np.array(rows)], raw.inputs[order])
    np.testing.assert_array_equal(np.array(told["labels"])[np.array(rows)], raw.targets[order])
    (values,) = told["autocorrelation"]
    np.testing.assert_allclose(values, autocorrelation_of_neurons(weight, raw.inputs), atol=6e-4)
    assert len(np.unique(unpacked(told), axis=0)) == len(unpacked(told)) < order.size


def test_deeper_layers_have_theirs_until_there_is_no_room(model, raw, monkeypatch):
    draws, sizes = np.random.default_rng(0), (64, 5, 6, 10)
    layers = tuple(
        Layer(draws.normal(size=(i, o)).astype(np.float32), np.zeros(o, np.float32))
        for i, o in pairwise(sizes)
    )
    deep = with_spec(model, networks=(dense_network(sizes, "tanh"),))._replace(networks=(layers,))
    scaled = (raw.inputs.reshape(1500, -1) - model.affine.shift) / model.affine.scale
    sums = np.tanh(scaled @ layers[0].weight) @ layers[1].weight
    for room, each, counts in ((1000, 4, [5, 6]), (24, 2, [5, 6]), (9, 1, [5, 4])):
        monkeypatch.setattr(exciting, "MAX_BYTES", room * 64)
        told = exciting.describe_neurons(deep, raw)
        assert [np.shape(rows) for rows in told["exciting"][0]] == [(count, each) for count in counts]
        found = unpacked(told)[np.array(told["exciting"][0][1])]
        np.testing.assert_array_equal(found, raw.inputs[np.argsort(-sums, axis=0).T[: counts[1], :each]])


def test_mistakes_are_counted_and_the_surest_of_each_kind_are_there(model, raw, monkeypatch):
    images, labels = raw.test
    answer = np.where(np.arange(297) % 3 == 0, (labels + 1) % 10, labels)
    probabilities = np.ones((297, 10))
    probabilities[np.arange(297), answer] += np.linspace(1, 2, 297)
    monkeypatch.setattr(examples, "predict_proba", lambda *_: probabilities)
    told = examples.find_examples(model, raw)
    predicted = probabilities.argmax(axis=1)
    assert told["unseen"] and np.sum(predicted != labels) == 99
    np.testing.assert_array_equal(told["confusion"], confusion_matrix(labels, predicted))
    pairs = list(zip(told["mistakes"]["labels"], told["mistakes"]["predicted"], strict=True))
    for label in range(10):
        rows = np.flatnonzero((labels == label) & (predicted != labels))
        assert pairs.count((label, (label + 1) % 10)) == min(6, len(rows))
    kept = [np.flatnonzero((images == one).all(axis=(1, 2)))[0] for one in unpacked(told["mistakes"])]
    np.testing.assert_array_equal(labels[kept], told["mistakes"]["labels"])


@needs_browser
def test_pointing_tells_what_excites_a_neuron_and_whether_it_is_like_strokes(driver, tmp_path, model):
    content = describe_page(model)
    (tmp_path / "page.html").write_text(build_page(content), "utf-8")
    driver.get((tmp_path / "page.html").as_uri())
    values = content["neurons"]["autocorrelation"][0]
    limit = content["neurons"]["static_limit"]
    for unit in (int(np.argmax(values)), int(np.argmin(values))):
        find(driver, ".neuron")[unit].click()
        labels = [content["neurons"]["labels"][row] for row in content["neurons"]["exciting"][0][0][unit]]
        shown = [one.get_attribute("title") for one in find(driver, ".exciting .example")]
        assert shown == list(map(str, labels))
        text = find(driver, ".details")[0].text
        assert f"more like strokes than {np.sum(np.array(values) < values[unit])} of the 60" in text
        assert ("static, as random" in text) == (values[unit] <= limit)
        find(driver, ".neuron")[unit].click()
    find(driver, ".exciting .example")[0].click()
    wait(driver)
    assert f"Its label says {labels[0]}" in find(driver, ".answer")[0].text
    press(driver, "Strokes off")
    off = [i for i, one in enumerate(find(driver, ".neuron")) if "off" in one.get_attribute("class").split()]
    assert off == sorted(np.argsort(values)[-10:])
    press(driver, "Static off")
    off = [i for i, one in enumerate(find(driver, ".neuron")) if "off" in one.get_attribute("class").split()]
    assert off == sorted(np.argsort(values)[:10])
    assert driver.get_log("browser") == []


@needs_browser
def test_a_cell_of_the_matrix_opens_its_mistakes(driver, tmp_path, model):
    content = describe_page(model)
    (tmp_path / "page.html").write_text(build_page(content), "utf-8")
    driver.get((tmp_path / "page.html").as_uri())
    counts = np.array(content["examples"]["confusion"])
    wrong = np.argwhere(counts * (1 - np.eye(10, dtype=int)))
    buttons = find(driver, ".confusion button")
    assert [one.text for one in buttons] == [str(counts[tuple(pair)]) for pair in wrong] and len(wrong) > 2
    label, taken = wrong[1]
    buttons[1].click()
    opened = buttons[1].find_element("xpath", "ancestor::section").find_elements("css selector", ".example")
    assert len(opened) == counts[label, taken]
    opened[0].click()
    wait(driver)
    assert f"Its label says {label}" in find(driver, ".answer")[0].text
    assert find(driver, ".verdict")[0].text.startswith(f"{taken}, ")


@needs_browser
def test_the_share_read_right_is_told_as_neurons_go(driver, model, tmp_path):
    inputs, labels, *_ = examples.read_images(model)
    shown(driver, model, tmp_path / "page.html")

    def told():
        wait(driver)
        text = find(driver, ".neurons > [role=status]")[0].text
        return float(re.search(r"reads ([\d.]+) %", text)[1]) if text else None

    def reached(model):
        return pytest.approx(100 * np.mean(jaxmlp.predict(model, inputs) == labels), abs=0.06)

    assert told() == reached(model)
    first, second = model.networks[0]
    order = np.argsort(describe_page(model)["neurons"]["autocorrelation"][0], kind="stable")
    for name, units in {"Static off": order[:10], "Strokes off": order[-10:]}.items():
        press(driver, name)
        weight = np.array(second.weight)
        weight[units] = 0
        assert told() == reached(model._replace(networks=((first, second._replace(weight=weight)),)))
    press(driver, "All on")
    press(driver, "Without activations")
    first, second = ([np.asarray(part) for part in layer] for layer in model.networks[0])
    weight, bias = first[0] @ second[0], first[1] @ second[0] + second[1]
    scaled = (inputs.reshape(len(inputs), -1) - np.ravel(model.affine.shift)) / np.ravel(model.affine.scale)
    right = (scaled @ weight + bias).argmax(axis=1) == labels
    assert told() == pytest.approx(100 * right.mean(), abs=0.06) and told() < reached(model).expected
    find(driver, ".neuron")[0].click()
    press(driver, "Switch it off")
    assert told() is None
