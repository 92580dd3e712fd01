"""The example of a searcher that asks and tells."""

import optuna

from experiments import ask_and_tell


def test_every_trial_is_told_what_its_member_reached():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study, found = ask_and_tell.search(num_rounds=2, num_members=3, num_epochs=3)
    assert [trial.number for trial in study.trials] == list(range(6))
    # Guessing costs log 10.
    assert study.best_value == found.sweep.losses[found.sweep.best.member] < 1.5
    best = found.sweep.members[found.sweep.best.member]
    assert study.best_trial.params["learning_rate"] == best.hyperparams.learning_rate
    assert study.best_trial.number == best.seed
