"""What happened, as lanes over one time axis: phases, faults, alerts, runbooks, people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gameday.kpi import seen, spans
from gameday.kpi.alert_others import other_episodes
from gameday.kpi.episodes import pending_only_of
from gameday.kpi.pipeline import proof_alerts
from gameday.model.alerting import OtherWord
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.units import format_ms
from gameday.report.text import printable

#: More alerts than these share one lane; the table beside the figure has them all.
ALERT_LANES_MAX = 12
NAME_MAX = 60
#: A call that took no measurable time is still drawn so wide, as a share of the run.
LEAST_SHARE = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Something that went on from one moment to another. `open` if it had not ended."""

    lane: str
    style: str  # phase, call, fault, pending, expected, other, known, step_ok, step_failed
    start_ms: int
    end_ms: int
    text: str
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """Something that happened at one moment."""

    lane: str
    style: str  # delivered, person or stop
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """All lanes from the top down, and what stands in them; `faults` shade every panel."""

    names: tuple[str, ...]
    bars: tuple[Bar, ...]
    dots: tuple[Dot, ...]
    faults: tuple[Bar, ...]
    stops: tuple[Dot, ...]
    left_out: int  # alerts that share a lane


def lanes_of(plan: Plan, timeline: Timeline, end_ms: int) -> Lanes:
    """The lanes of a run that is drawn from 0 to *end_ms*."""
    if timeline.first("run.opened") is None:
        return Lanes(names=(), bars=(), dots=(), faults=(), stops=(), left_out=0)
    faults = list(_faults(plan, timeline, end_ms))
    alert_bars, alert_dots, left_out = _alerts(plan, timeline, end_ms)
    steps = list(_steps(timeline))
    people = list(_people(timeline))
    stops = list(_stops(timeline))
    bars = [*_phases(timeline), *faults, *alert_bars, *steps]
    dots = [*alert_dots, *people, *stops]
    names = dict.fromkeys([*(bar.lane for bar in bars), *(dot.lane for dot in dots)])
    return Lanes(
        names=tuple(names),
        bars=tuple(bars),
        dots=tuple(dots),
        faults=tuple(bar for bar in faults if bar.style == "fault"),
        stops=tuple(stops),
        left_out=left_out,
    )


def clock(ms: int) -> str:
    """Run time as `1:05.3`."""
    tenths = round(abs(ms) / 100)
    sign = "-" if ms < 0 and tenths else ""
    return f"{sign}{tenths // 600}:{tenths % 600 / 10:04.1f}"


def named(text: str) -> str:
    """*text* as the name of a lane: on one line, and not longer than one can read."""
    text = printable(" ".join(text.split())) or "(no name)"
    return text if len(text) <= NAME_MAX else text[: NAME_MAX - 1] + "…"


def _phases(timeline: Timeline) -> Iterable[Bar]:
    for window in spans.windows_of(timeline).values():
        short = "" if window.complete else ", cut short"
        yield Bar(
            lane="phase",
            style="phase",
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            text=f"{window.name}{short}",
            open=not window.complete,
        )


def _faults(plan: Plan, timeline: Timeline, end_ms: int) -> Iterable[Bar]:
    """The call that puts it in, the time it was in, and the call that takes it out."""
    for span in spans.faults_of(plan, timeline):
        if span.asked_ms is None:
            continue
        lane = named(f"fault {span.id}")
        on_ms = span.on_ms if span.on_ms is not None else span.asked_ms
        sure = "confirmed on" if span.on_ms is not None else "not confirmed on, may be in from"
        yield _call(lane, span.asked_ms, span.on_ms, f"{span.id}: asked in")
        over_ms = span.off_asked_ms if span.off_asked_ms is not None else end_ms
        last_ms = span.off_ms if span.off_ms is not None else end_ms
        gone = "not shown to be gone" if span.off_ms is None else f"off {clock(span.off_ms)}"
        yield Bar(
            lane=lane,
            style="fault",
            start_ms=on_ms,
            end_ms=max(on_ms, last_ms if span.off_ms is None else over_ms),
            text=f"{span.id} in {span.target}: {sure} {clock(on_ms)}, {gone}",
            open=span.off_ms is None,
        )
        if span.off_asked_ms is not None:
            yield _call(lane, span.off_asked_ms, span.off_ms, f"{span.id}: asked out")


def _call(lane: str, asked_ms: int, done_ms: int | None, text: str) -> Bar:
    took = (
        "never confirmed" if done_ms is None else f"confirmed after {format_ms(done_ms - asked_ms)}"
    )
    return Bar(
        lane=lane,
        style="call",
        start_ms=asked_ms,
        end_ms=asked_ms if done_ms is None else max(asked_ms, done_ms),
        text=f"{text} {clock(asked_ms)}, {took}",
        open=done_ms is None,
    )


