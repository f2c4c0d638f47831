"""What one run can show, item by item: what shows it, or why nothing does. Pure.

An item is shown by what stands in the evidence, never by what was planned. Something that failed is
evidence too: `result` is there when a run gave an answer, whatever it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.model.verdict import Finding, Outcome
from gameday.policy import in_force
from gameday.programme.evidence.about import about
from gameday.programme.evidence.drills import Restore

#: So many events are named; the journal has the rest.
NAMED_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a run. `files` are the names in its evidence."""

    plan: Plan
    timeline: Timeline
    report: Report
    files: frozenset[str]
    reviewed: bool = False  # people have finished its postmortem
    signer: str | None = None  # who is proven to have signed its bundle
    restore: Restore | None = None  # the last one that was rehearsed where it ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer: `there` with what shows it and in which events, or not, and why."""

    name: str
    there: bool
    text: str
    events: tuple[int, ...] = ()


def items_of(known: Known) -> dict[str, Item]:
    """Every item by its name."""
    return {name: _item(name, ask(known)) for name, ask in _ASKED.items()}


#: Text and events where it is there; a bare text says why it is not.
_Answer = tuple[str, tuple[int, ...]] | str


def _item(name: str, answer: _Answer) -> Item:
    if isinstance(answer, str):
        return Item(name=name, there=False, text=answer)
    return Item(name=name, there=True, text=answer[0], events=answer[1][:NAMED_MAX])


def _plan(known: Known) -> _Answer:
    opened = known.timeline.first("run.opened")
    if opened is None or not opened.data.get("plan_sha256"):
        return "the journal does not say which plan was run"
    sha256 = str(opened.data["plan_sha256"])
    return f"scenario `{known.plan.scenario.id}`, plan {sha256[:12]}…", (opened.seq,)


def _dated(known: Known) -> _Answer:
    opened = known.timeline.first("run.opened")
    if opened is None or not known.report.started:
        return "the journal does not say when it was run"
    return f"run at {known.report.started} in `{known.plan.environment.name}`", (opened.seq,)


def _objectives(known: Known) -> _Answer:
    n = len(known.report.expectations)
    if not n:
        return "nothing was expected of the run"
    return f"a hypothesis, and {n} expectations written before the run", ()


def _stop(known: Known) -> _Answer:
    n = len(known.plan.scenario.stop_when) + len(known.plan.scenario.stop_signals)
    if not n:
        return "it had no stop condition"
    return f"{n} stop condition{'s were' if n > 1 else ' was'} in force", ()


def _change(known: Known) -> _Answer:
    opened = known.timeline.first("run.opened")
    change = opened.data.get("change_id") if opened else None
    if opened is None or not change:
        return "no change was named (`--change`)"
    return f"change {change}", (opened.seq,)


def _approval(known: Known) -> _Answer:
    opened = known.timeline.first("run.opened")
    rows = about(known.plan, known.timeline)["approvals"]
    if opened is None or not rows:
        return "nobody approved it by a signature"
    roles = ", ".join(sorted({str(row["role"]) for row in rows}))
    return f"{len(rows)} signed approvals, as {roles}", (opened.seq,)


def _apart(known: Known) -> _Answer:
    if not in_force(known.plan.environment).apart:
        name = known.plan.environment.name
        return f"the policy of `{name}` does not ask that author, approver and operator differ"
    return "author, approver and operator had to differ, and approvals counted", ()


def _preflight(known: Known) -> _Answer:
    event = known.timeline.last("preflight.passed")
    if event is None:
        return "nothing was looked at before anything was touched"
    looked = event.data.get("looked_at")
    n = len(looked) if isinstance(looked, list) else 0
    return f"{n} things were looked at before anything was touched", (event.seq,)


def _versions(known: Known) -> _Answer:
    found = about(known.plan, known.timeline)["versions"]
    if not found:
        return "no version is in the journal"
    return "versions of " + ", ".join(f"`{name}`" for name in found), ()


def _payloads(known: Known) -> _Answer:
    reads = _ok(known.timeline, "alert.read")
    raw = [name for name in known.files if name.endswith("evidence/deliveries.jsonl")]
    if not reads and not raw:
        return "no alert source was read, and nothing was delivered"
    return "what alert sources and receivers said, as they said it", _seqs(reads)


def _chain(known: Known) -> _Answer:
    return f"{len(known.timeline)} events, each with the hash of the one before", ()


def _signed(known: Known) -> _Answer:
    if known.signer:
        return f"the bundle is signed by {known.signer}", ()
    return "nobody is proven to have signed it (a bundle made with `--sign`, and `--signers`)"


