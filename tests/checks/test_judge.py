"""judge: the worst of all answers, and never green without having seen everything."""

from __future__ import annotations

from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    RECOVERY_S,
    Spoil,
    alert,
    also,
    cell,
    change,
    cut,
    drop,
    ends,
    good_run,
    plan,
    proxy_at,
    tick,
    timeline,
)

from gameday.checks import CHECKS, judge
from gameday.model.event import Phase, Timeline
from gameday.model.verdict import ExitCode, Outcome, RunStatus, Verdict
from gameday.model.window import Tick

PAGE = {"severity": "page"}


def test_a_service_that_absorbs_the_fault_passes() -> None:
    verdict = judge(plan(), timeline(good_run()))

    assert verdict.outcome is Outcome.PASS, verdict
    assert verdict.status is RunStatus.COMPLETED
    assert verdict.exit_code is ExitCode.PASS
    assert verdict.reason == "all 10 expectations held"


def naive(second: int) -> Tick:
    """A shop without a timeout of its own: checkouts wait for payments, some fail."""
    if FAULT_S < second < RECOVERY_S:
        return tick(second, [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 1620)])
    return tick(second)


def test_a_service_that_does_not_fails_and_the_reason_names_what_broke() -> None:
    verdict = judge(plan(), timeline(good_run(ticks=naive)))

    assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, ExitCode.FAIL)
    assert verdict.reason == "checkout p95 was 1.62 s in the fault phase, allowed < 1 s"


def firing_before() -> Any:
    journal = good_run(alerts=False)
    alert(journal, "alert.firing", 9_000, "PaymentsSlow", PAGE)
    return journal


#: exit code, status, words of the reason, journal, spoils
RUNS: dict[str, tuple[int, str, str, Any, tuple[Spoil, ...]]] = {
    "the proxy carries no traffic": (
        3, "invalid", "no traffic of the service",
        good_run(proxy=lambda s: proxy_at(s, per_s=9)), (),
    ),
    "the alert fires in the baseline already": (
        3, "invalid", "PaymentsSlow was firing already before the fault", firing_before(), (),
    ),
    "the alert source is stopped in the middle": (
        3, "invalid", "could not be read: refused", good_run(alerts=False),
        (ends("alert.read", Phase.FAILED, error="refused"),),
    ),
    "the load cannot be delivered": (
        3, "invalid", "the load could not be delivered",
        good_run(ticks=lambda s: tick(s, asked=s * 100, started=s * 40)), (),
    ),
    "a stop condition tripped": (
        4, "stopped", "stopped by `errors > 50% for 10s`: errors were 83 %", good_run(),
        (
            also((25_000, "stop.tripped", "errors > 50% for 10s",
                  {"reason": "errors were 83 %", "status": "stopped"})),
            change("run.closed", status="stopped"),
        ),
    ),
    "the operator stopped it": (
        130, "interrupted", "interrupted by the operator", good_run(),
        (
            also((25_000, "stop.tripped", "operator", {"status": "interrupted", "reason": "^C"})),
            change("run.closed", status="interrupted"),
        ),
    ),
    "the baseline did not hold": (
        3, "invalid", "stopped as invalid: p95 was 900 ms", good_run(),
        (
            also((13_000, "stop.tripped", "baseline",
                  {"reason": "p95 was 900 ms", "status": "invalid"})),
            change("run.closed", status="invalid"),
            ends("check.baseline", Phase.FAILED, reason="p95 was 900 ms"),
        ),
    ),
    "our own error": (
        70, "errored", "gameday itself failed: KeyError", good_run(),
        (also((25_000, "run.error", "loop", {"error": "KeyError", "traceback": ""})),),
    ),
    "a fault was left in": (
        5, "invalid", "`slow` could not be shown to be gone", good_run(), (drop("fault.revert"),),
    ),
    "left in overrides a stop": (
        5, "stopped", "`slow` could not be shown", good_run(),
        (
            drop("fault.revert"),
            also((25_000, "stop.tripped", "x", {"reason": "y", "status": "stopped"})),
        ),
    ),
    "the journal ends in the middle": (
        3, "incomplete", "the journal ends in the middle", good_run(), (drop("run.closed"),),
    ),
    "a status nobody knows": (
        3, "incomplete", "journal ends", good_run(), (change("run.closed", status="fine"),),
    ),
    "nothing at all": (3, "incomplete", "journal ends", good_run(), (cut(-9_999),)),
}  # fmt: skip


