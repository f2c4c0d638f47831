"""The rules of an environment: each says no to what it should, and to nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.plan import Limits, Plan, Schedule, Step, Trigger, When
from gameday.model.policy import Approvals, BudgetSource, Freeze, Hours, Policy
from gameday.model.project import Environment, Service
from gameday.model.scenario import (
    ActionSpec,
    ControlSpec,
    Expectations,
    FaultSpec,
    LoadSpec,
    Phases,
    Scenario,
    Stage,
    ToxicSpec,
)
from gameday.policy import Approval, Asked, Refusal, in_force, refusals
from gameday.policy.spans import fault_spans_ms, most_at_once, planned_ms
from gameday.policy.times import within_hours

#: A Wednesday.
NOW = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HASH = "ab" * 32
LATE = FaultSpec(
    id="late", target="payments", toxic=ToxicSpec(type="latency", attributes={"latency": 800})
)
GONE = FaultSpec(id="gone", target="redis", down=True, start_ms=10_000, length_ms=20_000)
WEEK = tuple(range(7))
BERLIN = "Europe/Berlin"


def plan_of(
    policy: Policy,
    *faults: FaultSpec,
    kind: str = "local",
    name: str = "local",
    steps: Iterable[Step] = (),
) -> Plan:
    scenario = Scenario(
        id="slow",
        title="t",
        service="shop",
        owner="o",
        hypothesis="h",
        load=LoadSpec(target="shop", arrivals_per_s=1.0),
        phases=Phases(baseline_ms=27_000, fault_ms=60_000, recovery_ms=30_000),  # 2 min in all
        faults=faults or (LATE,),
        expect=Expectations(),
        stop_when=(),
    )
    return Plan(
        scenario=scenario,
        environment=Environment(name=name, kind=kind, policy=policy),
        builtin_alerts=(),
        service=Service(name="shop"),
        runbook_folders=(),
        runbook_hosts=(),
        directory="",
        seed=0,
        schedule=Schedule(steps=tuple(steps), limits=Limits(deadline_ms=400_000)),
    )


def asked(plan: Plan, *, now: datetime = NOW, **request: Any) -> tuple[Refusal, ...]:
    return refusals(plan, now=now, request=Asked(plan_sha256=HASH, **request))


def rules(policy: Policy, *faults: FaultSpec, now: datetime = NOW, **request: Any) -> list[str]:
    return [found.rule for found in asked(plan_of(policy, *faults), now=now, **request)]


def toxic(toxicity: float, **attributes: Any) -> FaultSpec:
    return replace(LATE, toxic=ToxicSpec(type="latency", toxicity=toxicity, attributes=attributes))


def container(type_: str, **options: Any) -> FaultSpec:
    return FaultSpec(
        id="c",
        target="payments",
        action=ActionSpec(family="container", type=type_, options=options),
    )


def test_an_empty_policy_allows_everything_here() -> None:
    assert rules(Policy(), LATE, GONE, container("kill")) == []


def test_a_naive_time_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="aware"):
        asked(plan_of(Policy()), now=datetime(2026, 3, 11, 10))  # noqa: DTZ001


ALL = ("shop", "payments", "redis")


@pytest.mark.parametrize(
    ("policy", "faults", "expected"),
    [
        (Policy(targets=ALL), (LATE, GONE), []),
        (Policy(targets=("shop", "payments")), (LATE, GONE), ["policy.targets"]),
        (Policy(targets=("payments", "redis")), (LATE, GONE), ["policy.targets"]),
        (Policy(targets=()), (LATE, GONE), ["policy.targets"] * 3),
        (Policy(faults=("latency", "down")), (LATE, GONE), []),
        (Policy(faults=("latency",)), (LATE, GONE), ["policy.faults"]),
        (Policy(faults=("container.*",)), (container("pause"), container("netem")), []),
        (Policy(faults=("container.*",)), (LATE,), ["policy.faults"]),
        (Policy(faults=("container.pause",)), (container("kill"),), ["policy.faults"]),
        (Policy(faults=("CONTAINER.*",)), (container("kill"),), ["policy.faults"]),
        (Policy(faults=()), (LATE,), ["policy.faults"]),
        (Policy(max_share=0.5), (toxic(0.5),), []),
        (Policy(max_share=0.5), (toxic(0.51),), ["policy.max_share"]),
        (Policy(max_share=0.5), (toxic(1.0, share=0.4),), []),
        (Policy(max_share=0.5), (toxic(1.0, share=0.6),), ["policy.max_share"]),
        (Policy(max_share=0.2), (toxic(0.5, share=0.4, latency=900),), []),
        (Policy(max_share=0.5), (GONE,), ["policy.max_share"]),
        (Policy(max_share=1.0), (GONE, LATE), []),
        (Policy(max_share=0.5), (container("netem", loss=0.6),), ["policy.max_share"]),
        (Policy(max_share=0.5), (container("netem", loss=0.4, delay=900),), []),
        (Policy(max_share=0.5), (container("pause"),), []),
        (Policy(max_duration_ms=60_000), (LATE, GONE), []),
        (Policy(max_duration_ms=59_999), (LATE, GONE), ["policy.max_duration"]),
        (Policy(max_duration_ms=19_999), (LATE, GONE), ["policy.max_duration"] * 2),
        (Policy(max_faults=2), (LATE, GONE), []),
        (Policy(max_faults=1), (LATE, GONE), ["policy.max_faults"]),
        (Policy(max_faults=0), (LATE,), ["policy.max_faults"]),
    ],
)  # fmt: skip
def test_limits(policy: Policy, faults: tuple[FaultSpec, ...], expected: list[str]) -> None:
    assert rules(policy, *faults) == expected


def test_a_stage_counts_as_the_fault_does() -> None:
    grown = replace(
        toxic(0.1),
        stages=(
            Stage(toxic=ToxicSpec(type="latency", toxicity=0.9), after_ms=1_000),
            Stage(action=ActionSpec(family="container", type="kill"), gate="worse"),
        ),
    )

    found = asked(plan_of(Policy(max_share=0.5, faults=("latency",)), grown))

    assert [f.rule for f in found] == ["policy.faults", "policy.max_share"]
    assert "`container.kill`" in found[0].text
    assert "90 %" in found[1].text


def test_a_refusal_names_its_rule_and_what_is_allowed() -> None:
    (found,) = asked(plan_of(Policy(max_duration_ms=30_000)))

    assert str(found) == (
        "policy.max_duration: the fault `late` is in for 1 min; at most 30 s is allowed"
    )


def test_all_refusals_come_at_once() -> None:
    policy = Policy(
        targets=(), faults=(), max_share=0.0, max_duration_ms=1, max_faults=0,
        hours=Hours(days=(), from_minute=0, to_minute=1),
        freeze=(Freeze(first="2026-01-01", last="2026-12-31"),),
        budget=BudgetSource(floor=0.5, file="x"),
        approvals=Approvals(needed=1), change_id=True, apart=True, go=True,
    )  # fmt: skip

    assert set(rules(policy)) == {
        f"policy.{rule}"
        for rule in (
            "targets", "faults", "max_share", "max_duration", "max_faults", "hours", "freeze",
            "budget", "approvals", "change_id", "apart", "go",
        )
    }  # fmt: skip


# Planned intervals


def revert(fault: str, *when: When) -> Step:
    return Step(id=f"r{fault}", verb="fault.revert", subject=fault, lane="x", when=when)


PHASE = Trigger(kind="run.phase", subject="fault")
ON = Trigger(kind="fault.inject", subject="late")
GATE = Trigger(kind="gate.opened", subject="mitigated")


@pytest.mark.parametrize(
    ("when", "end_ms"),
    [
        ((When(all_of=(PHASE,), delay_ms=60_000),), 60_000),
        ((When(all_of=(ON,), delay_ms=90_000), When(all_of=(GATE,))), 90_000),
        ((When(all_of=(GATE,)), When(all_of=(PHASE,), delay_ms=70_000)), 70_000),
        ((When(all_of=(GATE,)),), 400_000),  # nothing but the deadline of the run ends it
        ((When(all_of=(ON, GATE), delay_ms=5),), 400_000),
        ((When(all_of=(PHASE,), delay_ms=1_000),), 60_000),  # the scenario says longer
    ],
)
def test_a_fault_that_is_held_counts_to_its_latest_end(when: tuple[When, ...], end_ms: int) -> None:
    plan = plan_of(Policy(max_duration_ms=60_000), steps=[revert("late", *when)])

    assert fault_spans_ms(plan) == {"late": (0, end_ms)}
    assert planned_ms(plan) == 60_000 + end_ms
    assert bool(asked(plan)) is (end_ms > 60_000)


SPANS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda t: (t[0], t[0] + t[1])),
    max_size=6,
)


@given(SPANS)
def test_most_at_once_is_what_counting_every_moment_finds(
    spans: dict[str, tuple[int, int]],
) -> None:
    together = most_at_once(spans)

    counts = [
        sum(start <= at < end or start == at for start, end in spans.values()) for at in range(41)
    ]
    assert len(together) == max(counts)
    assert len(set(together)) == len(together)


def test_a_fault_that_ends_when_the_next_begins_is_not_in_with_it() -> None:
    assert len(most_at_once({"a": (0, 10), "b": (10, 20)})) == 1
    assert len(most_at_once({"a": (0, 11), "b": (10, 20)})) == 2


# Hours and freezes

OFFICE = Hours(days=(0, 1, 2, 3, 4), from_minute=9 * 60, to_minute=16 * 60, timezone=BERLIN)
NIGHT = Hours(days=(4,), from_minute=22 * 60, to_minute=2 * 60)


@pytest.mark.parametrize(
    ("hours", "now", "fine"),
    [
        (OFFICE, "2026-03-11T08:00:00+00:00", True),  # 09:00 in winter
        (OFFICE, "2026-03-11T07:59:59+00:00", False),
        (OFFICE, "2026-07-08T07:00:00+00:00", True),  # 09:00 in summer
        (OFFICE, "2026-03-11T14:58:00+00:00", True),  # ends at 16:00 exactly
        (OFFICE, "2026-03-11T14:58:00.001+00:00", False),  # would end a millisecond later
        (OFFICE, "2026-03-14T10:00:00+00:00", False),  # a Saturday
        (NIGHT, "2026-03-13T22:00:00+00:00", True),  # a Friday
        (NIGHT, "2026-03-13T23:59:00+00:00", True),  # over midnight
        (NIGHT, "2026-03-14T01:58:00+00:00", True),  # Saturday, of Friday's window
        (NIGHT, "2026-03-14T01:59:00+00:00", False),
        (NIGHT, "2026-03-13T01:00:00+00:00", False),  # Friday, of Thursday's
        (Hours(days=WEEK, from_minute=0, to_minute=1440), "2026-03-13T23:59:00+00:00", True),
        (Hours(days=WEEK, from_minute=60, to_minute=60), "2026-03-13T00:59:00+00:00", True),
        (Hours(days=(2,), from_minute=0, to_minute=1440), "2026-03-11T23:59:00+00:00", False),
        (Hours(days=(), from_minute=0, to_minute=1440), "2026-03-11T10:00:00+00:00", False),
        (replace(OFFICE, timezone="Mars/Olympus"), "2026-03-11T10:00:00+00:00", False),
        (replace(OFFICE, timezone="../etc"), "2026-03-11T10:00:00+00:00", False),
        (replace(OFFICE, timezone="Europe"), "2026-03-11T10:00:00+00:00", False),
    ],
)  # fmt: skip
def test_hours(hours: Hours, now: str, *, fine: bool) -> None:
    found = rules(Policy(hours=hours), now=datetime.fromisoformat(now))

    assert found == ([] if fine else ["policy.hours"])


def test_the_hours_are_shown_with_the_refusal() -> None:
    (found,) = asked(plan_of(Policy(hours=OFFICE)), now=datetime(2026, 3, 14, 10, tzinfo=UTC))

    assert "Sat 2026-03-14 11:00" in found.text
    assert found.hint == "allowed is Mon, Tue, Wed, Thu, Fri 09:00 to 16:00 (Europe/Berlin)"


def naive_within(hours: Hours, zone: ZoneInfo, start: datetime, end: datetime) -> bool:
    """The definition, second by second of a coarse grid: what the clock on the wall shows."""

    def fine(at: datetime) -> bool:
        local = at.astimezone(zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        a, b = hours.from_minute, hours.to_minute
        if a < b:
            return day in hours.days and a <= minute < b
        return (day in hours.days and minute >= a) or ((day - 1) % 7 in hours.days and minute < b)

    at = start
    while True:
        if not fine(at):
            return False
        at += timedelta(seconds=20)
        if at >= end:
            return True


@given(
    days=st.sets(st.integers(0, 6)).map(tuple),
    edges=st.tuples(st.integers(0, 1439), st.integers(0, 1440)),
    # around both changes of clocks in Berlin, and of New York and Lord Howe (half an hour)
    start=st.sampled_from(
        ["2026-03-28T22:00", "2026-10-24T22:00", "2026-03-08T04:00", "2026-04-04T12:00"]
    ),
    spans=st.tuples(st.integers(0, 480), st.integers(1, 240)),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)  # fmt: skip
def test_hours_follow_the_clock_on_the_wall_when_it_is_changed(
    days: tuple[int, ...], edges: tuple[int, int], start: str, spans: tuple[int, int], zone: str
) -> None:  # fmt: skip
    hours = Hours(days=days, from_minute=edges[0], to_minute=edges[1], timezone=zone)
    begin = datetime.fromisoformat(start + "+00:00") + timedelta(minutes=spans[0])
    end = begin + timedelta(minutes=spans[1])

    got = within_hours(hours, ZoneInfo(zone), begin, end)

    assert got is naive_within(hours, ZoneInfo(zone), begin, end)


def test_an_hour_that_does_not_exist_shuts_a_window_within_it() -> None:
    """On the last Sunday of March, Berlin's clocks go from 02:00 to 03:00."""
    gone = Hours(days=WEEK, from_minute=120, to_minute=180, timezone=BERLIN)
    over = replace(gone, from_minute=60, to_minute=240)
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)

    assert not within_hours(gone, ZoneInfo(BERLIN), before, before + timedelta(minutes=5))
    assert within_hours(over, ZoneInfo(BERLIN), before, before + timedelta(minutes=5))


