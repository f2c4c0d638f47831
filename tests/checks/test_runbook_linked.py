"""runbook/linked: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    ORIGIN,
    PAYMENTS_SLOW,
    drop,
    expectations,
    good_run,
    plan,
    timeline,
)

from gameday.checks.case import Case
from gameday.checks.runbook_linked import check
from gameday.model.event import Phase
from gameday.model.scenario import RunbookExpectation
from gameday.model.verdict import Outcome

PATH = "runbooks/payments-slow.md"
URL = "https://wiki.example/payments-slow"
GOOD = {"resolved": True, "title": "Payments slow", "missing": [], "problems": []}
Reads = list[tuple[str, Phase, Mapping[str, Any]]]

#: outcome, words, the scenario's path, the alert's link, what was read
ROWS: dict[str, tuple[str, str, str | None, str | None, Reads]] = {
    "there": ("pass", "is there with all its sections", PATH, None, [(PATH, Phase.OK, GOOD)]),
    "the alert's own link": ("pass", URL, PATH, URL, [(URL, Phase.OK, GOOD)]),
    "link and path": (
        "pass", "is there", PATH, URL, [(URL, Phase.OK, GOOD), (PATH, Phase.OK, GOOD)],
    ),
    "no link in the alert is worth a word": (
        "pass", "the alert itself links to none", PATH, None, [(PATH, Phase.OK, GOOD)],
    ),
    "a section is missing": (
        "fail", "has no section `mitigate`, `verify`", PATH, None,
        [(PATH, Phase.OK, {**GOOD, "missing": ["mitigate", "verify"]})],
    ),
    "leads nowhere": (
        "fail", "leads nowhere: HTTP 404", PATH, URL,
        [(URL, Phase.OK, {"resolved": False, "problems": ["HTTP 404"]})],
    ),
    "the path is there and the link is dead": (
        "fail", "leads nowhere", PATH, URL,
        [(URL, Phase.OK, {"resolved": False}), (PATH, Phase.OK, GOOD)],
    ),
    "could not be followed": (
        "inconclusive", "host is not allowed", PATH, URL,
        [(URL, Phase.FAILED, {"error": "the host is not allowed"})],
    ),
    "never looked at": ("inconclusive", "never looked at", PATH, None, []),
    "only begun": ("inconclusive", "never looked at", PATH, None, [(PATH, Phase.STARTED, {})]),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, path, link, reads = row
    run = linked_run(link, reads)

    (finding,) = check(Case(plan(expect=wanting(path)), run))

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_a_link_counts_though_the_scenario_names_no_runbook() -> None:
    run = linked_run(URL, [(URL, Phase.OK, {"resolved": False})])

    (finding,) = check(Case(plan(expect=wanting(None)), run))

    assert finding.outcome is Outcome.FAIL


def test_nothing_named_and_nothing_linked_asks_nothing() -> None:
    assert not list(check(Case(plan(expect=wanting(None)), linked_run(None, []))))


def test_a_runbook_of_the_scenario_itself_is_asked_once() -> None:
    other = RunbookExpectation(path="runbooks/other.md")
    expect = expectations(runbooks=(RunbookExpectation(path=PATH), other))

    found = list(check(Case(plan(expect=expect), timeline(good_run()))))

    assert [(f.subject, f.outcome.value) for f in found] == [
        ("PaymentsSlow", "pass"),
        ("runbooks/other.md", "inconclusive"),
    ]


def wanting(path: str | None) -> Any:
    return expectations(alerts=(replace(PAYMENTS_SLOW, runbook=path),))


def linked_run(link: str | None, reads: Reads) -> Any:
    journal = good_run(alerts=False)
    annotations = {} if link is None else {"runbook_url": link}
    at_ms = (FAULT_S + 6) * 1000
    journal.note(
        at_ms, "alert.delivered", "PaymentsSlow", receiver="pager", status="firing",
        labels={"severity": "page"}, annotations=annotations, arrived_wall_ms=ORIGIN + at_ms,
    )  # fmt: skip
    run = timeline(journal, drop("runbook.read"))
    events = list(run)
    for index, (subject, phase, data) in enumerate(reads):
        made = replace(events[-1], seq=9_000 + index, kind="runbook.read", subject=subject)
        events.append(replace(made, phase=phase, data=data, at_ms=END_S * 1000 + 500))
    return type(run)(events)
