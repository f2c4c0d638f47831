"""What runs show of a service: objectives, scenarios, alerts, capacity, rollback, runbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gameday.model.alerting import AlertWord
from gameday.model.project import Slo
from gameday.model.proof import ProofWord
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyState as State
from gameday.model.readiness_evidence import (
    AlertSeen,
    BaselineSeen,
    FailureMode,
    ProofSeen,
    ReadyEvidence,
    ReadyService,
    RunSeen,
)
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Outcome, RunStatus
from gameday.programme.readiness_pick import (
    Ask,
    Picked,
    Seen,
    of_scenario,
    pick,
    seen_record,
    seen_run,
    useless,
)

_PROVEN = (ProofWord.PROVEN, ProofWord.MANUAL)
#: Verdicts that say nothing of an alert.
_BLIND = (AlertWord.INCONCLUSIVE, AlertWord.ALREADY_FIRING)


def scenario(mode: FailureMode, ask: Ask, runs: Iterable[RunSeen]) -> Picked:
    """Whether the scenario of a failure mode passed."""
    seen = (_whole(run, ask) for run in of_scenario(runs, mode.scenario))
    return pick(seen, ask, nothing=f"no valid run of `{mode.scenario}`")


def _whole(run: RunSeen, ask: Ask) -> Seen:
    """A run by its verdict. One that was stopped can show that something failed, no more."""
    good: bool | None = None
    why = useless(run)
    stopped = run.status is RunStatus.STOPPED and run.clean
    if run.outcome is Outcome.FAIL and (run.valid or stopped):
        good = False
    elif run.valid and run.outcome is Outcome.PASS:
        good = True
    elif run.valid:
        why = f"run `{run.id}` was inconclusive: {run.reason}"
    word = "passed" if good else "failed"
    text = f"run `{run.id}` {word}" if good else f"run `{run.id}` {word}: {run.reason}"
    return seen_run(run, ask, good=good, text=text, unused=why)


def alert(mode: FailureMode, ask: Ask, runs: Iterable[RunSeen]) -> Picked:
    """Whether the alert that is expected of a failure mode was seen in time."""
    found: list[Seen] = []
    for run in of_scenario(runs, mode.scenario):
        told = [one for one in run.alerts if one.alert == mode.alert]
        if told:
            found.append(_alert_in(run, ask, mode, told))
    nothing = f"`{mode.alert}` was never tested: no valid run of `{mode.scenario}` expects it"
    return pick(found, ask, nothing=nothing)


def _alert_in(run: RunSeen, ask: Ask, mode: FailureMode, told: list[AlertSeen]) -> Seen:
    if not run.valid:
        return seen_run(run, ask, good=None, text="", unused=useless(run))
    blind = next((one for one in told if one.word in _BLIND), None)
    bad = next((text for one in told if (text := _wrong(one, mode.within_ms))), "")
    if blind is not None and not bad:
        why = f"run `{run.id}` could not say: {blind.reason}"
        return seen_run(run, ask, good=None, text="", unused=why)
    after = max((one.after_ms for one in told if one.after_ms is not None), default=None)
    took = "" if after is None else f" after {format_ms(after)}"
    text = f"`{mode.alert}` was {bad}" if bad else f"`{mode.alert}` caught it{took}"
    return seen_run(run, ask, good=not bad, text=f"{text} in run `{run.id}`")


def _wrong(one: AlertSeen, within_ms: int | None) -> str:
    """What is wrong with an alert that was looked at; empty if nothing is, or nothing was seen."""
    if one.word in _BLIND:
        return ""
    if one.word is not AlertWord.CAUGHT:
        return one.word.text
    if within_ms is not None and one.after_ms is None:
        return "caught at a time that is not known"
    if within_ms is not None and one.after_ms is not None and one.after_ms > within_ms:
        return f"late: after {format_ms(one.after_ms)}, and {format_ms(within_ms)} are allowed,"
    return ""


def objective(slo: Slo, ask: Ask, runs: Iterable[RunSeen]) -> Picked:
    """Whether an objective held in the baseline of the last run."""
    found: list[Seen] = []
    for run in runs:
        if run.baseline is None or not run.baseline.complete or not run.baseline.n:
            continue
        if not run.valid:
            # what stopped it came after its baseline
            why = useless(run)
            found.append(seen_run(run, ask, good=None, text="", unused=why, doubts=False))
            continue
        good, text = _held(slo, run.baseline)
        text = f"{text} in the baseline of run `{run.id}`"
        found.append(seen_run(run, ask, good=good, text=text, unused=text))
    return pick(found, ask, nothing="no valid run measured a baseline")


def _held(slo: Slo, seen: BaselineSeen) -> tuple[bool | None, str]:
    """By the share of good answers, and the percentile that the objective names, or the next."""
    share = seen.good / seen.n
    text = f"{format_ratio(share)} of {seen.n} good"
    if share < slo.share:
        return False, text
    if 0 < (1 - slo.share) * seen.n < 1 - 1e-9:  # not even one bad answer would be allowed
        return None, f"{seen.n} requests cannot show {format_ratio(slo.share)}"
    if slo.latency_ms is None:
        return True, text
    known = ((0.5, "p50", seen.p50_ms), (0.95, "p95", seen.p95_ms), (0.99, "p99", seen.p99_ms))
    for reach, name, value in known:
        if reach >= slo.share and value is not None:
            return value <= slo.latency_ms, f"{text}, {name} {format_ms(round(value))}"
    return None, f"too few requests for a percentile of {format_ratio(slo.share)}"


def capacity(service: ReadyService, ask: Ask, runs: Iterable[RunSeen], needed: float) -> Picked:
    """Whether *needed* arrivals a second were carried."""
    found: list[Seen] = []
    for run in runs:
        if run.capacity is None or service.capacity not in ("", run.scenario):
            continue
        if not run.valid:
            found.append(seen_run(run, ask, good=None, text="", unused=useless(run)))
            continue
        highest, broke = run.capacity.highest_per_s, run.capacity.broke_per_s
        held = "no rate held" if highest is None else f"{highest:g}/s held"
        text = f"{held} in run `{run.id}`, {needed:g}/s needed"
        good = highest is not None and highest >= needed
        if good or broke is not None:
            # it broke below what is needed, or nobody knows of the steps in between
            decided = good or (broke is not None and broke <= needed)
            found.append(seen_run(run, ask, good=good if decided else None, text=text, unused=text))
        else:
            why = f"{held} in run `{run.id}`, and nothing higher was tried"
            found.append(seen_run(run, ask, good=None, text="", unused=why))
    return pick(found, ask, nothing=f"no valid run showed {needed:g}/s")


def rollback(service: ReadyService, ask: Ask, runs: Iterable[RunSeen]) -> Picked:
    """Whether a bad release was rolled back, and how long that took."""
    found = [_rolled_back(run, ask) for run in of_scenario(runs, service.rollback)]
    found += _records(service, Item.ROLLBACK, ask)
    nothing = (
        f"no valid run of `{service.rollback}`"
        if service.rollback
        else "the service file names no `rollback` scenario, and there is no record of a rehearsal"
    )
    return pick(found, ask, nothing=nothing)


def _rolled_back(run: RunSeen, ask: Ask) -> Seen:
    whole = _whole(run, ask)
    if not whole.good:
        return whole
    if run.undone_ms is None:
        why = f"run `{run.id}` did not measure how long the rollback took"
        return seen_run(run, ask, good=None, text="", unused=why)
    within = ask.rule.within_ms
    slow = within is not None and run.undone_ms > within
    text = f"rolled back in {format_ms(run.undone_ms)} in run `{run.id}`"
    more = f", and {format_ms(within)} are allowed" if slow and within is not None else ""
    return seen_run(run, ask, good=not slow, text=text + more)


def escalation(service: ReadyService, ask: Ask, runs: Iterable[RunSeen]) -> Picked:
    """Whether somebody was reached: in a run that followed a runbook to its end, or in a drill."""
    found = list(_records(service, Item.ESCALATION, ask))
    for run in runs:
        for proof in run.proofs:
            if proof.escalated_ms is None:
                continue
            if not run.valid:
                found.append(seen_run(run, ask, good=None, text="", unused=useless(run)))
                continue
            within = proof.escalate_within_ms
            slow = within is not None and proof.escalated_ms > within
            text = f"escalated after {format_ms(proof.escalated_ms)} in run `{run.id}`"
            more = f", and {format_ms(within)} were allowed" if slow and within is not None else ""
            found.append(seen_run(run, ask, good=not slow, text=text + more))
    return pick(found, ask, nothing="no run escalated, and there is no record of a drill")


def recorded(item: Item, service: ReadyService, ask: Ask) -> Picked:
    """What only people can show: a restore test, a tabletop."""
    records = _records(service, item, ask)
    return pick(records, ask, nothing=f"there is no record of it (`item: {item.value}`)")


def _records(service: ReadyService, item: Item, ask: Ask, subject: str = "") -> Iterator[Seen]:
    for record in service.records:
        if record.item is item and record.subject == subject:
            yield seen_record(record, ask)


def proof(path: str, evidence: ReadyEvidence, service: ReadyService, ask: Ask) -> Picked:
    """Whether a runbook, as it stands now, was shown to work."""
    now = evidence.runbooks.get(path)
    found = list(_records(service, Item.RUNBOOK_PROOF, ask, path))
    for run in evidence.runs:
        found += [
            _proof_in(run, one, ask, now.content_sha256 if now is not None else "")
            for one in run.proofs
            if one.path == path
        ]
    if now is None or now.problem:
        why = "it is not there" if now is None else now.problem
        return Picked(state=State.NOT_MET, reason=why)
    return pick(found, ask, nothing="nobody followed it in a run or a drill")


def _proof_in(run: RunSeen, one: ProofSeen, ask: Ask, sha256: str) -> Seen:
    good: bool | None = one.word in _PROVEN
    why = ""
    if one.word is ProofWord.NOT_ASSESSABLE or not run.valid:
        good, why = None, useless(run) or f"run `{run.id}` could not assess it"
    elif not one.content_sha256 or one.content_sha256 != sha256:
        good, why = None, f"its text has changed since run `{run.id}`"
    text = f"{one.word.value.replace('_', ' ')} in run `{run.id}`"
    return seen_run(run, ask, good=good, text=text, unused=why)
