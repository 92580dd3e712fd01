"""A saved model predicts the same bits; whatever does not fit together is refused in one line."""

import hashlib
import json
import pickle
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from jaxmlp.data.columns import CategoryColumn, NumberColumn
from jaxmlp.models import numpy_predictor
from jaxmlp.models.model import Model, load, save, with_spec
from jaxmlp.models.prediction import _network_outputs, network_outputs, predict, predict_proba
from jaxmlp.models.schema import ModelSpec, dense_network
from jaxmlp.nn import mlp
from jaxmlp.nn.preprocessing import fit_affine
from jaxmlp.runtime import files
from jaxmlp.types import InputError, Layer

INPUT_SHAPE = (3, 4)
IMAGES = np.random.default_rng(0).integers(0, 256, (7, *INPUT_SHAPE), dtype=np.uint8)
CLASS_NAMES = {"binary": ("no", "yes"), "multiclass": ("ant", "bee", "cat"), "regression": ()}


def make_model(head: str = "multiclass", num_outputs: int = 3, activation: str = "tanh") -> Model:
    layer_sizes = (12, 5, num_outputs)
    params = mlp.init(jax.random.key(1), layer_sizes, activation=mlp.get_activation(activation))
    spec = ModelSpec(
        networks=(dense_network(layer_sizes, activation),),
        head=head,
        input_shape=INPUT_SHAPE,
        class_names=CLASS_NAMES[head],
        dataset="zoo",
        metrics={"test accuracy": 0.5},
        versions={"jax": jax.__version__, "jaxmlp": None},
        drawing_extent=0.75,
    )
    return Model((params,), fit_affine(IMAGES), spec)


def forward(model: Model, inputs: np.ndarray) -> np.ndarray:
    """The network in NumPy, with tanh."""
    x = (inputs.reshape(len(inputs), -1) - model.affine.shift) / model.affine.scale
    *hidden, last = [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in model.networks[0]]
    for weight, bias in hidden:
        x = np.tanh(x @ weight + bias)
    return x @ last[0] + last[1]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(tmp_path / "model.safetensors", make_model())


@pytest.mark.parametrize("activation", sorted(mlp.ACTIVATIONS))
def test_a_loaded_model_has_the_same_description_and_predicts_the_same_bits(tmp_path, activation):
    model = make_model(activation=activation)
    loaded = load(save(tmp_path / "new" / "folder" / "model.safetensors", model))
    assert loaded.spec == model.spec
    np.testing.assert_array_equal(
        network_outputs(loaded, IMAGES), network_outputs(model, IMAGES), strict=True
    )


def test_the_file_is_what_safetensors_itself_reads(saved):
    tensors = safetensors.numpy.load_file(saved)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "networks.0.layers.0.weight": (12, 5),
        "networks.0.layers.0.bias": (5,),
        "networks.0.layers.1.weight": (5, 3),
        "networks.0.layers.1.bias": (3,),
        "preprocess.shift": (),
        "preprocess.scale": (),
    }
    np.testing.assert_array_equal(tensors["networks.0.layers.0.weight"], make_model().networks[0][0].weight)


def test_a_transposed_view_is_stored_as_it_reads(tmp_path):
    model = make_model()
    views = tuple(Layer(np.asarray(layer.weight.T).copy().T, layer.bias) for layer in model.networks[0])
    loaded = load(save(tmp_path / "model", model._replace(networks=(views,))))
    np.testing.assert_array_equal(loaded.networks[0][0].weight, model.networks[0][0].weight)


def test_float64_survives_where_it_is_enabled_and_is_refused_where_it_would_be_rounded(tmp_path):
    with jax.enable_x64(True):
        model = make_model()
        path = save(tmp_path / "model", model)
        loaded = load(path)
        assert loaded.networks[0][0].weight.dtype == jnp.float64
        np.testing.assert_array_equal(network_outputs(loaded, IMAGES), network_outputs(model, IMAGES))
    if not jax.config.jax_enable_x64:
        with pytest.raises(InputError, match="JAX_ENABLE_X64"):
            load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_could_not_be_measured_is_null_and_never_a_lost_model(tmp_path, value):
    given = {"metrics": {"r2": value, "rmse": 0.5}, "intervals": {"r2": (value, 0.5), "rmse": (0.25, 0.75)}}
    about = load(save(tmp_path / "model", with_spec(make_model(), **given))).spec
    assert about.metrics == {"r2": None, "rmse": 0.5} and about.intervals == {"rmse": (0.25, 0.75)}