def test_a_very_long_run_is_asked_about_in_bounded_time() -> None:
    always = Hours(days=WEEK, from_minute=0, to_minute=1440)

    assert within_hours(always, ZoneInfo("UTC"), NOW, NOW + timedelta(days=10_000))


@pytest.mark.parametrize(
    ("freeze", "now", "frozen"),
    [
        (("2026-03-11", "2026-03-11"), "2026-03-11T10:00:00+00:00", True),
        (("2026-03-01", "2026-03-11"), "2026-03-11T22:50:00+00:00", True),  # still that day
        (("2026-03-01", "2026-03-11"), "2026-03-11T23:00:00+00:00", False),  # 00:00 in Berlin
        (("2026-03-12", "2026-03-20"), "2026-03-11T22:57:00+00:00", False),  # ends before
        (("2026-03-12", "2026-03-20"), "2026-03-11T22:58:00+00:00", False),  # ends at midnight
        (("2026-03-12", "2026-03-20"), "2026-03-11T22:59:00+00:00", True),  # ends within
        (("2026-03-12", "2026-03-20"), "2026-03-20T12:00:00+00:00", True),
        (("2026-03-12", "2026-03-20"), "2026-03-21T12:00:00+00:00", False),
        (("20 December", "2026-12-31"), "2026-03-21T12:00:00+00:00", True),  # cannot be read
    ],
)
def test_freeze(freeze: tuple[str, str], now: str, *, frozen: bool) -> None:
    hours = Hours(days=WEEK, from_minute=0, to_minute=1440, timezone=BERLIN)
    policy = Policy(hours=hours, freeze=(Freeze(first=freeze[0], last=freeze[1], why="sale"),))

    found = rules(policy, now=datetime.fromisoformat(now))

    assert found == (["policy.freeze"] if frozen else [])


