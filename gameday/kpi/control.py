"""A control run: what is counted where nothing was broken. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.model.alerting import AlertNumber, OtherEpisode, OtherWord
from gameday.model.event import Phase, Timeline


def load_began_ms(timeline: Timeline) -> int | None:
    """From when an alert is a false one; None if the load never began."""
    began = timeline.first("load.start", phase=Phase.STARTED)
    return None if began is None else began.at_ms


def load_first_ms(timeline: Timeline) -> int | None:
    """Where the first second of the load begins: alerts on the load can see nothing before it."""
    started = timeline.last("load.start", phase=Phase.OK)
    said = None if started is None else started.data.get("first_second")
    return load_began_ms(timeline) if said is None else int(said) * 1000


def false_pages(others: Sequence[OtherEpisode]) -> AlertNumber:
    """How often an alert fired without a fault; those from before the load are not counted."""
    found = [o for o in others if o.word in (OtherWord.UNEXPECTED, OtherWord.FORBIDDEN)]
    told = sum(o.delivered > 0 for o in found)
    return AlertNumber(
        name="false_pages",
        unit="count",
        value=float(len(found)),
        n=1,
        low=None,
        high=None,
        text=f"firings without a fault, {told} of them delivered; n = 1 control run",
    )
