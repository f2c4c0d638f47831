"""What else is to be said of an expected alert that fired: flapped, stuck, without a runbook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gameday.kpi.assess import not_assessable
from gameday.kpi.routed import Routed
from gameday.kpi.seen import Delivery, Sighting, label_match, last_to_end, sight_of
from gameday.kpi.spans import FaultSpan
from gameday.kpi.steady import Slices, healthy_at
from gameday.model.alerting import AlertNote, NoteRow
from gameday.model.criteria import Criterion
from gameday.model.event import Phase, Timeline
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms

RUNBOOK = "runbook_url"
SEVERITY = "severity"
#: Sources that surely tell the annotations of an alert.
_WITH_ANNOTATIONS = ("prometheus", "builtin")


def notes_of(
    timeline: Timeline,
    expected: AlertExpectation,
    fault: FaultSpan,
    *,
    firings: Sequence[Sighting],
    arrived: Sequence[Delivery],
    routed: Routed,
    strangers: Sequence[Sighting],
    slices: Slices,
    criteria: Sequence[Criterion],
) -> tuple[NoteRow, ...]:
    """All notes, in the order of `AlertNote`. *strangers* fired with other labels instead."""
    found: list[NoteRow] = []
    found.extend(_flapped(firings))
    found.extend(_stuck(timeline, expected, fault, firings))
    found.extend(_early(fault, firings, slices, criteria))
    found.extend(_severity(expected, strangers))
    if firings:
        found.extend(_runbook(timeline, firings, arrived))
    found.extend(_held(expected, firings, routed))
    return tuple(found)


def resolved_early(
    fault: FaultSpan,
    firings: Sequence[Sighting],
    slices: Slices,
    criteria: Sequence[Criterion],
) -> tuple[Sighting, bool] | None:
    """The first firing that ended before the fault was taken out, while users felt it, or None.

    The second value says whether they surely did; False if the load cannot say. One that ended
    when the service had cured itself was right to end.
    """
    off_ms = fault.off_asked_ms if fault.off_asked_ms is not None else (fault.off_ms or 0)
    for firing in firings:
        if firing.ended_ms is None or firing.firing_ms > off_ms:
            continue
        if firing.ended_ms + firing.end_error_ms >= off_ms:
            continue
        healthy = healthy_at(slices, criteria, firing.ended_ms)
        if healthy is not True:
            return firing, healthy is False
    return None


def _flapped(firings: Sequence[Sighting]) -> Iterator[NoteRow]:
    times = Counter(tuple(sorted(s.labels.items())) for s in firings)
    most = max(times.values(), default=0)
    if most > 1:
        yield NoteRow(note=AlertNote.FLAPPED, text=f"it fired {most} times")


def _stuck(
    timeline: Timeline, expected: AlertExpectation, fault: FaultSpan, firings: Sequence[Sighting]
) -> Iterator[NoteRow]:
    within_ms = expected.resolves_within_ms
    if within_ms is None or fault.off_ms is None or not firings:
        return
    if not_assessable(timeline, firings[-1].source, ["ended"]):
        return
    last, sight = last_to_end(firings), sight_of(timeline, firings[-1].source)
    allowed = f"allowed {format_ms(within_ms)}"
    if last.ended_ms is None:
        watched_ms = sight.until_ms - fault.off_ms
        if watched_ms >= within_ms:
            text = f"it still fired {format_ms(watched_ms)} after the fault was off, {allowed}"
            yield NoteRow(note=AlertNote.STUCK, text=text)
    elif last.ended_ms > fault.off_ms + within_ms and not sight.blind_in(
        fault.off_ms, last.ended_ms
    ):
        took = format_ms(last.ended_ms - fault.off_ms)
        text = f"it resolved {took} after the fault was off, {allowed}"
        yield NoteRow(note=AlertNote.STUCK, text=text)


def _early(
    fault: FaultSpan,
    firings: Sequence[Sighting],
    slices: Slices,
    criteria: Sequence[Criterion],
) -> Iterator[NoteRow]:
    found = resolved_early(fault, firings, slices, criteria)
    if found is None or not found[1] or found[0].ended_ms is None:
        return
    off_ms = fault.off_asked_ms if fault.off_asked_ms is not None else (fault.off_ms or 0)
    early = format_ms(off_ms - found[0].ended_ms)
    text = f"it resolved {early} before fault `{fault.id}` was taken out, while users felt it"
    yield NoteRow(note=AlertNote.RESOLVED_EARLY, text=text)


def _severity(expected: AlertExpectation, strangers: Sequence[Sighting]) -> Iterator[NoteRow]:
    """Everything but the severity was as expected."""
    wanted = expected.labels.get(SEVERITY)
    others = {name: want for name, want in expected.labels.items() if name != SEVERITY}
    alike = [one for one in strangers if label_match(one.labels, others)]
    if wanted is not None and alike:
        has = alike[0].labels.get(SEVERITY, "(none)")
        text = f"it fired with severity {has}, not {wanted}"
        yield NoteRow(note=AlertNote.WRONG_SEVERITY, text=text)


def _runbook(
    timeline: Timeline, firings: Sequence[Sighting], arrived: Sequence[Delivery]
) -> Iterator[NoteRow]:
    notes = (*(d.annotations for d in arrived), *(s.annotations for s in firings))
    links = tuple(dict.fromkeys(str(a[RUNBOOK]) for a in notes if a.get(RUNBOOK)))
    if not links and (any(notes) or firings[0].source in _WITH_ANNOTATIONS):
        yield NoteRow(note=AlertNote.NO_RUNBOOK, text=f"it has no annotation `{RUNBOOK}`")
    for link in links:
        read = [
            e
            for e in timeline.of("runbook.read")
            if e.phase is Phase.OK and link in (e.subject, e.data.get("reference"))
        ]
        if read and not read[-1].data.get("resolved"):
            yield NoteRow(note=AlertNote.DEAD_RUNBOOK, text=f"`{link}` leads nowhere")
            return


def _held(
    expected: AlertExpectation, firings: Sequence[Sighting], routed: Routed
) -> Iterator[NoteRow]:
    """Without a receiver delivery was not asked for, but a held-back alert reaches nobody."""
    if expected.receiver is not None or not firings:
        return
    held = routed.held_by(firings[-1].ended_ms or routed.held_from_ms or 0)
    if held:
        yield NoteRow(note=AlertNote.HELD_BACK, text=f"Alertmanager held it back: {held}")
