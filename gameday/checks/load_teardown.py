"""load/teardown: what the setup of the load made was taken away again.

A teardown that fails says nothing of the service under the fault, so the verdict does not rest on
it. But somebody has to know what may still be there.

Documented in docs/checks/load-teardown.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.verdict import Finding, Outcome

NAME = "load/teardown"


def check(case: Case) -> Iterator[Finding]:
    """One finding for a load with a teardown."""
    if not case.plan.scenario.load.teardown:
        return
    untidy = [e for e in case.timeline.of("load.worker") if e.data.get("state") == "untidy"]
    if untidy:
        why = "; ".join(dict.fromkeys(str(event.data.get("why", "")) for event in untidy))
        summary = f"WARNING: {why}; what the setup made may still be there"
        yield _found(summary, tuple(event.seq for event in untidy), done=False)
        return
    lost = [e for e in case.timeline.of("load.worker") if e.data.get("state") == "lost"]
    if lost:
        summary = "WARNING: a worker of the load was lost, so its teardown may not have been done"
        yield _found(summary, tuple(event.seq for event in lost), done=False)
        return
    stopped = case.timeline.last("load.stop", "load", phase=Phase.OK)
    if stopped is None or stopped.data.get("forced") or stopped.data.get("exit_code") != 0:
        summary = "WARNING: the load did not end by itself, so its teardown may not have been done"
        yield _found(summary, () if stopped is None else (stopped.seq,), done=False)
        return
    yield _found("the teardown of the load was done", (stopped.seq,), done=True)


def _found(summary: str, evidence: tuple[int, ...], *, done: bool) -> Finding:
    return Finding(
        check=NAME,
        subject="load",
        outcome=Outcome.SKIP,  # it is no expectation of the service
        summary=summary,
        expectation="what the setup of the load made is taken away again",
        evidence=evidence,
        facts={"done": done},
    )
