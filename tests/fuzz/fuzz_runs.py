"""How a fuzz test is run: so many examples, in parts of their own, counted for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fuzz_dice import LONG, Dice
from fuzz_told import Tally
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: At least this share of the files has to be right, or the errors behind them are not reached.
VALID_SHARE = 0.30
#: What each kind of file gets in the long run: parts, each in a test (and a process) of its own,
#: and examples a part. Together 50,500.
LONG_RUN = {
    "scenarios": (8, 2_500),
    "projects": (4, 2_500),
    "approvals": (2, 4_000),
    "journals": (4, 2_000),
    "judged runs": (3, 1_500),
}
#: A file is big, and now and then too big to be made: those are not counted.
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
#: What each kind gets otherwise, in one part.
SHORT_RUN = 90


def parts(kind: str) -> Any:
    """Parametrize a test with the parts of its kind of file."""
    return pytest.mark.parametrize("part", range(LONG_RUN[kind][0] if LONG else 1))


def fuzz(kind: str, one: Callable[[Dice], bool], record: Callable[[str, object], None]) -> None:
    """Call *one* for each example; it says whether the file was right. Too few right ones fail."""
    tally = Tally()
    examples = LONG_RUN[kind][1] if LONG else SHORT_RUN

    @settings(max_examples=examples, suppress_health_check=_SLOW)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        tally.count(valid=one(Dice.of(data.draw)))

    look()
    for name, value in (("fuzzed", kind), ("examples", tally.examples), ("valid", tally.valid)):
        record(name, value)
    assert tally.examples >= examples
    assert tally.share >= VALID_SHARE, tally
