"""How far the runbook of each alert has come: the funnel, and what is stale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.model.proof import ProofWord
from gameday.model.quarter import RunKind, RunSeen, Stratum
from gameday.model.quarter_report import Number, Sheet
from gameday.model.verdict import Outcome
from gameday.programme.quarter_frame import Frame, days_since, share

#: A proof that is older than this has to be made again.
PROOF_DAYS = 180
LADDER = ("none", "linked", "link resolves", "complete", "validated", "automated")
_VALIDATED, _AUTOMATED = 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookState:
    """One alert of a service. `level` is None if nobody looked; `proven` is a run, or empty."""

    stratum: Stratum
    service: str
    alert: str
    runbook: str
    level: int | None
    proven: str
    proven_days: int | None

    @property
    def is_stale(self) -> bool:
        """There is something to validate, and no proof of the last 180 days."""
        return self.proven_days is None or self.proven_days > PROOF_DAYS


def runbook_states(frame: Frame) -> tuple[RunbookState, ...]:
    """Every alert that a valid run of any time expected, by environment, kind and service."""
    found: dict[tuple[Stratum, str, str], list[RunSeen]] = {}
    for run in frame.every:
        if run.valid and run.kind is not RunKind.CONTROL:
            for one in run.alerts:
                found.setdefault((run.stratum, run.service, one.alert), []).append(run)
    return tuple(
        _state(stratum, service, alert, runs, frame)
        for (stratum, service, alert), runs in sorted(found.items())
    )


def _state(
    stratum: Stratum, service: str, alert: str, runs: Sequence[RunSeen], frame: Frame
) -> RunbookState:
    """The newest run that looked says what it is; the newest proof says whether it works."""
    rows = [(run, one) for run in runs for one in run.alerts if one.alert == alert]
    looked = [one.runbook_level for _, one in rows if one.runbook_level is not None]
    paths = {one.runbook for _, one in rows if one.runbook}
    path = next((one.runbook for _, one in reversed(rows) if one.runbook), "")
    proofs = [(run, p) for run in runs for p in run.runbooks if p.path in paths and p.word]
    level = looked[-1] if looked else None
    proven, days = "", None
    if proofs and proofs[-1][1].outcome == Outcome.PASS:
        run, proof = proofs[-1]
        proven, days = run.run, days_since(run.ended, frame.as_of)
        if days <= PROOF_DAYS:
            level = _AUTOMATED if proof.word == ProofWord.PROVEN else _VALIDATED
    return RunbookState(
        stratum=stratum, service=service, alert=alert, runbook=path, level=level, proven=proven,
        proven_days=days,
    )  # fmt: skip


def runbook_numbers(states: Sequence[RunbookState]) -> Iterator[Number]:
    """Coverage and validation; what nobody looked at is in scope, and not covered."""
    for stratum in sorted({one.stratum for one in states}):
        of = [one for one in states if one.stratum == stratum]
        for name, least, target, text in _RATES:
            k = sum((one.level or 0) >= least for one in of)
            yield share(name, k, len(of), stratum=stratum, target=target,
                        text=f"alerts that scenarios expect, whose runbook {text}")  # fmt: skip


_RATES = (
    ("runbook_coverage", 2, "≥ 80 %", "is there"),
    ("runbook_complete", 3, "", "has every section"),
    ("runbook_validated", _VALIDATED, "≥ 70 %", f"a run has proven in {PROOF_DAYS} days"),
    ("runbook_automated", _AUTOMATED, "", "was proven with no step done by people"),
)


def funnel_sheet(states: Sequence[RunbookState]) -> Sheet:
    """How many alerts have come at least so far."""
    rows = []
    for stratum in sorted({one.stratum for one in states}):
        levels = [one.level for one in states if one.stratum == stratum]
        known = [level for level in levels if level is not None]
        reached = [sum(level >= least for level in known) for least in range(1, len(LADDER))]
        rows.append((stratum.environment, stratum.kind.value, len(levels), *reached,
                     len(levels) - len(known)))  # fmt: skip
    names = tuple(name.replace(" ", "_") for name in LADDER[1:])
    columns = ("environment", "kind", "alerts", *names, "nobody_looked")
    return Sheet(name="runbook_funnel", title="Runbooks, at least", columns=columns,
                 rows=tuple(rows))  # fmt: skip


def stale_sheet(states: Sequence[RunbookState]) -> Sheet:
    """What has to be proven, never proven first, then the oldest proof."""
    stale = [one for one in states if one.is_stale]
    stale.sort(key=lambda s: (s.proven_days is not None, -(s.proven_days or 0), s.stratum,
                              s.service, s.alert))  # fmt: skip
    rows = tuple(
        (s.stratum.environment, s.stratum.kind.value, s.service, s.alert, s.runbook or None,
         None if s.level is None else LADDER[s.level], s.proven_days, s.proven or None)
        for s in stale
    )  # fmt: skip
    columns = ("environment", "kind", "service", "alert", "runbook", "level", "proven_days_ago",
               "proven_by")  # fmt: skip
    return Sheet(name="runbooks_stale", title=f"Not proven in {PROOF_DAYS} days", columns=columns,
                 rows=rows)  # fmt: skip
