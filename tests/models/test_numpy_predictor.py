"""NumPy alone predicts what JAX does, for every head and activation, without JAX at hand."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from jaxmlp.data.sources import load_dataset
from jaxmlp.models import numpy_predictor, schema
from jaxmlp.models.evaluation import evaluate
from jaxmlp.models.model import load, save
from jaxmlp.models.prediction import network_outputs, predict, predict_proba
from jaxmlp.nn import mlp
from tests.models.test_model import make_model, with_description

INPUTS = np.random.default_rng(1).normal(100, 300, size=(9, 3, 4)).astype(np.float32)
COMMITTED = [
    Path(__file__).parents[2] / "results" / name / "model.safetensors" for name in ("digits", "mnist")
]


def saved(path, **options):
    model = make_model(**options)
    save(path, model)
    return model, numpy_predictor.load(path), INPUTS


def test_it_knows_every_activation():
    assert set(numpy_predictor.ACTIVATIONS) == set(mlp.ACTIVATIONS)


@pytest.mark.parametrize("activation", sorted(mlp.ACTIVATIONS))
def test_every_activation_gives_the_same_outputs(activation, tmp_path):
    model, alone, inputs = saved(tmp_path / "m", activation=activation)
    np.testing.assert_allclose(
        numpy_predictor.network_outputs(alone, inputs), network_outputs(model, inputs), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", sorted(mlp.ACTIVATIONS))
def test_an_activation_survives_large_values(name):
    x = np.array([-1e4, -90.0, -1.0, 0.0, 1.0, 90.0, 1e4], np.float32)
    with np.errstate(over="ignore"):
        found = numpy_predictor.ACTIVATIONS[name](x)
    np.testing.assert_allclose(found, mlp.ACTIVATIONS[name](x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("head", "num_outputs"), [("binary", 1), ("multiclass", 3), ("regression", 2)])
def test_every_head_predicts_the_same(head, num_outputs, tmp_path):
    model, alone, inputs = saved(tmp_path / "m", head=head, num_outputs=num_outputs)
    if head != "regression":
        found, expected = numpy_predictor.predict_proba(alone, inputs), predict_proba(model, inputs)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(numpy_predictor.predict(alone, inputs), predict(model, inputs), rtol=1e-5)


def test_an_ensemble_votes_and_is_tempered_alike(tmp_path):
    one, other = make_model(), make_model(activation="relu")
    forms = tuple(msgspec.structs.replace(m.spec.networks[0], count=v) for m, v in ((one, 3), (other, 1)))
    told = msgspec.structs.replace(one.spec, networks=forms, temperature=2.5)
    model = one._replace(networks=one.networks + other.networks, spec=told)
    save(tmp_path / "m", model)
    found = numpy_predictor.predict_proba(numpy_predictor.load(tmp_path / "m"), INPUTS)
    np.testing.assert_allclose(found, predict_proba(model, INPUTS), atol=1e-5)
    plain = model._replace(spec=msgspec.structs.replace(told, temperature=1.0))
    assert np.abs(found - predict_proba(plain, INPUTS)).max() > 0.01


def test_each_network_of_an_ensemble_is_clipped_alike_before_the_average(tmp_path):
    one, other = make_model("regression", num_outputs=2), make_model("regression", 2, "relu")
    ranges = ((-0.1, 0.1), (-0.2, 0.2))
    told = msgspec.structs.replace(
        one.spec, networks=one.spec.networks + other.spec.networks, target_range=ranges
    )
    model = one._replace(networks=one.networks + other.networks, spec=told)
    save(tmp_path / "m", model)
    expected = np.mean([np.clip(predict(m, INPUTS), [-0.1, -0.2], [0.1, 0.2]) for m in (one, other)], axis=0)
    late = np.clip(np.mean([predict(m, INPUTS) for m in (one, other)], axis=0), [-0.1, -0.2], [0.1, 0.2])
    assert np.abs(late - expected).max() > 0.01
    np.testing.assert_allclose(predict(load(tmp_path / "m"), INPUTS), expected, rtol=1e-6)
    found = numpy_predictor.predict(numpy_predictor.load(tmp_path / "m"), INPUTS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_it_runs_where_there_is_no_jax_and_no_jaxmlp(tmp_path):
    model, _, inputs = saved(tmp_path / "m")
    shutil.copy(numpy_predictor.__file__, tmp_path / "predictor.py")
    np.save(tmp_path / "inputs.npy", inputs)
    code = (
        "import sys; sys.modules.update(jax=None, jaxmlp=None, safetensors=None)\n"
        "import json, numpy, predictor\n"
        "print(json.dumps(predictor.predict(predictor.load('m'), numpy.load('inputs.npy')).tolist()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == predict(model, inputs).tolist()


def test_what_does_not_fit_is_refused(tmp_path):
    _, alone, inputs = saved(tmp_path / "m")
    with pytest.raises(ValueError, match="inputs: must be finite numbers of shape"):
        numpy_predictor.network_outputs(alone, inputs[:, :1])
    with pytest.raises(ValueError, match="inputs: must be finite"):
        numpy_predictor.predict(alone, np.full_like(inputs, np.nan))
    content = (tmp_path / "m").read_bytes()
    for damaged in (b"", b"x" * 100, content[:-7], content[:40]):
        Path(tmp_path / "d").write_bytes(damaged)
        with pytest.raises(ValueError, match="is no model of jaxmlp, or a damaged one"):
            numpy_predictor.load(tmp_path / "d")
    _, values, _ = saved(tmp_path / "r", head="regression", num_outputs=2)
    with pytest.raises(ValueError, match="a regression has no classes"):
        numpy_predictor.predict_proba(values, inputs)
    assert values.description["format"] == schema.FORMAT


@pytest.mark.parametrize("number", [2, 6, None, "4"])
def test_a_format_that_it_does_not_know_is_refused(number, tmp_path):
    saved(tmp_path / "m")
    (tmp_path / "m").write_bytes(with_description(format=number)((tmp_path / "m").read_bytes()))
    with pytest.raises(ValueError, match=f"m: has format {number!r}, and this file reads 3 to 5"):
        numpy_predictor.load(tmp_path / "m")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_every_model_beside_a_record_predicts_the_same_in_both_readers(path):
    model, alone = load(path), numpy_predictor.load(path)
    images = np.random.default_rng(0).integers(0, 256, (50, *model.spec.input_shape), dtype=np.uint8)
    found, expected = numpy_predictor.predict_proba(alone, images), predict_proba(model, images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(np.unique(expected.argmax(axis=1))) > 1


def test_the_digits_beside_their_record_are_told_as_when_they_were_trained():
    path = COMMITTED[0]
    record = json.loads(path.with_name("record.json").read_text())
    # Of the record's splits, the one that validated best.
    split_seed = int(np.argmax(record["metrics"]["validation_accuracy"]["values"]))
    test = load_dataset("digits", split_seed=split_seed).test
    model, alone = load(path), numpy_predictor.load(path)
    for labels in (predict(model, test.inputs), numpy_predictor.predict(alone, test.inputs)):
        measured = model.spec.metrics["test_accuracy"]
        np.testing.assert_allclose(np.mean(labels == test.targets), measured, rtol=1e-6)
    np.testing.assert_allclose(
        evaluate(model, test)["log_loss"], model.spec.metrics["test_log_loss"], rtol=1e-4
    )


def test_a_flipped_bit_is_refused(tmp_path):
    saved(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    for place in (20, len(content) // 2, len(content) - 1):
        (tmp_path / "m").write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(ValueError, match="is no model of jaxmlp, or a damaged one"):
            numpy_predictor.load(tmp_path / "m")
