"""Work in a process of its own: what comes back, and what one that ended leaves."""

from contextlib import suppress

import pytest

from experiments.harness.apart import ProcessError, started


def test_a_process_that_ended_before_it_was_told_anything_says_why():
    with pytest.raises(ProcessError, match="No module named"), started("experiments.nowhere") as ask:
        with suppress(ProcessError):
            ask("begin")
        # It is gone for certain now, and what is told it stays unsent.
        ask("go on")
