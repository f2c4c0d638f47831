"""What a run showed of a runbook: one word for it, with the reason and every step.

The recovery is taken from the load, while the fault is in: a service that is well because the fault
was taken out says nothing about the runbook.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gameday.kpi.proof_steps import (
    Done,
    discriminating,
    done_steps,
    mitigated_by,
    of,
)
from gameday.kpi.seen import sightings_of
from gameday.kpi.spans import FaultSpan, faults_of, windows_of
from gameday.kpi.stats import ticks_of
from gameday.kpi.steady import Slices, healthy_at, steady_again
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.proof import Arm, ProofWord, RunbookProof
from gameday.model.units import format_ms
from gameday.model.verdict import Outcome

_OUTCOMES = {
    ProofWord.PROVEN: Outcome.PASS,
    ProofWord.MANUAL: Outcome.PASS,
    ProofWord.NOT_ASSESSABLE: Outcome.INCONCLUSIVE,
}
_NOT_FOUND = (126, 127)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The verdict on one runbook. Times count from the beginning of its mitigation."""

    runbook: RunbookProof
    word: ProofWord
    why: str
    outcome: Outcome
    steps: tuple[Done, ...] = ()
    worthless: tuple[str, ...] = ()  # steps of the diagnosis that say the same in both
    begun_ms: int | None = None  # run time
    verified_ms: int | None = None
    steady_ms: int | None = None
    resolved_ms: int | None = None
    escalated_ms: int | None = None  # since the diagnosis began
    notes: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()


def proof_of(plan: Plan, runbook: RunbookProof, timeline: Timeline) -> Proof:
    """What *timeline* shows of *runbook*."""
    for word, why in (
        (ProofWord.UNSAFE, runbook.unsafe),
        (ProofWord.NOT_EXECUTABLE, runbook.problem),
        (ProofWord.NOT_ASSESSABLE, runbook.blocked),
    ):
        if why:
            return Proof(runbook=runbook, word=word, why=why, outcome=_outcome(word))
    return _Look(plan, runbook, timeline).proof()


def _outcome(word: ProofWord) -> Outcome:
    return _OUTCOMES.get(word, Outcome.FAIL)


@dataclass(frozen=True, slots=True)
class _Healed:
    """What became of load and alerts after a mitigation. `known` False: it cannot be said."""

    steady_ms: int | None = None
    resolved_ms: int | None = None
    was_ill: bool | None = None
    known: bool = True
    why: str = ""


