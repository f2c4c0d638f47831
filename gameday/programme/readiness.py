"""GO, GO WITH CONDITIONS, NO-GO or NOT ENOUGH EVIDENCE, from a dated matrix of evidence. Pure.

The same evidence gives the same answer. Evidence that is taken away, or only grows older, never
makes it better. There is no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gameday.model.readiness import (
    READINESS_SCHEMA,
    Readiness,
    ReadyChange,
    ReadyCondition,
    ReadyPart,
    ReadyRow,
    VoidWaiver,
)
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyState as State
from gameday.model.readiness import ReadyWord as Word
from gameday.model.readiness_evidence import ReadyEvidence, ReadyService, Waiver
from gameday.model.readiness_policy import ReadyPolicy
from gameday.model.units import format_ratio
from gameday.programme.readiness_parts import TITLES, Case, asked_of, end_of, moment, rows_of

#: The rows of these are counted, and a share of them is asked.
_SHARES = (Item.RUNBOOK_COVERAGE, Item.RUNBOOK_PROOF)
#: These always apply: no service is without.
ALWAYS = (Item.SLO, Item.FINDINGS)
_OPEN = (State.NOT_MET, State.NOT_MEASURED)


def assess(
    service: ReadyService, policy: ReadyPolicy, evidence: ReadyEvidence, *, gameday: str
) -> Readiness:
    """The answer for one version of a service. *gameday* is our own version."""
    rules = policy.rules(service.tier)
    good, void = _sorted_waivers(evidence.waivers, policy, evidence)
    waivers = [one for one in good if rules[one.item].waivable]
    void += [_void(w, "this tier may not go without") for w in good if w not in waivers]
    cases = {
        item: Case(service=service, evidence=evidence, rule=rules[item], policy=policy)
        for item in Item
    }
    parts = [_part(item, case, waivers) for item, case in cases.items()]
    void += _for_nothing(parts, waivers)
    counted = {
        cited.what
        for part in parts
        for row in part.rows
        if row.state is State.MET
        for cited in row.evidence
        if cited.environment
    }
    answer, reason = _answer(parts, runs=len(counted))
    conditions = tuple(_conditions(parts, waivers, evidence))
    ends = sorted(part.valid_until for part in parts if part.valid_until)
    go = answer in (Word.GO, Word.CONDITIONS)
    return Readiness(
        schema=READINESS_SCHEMA,
        gameday=gameday,
        service=service.name,
        version=evidence.version,
        tier=service.tier,
        owner=service.owner,
        answer=answer,
        reason=reason,
        made=moment(evidence.now),
        valid_until=ends[0] if go and ends else "",
        conditions=conditions,
        items=tuple(parts),
        changes=tuple(_changes(parts)),
        void_waivers=tuple(void),
        runs_looked_at=len(evidence.runs),
        runs_counted=len(counted),
        notes=(*evidence.notes, *_notes(service, evidence)),
    )


def _answer(parts: Sequence[ReadyPart], *, runs: int) -> tuple[Word, str]:
    """The word, and one sentence. Nothing that was not shown is part of a GO."""
    by_state = {state: [p for p in parts if p.state is state] for state in State}
    if failed := by_state[State.NOT_MET]:
        return Word.NO_GO, f"not met: {_titles(failed)}"
    if unknown := by_state[State.NOT_MEASURED]:
        return Word.NOT_ENOUGH, f"not measured: {_titles(unknown)}"
    if not runs:
        return Word.NOT_ENOUGH, "no run of this version counts"
    if waived := by_state[State.WAIVED]:
        return Word.CONDITIONS, f"waived: {_titles(waived)}"
    n = len(by_state[State.MET])
    if any(row.state is State.WAIVED for part in parts for row in part.rows):
        return Word.CONDITIONS, "everything that applies is met, a part of it by leave"
    return Word.GO, f"everything that applies is met: {n} items"


def _titles(parts: Iterable[ReadyPart]) -> str:
    return ", ".join(part.item.value.replace("_", " ") for part in parts)


def _part(item: Item, case: Case, waivers: Sequence[Waiver]) -> ReadyPart:
    title, rule, service = TITLES[item], case.rule, case.service
    why = service.not_applicable.get(item, "") if item not in ALWAYS else ""
    if not rule.required:
        why = f"not asked of tier {service.tier}"
    if why:
        return ReadyPart(
            item=item,
            title=title,
            asked="",
            state=State.NOT_APPLICABLE,
            reason=why,
            rows=(),
            valid_until="",
        )
    mine = [one for one in waivers if one.item is item]
    rows = tuple(_waived(row, mine) for row in rows_of(item, case))
    state, reason = _fold(rows, rule.at_least if item in _SHARES else None)
    whole = next((one for one in mine if not one.subject), None)
    if state in _OPEN and whole is not None:
        state, reason = State.WAIVED, _waived_words(whole, reason)
    ends = [row.valid_until for row in rows if row.valid_until]
    if state is State.WAIVED and whole is not None:
        ends.append(moment(end_of(whole.expires)))
    return ReadyPart(
        item=item,
        title=title,
        asked=asked_of(item, rule),
        state=state,
        reason=reason,
        rows=rows,
        valid_until="" if state in _OPEN else min(ends, default=""),
    )


def _waived(row: ReadyRow, waivers: Sequence[Waiver]) -> ReadyRow:
    """A row that is open, and that a waiver names, is waived."""
    found = next((one for one in waivers if one.subject == row.subject), None)
    if found is None or row.state not in _OPEN:
        return row
    return replace(
        row,
        state=State.WAIVED,
        reason=_waived_words(found, row.reason),
        valid_until=moment(end_of(found.expires)),
    )


def _waived_words(waiver: Waiver, reason: str) -> str:
    return f"waived by {waiver.approver} until {waiver.expires.isoformat()}: {reason}"


def _fold(rows: Sequence[ReadyRow], at_least: float | None) -> tuple[State, str]:
    """The state of the whole: all rows, or the share of them that is asked.

    What is open could still turn out well, so a share that is not reached is not met only if it
    could not be reached at all.
    """
    n = {state: sum(row.state is state for row in rows) for state in State}
    asked = len(rows) - n[State.NOT_APPLICABLE]
    if not asked:
        return State.NOT_APPLICABLE, rows[0].reason
    needed = asked if at_least is None else at_least * asked
    said = f"{n[State.MET]} of {asked}"
    if at_least is not None:
        said = f"{said}, {format_ratio(at_least)} asked"
    reached = 0
    for state in (State.MET, State.WAIVED, State.NOT_MEASURED):
        reached += n[state]
        if reached >= needed - 1e-9 and (state is State.MET or n[state]):
            return state, _reason(rows, state, said)
    return State.NOT_MET, _reason(rows, State.NOT_MET, said)


def _reason(rows: Sequence[ReadyRow], state: State, said: str) -> str:
    """Of a single row its own reason; else how many, and the first that decides."""
    if len(rows) == 1:
        return rows[0].reason
    first = next((row for row in rows if row.state is state), None)
    if state is State.MET or first is None:
        return said
    return f"{said}; {first.subject}: {first.reason}"


def _sorted_waivers(
    waivers: Iterable[Waiver], policy: ReadyPolicy, evidence: ReadyEvidence
) -> tuple[list[Waiver], list[VoidWaiver]]:
    """Those that count, and the others with why they do not."""
    good: list[Waiver] = []
    void: list[VoidWaiver] = []
    for one in waivers:
        why = _why_void(one, policy, evidence)
        if why:
            void.append(_void(one, why))
        else:
            good.append(one)
    return good, void


def _why_void(one: Waiver, policy: ReadyPolicy, evidence: ReadyEvidence) -> str:
    roles = ", ".join(f"`{role}`" for role in policy.approvers)
    if one.version and one.version != evidence.version:
        return f"it is for version {one.version}"
    if one.expires < evidence.now.date():
        return f"it ended on {one.expires.isoformat()}"
    if not one.reason.strip() or not one.owner.strip():
        return "it has no reason, or no owner"
    if not one.approver.strip():
        return f"nobody approved it; the roles that may are {roles}"
    if one.approver not in policy.approvers:
        return f"`{one.approver}` may not approve it; the roles that may are {roles}"
    if one.approver == one.owner:
        return "its owner approved it"
    return ""


def _for_nothing(parts: Sequence[ReadyPart], waivers: Sequence[Waiver]) -> Iterator[VoidWaiver]:
    """Waivers of rows that there are not: mostly a slip of the pen."""
    for part in parts:
        names = [row.subject for row in part.rows]
        for one in waivers:
            if one.item is part.item and one.subject and one.subject not in names and names:
                rows = ", ".join(f"`{name}`" for name in names)
                yield _void(one, f"there is no `{one.subject}`; there are {rows}")


def _void(one: Waiver, why: str) -> VoidWaiver:
    return VoidWaiver(item=one.item, subject=one.subject, why=why, where=one.where)


def _conditions(
    parts: Sequence[ReadyPart], waivers: Sequence[Waiver], evidence: ReadyEvidence
) -> Iterator[ReadyCondition]:
    """The waivers that were needed, and the accepted risks of findings."""
    for part in parts:
        needed = {row.subject for row in part.rows if row.state is State.WAIVED}
        for one in waivers:
            whole = not one.subject and part.state is State.WAIVED
            if one.item is part.item and (whole or one.subject in needed):
                yield ReadyCondition(
                    item=one.item,
                    subject=one.subject,
                    reason=one.reason,
                    owner=one.owner,
                    approver=one.approver,
                    until=one.expires.isoformat(),
                    where=one.where,
                )
        if part.item is Item.FINDINGS:
            named = {one.subject for one in waivers if one.item is Item.FINDINGS}
            yield from _accepted(needed - named, evidence)


def _accepted(ids: set[str], evidence: ReadyEvidence) -> Iterator[ReadyCondition]:
    for one in evidence.findings or ():
        if one.id in ids and one.accepted_until is not None:
            yield ReadyCondition(
                item=Item.FINDINGS,
                subject=one.id,
                reason=f"risk accepted: {one.title}",
                owner=one.owner,
                approver=one.approver,
                until=one.accepted_until.isoformat(),
                where=one.id,
            )


def _changes(parts: Sequence[ReadyPart]) -> Iterator[ReadyChange]:
    """What would have to change, each thing once. Of items that are fine nothing has to."""
    wanted: dict[str, list[tuple[str, ReadyRow]]] = {}
    for state in _OPEN:
        for part in parts:
            for row in part.rows if part.state in _OPEN else ():
                if row.state is state:
                    about = f"{part.item.value}/{row.subject}"
                    wanted.setdefault(row.command or row.change, []).append((about, row))
    for rows in wanted.values():
        first = rows[0][1]
        yield ReadyChange(
            about=tuple(about for about, _ in rows),
            state=first.state,
            what="; ".join(dict.fromkeys(row.change for _, row in rows)),
            command=first.command,
        )


def _notes(service: ReadyService, evidence: ReadyEvidence) -> Iterator[str]:
    """What nobody asked of the evidence, and should know."""
    broken = {target for run in evidence.runs if run.valid for target in run.targets}
    left = [name for name in service.dependencies if name not in broken]
    if left:
        yield f"dependencies that no valid run has broken: {', '.join(left)}"
    late = [run.id for run in evidence.runs if run.ended > evidence.now]
    if late:
        yield f"runs that ended after this was asked, and do not count: {', '.join(late)}"
