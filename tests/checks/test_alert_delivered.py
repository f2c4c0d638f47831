"""alert/delivered: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    Spoil,
    alert,
    change,
    delivered,
    drop,
    good_run,
    plan,
    timeline,
)

from gameday.checks.alert_delivered import check
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.project import AlertingSpec
from gameday.model.verdict import Finding, Outcome

PAGE = {"severity": "page"}
#: receiver, run time in ms, status
Arrival = tuple[str, int, str]
IN_TIME = FAULT_S * 1000 + 6_150

ROWS: dict[str, tuple[str, str, bool, list[Arrival], tuple[Spoil, ...]]] = {
    "in time": ("pass", "reached `pager` after 6.11 s", True, [("pager", IN_TIME, "firing")], ()),
    "fired in time, delivered late": (
        "fail", "reached `pager` late: after 14.96 s", True,
        [("pager", FAULT_S * 1000 + 15_000, "firing")], (),
    ),
    "delivered to somebody else": (
        "fail", "delivered to `chat`", True, [("chat", IN_TIME, "firing")], (),
    ),
    "delivered to both": (
        "pass", "reached `pager`", True,
        [("chat", IN_TIME - 50, "firing"), ("pager", IN_TIME, "firing")], (),
    ),
    "undelivered": ("fail", "nothing reached `pager` within 10 s", True, [], ()),
    "only the resolution arrived": (
        "fail", "nothing reached `pager`", True, [("pager", IN_TIME, "resolved")], (),
    ),
    "a page from before the fault is not it": (
        "fail", "nothing reached `pager`", True, [("pager", FAULT_S * 1000 - 2_000, "firing")], (),
    ),
    "it never fired": ("fail", "nothing reached `pager`: PaymentsSlow did not fire", False, [], ()),
    "nobody could see whether it fired": (
        "inconclusive", "never read", False, [], (drop("alert.read"),),
    ),
    "nobody was listening": (
        "inconclusive", "no receiver of ours", True, [], (change("run.parts", receiver=None),),
    ),
    "the fault was never in": (
        "inconclusive", "never confirmed on", True, [("pager", IN_TIME, "firing")],
        (drop("fault.inject", phase=Phase.OK),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, fired, arrivals, spoils = row
    finding = judged(fired, arrivals, *spoils)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"silencedBy": ["s-1"]}, "silenced by s-1"),
        ({"inhibitedBy": ["a-2"]}, "inhibited by a-2"),
        ({}, "nothing reached `pager` within"),
    ],
)
def test_what_alertmanager_held_back_is_told(state: Mapping[str, Any], words: str) -> None:
    labels = {"alertname": "PaymentsSlow", **PAGE}
    finding = judged(True, [], alertmanager={"alerts": [{"labels": labels, **state}], "gaps": []})

    assert finding.outcome is Outcome.FAIL
    assert words in finding.summary


def test_a_silence_that_ended_too_late_is_told_with_the_late_delivery() -> None:
    labels = {"alertname": "PaymentsSlow", **PAGE}
    state = {"labels": labels, "silencedBy": ["s-1"]}
    late = [("pager", FAULT_S * 1000 + 15_000, "firing")]
    finding = judged(True, late, alertmanager={"alerts": [state], "gaps": []})

    assert finding.outcome is Outcome.FAIL
    assert "late: after 14.96 s, allowed 10 s; it was silenced by s-1" in finding.summary


def test_the_route_to_somebody_else_is_told() -> None:
    labels = {"alertname": "PaymentsSlow", **PAGE}
    rows = [{"labels": labels, "receivers": ["chat"]}]
    read = {"alerts": rows, "gaps": [], "receivers": ["pager", "chat"]}

    assert "routed it to `chat`" in judged(True, [], alertmanager=read).summary
    unknown = {**read, "receivers": ["chat"]}  # Alertmanager may call ours by another name
    assert "within 10 s" in judged(True, [], alertmanager=unknown).summary


def test_a_condition_from_before_the_fault_says_nothing_about_it() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.pending", (FAULT_S - 2) * 1000, "PaymentsSlow", PAGE)
    alert(journal, "alert.firing", (FAULT_S + 6) * 1000, "PaymentsSlow", PAGE)
    delivered(journal, IN_TIME, "PaymentsSlow", PAGE)

    (finding,) = check(Case(plan(), timeline(journal)))

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "before fault `slow` was asked for" in finding.summary


def test_silence_at_the_receiver_says_nothing_when_alertmanager_could_not_be_read() -> None:
    finding = judged(True, [], alertmanager={"error": "refused"})

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "could not be read: refused" in finding.summary


def test_a_page_that_was_there_before_the_fault_tells_nothing() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.firing", 5_000, "PaymentsSlow", PAGE)
    delivered(journal, IN_TIME, "PaymentsSlow", PAGE)

    (finding,) = check(Case(plan(), timeline(journal)))

    assert finding.outcome is Outcome.INCONCLUSIVE


def judged(
    fired: bool,
    arrivals: list[Arrival],
    *spoils: Spoil,
    alertmanager: Mapping[str, Any] | None = None,
) -> Finding:
    journal = good_run(alerts=False)
    if fired:
        alert(journal, "alert.firing", (FAULT_S + 6) * 1000, "PaymentsSlow", PAGE)
    for receiver, at_ms, status in arrivals:
        delivered(journal, at_ms, "PaymentsSlow", PAGE, receiver=receiver, status=status)
    if alertmanager is not None:
        phase = Phase.FAILED if "error" in alertmanager else Phase.OK
        journal.act(END_S * 1000 + 110, "alert.read", "alertmanager", phase=phase, **alertmanager)
    there = AlertingSpec(alertmanager_url="http://127.0.0.1:9093" if alertmanager else None)
    (finding,) = check(Case(plan(alerting=there), timeline(journal, *spoils)))
    return finding