def test_a_freeze_says_why() -> None:
    policy = Policy(freeze=(Freeze(first="2026-03-10", last="2026-03-12", why="stocktaking"),))

    (found,) = asked(plan_of(policy))

    assert found.text == "nothing is run from 2026-03-10 to 2026-03-12 (stocktaking)"


# Budget


@pytest.mark.parametrize(
    ("left", "expected"),
    [(0.25, []), (0.2499, ["policy.budget"]), (-0.5, ["policy.budget"]), (None, ["policy.budget"]),
     (float("nan"), ["policy.budget"])],
)  # fmt: skip
def test_budget(left: float | None, expected: list[str]) -> None:
    policy = Policy(budget=BudgetSource(floor=0.25, file="left"))

    assert rules(policy, budget_left=left) == expected


def test_an_unknown_budget_says_why() -> None:
    policy = Policy(budget=BudgetSource(floor=0.25, file="left"))

    (found,) = asked(plan_of(policy), budget_error="no answer within 4 s")

    assert "no answer within 4 s" in found.text
    assert "25 %" in found.hint


# People

BY_ALICE = Approval(
    plan_sha256=HASH, scenario="slow", environment="local", role="safety",
    approver="alice@example.org", author="carol@example.org", change_id="CHG-1",
    not_before_wall_ms=NOW_MS - 1_000, expires_wall_ms=NOW_MS + 1_000, file="ab-safety.json",
)  # fmt: skip
BY_BOB = replace(BY_ALICE, approver="bob@example.org", role="owner")
ONE = Policy(approvals=Approvals(needed=1))
TWO = Policy(approvals=Approvals(needed=2))
ROLES = Policy(approvals=Approvals(needed=2, roles=("safety", "owner")))


