"""Each verdict, really caused: by rules, silences, routes and receivers of real servers.

The load, and the fault's read-backs, are those of the sample run of the checks; the fault of the
target is put in and out at its times. All that is said of alerts is what the real servers said.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from stepped_clock import CannotStepError, step_clock
from verdict_stack import VerdictStack

from gameday.adapters.runbook import RunbookReader
from gameday.checks import judge
from gameday.kpi.alert_others import other_episodes
from gameday.kpi.alert_verdict import alert_verdicts, run_of
from gameday.kpi.timings import ladders
from gameday.model.alerting import AlertNote, AlertVerdict, AlertWord, MissReason, OtherWord
from gameday.model.event import Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.project import AlertingSpec
from gameday.model.report import State
from gameday.model.scenario import AlertExpectation
from gameday.model.verdict import Finding, Outcome

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))

import checks_support as sample

pytestmark = pytest.mark.real

END_MS = sample.END_S * 1000 + 200  # of what is watched: all of the run
TAKEN_S = sample.FAULT_S + 14  # somebody silences `Stuck`, which has paged long before
PAGE = {"severity": "page"}


def expect(alert: str, within_ms: int = 10_000, **more: Any) -> AlertExpectation:
    usual: dict[str, Any] = {"labels": PAGE, "receiver": "pager", "fires_within_ms": within_ms}
    return AlertExpectation(alert=alert, **{**usual, **more})


EXPECTED = (
    expect("Caught", resolves_within_ms=10_000),
    expect("Silenced"),
    replace(expect("Silenced"), receiver=None),
    expect("Inhibited"),
    expect("Muted"),
    expect("NotMuted"),
    expect("DeadLink"),
    expect("WrongRoute"),
    expect("ReceiverDown", receiver="dead"),
    expect("TooEarly"),
    expect("AlreadyFiring"),
    expect("Late", within_ms=5_000),
    expect("OtherService", labels={"service": "payments"}),
    expect("Ticket"),
    expect("NeverTrue"),
    expect("LongFor"),
    expect("NoRule"),
    expect("NoSeries"),
    expect("Broken"),
    expect("Flapping", resolves_within_ms=10_000),
    expect("Stuck", resolves_within_ms=5_000),
)


@dataclass(frozen=True, kw_only=True)
class Played:
    """One run: what was planned, what is in its journal, and what is said of its alerts."""

    plan: Plan
    timeline: Timeline
    verdicts: tuple[AlertVerdict, ...]
    findings: tuple[Finding, ...]

    def of(self, alert: str, *, receiver: str | None = None) -> AlertVerdict:
        found = [v for v in self.verdicts if v.alert == alert]
        return next(v for v in found if receiver is None or v.receiver == receiver)

    def words(self) -> dict[str, str]:
        return {v.alert: f"{v.verdict} {v.missed}".strip() for v in reversed(self.verdicts)}


def judged(stack: VerdictStack, expected: tuple[AlertExpectation, ...]) -> Played:
    """The journal of what has happened up to now, judged."""
    journal = sample.good_run(alerts=False)
    for at_ms, event in stack.events:
        journal.note(at_ms, event.kind, event.subject, **event.data)
    end_ms = sample.END_S * 1000 + 120
    for source in stack.sources:
        data = stack.read(source)
        phase = Phase.FAILED if "error" in data else Phase.OK
        journal.act(end_ms, "alert.read", source, phase=phase, **data)
    expectations = sample.expectations(
        alerts=expected, fault=(), recovery=(), quiet=({"kind": "quiet"},),
        tolerate=({"kind": "known"},),
    )  # fmt: skip
    reader = RunbookReader(stack.folder, folders=("runbooks",))
    for link in links_in(stack):
        journal.act(end_ms + 200, "runbook.read", link, **reader.read(link), reference=link)
    timeline = sample.timeline(journal, sample.change("run.opened", origin_wall_ms=stack.origin_ms))
    there = AlertingSpec(
        prometheus_url=stack.prometheus.url, alertmanager_url=stack.alertmanager.url
    )
    plan = sample.plan(expect=expectations, alerting=there)
    findings = judge(plan, timeline).findings
    verdicts = alert_verdicts(run_of(plan, timeline, findings))
    return Played(plan=plan, timeline=timeline, verdicts=verdicts, findings=findings)


def links_in(stack: VerdictStack) -> list[str]:
    """The runbooks to which the alerts link that were delivered."""
    told = [e.data["annotations"] for _, e in stack.events if e.kind == "alert.delivered"]
    return list(dict.fromkeys(a["runbook_url"] for a in told if "runbook_url" in a))


def started(folder: Path, real_server: Callable[..., str]) -> tuple[VerdictStack, str]:
    programs = (real_server("prometheus"), real_server("prometheus-alertmanager", "alertmanager"))
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "caught.md").write_text("# Caught\n\n## Diagnosis\n\nLook.\n")
    stack = VerdictStack(folder, programs, sample.FAULT_S)
    try:
        return stack, stack.start()
    except BaseException:
        stack.close()
        raise


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The run with a rule for each verdict; the same with a server whose clock was set 30 s on."""

    played: Played
    silence: str
    taken: tuple[str, int, int]  # a silence made in the run: its id, made between these run times
    apart: dict[str, Played | str]


