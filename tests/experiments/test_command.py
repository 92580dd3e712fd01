"""How experiments meet the command line: flags, sizes, help, and an error in one line with its status."""

import json
import re
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
import pytest
from PIL import Image

from experiments.harness import command, flags
from experiments.harness.answers import Answer
from experiments.harness.receipt import Findings
from jaxmlp import checks
from jaxmlp.plots import charts
from jaxmlp.types import InputError


@dataclass(frozen=True)
class Config(flags.Config):
    SMOKE: ClassVar[flags.Sizes] = {"hidden_sizes": (3,), "num_seeds": 2}
    QUICK: ClassVar[flags.Sizes] = {"hidden_sizes": (5,)}

    hidden_sizes: tuple[int, ...] = (512, 512)
    """Widths of the hidden layers."""


def findings(config):
    gaps = [1.0 + seed for seed in config.seeds]
    return Findings("toy", {"gap": (gaps, "nats")}, tables={"sizes": config.hidden_sizes})


def draw(record, folder):
    charts.point_plot({"": {"gap": record["metrics"]["gap"]["values"]}}, folder / "gap.png", xlabel="nats")


def answer(record):
    return Answer("gap", f"the gap is {record['metrics']['gap']['mean']:g}", shown=False)


def run(out, *arguments, run=findings):
    command.main(Config, run, draw, answer, [*arguments, "--out", str(out)])
    return json.loads((out / "record.json").read_text())


def test_flags_become_fields():
    given = command.read_flags(Config, ["--hidden-sizes", "3", "4", "--smoke"])
    assert (given.hidden_sizes, given.smoke) == ((3, 4), True)
    assert command.read_flags(Config, []) == Config()


@dataclass(frozen=True)
class Ruled(flags.Config):
    width: flags.Count = 3
    rates: flags.Positives = (0.1,)
    most: Annotated[int | None, flags.Rule(checks.integer)] = None
    hyperparams: flags.Hyperparameters = field(default_factory=flags.HyperparamFlags)


@dataclass(frozen=True)
class Wider(Ruled):
    width: int = 5


@pytest.mark.parametrize("config_class", [Ruled, Wider])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--width", "0"), "width: must be a whole number of at least 1, got 0"),
        (("--rates", "0.1", "-1"), "rates: must be a finite number above 0, got -1.0"),
        (("--rates",), "rates: must hold at least one value"),
        (("--most", "0"), "most: must be a whole number of at least 1"),
        (("--dropout", "1"), "dropout: must be at least 0 and below 1"),
    ],
)
def test_a_rule_beside_a_flag_s_type_is_kept_also_where_only_the_default_changes(
    config_class, given, message
):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        flags.check_flags(command.read_flags(config_class, given))
    flags.check_flags(command.read_flags(config_class, ("--width", "1", "--most", "2", "--dropout", "0.5")))


@pytest.mark.parametrize(("flag", "sizes"), [("--smoke", (3,)), ("--quick", (5,))])
def test_a_shorter_run_sets_what_is_not_given(flag, sizes):
    assert command.read_flags(Config, [flag]).hidden_sizes == sizes
    assert command.read_flags(Config, [flag, "--hidden-sizes", "7"]).hidden_sizes == (7,)


def test_a_run_leaves_its_answer_on_the_screen_and_in_the_record(tmp_path, capsys):
    record = run(tmp_path, "--num-seeds", "3")
    assert record["headline"] == {"metric": "gap", "answer": "the gap is 2"}
    assert (tmp_path / "gap.png").exists() and record["tables"] == {"sizes": [512, 512]}
    assert capsys.readouterr().out.endswith(f"record and pictures in {tmp_path}\nthe gap is 2\n")


def test_a_quick_run_says_what_is_not_shown_at_its_size(tmp_path):
    assert run(tmp_path, "--quick")["headline"]["answer"] == "Not shown at this size. the gap is 3"


def test_a_trial_says_so_everywhere_and_gives_no_verdict(tmp_path, capsys):
    whole, trial = run(tmp_path / "whole", "--num-seeds", "2"), run(tmp_path / "trial", "--smoke")
    assert whole["metrics"] == trial["metrics"] and "gap" not in trial["headline"]["answer"]
    printed = capsys.readouterr().out
    assert printed.count("trial") >= 2 and printed.count("the gap is") == 1
    pictures = [Image.open(tmp_path / name / "gap.png").convert("RGB") for name in ("whole", "trial")]
    reds = [np.mean(np.diff(np.asarray(picture, int)[..., :2]) < -20) for picture in pictures]
    assert reds[0] == 0 and reds[1] > 0.02


def test_both_shorter_runs_at_once_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as finished:
        run(tmp_path, "--smoke", "--quick")
    assert finished.value.code == 2 and "quick: must stand without --smoke" in capsys.readouterr().err


def test_findings_are_kept_as_they_come(tmp_path):
    kept = []

    def parts(config):
        yield findings(config)
        kept.append(json.loads((tmp_path / "record.json").read_text())["headline"]["answer"])
        raise InputError("no more")

    with pytest.raises(SystemExit):
        run(tmp_path, run=parts)
    assert kept == ["the gap is 3"] and (tmp_path / "gap.png").exists()


def test_a_run_that_is_refused_leaves_no_folder(tmp_path):
    def refuse(config):
        assert config.folder == tmp_path / "new"
        raise InputError("no")

    with pytest.raises(SystemExit):
        run(tmp_path / "new", run=refuse)
    assert not (tmp_path / "new").exists()


def test_the_help_shows_the_module_the_fields_and_their_defaults(capsys):
    with pytest.raises(SystemExit) as finished:
        command.read_flags(Config, ["--help"])
    out = capsys.readouterr().out
    assert finished.value.code == 0
    for part in (
        "How experiments meet the command line",
        "--hidden-sizes",
        "Widths of the hidden layers. (default: 512 512)",
    ):
        assert part in out
    assert "--no-smoke" not in out


def test_an_unknown_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as finished:
        command.read_flags(Config, ["--hiden-sizes", "3"])
    assert finished.value.code == 2
    assert "--hidden-sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (InputError("epochs: must be\n above 0"), 2, "error: epochs: must be above 0\n"),
        (FloatingPointError("the loss is nan"), 1, "error: the loss is nan\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_known_error_is_one_line_and_a_status(error, status, printed, capsys, tmp_path):
    def fail(_):
        raise error

    with pytest.raises(SystemExit) as finished:
        run(tmp_path, run=fail)
    assert (finished.value.code, capsys.readouterr().err) == (status, printed)


def test_a_fault_keeps_its_trace(tmp_path):
    def fail(_):
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        run(tmp_path, run=fail)