def test_class_names_keep_their_types(tmp_path):
    names = (900719925474099301, 0.5, True)
    loaded = load(save(tmp_path / "model", with_spec(make_model(), class_names=names)))
    assert loaded.spec.class_names == names
    assert [type(name) for name in loaded.spec.class_names] == [int, float, bool]


# The format before this one

THIRD = {
    "networks": [{"layer_sizes": [3, 2, 1], "activation": "tanh", "votes": 2}],
    "head": "regression",
    "input_shape": [3],
    "class_names": [],
    "dataset": "shop",
    "metrics": {"rmse": 0.25},
    "versions": {"jax": "0.10.1"},
    "ink_box": None,
    "temperature": 1.0,
    "noise_scale": [0.5],
    "columns": [
        {"name": "size", "fill": 2.0, "gaps": False, "categories": []},
        {"name": "kind", "fill": None, "gaps": False, "categories": ["cat", "dog"]},
    ],
    "format": 3,
}


def third(tmp_path, **changes: Any) -> Path:
    """A model as the third format had it."""
    (first, last), _ = mlp.init(jax.random.key(0), (3, 2, 1)), None
    tensors = {
        **{f"networks.0.layers.0.{name}": value for name, value in first._asdict().items()},
        **{f"networks.0.layers.1.{name}": value for name, value in last._asdict().items()},
        "preprocess.shift": np.zeros(3, np.float32),
        "preprocess.scale": np.ones(3, np.float32),
    }
    path = tmp_path / "third.safetensors"
    path.write_bytes(files.pack(tensors, {"jaxmlp": json.dumps(THIRD | changes)}))
    return path


def test_a_model_of_the_third_format_is_read_and_predicts(tmp_path):
    model = load(third(tmp_path))
    assert model.spec.networks == (dense_network((3, 2, 1), "tanh", 2),)
    assert model.spec.columns == (NumberColumn("size", 2.0, False), CategoryColumn("kind", ("cat", "dog")))
    assert (model.spec.loss, model.spec.format) == ("squared error", 5)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    expected = forward(model, rows)[:, 0]
    np.testing.assert_allclose(predict(model, rows), expected, rtol=1e-4, atol=1e-6)
    alone = numpy_predictor.load(third(tmp_path))
    np.testing.assert_allclose(numpy_predictor.predict(alone, rows), expected, rtol=1e-4, atol=1e-6)
    again = load(save(tmp_path / "newest.safetensors", model))
    assert again.spec == model.spec


def test_a_model_of_the_fourth_format_is_read(saved):
    expected = load(saved)
    saved.write_bytes(with_description(format=4, target_kind=..., target_range=...)(saved.read_bytes()))
    assert load(saved).spec == expected.spec
    found = numpy_predictor.predict(numpy_predictor.load(saved), IMAGES)
    np.testing.assert_array_equal(found, predict(expected, IMAGES))


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": [{"layer_sizes": [3, 2, 1], "activation": "tanh"}]},
        {"networks": [{"layer_sizes": 3, "activation": "tanh", "votes": 2}]},
        {"networks": 3},
        {"columns": [{"name": "size"}]},
        {"colour": "red"},
    ],
)
def test_a_damaged_model_of_the_third_format_is_refused(tmp_path, changes):
    with pytest.raises(InputError, match=r"its description is not as it was written"):
        load(third(tmp_path, **changes))


def test_scalars_of_numpy_and_jax_are_described_as_numbers(tmp_path):
    model = make_model()
    networks = (dense_network((12, np.int64(5), 3), "tanh"),)
    metrics = {"loss": jnp.float32(0.5), "error": np.float32(0.25)}
    loaded = load(save(tmp_path / "model", with_spec(model, networks=networks, metrics=metrics)))
    assert loaded.spec.metrics == {"loss": 0.5, "error": 0.25}


def test_logits_and_probabilities_of_several_classes_against_numpy():
    model = make_model()
    expected = forward(model, IMAGES)
    np.testing.assert_allclose(network_outputs(model, IMAGES)[0], expected, rtol=1e-4, atol=1e-5)
    exponentials = np.exp(expected)
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict_proba(model, IMAGES), shares, rtol=1e-4)
    np.testing.assert_array_equal(predict(model, IMAGES), expected.argmax(axis=1))