def _alerts(plan: Plan, timeline: Timeline, end_ms: int) -> tuple[list[Bar], list[Dot], int]:
    expected = {one.alert for one in plan.scenario.expect.alerts}
    bars = [*_firing(plan, timeline, end_ms), *_pending(timeline, end_ms)]
    dots = list(_delivered(timeline))
    inside = [b for b in bars if b.end_ms >= 0]
    dots = [d for d in dots if d.at_ms >= 0]
    names = list(dict.fromkeys([*(b.lane for b in inside), *(d.lane for d in dots)]))
    names.sort(key=lambda name: (name not in expected, name))
    kept, rest = set(names[:ALERT_LANES_MAX]), names[ALERT_LANES_MAX:]
    other = f"{len(rest)} more alerts"
    order = {name: place for place, name in enumerate([*names[:ALERT_LANES_MAX], other])}

    def lane(name: str) -> str:
        return name if name in kept else other

    moved = [replace(b, lane=lane(b.lane)) for b in inside]
    moved_dots = [replace(d, lane=lane(d.lane)) for d in dots]
    moved.sort(key=lambda b: (order[b.lane], b.start_ms))
    return moved, moved_dots, len(rest)


def _firing(plan: Plan, timeline: Timeline, end_ms: int) -> Iterable[Bar]:
    """Each firing, with the word that the report has for it."""
    expected = plan.scenario.expect.alerts
    others = {(o.alert, o.firing_ms): o.word for o in other_episodes(plan, timeline)}
    for one in seen.sightings_of(timeline):
        over_ms = end_ms if one.ended_ms is None else one.ended_ms
        word = others.get((one.alert, one.firing_ms), OtherWord.BASELINE)
        style = "other" if word in (OtherWord.FORBIDDEN, OtherWord.UNEXPECTED) else "known"
        said = word.value
        if any(seen.is_expected(e, one.alert, one.labels) for e in expected):
            style = said = "expected"
        lane = named(one.alert)
        if one.pending_ms < one.firing_ms:
            yield Bar(
                lane=lane,
                style="pending",
                start_ms=one.pending_ms,
                end_ms=one.firing_ms,
                text=f"{lane} pending from {clock(one.pending_ms)}",
            )
        yield Bar(
            lane=lane,
            style=style,
            start_ms=one.firing_ms,
            end_ms=over_ms,
            text=f"{lane} ({said}) firing from {clock(one.firing_ms)}, "
            + ("still firing" if one.ended_ms is None else f"resolved {clock(one.ended_ms)}"),
            open=one.ended_ms is None,
        )


def _pending(timeline: Timeline, end_ms: int) -> Iterable[Bar]:
    """Those that were pending and never fired."""
    proof = proof_alerts(timeline)
    for one in pending_only_of(timeline):
        if one.alert in proof:
            continue
        start_ms = spans.run_ms(timeline, one.pending_wall_ms, one.source)
        ended = one.ended_wall_ms
        over_ms = end_ms if ended is None else spans.run_ms(timeline, ended, one.source)
        lane = named(one.alert)
        yield Bar(
            lane=lane,
            style="pending",
            start_ms=start_ms,
            end_ms=max(start_ms, over_ms),
            text=f"{lane} pending from {clock(start_ms)}, never fired",
            open=ended is None,
        )


def _delivered(timeline: Timeline) -> Iterable[Dot]:
    for one in seen.deliveries_of(timeline):
        if one.status != "firing":
            continue
        lane = named(one.alert)
        text = f"{lane} delivered to {printable(one.receiver)} {clock(one.at_ms)}"
        yield Dot(lane=lane, style="delivered", at_ms=one.at_ms, text=text)


def _steps(timeline: Timeline) -> Iterable[Bar]:
    """Steps of runbooks that were done, one lane for all."""
    begun = {e.seq: e for e in timeline.of("runbook.step") if e.phase is Phase.STARTED}
    for event in timeline.of("runbook.step"):
        start = begun.get(event.cause if event.cause is not None else -1)
        if start is None or event.data.get("skipped"):
            continue
        passed = event.phase is Phase.OK and event.data.get("passed") is not False
        word = "" if passed else ", did not pass"
        step = f"{event.data.get('arm') or start.data.get('arm') or 'step'}"
        name = event.data.get("name") or start.data.get("name") or ""
        yield Bar(
            lane="runbook",
            style="step_ok" if passed else "step_failed",
            start_ms=start.at_ms,
            end_ms=event.at_ms,
            text=named(f"{step} {name}") + f" {clock(start.at_ms)}{word}",
        )


_PEOPLE = (
    "human.note", "human.ack", "human.decide", "human.step", "gate.opened",
    "human.handoff", "human.todo", "human.update",
)  # fmt: skip


def _people(timeline: Timeline) -> Iterable[Dot]:
    for event in timeline:
        if event.kind in _PEOPLE and event.data.get("by") != "condition":
            yield Dot(lane="people", style="person", at_ms=max(0, event.at_ms), text=_person(event))


def _person(event: Event) -> str:
    what = event.kind.partition(".")[2].replace("ack", "acknowledged")
    said = event.data.get("text") or event.data.get("answer") or ""
    who = event.subject if event.kind.startswith("human") else f"gate {event.subject}"
    return named(f"{who}, {what}: {said}".rstrip(": ")) + f" {clock(event.at_ms)}"


def _stops(timeline: Timeline) -> Sequence[Dot]:
    return [
        Dot(
            lane="stopped",
            style="stop",
            at_ms=max(0, event.at_ms),
            text=named(f"stopped by {event.subject}") + f" {clock(event.at_ms)}",
        )
        for event in timeline.of("stop.tripped")
    ]
