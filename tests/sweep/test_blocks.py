"""Rows that belong together, or follow each other in time, in a whole search."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

import jaxmlp
from jaxmlp.data.splits import join_parts
from jaxmlp.sweep.calls import record_reports
from jaxmlp.sweep.programs import Chunk
from jaxmlp.sweep.search import make_folds
from jaxmlp.sweep.state import SweepState
from jaxmlp.types import InputError

SPACE = {"hidden_sizes": 16, "depth": 1, "learning_rate": 0.02, "frequency_scale": 0.5, "dropout": 0.0}
QUICK = {"num_members": 1, "num_epochs": 30, "progress": False}


def people(num_people, seed, num_rows=8):
    """Rows of people, each with four measures of their own and a level that nothing measured tells of."""
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(num_people), num_rows)
    inputs = random.normal(size=(num_people, 4))[person] + 0.05 * random.normal(size=(len(person), 4))
    level = 2 * random.normal(size=num_people)[person]
    return inputs, inputs[:, 0] + level + 0.3 * random.normal(size=len(person)), person


def told_and_new(sample, *, is_grouped):
    """R² that a search tells of 60 people, the ends of its interval, and what its model reaches on others."""
    inputs, targets, person = people(60, 2 * sample)
    groups = person if is_grouped else None
    splits = jaxmlp.from_arrays(inputs, targets, groups=groups, test_fraction=0.0)
    found = jaxmlp.fit_ensemble(splits, SPACE, **QUICK)
    new_inputs, new_targets, _ = people(300, 2 * sample + 1)
    new = r2_score(new_targets, jaxmlp.predict(found.ensemble, new_inputs))
    return found.score["r2"], *found.intervals["r2"], new


def test_folds_of_groups_are_honest_of_new_people_where_others_promise_too_much():
    told, *_, new = told_and_new(0, is_grouped=False)
    assert told > new + 0.5
    found = [told_and_new(sample, is_grouped=True) for sample in range(4)]
    assert all(abs(told - new) < 0.25 for told, *_, new in found)
    # That two of four intervals of 95 % miss has a chance of 1 %.
    assert sum(low < new < high for _, low, high, new in found) >= 3


def test_a_model_in_time_has_learnt_from_the_latest_rows_too():
    # In the last fifth the target is another, so that only who has learnt from it predicts more than 0.
    random = np.random.default_rng(0)
    inputs, late = random.normal(size=(200, 2)), np.arange(200) >= 160
    targets = 10.0 * late + 0.1 * random.normal(size=200)
    splits = jaxmlp.from_arrays(inputs, targets, time=np.arange(200), test_fraction=0.0)
    found = jaxmlp.fit_ensemble(splits, SPACE, **QUICK)
    assert len(found.ensemble.networks) == len(found.sweep.ensemble)
    for model in (found.best, found.ensemble):
        assert np.mean(jaxmlp.predict(model, random.normal(size=(500, 2)))) == pytest.approx(2, abs=0.7)
    # Of five stretches the four later ones are scored, each by those before it.
    counted = found.sweep.held_out.weights > 0
    assert counted.sum() == 160 and set(found.sweep.held_out.parts[counted]) == {0, 1, 2, 3}
    assert found.score["rmse"] == pytest.approx(5, abs=0.5)


def test_curves_are_of_the_folds_that_hold_something_out():
    state = SweepState([], 3, {}, ["finished"], {}, [], {}, [np.inf], [np.inf], num_measured=2)
    report = {
        "train_loss": np.array([[[3.0], [2.0], [1.0]]]),
        "validation_r2": np.array([[[0.1], [0.3], [0.9]]]),
        "validation_outputs": np.zeros((1, 3, 4, 1)),
        "first_bad_step": np.zeros((1, 3, 1), int),
    }
    history = record_reports(state, Chunk(None, (0,), None, None), report).history
    assert history["validation_r2"][0, 0] == pytest.approx(0.2)
    assert history["train_loss"][0, 0] == pytest.approx(2.0)


def test_a_run_with_other_groups_is_another_run(tmp_path):
    inputs, targets, person = people(30, 0)
    options = {**QUICK, "num_epochs": 2}
    for groups in (person, person // 2):
        splits = jaxmlp.from_arrays(inputs, targets, groups=groups, test=[*range(8 * 2)])
        kept = jaxmlp.Checkpoints(tmp_path, every=1, resume=groups is not person)
        if groups is person:
            jaxmlp.fit_ensemble(splits, SPACE, checkpoints=kept, **options)
    with pytest.raises(InputError, match="is of another run: "):
        jaxmlp.fit_ensemble(splits, SPACE, checkpoints=kept, **options)


def test_a_single_fit_is_judged_by_whole_groups():
    inputs, targets, person = people(40, 0)
    splits = jaxmlp.from_arrays(np.column_stack([inputs, person]), targets, groups=person)
    assert not set(splits.validation.inputs[:, 4]) & set(splits.train.inputs[:, 4])
    result = jaxmlp.fit_mlp(splits, num_epochs=5, progress=False)
    reached = r2_score(splits.validation.targets, jaxmlp.predict(result.model, splits.validation.inputs))
    assert result.history["validation_r2"][result.best_epoch - 1] == pytest.approx(reached, abs=1e-4)


def test_a_search_holds_out_whole_groups():
    inputs, targets, person = people(40, 0)
    splits = jaxmlp.from_arrays(np.column_stack([inputs, person]), targets, groups=person)
    folds = make_folds(join_parts(splits), 4, 0)
    for learnt, held_out in zip(folds.train.weights, folds.held_out.inputs, strict=True):
        assert not set(held_out[:, 4]) & set(folds.train.inputs[learnt > 0][:, 4])
