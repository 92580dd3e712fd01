"""How any searcher that asks and tells drives a sweep; here Optuna, which learns from the scores so far.

    pip install optuna && python -m experiments.ask_and_tell

Each round of members trains as one program. What it found can be saved and measured as that of a sweep.
"""

import optuna

import jaxmlp
from jaxmlp.data import sources
from jaxmlp.nn.network import NetworkSpec
from jaxmlp.sweep.config import make_config
from jaxmlp.sweep.search import SearchResult
from jaxmlp.sweep.space import Member, Structure

STRUCTURE = Structure(NetworkSpec((32,), "relu"), "adamw")


def suggest(trial: optuna.Trial) -> Member:
    """The member that a trial asks for."""
    hyperparams = jaxmlp.Hyperparams(
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
    )
    return Member(STRUCTURE, hyperparams, seed=trial.number)


def search(
    num_rounds: int = 4, num_members: int = 8, num_epochs: int = 10
) -> tuple[optuna.Study, SearchResult]:
    """The trials, and what the round with the best member found."""
    splits = sources.load_dataset("digits", validation_fraction=0.2)
    config = make_config(splits.task, len(splits.train.inputs), {"num_epochs": num_epochs})
    sampler = optuna.samplers.TPESampler(seed=0, constant_liar=True)
    study, rounds = optuna.create_study(direction="minimize", sampler=sampler), []
    for _ in range(num_rounds):
        trials = [study.ask() for _ in range(num_members)]
        members = [suggest(trial) for trial in trials]
        rounds.append(jaxmlp.fit_members(splits, members, config, progress=False))
        for trial, loss in zip(trials, rounds[-1].sweep.losses.tolist(), strict=True):
            study.tell(trial, loss)
    return study, min(rounds, key=lambda found: found.sweep.losses.min())


if __name__ == "__main__":
    print(search()[0].best_trial.params)
