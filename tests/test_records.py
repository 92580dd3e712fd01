"""A record is strict JSON, whole or absent; the pages are what the records say."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.harness.pages import (
    fill_block,
    fill_numbers,
    module_of,
    outdated_pages,
    overview,
    redraw,
    results_table,
)
from experiments.harness.provenance import Provenance, commit
from experiments.results import main
from jaxmlp import records
from jaxmlp.records import Record, check_writable, metric_summary, read_record, thin_curves, write_record
from jaxmlp.runtime import compilation
from jaxmlp.runtime import environment as runtime_environment
from jaxmlp.types import InputError

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture
def run():
    """The arguments of write_record for a small run of two seeds."""
    return {
        "experiment": "toy",
        "question": "Is a ü kept?",
        "command": "python -m experiments.toy --num-seeds 2",
        "dataset": "digits",
        "config": {"hidden_sizes": (60, 30), "out": Path("results/toy"), "rate": np.float32(0.5)},
        "seeds": range(2),
        "metrics": {"test_accuracy": ([0.96, 0.98], "fraction"), "test_loss": ([0.123456789, 0.2], "nats")},
        "curves": {"train_loss": [[2.0, 1.0, 0.5], [1.0, 1 / 3]]},
        "seconds": {"data": 0.1, "compile": 1.0, "train": 90.0, "total": 91.1},
        "tables": {"rates": np.array([1 / 3, np.inf]), "names": ("a", "b"), "n": {"steps": 123456}},
        "provenance": Provenance("0123456789abcdef", True),
    }


def strict(path):
    """The JSON in ``path``, read by a parser that knows no NaN and no duplicate keys."""

    def unique(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(path.read_text("utf-8"), parse_constant=pytest.fail, object_pairs_hook=unique)


class TestWriteRecord:
    def test_round_trip_through_strict_json(self, tmp_path, run):
        path = write_record(tmp_path, Record(**run))
        record = strict(path)
        assert path == tmp_path / "record.json"
        assert read_record(path) == record
        assert record["config"] == {"hidden_sizes": [60, 30], "out": "results/toy", "rate": 0.5}
        assert record["seeds"] == [0, 1]
        assert record["question"] == "Is a ü kept?"
        assert (record["commit"], record["dirty"]) == ("0123456789abcdef", True)
        assert record["seconds"] == run["seconds"]
        assert record["tables"] == {"rates": [0.33333, None], "names": ["a", "b"], "n": {"steps": 123456}}

    def test_metrics_carry_their_error_and_all_their_digits(self, tmp_path, run):
        metrics = strict(write_record(tmp_path, Record(**run)))["metrics"]
        assert metrics["test_loss"]["values"] == [0.123456789, 0.2]
        accuracy = metrics["test_accuracy"]
        # Two values 0.02 apart: standard error 0.01, and t = 12.706 for one degree of freedom.
        assert accuracy["mean"] == pytest.approx(0.97)
        assert accuracy["standard_error"] == pytest.approx(0.01)
        assert accuracy["interval"] == pytest.approx([0.97 - 0.12706, 0.97 + 0.12706], abs=1e-5)
        assert (accuracy["n"], accuracy["unit"]) == (2, "fraction")

    def test_one_seed_has_no_interval(self, tmp_path, run):
        run["metrics"] = {"test_accuracy": ([0.9], "fraction")}
        accuracy = strict(write_record(tmp_path, Record(**run)))["metrics"]["test_accuracy"]
        assert accuracy["standard_error"] is None
        assert accuracy["interval"] is None

    def test_what_is_not_finite_becomes_null(self, tmp_path, run):
        run["metrics"] = {"test_loss": ([math.nan, math.inf], "nats")}
        run["config"] = {"limits": np.array([-np.inf, 1.0])}
        record = strict(write_record(tmp_path, Record(**run)))
        loss = record["metrics"]["test_loss"]
        assert (loss["values"], loss["mean"], loss["interval"]) == ([None, None], None, [None, None])
        assert record["config"] == {"limits": [None, 1.0]}

    def test_the_seed_that_stopped_early_is_padded_and_curves_are_rounded(self, tmp_path, run):
        path = write_record(tmp_path, Record(**run))
        record = strict(path)
        assert record["epochs"] == [1, 2, 3]
        assert record["curves"]["train_loss"] == [[2.0, 1.0, 0.5], [1.0, 0.33333, None]]
        assert "[1.0, 0.33333, null]" in path.read_text()

    def test_a_failure_leaves_the_old_record_and_nothing_else(self, tmp_path, run, monkeypatch):
        old = write_record(tmp_path, Record(**run)).read_bytes()
        with pytest.raises(TypeError):
            write_record(tmp_path, Record(**{**run, "config": {"key": object()}}))

        def disk_full(*arguments):
            raise OSError("no space left")

        monkeypatch.setattr(Path, "replace", disk_full)
        with pytest.raises(OSError, match="no space left"):
            write_record(tmp_path, Record(**{**run, "experiment": "other"}))
        assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
        assert (tmp_path / "record.json").read_bytes() == old


class TestThinCurves:
    def test_a_long_curve_keeps_its_ends_and_at_most_200_points(self):
        epochs, curves = thin_curves({"loss": [[float(epoch) for epoch in range(1, 1001)]]})
        assert (epochs[0], epochs[-1], len(epochs)) == (1, 1000, 200)
        assert set(np.diff(epochs)) == {5, 6}
        assert curves["loss"] == [epochs]

    @pytest.mark.parametrize("num_epochs", [1, 2, 199, 200])
    def test_a_short_curve_keeps_every_point(self, num_epochs):
        epochs, _ = thin_curves({"loss": [[0.5] * num_epochs]})
        assert epochs == list(range(1, num_epochs + 1))

    def test_no_curves(self):
        assert thin_curves({}) == ([], {})


class TestReadRecord:
    @pytest.mark.parametrize("text", ['{"mean": NaN}', '{"mean": Infinity}', "{", "\x80"])
    def test_what_is_not_strict_json_is_refused_in_one_line(self, tmp_path, text):
        path = tmp_path / "record.json"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match=r"^record: [^\n]*is not valid JSON[^\n]*$"):
            read_record(path)

    def test_a_missing_record_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"^record: cannot read '.*nowhere': No such file"):
            read_record(tmp_path / "nowhere")


class TestCheckWritable:
    def test_creates_the_folder_and_leaves_it_empty(self, tmp_path):
        folder = check_writable(tmp_path / "a" / "b")
        assert folder.is_dir()
        assert list(folder.iterdir()) == []
        assert check_writable(str(folder)) == folder

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=r"^out: must be a folder, got the file '[^\n]*file'$"):
            check_writable(tmp_path / "file")
        with pytest.raises(InputError, match=r"^out: cannot write to [^\n]*: Not a directory$"):
            check_writable(tmp_path / "file" / "below")

    @pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that refuses everybody")
    def test_a_folder_that_refuses_even_the_administrator(self):
        with pytest.raises(InputError, match=r"^out: cannot write to '/proc/self': [^\n]+$"):
            check_writable("/proc/self")


class TestProvenance:
    @pytest.fixture
    def git(self, tmp_path, monkeypatch):
        """Runs git in a checkout of its own at ``tmp_path``; a hook's variables must not point elsewhere."""
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            monkeypatch.delenv(name)

        def run(*arguments):
            identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
            command = ["git", "-C", str(tmp_path), *identity, *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        run("init")
        (tmp_path / "results").mkdir()
        for name in ("code.py", "results/README.md"):
            (tmp_path / name).write_text("old")
        run("add", ".")
        return run

    def test_clean_then_dirty(self, tmp_path, git):
        git("commit", "-m", "first")
        head = git("rev-parse", "HEAD")
        assert commit(tmp_path) == (head, False)
        (tmp_path / "untracked.py").touch()
        (tmp_path / "results/README.md").write_text("new")
        assert commit(tmp_path) == (head, False)
        (tmp_path / "code.py").write_text("new")
        assert commit(tmp_path) == (head, True)

    def test_before_the_first_commit(self, tmp_path, git):
        assert commit(tmp_path) == (None, None)

    def test_a_folder_inside_another_checkout_is_not_that_checkout(self, tmp_path, git):
        git("commit", "-m", "first")
        assert commit(tmp_path / "results") == (None, None)

    def test_without_git_or_checkout(self, tmp_path, monkeypatch):
        assert commit(tmp_path) == (None, None)
        monkeypatch.setenv("PATH", "")
        assert commit(CHECKOUT) == (None, None)


def test_environment_names_what_numbers_depend_on():
    import jax
    import optax

    environment = runtime_environment.describe()
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert environment["jax"] == jax.__version__
    assert environment["optax"] == optax.__version__
    assert environment["numpy"] == np.__version__
    assert environment["platform"] == jax.default_backend()
    assert 1 <= environment["cores"] <= os.cpu_count()
    assert environment["cpu"]
    assert environment["programs_loaded"] == compilation.num_cache_hits() >= 0


def test_reading_and_writing_records_needs_no_pictures():
    code = (
        "import sys, jaxmlp.records;"
        "print([name for name in ('matplotlib', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]", done.stderr


HAND_WRITTEN = {
    "experiment": "toy",
    "question": "Does it learn?",
    "headline": {"metric": "test_accuracy", "answer": "It does, by far"},
    "command": "python -m experiments.toy",
    "dataset": "digits",
    "metrics": {
        "test_loss": {"mean": 0.07124, "standard_error": 0.0012, "n": 10, "unit": "nats"},
        "test_accuracy": {"mean": 0.97853, "standard_error": 0.0003, "n": 10, "unit": "fraction"},
    },
    "seconds": {"train": 192.0},
    "environment": {"platform": "cpu", "device": "cpu", "cpu": "Fast CPU", "cores": 2},
    "commit": "0123456789abcdef",
    "dirty": False,
}


WALK = "It reaches <!-- =toy_2/test_accuracy -->stale<!-- / -->, and <!-- no number --> stays.\n"


@pytest.fixture
def site(tmp_path):
    """A results folder with one hand-written record and two pictures, and a README with an empty block."""
    folder = tmp_path / "results" / "toy_2"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(HAND_WRITTEN))
    for name in ("weights.gif", "learning_curves.png", "notes.txt"):
        (folder / name).touch()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "README.md").write_text(WALK)
    (tmp_path / "README.md").write_text("# Top\n\n<!-- results -->\nstale\n<!-- /results -->\n\nEnd\n")
    return tmp_path


