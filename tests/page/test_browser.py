"""The page in a real browser: drawing, dropping, switching, and that nothing leaves it."""

import io
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

import jaxmlp
from jaxmlp.models.model import load, save, with_spec
from jaxmlp.models.prediction import predict_proba
from jaxmlp.page.assembly import build_page, describe_page
from tests.support.browser import needs_browser, open_browser, requests_of
from tests.support.commands import command
from tests.support.drawings import to_network_input
from tests.support.figures import sheet

RESULTS = Path(__file__).parents[2] / "results"
ODD, CLOSING = '<b>&"', "</script>"


@pytest.fixture(scope="module")
def driver():
    driver = open_browser()
    yield driver
    driver.quit()


def shown(driver, model, path):
    """The page of the model, opened from a file."""
    path.write_text(build_page(describe_page(model)), "utf-8")
    driver.get(path.as_uri())
    return path


def wait(driver):
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def find(driver, selector):
    return driver.find_elements("css selector", selector)


def answers(driver):
    """The probabilities of the bars, in the order of the classes."""
    wait(driver)
    told = [one.text.strip("<> %") for one in find(driver, ".answer .number")]
    return np.array([float(text) for text in told if text]) / 100


def stroke(driver, points):
    """Draw through points that are shares of the sheet's sides."""
    from selenium.webdriver.common.action_chains import ActionChains

    (pad,) = find(driver, ".pad")
    width, height = pad.size["width"], pad.size["height"]
    offsets = [((x - 0.5) * width, (y - 0.5) * height) for x, y in points]
    actions = ActionChains(driver, duration=20).move_to_element_with_offset(pad, *offsets[0]).click_and_hold()
    for offset in offsets[1:]:
        actions.move_to_element_with_offset(pad, *offset)
    actions.release().perform()


def expected_of(model, image):
    low, high = model.affine.shift, model.affine.shift + model.affine.scale
    seen = to_network_input(image, model.spec.input_shape, low, high, model.spec.drawing_extent)
    return predict_proba(model, seen[None])[0]


ANGLES = np.linspace(-np.pi / 2, 1.5 * np.pi, 17)
DRAWN = {
    "0": [[(0.5 + 0.17 * np.cos(a), 0.5 + 0.3 * np.sin(a)) for a in ANGLES]],
    "1": [[(0.5, 0.15), (0.5, 0.85)]],
    "7": [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]],
    "4": [[(0.35, 0.15), (0.3, 0.5), (0.7, 0.5)], [(0.66, 0.15), (0.62, 0.9)]],
}


@needs_browser
@pytest.mark.parametrize("digit", DRAWN)
def test_what_is_drawn_is_read_as_the_command_reads_it(driver, tmp_path, digit):
    model = load(RESULTS / "mnist" / "model.safetensors")
    shown(driver, model, tmp_path / "page.html")
    for points in DRAWN[digit]:
        stroke(driver, points)
    found = answers(driver)
    assert found.argmax() == int(digit)
    assert find(driver, ".verdict")[0].text.startswith(f"{digit}, ")
    data = driver.execute_script("return document.querySelector('.pad').toDataURL()")
    image = Image.open(io.BytesIO(b64decode(data.partition(",")[2])))
    np.testing.assert_allclose(found, expected_of(model, image), atol=2e-3)


@needs_browser
def test_several_digits_are_told_until_one_is_taken_back(driver, tmp_path):
    shown(driver, load(RESULTS / "mnist" / "model.safetensors"), tmp_path / "page.html")
    for x, is_told in ((0.3, False), (0.7, True)):
        stroke(driver, [(x, 0.2), (x, 0.8)])
        wait(driver)
        assert ("several drawings" in find(driver, ".answer")[0].text.lower()) == is_told
    press(driver, "Undo")
    wait(driver)
    assert "several drawings" not in find(driver, ".answer")[0].text.lower()


@needs_browser
def test_strokes_are_undone_erased_and_cleared(driver, tmp_path):
    model = load(RESULTS / "mnist" / "model.safetensors")
    shown(driver, model, tmp_path / "page.html")
    stroke(driver, DRAWN["1"][0])
    one = answers(driver)
    stroke(driver, [(0.2, 0.2), (0.8, 0.8)])
    assert np.abs(answers(driver) - one).max() > 0.01
    press(driver, "Undo")
    np.testing.assert_array_equal(answers(driver), one)
    press(driver, "Eraser")
    stroke(driver, DRAWN["1"][0])
    assert not len(answers(driver)) and "Draw something" in find(driver, ".verdict")[0].text
    press(driver, "Undo")
    np.testing.assert_array_equal(answers(driver), one)
    press(driver, "Clear")
    assert not len(answers(driver))


