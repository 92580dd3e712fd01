"""Pages of what is rare: names of any kind, very many columns or classes, one member, one colour."""

import json

import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.models.model import with_spec
from jaxmlp.page.assembly import build_page, describe_page
from tests.page.test_browser import RESULTS, answers, find, press, wait
from tests.support.browser import needs_browser, open_browser
from tests.support.figures import sheet
from tests.support.node import needs_node, run_script

LONG, HEBREW = "m" * 200, "כן"


@pytest.fixture(scope="module")
def driver():
    driver = open_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def table():
    """The page of two classes that two of three numbers tell apart, with names that are no plain words."""
    draws = np.random.default_rng(0)
    frame = pandas.DataFrame(draws.normal(size=(200, 3)), columns=[LONG, HEBREW, "c"])
    frame["answer"] = np.where(frame[LONG] > frame[HEBREW], HEBREW, LONG)
    options = {"hidden_sizes": (4,), "num_epochs": 20, "learning_rate": 0.03, "progress": False}
    return describe_page(jaxmlp.fit_mlp(jaxmlp.read_table(frame, "answer"), **options).model)


def opened(driver, content, path):
    (path / "page.html").write_text(build_page(content), "utf-8")
    driver.get((path / "page.html").as_uri())
    wait(driver)


def copied(content, **parts):
    return {**json.loads(json.dumps(content)), **parts}


@needs_node
def test_numbers_have_the_digits_that_they_are_known_by(tmp_path):
    code = "data.map(([number, step]) => short(number, step))"
    cases = {
        (1234567, 20): "1,234,567",
        (1234567, 0): "1,235,000",
        (0.0012346, 0): "0.001235",
        (-0.0, 0): "0",
        (0.00001, 0): "1.00e-5",
        (2.5e12, 0): "2.50e+12",
        (0.25, 10): "0.25",
        (100.00001, 0.0003): "100.00001",
    }
    assert run_script(code, list(cases), tmp_path, ("nn.js", "dom.js")) == list(cases.values())
    shares = run_script("data.map(percent)", [0, 1e-5, 0.5, 0.99996, 1], tmp_path, ("dom.js",))
    assert shares == ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %"]


@needs_node
def test_a_value_is_told_with_its_interval_and_of_several_with_its_name(tmp_path):
    model = {"head": "regression", "class_names": [], "margins": [20, 1], "target": None}
    data = [
        [model, {"mean": [1234567]}],
        [model, {"mean": [1.5, 2]}],
        [{**model, "margins": None}, {"mean": [3]}],
    ]
    told = run_script(
        "data.map((one) => verdictOf(...one))", data, tmp_path, ("nn.js", "dom.js", "neurons.js", "answer.js")
    )
    assert told == [
        "1,234,567, most likely 1,234,547 to 1,234,587",
        "output 1: 1.5, most likely -18.5 to 21.5",
        "3",
    ]


@needs_node
def test_what_is_straight_without_activations_is_one_boundary_of_one_network_or_a_value(tmp_path):
    network = {"layers": [{"kind": "dense"}]}
    plain = {
        "networks": [network],
        "preprocess": {"quantiles": {"numbers": []}},
        "columns": None,
        "head": "binary",
    }
    models = [
        plain,
        {**plain, "head": "multiclass"},
        {**plain, "networks": [network, network]},
        {**plain, "networks": [network, network], "head": "regression"},
        {**plain, "columns": [{"kind": "number"}, {"kind": "date", "cycles": ["year"]}]},
        {**plain, "columns": [{"kind": "number"}, {"kind": "date", "cycles": []}]},
        {**plain, "networks": [{"layers": [{"kind": "periodic"}]}]},
        {**plain, "preprocess": {"quantiles": {"numbers": [0]}}},
    ]
    straight = run_script("data.map(isPlain)", models, tmp_path, ("ideas.js",))
    assert straight == [True, False, False, True, False, True, False, False]


def test_what_is_no_number_is_none_in_a_page(table):
    model = jaxmlp.load(RESULTS / "digits")
    frames = [{"score": float("nan")}, {"score": np.float64(-np.inf)}, {"score": 0.5}]
    page = build_page({**describe_page(model), "timeline": frames})
    assert '"timeline":[{"score":null},{"score":null},{"score":0.5}]' in page


@needs_browser
def test_names_that_turn_or_are_long_stay_in_their_places(driver, tmp_path, table):
    for width in (390, 1300):
        metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened(driver, table, tmp_path)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    names = [one.get_attribute("textContent") for one in find(driver, ".answer .name")]
    assert sorted(names) == sorted([LONG, f"\u2068{HEBREW}\u2069"])
    fields = [one.get_attribute("aria-label") for one in find(driver, ".scroll input")]
    assert fields == [LONG, f"\u2068{HEBREW}\u2069", "c"]
    assert driver.get_log("browser") == []