@pytest.mark.parametrize(
    ("policy", "approvals", "fine"),
    [
        (ONE, (BY_ALICE,), True),
        (ONE, (), False),
        (TWO, (BY_ALICE, BY_BOB), True),
        (TWO, (BY_ALICE,), False),
        (TWO, (BY_ALICE, replace(BY_ALICE, role="owner")), False),  # one person twice
        (TWO, (BY_ALICE, replace(BY_ALICE, approver="ALICE@example.org")), False),
        (ROLES, (BY_ALICE, BY_BOB), True),
        (ROLES, (BY_ALICE, replace(BY_BOB, role="safety")), False),
        # both roles by Alice, and Bob in a role that nobody asked for
        (ROLES, (BY_ALICE, replace(BY_ALICE, role="owner"), replace(BY_BOB, role="x")), False),
        # Alice in both, Bob in one: Bob is safety, Alice the owner
        (ROLES, (BY_ALICE, replace(BY_ALICE, role="owner"), replace(BY_BOB, role="safety")), True),
        (Policy(approvals=Approvals(roles=("safety",))), (), False),  # a role needs somebody
        (ONE, (replace(BY_ALICE, plan_sha256="cd" * 32),), False),
        (ONE, (replace(BY_ALICE, environment="staging"),), False),
        (ONE, (replace(BY_ALICE, scenario="other"),), False),
        (ONE, (replace(BY_ALICE, change_id="CHG-2"),), False),
        (ONE, (replace(BY_ALICE, change_id=None),), False),
        (ONE, (replace(BY_ALICE, expires_wall_ms=NOW_MS),), False),
        (ONE, (replace(BY_ALICE, not_before_wall_ms=NOW_MS),), True),
        (ONE, (replace(BY_ALICE, not_before_wall_ms=NOW_MS + 1),), False),
    ],
)  # fmt: skip
def test_approvals(policy: Policy, approvals: tuple[Approval, ...], *, fine: bool) -> None:
    found = rules(policy, approvals=approvals, change_id="CHG-1")

    assert found == ([] if fine else ["policy.approvals"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"plan_sha256": "cd" * 32}, "is for another plan"),
        ({"environment": "staging"}, "is for the environment `staging`"),
        ({"scenario": "other"}, "is for the scenario `other`"),
        ({"change_id": "CHG-2"}, "is for the change `CHG-2`, and this run is for the change"),
        ({"expires_wall_ms": NOW_MS - 1}, "expired at 2026-03-11T09:59:59Z"),
        ({"not_before_wall_ms": NOW_MS + 60_000}, "is valid only from 2026-03-11T10:01:00Z"),
    ],
)  # fmt: skip
def test_an_approval_that_does_not_count_says_why(changed: dict[str, Any], words: str) -> None:
    (found,) = asked(plan_of(ONE), approvals=(replace(BY_ALICE, **changed),), change_id="CHG-1")

    assert f"`ab-safety.json` {words}" in found.text


