"""alert/fired: one run per row, each with the sentence it stands for.

Every row is told twice: by the built-in alerts' events, and by the raw samples of a Prometheus that
was read afterwards. Both have to give the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    NO_SERVER,
    ORIGIN,
    PAYMENTS_SLOW,
    PROMETHEUS,
    Journal,
    Spoil,
    alert,
    cut,
    drop,
    ends,
    expectations,
    good_run,
    plan,
    timeline,
)

from gameday.checks.alert_fired import check
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.project import AlertingSpec
from gameday.model.verdict import Finding, Outcome

PAGE = {"severity": "page"}
#: (name, labels, first second of firing, first second without)
Told = tuple[str, Mapping[str, str], int, int]
RULES: list[Mapping[str, Any]] = [{"name": "PaymentsSlow", "interval": 1, "health": "ok"}]
ON_S = FAULT_S + 0.04


def told(from_s: int, to_s: int = END_S, name: str = "PaymentsSlow", **labels: str) -> Told:
    return (name, labels or PAGE, from_s, to_s)


def gap(from_s: float, to_s: float) -> list[list[int]]:
    return [[ORIGIN + int(from_s * 1000), ORIGIN + int(to_s * 1000)]]


#: outcome, words, what fired, gaps, rules
ROWS: dict[str, tuple[str, str, list[Told], list[list[int]], list[Mapping[str, Any]]]] = {
    "in time": ("pass", "fired after 5.96 s, allowed 10 s", [told(19)], [], RULES),
    "at the last evaluation in time": ("pass", "after 9.96 s", [told(23)], [], RULES),
    "late": ("fail", "fired late: after 10.96 s, allowed 10 s", [told(24)], [], RULES),
    "silent": ("fail", "did not fire, allowed 10 s: its condition was never true", [], [], RULES),
    "there is no such rule": (
        "fail", "has no rule of this name", [], [], [{"name": "Other", "interval": 1}],
    ),
    "another alert is not it": ("fail", "did not fire", [told(19, name="Disk")], [], RULES),
    "the right name with the wrong labels": (
        "fail", "other labels (severity=ticket)", [told(19, severity="ticket")], [], RULES,
    ),
    "more labels than asked for are fine": (
        "pass", "fired after", [told(19, severity="page", team="shop")], [], RULES,
    ),
    "fired and resolved before the fault": ("fail", "did not fire", [told(4, 8)], [], RULES),
    "fired before, and again in time": ("pass", "5.96 s", [told(4, 8), told(19)], [], RULES),
    "already firing": ("inconclusive", "firing already", [told(9)], [], RULES),
    "already firing, gone, and again": (
        "inconclusive", "firing already", [told(9, 15), told(19)], [], RULES,
    ),
    "blind in the window": ("inconclusive", "could not be read", [], gap(15, 17), RULES),
    "blind from before": ("inconclusive", "could not be read", [], gap(2, 20), RULES),
    "late, but we were blind when it was due": (
        "inconclusive", "could not be read", [told(26)], gap(21, 25), RULES,
    ),
    "blind, and yet seen in time": ("pass", "fired after", [told(19)], gap(20, 22), RULES),
    "sight regained before the fault": ("fail", "did not fire", [], gap(2, 5), RULES),
    "blind only after it was due": ("fail", "did not fire", [], gap(30, 40), RULES),
    "the rule cannot be evaluated": (
        "inconclusive",
        "could not evaluate its rule: many-to-many",
        [],
        [],
        [{**RULES[0], "health": "err", "lastError": "many-to-many"}],
    ),
    "another rule's trouble is not ours": (
        "fail", "did not fire", [], [], [*RULES, {"name": "Other", "health": "err"}],
    ),
}  # fmt: skip


def by_builtin(fired: list[Told], gaps: list[list[int]], rules: list[Mapping[str, Any]]) -> Journal:
    journal = good_run(alerts=False, read={"rules": rules, "gaps": gaps})
    for name, labels, from_s, to_s in fired:
        alert(journal, "alert.firing", from_s * 1000, name, labels)
        if to_s < END_S:
            alert(journal, "alert.resolved", to_s * 1000, name, labels)
    return journal


def by_prometheus(
    fired: list[Told], gaps: list[list[int]], rules: list[Mapping[str, Any]]
) -> Journal:
    journal = good_run(alerts=False)
    matrix = [
        {
            "metric": {"alertname": name, "alertstate": "firing", **labels},
            "values": [[ORIGIN / 1000 + s, "1"] for s in range(from_s, to_s)],
        }
        for name, labels, from_s, to_s in fired
    ]
    until = ORIGIN + END_S * 1000
    journal.act(
        END_S * 1000 + 120, "alert.read", "prometheus",
        matrix=matrix, rules=rules, gaps=gaps, offset_ms=0, until_wall_ms=until,
    )  # fmt: skip
    return journal


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("source", ["builtin", "prometheus"])
def test_outcome(source: str, row: Any) -> None:
    outcome, words, fired, gaps, rules = row
    if source == "builtin":
        finding = judged(by_builtin(fired, gaps, rules))
    else:
        finding = judged(by_prometheus(fired, gaps, rules), alerting=PROMETHEUS)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


SPOILED: dict[str, tuple[str, str, tuple[Spoil, ...]]] = {
    "the fault was never injected": ("inconclusive", "never confirmed on", (drop("fault.inject"),)),
    "the fault was not confirmed on": (
        "inconclusive", "never confirmed on", (drop("fault.inject", phase=Phase.OK),),
    ),
    "the source was never read": ("inconclusive", "never read", (drop("alert.read"),)),
    "the source could not be read": (
        "inconclusive",
        "could not be read: connection refused",
        (ends("alert.read", Phase.FAILED, error="connection refused"),),
    ),
    "the run ended before it was due": (
        "inconclusive", "never read", (cut((FAULT_S + 4) * 1000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("outcome", "words", "spoils"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_run(outcome: str, words: str, spoils: tuple[Spoil, ...]) -> None:
    finding = judged(good_run(alerts=False), *spoils)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_watched_for_less_than_allowed_is_not_known() -> None:
    patient = replace(PAYMENTS_SLOW, fires_within_ms=60_000)

    finding = judged(good_run(alerts=False), expected=patient)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "only watched for" in finding.summary


def test_pending_that_never_fired_is_told_apart_from_nothing() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.pending", (FAULT_S + 3) * 1000, "PaymentsSlow", PAGE)

    finding = judged(journal)

    assert finding.outcome is Outcome.FAIL
    assert "pending after 2.96 s, and never long enough" in finding.summary


def test_a_condition_that_was_true_before_the_fault_was_asked_for_says_nothing_about_it() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.pending", (FAULT_S - 2) * 1000, "PaymentsSlow", PAGE)
    alert(journal, "alert.firing", (FAULT_S + 4) * 1000, "PaymentsSlow", PAGE)

    finding = judged(journal)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "its condition was true 2 s before fault `slow` was asked for" in finding.summary


def test_a_clock_that_is_only_roughly_known_makes_no_alert_early() -> None:
    journal = by_prometheus([told(19)], [], RULES)
    early = {"alertname": "PaymentsSlow", "alertstate": "pending", **PAGE}
    values = [[ORIGIN / 1000 + s, "1"] for s in range(FAULT_S, 19)]
    rough = [
        replace(e, data={**e.data, "error_ms": 10, "matrix": [*e.data["matrix"], _series]})
        if (_series := {"metric": early, "values": values}) and "matrix" in e.data
        else e
        for e in journal.events()
    ]
    finding = judged(journal, lambda _: rough, alerting=PROMETHEUS)

    assert finding.outcome is Outcome.PASS


def test_an_evaluation_between_asked_and_confirmed_counts_as_caught() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.firing", FAULT_S * 1000 + 20, "PaymentsSlow", PAGE)

    finding = judged(journal)

    assert finding.outcome is Outcome.PASS
    assert "fired after 0 ms" in finding.summary


def test_a_foreign_clock_is_corrected_before_times_are_compared() -> None:
    """The source's clock is 3 s ahead: what it stamps as 8.96 s after the fault was 5.96 s."""
    journal = good_run(alerts=False)
    labels = {"alertname": "PaymentsSlow", "alertstate": "firing", **PAGE}
    values = [[ORIGIN / 1000 + s + 3, "1"] for s in range(19, END_S)]
    journal.note(1_000, "clock.offset", "prometheus", offset_ms=3_000, error_ms=5)
    journal.act(
        END_S * 1000 + 120, "alert.read", "prometheus", rules=RULES, gaps=[], offset_ms=3_000,
        matrix=[{"metric": labels, "values": values}], until_wall_ms=ORIGIN + END_S * 1000,
    )  # fmt: skip

    finding = judged(journal, alerting=PROMETHEUS)

    assert finding.facts["fired_after_ms"] == 5_960


def test_evidence_is_the_lines_it_rests_on() -> None:
    run = timeline(good_run())
    (finding,) = check(Case(plan(), run))

    kinds = [e.kind for e in run if e.seq in finding.evidence]
    assert kinds == ["fault.inject", "fault.inject", "alert.firing"]


def judged(
    journal: Journal,
    *spoils: Spoil,
    expected: Any = PAYMENTS_SLOW,
    alerting: AlertingSpec = NO_SERVER,
) -> Finding:
    setup = plan(expect=expectations(alerts=(expected,)), alerting=alerting)
    (finding,) = check(Case(setup, timeline(journal, *spoils)))
    return finding
