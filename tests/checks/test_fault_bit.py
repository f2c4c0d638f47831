"""fault/bit: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    RECOVERY_S,
    Spoil,
    drop,
    good_run,
    plan,
    probe_at,
    proxy_at,
    tick,
    timeline,
)

from gameday.checks.case import Case
from gameday.checks.fault_bit import check
from gameday.model.event import Phase
from gameday.model.scenario import FaultSpec, ToxicSpec
from gameday.model.verdict import Finding, Outcome

Probe = Callable[[int], Mapping[str, Any]]
Proxy = Callable[[int], Mapping[str, Any] | None]


def toxic(kind: str, toxicity: float = 1.0, **attributes: int) -> FaultSpec:
    spec = ToxicSpec(type=kind, toxicity=toxicity, attributes=attributes)
    return FaultSpec(id="slow", target="payments", toxic=spec)


DOWN = FaultSpec(id="slow", target="payments", down=True)
SLOW = toxic("latency", latency=800)


def probes(during: Mapping[str, Any], every: int = 1) -> Probe:
    """Like this while the fault is in, each *every*-th probe; as usual otherwise."""

    def probe(second: int) -> Mapping[str, Any]:
        usual = {
            "ok": True, "ms": 11.5, "sent_bytes": 200, "error": None, "kind": "http:/health",
        }  # fmt: skip
        hit = FAULT_S <= second < RECOVERY_S and second % every == 0
        return {**usual, **during} if hit else usual

    return probe


def broken(error: str, ms: float = 1.0) -> Mapping[str, Any]:
    return {"ok": False, "ms": ms, "error": error}


NEVER = {"ok": False, "ms": 1.0, "error": "refused", "sent_bytes": 200, "kind": "http:/health"}


def only_probes(second: int) -> Mapping[str, Any]:
    return proxy_at(second, per_s=200)


def small_but_many(second: int) -> Mapping[str, Any]:
    counts = {"from_clients_bytes": second * 50, "accepted": second * 4}
    return {"proxies": {"payments": counts}}


def no_counters(second: int) -> Mapping[str, Any]:
    return {"lag_p99_ms": 1.0}


def until_the_fault(second: int) -> Mapping[str, Any]:
    return proxy_at(min(second, FAULT_S - 1))


def counted_when_closed(second: int) -> Mapping[str, Any]:
    """The real server's way: bytes of a connection count when it is closed, at the edges."""
    moved = (second >= FAULT_S) * 400_000 + (second > RECOVERY_S) * 700_000
    counts = {"received_bytes": moved, "from_clients_bytes": moved}
    return {"proxies": {"payments": counts} if moved else {}}


def starts_again(second: int) -> Mapping[str, Any]:
    """The proxy was replaced for inject and revert: counters begin anew."""
    since = RECOVERY_S if second >= RECOVERY_S else FAULT_S if second >= FAULT_S else 0
    return proxy_at(second - since)


