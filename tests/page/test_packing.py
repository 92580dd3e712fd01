"""The page's own network says what ``predict_proba`` says, for every kind of model."""

import jax
import msgspec
import numpy as np
import pandas
import pytest
from msgspec import structs
from scipy.special import softmax
from sklearn.datasets import load_digits

import jaxmlp
from jaxmlp.data.encoding import transform_columns
from jaxmlp.models.model import load, with_spec
from jaxmlp.models.prediction import network_outputs, predict, predict_proba
from jaxmlp.models.schema import dense_network
from jaxmlp.nn import mlp
from jaxmlp.nn.preprocessing import Quantiles, apply_quantiles
from jaxmlp.page.binary import pack_array
from jaxmlp.page.packing import TOLERANCE, draw_inputs, pack_model
from jaxmlp.types import Layer
from tests.models.test_model import make_model
from tests.support.node import needs_node, run_script

pytestmark = needs_node
RESULTS = jaxmlp.__path__[0] + "/../results"
PREDICT = (
    "(() => { const model = unpack(data.model); return data.rows.map((row) => predict(model, row)); })()"
)


def page_answers(model, inputs, folder):
    """What the page says: the members' answers [networks, examples, …] and their mean [examples, …]."""
    rows = np.asarray(inputs, float).reshape(len(inputs), -1).tolist()
    data = msgspec.to_builtins({"model": pack_model(model), "rows": rows})
    answers = run_script(PREDICT, data, folder)
    members = np.array([answer["members"] for answer in answers]).swapaxes(0, 1)
    return members, np.array([answer["mean"] for answer in answers])


def agree(model, inputs, folder):
    members, mean = page_answers(model, inputs, folder)
    outputs = network_outputs(model, inputs)
    if model.spec.head != "regression":
        np.testing.assert_allclose(mean, predict_proba(model, inputs), atol=1e-3, rtol=0)
        if model.spec.head == "binary":
            outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
        np.testing.assert_allclose(members, softmax(outputs, axis=-1), atol=2e-3, rtol=0)
    else:
        expected = predict(model, inputs).reshape(mean.shape)
        np.testing.assert_allclose(mean, expected, atol=1e-3 * np.std(expected) + 1e-12)