@needs_browser
def test_a_square_of_one_colour_says_why(driver, tmp_path, table):
    def told():
        driver.execute_async_script("setTimeout(arguments[0], 300)")
        return find(driver, ".plane [role=status]")[0].get_attribute("textContent")

    opened(driver, table, tmp_path)
    assert told() == ""
    far = copied(table)
    for field, (low, high) in zip(far["fields"], [(8, 9), (-9, -8), (-1, 1)], strict=True):
        field |= {"low": low, "high": high, "start": (low + high) / 2}
    opened(driver, far, tmp_path)
    assert told() == (
        f"\u2068{HEBREW}\u2069 leads everywhere in this square: other values of the other columns may change "
        "that."
    )


@needs_browser
def test_one_member_and_an_ensemble_that_was_chosen_once_are_shown(driver, tmp_path, table):
    growth = {"epochs": [3], "networks": [4], "loss": [0.25]}
    members = {
        "measure": "accuracy",
        "epochs": [1, 3],
        "curves": [[0.5, 0.75]],
        "settings": {},
        "growth": growth,
    }
    driver.get_log("browser")
    opened(driver, copied(table, members=members), tmp_path)
    titles = [one.text for one in find(driver, "h2")]
    assert "The member of its sweep" in titles and "The ensemble as it grew" in titles
    assert driver.get_log("browser") == []


@needs_browser
def test_very_many_classes_are_shown_and_mistakes_without_an_image_are_said(driver, tmp_path):
    content = copied(describe_page(jaxmlp.load(RESULTS / "digits")))
    number = 400
    content["model"]["class_names"] += [f"class {place}" for place in range(10, number)]
    counts = np.eye(number, dtype=int) * 5
    counts[399, 398] = 2
    content["examples"]["confusion"] = counts.tolist()
    opened(driver, content, tmp_path)
    (cell,) = find(driver, ".confusion button")
    cell.click()
    opened_text = find(driver, "section:has(.confusion) [role=status]")[0].text
    assert opened_text == "class 399 taken for class 398: 2 of 7; none is here."
    assert driver.get_log("browser") == []


@needs_browser
def test_three_hundred_columns_are_moved_by_keys(driver, tmp_path):
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(200, 300))
    splits = jaxmlp.from_arrays(inputs, (inputs[:, 250] > 0).astype(int))
    model = jaxmlp.fit_mlp(splits, hidden_sizes=(4,), num_epochs=5, progress=False).model
    opened(driver, describe_page(with_spec(model)), tmp_path)
    sliders = find(driver, ".scroll input")
    assert len(sliders) == 300
    before = find(driver, ".answer .number")[0].text
    sliders[250].send_keys("\ue010")
    wait(driver)
    assert find(driver, ".answer .number")[0].text != before
    press(driver, "Without activations")
    assert driver.get_log("browser") == []


@needs_node
def test_of_what_a_neuron_tells_is_said_of_what_it_is(tmp_path):
    code = "data.map((one) => explain({ ...one, dense: () => [1, 2] }))"
    tables = [{"fields": [1, 2], "axes": [0, 1]}, {"fields": [1], "axes": None}, {"fields": None}]
    plane, table, image = run_script(code, tables, tmp_path, ("nn.js", "neurons.js"))
    assert plane.startswith("Each is a map of the plane; its frame shines ")
    assert table.startswith("A neuron's frame shines ") and image.startswith("Orange weights excite ")
    added = [{"head": "regression", "networks": [1]}, {"head": "binary", "networks": [1, 2]}]
    assert run_script("data.map(describeAdded)", added, tmp_path, ("nn.js", "neurons.js")) == [
        "What it adds to the value",
        "What it adds to its network's score of each class",
    ]
    counts = run_script("data.map(countNeurons)", [1, 60, 2000], tmp_path, ("nn.js", "neurons.js"))
    assert counts == ["1 neuron", "60 neurons", "2000 neurons, the first 1024 of them here"]


@needs_browser
def test_the_same_picture_can_be_given_again(driver, tmp_path):
    sheet(jaxmlp.load_dataset("digits").test.inputs[3].astype(float)).save(tmp_path / "digit.png")
    opened(driver, describe_page(jaxmlp.load(RESULTS / "digits")), tmp_path)
    for _ in range(2):
        find(driver, "input[type=file]")[0].send_keys(str(tmp_path / "digit.png"))
        driver.execute_async_script("setTimeout(arguments[0], 300)")
        assert len(answers(driver)) == 10
        press(driver, "Clear")
        assert not len(answers(driver))