#: outcome, words, fault, probe, proxy
ROWS: dict[str, tuple[str, str, FaultSpec, Probe, Proxy]] = {
    "slow, and traffic": ("pass", "took 812 ms (before: 12 ms)", SLOW, probe_at, proxy_at),
    "a little slower than half is enough": (
        "pass", "420 ms", SLOW, probes({"ms": 420.0}), proxy_at,
    ),
    "not slow": (
        "inconclusive", "did not bite: our probe through `payments` took 12 ms", SLOW,
        probes({}), proxy_at,
    ),
    "no traffic but ours": (
        "inconclusive", "no traffic of the service went through the proxy", SLOW, probe_at,
        only_probes,
    ),
    "small, but connections of its own": (
        "pass", "connections went through", SLOW, probe_at, small_but_many,
    ),
    "neither is told by the traffic first": (
        "inconclusive", "no traffic", SLOW, probes({}), only_probes,
    ),
    "timed out is slower still": (
        "pass", "took no answer", SLOW, probes(broken("timeout", 2000.0)), proxy_at,
    ),
    "refused is not slow": (
        "inconclusive", "did not bite", SLOW, probes(broken("refused")), proxy_at,
    ),
    "a breaker keeps traffic away while the fault is in": (
        "pass", "during the run", SLOW, probe_at, until_the_fault,
    ),
    "counters that begin anew": ("pass", "during the fault", SLOW, probe_at, starts_again),
    "counters that count at the close": (
        "pass", "of traffic went through `payments`", SLOW, probe_at, counted_when_closed,
    ),
    "half of the connections": (
        "pass", "9 of 19 probes through `payments` were slow", toxic("latency", 0.5, latency=800),
        probes({"ms": 812.0}, every=2), proxy_at,
    ),
    "half meant, none seen": (
        "inconclusive", "did not bite", toxic("latency", 0.5, latency=800), probes({}), proxy_at,
    ),
    "too rare for so few probes": (
        "pass", "too few for its toxicity", toxic("latency", 0.05, latency=800), probes({}),
        proxy_at,
    ),
    "down": ("pass", "20 of 20 probes", DOWN, probes(broken("refused")), proxy_at),
    "down, and never answered before": (
        "inconclusive", "to compare with", DOWN, lambda _s: NEVER, proxy_at,
    ),
    "down, and still answered": ("inconclusive", "did not bite", DOWN, probes({}), proxy_at),
    "down is no slowness": (
        "inconclusive", "did not bite", DOWN, probes(broken("timeout", 400.0)), proxy_at,
    ),
    "black hole": (
        "pass", "broke (timeout)", toxic("timeout", timeout=0), probes(broken("timeout", 400.0)),
        proxy_at,
    ),
    "black hole that answers": (
        "inconclusive", "did not bite", toxic("timeout", timeout=0), probes({}), proxy_at,
    ),
    "reset": (
        "pass", "broke (reset)", toxic("reset_peer", timeout=0), probes(broken("reset")), proxy_at,
    ),
    "reset on a third": (
        "pass", "6 of 20", toxic("reset_peer", 0.33, timeout=0), probes(broken("reset"), every=3),
        proxy_at,
    ),
    "a kind that a probe cannot show": (
        "pass", "a probe cannot show it", toxic("bandwidth", rate=10), probes({}), proxy_at,
    ),
    "a kind that a probe cannot show, without traffic": (
        "inconclusive", "no traffic", toxic("bandwidth", rate=10), probes({}), only_probes,
    ),
    "a probe that only connects cannot see slowness": (
        "pass", "its probe only connects", SLOW, probes({"kind": "tcp"}), proxy_at,
    ),
    "a probe that only connects sees down": (
        "pass", "20 of 20", DOWN, probes({**broken("refused"), "kind": "tcp"}), proxy_at,
    ),
    "no counters, and the load felt it": (
        "pass", "the load felt the fault: p95 grew", SLOW, probe_at, no_counters,
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, fault, probe, proxy = row
    finding = judged(fault, probe, proxy)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary
    assert finding.validity


SPOILED: dict[str, tuple[str, tuple[Spoil, ...]]] = {
    "no probe": ("no probe went through", (drop("probe.sample"),)),
    "the fault was never in": ("never confirmed on", (drop("fault.inject", phase=Phase.OK),)),
}


@pytest.mark.parametrize(("words", "spoils"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_run(words: str, spoils: tuple[Spoil, ...]) -> None:
    finding = judged(SLOW, probe_at, proxy_at, *spoils)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert words in finding.summary


def test_without_counters_a_service_that_felt_nothing_leaves_the_path_unknown() -> None:
    journal = good_run(proxy=no_counters, ticks=lambda s: tick(s, []))

    (finding,) = check(Case(plan(), timeline(journal)))

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "counters cannot be read and the load felt nothing" in finding.summary


def test_the_size_of_a_probe_is_believed_where_it_is_told() -> None:
    """200 bytes a second each way are the probes' own, and the probes say so."""

    def told(second: int) -> Mapping[str, Any]:
        return {**probe_at(second), "bytes": 400}

    quiet = judged(SLOW, told, only_probes)
    busy = judged(SLOW, told, lambda s: proxy_at(s, per_s=300))

    assert (quiet.outcome, busy.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)


def judged(fault: FaultSpec, probe: Probe, proxy: Proxy, *spoils: Spoil) -> Finding:
    run = timeline(good_run(probe=probe, proxy=proxy), *spoils)
    (finding,) = check(Case(plan(faults=(fault,)), run))
    return finding
