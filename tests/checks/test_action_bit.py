"""fault/bit and fault/confirmed for faults that are no toxics, and for faults with stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import FAULT_S, RECOVERY_S, good_run, plan, proxy_at, tick, timeline

from gameday.checks import fault_confirmed
from gameday.checks.case import Case
from gameday.checks.fault_bit import check
from gameday.model.event import Event, Phase
from gameday.model.project import Target
from gameday.model.scenario import ActionSpec, FaultSpec, Stage, ToxicSpec
from gameday.model.verdict import Finding, Outcome

SEEN = {"traffic_bytes": 1_000}


def action(family: str, kind: str, **options: Any) -> FaultSpec:
    spec = ActionSpec(family=family, type=kind, options=options)
    return FaultSpec(id="slow", target="payments", action=spec)


PAUSE = action("container", "pause")
KILL = action("process", "kill")
CPU = action("container", "cpu", cpus=0.1)
FLAG = action("command", "command")


def probes(error: str | None, *, kind: str = "http:/health", silent: str = "") -> Any:
    """A probe every second; *silent* says in which part of the run there was no good one."""

    def probe(second: int) -> Mapping[str, Any]:
        during = FAULT_S <= second < RECOVERY_S
        if silent == "before" and not during:
            return {"ok": False, "ms": 1.0, "error": "refused", "kind": kind}
        if silent == "during" and during:  # each hangs until the fault is out again
            return {"ok": False, "ms": 30_000.0, "error": "timeout", "kind": kind}
        usual = {"ok": True, "ms": 11.5, "sent_bytes": 200, "error": None, "kind": kind}
        if error is None or not FAULT_S <= second < RECOVERY_S:
            return usual
        return {**usual, "ok": False, "error": error}

    return probe


def felt(second: int) -> Any:
    return tick(second)


def absorbed(second: int) -> Any:
    return tick(second, [])


def judged(
    spec: FaultSpec,
    *,
    error: str | None = None,
    kind: str = "http:/health",
    seen: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    ticks: Any = absorbed,
    proxy: Any = None,
    silent: str = "",
    address: bool = True,
) -> Finding:
    """One run of a fault: what was seen before it, and what its inject told."""

    def with_facts(events: list[Event]) -> list[Event]:
        return [
            replace(e, data={**e.data, **(facts or {})})
            if e.kind == "fault.inject" and e.phase is Phase.OK
            else e
            for e in events
        ]

    journal = good_run(
        probe=probes(error, kind=kind, silent=silent),
        ticks=ticks,
        proxy=proxy or (lambda _s: None),
    )
    journal.act(-25, "fault.prepare", "slow", took_ms=1, undo={"facts": dict(seen or {})})
    made = plan(faults=(spec,))
    if not address:
        targets = {**made.environment.targets, "payments": Target(name="payments")}
        made = replace(made, environment=replace(made.environment, targets=targets))
    (finding,) = check(Case(made, timeline(journal, with_facts)))
    return finding


MUCH = {"traffic_bytes": 900_000}
LITTLE = {"traffic_bytes": 1_500}
#: outcome, words, fault, what differs from a run that shows nothing
ROWS: dict[str, tuple[str, str, FaultSpec, dict[str, Any]]] = {
    "frozen, and used": (
        "pass", "20 of 20 probes", PAUSE, {"error": "timeout", "seen": SEEN, "facts": MUCH},
    ),
    "read back as frozen, but our probe is answered": (
        "inconclusive", "did not bite", PAUSE, {"seen": SEEN, "facts": MUCH},
    ),
    "frozen, and nobody used it": (
        "inconclusive", "no traffic of the service", PAUSE,
        {"error": "timeout", "seen": SEEN, "facts": LITTLE},
    ),
    "frozen, a probe that only connects": (
        "pass", "was read back as in place", PAUSE,
        {"kind": "tcp", "seen": SEEN, "facts": MUCH},
    ),
    "frozen, and no probe ended during the fault": (
        "inconclusive", "no probe went through", PAUSE,
        {"silent": "during", "seen": SEEN, "facts": MUCH},
    ),
    "frozen, and our probe was never answered": (
        "inconclusive", "to compare with", PAUSE,
        {"error": "timeout", "silent": "before", "seen": SEEN, "facts": MUCH},
    ),
    "frozen, a probe that only connects was never answered": (
        "inconclusive", "to compare with", PAUSE,
        {"kind": "tcp", "silent": "before", "seen": SEEN, "facts": MUCH},
    ),
    "frozen, and there is no address to look at": (
        "pass", "was read back as in place", PAUSE,
        {"address": False, "seen": SEEN, "facts": MUCH},
    ),
    "a limit that no probe can show": (
        "pass", "was read back as in place", CPU, {"seen": SEEN, "facts": MUCH},
    ),
    "killed, with connections": (
        "pass", "40 connections", KILL, {"error": "refused", "facts": {"connections": 53}},
    ),
    "killed, with no connections but ours": (
        "inconclusive", "is not known", KILL, {"error": "refused", "facts": {"connections": 3}},
    ),
    "nothing counts, and the load felt it": (
        "pass", "the load felt the fault", KILL, {"error": "refused", "ticks": felt},
    ),
    "nothing counts, and the load felt nothing": (
        "inconclusive", "give the fault an `effect` call", FLAG, {},
    ),
    "the user's own call shows the effect": ("pass", "shows it", FLAG, {"facts": {"effect": True}}),
    "the user's own call shows none": (
        "inconclusive", "does not show it", FLAG, {"facts": {"effect": False}, "ticks": felt},
    ),
    "a proxy of the target carries the service": (
        "pass", "of traffic went through", FLAG, {"proxy": proxy_at},
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, spec, more = row
    finding = judged(spec, **more)
    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_a_fault_that_only_some_packets_feel_need_not_touch_our_probe() -> None:
    spec = action("container", "drop", port=5432)
    finding = judged(spec, seen=SEEN, facts=MUCH)
    assert finding.outcome is Outcome.PASS


# --- stages

STAGED = FaultSpec(
    id="slow",
    target="payments",
    toxic=ToxicSpec(type="latency", attributes={"latency": 100}),
    stages=(
        Stage(toxic=ToxicSpec(type="latency", attributes={"latency": 800}), after_ms=5_000),
        Stage(toxic=ToxicSpec(type="latency", attributes={"latency": 2_000}), gate="more"),
    ),
)


def confirmed(reached: int) -> Finding:
    journal = good_run()
    for number in range(1, reached):
        journal.act(
            (FAULT_S + 5 * number) * 1000, "fault.inject", "slow", stage=number,
            begin={"stage": number},
        )  # fmt: skip
    (finding,) = fault_confirmed.check(Case(plan(faults=(STAGED,)), timeline(journal)))
    return finding


def test_a_fault_that_reached_its_last_strength_is_confirmed() -> None:
    assert confirmed(3).outcome is Outcome.PASS


@pytest.mark.parametrize("reached", [1, 2])
def test_a_fault_that_did_not_grow_to_the_end_proves_nothing_of_the_end(reached: int) -> None:
    finding = confirmed(reached)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert f"reached strength {reached} of 3" in finding.summary


def test_a_fault_whose_place_was_gone_at_the_end_proves_nothing() -> None:
    def removed(events: list[Event]) -> list[Event]:
        return [
            replace(e, data={**e.data, "gone": True})
            if e.kind == "fault.revert" and e.phase is Phase.OK
            else e
            for e in events
        ]

    (finding,) = fault_confirmed.check(Case(plan(faults=(PAUSE,)), timeline(good_run(), removed)))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "more happened" in finding.summary


# --- HTTP faults: the embedded proxy counts what it hit

ERRORS = FaultSpec(
    id="slow",
    target="payments",
    toxic=ToxicSpec(type="http_status", attributes={"status": 503, "share": 0.2}),
)
HTTP_ROWS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "hit": ("pass", "hit 40 of 200 requests", {"matched": 200, "hit": 40, "not_http": 0}),
    "meant, and never hit": (
        "inconclusive", "none of 9 requests", {"matched": 9, "hit": 0, "not_http": 0},
    ),
    "not even meant": (
        "inconclusive", "no request that it means", {"matched": 0, "hit": 0, "not_http": 0},
    ),
    "TLS": ("inconclusive", "7 connections were no plain", {"matched": 0, "hit": 0, "not_http": 7}),
    "a server that counts nothing": ("inconclusive", "told nothing", None),
}  # fmt: skip


@pytest.mark.parametrize("row", HTTP_ROWS.values(), ids=HTTP_ROWS)
def test_requests_that_were_hit(row: Any) -> None:
    outcome, words, counts = row

    def proxy(second: int) -> Mapping[str, Any]:
        health = proxy_at(second)
        if counts is None or not FAULT_S <= second < RECOVERY_S:
            return health
        one = {"matched": counts["matched"], "hit": counts["hit"]}
        faults = {"gameday-r1-slow": one, "gameday-r1-other": {"matched": 5, "hit": 5}}
        http = {"requests": 9, "not_http": counts["not_http"], "faults": faults}
        payments = {**health["proxies"]["payments"], "http": http}
        return {**health, "proxies": {"payments": payments}}

    (finding,) = check(Case(plan(faults=(ERRORS,)), timeline(good_run(proxy=proxy))))
    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_a_slow_connect_is_seen_by_a_probe_that_connects_each_time() -> None:
    toxic = ToxicSpec(type="slow_connect", attributes={"delay": 800})
    spec = FaultSpec(id="slow", target="payments", toxic=toxic)
    (seen,) = check(Case(plan(faults=(spec,)), timeline(good_run())))
    assert seen.outcome is Outcome.PASS
    unseen = good_run(probe=probes(None))
    (finding,) = check(Case(plan(faults=(spec,)), timeline(unseen)))
    assert finding.outcome is Outcome.INCONCLUSIVE
