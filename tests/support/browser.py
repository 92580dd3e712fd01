"""A page in a real browser: Chromium without a window, driven by selenium."""

import json
import shutil
from importlib.util import find_spec

import pytest

_PROGRAMS = "chromium", "chromedriver"
_lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
_lacking += [] if find_spec("selenium") else ["selenium"]
needs_browser = pytest.mark.skipif(bool(_lacking), reason=f"not installed: {', '.join(_lacking)}")


def open_browser(width=1300, height=1000):
    """A driver that keeps the console's messages and the requests."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def requests_of(driver):
    """The addresses that were asked for since this was asked last."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith("data:")]