def row(folder, **changes):
    """The cells of the overview's only row, for the hand-written record with ``changes``."""
    (folder / "one").mkdir(parents=True, exist_ok=True)
    (folder / "one" / "record.json").write_text(json.dumps({**HAND_WRITTEN, **changes}))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", overview(folder).splitlines()[2])[1:-1]]


class TestPages:
    def test_the_row_says_what_the_record_says(self, tmp_path):
        assert row(tmp_path) == [
            "[one](one/)",
            "It does, by far",
            "digits",
            "3.2 min",
            "Fast CPU, 2 cores",
            "`0123456`",
        ]

    def test_code_that_was_not_committed_or_unknown(self, tmp_path):
        assert row(tmp_path, dirty=True)[-1] == "`0123456` dirty"
        assert row(tmp_path, commit=None, dirty=None)[-1] == "n/a"

    def test_what_an_excluded_release_made_is_listed(self, site):
        for name, release in {"wrong one": "0.10.2", "right": "0.10.1", "wrong": "0.10.2"}.items():
            record = {**HAND_WRITTEN, "environment": HAND_WRITTEN["environment"] | {"jaxlib": release}}
            (site / "results" / name).mkdir()
            (site / "results" / name / "record.json").write_text(json.dumps(record))
        page = results_table(site / "results")
        (line,) = [line for line in page.splitlines() if "excluded release" in line]
        assert "jaxlib 0.10.2 (jax#39103" in line
        assert line.endswith("made anew: [wrong](wrong/), [wrong one](wrong%20one/).")

    def test_an_accelerator_is_named(self, tmp_path):
        machine = {"platform": "gpu", "device": "Fast GPU", "cpu": "Fast CPU", "cores": 2}
        assert row(tmp_path, environment=machine)[4] == "Fast GPU, 2 cores"

    @pytest.mark.parametrize(
        ("metric", "cell"),
        [
            ((1.0, 0.0, "fraction"), "100.00 ± 0.00 %"),
            ((0.5, None, "fraction"), "50.00 %"),
            ((None, None, "fraction"), "not finite"),
            ((0.07124, 0.0012, "nats"), "0.071 ± 0.001 nats"),
            ((0.834, 0.021, "1"), "0.83 ± 0.02"),
        ],
    )
    def test_measures_in_their_units(self, tmp_path, metric, cell):
        metrics = {"test_x": dict(zip(("mean", "standard_error", "unit"), metric, strict=True), n=3)}
        row(tmp_path, metrics=metrics)
        assert f"| test x | {cell} | 3 |" in results_table(tmp_path)

    def test_the_answer_of_an_older_record_is_made_of_its_numbers(self, tmp_path):
        metrics = {"test_accuracy": metric_summary([0.97, 0.98], "fraction")}
        config = {"varied": "seed", "hidden_sizes": [60]}
        older = {"experiment": "digits", "metrics": metrics, "config": config, "headline": None}
        (tmp_path / "two").mkdir()
        content = {key: v for key, v in {**HAND_WRITTEN, **older}.items() if v is not None}
        (tmp_path / "two" / "record.json").write_text(json.dumps(content))
        assert "97.50 ± 0.50 % of the test examples are read right (2 seeds" in overview(tmp_path)

    def test_rows_are_in_the_order_of_the_walk_and_variants_together(self, tmp_path):
        folders = {"sweep": "sweep", "mnist-b": "mnist", "cnn": "cnn", "a toy": "toy", "mnist": "mnist"}
        for folder, name in folders.items():
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "record.json").write_text(json.dumps({**HAND_WRITTEN, "experiment": name}))
        names = re.findall(r"^\| \[(.*?)\]", overview(tmp_path), flags=re.MULTILINE)
        assert names == ["mnist", "mnist-b", "cnn", "sweep", "a toy"]

    def test_a_record_without_answer_or_times(self, tmp_path):
        (tmp_path / "bare").mkdir()
        bare = {key: value for key, value in HAND_WRITTEN.items() if key != "headline"} | {"seconds": {}}
        (tmp_path / "bare" / "record.json").write_text(json.dumps(bare))
        assert "| [bare](bare/) | n/a | digits | n/a | Fast CPU" in overview(tmp_path)

    def test_a_bar_in_a_name_does_not_split_the_cell(self, tmp_path):
        assert row(tmp_path, dataset="a|b")[2] == r"a\|b"

    def test_the_page_shows_question_command_and_pictures(self, site):
        page = results_table(site / "results")
        assert page.startswith("# Results\n\nGenerated by `python -m experiments.results`")
        section = page[page.index("## toy_2") :]
        assert "| test accuracy | 97.85 ± 0.03 % | 10 |" in section
        assert "Does it learn?\n\nIt does, by far.\n" in section
        assert "```sh\npython -m experiments.toy\n```" in section
        pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", section)
        assert pictures == [
            ("toy_2: learning curves", "toy_2/learning_curves.png"),
            ("toy_2: weights", "toy_2/weights.gif"),
        ]

    def test_pictures_are_drawn_again_without_training(self, tmp_path):
        curves = {"epochs_at_each_kill": [[1.0, 4.0], [2.0, None]]}
        for name, found in {"killed": curves, "older": {}}.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "weights.png").touch()
            record = HAND_WRITTEN | {"experiment": "durability", "curves": found}
            (tmp_path / name / "record.json").write_text(json.dumps(record))
        kept = "; as they were, since they need data or networks beside the record: weights.png"
        assert list(redraw(tmp_path)) == [
            f"killed: 1 drawn again{kept}",
            f"older: 0 drawn again{kept}; the record lacks 'epochs_at_each_kill'",
        ]
        drawn = (tmp_path / "killed" / "kills.png").read_bytes()
        assert next(iter(redraw(tmp_path))) == f"killed: 1 drawn again{kept}"
        assert (tmp_path / "killed" / "kills.png").read_bytes() == drawn

    def test_no_records(self, tmp_path):
        assert "No results yet" in results_table(tmp_path / "absent")

    def test_all_pages_are_written_once_and_the_rest_of_the_readme_stays(self, site, monkeypatch):
        monkeypatch.chdir(site)
        pages = Path("results"), Path("README.md"), Path("experiments/README.md")
        assert len(outdated_pages(*pages)) == 3
        main()
        assert outdated_pages(*pages) == {}
        assert pages[2].read_text() == WALK.replace("stale", "97.85 ± 0.03 %")
        text = (site / "README.md").read_text()
        assert text.startswith("# Top\n\n<!-- results -->\n\n| experiment |")
        assert text.endswith("|\n\n<!-- /results -->\n\nEnd\n")
        assert "stale" not in text
        assert "[toy_2](results/toy_2/)" in text
        assert "[toy_2](toy_2/)" in (site / "results" / "README.md").read_text()

    def test_links_lead_from_the_readme_to_the_results_wherever_they_are(self, site):
        (site / "docs").mkdir()
        readme = (site / "README.md").rename(site / "docs" / "README.md")
        walk = site / "experiments" / "README.md"
        assert "[toy_2](../results/toy_2/)" in outdated_pages(site / "results", readme, walk)[readme]

    def test_check_writes_nothing_and_exits_with_one_line(self, site, monkeypatch):
        monkeypatch.chdir(site)
        with pytest.raises(
            SystemExit, match=r"^out of date: results/README.md and README.md and experiments/[^\n]*$"
        ):
            main(check=True)
        assert not (site / "results" / "README.md").exists()
        main()
        main(check=True)
        (site / "README.md").write_text("<!-- results -->\n<!-- /results -->\n")
        with pytest.raises(SystemExit, match=r"^out of date: README.md; [^\n]*$"):
            main(check=True)

    @pytest.mark.parametrize(
        "text",
        ["# Top\n", "<!-- results -->\n", "<!-- /results -->\n<!-- results -->\n", "<!-- results -->\n" * 3],
    )
    def test_a_readme_without_a_place_for_the_table(self, tmp_path, text):
        (tmp_path / "README.md").write_text(text)
        with pytest.raises(InputError, match=r"^readme: [^\n]*must have one line <!-- results -->[^\n]*$"):
            fill_block(tmp_path / "README.md", "")

    @pytest.mark.parametrize(
        ("way", "shown"),
        [
            ("tables/roofline/1/images", "3,372,600"),
            ("tables/roofline/0/images", "642"),
            ("tables/span/0", "0.003"),
            ("seconds/total", "12.7 min"),
            ("seconds/train", "66.1 s"),
        ],
    )
    def test_a_number_inside_a_record_is_found_by_its_way(self, way, shown):
        tables = {"roofline": [{"images": 642}, {"images": 3372600}], "span": [0.003, 0.0065]}
        record = {"tables": tables, "seconds": {"total": 763.08, "train": 66.093}}
        text = f"<!-- =toy/{way} -->stale<!-- / -->"
        found = fill_numbers(Path("page"), text, {"toy": record})
        assert found == text.replace("stale", shown)

    @pytest.mark.parametrize(
        "number", ["toy_2/absent", "absent/test_accuracy", "toy_2/tables/absent/0", "absent/tables/x/y"]
    )
    def test_a_number_that_no_record_has_is_refused(self, site, number):
        walk = site / "experiments" / "README.md"
        walk.write_text(f"<!-- ={number} -->97.85 %<!-- / -->")
        with pytest.raises(InputError, match=rf"no record has the measure {number}$"):
            outdated_pages(site / "results", site / "README.md", walk)

    def test_the_command_line_reports_errors_in_one_line(self, tmp_path):
        command, path = [sys.executable, "-m", "experiments.results"], {"PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | path)
        assert done.returncode == 2
        assert re.fullmatch(r"error: readme: cannot read 'README.md': No such file .*\n", done.stderr)


def test_every_published_record_has_an_answer_and_the_measure_that_gives_it():
    for name, record in records.read_records(CHECKOUT / "results").items():
        found = module_of(record["experiment"]).answer(record)
        assert found.metric in record["metrics"], name
        assert len(found.text) > 20 and "nan" not in found.text.split(), name


def test_the_committed_pages_are_up_to_date():
    results = CHECKOUT / "results"
    changes = ["git", "-C", str(CHECKOUT), "status", "--porcelain", "--", "results"]
    if subprocess.run(changes, capture_output=True, text=True).stdout:
        pytest.skip("results/ differs from the last commit, as after a run of one's own")
    assert records.read_records(results)
    outdated = outdated_pages(results, CHECKOUT / "README.md", CHECKOUT / "experiments" / "README.md")
    assert not outdated, "run python -m experiments.results"


def test_whose_results_are_replaced_is_said(tmp_path, capsys):
    records.tell_replaced(tmp_path, "a", "--out")
    (tmp_path / "model.safetensors").touch()
    records.tell_replaced(tmp_path, "a", "--out")
    (tmp_path / "record.json").write_text('{"command": "a"}')
    for command in ("a", "b"):
        records.tell_replaced(tmp_path, command, "--out")
    no_record, other = capsys.readouterr().out.splitlines()
    assert no_record.endswith("which has no record (--out keeps both)")
    assert other == f"replaces what is in {tmp_path}, made by: a (--out keeps both)"