def whole_run(folder: Path, real_server: Callable[..., str]) -> Whole:
    """Play it."""
    stack, silence = started(folder, real_server)
    apart: dict[str, Played | str] = {}
    try:
        stack.at(sample.FAULT_S + 0.01, lambda: stack.target.fault(0.5))
        stack.at(TAKEN_S)
        before_ms = stack.now_ms()
        taken = (stack.silence("Stuck", "ACK! on it"), before_ms, stack.now_ms())
        stack.at(sample.RECOVERY_S + 0.01, lambda: stack.target.fault(0.0))
        stack.at(END_MS / 1000)
        played = judged(stack, EXPECTED)
        for name, server in (
            ("alertmanager", stack.alertmanager),
            ("prometheus", stack.prometheus),
        ):
            assert server.process is not None
            try:
                step_clock(server.process.pid, 30)
            except CannotStepError as error:
                apart[name] = str(error)
            else:
                apart[name] = judged(stack, EXPECTED[:1])
                step_clock(server.process.pid, 0)
        return Whole(played=played, silence=silence, taken=taken, apart=apart)
    finally:
        stack.close()


def test_every_word_is_given_to_what_really_happened(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    """One run of real servers, played once because it takes a while, and all that is said of it."""
    whole = whole_run(tmp_path, real_server)

    every_verdict(whole)
    every_note(whole)
    every_other_firing(whole)
    the_ladder_knows_the_settings(whole)
    a_silence_made_in_the_run_is_an_acknowledgement(whole)
    clocks_apart(whole, "alertmanager")
    clocks_apart(whole, "prometheus")


def every_verdict(whole: Whole) -> None:
    played, silence = whole.played, whole.silence
    unclear = {f.summary for f in played.findings if f.validity and f.outcome is not Outcome.PASS}

    assert unclear <= {"AlreadyFiring was firing already before the fault"}
    assert played.words() == {
        "Caught": "caught",
        "Silenced": "suppressed",
        "Inhibited": "suppressed",
        "Muted": "suppressed",
        "NotMuted": "caught",
        "DeadLink": "caught",
        "WrongRoute": "misrouted",
        "ReceiverDown": "undelivered",
        "TooEarly": "too_early",
        "AlreadyFiring": "already_firing",
        "Late": "late",
        "OtherService": "wrong_target",
        "Ticket": "wrong_target",
        "NeverTrue": "missed never_true",
        "LongFor": "missed pending_only",
        "NoRule": "missed no_such_rule",
        "NoSeries": "missed series_absent",
        "Broken": "inconclusive",
        "Flapping": "caught",
        "Stuck": "caught",
    }
    assert {v.verdict for v in played.verdicts} == set(AlertWord)
    assert {v.missed for v in played.verdicts} == set(MissReason)
    assert f"silenced by {silence}" in played.of("Silenced", receiver="pager").reason
    assert "inhibited by " in played.of("Inhibited").reason
    assert "muted by the time interval `any-time`" in played.of("Muted").reason
    assert "delivered to `chat`" in played.of("WrongRoute").reason
    assert "service=checkout" in played.of("OtherService").reason
    assert "no_such_requests_total" in played.of("NoSeries").reason
    assert "could not evaluate its rule" in played.of("Broken").reason


def every_note(whole: Whole) -> None:
    played, silence = whole.played, whole.silence
    notes = {
        name: {row.note.value for row in played.of(name).notes}
        for name in ("Caught", "DeadLink", "Flapping", "Stuck", "Ticket")
    }

    assert notes == {
        "Caught": set(),
        "DeadLink": {"dead_runbook"},
        "Flapping": {"flapped", "resolved_too_early", "no_runbook"},
        "Stuck": {"stuck", "no_runbook"},
        "Ticket": {"wrong_severity"},
    }
    held = next(v for v in played.verdicts if v.alert == "Silenced" and not v.receiver)
    assert held.verdict is AlertWord.CAUGHT
    assert any(row.note == "held_back" and silence in row.text for row in held.notes)
    assert {row.note for v in played.verdicts for row in v.notes} == set(AlertNote)


def every_other_firing(whole: Whole) -> None:
    played = whole.played
    found = {o.alert: o.word for o in other_episodes(played.plan, played.timeline)}

    assert found == {
        "Maintenance": OtherWord.BASELINE,
        "Noise": OtherWord.UNEXPECTED,
        "SideEffect": OtherWord.TOLERATED,
        "Forbidden": OtherWord.FORBIDDEN,
        "OtherService": OtherWord.UNEXPECTED,
        "Ticket": OtherWord.UNEXPECTED,
    }


def the_ladder_knows_the_settings(whole: Whole) -> None:
    played = whole.played
    found = {ladder.alert: ladder for ladder in ladders(played.plan, played.timeline)}
    rungs = {rung.name: rung for rung in found["Late"].rungs}

    assert found["Late"].floor_ms == 8_000
    assert "1 s until the next scrape and 1 s until the next evaluation" in found["Late"].floor
    assert next((p.name, p.least_ms, p.most_ms) for p in rungs["firing"].parts) == (
        "for", 8_000, 8_000,
    )  # fmt: skip
    assert rungs["firing"].slowest
    assert (rungs["delivered"].gap_ms or 0) < 3_000
    assert all((r.since_ms or 0) >= 8_000 for r in (rungs["firing"], rungs["delivered"]))


def a_silence_made_in_the_run_is_an_acknowledgement(whole: Whole) -> None:
    """Of the alert that it holds, from when it began; one from before it fired is none."""
    played = whole.played
    silence, before_ms, after_ms = whole.taken
    found = {ladder.alert: ladder for ladder in ladders(played.plan, played.timeline)}
    rungs = {rung.name: rung for rung in found["Stuck"].rungs}
    taken, verdict = rungs["acknowledged"], played.of("Stuck")

    assert (taken.source, taken.what) == (
        "alertmanager", f"silence {silence}, whose comment says ack",
    )  # fmt: skip
    confirmed_ms = sample.FAULT_S * 1000 + 40
    assert taken.since_ms is not None
    assert taken.error_ms is not None
    at_ms = confirmed_ms + taken.since_ms
    assert before_ms - 600 <= at_ms <= after_ms + 600, "its clock is known to half a second"
    assert (taken.after, taken.gap_ms) == (
        "delivered", taken.since_ms - (rungs["delivered"].since_ms or 0),
    )  # fmt: skip
    assert verdict.acknowledged_after_ms == taken.since_ms
    assert verdict.acknowledged_by == "alertmanager"
    for name in ("Silenced", "Caught"):
        [other] = [r for r in found[name].rungs if r.name == "acknowledged"]
        assert other.state is State.NOT_MEASURED
        assert "no silence was made for it at `alertmanager` after it fired" in other.why


def clocks_apart(whole: Whole, server: str) -> None:
    """The clock of a real server is set while it runs; without that the alert was caught."""
    played = whole.apart[server]
    if isinstance(played, str):
        pytest.skip(f"clocks apart were NOT tested: {played}")
    (clock,) = (f for f in played.findings if f.check == "clock/agree" and f.subject == server)
    (verdict,) = played.verdicts

    assert whole.played.of("Caught").verdict is AlertWord.CAUGHT
    assert clock.outcome is Outcome.INCONCLUSIVE
    assert 28_000 < clock.facts["offset_ms"] < 32_000, clock.summary
    assert f"the clock of `{server}`" in clock.summary
    assert verdict.verdict is AlertWord.INCONCLUSIVE
    bad = [f for f in played.findings if f.validity and f.outcome is Outcome.INCONCLUSIVE]
    assert verdict.reason == bad[0].summary
    if server == "alertmanager":
        assert bad == [clock], "nothing else is wrong"


def test_a_prometheus_that_is_killed_in_the_middle_leaves_it_inconclusive(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    stack, _ = started(tmp_path, real_server)
    try:
        stack.at(sample.FAULT_S + 0.01, lambda: stack.target.fault(0.5))
        stack.at(sample.FAULT_S + 0.5, stack.prometheus.kill)
        gone = judged(stack, EXPECTED[:1])
        stack.at(sample.FAULT_S + 3, stack.prometheus.start)
        stack.at(sample.FAULT_S + 10.5)
        back = judged(stack, EXPECTED[:1])
    finally:
        stack.close()

    for played, words in ((gone, "refused"), (back, "could not be read from")):
        (verdict,) = played.verdicts
        assert verdict.verdict is AlertWord.INCONCLUSIVE
        assert words in verdict.reason
