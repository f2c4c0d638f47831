"""A year of made-up history: run directories and findings, the same for the same seed."""

from __future__ import annotations

import datetime
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.journal import Journal
from gameday.kpi.budget import Spent
from gameday.model.event import Event, Phase
from gameday.model.finding_record import (
    DUE_DAYS,
    Entry,
    EntryKind,
    Evidence,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingState,
    fingerprint_of,
    id_of,
)
from gameday.model.project import Slo

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NOW = datetime.datetime(2027, 1, 3, 12, tzinfo=datetime.UTC)
TARGETS = ("payments", "inventory", "db", "cache")
KINDS = ("latency", "down", "reset_peer", "container.pause")
ENVIRONMENTS = (("staging", "staging"), ("prod", "production"), ("ci", "ci"))
VERDICTS = ("caught",) * 12 + ("late",) * 3 + ("missed",) * 3 + (
    "misrouted", "inconclusive", "already_firing", "too_early",
)  # fmt: skip
Json = dict[str, Any]


@dataclass(frozen=True)
class Year:
    """What was made: the results as they were written, and the findings."""

    results: tuple[Json, ...]
    plans: tuple[Json, ...]
    findings: tuple[FindingRecord, ...]
    incidents: str
    deployments: str
    drills: str
    #: run -> objective -> requests, bad ones, and ms of full outage that did as much harm
    budgets: dict[str, dict[str, tuple[int, int, int]]]
    days: tuple[Json, ...]


def make_year(*, seed: int = 7, runs: int = 500, services: int = 20, findings: int = 80) -> Year:
    """All of it, in memory."""
    rng = random.Random(seed)
    names = [f"service-{n:02}" for n in range(services)]
    modes = {
        name: rng.sample([f"{t}.{k}" for t in TARGETS for k in KINDS], rng.randint(2, 5))
        for name in names
    }
    tiers = {name: rng.choice((0, 1, 1, 2, 2, 3)) for name in names}
    made = [_run(rng, number, runs, modes, tiers) for number in range(runs)]
    more = random.Random(seed + 1)
    budgets = {result["run_id"]: _budgets(more, result, plan) for result, plan in made}
    return Year(
        results=tuple(result for result, _ in made),
        plans=tuple(plan for _, plan in made),
        findings=tuple(_findings(rng, findings, modes)),
        incidents=_with_postmortems(more, _incidents(rng, modes)),
        deployments=_deployments(rng, names),
        drills=_drills(rng, names),
        budgets=budgets,
        days=tuple(_day(more, number) for number in range(40)) if runs > 1 else (),
    )


def write_runs(year: Year, reports: Path) -> None:
    """The run directories, with what a quarter looks at."""
    for result, plan in zip(year.results, year.plans, strict=True):
        folder = reports / result["run_id"]
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").touch()
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    for day in year.days:
        write_day(day, reports)


def write_day(day: Json, reports: Path) -> Path:
    """The journal and the folder that a day leaves."""
    path = reports / "days" / f"{day['name']}.jsonl"
    folder = path.with_suffix("")
    folder.mkdir(parents=True)
    (folder / "day.yaml").write_text(DAY_PLAN.format(**day), encoding="utf-8")
    if day["holidays"]:
        (folder / "holidays.txt").write_text("\n".join(day["holidays"]) + "\n", encoding="utf-8")
    origin = datetime.datetime.fromisoformat(day["started"])
    events = [Event(seq=0, at_ms=0, kind="day.opened", subject=day["day"], data={
        "origin_wall_ms": int(origin.timestamp() * 1000), "title": day["day"],
        "environment": day["environment"],
    })]  # fmt: skip

    def add(at: str, kind: str, subject: str, **more: Any) -> None:
        ms = int((datetime.datetime.fromisoformat(at) - origin).total_seconds() * 1000)
        events.append(Event(seq=len(events), at_ms=ms, kind=kind, subject=subject, **more))

    for one in day["tries"]:
        add(one["at"], "day.item", "bring-back", phase=Phase.STARTED, data={"item_kind": "drill"})
        add(one["at"], "day.item", "bring-back", phase=Phase.OK, cause=len(events) - 1,
            data={key: one[key] for key in one if key != "at"})  # fmt: skip
    if day["ended"]:
        add(day["ended"], "day.closed", day["day"])
    if day["published"]:
        add(day["published"], "day.published", day["day"])
    with Journal.open(path) as journal:
        for event in events:
            journal.append(event)
    return path


