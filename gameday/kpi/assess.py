"""What a source of alerts could not have said, whatever happened.

A capability that a source lacks makes a question about it unanswerable. Sources tell in their read
what they can say; those that tell nothing (Prometheus, the built-in alerts) can say all.
"""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.event import Phase, Timeline

#: Capability -> what is missing without it, for people.
_WORDS = {
    "firing": "when an alert fires",
    "pending": "when an alert is pending",
    "ended": "when an alert ends",
    "delivered": "whether an alert reached people",
    "acknowledged": "when an alert is acknowledged",
    "labels": "the labels of an alert",
}


def not_assessable(timeline: Timeline, source: str, needs: Iterable[str]) -> str:
    """Why a question that *needs* these capabilities has no answer here; empty if it may have."""
    read = timeline.last("alert.read", source, phase=Phase.OK)
    if read is None or "can" not in read.data:
        return ""
    can = {str(name) for name in read.data["can"]}
    lacks = [_WORDS.get(name, name) for name in needs if name not in can]
    if not lacks:
        return ""
    return f"not assessable: `{source}` cannot say {' or '.join(lacks)}"
