"""answer/right: what the service is asked once the load has stopped has the right answer.

Speed and errors do not show whether what was done is right: an order that was lost, or charged
twice, was answered in time and with 200.

Documented in docs/checks/answer-right.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps

from gameday.checks.case import Case
from gameday.model.answers import AnswerExpectation
from gameday.model.event import Phase
from gameday.model.verdict import Finding, Outcome

NAME = "answer/right"


def check(case: Case) -> Iterator[Finding]:
    """One finding a question of the scenario."""
    for asked in case.plan.scenario.expect.answers:
        yield _judge(case, asked)


def _judge(case: Case, asked: AnswerExpectation) -> Finding:
    ended = [
        event
        for event in case.timeline.of("answer.ask", asked.name)
        if event.phase is not Phase.STARTED
    ]
    if not ended:
        return _found(asked, Outcome.INCONCLUSIVE, f"`{asked.name}` was never asked", ())
    last = ended[-1]
    if last.phase is not Phase.OK:
        why = str(last.data.get("error", "no answer"))
        summary = f"`{asked.name}` could not be asked: {why}"
        return _found(asked, Outcome.INCONCLUSIVE, summary, (last.seq,))
    values = last.data.get("values", {})
    said = ", ".join(f"{name} was {dumps(values.get(name))}" for name in asked.json)
    right = bool(last.data.get("right"))
    outcome = Outcome.PASS if right else Outcome.FAIL
    should = "" if right else f", wanted: {asked.wanted}"
    return _found(asked, outcome, f"`{asked.name}`: {said}{should}", (last.seq,))


def _found(
    asked: AnswerExpectation, outcome: Outcome, summary: str, evidence: tuple[int, ...]
) -> Finding:
    return Finding(
        check=NAME,
        subject=asked.name,
        outcome=outcome,
        summary=summary,
        expectation=f"`{asked.name}`: afterwards {asked.wanted}",
        evidence=evidence,
    )