def _valid(known: Known) -> _Answer:
    bad = [f for f in known.report.validity if f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    if bad or not known.report.validity:
        why = bad[0].summary if bad else "nothing was checked"
        return f"the run could not have shown anything: {why}"
    return "the run could show it: " + _names(known.report.validity), _evidence(
        known.report.validity
    )


def _injected(known: Known) -> _Answer:
    found = _ok(known.timeline, "fault.inject")
    if not found:
        return "no fault was read back as in"
    names = dict.fromkeys(event.subject for event in found)
    return "read back as in: " + ", ".join(f"`{name}`" for name in names), _seqs(found)


def _removed(known: Known) -> _Answer:
    closed = known.timeline.last("run.closed")
    if known.report.leftovers or not known.report.verdict.clean or closed is None:
        return "not every fault was shown to be gone"
    found = [e for e in _ok(known.timeline, "fault.revert") if e.data.get("read_back") is True]
    if not found:
        return "no fault was in that could be taken out"
    return "every fault was taken out and read back as gone", _seqs([*found, closed])


def _absorbed(known: Known) -> _Answer:
    rows = [f for f in known.report.expectations if f.check == "slo/criterion"]
    rows = [f for f in rows if f.subject == "fault"]
    held = [f for f in rows if f.outcome is Outcome.PASS]
    if not rows:
        return "no objective was asked for while the fault was in"
    if len(held) < len(rows):
        n = len(rows) - len(held)
        return f"{n} of {len(rows)} objectives did not hold while the fault was in"
    return f"{len(held)} objectives held while the fault was in", _evidence(held)


def _alerted(known: Known) -> _Answer:
    caught = [a for a in known.report.alerts if a.firing_after_ms is not None]
    if not caught:
        return "no expected alert fired"
    n = len(known.report.alerts)
    text = f"{len(caught)} of {n} expected alerts fired: "
    text += ", ".join(f"`{a.alert}`" for a in caught)
    return text, tuple(dict.fromkeys(seq for a in caught for seq in a.evidence))


def _acknowledged(known: Known) -> _Answer:
    found = [*known.timeline.of("human.ack"), *known.timeline.of("alert.acknowledged")]
    if not found:
        return "nobody acknowledged an alert"
    return f"{len(found)} acknowledgements", _seqs(found)


def _runbook(known: Known) -> _Answer:
    steps = [e for e in _ok(known.timeline, "runbook.step") if not e.data.get("skipped")]
    found = [*steps, *known.timeline.of("human.step"), *known.timeline.of("runbook.opened")]
    if not found:
        return "no step of a runbook was done, and none was opened"
    return "steps of runbooks were done, or a runbook was opened by a person", _seqs(found)


def _decisions(known: Known) -> _Answer:
    gates = [e for e in known.timeline.of("gate.opened") if e.data.get("by") != "condition"]
    found = [*known.timeline.of("human.decide"), *gates]
    return (f"{len(found)} decisions", _seqs(found)) if found else "no decision was recorded"


def _roles(known: Known) -> _Answer:
    found = about(known.plan, known.timeline)["roles"]
    if not found:
        return "nobody took part in a role"
    return "took part: " + ", ".join(found), tuple(seqs[0] for seqs in found.values())


def _recovered(known: Known) -> _Answer:
    rows = [f for f in known.report.expectations if f.check == "slo/steady"]
    held = [f for f in rows if f.outcome is Outcome.PASS]
    if not rows:
        return "it was not asked that the service is steady again in a given time"
    if len(held) < len(rows):
        return "the service was not steady again in time"
    return f"{held[0].summary}", _evidence(held)


def _restored(known: Known) -> _Answer:
    """By a drill: a run restores nothing."""
    place = known.plan.environment.name
    if known.restore is None or known.restore.environment != place:
        return (
            "no data was restored in a run: this needs a rehearsal of a restore, and no day beside "
            f"the run has a drill of one in `{place}` that passed or failed"
        )
    if known.restore.outcome != Outcome.PASS.value:
        return f"the last rehearsal of a restore was {known.restore.text}"
    return known.restore.text, ()


def _result(known: Known) -> _Answer:
    verdict = known.report.verdict
    if verdict.outcome not in (Outcome.PASS, Outcome.FAIL):
        return f"the run gave no answer: {verdict.reason}"
    return f"{verdict.outcome}: {verdict.reason}", ()


def _findings(known: Known) -> _Answer:
    found = sorted(name for name in known.files if name.startswith("findings/"))
    if not found:
        return "no finding names this run"
    return ", ".join(f"`{name}`" for name in found[:NAMED_MAX]), ()


def _reviewed(known: Known) -> _Answer:
    if known.reviewed:
        return "people have finished its postmortem", ()
    return "no postmortem was finished by people"


def _ok(timeline: Timeline, kind: str) -> list[Event]:
    return [event for event in timeline.of(kind) if event.phase is Phase.OK]


def _seqs(events: Iterable[Event]) -> tuple[int, ...]:
    return tuple(event.seq for event in events)


def _evidence(findings: Iterable[Finding]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(seq for finding in findings for seq in finding.evidence))


def _names(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(f"`{f.check}`" for f in findings if f.outcome is Outcome.PASS))


_ASKED: Mapping[str, Callable[[Known], _Answer]] = {
    "plan": _plan, "dated": _dated, "objectives": _objectives, "stop": _stop, "change": _change,
    "approval": _approval, "apart": _apart, "preflight": _preflight, "versions": _versions,
    "payloads": _payloads, "chain": _chain, "signed": _signed, "valid": _valid,
    "injected": _injected, "removed": _removed, "absorbed": _absorbed, "alerted": _alerted,
    "acknowledged": _acknowledged, "runbook": _runbook, "decisions": _decisions, "roles": _roles,
    "recovered": _recovered, "restored": _restored, "result": _result, "findings": _findings,
    "reviewed": _reviewed,
}  # fmt: skip
ITEMS = frozenset(_ASKED)