@pytest.mark.parametrize("activation", sorted(mlp.ACTIVATIONS))
def test_every_activation_is_that_of_jax(activation, tmp_path):
    x = np.array([-1e4, -90.0, -3.5, -1.0, -0.1, 0.0, 0.2, 1.0, 5.9, 7.0, 90.0, 1e4])
    found = run_script(f"data.map(ACTIVATIONS.{activation})", x.tolist(), tmp_path)
    with jax.enable_x64(True):
        np.testing.assert_allclose(found, mlp.ACTIVATIONS[activation](x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("activation", sorted(mlp.ACTIVATIONS))
def test_networks_of_every_activation_answer_alike(activation, tmp_path):
    model = make_model(activation=activation)
    agree(model, draw_inputs(model), tmp_path)


@pytest.mark.parametrize(("head", "num_outputs"), [("binary", 1), ("multiclass", 3), ("regression", 2)])
def test_every_head_and_a_temperature(head, num_outputs, tmp_path):
    model = make_model(head=head, num_outputs=num_outputs)
    agree(with_spec(model, temperature=2.5), draw_inputs(model), tmp_path)


@pytest.mark.parametrize("head", ["multiclass", "regression"])
def test_networks_count_as_often_as_they_say(head, tmp_path):
    one, other = make_model(head), make_model(head, activation="relu")
    forms = tuple(structs.replace(m.spec.networks[0], count=n) for m, n in ((one, 5), (other, 1)))
    model = with_spec(one, networks=forms)._replace(networks=one.networks + other.networks)
    even = tuple(structs.replace(form, count=1) for form in forms)
    assert np.abs(answer(model) - answer(with_spec(model, networks=even))).max() > 0.01
    agree(model, draw_inputs(model), tmp_path)


def answer(model):
    inputs = draw_inputs(model)
    return predict(model, inputs) if model.spec.head == "regression" else predict_proba(model, inputs)


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_the_published_networks_answer_alike(name, tmp_path):
    model = load(f"{RESULTS}/{name}/model.safetensors")
    side, images = model.spec.input_shape[0], load_digits().images[:200]
    grown = np.kron(images, np.ones((1, 3, 3)))
    inputs = images if name == "digits" else np.pad(grown * 15, ((0, 0), (2, 2), (2, 2)))
    assert inputs.shape[1:] == (side, side) and np.ptp(predict_proba(model, inputs)) > 0.9
    agree(model, inputs, tmp_path)


@pytest.fixture(scope="module")
def table():
    """Numbers with gaps, a skewed one, categories, truth values and dates; the target hangs on all."""
    draws, rows = np.random.default_rng(0), 240
    frame = pandas.DataFrame(
        {
            "size": np.where(draws.random(rows) < 0.1, np.nan, draws.normal(5, 2, rows)),
            "price": np.exp(draws.normal(0, 2, rows)).round(1) + 0.1,
            "count": draws.integers(0, 4, rows),
            "city": draws.choice(["Rome", "Oslo", '<b>&"'], rows),
            "new": draws.choice(["True", "False"], rows),
            "day": pandas.date_range("2020-01-01", periods=rows, freq="5D").where(draws.random(rows) > 0.1),
        }
    )
    tells = frame["size"].fillna(0) + np.log(frame["price"]) + 2 * (frame["city"] == "Rome") + frame["count"]
    return frame.assign(sold=np.where(tells > 7, "yes", "no"), value=tells)


@pytest.mark.parametrize("target", ["sold", "value"])
def test_a_table_s_ensemble_with_embedding_and_quantiles(table, target, tmp_path):
    splits = jaxmlp.read_table(table.drop(columns={"sold", "value"} - {target}), target)
    found = jaxmlp.fit_ensemble(
        splits,
        {"frequency_scale": jaxmlp.Range(0.3, 1.0), "learning_rate": 1e-2, "hidden_sizes": 8},
        num_members=2,
        num_epochs=8,
        progress=False,
    )
    model = found.ensemble
    assert model.spec.networks[0].embedding and len(model.networks) > 2
    inputs = transform_columns(table, model.spec.columns)
    knots = np.quantile(inputs[:, [0, 2]], np.linspace(0, 1, 40), axis=0).T
    agree(model, inputs, tmp_path)
    agree(model._replace(quantiles=Quantiles(np.array([0, 2]), knots.astype(np.float32))), inputs, tmp_path)


def test_rows_become_the_same_numbers(table, tmp_path):
    columns = jaxmlp.read_table(table.drop(columns="value"), "sold").columns
    days = (table["day"] - pandas.Timestamp(0)) / pandas.Timedelta(days=1)
    rows = table[[column.name for column in columns]].assign(day=days).astype(object)
    data = {"columns": msgspec.to_builtins(columns), "rows": rows.where(rows.notna(), None).values.tolist()}
    found = run_script("data.rows.map((row) => encodeRow(data.columns, row))", data, tmp_path)
    np.testing.assert_allclose(found, transform_columns(table, columns), atol=1e-9)


def test_shares_below_are_those_of_the_library(tmp_path):
    knots = np.array([[0, 0, 1, 1, 1, 2, 5, 5]], np.float32)
    x = np.array([-1, 0, 1e-9, 0.5, 1, 1.1, 2, 4, 5, 6.0])
    data = {"knots": pack_array(knots, "float32"), "x": x.tolist()}
    found = run_script("data.x.map((x) => shareBelow(unpack(data.knots), x))", data, tmp_path)
    expected = apply_quantiles(Quantiles(np.array([0]), knots), x[:, None])[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_neuron_switched_off_is_a_column_of_zeros(tmp_path):
    sizes, model = (12, 5, 4, 3), make_model()
    first, second, last = layers = mlp.init(jax.random.key(0), sizes)
    model = with_spec(model, networks=(dense_network(sizes, "tanh"),))._replace(networks=(layers,))
    options = "[{off: {0: new Set([2]), 1: new Set([0])}}]"
    switched = PREDICT.replace("predict(model, row)", f"predict(model, row, {options})")
    inputs = draw_inputs(model, 20)
    data = msgspec.to_builtins({"model": pack_model(model), "rows": inputs.reshape(20, -1).tolist()})
    found = [answer["mean"] for answer in run_script(switched, data, tmp_path)]
    zeroed = (
        second._replace(weight=second.weight.at[2].set(0)),
        last._replace(weight=last.weight.at[0].set(0)),
    )
    expected = predict_proba(model._replace(networks=((first, *zeroed),)), inputs)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected - predict_proba(model, inputs)).max() > 0.01


def test_half_precision_is_kept_only_where_it_suffices():
    model = make_model()
    assert pack_model(model)["networks"][0]["layers"][0]["weight"]["dtype"] == "float16"
    (first, *others), factor = model.networks[0], 1e5
    huge = Layer(first.weight * factor, first.bias * factor), *others[:-1]
    last = others[-1]._replace(weight=others[-1].weight / factor)
    for networks in (((*huge, last),), ((Layer(first.weight * 300, first.bias), *others),)):
        packed = pack_model(model._replace(networks=networks))
        assert packed["networks"][0]["layers"][0]["weight"]["dtype"] == "float32"
    assert TOLERANCE < 1e-3
