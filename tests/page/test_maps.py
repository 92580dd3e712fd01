"""The plane of a page is the library's own map, and its lines lie where they should."""

import msgspec
import numpy as np
import pandas
import pytest

import jaxmlp
from jaxmlp.page.fields import describe_fields
from jaxmlp.page.packing import pack_model
from tests.support.node import needs_node, run_script

pytestmark = needs_node
FILES = "nn.js", "fields.js", "maps.js", "contours.js"
MAP = """((model, page) => {
  Object.assign(page, {model, row: page.fields.map(({start}) => start), network: 0, options: [{}]});
  page.dense = () => model.networks[0].layers.filter(({kind}) => kind === "dense");
  const {shown} = answersIn(page, [0, 2], 7, 1), {layers} = tracesIn(page, [0, 2], 7);
  return {shown: Array.from(shown), sums: layers[0].sums.map((one) => Array.from(one))};
})(unpack(data.model), {fields: data.fields})"""


@pytest.fixture(scope="module")
def model():
    draws, rows = np.random.default_rng(0), 300
    frame = pandas.DataFrame({"a": draws.normal(size=rows), "kind": draws.choice(["x", "y"], rows)})
    frame["b"] = draws.normal(3, 2, size=rows)
    frame["answer"] = np.where(frame["a"] * (frame["b"] - 3) + (frame["kind"] == "x") > 0.5, "yes", "no")
    splits = jaxmlp.read_table(frame, "answer")
    options = {"hidden_sizes": (5,), "num_epochs": 30, "learning_rate": 0.03, "progress": False}
    return jaxmlp.fit_mlp(splits, **options).model


def test_the_plane_is_that_of_the_library(model, tmp_path):
    fields = describe_fields(model)
    data = msgspec.to_builtins({"model": pack_model(model), "fields": fields})
    found = run_script(MAP, data, tmp_path, FILES)
    (low_a, high_a), (low_b, high_b) = ((fields[i]["low"], fields[i]["high"]) for i in (0, 2))
    b, a = np.meshgrid(np.linspace(low_b, high_b, 7), np.linspace(low_a, high_a, 7), indexing="ij")
    rows = pandas.DataFrame({"a": a.ravel(), "kind": fields[1]["start"], "b": b.ravel()})
    expected = jaxmlp.predict_table(model, rows)["probability of yes"]
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(found["shown"], expected, atol=1e-3)
    names = [field["name"] for field in fields]
    assert names == ["a", "kind", "b"] and fields[1]["start"] in ("x", "y")
    weight, bias = (np.asarray(part) for part in model.networks[0][0])
    inputs = np.stack([a.ravel(), *(np.full(49, fields[1]["start"] == k) for k in "xy"), b.ravel()], axis=1)
    sums = (inputs - model.affine.shift) / model.affine.scale @ weight + bias
    np.testing.assert_allclose(np.transpose(found["sums"]), sums, atol=0.01)


def test_a_line_of_equal_height_lies_where_it_should(tmp_path):
    size = 9
    y, x = np.meshgrid(*[np.linspace(0, 1, size)] * 2, indexing="ij")
    code = f"data.map((heights) => contour(heights, {size}, 0.3))"
    slope, bowl = run_script(
        code, [(x + y / 2).ravel().tolist(), (x**2 + y**2).ravel().tolist()], tmp_path, FILES
    )
    ends = np.reshape(slope, (-1, 2))
    np.testing.assert_allclose(ends[:, 0] + ends[:, 1] / 2, 0.3, atol=1e-12)
    assert np.ptp(ends[:, 1]) > 0.5
    np.testing.assert_allclose(np.hypot(*np.reshape(bowl, (-1, 2)).T), np.sqrt(0.3), atol=0.01)


def test_a_field_reaches_over_what_was_learnt(model):
    fields = describe_fields(model)
    ranks = jaxmlp.read_table(
        pandas.DataFrame({"a": np.exp(np.linspace(0, 8, 200)), "y": np.tile(["u", "v"], 100)}), "y"
    )
    options = {"num_epochs": 2, "progress": False, "numeric_scaling": "quantile"}
    (of_ranks,) = describe_fields(jaxmlp.fit_mlp(ranks, **options).model)
    assert fields[2]["low"] < 0 < fields[2]["start"] < 6 < fields[2]["high"]
    even = jaxmlp.from_arrays(np.linspace(0, 40, 300)[:, None], np.tile([0, 1], 150))
    (of_even,) = describe_fields(jaxmlp.fit_mlp(even, num_epochs=2, progress=False).model)
    assert (of_even["low"], of_even["high"]) == (0, 40)
    assert of_ranks["low"] < 1.5 and of_ranks["high"] > 2500 and 30 < of_ranks["start"] < 90
