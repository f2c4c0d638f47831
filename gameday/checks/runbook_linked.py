"""runbook/linked: the runbook that a responder would be sent to is there, with what it needs.

Asked for each expected alert that names a runbook or carries a `runbook_url`, and for each runbook
that the scenario names by itself. A link that leads nowhere is a failure; a link that could not be
followed (the network, a host that is not allowed) is inconclusive.

Documented in docs/checks/runbook-linked.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.seen import is_expected
from gameday.model.event import Event, Phase
from gameday.model.scenario import AlertExpectation
from gameday.model.verdict import Finding, Outcome, worst

NAME = "runbook/linked"
ANNOTATION = "runbook_url"


def check(case: Case) -> Iterator[Finding]:
    """One finding an expected alert with a runbook, one each other runbook of the scenario."""
    done: set[str] = set()
    for expected in case.alerts:
        links = _links(case, expected)
        if expected.runbook is not None:
            done.add(expected.runbook)
        if expected.runbook is not None or any(_read(case, link) for link in links):
            yield _judge(case, expected, links)
    for runbook in case.plan.scenario.expect.runbooks:
        if runbook.path not in done:
            yield _found(
                runbook.path, f"runbook {runbook.path} is there", *_one(case, runbook.path)
            )


def _judge(case: Case, expected: AlertExpectation, links: tuple[str, ...]) -> Finding:
    """The alert's own link and the scenario's path, as far as each was read; the worse counts."""
    subjects = [link for link in links if _read(case, link) is not None]
    own = expected.runbook
    if own is not None and own not in subjects and (_read(case, own) or not subjects):
        subjects.append(own if _read(case, own) else expected.alert)
    answers = [_one(case, subject) for subject in subjects]
    outcome = worst(answer[0] for answer in answers)
    summary = next(answer[1] for answer in answers if answer[0] is outcome)
    evidence = tuple(seq for answer in answers for seq in answer[2])
    if outcome is Outcome.PASS and not links:
        summary += "; the alert itself links to none"
    return _found(
        expected.alert, f"{expected.alert} leads to its runbook", outcome, summary, evidence
    )


def _links(case: Case, expected: AlertExpectation) -> tuple[str, ...]:
    """What the fired alert links to, from its episodes and its deliveries."""
    seen = [s.annotations for s in case.sightings_of(expected)]
    delivered = [d.annotations for d in case.deliveries if is_expected(expected, d.alert, d.labels)]
    found = (str(a[ANNOTATION]) for a in (*delivered, *seen) if a.get(ANNOTATION))
    return tuple(dict.fromkeys(found))


def _read(case: Case, subject: str) -> Event | None:
    """How the reading of *subject* ended: the name of an alert, or the link or path itself."""
    ended = [
        e
        for e in case.timeline.of("runbook.read")
        if e.phase is not Phase.STARTED and subject in (e.subject, e.data.get("reference"))
    ]
    return ended[-1] if ended else None


def _one(case: Case, subject: str) -> tuple[Outcome, str, tuple[int, ...]]:
    read = _read(case, subject)
    if read is None:
        return Outcome.INCONCLUSIVE, f"`{subject}` was never looked at", ()
    evidence = (read.seq,)
    if read.phase is not Phase.OK:
        why = read.data.get("error", "no answer")
        return Outcome.INCONCLUSIVE, f"`{subject}` could not be read: {why}", evidence
    problems = "; ".join(str(p) for p in read.data.get("problems", ()))
    if not read.data.get("resolved"):
        return Outcome.FAIL, f"`{subject}` leads nowhere" + _because(problems), evidence
    missing = [str(m) for m in read.data.get("missing", ())]
    if missing:
        needs = ", ".join(f"`{m}`" for m in missing)
        return Outcome.FAIL, f"`{subject}` has no section {needs}", evidence
    title = read.data.get("title")
    named = f" (“{title}”)" if title else ""
    return Outcome.PASS, f"`{subject}`{named} is there with all its sections", evidence


def _because(problems: str) -> str:
    return f": {problems}" if problems else ""


def _found(
    subject: str,
    expectation: str,
    outcome: Outcome,
    summary: str,
    evidence: tuple[int, ...],
) -> Finding:
    return Finding(
        check=NAME,
        subject=subject,
        outcome=outcome,
        summary=summary,
        expectation=expectation,
        evidence=evidence,
    )
