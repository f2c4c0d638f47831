"""The steps of a runbook as a run did them, and whether the next one is to be done at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.proof import Arm, RunbookProof, RunbookStep

_INSIDE = (Arm.FAULT, Arm.MITIGATE, Arm.VERIFY, Arm.ESCALATE, Arm.UNDO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One step in one arm. `passed` None: not known, see `why`. `skipped`: why it was left out."""

    step: RunbookStep
    arm: Arm
    begun_ms: int
    ended_ms: int | None = None
    passed: bool | None = None
    skipped: str = ""
    why: str = ""
    exit: int | None = None
    ms: int = 0
    tries: int = 0
    output: str = ""
    answered: str = ""  # of a step for people: done, changed or failed
    evidence: tuple[int, ...] = ()

    @property
    def tried(self) -> bool:
        """Whether it was begun, and may have done something."""
        return not self.skipped


def done_steps(proof: RunbookProof, timeline: Timeline) -> tuple[Done, ...]:
    """Every step of *proof* that the run came to, in order."""
    by_name = {step.name: step for step in proof.steps}
    events = timeline.of("runbook.step", proof.path)
    ends = {e.cause: e for e in events if e.phase is not Phase.STARTED}
    found = []
    for event in events:
        step = by_name.get(str(event.data.get("name")))
        if event.phase is Phase.STARTED and step is not None:
            found.append(_done(step, event, ends.get(event.seq)))
    return tuple(found)


def of(done: Iterable[Done], *arms: Arm) -> tuple[Done, ...]:
    """Those of *arms* that were not left out."""
    return tuple(one for one in done if one.arm in arms and one.tried)


def discriminating(proof: RunbookProof, done: Iterable[Done]) -> tuple[str, ...]:
    """Steps of the diagnosis that were false when all was well, and true with the fault in."""
    done = tuple(done)
    healthy = {d.step.name: d.passed for d in of(done, Arm.BASELINE)}
    broken = {d.step.name: d.passed for d in of(done, Arm.FAULT)}
    return tuple(
        step.name
        for step in proof.of("diagnose")
        if healthy.get(step.name) is False and broken.get(step.name) is True
    )


def why_not(
    plan: Plan, proof: RunbookProof, step: RunbookStep | None, arm: Arm, timeline: Timeline
) -> str:
    """Why a step is not to be done now; empty if it is. None is the look at load and alerts."""
    if arm is not Arm.ROLLBACK and timeline.first("stop.tripped") is not None:
        return "the run was stopped"
    done = tuple(one for one in done_steps(proof, timeline) if one.ended_ms is not None)
    if arm in _INSIDE and arm is not Arm.UNDO and _is_out(proof, timeline):
        return "the fault was out already"
    why = next(_reasons(proof, step, arm, done, timeline), "")
    if not why and step is not None and may_change(step) and not plan.run_runbooks:
        why = "it may change something, and the run was not told `--run-runbooks`"
    return why


def may_change(step: RunbookStep) -> bool:
    """Whether gameday runs it only when told so: by what it is for, whatever its words are."""
    looks = step.manual or step.phase in ("diagnose", "verify")
    return step.mutates or not looks


def mitigated_by(fault: str, timeline: Timeline) -> str:
    """The runbook that mitigated *fault*, or the role that said so; empty if none did."""
    event = timeline.first("runbook.mitigated", fault)
    if event is not None:
        return str(event.data.get("runbook", ""))
    gate = timeline.first("gate.opened", "mitigated")
    return "" if gate is None else str(gate.data.get("by", "somebody"))


def _reasons(
    proof: RunbookProof,
    step: RunbookStep | None,
    arm: Arm,
    done: tuple[Done, ...],
    timeline: Timeline,
) -> Iterator[str]:
    by = mitigated_by(proof.fault, timeline)
    acted = of(done, Arm.MITIGATE)
    match arm:
        case Arm.MITIGATE:
            yield from _no_mitigation(proof, done, by)
        case Arm.VERIFY:
            yield from _no_verification(step, done)
        case Arm.ESCALATE if by:
            yield "nobody had to be called: it was mitigated"
        case Arm.UNDO | Arm.ROLLBACK if not acted:
            yield "there is nothing to roll back"
        case Arm.UNDO if by == proof.path:
            yield "it helped, and stays until the fault is out"
        case Arm.ROLLBACK:
            undone = {one.step.name for one in of(done, Arm.UNDO) if one.passed}
            if step is not None and step.name in undone:
                yield "it was rolled back already"
        case _:
            return


def _no_mitigation(proof: RunbookProof, done: tuple[Done, ...], by: str) -> Iterator[str]:
    if by:
        yield f"`{by}` had mitigated it already"
    if not discriminating(proof, done):
        yield "its diagnosis does not tell that this is the problem"
    if any(one.passed is not True for one in of(done, Arm.MITIGATE)):
        yield "the step before it did not succeed"


def _no_verification(step: RunbookStep | None, done: tuple[Done, ...]) -> Iterator[str]:
    acted = of(done, Arm.MITIGATE)
    if not acted:
        yield "nothing was done that could be verified"
    if any(one.passed is not True for one in acted):
        yield "the mitigation did not succeed"
    if step is None and any(one.passed is not True for one in of(done, Arm.VERIFY)):
        yield "what it verifies does not hold"


def _is_out(proof: RunbookProof, timeline: Timeline) -> bool:
    return timeline.first("fault.revert", proof.fault, phase=Phase.STARTED) is not None


def _done(step: RunbookStep, begun: Event, ended: Event | None) -> Done:
    data = ended.data if ended is not None else {}
    passed = data.get("passed")
    why = str(data.get("why") or data.get("error") or "")
    if ended is None:
        why = "its end is not in the journal"
    return Done(
        step=step,
        arm=Arm(str(begun.data.get("arm"))),
        begun_ms=begun.at_ms,
        ended_ms=None if ended is None else ended.at_ms,
        passed=passed if isinstance(passed, bool) else None,
        skipped=str(data.get("skipped", "")),
        why=why,
        exit=data.get("exit"),
        ms=int(data.get("ms", 0)),
        tries=int(data.get("tries", 0)),
        output=str(data.get("output", "")),
        answered=str(data.get("answered", "")),
        evidence=(begun.seq,) if ended is None else (begun.seq, ended.seq),
    )
