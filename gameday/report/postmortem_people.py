"""What people did in a run, as far as they told: by role or source, never by name."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.event import Event, Timeline
from gameday.model.report import Report, State
from gameday.model.units import format_ms
from gameday.report.mdtext import clock
from gameday.report.postmortem_cites import Cites
from gameday.report.postmortem_parts import Ask, Said

#: Every kind that begins so is something that people said or did.
_HUMAN = "human."
#: A note that begins so is asked for later, as one with `gameday todo` is.
_TODO = "todo:"
_TOLD = {"human.handoff": "handed over", "human.update": "told people outside"}


def by_people(timeline: Timeline) -> tuple[Event, ...]:
    """Everything that people said or did."""
    also = ("runbook.opened", "gate.opened")
    return tuple(e for e in timeline if e.kind.startswith(_HUMAN) or e.kind in also)


def reactions(cites: Cites, report: Report) -> Iterator[Said]:
    """Acknowledgements and opened runbooks, by who told of them: a source, never a person."""
    for ladder in report.ladders:
        for rung in ladder.rungs:
            if rung.state is not State.MEASURED or not rung.source:
                continue
            what = "was acknowledged" if rung.name == "acknowledged" else "had its runbook opened"
            text = f"{ladder.alert} {what} {format_ms(rung.since_ms or 0)} after the fault was in"
            on_ms = next((r.on_ms or 0 for r in report.faults if r.id == ladder.fault), 0)
            cited = cites.told(rung.name, rung.source, on_ms + (rung.since_ms or 0))
            yield Said(text=f"{text}, told by {rung.source}: {rung.what}", seqs=cited)


def told(timeline: Timeline) -> Iterator[Said]:
    """What one role gave over to the next, and what people outside were told."""
    for event in timeline:
        if event.kind in _TOLD:
            text = f"{event.subject} {_TOLD[event.kind]} at {clock(event.at_ms)}: {_text(event)}"
            yield Said(text=text, seqs=(event.seq,))


def todos(timeline: Timeline) -> Iterator[Said | Ask]:
    """What people asked for in the run: an action item each."""
    for event in timeline:
        text = _text(event)
        noted = event.kind == "human.note" and text.casefold().startswith(_TODO)
        if noted or event.kind == "human.todo":
            what = text[len(_TODO) :].strip() if noted else text
            said = f"asked for by {event.subject} in the run: {what}"
            yield Said(text=said, seqs=(event.seq,), todo=True)
            yield Ask(text="owner (a team or a role) and date of the item above")


def names_to_look_for(timeline: Timeline) -> Iterator[Ask]:
    """Whoever reads words of people is asked to put roles where they name somebody."""
    noted = tuple(e.seq for e in timeline if e.kind.startswith(_HUMAN))
    if noted:
        text = "words of people stand above as they wrote them: put roles where they name somebody"
        yield Ask(text=text, seqs=noted)


def _text(event: Event) -> str:
    return str(event.data.get("text", ""))
