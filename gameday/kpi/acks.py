"""Who acknowledged an expected alert first, when, and which source told it. Pure.

Four ways: a pager that is asked (`http_json`), a webhook that said so, a silence that somebody made
in Alertmanager after the alert fired, and `gameday ack`. A silence that was there before holds the
alert back, which is the opposite of taking it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gameday.kpi import seen
from gameday.kpi.episodes import episodes_of, reads_over_http
from gameday.kpi.routed import SOURCE as ALERTMANAGER
from gameday.kpi.routed import routed_of
from gameday.kpi.spans import run_ms
from gameday.model.event import Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation

BY_HAND = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """One acknowledgement in run time; it may have been up to `error_ms` earlier.

    `source` is who told it, `what` by which sign: an incident, a silence, a role. Never a person.
    """

    at_ms: int
    error_ms: int
    source: str
    what: str
    evidence: tuple[int, ...] = ()


def first_ack(
    plan: Plan,
    timeline: Timeline,
    expected: AlertExpectation,
    *,
    asked_ms: int,
    fired_ms: int | None,
) -> Ack | None:
    """The first acknowledgement of *expected* since its fault was asked for; None: none was told.

    *fired_ms* is when it fired first (None: not seen): a silence from before that is none.
    """
    found = (
        *_by_hand(plan, timeline, expected),
        *_pushed(timeline, expected),
        *_listed(timeline, expected),
        *_silenced(timeline, expected, asked_ms, fired_ms),
    )
    return min((a for a in found if a.at_ms >= asked_ms), key=lambda a: a.at_ms, default=None)


def why_none(
    plan: Plan, timeline: Timeline, expected: AlertExpectation, *, asked_ms: int
) -> tuple[int | None, str]:
    """Why no acknowledgement is known: until when a source that would tell was seen, and why.

    The time is None where no source could have told.
    """
    reads = reads_over_http(timeline)
    unable: list[str] = []
    parts: list[str] = []
    for name in seen.source_names(plan):
        read = reads.get(name)
        if name == ALERTMANAGER:
            parts.append(_no_silence(timeline))
        elif read is None and name not in ("prometheus", "builtin"):
            parts.append(seen.sight_of(timeline, name).why)
        elif read is None or "acknowledged" not in read.data["can"]:
            unable.append(f"`{name}`")
        elif any(ours for _, ours in _rows(timeline, expected, name, asked_ms)):
            if _was_away(timeline, name, asked_ms):
                parts.append(f"`{name}` could not be read for a while, and may forget it")
                continue
            sight = seen.sight_of(timeline, name)
            return sight.until_ms, f"nobody acknowledged it at `{name}` while we looked"
        else:
            parts.append(f"`{name}` did not list it")
    if unable:
        parts.insert(0, f"{' and '.join(unable)} know{'s' if len(unable) == 1 else ''} none")
    if timeline.first("human.ack", after_ms=asked_ms) is not None:
        parts.append("what was acknowledged by hand names another alert, or none")
    return None, f"nobody told gameday of an acknowledgement: {', '.join(filter(None, parts))}"


def _was_away(timeline: Timeline, name: str, since_ms: int) -> bool:
    """Whether a source could not be read at some time: pagers forget who took what is over."""
    last = timeline.latest(("alert.source.down", "alert.source.up"), name, at_ms=since_ms)
    down = last is not None and last.kind == "alert.source.down"
    return down or timeline.first("alert.source.down", name, after_ms=since_ms) is not None


def _by_hand(plan: Plan, timeline: Timeline, expected: AlertExpectation) -> Iterator[Ack]:
    """What people said with `gameday ack`; where one alert is expected it needs no name."""
    wanted = {e.alert for e in plan.scenario.expect.alerts}
    known = wanted | {episode.alert for episode in episodes_of(timeline)}
    for event in timeline.of("human.ack"):
        named = {name for name in known if _says(str(event.data.get("text", "")), name)}
        if expected.alert in named or (not named and len(wanted) == 1):
            without = "" if named else ", who named no alert"
            yield Ack(
                at_ms=event.at_ms, error_ms=0, source=BY_HAND, what=f"{event.subject}{without}",
                evidence=(event.seq,),
            )  # fmt: skip


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _pushed(timeline: Timeline, expected: AlertExpectation) -> Iterator[Ack]:
    """What a webhook said, at its arrival. What it names is what arrived with the same mark."""
    for event in timeline.of("alert.acknowledged"):
        mark, receiver = event.data.get("fingerprint"), str(event.data.get("receiver", ""))
        same = [
            one
            for one in timeline.of("alert.delivered")
            if mark and one.data.get("fingerprint") == mark and one.data.get("receiver") == receiver
        ]
        meant = ((one.subject, one.data.get("labels", {})) for one in (event, *same))
        if not any(_is(timeline, expected, alert, labels) for alert, labels in meant):
            continue
        arrived, said = event.data.get("arrived_wall_ms"), event.data.get("acknowledged_wall_ms")
        late_ms = 0 if arrived is None or said is None else max(0, round(arrived - said))
        yield Ack(
            at_ms=event.at_ms if arrived is None else run_ms(timeline, float(arrived)),
            error_ms=late_ms,
            source=receiver,
            what=f"a webhook ({event.data.get('dialect', '')}) on `{mark or event.subject}`",
            evidence=(event.seq,),
        )


def _listed(timeline: Timeline, expected: AlertExpectation) -> Iterator[Ack]:
    """What pagers list of it, each at its own time."""
    for name, read in reads_over_http(timeline).items():
        for one, ours in _rows(timeline, expected, name, None):
            at = one.get("acknowledged_wall_ms")
            if ours and at is not None:
                yield Ack(
                    at_ms=run_ms(timeline, float(at), name),
                    error_ms=round(read.data.get("error_ms") or 0),
                    source=name,
                    what=f"`{one.get('id', '')}` there",
                    evidence=(read.seq,),
                )


def _rows(
    timeline: Timeline, expected: AlertExpectation, name: str, since_ms: int | None
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """What a source lists, and whether that is the expected alert (begun from *since_ms* on)."""
    for one in reads_over_http(timeline)[name].data["episodes"]:
        ours = _is(timeline, expected, str(one["alert"]), one["labels"])
        begun = one.get("firing_wall_ms")
        if ours and since_ms is not None:
            # a pager writes whole seconds
            ours = begun is not None and run_ms(timeline, float(begun), name) >= since_ms - 1_000
        yield one, ours


def _is(
    timeline: Timeline, expected: AlertExpectation, alert: str, labels: Mapping[str, str]
) -> bool:
    """Whether it is the expected alert; pagers rarely say with which labels it fired."""
    fired = [episode.labels for episode in episodes_of(timeline) if episode.alert == alert]
    only = fired[0] if fired and all(one == fired[0] for one in fired) else {}
    return seen.is_expected(expected, alert, {"alertname": alert, **labels, **only})


def _silenced(
    timeline: Timeline, expected: AlertExpectation, asked_ms: int, fired_ms: int | None
) -> Iterator[Ack]:
    """Silences that hold the alert, and were made after it fired."""
    read = timeline.last("alert.read", ALERTMANAGER, phase=Phase.OK)
    if read is None or fired_ms is None:
        return
    ids = routed_of(timeline, expected, since_ms=asked_ms).silenced_by
    for row in _silences(read.data.get("silences")):
        # of one that was planned, `updatedAt` says when; AM never lets one start in the past
        key = "updated_wall_ms" if row["state"] == "pending" else "starts_wall_ms"
        if row["id"] not in ids or row.get(key) is None:
            continue
        at_ms = run_ms(timeline, float(row[key]), ALERTMANAGER)
        at_ms = min(at_ms, run_ms(timeline, float(row["first_seen_wall_ms"])))
        error_ms = round(read.data.get("error_ms") or 0)
        if at_ms + error_ms >= fired_ms:
            says = ", whose comment says ack" if row.get("says_ack") else ""
            yield Ack(
                at_ms=max(at_ms, fired_ms), error_ms=error_ms, source=ALERTMANAGER,
                what=f"silence {row['id']}{says}", evidence=(read.seq,),
            )  # fmt: skip


def _silences(raw: object) -> Iterable[Mapping[str, Any]]:
    return raw if isinstance(raw, (list, tuple)) else ()


def _no_silence(timeline: Timeline) -> str:
    """What Alertmanager shows where no silence was made for it; it knows nothing else of people."""
    sight = seen.sight_of(timeline, ALERTMANAGER)
    read = timeline.last("alert.read", ALERTMANAGER, phase=Phase.OK)
    if read is None:
        return sight.why
    if read.data.get("silences") is None:
        return f"`{ALERTMANAGER}` did not tell of silences"
    return f"no silence was made for it at `{ALERTMANAGER}` after it fired"
