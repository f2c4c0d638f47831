"""The small checks of validity: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    NO_SERVER,
    ORIGIN,
    PROMETHEUS,
    Journal,
    Spoil,
    alert,
    also,
    change,
    drop,
    ends,
    expectations,
    good_run,
    plan,
    proxy_at,
    timeline,
)

from gameday.checks import (
    clock_agree,
    fault_confirmed,
    proxy_healthy,
    run_alerts_quiet_before,
    run_baseline,
    run_undone,
    source_seen,
)
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.verdict import Outcome

PAGE = {"severity": "page"}


def noisy(first_s: int, last_s: int | None, name: str = "PaymentsSlow") -> Journal:
    journal = good_run(alerts=False)
    alert(journal, "alert.firing", first_s * 1000, name, PAGE)
    if last_s is not None:
        alert(journal, "alert.resolved", last_s * 1000, name, PAGE)
    return journal


def read_prometheus(offset_ms: float | None, interval: float = 1.0, **more: Any) -> Journal:
    journal = good_run()
    rules = [{"name": "PaymentsSlow", "interval": interval}]
    data = {"matrix": [], "rules": rules, "gaps": [], "until_wall_ms": ORIGIN + END_S * 1000}
    offset = {} if offset_ms is None else {"offset_ms": offset_ms}
    journal.act(END_S * 1000 + 110, "alert.read", "prometheus", **{**data, **offset, **more})
    return journal


def laggy(every: int, lag_ms: float, p50_ms: float = 9.0) -> Journal:
    high = {"lag_p99_ms": lag_ms, "lag_p50_ms": p50_ms}
    return good_run(proxy=lambda s: {**proxy_at(s), **(high if s % every == 0 else {})})


Row = tuple[Any, str, str, Journal, tuple[Spoil, ...], Any]
ROWS: dict[str, Row] = {
    "baseline held": (run_baseline, "pass", "held", good_run(), (), NO_SERVER),
    "baseline did not hold": (
        run_baseline, "inconclusive", "did not hold: p95 was 900 ms", good_run(),
        (ends("check.baseline", Phase.FAILED, reason="p95 was 900 ms"),), NO_SERVER,
    ),
    "baseline was never checked": (
        run_baseline, "inconclusive", "never checked", good_run(), (drop("check.baseline"),),
        NO_SERVER,
    ),
    "the check of the baseline never came back": (
        run_baseline, "inconclusive", "could not be checked", good_run(),
        (ends("check.baseline", Phase.UNKNOWN),), NO_SERVER,
    ),
    "only the start of the check is there": (
        run_baseline, "inconclusive", "never checked", good_run(),
        (drop("check.baseline", phase=Phase.OK),), NO_SERVER,
    ),
    "quiet before": (run_alerts_quiet_before, "pass", "no expected", good_run(), (), NO_SERVER),
    "firing before": (
        run_alerts_quiet_before, "inconclusive", "PaymentsSlow was firing", noisy(9, None), (),
        NO_SERVER,
    ),
    "fired before and resolved": (
        run_alerts_quiet_before, "pass", "no expected", noisy(5, 9), (), NO_SERVER,
    ),
    "another alert fires before": (
        run_alerts_quiet_before, "pass", "no expected", noisy(5, None, "Disk"), (), NO_SERVER,
    ),
    "whether it fired before is not known": (
        run_alerts_quiet_before, "inconclusive", "never read", good_run(), (drop("alert.read"),),
        NO_SERVER,
    ),
    "no fault, no before": (
        run_alerts_quiet_before, "inconclusive", "no fault", good_run(), (drop("fault.inject"),),
        NO_SERVER,
    ),
    "fault on and off": (fault_confirmed, "pass", "gone 20 s later", good_run(), (), NO_SERVER),
    "fault never injected": (
        fault_confirmed, "inconclusive", "never injected", good_run(), (drop("fault.inject"),),
        NO_SERVER,
    ),
    "inject failed": (
        fault_confirmed, "inconclusive", "never confirmed on: refused", good_run(),
        (ends("fault.inject", Phase.FAILED, error="refused"),), NO_SERVER,
    ),
    "inject unknown": (
        fault_confirmed, "inconclusive", "never confirmed on", good_run(),
        (ends("fault.inject", Phase.UNKNOWN, given_up=True),), NO_SERVER,
    ),
    "revert without a read-back": (
        fault_confirmed, "inconclusive", "never confirmed off", good_run(),
        (change("fault.revert", phase=Phase.OK, read_back=False),), NO_SERVER,
    ),
    "revert unknown": (
        fault_confirmed, "inconclusive", "never confirmed off: timed out", good_run(),
        (ends("fault.revert", Phase.UNKNOWN, error="timed out"),), NO_SERVER,
    ),
    "proxy kept up": (proxy_healthy, "pass", "kept up", good_run(), (), NO_SERVER),
    "a hiccup of the machine stands in many reports": (
        proxy_healthy, "pass", "kept up", laggy(1, 80.0, p50_ms=0.4), (), NO_SERVER,
    ),
    "proxy overloaded": (
        proxy_healthy, "inconclusive", "overloaded in 15 of 30", laggy(2, 80), (), NO_SERVER,
    ),
    "proxy hiccuped": (proxy_healthy, "pass", "up to 80 ms", laggy(20, 80), (), NO_SERVER),
    "proxy said nothing": (
        proxy_healthy, "inconclusive", "reported nothing", good_run(), (drop("proxy.health"),),
        NO_SERVER,
    ),
    "an embedded server that somebody else started is asked too": (
        proxy_healthy, "inconclusive", "overloaded", laggy(2, 80),
        (change("run.parts", toxiproxy={"kind": "given"}),), NO_SERVER,
    ),
    "a real server has no such report": (
        proxy_healthy, "skip", "the proxy (started) tells nothing", good_run(),
        (change("run.parts", toxiproxy={"kind": "started"}), drop("proxy.health")), NO_SERVER,
    ),
    "source seen": (source_seen, "pass", "without a gap", good_run(), (), NO_SERVER),
    "source never read": (
        source_seen, "inconclusive", "never read", good_run(), (drop("alert.read"),), NO_SERVER,
    ),
    "source stopped in the middle": (
        source_seen, "inconclusive", "could not be read: refused", good_run(),
        (ends("alert.read", Phase.FAILED, error="refused"),), NO_SERVER,
    ),
    "source with a gap while the fault was in": (
        source_seen, "inconclusive", "from 20.0 s to 30.0 s",
        good_run(read={"gaps": [[ORIGIN + 20_000, ORIGIN + 30_000]]}), (), NO_SERVER,
    ),
    "source with a gap in recovery": (
        source_seen, "inconclusive", "from 40.0 s to 41.0 s",
        good_run(read={"gaps": [[ORIGIN + 40_000, ORIGIN + 41_000]]}), (), NO_SERVER,
    ),
    "source with a gap before the fault": (
        source_seen, "pass", "without a gap",
        good_run(read={"gaps": [[ORIGIN + 2_000, ORIGIN + 5_000]]}), (), NO_SERVER,
    ),
    "source that was down while it mattered": (
        source_seen, "inconclusive", "could not be read from 20.0 s to 25.0 s", good_run(),
        (
            also(
                (20_000, "alert.source.down", "builtin", {"error": "gone"}),
                (25_000, "alert.source.up", "builtin", {}),
            ),
        ),
        NO_SERVER,
    ),
    "source that never came back": (
        source_seen, "inconclusive", "could not be read from 20.0 s", good_run(),
        (also((20_000, "alert.source.down", "builtin", {"error": "gone"})),), NO_SERVER,
    ),
    "source that was not seen to the end": (
        source_seen, "inconclusive", "`builtin` was not seen to the end",
        good_run(read={"gaps": [], "until_wall_ms": ORIGIN + END_S * 1000 - 1}), (), NO_SERVER,
    ),
    "source that was seen to the very end": (
        source_seen, "pass", "without a gap",
        good_run(read={"gaps": [], "until_wall_ms": ORIGIN + END_S * 1000 + 2}), (), NO_SERVER,
    ),
    "no clock to compare": (clock_agree, "skip", "no alert source", good_run(), (), NO_SERVER),
    "clocks agree": (clock_agree, "pass", "ahead of ours", read_prometheus(40), (), PROMETHEUS),
    "clocks agree to an interval": (
        clock_agree, "pass", "4 s behind ours, allowed 5 s", read_prometheus(-4_000, 5.0), (),
        PROMETHEUS,
    ),
    "clock ahead": (
        clock_agree, "inconclusive", "2 s ahead of ours, allowed 1 s", read_prometheus(2_000), (),
        PROMETHEUS,
    ),
    "clock never measured": (
        clock_agree, "inconclusive", "never measured", read_prometheus(None), (), PROMETHEUS,
    ),
    "the worst measurement counts": (
        clock_agree, "inconclusive", "9 s behind", read_prometheus(0),
        (also((500, "clock.offset", "prometheus", {"offset_ms": -9_000, "error_ms": 3})),),
        PROMETHEUS,
    ),
    "undone": (run_undone, "pass", "every target is closed", good_run(), (), NO_SERVER),
    "a fault left in": (
        run_undone, "fail", "could not be shown to be gone: `slow`", good_run(),
        (drop("fault.revert"),), NO_SERVER,
    ),
    "a proxy left open": (
        run_undone, "fail", "`payments`", good_run(), (drop("target.close"),), NO_SERVER,
    ),
    "called dirty by the runner": (
        run_undone, "fail", "`cache`", good_run(), (change("run.closed", dirty=["cache"]),),
        NO_SERVER,
    ),
    "an inject that failed is owed a revert too": (
        run_undone, "fail", "`slow`", good_run(),
        (ends("fault.inject", Phase.FAILED, error="x"), drop("fault.revert")), NO_SERVER,
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Row) -> None:
    check, outcome, words, journal, spoils, alerting = row

    (finding,) = check.check(Case(plan(alerting=alerting), timeline(journal, *spoils)))

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary
    assert finding.validity


@pytest.mark.parametrize("check", [run_alerts_quiet_before, source_seen, clock_agree])
def test_a_scenario_that_asks_nothing_about_alerts_needs_no_source(check: Any) -> None:
    setup = plan(expect=expectations(alerts=(), quiet=()), alerting=PROMETHEUS)

    (finding,) = check.check(Case(setup, timeline(good_run(), drop("alert.read"))))

    assert finding.outcome is Outcome.SKIP


def test_recovery_afterwards_clears_what_was_dirty() -> None:
    """`gameday recover` appends to the journal; judging again sees that the fault is gone."""
    events = list(timeline(good_run(), drop("fault.revert"), change("run.closed", dirty=["slow"])))
    last = events[-1].seq
    recovered = good_run().events()
    revert = [e for e in recovered if e.kind == "fault.revert"]
    from dataclasses import replace

    started = replace(revert[0], seq=last + 1, at_ms=90_000)
    ended = replace(revert[1], seq=last + 2, cause=last + 1, at_ms=90_050)
    whole = timeline(good_run(), lambda _: [*events, started, ended])

    (finding,) = run_undone.check(Case(plan(), whole))

    assert finding.outcome is Outcome.PASS, finding


def test_the_fault_is_late_on_purpose_in_these_tables() -> None:
    assert FAULT_S > 9


Check = Callable[[Case], Any]