@pytest.mark.parametrize(("kind", "needed"), [("staging", False), ("production", True)])
def test_a_control_run_needs_no_approval_but_in_production(kind: str, *, needed: bool) -> None:
    made = plan_of(TWO, kind=kind)
    spec = ControlSpec(faults=("late",), proxies=("payments",))
    control = replace(made, scenario=replace(made.scenario, faults=(), control=spec))

    assert "policy.approvals" in {f.rule for f in asked(made)}
    assert ("policy.approvals" in {f.rule for f in asked(control)}) is needed


def test_a_control_run_makes_ready_only_targets_that_are_allowed() -> None:
    made = plan_of(Policy(targets=("shop",)))
    spec = ControlSpec(faults=("late",), proxies=("payments",))
    control = replace(made, scenario=replace(made.scenario, faults=(), control=spec))

    (found,) = asked(control)

    assert (found.rule, found.text) == ("policy.targets", "a control run makes ready `payments`")


def test_what_is_unproven_and_what_is_not_in_the_plan_is_refused_with_approvals() -> None:
    found = asked(plan_of(ONE), unproven=("`x.json` is not signed",), beside_plan=("--toxiproxy",))

    assert [f.rule for f in found] == ["policy.approvals"] * 2
    assert "`--toxiproxy`" in found[0].text
    assert "`x.json` is not signed" in found[1].text
    assert not asked(plan_of(Policy()), beside_plan=("--toxiproxy",))


