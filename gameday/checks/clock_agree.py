"""clock/agree: the clocks of the alert sources agree with ours, to one evaluation interval.

Times are corrected by the measured offset; but a clock that is far off is a clock that may jump,
and rules with time windows evaluate in another time than the load ran in.

Documented in docs/checks/clock-agree.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.seen import rules_of, source_names
from gameday.model.event import Event, Phase
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "clock/agree"
#: Where no rule tells the evaluation interval. No source tells the time better than this.
INTERVAL_MS = 1_000.0


def check(case: Case) -> Iterator[Finding]:
    """One finding a source with a clock of its own; SKIP when there is none."""
    expect = case.plan.scenario.expect
    foreign = [source for source in source_names(case.plan) if source != "builtin"]
    if not foreign or not (expect.alerts or expect.quiet):
        yield _found("runner", Outcome.SKIP, "no alert source with a clock of its own is asked")
        return
    for source in foreign:
        yield _judge(case, source)


def _judge(case: Case, source: str) -> Finding:
    offset = _offset(case, source)
    if offset is None:
        summary = f"how far the clock of `{source}` is off was never measured"
        return _found(source, Outcome.INCONCLUSIVE, summary)
    off_ms, event = offset
    names = {expected.alert for expected in case.alerts}
    intervals = [
        float(rule["interval"]) * 1000
        for rule in rules_of(case.timeline, "prometheus")
        if rule.get("interval") and (not names or rule.get("name") in names)
    ]
    limit_ms = max(INTERVAL_MS, min(intervals, default=INTERVAL_MS))
    said = f"the clock of `{source}` is {format_ms(abs(off_ms))} "
    said += "ahead of ours" if off_ms >= 0 else "behind ours"
    said += f", allowed {format_ms(limit_ms)}"
    outcome = Outcome.PASS if abs(off_ms) <= limit_ms else Outcome.INCONCLUSIVE
    return _found(source, outcome, said, event.seq, offset_ms=off_ms, limit_ms=limit_ms)


def _offset(case: Case, source: str) -> tuple[float, Event] | None:
    """The largest offset that was measured during the run."""
    events = [*case.timeline.of("clock.offset", source)]
    read = case.timeline.last("alert.read", source, phase=Phase.OK)
    if read is not None:
        events.append(read)
    found = [(float(e.data["offset_ms"]), e) for e in events if e.data.get("offset_ms") is not None]
    return max(found, key=lambda pair: abs(pair[0]), default=None)


def _found(source: str, outcome: Outcome, summary: str, *evidence: int, **facts: float) -> Finding:
    return Finding(
        check=NAME,
        subject=source,
        outcome=outcome,
        summary=summary,
        expectation=f"{source}: clocks agree",
        evidence=evidence,
        validity=True,
        facts=facts,
    )
