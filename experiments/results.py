"""Make the pages about results from the records: ``results/README.md``, the table in the top README, and
every number in a page that stands between ``<!-- =FOLDER/METRIC -->`` and ``<!-- / -->``, where a metric
can also be ``tables/…``, the way to a number in the record's tables, or ``seconds/total``, what the run took.
"""

import sys
from pathlib import Path

from experiments.harness import pages
from jaxmlp.cli.command import one_line_errors
from jaxmlp.runtime.files import write_atomic

RESULTS, README, WALK = Path("results"), Path("README.md"), Path("experiments/README.md")


def main(*, check: bool = False, redraw: bool = False) -> None:
    """Make the pages about results from the records.

    Args:
        check: Write nothing; exit with status 1 if a page is out of date.
        redraw: Make every picture again that its record is enough for.
    """
    if redraw:
        print(*pages.redraw(RESULTS), sep="\n")
    changed = pages.outdated_pages(RESULTS, README, WALK)
    if check and changed:
        names = " and ".join(str(path) for path in changed)
        sys.exit(f"out of date: {names}; run python -m experiments.results")
    for path, text in changed.items():
        write_atomic(path, text.encode())


if __name__ == "__main__":
    import tyro

    with one_line_errors():
        tyro.cli(main)