def press(driver, text):
    next(one for one in find(driver, "button") if one.text == text).click()


@needs_browser
def test_keys_draw_too(driver, tmp_path):
    shown(driver, load(RESULTS / "mnist" / "model.safetensors"), tmp_path / "page.html")
    (pad,) = find(driver, ".pad")
    pad.send_keys("\ue013" * 12 + " " + "\ue015" * 24)
    assert answers(driver).argmax() == 1


@needs_browser
def test_a_picture_gives_what_the_command_gives(driver, tmp_path):
    model = load(RESULTS / "digits" / "model.safetensors")
    image = sheet(jaxmlp.load_dataset("digits").test.inputs[3].astype(float))
    image.save(tmp_path / "digit.png")
    shown(driver, model, tmp_path / "page.html")
    find(driver, "input[type=file]")[0].send_keys(str(tmp_path / "digit.png"))
    driver.execute_async_script("setTimeout(arguments[0], 300)")
    np.testing.assert_allclose(answers(driver), expected_of(model, image), atol=2e-3)
    (tmp_path / "text.png").write_text("no picture")
    find(driver, "input[type=file]")[0].send_keys(str(tmp_path / "text.png"))
    driver.execute_async_script("setTimeout(arguments[0], 300)")
    assert "cannot be read as a picture" in find(driver, ".verdict")[0].text


@needs_browser
def test_an_example_is_answered_and_a_neuron_switched_off(driver, tmp_path):
    model = load(RESULTS / "digits" / "model.safetensors")
    content = describe_page(model)
    shown(driver, model, tmp_path / "page.html")
    find(driver, ".example")[4].click()
    image = np.frombuffer(b64decode(content["examples"]["typical"]["images"]["data"]), np.uint8)
    inputs = image.reshape(-1, 8, 8)[4:5]
    np.testing.assert_allclose(answers(driver), predict_proba(model, inputs)[0], atol=2e-3)
    (first, last), unit = model.networks[0], int(np.argmax(activations(model, inputs)))
    find(driver, ".neuron")[unit].click()
    press(driver, "Switch it off")
    zeroed = last._replace(weight=last.weight.at[unit].set(0))
    expected = predict_proba(model._replace(networks=((first, zeroed),)), inputs)[0]
    np.testing.assert_allclose(answers(driver), expected, atol=2e-3)
    press(driver, "All neurons on")
    np.testing.assert_allclose(answers(driver), predict_proba(model, inputs)[0], atol=2e-3)


def activations(model, inputs):
    """How much each hidden neuron may move an answer."""
    (weight, bias), (after, _) = (map(np.asarray, layer) for layer in model.networks[0])
    scaled = (inputs.reshape(1, -1) - model.affine.shift) / model.affine.scale
    return np.maximum(scaled @ weight + bias, 0)[0] * np.abs(after).max(axis=1)


@pytest.fixture(scope="module")
def odd_table():
    draws, rows = np.random.default_rng(0), 300
    frame = pandas.DataFrame({CLOSING: draws.normal(size=rows), "price": draws.uniform(size=rows)})
    frame["kind"] = draws.choice(["a", "b"], rows)
    frame["answer"] = np.where(frame[CLOSING] + frame["price"] > 0.5, ODD, "no")
    splits = jaxmlp.read_table(frame, "answer")
    options = {"hidden_sizes": (4,), "num_epochs": 10, "learning_rate": 0.03, "progress": False}
    return jaxmlp.fit_mlp(splits, **options).model


@needs_browser
def test_odd_names_are_texts_and_nothing_else(driver, tmp_path, odd_table):
    shown(driver, odd_table, tmp_path / "page.html")
    text = find(driver, "body")[0].text
    assert ODD in text and CLOSING in text and not find(driver, "b")
    images = with_spec(load(RESULTS / "digits" / "model.safetensors"), dataset=f"{ODD}{CLOSING}<i>")
    images = with_spec(images, class_names=(ODD, CLOSING, "'>", *"3456789"))
    shown(driver, images, tmp_path / "page.html")
    stroke(driver, DRAWN["1"][0])
    names = [one.text for one in find(driver, ".answer .name")]
    assert names == [ODD, CLOSING, "'>", *"3456789"] and not find(driver, "b, i")
    assert driver.title == f"A network for {ODD}{CLOSING}<i>"


