"""What is at least as hard: every option of every kind of fault has a row, and each way a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from findings_support import evidence, fault

from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.finding_record import FaultStrength
from gameday.model.toxic_table import TOXICS
from gameday.programme.strength import WAYS, Way, at_least, weaker

THEN = evidence("then", 0)
WEAK = fault(latency=1).strengths[0]


def test_every_option_of_every_fault_has_its_row() -> None:
    known = {kind: {*attributes, "stream", "toxicity"} for kind, attributes in TOXICS.items()}
    for family, kinds in FAMILIES.items():
        for kind, spec in kinds.items():
            name = kind if family in GENERIC else f"{family}.{kind}"
            options = {"calls"} if family in GENERIC else set(spec.options)
            if options:
                known[name] = options

    assert {kind: set(options) for kind, options in WAYS.items()} == known


@pytest.mark.parametrize(
    ("way", "then", "harder", "easier"),
    [
        (Way.MORE, 800, [800, 801, 5_000], [799, 0, None, "x"]),
        (Way.MORE, 0, [0, 1], [None]),
        (Way.MORE, None, [None, 0, 5], []),
        (Way.LESS, 10, [10, 9, 0], [11, None]),
        (Way.LESS, None, [None, 5], []),
        (Way.SAME, "KILL", ["KILL"], ["TERM", None]),
        (Way.SAME, 503, [503], [500, 504]),
        (Way.WIDER, "/pay*", ["/pay*", "", None], ["/pay", "/*x"]),
        (Way.WIDER, "in", ["in", "both"], ["out"]),
        (Way.WIDER, None, [None, ""], [443]),
        (Way.FURTHER, 3_600_000, [3_600_000, 7_200_000], [1, 0, -7_200_000, None]),
        (Way.FURTHER, -5_000, [-5_000, -6_000], [5_000, -4_000]),
        (Way.ENDLESS, 500, [500, 900, 0], [499, 1]),
        (Way.ENDLESS, 0, [0], [1, 10_000]),
        (Way.ANY, "a", ["a", "b", None], []),
    ],
)
def test_the_table_of_ways(way: Way, then: object, harder: list, easier: list) -> None:
    assert [now for now in harder if not at_least(way, then, now)] == []
    assert [now for now in easier if at_least(way, then, now)] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"faults": (fault(latency=200),)}, "`latency` of the latency of `payments` was 200"),
        ({"faults": (fault(toxicity=0.5),)}, "`toxicity`"),
        ({"faults": (fault(stream="upstream"),)}, "`stream`"),
        ({"faults": ()}, "`payments` had no fault `latency`"),
        ({"faults": (replace(fault(), kind="bandwidth"),)}, "had no fault `latency`"),
        ({"faults": (replace(fault(), target="inventory"),)}, "`payments` had no fault"),
        ({"faults": (replace(fault(), length_ms=59_999),)}, "was planned for"),
        ({"faults": (replace(fault(), strengths=()),)}, "was not put in"),
        ({"scenario": "payments-slower"}, "not `payments-slow`"),
        ({"environment_kind": "ci"}, "kind `ci`"),
        ({"environment_kind": "local"}, "kind `local`"),
        ({"environment_kind": "elsewhere"}, "kind `elsewhere`"),
        ({"limit": 1_001.0, "expectation": "fault: p95 < 1001ms"}, "asked for less"),
        ({"limit": None}, "asked for less"),
        ({"load_peak": 99.0}, "its load was 99/s, not 100/s"),
        ({"load_model": "closed"}, "its load was closed"),
        ({"control": True}, "it was a control run"),
    ],
)
def test_what_is_weaker_says_why(change: dict, reason: str) -> None:
    why = weaker(THEN, replace(THEN, run="now", **change))

    assert any(reason in one for one in why), why


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"faults": (fault(latency=900),)},
        {"faults": (fault(latency=800.0, jitter=50),)},
        {"faults": (fault(), replace(fault(), target="inventory"))},
        {"faults": (replace(fault(), length_ms=90_000),)},
        {"faults": (replace(fault(), strengths=(WEAK, *fault().strengths)),)},
        {"environment_kind": "production", "environment": "production"},
        {"limit": 500.0, "expectation": "fault: p95 < 500ms"},
        {"load_peak": 200.0},
        {"profile": "smoke"},
    ],
)  # fmt: skip
def test_what_is_at_least_as_strong(change: dict) -> None:
    assert weaker(THEN, replace(THEN, run="now", **change)) == ()


def test_two_faults_on_one_target_are_not_covered_by_one() -> None:
    both = replace(THEN, faults=(fault(), fault(latency=100)))

    assert weaker(both, THEN) == ("`payments` had no fault `latency`",)
    assert weaker(both, both) == ()


def test_the_order_of_faults_means_nothing() -> None:
    both = replace(THEN, faults=(fault(), fault(latency=100)))

    assert weaker(both, replace(both, faults=both.faults[::-1])) == ()


def test_a_stage_that_was_not_reached_is_weaker() -> None:
    stages = FaultStrength(
        target="payments",
        kind="latency",
        strengths=(fault(latency=100).strengths[0], fault(latency=800).strengths[0]),
        length_ms=60_000,
    )
    then = replace(THEN, faults=(stages,))
    now = replace(THEN, faults=(replace(stages, strengths=stages.strengths[:1]),))

    assert weaker(then, now) == ("`latency` of the latency of `payments` was 100, not 800",)
    assert weaker(then, THEN) == ()


def test_without_a_fault_the_length_of_the_load_counts() -> None:
    then = replace(THEN, faults=())

    assert weaker(then, replace(then, fault_ms=59_000)) == ("its load lasted 59 s, not 1 min",)


def test_of_what_was_raised_by_hand_only_the_question_and_the_place_are_known() -> None:
    then = replace(THEN, run="", faults=(), load_model="", load_peak=0.0, limit=None)

    assert weaker(then, THEN) == ()
    assert weaker(then, replace(THEN, environment_kind="ci")) != ()
