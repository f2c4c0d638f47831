"""A run as a trace: its spans, read by the definitions of OpenTelemetry itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    ORIGIN,
    RECOVERY_S,
    Spoil,
    change,
    cut,
    drop,
    good_run,
    plan,
    timeline,
)

from gameday.checks import judge
from gameday.model.event import Event, Phase, Timeline
from gameday.report.build import build
from gameday.report.otlp import render


def run_with(*spoils: Spoil) -> Timeline:
    return timeline(good_run(), *spoils)


def rendered(found: Timeline) -> str:
    report = build(plan(), found, judge(plan(), found))
    return render(plan(), found, report.verdict)


def spans(text: str) -> dict[str, dict[str, Any]]:
    (resource,) = json.loads(text)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    assert len({span["spanId"] for span in scope["spans"]}) == len(scope["spans"])
    return {span["name"]: span for span in scope["spans"]}


def values(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def ms(span: dict[str, Any]) -> tuple[int, int]:
    """Start and end in run time."""
    start, end = (int(span[key]) for key in ("startTimeUnixNano", "endTimeUnixNano"))
    return start // 1_000_000 - ORIGIN, end // 1_000_000 - ORIGIN


STEP = {"arm": "mitigate", "name": "shed load"}


def with_step(**end: Any) -> Spoil:
    """With one step of a runbook that takes two seconds."""

    def spoil(events: list[Event]) -> list[Event]:
        path = "runbooks/payments-slow.md"
        start = Event(
            seq=9_000, at_ms=20_000, kind="runbook.step", subject=path, phase=Phase.STARTED,
            data=STEP,
        )  # fmt: skip
        done = Event(
            seq=9_001, at_ms=22_000, kind="runbook.step", subject=path, phase=Phase.OK, cause=9_000,
            data={**STEP, "phase": "mitigate", "ms": 2_000, **end},
        )  # fmt: skip
        return sorted([*events, start, done], key=lambda e: e.at_ms)

    return spoil


def test_a_run_has_its_phases_faults_alerts_and_steps_below_it() -> None:
    found = spans(rendered(run_with(with_step(passed=True))))
    root = found["run payments-slow"]

    assert set(found) == {
        "run payments-slow", "phase warmup", "phase baseline", "phase fault", "phase recovery",
        "fault slow", "alert PaymentsSlow", "runbook step shed load",
    }  # fmt: skip
    assert "parentSpanId" not in root
    others = [span for span in found.values() if span is not root]
    assert {span["parentSpanId"] for span in others} == {root["spanId"]}
    assert {span["traceId"] for span in found.values()} == {root["traceId"]}
    for span in found.values():
        assert ms(root)[0] <= ms(span)[0] <= ms(span)[1] <= ms(root)[1]
    assert ms(found["phase baseline"]) == (3_002, FAULT_S * 1000 + 2)
    assert ms(found["fault slow"]) == (FAULT_S * 1000 + 5, RECOVERY_S * 1000 + 40)
    assert [one["name"] for one in found["fault slow"]["events"]] == [
        "strength 0 confirmed on", "asked off", "confirmed off",
    ]  # fmt: skip
    assert ms(found["alert PaymentsSlow"])[0] == (FAULT_S + 2) * 1000
    alert = [one["name"] for one in found["alert PaymentsSlow"]["events"]]
    assert alert == ["firing", "delivered (firing)", "delivered (resolved)"]
    assert ms(found["runbook step shed load"]) == (20_000, 22_000)
    assert values(found["alert PaymentsSlow"])["gameday.alert.label.severity"] == "page"
    assert values(root)["gameday.run.id"] == "r1"
    assert values(root)["gameday.complete"] is True


def test_the_status_of_the_run_is_its_verdict() -> None:
    good = run_with()
    verdict = judge(plan(), good)
    root = spans(rendered(good))["run payments-slow"]

    assert values(root)["gameday.exit_code"] == str(int(verdict.exit_code)) == "0"
    assert root["status"]["code"] == 1
    dirty = run_with(
        drop("fault.revert", phase=Phase.OK), change("run.closed", dirty=["slow"], status="errored")
    )
    found = spans(rendered(dirty))
    assert found["run payments-slow"]["status"]["code"] == 2
    assert found["fault slow"]["status"] == {"code": 2, "message": "not confirmed off"}
    assert values(found["fault slow"])["gameday.fault.confirmed_off"] is False


def test_a_record_that_was_cut_is_told_as_far_as_it_goes() -> None:
    found = spans(rendered(run_with(cut((FAULT_S + 8) * 1000))))

    assert values(found["run payments-slow"])["gameday.complete"] is False
    assert "phase recovery" not in found
    assert ms(found["phase fault"])[1] == ms(found["fault slow"])[1]
    assert "confirmed off" not in [one["name"] for one in found["fault slow"]["events"]]


def test_a_step_that_failed_is_an_error_and_one_left_out_is_no_span() -> None:
    failed = spans(rendered(run_with(with_step(passed=False, why="exit code 1"))))
    skipped = spans(rendered(run_with(with_step(skipped="not asked for"))))

    assert failed["runbook step shed load"]["status"] == {"code": 2, "message": "exit code 1"}
    assert "runbook step shed load" not in skipped


def test_it_is_the_same_bytes_each_time_and_other_ids_for_another_run() -> None:
    other = Timeline(
        [
            Event(
                seq=e.seq, at_ms=e.at_ms, kind=e.kind, phase=e.phase, cause=e.cause, data=e.data,
                subject="r2" if e.kind in ("run.opened", "run.closed") else e.subject,
            )
            for e in run_with()
        ]
    )  # fmt: skip

    assert rendered(run_with()) == rendered(run_with())
    mine, theirs = spans(rendered(run_with())), spans(rendered(other))
    assert not {s["spanId"] for s in mine.values()} & {s["spanId"] for s in theirs.values()}
    assert mine["fault slow"]["traceId"] != theirs["fault slow"]["traceId"]


def text_of(message: Any) -> Iterator[tuple[str, Any]]:
    for one in message.attributes:
        yield one.key, getattr(one.value, one.value.WhichOneof("value"))


def test_the_definitions_of_opentelemetry_read_all_of_it() -> None:
    pytest.importorskip("opentelemetry.proto", reason="extra `test`: NOT read by its definitions")
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

    text = rendered(run_with(with_step(passed=False, why="exit code 1")))
    # ids are hex in the JSON of OTLP, and base64 in that of protobuf: the only difference
    as_protobuf = re.sub(
        r'"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"',
        lambda m: f'"{m[1]}":"{_base64(m[2])}"',
        text,
    )
    request = json_format.Parse(as_protobuf, ExportTraceServiceRequest())

    (resource,) = request.resource_spans
    assert dict(text_of(resource.resource))["service.name"] == "gameday"
    found = {span.name: span for span in resource.scope_spans[0].spans}
    assert {len(span.trace_id) for span in found.values()} == {16}
    assert {len(span.span_id) for span in found.values()} == {8}
    assert {span.kind for span in found.values()} == {Span.SPAN_KIND_INTERNAL}
    root, step = found["run payments-slow"], found["runbook step shed load"]
    assert root.status.code == Status.STATUS_CODE_OK
    assert step.status.code == Status.STATUS_CODE_ERROR
    assert dict(text_of(root))["gameday.exit_code"] == 0
    assert dict(text_of(step))["gameday.runbook.passed"] is False
    assert step.end_time_unix_nano - step.start_time_unix_nano == 2_000_000_000


def _base64(hexed: str) -> str:
    import base64

    return base64.b64encode(bytes.fromhex(hexed)).decode()