@needs_browser
def test_the_point_of_a_plane_is_dragged_and_moved_by_keys(driver, tmp_path, odd_table):
    from selenium.webdriver.common.action_chains import ActionChains

    shown(driver, odd_table, tmp_path / "page.html")
    (area,) = find(driver, ".map canvas")
    actions = ActionChains(driver).move_to_element(area).click_and_hold().move_by_offset(-120, 60)
    actions.release().perform()
    numbers = [float(one.text) for one in find(driver, ".field .value")]
    row = pandas.DataFrame([{CLOSING: numbers[0], "price": numbers[1], "kind": kind_of(driver)}])
    expected = jaxmlp.predict_table(odd_table, row).iloc[0, 1:].to_numpy(float)
    np.testing.assert_allclose(answers(driver), expected, atol=3e-3)
    before = answers(driver)
    find(driver, ".point")[0].send_keys("\ue014" * 20)
    assert np.abs(answers(driver) - before).max() > 0.01


def kind_of(driver):
    return driver.execute_script("return document.querySelector('.field select').selectedOptions[0].text")


@needs_browser
def test_nothing_leaves_the_page_and_nothing_fails(driver, tmp_path, odd_table):
    requests_of(driver), driver.get_log("browser")
    for model in (load(RESULTS / "digits" / "model.safetensors"), odd_table):
        path = shown(driver, model, tmp_path / "page.html")
        for one in find(driver, "main button:not(.example):not(.neuron)"):
            if one.text and "Picture" not in one.text:
                one.click()
        for selector in (".example", ".neuron"):
            for one in find(driver, selector)[:3]:
                one.click()
        driver.execute_async_script("setTimeout(arguments[0], 300)")
        assert requests_of(driver) == [path.as_uri()]
        assert driver.get_log("browser") == []


@needs_browser
@pytest.mark.parametrize(("width", "height"), [(1300, 900), (390, 844)])
def test_it_fits_wide_screens_and_phones(driver, tmp_path, odd_table, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for model in (load(RESULTS / "digits" / "model.safetensors"), odd_table):
        shown(driver, model, tmp_path / "page.html")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# Without a browser


def test_the_command_writes_the_page_of_a_file_or_a_run(tmp_path, capsys, odd_table):
    path = save(tmp_path / "run" / "model.safetensors", odd_table)
    for number, given in enumerate((path, path.parent)):
        status, out, err = command(capsys, "page", given, "--out", tmp_path / f"{number}.html")
        assert (status, err) == (0, "") and "open it in a browser" in out
    text = (tmp_path / "0.html").read_text("utf-8")
    assert text == (tmp_path / "1.html").read_text("utf-8")
    # A namespace is a name, which nobody fetches.
    text = text.replace("http://www.w3.org/2000/svg", "")
    assert text.count(CLOSING) == 2 and not re.search(r"(src|href)=\"(?!data:)|https?://|@import|url\(", text)


def test_what_is_no_model_is_refused_as_by_predict(tmp_path, capsys, odd_table):
    path = save(tmp_path / "model.safetensors", odd_table)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    Path(tmp_path / "rows.csv").write_text("a\n1\n")
    refused = command(capsys, "page", path, "--out", tmp_path / "page.html")
    assert refused == command(capsys, "predict", path, tmp_path / "rows.csv")
    assert refused[0] == 2 and "is damaged" in refused[2]
    assert not (tmp_path / "page.html").exists()
    status, _, err = command(capsys, "page", RESULTS / "digits", "--out", tmp_path / "page.txt")
    assert status == 2 and "must be a file that ends with .html" in err


def test_a_set_that_is_not_at_hand_leaves_no_examples_and_says_so(tmp_path, capsys):
    model = with_spec(load(RESULTS / "digits" / "model.safetensors"), dataset="x" * 300)
    path = save(tmp_path / "model.safetensors", model)
    status, out, err = command(capsys, "page", path, "--out", tmp_path / "page.html")
    assert (status, err) == (0, "") and "without examples to click" in out
