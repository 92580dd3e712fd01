"""The pages about results, made from the records; and their pictures, made again without training."""

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments import NAMES
from experiments.harness.answers import Record, said
from experiments.harness.pictures import SUFFIXES, picture_times
from jaxmlp.records import read_records
from jaxmlp.runtime.selftest import EXCLUDED
from jaxmlp.types import InputError

BEGIN, END = "<!-- results -->", "<!-- /results -->"
NUMBER = re.compile(r"(<!-- =(?P<folder>[^\s/]+)/(?P<name>\S+) -->)[^<]*(<!-- / -->)")
NOT_KNOWN = "n/a"


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
    return {p: text for p, text in pages.items() if not p.is_file() or p.read_text("utf-8") != text}


def fill_numbers(page: Path, text: str, records: Mapping[str, Any]) -> str:
    """``text`` with every number between its two comments as the record of that folder has it."""

    def number(found: re.Match[str]) -> str:
        record, name = records.get(found["folder"], {}), found["name"]
        try:
            shown = _inside(record, name) if "/" in name else said(record, name)
        except (KeyError, IndexError, ValueError):
            raise InputError(f"{page}: no record has the measure {found['folder']}/{name}") from None
        return f"{found[1]}{shown}{found[4]}"

    return NUMBER.sub(number, text)


def _inside(record: Any, way: str) -> str:
    """The number at the end of a way through a record, as tables/roofline/0/images, or seconds/total."""
    for step in way.split("/"):
        record = record[int(step)] if isinstance(record, list) else record[step]
    return _duration(record) if way.startswith("seconds/") else f"{record:,}"


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


def overview(folder: Path, link_prefix: str = "") -> str:
    """A Markdown table, one row per record; ``link_prefix`` leads from the page to ``folder``."""
    records = in_order(read_records(folder))
    if not records:
        return "No results yet.\n"
    names = ("experiment", "what was found", "data set", "training time", "device", "commit")
    rows = [names, ("---",) * len(names)]
    for name, record in records.items():
        found = answer_of(record), record["dataset"], _duration(record["seconds"].get("train"))
        machine, commit = record["environment"], record["commit"]
        device = f"{machine['cpu' if machine['platform'] == 'cpu' else 'device']}, {machine['cores']} cores"
        code = NOT_KNOWN if commit is None else f"`{commit[:7]}`{' dirty' * bool(record['dirty'])}"
        rows.append((f"[{name}]({quote(link_prefix + name)}/)", *found, device, code))
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def in_order(records: Mapping[str, Any]) -> dict[str, Any]:
    """The records in the order of the walk, variants after each other."""
    order = {name: place for place, name in enumerate(NAMES)}
    last = len(order)
    return dict(sorted(records.items(), key=lambda row: (order.get(row[1]["experiment"], last), row[0])))


def module_of(name: str) -> Any:
    """The module that runs as ``python -m experiments.NAME``, with its ``answer`` and ``draw``."""
    module = importlib.import_module(f"experiments.{name}")
    return importlib.import_module(f"{module.__name__}.__main__") if hasattr(module, "__path__") else module


def answer_of(record: Record) -> str:
    """The answer in words: the record's own, or what its experiment makes of its numbers."""
    if "headline" in record:
        return record["headline"]["answer"]
    if record["experiment"] not in NAMES:
        return NOT_KNOWN
    return module_of(record["experiment"]).answer(record).text


def results_table(folder: Path) -> str:
    """The page ``folder/README.md`` in Markdown: the overview, then each experiment with its pictures."""
    header = (
        "# Results\n\n"
        "Generated by `python -m experiments.results` from the `record.json` of each folder; do not edit.\n"
        "Numbers are mean ± standard error over seeds, splits or repetitions; a difference is shown where "
        "its 95 % interval, which is in the record, leaves out 0. Training time is that of all seeds, "
        "without compiling.\n\n"
    )
    records = in_order(read_records(folder))
    sections = [_section(name, record, folder / name) for name, record in records.items()]
    return "\n".join([header + overview(folder), *_excluded(records), *sections])


def _excluded(records: Mapping[str, Any]) -> list[str]:
    """For each release of jaxlib that computes wrong, the records that were made under it."""
    under: dict[str | None, list[str]] = {}
    for name, record in records.items():
        under.setdefault(record["environment"].get("jaxlib"), []).append(f"[{name}]({quote(name)}/)")
    return [
        f"Made under an excluded release, jaxlib {release} ({why}), until they are made anew: "
        f"{', '.join(under[release])}.\n"
        for release, why in EXCLUDED.items()
        if release in under
    ]


def _section(name: str, record: Mapping[str, Any], folder: Path) -> str:
    """Question, answer and command, all measures folded away behind one line, a page and the pictures."""
    rows = [
        f"| {measure.replace('_', ' ')} | {said(record, measure)} | {metric['n']} |"
        for measure, metric in record["metrics"].items()
    ]
    parts = [
        f"## {name}\n\n{record['question'].strip()}\n\n{answer_of(record)}.\n",
        f"```sh\n{record['command']}\n```\n",
        "<details><summary>all measures</summary>\n\n| measure | mean ± standard error | n |",
        "\n".join(["| --- | --- | --- |", *rows, "", "</details>", ""]),
    ]
    # Those of large networks, whose way is not kept, are not published.
    if (folder / "page.html").exists() and (folder / "snapshots").is_dir():
        parts.append(f"[A page of the network to try out]({quote(f'{name}/page.html')})\n")
    for picture in sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES):
        about = picture.stem.replace("_", " ")
        parts.append(f"![{name}: {about}]({quote(f'{name}/{picture.name}')})\n")
    return "\n".join(parts)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOT_KNOWN
    units = [(3600, "h"), (60, "min"), (1, "s")]
    size, unit = next(((size, unit) for size, unit in units if seconds >= 2 * size), (1, "s"))
    return f"{seconds / size:.1f} {unit}"


def redraw(results: Path) -> Iterator[str]:
    """Make every published picture again that its record is enough for; a line for each record says which,
    and which not.
    """
    for name, record in in_order(read_records(results)).items():
        folder, draw = results / name, module_of(record["experiment"]).draw
        before, lacks = picture_times(folder), ""
        try:
            draw(record, folder)
        except KeyError as error:
            lacks = f"; the record lacks {error}"
        after = picture_times(folder)
        left = ", ".join(path for path, time in after.items() if before.get(path) == time)
        kept = left and f"; as they were, since they need data or networks beside the record: {left}"
        drawn = sum(before.get(path) != time for path, time in after.items())
        yield f"{name}: {drawn} drawn again{kept}{lacks}"
