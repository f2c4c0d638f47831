"""A run as one trace, in the JSON of OTLP: the run, its phases, faults, alerts and runbook steps.

Made from the run's record alone: all ids come from the run's id, so it is the same each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.kpi import seen
from gameday.kpi.spans import faults_of, origin_wall_ms
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import Answer
from gameday.model.verdict import ExitCode
from gameday.report.moments import moments_of
from gameday.report.text import encodable

_UNSET, _OK, _ERROR = 0, 1, 2
_INTERNAL = 1
#: Moments that are no part of another span, and so stand at the run itself.
_OF_THE_RUN = (
    "run.error", "sentinel.lost", "sentinel.took_over", "load.lost", "load.capped", "stop.tripped",
    "stop.blind", "gate.opened", "human.note", "human.ack", "human.decide", "human.step",
    "human.handoff", "human.todo", "human.update",
    "runbook.mitigated", "runbook.opened", "alert.source.down", "alert.source.up",
    "check.baseline", "export.failed", "notice.failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """One span, in run time. `key` makes its id."""

    key: str
    name: str
    from_ms: int
    to_ms: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[tuple[int, str, Mapping[str, Any]], ...] = ()
    status: int = _UNSET
    message: str = ""


def render(plan: Plan, timeline: Timeline, answer: Answer) -> str:
    """The whole file. Raises `ValueError` on a journal without `run.opened`."""
    made = trace_of(plan, timeline, answer)
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n"


def trace_of(plan: Plan, timeline: Timeline, answer: Answer) -> dict[str, Any]:
    """An `ExportTraceServiceRequest`, as plain data."""
    origin_ms = origin_wall_ms(timeline)
    opened = timeline.of("run.opened")[0]
    run_id, version = opened.subject, str(opened.data.get("gameday", ""))
    children = [
        *_phases(timeline),
        *_faults(plan, timeline),
        *_alerts(plan, timeline),
        *_steps(timeline),
    ]
    root = _run(plan, timeline, answer, children)
    trace_id = _id(run_id, 32)
    root_id = _id(f"{run_id}/{root.key}", 16)
    spans = [_json(root, origin_ms, trace_id, root_id)]
    for one in children:
        made = _json(one, origin_ms, trace_id, _id(f"{run_id}/{one.key}", 16))
        spans.append({**made, "parentSpanId": root_id})
    resource = {
        "service.name": "gameday",
        "service.version": version,
        "deployment.environment.name": plan.environment.name,
    }
    scope = {"name": "gameday", "version": version}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": spans}],
            }
        ]
    }


def _run(plan: Plan, timeline: Timeline, answer: Answer, children: Iterable[_Span]) -> _Span:
    scenario = plan.scenario
    closed = timeline.last("run.closed")
    attributes = {
        "gameday.run.id": timeline.of("run.opened")[0].subject,
        "gameday.scenario.id": scenario.id,
        "gameday.scenario.title": scenario.title,
        "gameday.scenario.hypothesis": scenario.hypothesis,
        "gameday.profile": scenario.profile,
        "gameday.service": scenario.service,
        "gameday.outcome": answer.outcome.value,
        "gameday.status": answer.status.value,
        "gameday.exit_code": int(answer.exit_code),
        "gameday.complete": closed is not None,
    }
    inside = list(children)
    status = {ExitCode.PASS: _OK, ExitCode.INCONCLUSIVE: _UNSET}.get(answer.exit_code, _ERROR)
    return _Span(
        key="run",
        name=f"run {scenario.id}",
        from_ms=min([e.at_ms for e in timeline] + [one.from_ms for one in inside]),
        to_ms=max([timeline.end_ms] + [one.to_ms for one in inside]),
        attributes=attributes,
        events=tuple(
            (moment.at_ms, moment.what, {"gameday.text": moment.text})
            for moment in moments_of(plan, timeline)
            if moment.what in _OF_THE_RUN
        ),
        status=status,
        message="" if status == _OK else answer.reason,
    )


def _phases(timeline: Timeline) -> Iterator[_Span]:
    marks = timeline.of("run.phase")
    for number, mark in enumerate(marks):
        if mark.subject == "end":
            continue
        end_ms = marks[number + 1].at_ms if number + 1 < len(marks) else timeline.end_ms
        yield _Span(
            key=f"phase/{number}",
            name=f"phase {mark.subject}",
            from_ms=mark.at_ms,
            to_ms=end_ms,
            attributes={"gameday.phase": mark.subject},
        )


def _faults(plan: Plan, timeline: Timeline) -> Iterator[_Span]:
    kinds = {fault.id: fault.kind for fault in plan.scenario.faults}
    for span in faults_of(plan, timeline):
        if span.asked_ms is None:
            continue
        moments = [(at_ms, f"strength {n} confirmed on") for n, at_ms in enumerate(span.stages_ms)]
        if span.off_asked_ms is not None:
            moments.append((span.off_asked_ms, "asked off"))
        if span.off_ms is not None:
            moments.append((span.off_ms, "confirmed off"))
        left = span.on_ms is not None and span.off_ms is None
        yield _Span(
            key=f"fault/{span.id}",
            name=f"fault {span.id}",
            from_ms=span.asked_ms,
            to_ms=timeline.end_ms if span.off_ms is None else span.off_ms,
            attributes={
                "gameday.fault.id": span.id,
                "gameday.fault.kind": kinds.get(span.id, ""),
                "gameday.fault.target": span.target,
                "gameday.fault.confirmed_on": span.on_ms is not None,
                "gameday.fault.confirmed_off": span.off_ms is not None,
            },
            events=tuple((at_ms, text, {}) for at_ms, text in moments),
            status=_ERROR if left else _UNSET,
            message="not confirmed off" if left else "",
        )


def _alerts(plan: Plan, timeline: Timeline) -> Iterator[_Span]:
    expected = {one.alert for one in plan.scenario.expect.alerts}
    deliveries = seen.deliveries_of(timeline)
    for number, one in enumerate(seen.sightings_of(timeline)):
        end_ms = timeline.end_ms if one.ended_ms is None else one.ended_ms
        told = [
            (d.at_ms, f"delivered ({d.status})", {"gameday.receiver": d.receiver})
            for d in deliveries
            if d.alert == one.alert and one.pending_ms <= d.at_ms and _same(one.labels, d.labels)
        ]
        yield _Span(
            key=f"alert/{number}",
            name=f"alert {one.alert}",
            from_ms=one.pending_ms,
            to_ms=max([end_ms, *(at_ms for at_ms, _, _ in told)]),
            attributes={
                "gameday.alert.name": one.alert,
                "gameday.alert.source": one.source,
                "gameday.alert.expected": one.alert in expected,
                "gameday.alert.ended": one.ended_ms is not None,
                **{
                    f"gameday.alert.label.{name}": text for name, text in sorted(one.labels.items())
                },
            },
            events=((one.firing_ms, "firing", {}), *told),
        )


def _same(labels: Mapping[str, str], delivered: Mapping[str, str]) -> bool:
    """Whether a delivery speaks of this firing: no label of both differs."""
    return all(delivered.get(name, text) == text for name, text in labels.items())


def _steps(timeline: Timeline) -> Iterator[_Span]:
    """Steps of runbooks that were run; one without an end goes on to the end of the record."""
    ends: dict[int, Event] = {
        e.cause: e
        for e in timeline.of("runbook.step")
        if e.cause is not None and e.phase is not Phase.STARTED
    }
    for start in timeline.of("runbook.step"):
        end = ends.get(start.seq)
        data = start.data if end is None else end.data
        if start.phase is not Phase.STARTED or data.get("skipped"):
            continue
        passed = data.get("passed")
        bad = passed is False or end is None or end.phase is not Phase.OK
        attributes: dict[str, Any] = {
            "gameday.runbook": start.subject,
            "gameday.runbook.arm": str(data.get("arm") or start.data.get("arm", "")),
            "gameday.runbook.step": str(data.get("name") or start.data.get("name", "")),
        }
        if isinstance(passed, bool):
            attributes["gameday.runbook.passed"] = passed
        yield _Span(
            key=f"step/{start.seq}",
            name=f"runbook step {attributes['gameday.runbook.step']}",
            from_ms=start.at_ms,
            to_ms=timeline.end_ms if end is None else end.at_ms,
            attributes=attributes,
            status=_ERROR if bad else _UNSET,
            message=str(data.get("error") or data.get("why") or "") if bad else "",
        )


def _json(one: _Span, origin_ms: int, trace_id: str, span_id: str) -> dict[str, Any]:
    def nanos(at_ms: int) -> str:
        return str((origin_ms + at_ms) * 1_000_000)

    made: dict[str, Any] = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": encodable(one.name),
        "kind": _INTERNAL,
        "startTimeUnixNano": nanos(one.from_ms),
        "endTimeUnixNano": nanos(max(one.from_ms, one.to_ms)),
        "attributes": _attributes(one.attributes),
    }
    if one.events:
        made["events"] = [
            {"timeUnixNano": nanos(at_ms), "name": encodable(name), "attributes": _attributes(more)}
            for at_ms, name, more in sorted(one.events, key=lambda event: event[0])
        ]
    if one.status:
        made["status"] = {"code": one.status, "message": encodable(one.message)}
    return made


def _attributes(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": encodable(name), "value": _value(value)} for name, value in found.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": encodable(str(value))}


def _id(text: str, digits: int) -> str:
    """An id that is never all zeros, which would be none."""
    return hashlib.sha256(f"gameday/{text}".encode("utf-8", "replace")).hexdigest()[:digits]