def _budgets(rng: random.Random, result: Json, plan: Json) -> dict[str, tuple[int, int, int]]:
    """What the run's report tells of budgets, as its notes have it; some had no requests."""
    slos = [Slo(name="availability", share=rng.choice((0.999, 0.9995)))]
    slos += [Slo(name="latency", share=0.99, latency_ms=500)] if rng.random() < 0.6 else []
    plan["service"]["slos"] = [
        {"name": slo.name, "share": slo.share, "latency_ms": slo.latency_ms} for slo in slos
    ]
    told = {}
    result["notes"] = ["a note of something else"]
    for slo in slos:
        n = rng.randint(500, 90_000) if rng.random() < 0.9 else 0
        bad = rng.randint(0, n // 5)
        outage_ms = rng.choice((rng.randint(0, 900), 10 * rng.randint(100, 5_900),
                                1_000 * rng.randint(60, 400))) if bad else 0  # fmt: skip
        spent = Spent(
            slo=slo.name, objective=slo.share, n=n, bad=bad, edge=rng.randint(0, 9),
            spent=bad / (n * (1 - slo.share)) if n else None, outage_ms=outage_ms,
            of_window=rng.choice((None, 0.001)),
        )  # fmt: skip
        result["notes"].append(spent.text)
        if n:
            told[slo.name] = (n, bad, outage_ms)
    return told


DAY_PLAN = """\
gameday: 1
day: {day}
title: {day}
objective: To see that it can be brought back.
environment: {environment}
scope: [the database]
roles: [owner, coordinator]
debrief: {{within: {within}, timezone: {timezone}}}
items:
  - id: bring-back
    title: It comes back
    hypothesis: It comes back in time.
    undo: nothing is left
    drill:
      what: restore
      rto: 15m
      steps: [{{name: restore, run: [restore]}}]
      checks: [{{name: check, run: [check]}}]
"""


def _day(rng: random.Random, number: int) -> Json:
    """A day with a drill, which was tried up to three times."""
    started = START + datetime.timedelta(days=rng.randint(0, 360), minutes=rng.randint(0, 1_439))
    at = started
    tries = []
    for _ in range(rng.randint(1, 3)):
        at += datetime.timedelta(minutes=rng.randint(10, 60))
        rto, rpo = rng.randint(100, 1_200) * 1000, rng.choice((None, rng.randint(0, 90) * 1000))
        whole = rng.random() < 0.9
        good = whole and rto <= 900_000 and (rpo is None or rpo <= 60_000) and rng.random() < 0.9
        tries.append({"at": _time(at), "outcome": "pass" if good else "fail", "rto_ms": rto,
                      "rto_allowed_ms": 900_000, "rpo_ms": rpo, "rpo_allowed_ms": 60_000,
                      "whole": whole})  # fmt: skip
    ended = at + datetime.timedelta(minutes=rng.randint(10, 600))
    published = ended + datetime.timedelta(hours=rng.randint(1, 300))
    over = rng.random() < 0.95
    free = [(ended + datetime.timedelta(days=rng.randint(1, 5))).date().isoformat()]
    return {
        "name": f"{started:%Y%m%dT%H%M%SZ}-restore-{number % 4}-{number:04x}",
        "day": f"restore-{number % 4}", "started": _time(started), "tries": tries,
        "environment": rng.choice(("staging", "prod")),
        "ended": _time(ended) if over else "",
        "published": _time(published) if over and rng.random() < 0.8 else "",
        "within": rng.choice((3, 5)),
        "timezone": rng.choice(("UTC", "Europe/Berlin", "Asia/Tokyo")),
        "holidays": free if rng.random() < 0.3 else [],
    }  # fmt: skip


def _with_postmortems(rng: random.Random, text: str) -> str:
    """The incidents with what became of their postmortems; some are still not over."""
    head, *lines = text.splitlines()
    made = [f"{head},postmortem_at"]
    for line in lines:
        cells = line.split(",")
        if rng.random() < 0.05:
            cells[4] = ""
        after = datetime.datetime.fromisoformat(cells[4] or cells[1])
        at = _time(after + datetime.timedelta(hours=rng.randint(1, 240)))
        made.append(",".join([*cells, rng.choice((at, at, at, "", "not_needed"))]))
    return "\n".join(made) + "\n"


def _time(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _run(
    rng: random.Random, number: int, total: int, modes: dict[str, list[str]], tiers: dict[str, int]
) -> tuple[Json, Json]:
    at = START + datetime.timedelta(days=365) * (number / total)
    at = at.replace(microsecond=0) + datetime.timedelta(seconds=rng.randint(0, 50_000))
    service = rng.choice(sorted(modes))
    mode = rng.choice(modes[service])
    target, kind = mode.split(".", 1)
    environment, place = rng.choice((*ENVIRONMENTS, ENVIRONMENTS[0], ENVIRONMENTS[2]))
    control = rng.random() < 0.04
    profile = "smoke" if place == "ci" or rng.random() < 0.2 else ""
    scenario = f"{service}-{mode.replace('.', '-')}"
    valid = rng.random() > 0.06
    clean = rng.random() > 0.01
    stopped = rng.random() < 0.05
    verdict = rng.choice(VERDICTS)
    alert = {} if control else _alert(rng, verdict, mode)
    ladder = {} if control else _ladder(rng, alert)
    criteria = [] if control else [_criterion(rng) for _ in range(rng.randint(1, 3))]
    held = verdict == "caught" and all(c["outcome"] == "pass" for c in criteria)
    outcome = "pass" if held or control else "fail"
    if not valid:
        outcome = "inconclusive"
    proofs = [] if control or rng.random() < 0.5 else [_proof(rng, mode)]
    linked = [] if control else [_linked(rng, mode)]
    run_id = f"{at:%Y%m%dT%H%M%SZ}-{scenario}-{number:04x}"
    result: Json = {
        "schema": 1, "gameday": "0.1.0", "run_id": run_id, "environment": environment,
        "service_version": "", "started": _time(at), "duration_ms": rng.randint(60_000, 900_000),
        "seed": 0, "control": control, "plan_sha256": "",
        "scenario": {
            "id": scenario, "title": f"{service} without {mode}", "service": service,
            "owner": f"team-{service[-1]}", "hypothesis": "it holds", "profile": profile,
            "file": "s.yaml", "tags": [],
        },
        "verdict": {
            "outcome": outcome, "status": "stopped" if stopped else "completed", "exit_code": 0,
            "reason": "made up", "facts": [], "clean": clean,
        },
        "leftovers": [], "expectations": [*criteria, *linked, *proofs],
        "validity": [_finding("run/baseline", "pass" if valid else "inconclusive", True)],
        "safety": _safety(rng, stopped, clean, control),
        "alerts": [alert] if alert else [],
        "other_alerts": [] if rng.random() < 0.8 else [_other(rng)],
        "alert_numbers": [], "runbook_coverage": [],
        "ladders": [ladder] if ladder else [],
        "faults": [] if control else [{
            "id": "one", "target": target, "what": f"{kind} of some strength", "on_ms": 20_000,
            "on_error_ms": 50, "off_ms": 60_000, "off_error_ms": 50,
        }],
        "phases": [], "parts": [], "timeline": [], "comparable": "",
        "comparison": {"change": "not_compared", "why": "made up", "runs": [], "false_alarms": 0,
                       "coverage": None, "numbers": []},
        "notes": [],
    }  # fmt: skip
    family, _, action = kind.partition(".")
    fault: Json = {"id": "one", "target": target, "action": None, "toxic": None}
    if action:
        fault["action"] = {"family": family, "type": action, "options": {}}
    elif kind != "down":
        fault["toxic"] = {"type": kind}
    expected = [{"alert": alert["alert"], "runbook": f"{mode}.md"}] if alert else []
    plan = {
        "environment": {"name": environment, "kind": place},
        "service": {"name": service, "tier": tiers[service]},
        "scenario": {"faults": [] if control else [fault], "expect": {"alerts": expected}},
    }
    return result, plan


def _finding(check: str, outcome: str, validity: bool = False, **more: Any) -> Json:
    return {
        "check": check, "subject": more.get("subject", "x"), "outcome": outcome,
        "summary": more.get("summary", "made up"), "expectation": "", "evidence": [],
        "validity": validity, "facts": more.get("facts", {}),
    }  # fmt: skip


def _criterion(rng: random.Random) -> Json:
    outcome = rng.choice(("pass", "pass", "pass", "fail", "inconclusive"))
    return _finding("slo/criterion", outcome, facts={"phase": "fault"})


def _linked(rng: random.Random, mode: str) -> Json:
    outcome, summary = rng.choice(
        (("pass", "is there"), ("fail", "`x` leads nowhere"), ("fail", "`x` has no section `y`"),
         ("pass", "is there"), ("inconclusive", "no answer"))
    )  # fmt: skip
    return _finding("runbook/linked", outcome, subject=_alert_name(mode), summary=summary)


def _proof(rng: random.Random, mode: str) -> Json:
    word = rng.choice(("proven", "manual", "mitigation_ineffective"))
    outcome = "fail" if word.startswith("mit") else "pass"
    return _finding("runbook/proven", outcome, subject=f"{mode}.md", facts={"verdict": word})


def _alert_name(mode: str) -> str:
    return "".join(part.title() for part in mode.replace(".", "_").split("_"))


def _alert(rng: random.Random, verdict: str, mode: str) -> Json:
    came = verdict in ("caught", "late", "misrouted", "already_firing", "too_early")
    firing = rng.randint(2, 300) * 1000 + rng.randint(0, 999) if came else None
    delivered = (
        firing + rng.randint(5, 900) if firing is not None and verdict != "misrouted" else None
    )
    acked = delivered + rng.randint(20, 900) * 1000 if delivered and rng.random() < 0.5 else None
    return {
        "alert": _alert_name(mode), "labels": {"severity": rng.choice(("page", "ticket"))},
        "fault": "one", "receiver": "pager", "verdict": verdict,
        "missed": "never_true" if verdict == "missed" else "", "reason": "made up", "notes": [],
        "within_ms": 120_000, "firing_after_ms": firing, "firing_error_ms": 500 if came else None,
        "delivered_after_ms": delivered, "reset_ms": None, "reset_error_ms": None,
        "firings": rng.choice((1, 1, 1, 2)) if came else 0, "evidence": [],
        "acknowledged_after_ms": acked, "acknowledged_by": "by hand" if acked else "",
    }  # fmt: skip


def _rung(name: str, state: str, since: int | None) -> Json:
    return {
        "name": name, "state": state, "since_ms": since, "error_ms": None, "why": "", "after": "",
        "gap_ms": None, "parts": [], "slowest": False, "source": "", "what": "",
    }  # fmt: skip


def _ladder(rng: random.Random, alert: Json) -> Json:
    off = 400_000
    firing, acked = alert["firing_after_ms"], alert["acknowledged_after_ms"]
    felt = rng.choice(("measured", "measured", "measured", "censored", "not_measured"))
    how = rng.choice(("measured", "censored", "not_measured"))
    steady = rng.choice(("measured", "measured", "censored"))
    rungs = [
        _rung("on", "measured", 0),
        _rung("impact", felt, None if felt == "not_measured" else 2_000),
        _rung("firing", "measured", firing) if firing is not None
        else _rung("firing", "censored", rng.choice((460_000, 520_000))),
        _rung("acknowledged", "measured", acked) if acked
        else _rung("acknowledged", rng.choice(("censored", "not_measured")), 460_000),
        _rung("mitigated", how if felt == "measured" else "not_measured",
              (rng.randint(200, 390) * 1000 if how == "measured" else off)
              if felt == "measured" and how != "not_measured" else None),
        _rung("off", "measured", off),
        _rung("steady", steady, off + rng.randint(1, 90) * 1000),
    ]  # fmt: skip
    for rung in rungs:
        if rung["state"] == "not_measured":
            rung["since_ms"] = None
    return {
        "fault": "one", "alert": alert["alert"], "receiver": "pager", "rungs": rungs,
        "floor_ms": None, "floor": "", "reference": "", "reference_ms": None,
        "behind_reference_ms": None, "compared": "",
    }  # fmt: skip


def _safety(rng: random.Random, stopped: bool, clean: bool, control: bool) -> Json:
    took = rng.randint(50, 14_000)
    undo = {"fault": "one", "state": "measured" if clean else "censored", "took_ms": took,
            "tries": 1, "why": ""}  # fmt: skip
    return {
        "stopped_by": "errors > 50%" if stopped else "", "reason": "", "n": int(stopped),
        "stopped_ms": 30_000 if stopped else None, "in_place": [], "why": "",
        "state": "measured" if stopped and clean else "censored" if stopped else "not_measured",
        "time_to_safe_ms": took if stopped else None, "undos": [] if control else [undo],
    }  # fmt: skip


def _other(rng: random.Random) -> Json:
    word = rng.choice(("baseline", "forbidden", "tolerated", "unexpected"))
    return {"alert": "Other", "labels": {"severity": "page"}, "word": word, "firing_ms": 30_000,
            "ended_ms": None, "error_ms": 0, "delivered": 1, "evidence": []}  # fmt: skip


def _findings(rng: random.Random, count: int, modes: dict[str, list[str]]) -> list[FindingRecord]:
    made: dict[str, FindingRecord] = {}
    while len(made) < count:
        service = rng.choice(sorted(modes))
        mode, kind = rng.choice(modes[service]), rng.choice(list(FindingClass))
        name = id_of(fingerprint_of(service, mode, "check what", kind))
        severity = rng.choice(list(FindingSeverity))
        made[name] = FindingRecord(
            id=name, title=f"{kind.value.replace('_', ' ')} of {service}", service=service,
            failure_mode=mode, expectation="check what", kind=kind,
            entries=tuple(_entries(rng, severity)),
        )  # fmt: skip
    return list(made.values())


def _entries(rng: random.Random, severity: FindingSeverity) -> list[Entry]:
    """A life, cut short at some place."""
    at = START + datetime.timedelta(days=rng.uniform(0, 350))
    due = (at.date() + datetime.timedelta(days=DUE_DAYS[severity])).isoformat()
    kinds, states = EntryKind, FindingState
    found = [_entry(at, kinds.RAISED, states.OPEN, severity=severity, due=due,
                    owner_team="team-a")]  # fmt: skip
    lives: tuple[tuple[tuple[EntryKind, FindingState], ...], ...] = (
        ((kinds.ASSIGNED, states.ASSIGNED), (kinds.STARTED, states.IN_PROGRESS),
         (kinds.CLAIMED, states.FIX_CLAIMED), (kinds.VERIFIED, states.VERIFIED),
         (kinds.REGRESSED, states.OPEN)),
        ((kinds.SEEN_AGAIN, states.OPEN), (kinds.ASSIGNED, states.ASSIGNED),
         (kinds.STARTED, states.IN_PROGRESS), (kinds.CLAIMED, states.FIX_CLAIMED),
         (kinds.REFUTED, states.IN_PROGRESS), (kinds.CLAIMED, states.FIX_CLAIMED),
         (kinds.VERIFIED, states.VERIFIED)),
        ((kinds.ACCEPTED, states.RISK_ACCEPTED), (kinds.SEEN_AGAIN, states.RISK_ACCEPTED)),
    )  # fmt: skip
    life = rng.choice(lives)
    for what, state in life[: rng.randint(0, len(life))]:
        at += datetime.timedelta(days=rng.uniform(1, 40))
        if at > NOW:
            break
        more: Json = {}
        if what is kinds.ACCEPTED:
            until = at.date() + datetime.timedelta(days=rng.randint(20, 150))
            more["until"] = until.isoformat()
        if what is kinds.REGRESSED:
            more["due"] = (at.date() + datetime.timedelta(days=DUE_DAYS[severity])).isoformat()
        if what is kinds.VERIFIED:
            run = f"run-of-{at:%Y%m%d}"
            more |= {"run": run, "evidence": Evidence(run=run, started=_time(at))}
        found.append(_entry(at, what, state, **more))
    return found


def _entry(at: datetime.datetime, what: EntryKind, state: FindingState, **more: Any) -> Entry:
    return Entry(at=_time(at), what=what, state=state, role="gameday", why="made up", **more)


def _incidents(rng: random.Random, modes: dict[str, list[str]]) -> str:
    lines = ["id,started,service,severity,resolved,failure_mode"]
    for number in range(60):
        at = START + datetime.timedelta(days=rng.uniform(0, 364))
        service = rng.choice(sorted(modes))
        mode = rng.choice((*modes[service], ""))
        end = _time(at + datetime.timedelta(minutes=rng.randint(5, 300)))
        lines.append(
            f"INC-{number},{_time(at)},{service},{rng.choice(('sev1', 'sev2'))},{end},{mode}"
        )
    return "\n".join(lines) + "\n"


def _deployments(rng: random.Random, names: list[str]) -> str:
    lines = ["id,time,service,outcome,environment"]
    for number in range(2000):
        at = START + datetime.timedelta(days=rng.uniform(0, 364))
        outcome = rng.choice(("ok",) * 10 + ("failed", "rolled_back"))
        lines.append(f"D{number},{_time(at)},{rng.choice(names)},{outcome},prod")
    return "\n".join(lines) + "\n"


def _drills(rng: random.Random, names: list[str]) -> str:
    lines = ["id,scheduled,service,held,rto_s,rto_target_s,rpo_s,rpo_target_s,integrity"]
    for number in range(24):
        at = START + datetime.timedelta(days=rng.uniform(0, 364))
        held = rng.random() < 0.8
        rest = f"{at:%Y-%m-%d},{rng.randint(100, 1200)},900,{rng.randint(0, 90)},60,pass"
        lines.append(f"R{number},{at:%Y-%m-%d},{rng.choice(names)},"
                     f"{rest if held else ',,900,,60,'}")  # fmt: skip
    return "\n".join(lines) + "\n"