class _Look:
    """One runbook in one run."""

    def __init__(self, plan: Plan, runbook: RunbookProof, timeline: Timeline) -> None:
        self._plan, self._runbook, self._timeline = plan, runbook, timeline
        self._done = done_steps(runbook, timeline)
        self._tells = discriminating(runbook, self._done)
        faults = {fault.id: fault for fault in faults_of(plan, timeline)}
        self._fault = faults.get(runbook.fault) or FaultSpan(id=runbook.fault, target="")

    def proof(self) -> Proof:
        """The first word that applies."""
        acted = of(self._done, Arm.MITIGATE)
        verified = of(self._done, Arm.VERIFY)
        begun_ms = acted[0].begun_ms if acted else None
        healed = self._healed(begun_ms) if acted else _Healed()
        word, why = next(self._words(acted, verified, healed))
        outcome = _outcome(word)
        if word is ProofWord.DIAGNOSES_ONLY and self._runbook.of("mitigate"):
            outcome = Outcome.INCONCLUSIVE  # it was not tried
        ends = [v.ended_ms for v in verified if v.ended_ms is not None]
        made = Proof(
            runbook=self._runbook,
            word=word,
            why=why,
            outcome=outcome,
            steps=self._done,
            worthless=self._worthless(),
            begun_ms=begun_ms,
            escalated_ms=self._escalated_ms(),
            notes=tuple(self._notes()),
            evidence=tuple(seq for one in self._done for seq in one.evidence),
        )
        if begun_ms is None:
            return made
        return replace(
            made,
            verified_ms=max(ends) - begun_ms if ends and len(ends) == len(verified) else None,
            steady_ms=_since(healed.steady_ms, begun_ms),
            resolved_ms=_since(healed.resolved_ms, begun_ms),
        )

    def _words(
        self, acted: Sequence[Done], verified: Sequence[Done], healed: _Healed
    ) -> Iterator[tuple[ProofWord, str]]:
        yield from self._before(acted)
        yield from self._tried(acted, verified)
        yield from self._helped(healed, verified)
        yield from self._after()
        people = [d.step.name for d in self._done if d.step.manual and d.tried]
        took = format_ms((healed.steady_ms or 0) - acted[0].begun_ms)
        told = f"with the fault in, the load was steady {took} after its mitigation began"
        if people:
            yield ProofWord.MANUAL, f"{told}; people did {', '.join(people)}"
        yield ProofWord.PROVEN, f"its diagnosis tells, and {told}"

    def _before(self, acted: Sequence[Done]) -> Iterator[tuple[ProofWord, str]]:
        """What is wrong without any mitigation."""
        asked = of(self._done, Arm.BASELINE, Arm.FAULT)
        missing = [d for d in asked if d.exit in _NOT_FOUND and d.step.expect_exit != d.exit]
        if missing:
            name = missing[0].step.name
            said = missing[0].output.strip().splitlines()[-1:] or [missing[0].why]
            yield ProofWord.NOT_EXECUTABLE, f"`{name}` needs what is not here: {said[0]}"
        unknown = [d for d in asked if d.passed is None]
        if unknown and not self._tells:
            yield ProofWord.NOT_ASSESSABLE, f"`{unknown[0].step.name}`: {unknown[0].why}"
        if not self._tells:
            yield from self._not_asked()
            answers = {d.passed for d in of(self._done, Arm.FAULT)}
            same = "yes" if answers == {True} else "no" if answers == {False} else "no better"
            yield (
                ProofWord.NON_DISCRIMINATING,
                f"its diagnosis says {same} with the fault in, and the same without",
            )
        if not acted:
            yield self._not_tried()

    def _not_asked(self) -> Iterator[tuple[ProofWord, str]]:
        """Whether a step of the diagnosis that was not asked may have told."""
        for arm in (Arm.BASELINE, Arm.FAULT):
            asked = {d.step.name for d in of(self._done, arm)}
            skipped = {d.step.name: d.skipped for d in self._done if d.arm is arm}
            for step in self._runbook.of("diagnose"):
                if step.name not in asked:
                    why = skipped.get(step.name) or "the run did not come to it"
                    told = f"`{step.name}` of its diagnosis was not asked: {why}"
                    yield ProofWord.NOT_ASSESSABLE, told

    def _not_tried(self) -> tuple[ProofWord, str]:
        """Why no step of the mitigation was begun."""
        skipped = next((d.skipped for d in self._done if d.arm is Arm.MITIGATE), "")
        if not self._runbook.of("mitigate"):
            return ProofWord.DIAGNOSES_ONLY, "its mitigation has no step that could be run"
        by = mitigated_by(self._runbook.fault, self._timeline)
        if by and by != self._runbook.path:
            return ProofWord.NOT_ASSESSABLE, skipped or f"`{by}` had mitigated it already"
        if not self._plan.run_runbooks:
            return (
                ProofWord.DIAGNOSES_ONLY,
                "its mitigation was not run: the run was not told `--run-runbooks`",
            )
        return ProofWord.NOT_ASSESSABLE, skipped or "the run did not come to its mitigation"

    def _tried(
        self, acted: Sequence[Done], verified: Sequence[Done]
    ) -> Iterator[tuple[ProofWord, str]]:
        """What the steps themselves say."""
        wanted = self._runbook.of("verify")
        for one in (*acted, *verified):
            if one.step.manual and not one.answered:
                yield ProofWord.NOT_ASSESSABLE, f"nobody answered for `{one.step.name}`: {one.why}"
            if one.passed is None:
                yield ProofWord.NOT_ASSESSABLE, f"`{one.step.name}`: {one.why}"
            if one.passed is False:
                what = "its mitigation" if one.arm is Arm.MITIGATE else "what it verifies"
                yield ProofWord.INEFFECTIVE, f"{what} failed: `{one.step.name}`: {one.why}"
        if len(acted) < len(self._runbook.of("mitigate")) or len(verified) < len(wanted):
            left = next(
                (
                    d.skipped
                    for d in self._done
                    if d.skipped and d.arm in (Arm.MITIGATE, Arm.VERIFY)
                ),
                "",
            )
            yield ProofWord.NOT_ASSESSABLE, f"not all of its steps were done: {left}"

    def _helped(self, healed: _Healed, verified: Sequence[Done]) -> Iterator[tuple[ProofWord, str]]:
        """What the load and the alerts say."""
        if healed.was_ill is False:
            yield (
                ProofWord.NOT_ASSESSABLE,
                "neither load nor alert showed a problem when its mitigation began",
            )
        begun_ms = of(self._done, Arm.MITIGATE)[0].begun_ms
        until_ms = self._until_ms()
        if not healed.known:
            yield ProofWord.NOT_ASSESSABLE, healed.why
        if healed.steady_ms is None or healed.why:
            waited_ms = until_ms - begun_ms
            if waited_ms < self._runbook.within_ms:
                told = f"only {format_ms(waited_ms)} with the fault in after its mitigation"
                yield ProofWord.NOT_ASSESSABLE, f"there were {told}, and {healed.why}"
            told = f"in the {format_ms(waited_ms)} for which that was waited"
            yield ProofWord.INEFFECTIVE, f"{healed.why} {told}"
        times = [healed.steady_ms, healed.resolved_ms, *(v.ended_ms for v in verified)]
        took_ms = max(t for t in times if t is not None) - begun_ms
        if took_ms > self._runbook.within_ms:
            allowed = format_ms(self._runbook.within_ms)
            yield ProofWord.TOO_SLOW, f"it took {format_ms(took_ms)}, allowed are {allowed}"
        off_ms = self._fault.off_asked_ms
        for one in (*of(self._done, Arm.MITIGATE), *verified):
            if off_ms is not None and one.ended_ms is not None and one.ended_ms > off_ms:
                late = f"`{one.step.name}` ended after the fault was taken out"
                yield ProofWord.NOT_ASSESSABLE, late

    def _after(self) -> Iterator[tuple[ProofWord, str]]:
        """Whether all is as it was at the start."""
        for one in of(self._done, Arm.ROLLBACK):
            if one.passed is not True:
                yield ProofWord.NOT_ROLLED_BACK, f"`{one.step.name}` failed: {one.why}"
        skipped = {d.step.name: d.skipped for d in self._done if d.arm is Arm.ROLLBACK}
        for name in self._open():
            why = skipped.get(name) or "the run did not come to it"
            yield ProofWord.NOT_ROLLED_BACK, f"`{name}` was not done: {why}"
        for one in of(self._done, Arm.AFTER):
            looks = one.step.phase == "diagnose"
            if looks and one.step.name in self._tells and one.passed is not False:
                what = "still shows the problem after the rollback"
                yield ProofWord.NOT_ROLLED_BACK, f"`{one.step.name}` {what}"
            if not looks and one.passed is not True:
                yield ProofWord.NOT_ROLLED_BACK, f"`{one.step.name}` fails after the rollback"
        asked = {one.step.name for one in of(self._done, Arm.AFTER)}
        for step in self._runbook.steps:
            verifies = step.phase == "verify" and not (step.mutates or step.manual)
            if (verifies or step.name in self._tells) and step.name not in asked:
                left = f"`{step.name}` was not asked after the fault was out"
                yield ProofWord.NOT_ASSESSABLE, left

    def _healed(self, begun_ms: int | None) -> _Healed:
        """What became of the load until the end of the fault, by the baseline's conditions."""
        baseline = windows_of(self._timeline).get("baseline")
        criteria = self._plan.scenario.expect.baseline
        if begun_ms is None or baseline is None or not criteria:
            return _Healed(known=False, why="there is no baseline with which to compare the load")
        until_ms = self._until_ms()
        slices = Slices(ticks_of(self._timeline))
        again = steady_again(
            slices, criteria, baseline=baseline, off_ms=begun_ms, until_ms=until_ms
        )
        firing = [
            s
            for s in sightings_of(self._timeline)
            if s.alert in self._runbook.alerts and s.firing_at(begun_ms)
        ]
        ends = [s.ended_ms for s in firing]
        stuck = [s.alert for s in firing if s.ended_ms is None or s.ended_ms > until_ms]
        ill = bool(firing) or healthy_at(slices, criteria, begun_ms) is False
        why = f"`{stuck[0]}` did not resolve" if stuck else ""
        if again.at_ms is None and not again.known:
            return _Healed(was_ill=ill, known=False, why=f"the load cannot tell: {again.why}")
        if again.at_ms is None:
            why = (
                f"the load did not recover ({again.why})"
                if again.why
                else "the load did not recover"
            )
        known = [end for end in ends if end is not None]
        return _Healed(
            steady_ms=again.at_ms,
            resolved_ms=max(known, default=None) if not stuck else None,
            was_ill=ill,
            why=why,
        )

    def _until_ms(self) -> int:
        """Until when a recovery is its own: it was given up, or the fault was taken out."""
        off_ms = self._fault.off_asked_ms or self._timeline.end_ms
        watched = _watch(self._timeline, self._runbook.path)
        if watched is None or watched.data.get("mitigated"):
            return off_ms
        return min(off_ms, watched.at_ms)

    def _open(self) -> tuple[str, ...]:
        """Steps of the rollback that did not succeed, in no arm."""
        undone = {d.step.name for d in of(self._done, Arm.UNDO, Arm.ROLLBACK) if d.passed}
        return tuple(s.name for s in self._runbook.of("rollback") if s.name not in undone)

    def _worthless(self) -> tuple[str, ...]:
        healthy = {d.step.name: d.passed for d in of(self._done, Arm.BASELINE)}
        broken = {d.step.name: d.passed for d in of(self._done, Arm.FAULT)}
        return tuple(
            name
            for name, answer in healthy.items()
            if answer is not None and broken.get(name) is answer
        )

    def _escalated_ms(self) -> int | None:
        started = of(self._done, Arm.FAULT)
        called = [d for d in of(self._done, Arm.ESCALATE) if d.passed is True]
        if not started or not called or called[-1].ended_ms is None:
            return None
        return called[-1].ended_ms - started[0].begun_ms

    def _notes(self) -> Iterator[str]:
        after_ms, limit_ms = self._escalated_ms(), self._runbook.escalate_after_ms
        if after_ms is not None and limit_ms is not None:
            late = "in time" if after_ms <= limit_ms else "too late"
            yield f"escalated after {format_ms(after_ms)}, {late}: it says {format_ms(limit_ms)}"
        elif (missed := of(self._done, Arm.ESCALATE)) and after_ms is None:
            says = "" if limit_ms is None else f", although it says after {format_ms(limit_ms)}"
            yield f"it was not escalated{says}: `{missed[-1].step.name}`: {missed[-1].why}"
        acted = of(self._done, Arm.MITIGATE)
        if acted and not self._runbook.of("rollback"):
            yield "what its mitigation changed has no step that rolls it back"
        if acted and self._open():
            names = ", ".join(f"`{name}`" for name in self._open())
            yield f"what its mitigation changed may still be in: {names} did not succeed"
        watched = _watch(self._timeline, self._runbook.path)
        if watched is not None and watched.data.get("error"):
            yield f"load and alerts could not be followed: {watched.data['error']}"


def _watch(timeline: Timeline, path: str) -> Event | None:
    ended = [e for e in timeline.of("runbook.watch", path) if e.phase is not Phase.STARTED]
    return ended[-1] if ended else None


def _since(at_ms: int | None, begun_ms: int) -> int | None:
    return None if at_ms is None else max(0, at_ms - begun_ms)
