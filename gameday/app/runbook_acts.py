"""What the steps of runbooks do in a run: run what the plan says, ask people, and look on."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.generic.place import Place, passed_on
from gameday.adapters.runbook_run import Answer, StepPlace, label_variables, run_step
from gameday.app.memory import Memory
from gameday.app.runbook_proof import runbook_file
from gameday.engine.loop import RunClock
from gameday.errors import NoEffectError
from gameday.kpi.proof_steps import done_steps, of, why_not
from gameday.kpi.spans import Window, windows_of
from gameday.kpi.steady import Slices, steady_again
from gameday.model.event import Event
from gameday.model.plan import Plan, Step
from gameday.model.proof import Arm, RunbookProof, RunbookStep
from gameday.ports import Emit

#: How often load and alerts are looked at while a mitigation takes effect.
LOOK_S = 1.0
#: What people may answer, and what it says of the step.
ANSWERS: Mapping[str, bool] = {"done": True, "changed": True, "failed": False}


class RunbookActs:
    """The acts `runbook.step` and `runbook.watch`. All on one lane, so one step at a time."""

    def __init__(self, plan: Plan, run: str, *, clock: RunClock, memory: Memory) -> None:
        self._plan, self._clock, self._memory = plan, clock, memory
        self._proofs = {proof.path: proof for proof in plan.runbooks}
        self._place = Place(
            directory=Path(plan.directory),
            commands=plan.environment.commands,
            run=run,
            fault="",
            environ=passed_on(),
            programs={},
        )
        self._pause = threading.Event()
        self._asking: RunbookStep | None = None
        self._called = ""  # what people name it by
        self._at = ""  # the runbook of the step that is being done

    def waiting(self) -> Mapping[str, Any]:
        """The step that waits for a person, for whoever asks through the control socket."""
        step = self._asking
        if step is None:
            return {}
        what = "step" if step.manual else "approval"
        return {
            "name": self._called, "what": what, "text": step.text, "limit_ms": step.timeout_ms,
            "runbook": self._at,
        }  # fmt: skip

    def step(self, step: Step, emit: Emit) -> Mapping[str, Any]:
        """One step of a runbook, or why it is left out."""
        proof, arm = self._proofs[step.subject], Arm(step.data["arm"])
        one = next(s for s in proof.steps if s.name == step.data["name"])
        facts = {"arm": arm.value, "name": one.name, "phase": one.phase, "line": one.line}
        why = why_not(self._plan, proof, one, arm, self._memory.timeline())
        if why:
            return {**facts, "skipped": why}
        keeps_on = arm in (Arm.ROLLBACK, Arm.UNDO)
        if not keeps_on:  # what was begun is undone as it was planned, whatever became of the file
            self._as_planned(proof)
        self._at = proof.path
        if one.manual or (one.approve and not (keeps_on and self._memory.stopped)):
            self._called = self._name(proof, one)
            said = self._ask(one, emit, keeps_on=keeps_on)
            if one.manual:
                return {**facts, **said}
            if said["answered"] != "done":
                why = said["why"] or f"they said it is {said['answered']}"
                return {**facts, **said, "passed": None, "why": f"not approved: {why}"}
            if why := why_not(self._plan, proof, one, arm, self._memory.timeline()):
                return {**facts, "skipped": why}  # so much may have happened until somebody came
        wanted = arm not in (Arm.BASELINE, Arm.AFTER) or one.phase != "diagnose"
        at = StepPlace(
            place=self._place,
            variables=self._variables(proof, one),
            cancelled=(lambda: False) if keeps_on else (lambda: self._memory.stopped),
        )
        return {**facts, **_facts(run_step(one, at, wanted=wanted, wait=self._pause.wait))}

    def watch(self, step: Step, emit: Emit) -> Mapping[str, Any]:
        """Look at load and alerts until both are well with the fault in, or the time is over."""
        proof = self._proofs[step.subject]
        why = why_not(self._plan, proof, None, Arm.VERIFY, self._memory.timeline())
        if why:
            return {"skipped": why, "mitigated": False}
        acted = of(done_steps(proof, self._memory.timeline()), Arm.MITIGATE)
        begun_ms = acted[0].begun_ms
        until_ms = begun_ms + proof.within_ms
        while True:
            firing = sorted(set(self._memory.firing()) & set(proof.alerts))
            steady_ms = self._steady_ms(begun_ms)
            after_ms = self._clock.now_ms() - begun_ms
            facts = {"steady_ms": steady_ms, "firing": firing, "after_ms": after_ms}
            if steady_ms is not None and not firing:
                data = {"runbook": proof.path, "after_ms": after_ms}
                emit(Event(kind="runbook.mitigated", subject=proof.fault, data=data))
                return {**facts, "mitigated": True}
            over = self._clock.now_ms() >= until_ms
            if over or why_not(self._plan, proof, None, Arm.VERIFY, self._memory.timeline()):
                return {**facts, "mitigated": False}
            self._pause.wait(LOOK_S)

    def _steady_ms(self, begun_ms: int) -> int | None:
        """From when on the load holds what the baseline asks; a late answer may still change it."""
        baseline: Window | None = windows_of(self._memory.timeline()).get("baseline")
        criteria = self._plan.scenario.expect.baseline
        ticks = self._memory.ticks()
        if baseline is None or not criteria or not ticks:
            return None
        newest: dict[str, int] = {}
        for tick in ticks[-64:]:
            newest[tick.worker] = tick.second
        late_ms = min(self._plan.scenario.load.timeout_ms // 2, 5_000)
        until_ms = min(newest.values()) * 1000 - late_ms
        found = steady_again(
            Slices(ticks), criteria, baseline=baseline, off_ms=begun_ms, until_ms=until_ms
        )
        return found.at_ms

    def _name(self, proof: RunbookProof, step: RunbookStep) -> str:
        """What people call a step by: with its runbook where another one has such a step too."""
        same = [s for p in self._proofs.values() for s in p.steps if s.name == step.name]
        return step.name if len(same) == 1 else f"{proof.path}:{step.name}"

    def _as_planned(self, proof: RunbookProof) -> None:
        """Refuse a runbook that was changed since it was planned."""
        folders = self._plan.runbook_folders
        file = runbook_file(Path(self._plan.directory), folders, proof.path)
        try:
            body = b"" if file is None else file.read_bytes()
        except OSError:
            body = b""
        if hashlib.sha256(body).hexdigest() != proof.sha256:
            raise NoEffectError(f"`{proof.path}` is not what it was when the run was planned")

    def _variables(self, proof: RunbookProof, step: RunbookStep) -> dict[str, str]:
        ours = {
            "GAMEDAY_RUN": self._place.run,
            "GAMEDAY_RUNBOOK": proof.path,
            "GAMEDAY_STEP": step.name,
        }
        for name, target in self._plan.environment.targets.items():
            if target.url is not None:
                clean = "".join(c if c.isalnum() else "_" for c in name.upper())
                ours[f"GAMEDAY_TARGET_{clean}"] = target.url
        return {**proof.params, **self._alert(proof), **ours}

    def _alert(self, proof: RunbookProof) -> dict[str, str]:
        """What the last alert said that leads to the runbook, as it fired or was delivered."""
        timeline = self._memory.timeline()
        said = [
            event
            for kind in ("alert.firing", "alert.delivered")
            for name in proof.alerts
            for event in timeline.of(kind, name)
        ]
        if not said:
            return {}
        last = max(said, key=lambda event: event.seq)
        labels = last.data.get("labels")
        return label_variables(last.subject, labels if isinstance(labels, Mapping) else {})

    def _ask(self, step: RunbookStep, emit: Emit, *, keeps_on: bool) -> dict[str, Any]:
        """Wait for a person to say done, changed or failed.

        A stop ends that, unless it *keeps_on*: then it approves, and only people are waited for.
        """
        begun = time.monotonic()
        seen = len(self._memory.timeline().of("human.step", self._called))
        self._asking = step
        emit(Event(kind="runbook.asked", subject=self._called, data=self.waiting()))
        try:
            while True:
                answers = self._memory.timeline().of("human.step", self._called)[seen:]
                ms = round((time.monotonic() - begun) * 1000)
                if answers:
                    return {**_said(answers[0].data), "ms": ms}
                if self._memory.stopped and keeps_on and not step.manual:
                    return {"passed": True, "answered": "done", "why": "", "ms": ms}
                if self._memory.stopped and not keeps_on:
                    why = "the run was stopped"
                    return {"passed": None, "answered": "", "why": why, "ms": ms}
                if ms >= step.timeout_ms:
                    why = f"nobody answered within {step.timeout_ms / 1000:g} s"
                    return {"passed": None, "answered": "", "why": why, "ms": ms}
                self._pause.wait(0.2)
        finally:
            self._asking = None


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a person said of a step."""
    answer, note = str(data.get("answer", "")), str(data.get("text", ""))
    passed = ANSWERS.get(answer, False)
    why = "" if passed else f"they said it failed{': ' if note else ''}{note}"
    by = str(data.get("role", ""))
    return {"passed": passed, "answered": answer, "by": by, "note": note, "why": why}


def _facts(answer: Answer) -> dict[str, Any]:
    return {
        "passed": answer.passed,
        "why": answer.why,
        "exit": answer.exit,
        "tries": answer.tries,
        "ms": answer.ms,
        "output": answer.output,
    }