@pytest.mark.parametrize(
    ("author", "operator", "words"),
    [
        ("carol@example.org", "dave@example.org", []),
        ("carol@example.org", "CAROL@example.org", ["the author is also the operator"]),
        ("carol@example.org", " carol@example.org ", ["the author is also the operator"]),
        ("carol@example.org", None, ["the operator is not known"]),
        ("carol@example.org", "Carol <carol@example.org>", ["names no person"]),
        ("carol@example.org", "Alice@example.org", ["the approver is also the operator"]),
        ("ALICE@example.org", "dave@example.org", ["the approver is also the author"]),
        (None, "dave@example.org", []),  # the approval says who
        (None, "carol@example.org", ["the author is also the operator"]),
    ],
)
def test_apart(author: str | None, operator: str | None, words: list[str]) -> None:
    policy = replace(ONE, apart=True)

    found = asked(
        plan_of(policy), approvals=(BY_ALICE,), change_id="CHG-1", author=author, operator=operator
    )

    assert [f.rule for f in found] == ["policy.apart"] * len(words)
    assert all(word in f.text for word, f in zip(words, found, strict=True))


def test_apart_needs_to_know_the_author() -> None:
    nobody = replace(BY_ALICE, author=None)

    (found,) = asked(
        plan_of(replace(ONE, apart=True)),
        approvals=(nobody,), change_id="CHG-1", operator="dave@example.org",
    )  # fmt: skip

    assert found.text == "the author of the scenario is not known"


@pytest.mark.parametrize("given_id", [None, "", "  "])
def test_a_change_has_to_be_named(given_id: str | None) -> None:
    assert rules(Policy(change_id=True), change_id=given_id) == ["policy.change_id"]
    assert rules(Policy(change_id=True), change_id="CHG-1") == []


@pytest.mark.parametrize(
    ("name", "kind", "needs_go", "production"),
    [
        ("local", "local", False, False),
        ("ci", "ci", False, False),
        ("staging", "staging", False, False),  # the reader of the file says so
        ("production", "production", True, True),
        ("eu-west", "production", True, True),
        ("prod", "local", True, True),  # the name is enough
        ("live", "staging", True, True),
    ],
)
def test_what_holds_whatever_the_file_says(
    name: str, kind: str, *, needs_go: bool, production: bool
) -> None:
    plan = plan_of(Policy(), name=name, kind=kind)
    policy = in_force(plan.environment)

    assert policy.go is needs_go
    assert (policy.approvals.needed == 1) is production
    assert (policy.change_id, policy.apart) == (production, production)
    assert ("policy.go" in [f.rule for f in asked(plan)]) is needs_go
    assert "policy.go" not in [f.rule for f in asked(plan, go=True)]


def test_more_than_the_least_is_kept_in_production() -> None:
    asks_more = Environment(name="production", kind="production", policy=TWO)

    assert in_force(asks_more).approvals.needed == 2
