"""The way through training: snapshots beside a model, in its page and under its slider."""

from base64 import b64decode

import numpy as np
import pytest

import jaxmlp
from jaxmlp.models.prediction import predict_proba
from jaxmlp.models.snapshots import load_snapshots, save_snapshots
from jaxmlp.page import timeline
from jaxmlp.page.assembly import build_page, describe_page
from jaxmlp.page.timeline import choose_frames
from jaxmlp.types import InputError
from tests.page.test_browser import answers, find, press
from tests.support.browser import needs_browser, open_browser
from tests.support.commands import command


@pytest.fixture(scope="module")
def splits():
    return jaxmlp.load_dataset("digits")


@pytest.fixture(scope="module")
def result(splits):
    options = {"hidden_sizes": (12,), "learning_rate": 0.01, "progress": False}
    return jaxmlp.fit_mlp(splits, num_epochs=10, num_snapshots=6, **options)


def test_the_frames_are_thinned_to_what_there_is_room_for(result, monkeypatch):
    epochs = list(result.snapshots)
    frames = describe_page(result.model, result.snapshots)["timeline"]
    assert [frame["epoch"] for frame in frames] == epochs
    assert frames[0]["score"] is None and frames[-1]["score"] == max(result.history["validation_accuracy"])
    monkeypatch.setattr(timeline, "MAX_BYTES", 7_500)
    few = list(choose_frames(result.model, result.snapshots))
    assert len(few) == 3 and few[0] == 0 and few[-1] == epochs[-1]
    assert describe_page(result.model)["timeline"] == []


def test_snapshots_of_another_model_are_refused(result, splits):
    other = jaxmlp.fit_mlp(splits, hidden_sizes=(5,), num_epochs=1, progress=False).model
    with pytest.raises(InputError, match="of epoch 0 is of another network; save them again"):
        choose_frames(other, result.snapshots)
    early = dict(list(result.snapshots.items())[:-1])
    with pytest.raises(InputError, match="is not the model; save them again"):
        choose_frames(result.model, early)


def test_the_command_finds_them_beside_the_model(tmp_path, capsys, result):
    path = jaxmlp.save(tmp_path / "model.safetensors", result.model)
    save_snapshots(tmp_path / "snapshots", result.snapshots)
    status, _, err = command(capsys, "page", path, "--out", tmp_path / "page.html")
    assert (status, err) == (0, "")
    expected = build_page(describe_page(result.model, result.snapshots))
    assert (tmp_path / "page.html").read_text("utf-8") == expected
    (first, *_) = sorted((tmp_path / "snapshots").iterdir())
    first.write_bytes(first.read_bytes()[:-3])
    status, _, err = command(capsys, "page", path, "--out", tmp_path / "other.html")
    assert status == 2 and str(first) in err and not (tmp_path / "other.html").exists()


def test_the_networks_of_an_ensemble_begin_untrained_and_end_as_it_is(tmp_path):
    splits = jaxmlp.load_dataset("iris")
    found = jaxmlp.fit_ensemble(splits, num_epochs=16, num_snapshots=4, progress=False)
    epochs = list(found.snapshots)
    assert epochs[0] == 0 and len(epochs) > 2
    assert epochs[-1] == max(one.epoch for one in found.sweep.ensemble)
    reached = [jaxmlp.evaluate(model, splits.test)["accuracy"] for model in found.snapshots.values()]
    assert reached[0] < 0.5 < reached[-1] == jaxmlp.evaluate(found.ensemble, splits.test)["accuracy"]
    save_snapshots(tmp_path, found.snapshots)
    frames = describe_page(found.ensemble, load_snapshots(tmp_path))["timeline"]
    assert frames[0]["score"] is None and frames[0]["epoch"] == 0
    assert frames[-1]["networks"] == describe_page(found.ensemble)["model"]["networks"]
    accuracy = np.nanmax(found.sweep.history["validation_accuracy"])
    assert 0.5 < frames[-1]["score"] <= accuracy


@needs_browser
def test_the_slider_goes_from_the_untrained_network_to_the_model(tmp_path, result):
    content = describe_page(result.model, result.snapshots)
    (tmp_path / "page.html").write_text(build_page(content), "utf-8")
    driver = open_browser()
    try:
        driver.get((tmp_path / "page.html").as_uri())
        find(driver, ".example")[6].click()
        end = answers(driver)
        (slider,) = find(driver, ".timeline input")
        slider.send_keys("\ue011")
        start = answers(driver)
        assert find(driver, "section:has(.timeline) [role=status]")[0].text == "Before training"
        inputs = example_inputs(content, 6)
        np.testing.assert_allclose(start, predict_proba(result.snapshots[0], inputs)[0], atol=2e-3)
        np.testing.assert_allclose(end, predict_proba(result.model, inputs)[0], atol=2e-3)
        assert np.abs(start - end).max() > 0.3
        press(driver, "Play")
        driver.execute_async_script("setTimeout(arguments[0], 6000)")
        np.testing.assert_array_equal(answers(driver), end)
        assert find(driver, ".timeline input")[0].get_attribute("value") == str(len(content["timeline"]) - 1)
        assert driver.get_log("browser") == []
    finally:
        driver.quit()


def example_inputs(content, place):
    images = np.frombuffer(b64decode(content["examples"]["typical"]["images"]["data"]), np.uint8)
    return images.reshape(-1, 8, 8)[place : place + 1]
