"""Redraw the pages about results from the records: ``results/README.md``, the table in the top README, and
every number in a page that stands between ``<!-- =FOLDER/METRIC -->`` and ``<!-- / -->``, or between
``<!-- =FOLDER/tables/… -->``, the way to a number in the record's tables, and ``<!-- / -->``.

python -m experiments.results            write them
python -m experiments.results --check    write nothing; exit with status 1 if one is out of date
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jaxmlp.records import read_records
from jaxmlp.runtime.files import write_atomic
from jaxmlp.runtime.selftest import EXCLUDED
from jaxmlp.statistics import format_mean
from jaxmlp.types import InputError

BEGIN, END = "<!-- results -->", "<!-- /results -->"
NUMBER = re.compile(r"(<!-- =(?P<folder>[^\s/]+)/(?P<name>\S+) -->)[^<]*(<!-- / -->)")
NOT_KNOWN = "n/a"


def main(
    results: Path = Path("results"),
    readme: Path = Path("README.md"),
    walk: Path = Path("experiments/README.md"),
    *,
    check: bool = False,
) -> None:
    """Redraw the pages about results from the records.

    Args:
        results: The folder that holds one folder with a record.json per experiment.
        readme: The page whose lines between the two results comments hold the overview.
        walk: The page that tells the story of the experiments, with numbers from their records.
        check: Write nothing; exit with status 1 if a page is out of date.
    """
    changed = outdated_pages(results, readme, walk)
    if check and changed:
        names = " and ".join(str(path) for path in changed)
        sys.exit(f"out of date: {names}; run python -m experiments.results")
    for path, text in changed.items():
        write_atomic(path, text.encode())


def outdated_pages(results: Path, readme: Path, walk: Path) -> dict[Path, str]:
    """The pages that differ from what the records say, each with the text it should have.

    InputError if a page cannot be read, ``readme`` lacks the two comments that enclose the table, or a number
    stands for a measure that no record has.
    """
    prefix = Path(os.path.relpath(results, readme.parent)).as_posix() + "/"
    records = read_records(results)
    pages = {
        results / "README.md": results_table(results),
        readme: fill_numbers(readme, fill_block(readme, overview(results, prefix)), records),
        walk: fill_numbers(walk, _text("walk", walk), records),
    }
    return {path: text for path, text in pages.items() if not _holds(path, text)}


def fill_numbers(page: Path, text: str, records: Mapping[str, Any]) -> str:
    """``text`` with every number between its two comments as the record of that folder has it."""

    def number(found: re.Match[str]) -> str:
        record, name = records.get(found["folder"], {}), found["name"]
        try:
            shown = _in_tables(record, name) if "/" in name else _with_error(record["metrics"][name])
        except (KeyError, IndexError, ValueError):
            raise InputError(f"{page}: no record has the measure {found['folder']}/{name}") from None
        return f"{found[1]}{shown}{found[4]}"

    return NUMBER.sub(number, text)


def _in_tables(record: Any, name: str) -> str:
    """The number at the end of a way like tables/roofline/0/images through a record's tables and rows."""
    for step in name.split("/"):
        record = record[int(step)] if isinstance(record, list) else record[step]
    return f"{record:,}"


def _text(argument: str, page: Path) -> str:
    try:
        return page.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{argument}: cannot read {str(page)!r}: {error.strerror}") from None


def fill_block(readme: Path, block: str) -> str:
    """The text of ``readme`` with ``block`` in the place of all lines between the two results comments."""
    lines = _text("readme", readme).splitlines(keepends=True)
    comments = [index for index, line in enumerate(lines) if line.strip() in (BEGIN, END)]
    if [lines[index].strip() for index in comments] != [BEGIN, END]:
        raise InputError(f"readme: {str(readme)!r} must have one line {BEGIN} and, below, one line {END}")
    begin, end = comments
    return "".join([*lines[: begin + 1], f"\n{block}\n", *lines[end:]])


