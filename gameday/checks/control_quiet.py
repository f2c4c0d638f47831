"""control/quiet: in a run without a fault no alert fires; one that does is a false positive.

Watched from the start of the load to the end of recovery. Whatever the scenario expects, tolerates
or wants to be quiet is left aside: it speaks of a fault, and here is none.

Documented in docs/checks/control-quiet.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.alert_others import is_reference
from gameday.kpi.control import load_began_ms, load_first_ms
from gameday.kpi.seen import Sighting
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "control/quiet"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each alert that fired, or one that none did; nothing in a usual run."""
    if case.plan.scenario.control is None:
        return
    start_ms, recovery = load_began_ms(case.timeline), case.windows.get("recovery")
    if start_ms is None or recovery is None:
        yield _found("alerts", Outcome.INCONCLUSIVE, "the control run did not go to its end")
        return
    end_ms = recovery.end_ms
    names: dict[str, list[Sighting]] = {}
    for one in case.sightings:
        if start_ms <= one.firing_ms <= end_ms and not is_reference(
            one.alert, one.labels, one.source
        ):
            names.setdefault(one.alert, []).append(one)
    for name, firings in names.items():
        yield _found(name, Outcome.FAIL, _told(name, firings, start_ms), *firings)
    if names:
        return
    # a load takes a while to begin, and alerts that look at it have nothing to see until then
    blind = case.sight.blind_in(load_first_ms(case.timeline) or start_ms, end_ms)
    if blind:
        yield _found("alerts", Outcome.INCONCLUSIVE, f"no alert was seen, but {blind}")
    elif case.sight.until_ms < end_ms or not recovery.complete:
        yield _found("alerts", Outcome.INCONCLUSIVE, "no alert was seen, but not to the end")
    else:
        yield _found("alerts", Outcome.PASS, "no alert fired without a fault")


def _told(name: str, firings: list[Sighting], start_ms: int) -> str:
    times = f" {len(firings)} times" if len(firings) > 1 else ""
    after = format_ms(firings[0].firing_ms - start_ms)
    return f"{name} fired{times} without a fault, first {after} after the load began"


def _found(subject: str, outcome: Outcome, summary: str, *firings: Sighting) -> Finding:
    return Finding(
        check=NAME,
        subject=subject,
        outcome=outcome,
        summary=summary,
        expectation="no alert fires in a control run",
        evidence=tuple(dict.fromkeys(seq for one in firings for seq in one.evidence)),
    )
