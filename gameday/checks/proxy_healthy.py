"""proxy/healthy: the embedded proxy was not overloaded; its own delay is not the service's.

Asked of a proxy that reports its loop lag each second, as the embedded one does, whoever started
it. Overload is more than a tenth of the reports with a p99 above the slack (10 ms, or a tenth of
the tightest latency limit) *and* a median above a tenth of that: each report covers ten seconds, so
that one hiccup of the machine stands in ten of them, but a hiccup does not move the median.

Documented in docs/checks/proxy-healthy.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "proxy/healthy"
SHARE = 0.1
TYPICAL_SHARE = 0.1


def check(case: Case) -> Iterator[Finding]:
    """One finding a run; SKIP for a server that tells no loop lag, none without a server."""
    parts = case.timeline.last("run.parts")
    if parts is not None and parts.data.get("toxiproxy", {}) is None:
        return
    kind = str((parts.data.get("toxiproxy") or {}).get("kind", "")) if parts is not None else ""
    phases = [case.windows[p] for p in ("baseline", "fault") if p in case.windows]
    lags = [
        (event.seq, float(event.data["lag_p99_ms"]), float(event.data.get("lag_p50_ms") or 0))
        for event in case.timeline.of("proxy.health")
        if event.data.get("lag_p99_ms") is not None
        and any(window.start_ms <= event.at_ms < window.end_ms for window in phases)
    ]
    if not lags and kind not in ("", "embedded"):
        yield _found(Outcome.SKIP, f"the proxy ({kind}) tells nothing about its own delay")
        return
    if not lags:
        yield _found(Outcome.INCONCLUSIVE, "the embedded proxy reported nothing about its health")
        return
    high = [
        seq for seq, p99, p50 in lags if p99 > case.slack_ms and p50 > case.slack_ms * TYPICAL_SHARE
    ]
    worst_ms, typical_ms = max(p99 for _, p99, _ in lags), max(p50 for _, _, p50 in lags)
    said = (
        f"loop lag p99 up to {format_ms(worst_ms)} (median {format_ms(typical_ms)}), "
        f"allowed {format_ms(case.slack_ms)}"
    )
    facts = {
        "lag_p99_max_ms": worst_ms,
        "lag_p50_max_ms": typical_ms,
        "limit_ms": case.slack_ms,
        "n": len(lags),
    }
    if len(high) > max(1.0, SHARE * len(lags)):
        summary = f"the embedded proxy was overloaded in {len(high)} of {len(lags)} reports: {said}"
        yield _found(Outcome.INCONCLUSIVE, summary, tuple(high[:10]), facts)
        return
    yield _found(Outcome.PASS, f"the embedded proxy kept up: {said}", (), facts)


def _found(
    outcome: Outcome,
    summary: str,
    evidence: tuple[int, ...] = (),
    facts: dict[str, float] | None = None,
) -> Finding:
    return Finding(
        check=NAME,
        subject="toxiproxy",
        outcome=outcome,
        summary=summary,
        expectation="the proxy itself does not slow the service down",
        evidence=evidence,
        validity=True,
        facts=facts or {},
    )