def overview(folder: str | Path = "results", link_prefix: str = "") -> str:
    """A Markdown table, one row per record; ``link_prefix`` leads from the page to ``folder``."""
    records = read_records(folder)
    if not records:
        return "No results yet.\n"
    names = ("experiment", "data set", "test measure", "error", "training time", "device", "commit")
    rows = [names, ("---",) * len(names)]
    rows += [
        (
            f"[{name}]({quote(link_prefix + name)}/)",
            record["dataset"],
            *_measure_cells(record["metrics"], record.get("config", {}).get("varied")),
            _duration(record["seconds"].get("train")),
            _device_cell(record["environment"]),
            _commit_cell(record),
        )
        for name, record in records.items()
    ]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def results_table(folder: str | Path = "results") -> str:
    """The page ``folder/README.md`` in Markdown: the overview, then each experiment with its pictures."""
    folder = Path(folder)
    header = (
        "# Results\n\n"
        "Generated by `python -m experiments.results` from the `record.json` of each folder; do not edit.\n"
        "Test measures are mean ± standard error over n seeds or splits; the 95 % interval is in the record. "
        "Training time is that of all seeds, without compiling.\n\n"
    )
    records = read_records(folder)
    sections = [_section(name, record, folder) for name, record in records.items()]
    return "\n".join([header + overview(folder), *_excluded(records), *sections])


def _excluded(records: Mapping[str, Any]) -> list[str]:
    """For each release of jaxlib that computes wrong, the records that were made under it."""
    under = {
        release: [f"[{name}]({quote(name)}/)" for name, r in records.items() if _jaxlib(r) == release]
        for release in EXCLUDED
    }
    return [
        f"Made under an excluded release, jaxlib {release} ({EXCLUDED[release]}), until they are made anew: "
        f"{', '.join(names)}.\n"
        for release, names in under.items()
        if names
    ]


def _jaxlib(record: Mapping[str, Any]) -> str | None:
    return record["environment"].get("jaxlib")


def _section(name: str, record: Mapping[str, Any], folder: Path) -> str:
    pictures = [
        f"![{name}: {picture.stem.replace('_', ' ')}]({quote(f'{name}/{picture.name}')})\n"
        for picture in sorted((folder / name).iterdir())
        if picture.suffix in (".png", ".gif")
    ]
    command = f"```sh\n{record['command']}\n```\n"
    return "\n".join(
        [f"## {name}\n", record["question"].strip() + "\n", command, _measures(record), *pictures]
    )


def _measures(record: Mapping[str, Any]) -> str:
    """All measures, folded away behind one line."""
    rows = [
        f"| {name.replace('_', ' ')} | {_with_error(metric)} | {metric['n']} |"
        for name, metric in record["metrics"].items()
    ]
    table = ["| measure | mean ± standard error | n |", "| --- | --- | --- |", *rows]
    return "\n".join(["<details><summary>all measures</summary>", "", *table, "", "</details>", ""])


def _measure_cells(metrics: Mapping[str, Mapping[str, Any]], varied: str | None = None) -> tuple[str, str]:
    """The record's main test measure over its n seeds (or whatever was ``varied``), and the error in percent
    if that measure is an accuracy.
    """
    chosen_by = [name for name in metrics if "validation" in name]
    tests = [name for name in metrics if name.startswith("test_")]
    preferred = ("test_accuracy", *tests, *(name for name in metrics if name not in chosen_by), *metrics)
    name = next((name for name in preferred if name in metrics), None)
    if name is None:
        return NOT_KNOWN, NOT_KNOWN
    metric = metrics[name]
    count = f"n = {metric['n']}" + (f" {varied}{'s' * (metric['n'] != 1)}" if varied else "")
    measure = f"{name.removeprefix('test_').replace('_', ' ')} {_with_error(metric)} ({count})"
    if not name.endswith("accuracy") or metric["mean"] is None:
        return measure, NOT_KNOWN
    return measure, _with_error({**metric, "mean": 1 - metric["mean"]})


def _with_error(metric: Mapping[str, Any]) -> str:
    return format_mean(metric["mean"], metric["standard_error"], metric["unit"])


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOT_KNOWN
    units = [(3600, "h"), (60, "min"), (1, "s")]
    size, unit = next(((size, unit) for size, unit in units if seconds >= 2 * size), (1, "s"))
    return f"{seconds / size:.1f} {unit}"


def _device_cell(machine: Mapping[str, Any]) -> str:
    device = machine["cpu"] if machine["platform"] == "cpu" else machine["device"]
    return f"{device}, {machine['cores']} cores"


def _commit_cell(record: Mapping[str, Any]) -> str:
    if record["commit"] is None:
        return NOT_KNOWN
    return f"`{record['commit'][:7]}`" + (" dirty" if record["dirty"] else "")


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    import tyro

    try:
        tyro.cli(main)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