@pytest.mark.parametrize("row", RUNS.values(), ids=RUNS)
def test_exit_code_and_reason(row: Any) -> None:
    code, status, words, journal, spoils = row

    verdict = judge(plan(), timeline(journal, *spoils))

    assert verdict.exit_code == code, verdict
    assert verdict.status is RunStatus(status)
    assert words in verdict.reason
    assert verdict.outcome is not Outcome.PASS


def test_what_failed_in_a_run_that_proves_nothing_is_not_a_failure() -> None:
    run = timeline(good_run(ticks=naive), ends("alert.read", Phase.FAILED, error="refused"))

    verdict = judge(plan(), run)

    assert any(f.outcome is Outcome.FAIL for f in verdict.findings)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_check_that_crashes_is_our_bug_and_hides_no_other() -> None:
    def crash(_: object) -> list[Any]:
        raise KeyError("boom")

    verdict = judge(plan(), timeline(good_run()), {**CHECKS, "slo/criterion": crash})

    found = [f for f in verdict.findings if f.check == "slo/criterion"]
    assert [f.outcome for f in found] == [Outcome.INCONCLUSIVE]
    assert "bug of ours" in found[0].summary
    assert verdict.exit_code is ExitCode.INTERNAL
    assert len(verdict.findings) > 15


def test_skips_alone_are_not_green() -> None:
    verdict = judge(plan(), timeline(good_run()), {})

    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_no_prefix_of_a_passing_journal_passes() -> None:
    """Cut at any line, the answer is never green, and a fault left in is always told."""
    events = good_run().events()
    injected = next(e.seq for e in events if e.kind == "fault.inject")
    reverted = next(e.seq for e in events if e.kind == "fault.revert" and e.cause is not None)
    told: list[Verdict] = []
    for length in prefixes(events):
        verdict = judge(plan(), Timeline(events[:length]))
        told.append(verdict)

        assert verdict.outcome is not Outcome.PASS, length
        assert verdict.exit_code is not ExitCode.PASS
        assert ("slow" in verdict.dirty) == (injected < length <= reverted), length
        assert not any("bug of ours" in f.summary for f in verdict.findings if length > 0), length

    assert len(told) > 60


def prefixes(events: list[Any]) -> list[int]:
    """Every length at which something other than a sample ends, and its neighbours."""
    samples = {"load.window", "probe.sample", "proxy.health"}
    lengths = {0, 1, len(events) - 1}
    for index, event in enumerate(events):
        if event.kind not in samples or index % 7 == 0:
            lengths |= {index, index + 1}
    return sorted(n for n in lengths if n < len(events))


@pytest.mark.parametrize("kind", sorted({e.kind for e in good_run().events()}))
def test_without_any_one_kind_of_event_it_is_not_better(kind: str) -> None:
    """Losing evidence never turns an answer greener, and never crashes a check."""
    harmless = {"load.stop", "load.start", "target.open", "run.parts", "alert.pending"}
    verdict = judge(plan(), timeline(good_run(), drop(kind)))

    if kind not in harmless and not kind.startswith("alert.re"):
        assert verdict.outcome is not Outcome.PASS, kind
    if kind != "run.opened":
        assert not any("bug of ours" in f.summary for f in verdict.findings), kind


def test_every_finding_carries_its_expectation_and_sits_under_the_name_of_its_check() -> None:
    verdict = judge(plan(), timeline(good_run()))

    assert all(f.expectation and f.summary for f in verdict.findings)
    assert {f.check for f in verdict.findings} <= set(CHECKS)
    assert END_S > RECOVERY_S
