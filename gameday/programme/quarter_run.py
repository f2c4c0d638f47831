"""What the index keeps of a run: made of its `result.json`, and of its plan where that is there."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gameday.model.alerting import AlertNote
from gameday.model.project import kind_of_environment
from gameday.model.proof import ProofWord
from gameday.model.quarter import AlertSeen, FaultSeen, Restored, RunbookSeen, RunKind, RunSeen
from gameday.model.report import State
from gameday.model.verdict import Outcome, RunStatus
from gameday.programme.quarter_budget import budgets_told

Json = Mapping[str, Any]
_FINE = (Outcome.PASS, Outcome.SKIP)
_ENDED = (RunStatus.COMPLETED, RunStatus.STOPPED)
#: Tags of a scenario that say what its runs are for.
_TAGGED = {"drill": RunKind.DRILL, "tabletop": RunKind.TABLETOP}
#: Rungs that only people can climb.
_BY_PEOPLE = ("acknowledged", "runbook_opened")


def run_seen(result: Json, plan: Json) -> RunSeen:
    """One run. Raises KeyError, TypeError or ValueError if *result* is no result of a run."""
    scenario, verdict, safety = result["scenario"], result["verdict"], result["safety"]
    kinds = _fault_kinds(plan)
    environment = str(result["environment"])
    kind_of_place = str(_at(plan, "environment", "kind") or kind_of_environment(environment))
    started = _moment(result["started"])
    proofs = tuple(_proofs(result))
    faults = tuple(_fault(row, result, kinds, proofs) for row in result["faults"])
    undos = [one for one in safety["undos"] if one["state"] != State.NOT_MEASURED]
    return RunSeen(
        run=str(result["run_id"]),
        started=_text(started),
        ended=_text(started + datetime.timedelta(milliseconds=int(result["duration_ms"]))),
        environment=environment,
        environment_kind=kind_of_place,
        service=str(scenario["service"]),
        tier=_whole(_at(plan, "service", "tier")),
        owner=str(scenario["owner"]),
        scenario=str(scenario["id"]),
        title=str(scenario["title"]),
        profile=str(scenario["profile"]),
        kind=_kind(result, kind_of_place),
        mode=_mode(result, kinds),
        outcome=Outcome(verdict["outcome"]).value,
        status=RunStatus(verdict["status"]).value,
        clean=verdict["clean"] is True,
        valid=_valid(result),
        reason=str(verdict["reason"]),
        duration_ms=int(result["duration_ms"]),
        alerts=tuple(_alerts(result, plan)),
        faults=faults,
        runbooks=proofs,
        criteria=tuple(_criteria(result)),
        others=dict(sorted(Counter(str(one["word"]) for one in result["other_alerts"]).items())),
        undone=sum(one["state"] == State.MEASURED for one in undos),
        undos=len(undos),
        stopped_by=str(safety["stopped_by"]),
        safe_ms=_whole(safety["time_to_safe_ms"]),
        safe_ended=safety["state"] == State.MEASURED,
        budgets=tuple(budgets_told(result.get("notes", ()), _objectives(plan))),
    )


def _objectives(plan: Json) -> dict[str, float]:
    """Objective of the service -> its share, between 0 and 1."""
    found = _at(plan, "service", "slos") or ()
    return {str(one["name"]): float(one["share"]) for one in found}


def _valid(result: Json) -> bool:
    """It could have shown something, and left nothing behind."""
    verdict = result["verdict"]
    fine = all(one["outcome"] in _FINE for one in result["validity"])
    return fine and verdict["clean"] is True and verdict["status"] in _ENDED


def _kind(result: Json, kind_of_place: str) -> RunKind:
    """By what the run itself says: control, then tags, then profile and environment."""
    if result["control"]:
        return RunKind.CONTROL
    tagged = (_TAGGED[tag] for tag in result["scenario"]["tags"] if tag in _TAGGED)
    small = result["scenario"]["profile"] == "smoke" or kind_of_place == "ci"
    return next(tagged, RunKind.SMOKE if small else RunKind.GAMEDAY)


def _fault_kinds(plan: Json) -> dict[str, str]:
    """Id of each fault -> `latency`, `down`, `container.pause`."""
    found = {}
    for fault in _at(plan, "scenario", "faults") or ():
        action, toxic = fault.get("action"), fault.get("toxic")
        if action is not None:
            family, kind = str(action["family"]), str(action["type"])
            found[str(fault["id"])] = kind if family == kind else f"{family}.{kind}"
        else:
            found[str(fault["id"])] = str(toxic["type"]) if toxic is not None else "down"
    return found


def _kind_of(row: Json, kinds: Mapping[str, str]) -> str:
    """Of the plan; without it, the first word of what the report says."""
    said = str(row["what"]).split()
    return kinds.get(str(row["id"])) or (said[0].strip(":,") if said else "unknown")


def _mode(result: Json, kinds: Mapping[str, str]) -> str:
    """As the findings register has it: `payments.latency`, several with `+`, `load`, `control`."""
    if result["control"]:
        return "control"
    found = sorted({f"{row['target']}.{_kind_of(row, kinds)}" for row in result["faults"]})
    return "+".join(found) or "load"


def _alerts(result: Json, plan: Json) -> Iterable[AlertSeen]:
    ladders = {(one["fault"], one["alert"], one["receiver"]): one for one in result["ladders"]}
    linked = {one["subject"]: one for one in result["expectations"] if one["check"] == _LINKED}
    paths = {
        str(one["alert"]): str(one.get("runbook") or "")
        for one in _at(plan, "scenario", "expect", "alerts") or ()
    }
    for one in result["alerts"]:
        key = (one["fault"], one["alert"], one["receiver"])
        rungs = _rungs(ladders.get(key, {}))
        delivered = _whole(one["delivered_after_ms"])
        yield AlertSeen(
            alert=str(one["alert"]),
            severity=str(one["labels"].get("severity", "")),
            fault=str(one["fault"]),
            verdict=str(one["verdict"]),
            missed=str(one["missed"]),
            within_ms=int(one["within_ms"]),
            firing_ms=_whole(one["firing_after_ms"]),
            watched_ms=_censored(rungs, "firing"),
            delivered_ms=delivered,
            acked_ms=_whole(one.get("acknowledged_after_ms")),
            ack_watched_ms=_censored(rungs, "acknowledged"),
            firings=int(one["firings"]),
            runbook=paths.get(str(one["alert"]), ""),
            runbook_level=_level(one, linked.get(one["alert"])),
        )


_LINKED, _PROVEN = "runbook/linked", "runbook/proven"


def _level(alert: Json, linked: Json | None) -> int | None:
    """0 none, 1 linked, 2 the link resolves, 3 complete; None if nobody looked."""
    notes = {note["note"] for note in alert["notes"]}
    if linked is not None and linked["outcome"] == Outcome.PASS:
        return 3
    if linked is not None and linked["outcome"] == Outcome.FAIL:
        return 2 if "has no section" in linked["summary"] else 1
    if AlertNote.DEAD_RUNBOOK in notes:
        return 1
    return 0 if AlertNote.NO_RUNBOOK in notes else None


def _fault(
    row: Json, result: Json, kinds: Mapping[str, str], proofs: Sequence[RunbookSeen]
) -> FaultSeen:
    ladders = [_rungs(one) for one in result["ladders"] if one["fault"] == row["id"]]
    rungs: dict[str, Json] = {}
    for one in ladders:  # what people did is told of each alert, the rest is the same on all
        for name, rung in one.items():
            if name not in rungs or rung["state"] == State.MEASURED:
                rungs[name] = rung
    mitigated, steady, off = (rungs.get(name) for name in ("mitigated", "steady", "off"))
    after = None
    if steady is not None and off is not None and off["since_ms"] is not None:
        since = _whole(steady["since_ms"])
        after = None if since is None else max(0, since - int(off["since_ms"]))
    return FaultSeen(
        id=str(row["id"]),
        target=str(row["target"]),
        kind=_kind_of(row, kinds),
        felt=_felt(rungs.get("impact")),
        restored=_restored(rungs, proofs),
        mitigated_ms=None if mitigated is None else _whole(mitigated["since_ms"]),
        after_ms=after,
        after_ended=steady is not None and steady["state"] == State.MEASURED,
    )


def _felt(impact: Json | None) -> bool | None:
    known = {State.MEASURED.value: True, State.CENSORED.value: False}
    return None if impact is None else known.get(str(impact["state"]))


def _restored(rungs: Mapping[str, Json], proofs: Sequence[RunbookSeen]) -> Restored:
    if _felt(rungs.get("impact")) is False:
        return Restored.ABSORBED
    mitigated = rungs.get("mitigated")
    if mitigated is None or mitigated["state"] == State.NOT_MEASURED:
        return Restored.UNKNOWN
    if mitigated["state"] == State.MEASURED:
        if any(one.word == ProofWord.PROVEN for one in proofs):
            return Restored.RUNBOOK
        people = any(rungs[n]["state"] == State.MEASURED for n in _BY_PEOPLE if n in rungs)
        by_hand = any(one.word == ProofWord.MANUAL for one in proofs)
        return Restored.RESPONDER if people or by_hand else Restored.SELF
    steady = rungs.get("steady")
    never = steady is not None and steady["state"] == State.CENSORED
    return Restored.NEVER if never else Restored.RUNNER


def _proofs(result: Json) -> Iterable[RunbookSeen]:
    for one in result["expectations"]:
        if one["check"] == _PROVEN:
            word = str(one["facts"].get("verdict", ""))
            yield RunbookSeen(path=str(one["subject"]), word=word, outcome=str(one["outcome"]))


def _criteria(result: Json) -> Iterable[str]:
    for one in result["expectations"]:
        if one["check"] == "slo/criterion" and one["facts"].get("phase") == "fault":
            yield Outcome(one["outcome"]).value


def _rungs(ladder: Json) -> dict[str, Json]:
    return {str(rung["name"]): rung for rung in ladder.get("rungs", ())}


def _censored(rungs: Mapping[str, Json], name: str) -> int | None:
    rung = rungs.get(name)
    return _whole(rung["since_ms"]) if rung and rung["state"] == State.CENSORED else None


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _moment(text: Any) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.astimezone(datetime.UTC)


def _text(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
