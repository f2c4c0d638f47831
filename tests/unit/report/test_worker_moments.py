"""What a report and the live view say of the workers of a load."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.model.event import Event
from gameday.report.moments import moment_of


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"state": "came", "host": "box"}, "worker box of the load: came"),
        (
            {"state": "lost", "why": "it ended by signal 9\n  trace", "second": 3},
            "worker box of the load: lost: it ended by signal 9",
        ),
        ({"state": "refused", "why": "its token is not ours"},
         "worker box of the load: refused: its token is not ours"),
        ({"state": "clock", "offset_ms": 1.0, "error_ms": 0.1}, None),
    ],
)  # fmt: skip
def test_workers(data: dict[str, Any], text: str | None) -> None:
    moment = moment_of(Event(seq=1, at_ms=5, kind="load.worker", subject="box", data=data))
    assert (None if moment is None else moment.text) == text
