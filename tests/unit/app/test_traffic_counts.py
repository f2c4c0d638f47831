"""Whether the load passes a proxy, told from its counts: no bytes are no traffic."""

from __future__ import annotations

import pytest

from gameday.app.traffic import Counts, passed
from gameday.model.project import Target

TARGET = Target(name="payments", proxy="payments", listen="127.0.0.1:8805")


def counts(*sizes: int | None, connections: int = 0) -> tuple[Counts, Counts, Counts]:
    """At rest, 1.5 s later, and 0.5 s after that, when the requests were sent."""
    resting, before, after = (
        Counts(at_s=at_s, size_bytes=size, connections=connections)
        for at_s, size in zip((0.0, 1.5, 2.0), sizes, strict=True)
    )
    return resting, before, after


@pytest.mark.parametrize(
    ("seen", "ok", "words"),
    [
        (counts(0, 0, 4_000), True, "traffic passes (4000 bytes more than at rest)"),
        (counts(0, 0, 0, connections=3), False, "NO TRAFFIC"),
        (counts(0, 300, 400, connections=3), False, "NO TRAFFIC"),  # health checks alone
        (counts(0, 300, 900), True, "traffic passes (500 bytes more than at rest)"),
        (counts(None, None, None, connections=3), True, "traffic passes (3 connections are open)"),
        (counts(None, None, None), False, "NO TRAFFIC"),
    ],
)
def test_what_passed(seen: tuple[Counts, Counts, Counts], ok: bool, words: str) -> None:
    needed = passed(TARGET, seen, needed=True)
    assert (needed.ok, words in needed.text) == (ok, True)
    # of a target that is not broken it is only told
    assert passed(TARGET, seen, needed=False).ok is (True if ok else None)
