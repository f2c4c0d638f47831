"""The steps of runbooks in a plan: a chain through the run, each after the one before has ended.

The diagnosis is asked in the baseline, and again with the fault in, from the moment when an alert
that leads to a runbook fires. Then each runbook in turn: mitigation, verification, a look at load
and alerts, and where that did not help the escalation and the rollback. Once the fault is out comes
the rollback of what helped, and after the recovery the diagnosis once more. Whether a step is to be
done at all is decided when it is due, see `gameday.kpi.proof_steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gameday.model.event import Phase
from gameday.model.plan import Step, Trigger, When
from gameday.model.proof import Arm, RunbookProof, RunbookStep
from gameday.model.scenario import FaultSpec, Scenario

LANE = "runbook.step"
#: What a step, or the look at load and alerts, may take beyond its own limit before it is given up.
MARGIN_MS = 10_000
_ENDS = (Phase.OK, Phase.FAILED, Phase.UNKNOWN)
#: The gate that a person opens who has mitigated a fault that is held in.
GATE = "mitigated"


def runbook_steps(scenario: Scenario, proofs: Sequence[RunbookProof]) -> tuple[Step, ...]:
    """Every step of every runbook, in order. Empty when none is to be proven."""
    proofs = tuple(proof for proof in proofs if proof.runs)
    if not proofs:
        return ()
    baseline = list(_asked(proofs, Arm.BASELINE))
    fault = [*_asked(proofs, Arm.FAULT), *(s for p in proofs for s in _mitigation(p))]
    rollback = [
        replace(_step(proof, step, Arm.ROLLBACK), always=True)
        for proof in proofs
        for step in proof.of("rollback")
    ]
    after = list(_asked(proofs, Arm.AFTER))
    return (
        *_chained(baseline, (_noted("run.phase", "baseline"),)),
        *_chained(fault, _begins(proofs)),
        *_chained(rollback, _and(_ended(fault[-1:]), _out(proofs[0]))),
        *_chained(after, _and(_ended(rollback[-1:]), _noted("run.phase", "end"))),
    )


def held_by(steps: Sequence[Step], arm: Arm) -> tuple[When, ...]:
    """When all steps of *arm* have ended, however; one that is always true if there are none."""
    return _ended([step for step in steps if step.data.get("arm") == arm][-1:])


def after_all(when: When, ended: Sequence[When]) -> tuple[When, ...]:
    """*when*, and one of *ended*."""
    return _and(ended, when)


def released(fault: FaultSpec) -> tuple[When, ...]:
    """When a fault that is held in is taken out before its time."""
    if not fault.hold:
        return ()
    injected = Trigger(kind="fault.inject", subject=fault.id)
    mitigated = Trigger(kind="runbook.mitigated", subject=fault.id, phase=Phase.NOTED)
    gate = Trigger(kind="gate.opened", subject=GATE, phase=Phase.NOTED)
    return (When(all_of=(injected, mitigated)), When(all_of=(injected, gate)))


def longest_ms(steps: Sequence[Step]) -> int:
    """How long all that is outside of the fault phase may take."""
    inside = (Arm.FAULT, Arm.MITIGATE, Arm.VERIFY, Arm.ESCALATE, Arm.UNDO)
    return sum(step.limit_ms for step in steps if step.data.get("arm") not in inside) + max(
        (step.limit_ms for step in steps), default=0
    )


def _asked(proofs: Sequence[RunbookProof], arm: Arm) -> Iterator[Step]:
    """The diagnosis of all runbooks; afterwards also what verifies without changing anything."""
    for proof in proofs:
        for step in proof.of("diagnose"):
            yield _step(proof, step, arm)
        for step in proof.of("verify") if arm is Arm.AFTER else ():
            if not (step.mutates or step.manual):
                yield _step(proof, step, arm)


def _mitigation(proof: RunbookProof) -> Iterator[Step]:
    for step in proof.of("mitigate"):
        yield _step(proof, step, Arm.MITIGATE)
    for step in proof.of("verify"):
        yield _step(proof, step, Arm.VERIFY)
    if proof.of("mitigate"):
        yield Step(
            id=f"runbook.watch:{proof.path}",
            verb="runbook.watch",
            subject=proof.path,
            lane=LANE,
            limit_ms=proof.within_ms + MARGIN_MS,
            data={"arm": Arm.VERIFY.value},
        )
    for step in proof.of("escalate"):
        yield _step(proof, step, Arm.ESCALATE)
    for step in proof.of("rollback"):
        yield _step(proof, step, Arm.UNDO)


def _step(proof: RunbookProof, step: RunbookStep, arm: Arm) -> Step:
    waits_ms = step.timeout_ms * (2 if step.approve else 1)
    return Step(
        id=f"runbook.step:{proof.path}:{arm.value}:{step.name}",
        verb="runbook.step",
        subject=proof.path,
        lane=LANE,
        limit_ms=waits_ms + MARGIN_MS,
        data={"arm": arm.value, "name": step.name, "sha256": step.sha256},
    )


def _chained(steps: Sequence[Step], first: Sequence[When]) -> Iterator[Step]:
    """Each after the one before, the first at *first*."""
    when = tuple(first)
    for step in steps:
        yield replace(step, when=when)
        when = _ended([step])


def _begins(proofs: Sequence[RunbookProof]) -> tuple[When, ...]:
    """When somebody would begin: an alert fires that leads here, or its time is over."""
    injected = Trigger(kind="fault.inject", subject=proofs[0].fault)
    alerts = dict.fromkeys(name for proof in proofs for name in proof.alerts)
    fires = (Trigger(kind="alert.firing", subject=a, phase=Phase.NOTED) for a in alerts)
    latest = When(all_of=(injected,), delay_ms=max(proof.begin_ms for proof in proofs))
    return (*(When(all_of=(injected, alert)) for alert in fires), latest)


def _out(proof: RunbookProof) -> When:
    return When(all_of=(Trigger(kind="fault.revert", subject=proof.fault),))


def _noted(kind: str, subject: str) -> When:
    return When(all_of=(Trigger(kind=kind, subject=subject, phase=Phase.NOTED),))


def _ended(steps: Sequence[Step]) -> tuple[When, ...]:
    """Due when the last of *steps* has ended, however it did."""
    if not steps:
        return (When(),)
    last = steps[-1]
    return tuple(
        When(all_of=(Trigger(kind=last.verb, subject=last.subject, phase=end, step=last.id),))
        for end in _ENDS
    )


def _and(ended: Sequence[When], when: When) -> tuple[When, ...]:
    return tuple(replace(when, all_of=(*when.all_of, *one.all_of)) for one in ended)