def test_a_binary_model_has_one_logit_and_two_columns():
    model = make_model("binary", num_outputs=1)
    one = 1 / (1 + np.exp(-forward(model, IMAGES)[:, 0]))
    np.testing.assert_allclose(predict_proba(model, IMAGES), np.stack([1 - one, one], axis=1), rtol=1e-4)
    np.testing.assert_array_equal(predict(model, IMAGES), one > 0.5)


def test_a_regression_predicts_values_and_has_no_probabilities():
    model = make_model("regression", num_outputs=2)
    np.testing.assert_allclose(predict(model, IMAGES), forward(model, IMAGES), rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="use predict"):
        predict_proba(model, IMAGES)


def test_a_regression_predicts_within_its_range():
    model = make_model("regression", num_outputs=2)
    expected = forward(model, IMAGES)
    (low, _), (_, high) = ranges = ((np.median(expected[:, 0]), 9.0), (-9.0, np.median(expected[:, 1])))
    expected = np.stack([np.maximum(expected[:, 0], low), np.minimum(expected[:, 1], high)], axis=1)
    found = predict(with_spec(model, target_range=ranges), IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found[:, 0].min() == low and found[:, 1].max() == high


def test_predicting_twice_compiles_once():
    model = make_model()
    network_outputs(model, IMAGES)
    size = _network_outputs._cache_size()
    predict_proba(model, IMAGES)
    predict(model, IMAGES)
    assert _network_outputs._cache_size() == size


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (IMAGES[0], r"inputs: must have the shape \(n, 3, 4\) of n examples, got \(3, 4\)"),
        (IMAGES.reshape(7, 12), r"got \(7, 12\)"),
        (np.ones(7), r"got \(7,\)"),
        (np.full((1, 3, 4), np.nan), "finite"),
        (np.full((1, 3, 4), "a"), "numbers"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        predict(make_model(), inputs)


def described(**changes: Any) -> Callable[[Model], Model]:
    return lambda model: with_spec(model, **changes)


def formed(layer_sizes: tuple[int, ...] = (12, 5, 3), activation: Any = "tanh") -> Callable[[Model], Model]:
    return described(networks=(dense_network(layer_sizes, activation),))


def poisoned(value: float) -> Callable[[Model], Model]:
    def change(model: Model) -> Model:
        first, *others = model.networks[0]
        return model._replace(networks=((first._replace(bias=first.bias.at[2].set(value)), *others),))

    return change


UNSAVABLE = {
    "an activation of one's own": (formed(activation=lambda x: x), "activation: unknown name .*known: "),
    "a misspelt activation": (formed(activation="tahn"), "did you mean 'tanh'"),
    "an unknown head": (described(head="softmax"), "head: unknown name"),
    "a weight that is not a number": (
        poisoned(np.nan),
        "layers.0.bias has values that are not finite",
    ),
    "an infinite weight": (poisoned(np.inf), "not finite"),
    "other layer sizes": (
        formed(layer_sizes=(12, 6, 3)),
        r"networks.0.layers.0.bias|layers.0.weight .* \(12, 6\)",
    ),
    "other inputs": (described(input_shape=(4, 4)), r"input_shape \(4, 4\) does not hold 12"),
    "other classes": (described(class_names=("ant", "bee")), "wants 3 outputs and 3 class_names"),
    "two logits for two classes": (described(head="binary", class_names=("a", "b")), "wants 1 outputs"),
    "a scale of 0": (
        lambda model: model._replace(affine=model.affine._replace(scale=np.float32(0))),
        "preprocess.scale must not hold 0",
    ),
    "one scale per column of another table": (
        lambda model: model._replace(affine=model.affine._replace(scale=np.ones(5, np.float32))),
        "preprocess.scale must fit",
    ),
}


@pytest.mark.parametrize(("change", "message"), UNSAVABLE.values(), ids=UNSAVABLE)
def test_what_could_not_be_loaded_is_not_saved_and_the_old_file_stays(saved, change, message):
    before = saved.read_bytes()
    with pytest.raises(InputError, match=message) as caught:
        save(saved, change(make_model()))
    assert "\n" not in str(caught.value)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("ranges", [((0.0, 1.0),), ((0.0, 1.0), (2.0, 1.0)), ((0.0, 1.0),) * 3])
def test_ranges_that_do_not_fit_the_predictions_are_refused(tmp_path, ranges):
    with pytest.raises(InputError, match=r"target_range must be the lowest and highest of 2 values"):
        save(tmp_path / "m", with_spec(make_model("regression", num_outputs=2), target_range=ranges))


def test_a_disk_that_fails_while_writing_leaves_the_old_file(saved, monkeypatch):
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        save(saved, make_model("regression", num_outputs=2))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_saving_replaces_an_older_model(saved):
    save(saved, make_model("binary", num_outputs=1))
    assert load(saved).spec.head == "binary"
    assert list(saved.parent.iterdir()) == [saved]


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def join(header: str, data: bytes) -> bytes:
    return struct.pack("<Q", len(header.encode())) + header.encode() + data


def resealed(content: bytes) -> bytes:
    """The file with the checksum that fits it."""
    bare = re.sub(rb'("sha256":")[0-9a-f]{64}', rb"\g<1>" + b"0" * 64, content, count=1)
    return bare.replace(b"0" * 64, hashlib.sha256(bare).hexdigest().encode(), 1)


def with_description(**changes: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header, data = split(content)
        fields = json.loads(header["__metadata__"]["jaxmlp"]) | changes
        kept = {name: value for name, value in fields.items() if value is not ...}
        texts = header["__metadata__"] | {"jaxmlp": json.dumps(kept)}
        return resealed(join(json.dumps(header | {"__metadata__": texts}, separators=(",", ":")), data))

    return change


def with_layer(number: int = 0, **changes: Any) -> Callable[[bytes], bytes]:
    layers: list[dict[str, Any]] = [
        {"kind": "dense", "inputs": 12, "outputs": 5, "activation": "tanh"},
        {"kind": "dense", "inputs": 5, "outputs": 3, "activation": "identity"},
    ]
    changed = layers[number] | changes
    layers[number] = {name: value for name, value in changed.items() if value is not ...}
    return with_description(networks=[{"layers": layers, "count": 1}])


def with_network(**changes: Any) -> Callable[[bytes], bytes]:
    network = {
        "layers": [{"kind": "dense", "inputs": 12, "outputs": 3, "activation": "identity"}],
        "count": 1,
    }
    return with_description(networks=[network | changes])


def with_tensors(**changes: np.ndarray | None) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        tensors = safetensors.numpy.load(content) | {
            name.replace("_", "."): value for name, value in changes.items()
        }
        kept = {name: value for name, value in tensors.items() if value is not None}
        return resealed(safetensors.numpy.save(kept, split(content)[0]["__metadata__"]))

    return change


def with_header_text(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header, data = split(content)
        text = json.dumps(header, separators=(",", ":"))
        assert old in text
        return resealed(join(text.replace(old, new, 1), data))

    return change


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the file was unpickled",))


PERIODIC = {"kind": "periodic", "inputs": 12, "numbers": [1, 3], "num_frequencies": 4}
AFTER = {"kind": "dense", "inputs": 18, "outputs": 3, "activation": "identity"}
DAMAGED = {
    "empty": (lambda content: b"", "not a safetensors file"),
    "text": (lambda content: b"not a model at all, only a line of text", "not a safetensors file"),
    "a pickle": (lambda content: pickle.dumps(Bomb()), "not a safetensors file"),
    "cut in the header": (lambda content: content[:100], "only a part"),
    "cut in the data": (lambda content: content[:-1], "checksum does not fit"),
    "longer": (lambda content: content + b"\0", "checksum does not fit"),
    "cut in the data, and resealed": (lambda content: resealed(content[:-1]), "damaged or incomplete"),
    "longer, and resealed": (lambda content: resealed(content + b"\0"), "damaged or incomplete"),
    "a header of 2⁶³ bytes": (lambda content: b"\xff" * 7 + b"\x7f" + content[8:], "not a safetensors file"),
    "a header above the bound": (lambda content: join(" " * 2**24 + "{}", b""), "not a safetensors file"),
    "a header that is not JSON": (lambda content: join("{" + "}" * 9, b""), "header is not JSON"),
    "a deep header": (lambda content: join("[" * 100_000, b""), "header is not JSON"),
    "a header that is not text": (lambda content: b"\2" + b"\0" * 7 + b"\xff\xfe", "header is not JSON"),
    "a list for a header": (lambda content: join("[]", b""), "no table"),
    "a model of another library": (lambda content: safetensors.numpy.save({}), "no checksum by jaxmlp"),
    "a file without a description": (lambda content: files.pack({}, {}), "no description by jaxmlp"),
    "a tensor that comes twice": (
        with_header_text(
            '"networks.0.layers.0.bias":', '"networks.0.layers.0.weight":{},"networks.0.layers.0.bias":'
        ),
        "header has 'networks.0.layers.0.weight' twice",
    ),
    "a description that comes twice": (
        with_header_text('"jaxmlp":', '"jaxmlp":"{}","jaxmlp":'),
        "header has 'jaxmlp' twice",
    ),
    "a field that comes twice": (
        with_header_text('\\"head\\":', '\\"head\\":\\"regression\\",\\"head\\":'),
        "description has 'head' twice",
    ),
    "a description that is not JSON": (
        with_header_text('"jaxmlp":"{', '"jaxmlp":"'),
        "description is not JSON",
    ),
    "a description that is a list": (with_header_text('"jaxmlp":"{', '"jaxmlp":"[]", "old":"{'), "format"),
    "a newer format": (with_description(format=6), "has format 6, .* reads 5; upgrade"),
    "an older format": (with_description(format=2), "format must be 3 to 5, got 2; save the model again"),
    "no format": (with_description(format=...), "format must be 3 to 5, got None"),
    "a format of another type": (with_description(format=True), "format must be 3 to 5, got True"),
    "what the third format was not": (with_description(format=3), "not as it was written: "),
    "a missing field": (with_description(dataset=...), "missing required field `dataset`"),
    "a field too many": (with_description(colour="red"), "unknown field `colour`"),
    "an unknown activation": (with_layer(activation="rellu"), "did you mean 'relu'"),
    "an unknown head": (with_description(head="poisson"), "head: unknown name 'poisson'"),
    "an activation that is no name": (with_layer(activation=3), "`str`, got `int`, at networks.*activation"),
    "no layer": (with_network(layers=[]), "length >= 1, at networks.*layers"),
    "an unknown kind of layer": (with_layer(kind="lstm"), "Invalid value 'lstm', at networks.*kind"),
    "an embedding alone": (with_network(layers=[PERIODIC]), "embedding must be the first layer, and others"),
    "an embedding at the end": (with_network(layers=[AFTER, PERIODIC]), "embedding must be the first layer"),
    "an embedding of no number": (
        with_network(layers=[PERIODIC | {"numbers": []}, AFTER]),
        "length >= 1, at networks.*numbers",
    ),
    "embedded numbers out of order": (
        with_network(layers=[PERIODIC | {"numbers": [3, 1]}, AFTER]),
        r"must ascend.* \(3, 1\)",
    ),
    "an embedded number that is not there": (
        with_network(layers=[PERIODIC | {"numbers": [1, 12]}, AFTER]),
        "below its 12 inputs",
    ),
    "an embedding without its features": (
        with_network(layers=[PERIODIC, AFTER | {"inputs": 12}]),
        "have 18 outputs and then 12 inputs",
    ),
    "an embedding without its tensors": (
        with_network(layers=[PERIODIC | {"num_frequencies": 2}, AFTER]),
        r"must have the shape \(18, 3\)",
    ),
    "a negative layer size": (with_layer(outputs=-5), ">= 1, at networks.*outputs"),
    "a layer size that is no number": (with_layer(outputs=True), "`int`, got `bool`, at networks.*outputs"),
    "layers that do not follow each other": (with_layer(1, inputs=4), "have 5 outputs and then 4 inputs"),
    "a layer with a field too many": (with_layer(colour="red"), "unknown field `colour`"),
    "a network with a field too many": (with_network(colour="red"), "unknown field `colour`"),
    "a network that counts never": (with_network(count=0), ">= 1, at networks.*count"),
    "no network": (with_description(networks=[]), "length >= 1, at networks"),
    "another network's outputs": (
        with_description(
            networks=[
                {
                    "layers": [{"kind": "dense", "inputs": 12, "outputs": n, "activation": "identity"}],
                    "count": 1,
                }
                for n in (3, 2)
            ]
        ),
        "networks have 3 and 2 outputs",
    ),
    "a temperature of 0": (with_description(temperature=0), "> 0.0, at temperature"),
    "a noise scale below 0": (with_description(noise_scale=[-1.0]), "> 0.0, at noise_scale"),
    "a noise scale of classes": (
        with_description(noise_scale=[1.0]),
        "noise_scale must be one number for each of 0 values of a regression, got 1",
    ),
    "a range of predictions for classes": (
        with_description(target_range=[[0.0, 1.0]] * 3),
        "target_range must be the lowest and highest of 0 values of a regression",
    ),
    "a range of predictions without an end": (with_description(target_range=[[0.0]]), "at target_range"),
    "an empty input shape": (with_description(input_shape=[]), "length >= 1, at input_shape"),
    "a class name that is a list": (
        with_description(class_names=["a", ["b"], "c"]),
        "got `array`, at class_names",
    ),
    "classes of one name": (
        with_description(class_names=["a", "1", 1]),
        "class_names: must differ as they are written, got '1' 2 times",
    ),
    "metrics that are no table": (with_description(metrics=[1]), "`object`, got `array`, at metrics"),
    "a metric that is not finite": (with_description(metrics={"loss": float("inf")}), "<= 1.7.*, at metrics"),
    "a drawing above 1": (with_description(drawing_extent=1.5), "<= 1.0, at drawing_extent"),
    "fewer layers": (
        with_network(),
        r"layers.0.bias must have the shape \(3,\)|layers.0.weight must",
    ),
    "a tensor too many": (with_tensors(extra=np.zeros(1, np.float32)), "lacks or adds the tensor 'extra'"),
    "a missing tensor": (with_tensors(preprocess_shift=None), "lacks or adds the tensor 'preprocess.shift'"),
    "another shape": (
        with_tensors(networks_0_layers_0_weight=np.zeros((5, 12), np.float32)),
        r"networks.0.layers.0.weight must have the shape \(12, 5\), got \(5, 12\)",
    ),
    "whole numbers": (
        with_tensors(networks_0_layers_0_bias=np.zeros(5, np.int32)),
        "all float32 .* got float32, int32",
    ),
    "mixed precision": (
        with_tensors(networks_0_layers_0_bias=np.zeros(5)),
        "all float32 .* got float32, float64",
    ),
    "a type that NumPy lacks": (
        with_header_text('"F32","shape":[5]', '"BF16","shape":[10]'),
        "unknown type 'BF16'",
    ),
    "a weight that is not a number": (
        with_tensors(networks_0_layers_1_bias=np.array([0, np.nan, 0], np.float32)),
        "networks.0.layers.1.bias has values that are not finite",
    ),
    "an infinite shift": (with_tensors(preprocess_shift=np.array(np.inf, np.float32)), "not finite"),
    "a scale that is not a number": (with_tensors(preprocess_scale=np.array(np.nan)), "not finite"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(saved, damage, message):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        load(saved)
    assert str(caught.value).startswith(f"{saved}: ")
    assert "\n" not in str(caught.value)


def test_every_flipped_bit_is_seen(saved):
    content = saved.read_bytes()
    draws = np.random.default_rng(0)
    # Every bit of the header, where the names and the checksum are, and some of every tensor's.
    places = [*range(split_at(content)), *draws.integers(split_at(content), len(content), 300)]
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << int(draws.integers(8))
        saved.write_bytes(broken)
        with pytest.raises(InputError):
            load(saved)


def split_at(content: bytes) -> int:
    return 8 + struct.unpack("<Q", content[:8])[0]


HUGE = 2**40
HOSTILE = {
    "tensors that share their bytes": '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
    '"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
    "an end before its beginning": '{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}',
    "an offset that overflows": '{"a":{"dtype":"F32","shape":[4],'
    f'"data_offsets":[{2**64 - 1},{2**64 + 15}]}}}}',
    "a tensor of 2⁴⁰ numbers": f'{{"a":{{"dtype":"F32","shape":[{HUGE}],"data_offsets":[0,{4 * HUGE}]}}}}',
    "a product that overflows": f'{{"a":{{"dtype":"F32","shape":[{2**33},{2**33}],"data_offsets":[0,16]}}}}',
    "a name that leads elsewhere": '{"../../a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
    "a negative size": '{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}',
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_within_bounded_memory(saved, header):
    # With our description and a checksum that fits: what is refused is the table of tensors.
    texts = json.dumps(split(saved.read_bytes())[0]["__metadata__"], separators=(",", ":"))
    hostile = header[:-1] + ',"__metadata__":' + texts + "}"
    saved.write_bytes(resealed(join(hostile, bytes(16))))
    tracemalloc.start()
    with pytest.raises(InputError):
        load(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_header_of_100_megabytes_is_not_read(saved):
    saved.write_bytes(join(" " * 100_000_000, b""))
    with pytest.raises(InputError, match="not a safetensors file"):
        load(saved)


def test_the_helpers_that_damage_files_leave_whole_ones_whole(saved):
    for unchanged in (with_description(), with_tensors(), with_header_text("F32", "F32")):
        saved.write_bytes(unchanged(saved.read_bytes()))
        load(saved)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "model", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            load(path)


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("here first")
    for path in (tmp_path / "file" / "model", tmp_path):
        with pytest.raises(InputError, match="cannot be written"):
            save(path, make_model())
