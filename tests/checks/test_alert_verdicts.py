"""One word for each expected alert: one hand-written run a row, and which word wins over which.

The runs are judged whole, by all checks, so that a word can be held against what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    LATENCY,
    ORIGIN,
    PAYMENTS_SLOW,
    RECOVERY_S,
    Journal,
    Spoil,
    cell,
    change,
    delivered,
    drop,
    ends,
    expectations,
    good_run,
    plan,
    probe_at,
    tick,
    timeline,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.checks import judge
from gameday.kpi.alert_others import other_episodes
from gameday.kpi.alert_verdict import absent_series, alert_verdicts, run_of
from gameday.model.alerting import AlertNote, AlertVerdict, AlertWord, MissReason, OtherWord
from gameday.model.event import Phase
from gameday.model.plan import Plan
from gameday.model.project import AlertingSpec
from gameday.model.scenario import AlertExpectation
from gameday.model.verdict import Finding, Outcome

BOTH = AlertingSpec(
    prometheus_url="http://127.0.0.1:9090", alertmanager_url="http://127.0.0.1:9093"
)
PAGE = {"severity": "page"}
RULE: Mapping[str, Any] = {
    "name": "PaymentsSlow", "interval": 1, "duration": 4, "health": "ok", "labels": PAGE,
    "annotations": {"runbook_url": "runbooks/payments-slow.md"}, "query": "latency > 0.5",
}  # fmt: skip
#: labels, first second pending (or None), first second firing (or None), first second without
Series = tuple[Mapping[str, str], int | None, int | None, int]
#: receiver, second of the arrival
Arrival = tuple[str, float]


def fired(
    firing: int | None = 19, ended: int = 37, *, pending: int | None = 15, **more: str
) -> Any:
    return ({**PAGE, **more}, pending, firing, ended)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the sources tell of one run."""

    series: tuple[Series, ...] = (fired(),)
    arrivals: tuple[Arrival, ...] = (("pager", 19.2),)
    held: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)  # of Alertmanager's routes
    routed: tuple[str, ...] = ("pager",)
    rules: tuple[Mapping[str, Any], ...] = (RULE,)
    gaps: tuple[tuple[float, float], ...] = ()
    offset_ms: int = 0
    name: str = "PaymentsSlow"
    expected: tuple[AlertExpectation, ...] = (PAYMENTS_SLOW,)
    quiet: tuple[Mapping[str, str], ...] = ()
    tolerate: tuple[Mapping[str, str], ...] = ()
    spoils: tuple[Spoil, ...] = ()
    users: str = "wait"  # or what they get: `fail`, or `fine`: nothing to notice
    bite: bool = True


def journal_of(told: Told) -> Journal:
    """The journal of that run: Prometheus' samples, Alertmanager's alerts, and deliveries."""
    slow = {} if told.bite else {"probe": lambda s: {**probe_at(s), "ms": 11.5}}
    journal = good_run(alerts=False, ticks=_TICKS[told.users], **slow)
    for receiver, at_s in told.arrivals:
        delivered(journal, int(at_s * 1000), told.name, PAGE, receiver=receiver)
    for source in ("prometheus", "alertmanager"):
        journal.note(1_000, "clock.offset", source, offset_ms=told.offset_ms, error_ms=5)
    until = ORIGIN + END_S * 1000
    common = {"offset_ms": told.offset_ms, "error_ms": 5, "until_wall_ms": until}
    journal.act(
        END_S * 1000 + 120, "alert.read", "prometheus",
        matrix=[m for one in told.series for m in _matrix(told, one)], rules=list(told.rules),
        gaps=[[ORIGIN + int(a * 1000), ORIGIN + int(b * 1000)] for a, b in told.gaps],
        seen=[], **common,
    )  # fmt: skip
    rows = []
    if told.held is not None or told.routed:
        states = [[ORIGIN + 19_500, "suppressed" if told.held else "active"]]
        seen = {"first_seen_wall_ms": ORIGIN + 19_500, "last_seen_wall_ms": ORIGIN + 37_000}
        labels = {"alertname": told.name, **PAGE}
        row = {"labels": labels, "receivers": list(told.routed), "states": states}
        rows = [{"silencedBy": [], "inhibitedBy": [], **row, **seen, **(told.held or {})}]
    journal.act(
        END_S * 1000 + 130, "alert.read", "alertmanager",
        alerts=rows, receivers=["pager", "chat"], gaps=[], **told.config, **common,
    )  # fmt: skip
    return journal


def _failing(second: int) -> Any:
    if not FAULT_S < second < RECOVERY_S:
        return tick(second)
    return tick(second, [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 900, "http")])


def _untouched(second: int) -> Any:
    return tick(second, [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 35)])


_TICKS = {"wait": tick, "fail": _failing, "fine": _untouched}


def _matrix(told: Told, one: Series) -> list[dict[str, Any]]:
    labels, pending, firing, ended = one
    skew = told.offset_ms / 1000
    spans = {"pending": (pending, firing if firing is not None else ended)}
    spans["firing"] = (firing, ended)
    return [
        {
            "metric": {"alertname": told.name, "alertstate": state, **labels},
            "values": [[ORIGIN / 1000 + s + skew, "1"] for s in range(start, end)],
        }
        for state, (start, end) in spans.items()
        if start is not None
    ]


def judged(told: Told) -> tuple[Plan, Any, tuple[Finding, ...], tuple[AlertVerdict, ...]]:
    expect = expectations(
        alerts=told.expected, quiet=told.quiet, tolerate=told.tolerate, fault=(), recovery=()
    )
    setup = plan(expect=expect, alerting=BOTH)
    run = timeline(journal_of(told), *told.spoils)
    findings = judge(setup, run).findings
    return setup, run, findings, alert_verdicts(run_of(setup, run, findings))


def only(told: Told) -> AlertVerdict:
    (verdict,) = judged(told)[3]
    return verdict


SILENCED = {"silencedBy": ["s-1"]}
INHIBITED = {"inhibitedBy": ["f-2"]}

#: The runs begin at 10:56:40 UTC; the alert is seen at 10:56:59.5, and until 10:57:17.
TIMES = {
    "time_intervals": [
        {"name": name, "time_intervals": [{"times": [{"start_time": a, "end_time": b}]}]}
        for name, a, b in (
            ("morning", "10:00", "12:00"), ("night", "22:00", "24:00"), ("soon", "10:57", "11:00"),
        )
    ]
}  # fmt: skip


def routes(**first: Any) -> Mapping[str, Any]:
    """A route to `pager`, and one to `chat` beside it that is never muted."""
    two = [{"receiver": "pager", "continue": True, **first}, {"receiver": "chat"}]
    return {"route": {"receiver": "chat", "routes": two}, "times": TIMES}


MUTED = routes(mute_time_intervals=["night", "morning"])
NO_RECEIVER = (replace(PAYMENTS_SLOW, receiver=None),)
SILENT = Told(series=(), arrivals=(), routed=())
ABSENT = {**RULE, "series": [{"selector": "latency", "samples": False}]}
LATE = Told(series=(fired(30, 40),), arrivals=(("pager", 30.2),))
EARLY = Told(series=(fired(pending=11),))

#: word, sub-reason, words of the reason, what the sources tell
ROWS: dict[str, tuple[str, str, str, Told]] = {
    "caught": ("caught", "", "fired after 5.96 s and reached `pager` after 6.16 s", Told()),
    "caught, nobody asked to whom": ("caught", "", "5.96 s", Told(expected=NO_RECEIVER)),
    "delivered before it was inhibited": ("caught", "", "6.16 s", Told(held=INHIBITED)),
    "source unreadable": (
        "inconclusive", "", "could not be read from 15.0 s to 17.0 s", Told(gaps=((15, 17),)),
    ),
    "source never read": (
        "inconclusive", "", "could not be read: refused",
        Told(spoils=(ends("alert.read", Phase.FAILED, error="refused"),)),
    ),
    "rule unhealthy": (
        "inconclusive", "", "could not evaluate its rule: many-to-many",
        replace(SILENT, rules=({**RULE, "health": "err", "lastError": "many-to-many"},)),
    ),
    "pipeline not proven": (
        "inconclusive", "", "no receiver of ours was listening",
        Told(arrivals=(), spoils=(change("run.parts", receiver=None),)),
    ),
    "clocks apart": ("inconclusive", "", "ahead of ours", Told(offset_ms=30_000)),
    "fault not shown to bite": ("inconclusive", "", "probe", Told(bite=False)),
    "fault never in": (
        "inconclusive", "", "never injected", Told(spoils=(drop("fault.inject"),)),
    ),
    "already firing": ("already_firing", "", "firing already", Told(series=(fired(9, pending=5),))),
    "silenced": ("suppressed", "", "silenced by s-1", Told(arrivals=(), held=SILENCED)),
    "inhibited": ("suppressed", "", "inhibited by f-2", Told(arrivals=(), held=INHIBITED)),
    "delivered to somebody else": (
        "misrouted", "", "delivered to `chat`", Told(arrivals=(("chat", 19.2),)),
    ),
    "routed to somebody else": (
        "misrouted", "", "routed to `chat`", Told(arrivals=(), routed=("chat",)),
    ),
    "muted": (
        "suppressed", "", "muted by the time interval `morning`", Told(arrivals=(), config=MUTED),
    ),
    "muted, told later": (
        "suppressed", "", "`morning`; it reached `pager` after 13.96 s",
        Told(arrivals=(("pager", 27.0),), config=MUTED),
    ),
    "not active": (
        "suppressed", "", "muted outside of its active time interval `night`",
        Told(arrivals=(), config=routes(active_time_intervals=["night"])),
    ),
    "muted while it was due": (
        "suppressed", "", "`soon`", Told(arrivals=(), config=routes(mute_time_intervals=["soon"])),
    ),
    "silenced and muted": (
        "suppressed", "", "silenced by s-1", Told(arrivals=(), held=SILENCED, config=MUTED),
    ),
    "muted at other times": (
        "undelivered", "", "reached nobody",
        Told(arrivals=(), config=routes(mute_time_intervals=["night"])),
    ),
    "another route is muted": (
        "undelivered", "", "reached nobody",
        Told(
            arrivals=(), routed=("pager", "chat"),
            config=routes() | {"route": {"receiver": "pager", "mute_time_intervals": ["morning"]}},
            expected=(replace(PAYMENTS_SLOW, receiver="chat"),),
        ),
    ),
    "muted in an interval that cannot be followed": (
        "undelivered", "", "reached nobody",
        Told(arrivals=(), config=routes(mute_time_intervals=["gone"])),
    ),
    "undelivered": ("undelivered", "", "reached nobody", Told(arrivals=())),
    "too early": ("too_early", "", "true 2 s before fault `slow`", EARLY),
    "fired late": ("late", "", "fired after 16.96 s", LATE),
    "delivered late": (
        "late", "", "reached `pager` after 13.96 s", Told(arrivals=(("pager", 27.0),)),
    ),
    "wrong target": (
        "wrong_target", "", "other labels (service=payments, severity=page)",
        Told(
            series=(fired(service="payments"),), arrivals=(),
            expected=(replace(PAYMENTS_SLOW, labels={**PAGE, "service": "shop"}),),
        ),
    ),
    "its condition was never true": ("missed", "never_true", "never true", SILENT),
    "pending only": (
        "missed", "pending_only", "pending after 1.96 s", replace(SILENT, series=(fired(None),)),
    ),
    "no such rule": (
        "missed", "no_such_rule", "no rule of this name", replace(SILENT, rules=({"name": "X"},)),
    ),
    "series absent": ("missed", "series_absent", "`latency`", replace(SILENT, rules=(ABSENT,))),
    # which word wins over the next
    "inconclusive before already firing": (
        "inconclusive", "", "probe", Told(series=(fired(9, pending=5),), bite=False),
    ),
    "already firing before suppressed": (
        "already_firing", "", "", Told(series=(fired(9),), arrivals=(), held=SILENCED),
    ),
    "suppressed before misrouted": (
        "suppressed", "", "", Told(arrivals=(("chat", 19.2),), held=SILENCED),
    ),
    "misrouted before undelivered": (
        "misrouted", "", "", Told(arrivals=(("chat", 19.2),), routed=()),
    ),
    "undelivered before too early": ("undelivered", "", "", replace(EARLY, arrivals=())),
    "too early before late": (
        "too_early", "", "", Told(series=(fired(30, pending=11),), arrivals=(("pager", 30.2),)),
    ),
    "suppressed before late": (
        "suppressed", "", "silenced by s-1; it reached `pager` after 13.96 s",
        Told(arrivals=(("pager", 27.0),), held=SILENCED),
    ),
    "misrouted before late": ("misrouted", "", "", replace(LATE, arrivals=(("chat", 30.2),))),
    "undelivered before late": ("undelivered", "", "", replace(LATE, arrivals=())),
    "late before caught: it reached one in time, the named one late": (
        "late", "", "", Told(arrivals=(("chat", 19.2), ("pager", 27.0))),
    ),
    "caught before wrong target": (
        "caught", "", "",
        Told(
            series=(fired(service="shop"), fired(18, service="payments")),
            expected=(replace(PAYMENTS_SLOW, labels={"service": "shop"}, receiver=None),),
        ),
    ),
    "wrong target before missed": (
        "wrong_target", "", "",
        Told(
            series=(({"severity": "ticket"}, 15, 19, 37), fired(None, 20)), arrivals=(),
        ),
    ),
    "no such rule before pending only": (
        "missed", "no_such_rule", "",
        replace(SILENT, series=(fired(None),), rules=({"name": "X"},)),
    ),
    "pending only before series absent": (
        "missed", "pending_only", "", replace(SILENT, series=(fired(None),), rules=(ABSENT,)),
    ),
    "series absent before never true": (
        "missed", "series_absent", "",
        replace(SILENT, rules=({**ABSENT, "query": "a and latency"},)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_word(row: Any) -> None:
    word, missed, reason, told = row
    verdict = only(told)

    assert (verdict.verdict, verdict.missed) == (AlertWord(word), MissReason(missed)), verdict
    assert reason in verdict.reason
    assert verdict.reason
    consistent(told)


def test_every_word_and_every_sub_reason_has_a_row() -> None:
    assert {AlertWord(row[0]) for row in ROWS.values()} == set(AlertWord)
    assert {MissReason(row[1]) for row in ROWS.values()} == set(MissReason)


def test_the_labels_of_another_expectation_are_no_wrong_target() -> None:
    shop, pay = (
        replace(PAYMENTS_SLOW, labels={"service": s}, receiver=None) for s in ("shop", "payments")
    )
    found = judged(Told(series=(fired(service="shop"),), expected=(shop, pay)))[3]

    assert [v.verdict for v in found] == [AlertWord.CAUGHT, AlertWord.MISSED]


def test_times_carry_their_error_bars_and_the_lines_they_rest_on() -> None:
    setup, run, _, (verdict,) = judged(Told())

    assert (verdict.firing_after_ms, verdict.firing_error_ms) == (5_960, 1_000)
    assert verdict.delivered_after_ms == 6_160
    assert (verdict.reset_ms, verdict.reset_error_ms) == (3_960, 1_000)
    kinds = [e.kind for e in run if e.seq in verdict.evidence]
    assert kinds == ["fault.inject", "fault.inject", "alert.delivered", "alert.read"]
    assert setup.scenario.expect.alerts[0].alert == verdict.alert


#: notes, what the sources tell
NOTES: dict[str, tuple[dict[str, str], Told]] = {
    "none": ({}, Told()),
    "flapped": (
        {"flapped": "fired 2 times"}, Told(series=(fired(19, 24), fired(29, 36)), users="fine"),
    ),
    "two label sets do not flap": ({}, Told(series=(fired(zone="a"), fired(20, zone="b")))),
    "stuck, and still firing": (
        {"stuck": "still fired 14.96 s after the fault was off, allowed 10 s"},
        Told(series=(fired(19, END_S),)),
    ),
    "stuck, and resolved late": (
        {"stuck": "resolved 10.96 s after"}, Told(series=(fired(19, RECOVERY_S + 11),)),
    ),
    "resolved too early": (
        {"resolved_too_early": "while users felt it"}, Told(series=(fired(19, 26),), users="fail"),
    ),
    "resolved when the service had cured itself": ({}, Told(series=(fired(19, 26),), users="fine")),
    "wrong severity": (
        {"wrong_severity": "severity ticket, not page"},
        Told(series=(({"severity": "ticket"}, 15, 19, 37),), arrivals=()),
    ),
    "no runbook": (
        {"no_runbook": "no annotation"}, Told(rules=({**RULE, "annotations": {}},)),
    ),
    "dead runbook": (
        {"dead_runbook": "`runbooks/payments-slow.md` leads nowhere"},
        Told(spoils=(change("runbook.read", phase=Phase.OK, resolved=False),)),
    ),
    "held back, where nobody asked to whom": (
        {"held_back": "silenced by s-1"},
        Told(expected=NO_RECEIVER, arrivals=(), held=SILENCED),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", NOTES.values(), ids=NOTES)
def test_the_notes(row: Any) -> None:
    wanted, told = row
    found = {row.note.value: row.text for row in only(told).notes}

    assert set(found) == set(wanted), found
    assert all(words in found[note] for note, words in wanted.items())
    consistent(told)


def test_every_note_has_a_row() -> None:
    assert {note for wanted, _ in NOTES.values() for note in wanted} == {n.value for n in AlertNote}


#: word, labels of the other firing, its seconds
OTHERS: dict[str, tuple[str | None, Mapping[str, str], tuple[int, int]]] = {
    "there before the fault": ("baseline", {"team": "a"}, (8, 40)),
    "gone before the fault": (None, {"team": "a"}, (4, 8)),
    "must be quiet": ("forbidden", {"team": "quiet"}, (20, 30)),
    "known side effect": ("tolerated", {"team": "known"}, (20, 30)),
    "must be quiet, and is a known side effect": (
        "forbidden", {"team": "quiet", "kind": "known"}, (20, 30),
    ),
    "anything else": ("unexpected", {"team": "a"}, (20, 30)),
    "the expected one": (None, PAGE, (20, 30)),
}  # fmt: skip


@pytest.mark.parametrize("row", OTHERS.values(), ids=OTHERS)
def test_every_other_firing_has_a_word(row: Any) -> None:
    word, labels, (start, end) = row
    told = Told(
        series=((labels, None, start, end),), arrivals=(),
        quiet=({"team": "quiet"},), tolerate=({"team": "known"}, {"kind": "known"}),
    )  # fmt: skip
    setup, run, findings, _ = judged(told)
    found = [o.word for o in other_episodes(setup, run)]

    assert found == ([] if word is None else [OtherWord(word)])
    quiet = [f.outcome for f in findings if f.check == "alert/quiet"]
    assert (OtherWord.FORBIDDEN in found) == (quiet == [Outcome.FAIL])


def test_a_notification_belongs_to_the_firing_it_tells_of() -> None:
    stranger: Series = ({"severity": "ticket"}, None, 20, 30)
    told = Told(
        series=(stranger, ({"severity": "page"}, None, 20, 30)), arrivals=(("pager", 20.5),)
    )
    told = replace(told, expected=(replace(PAYMENTS_SLOW, alert="Other"),))
    setup, run, _, _ = judged(told)

    found = {o.labels["severity"]: o.delivered for o in other_episodes(setup, run)}
    assert found == {"page": 1, "ticket": 0}


@pytest.mark.parametrize(
    ("query", "absent"),
    [
        ("a > 1", ("a",)),
        ("a and b", ("a",)),
        ("a or b", ()),
        ("b unless a", ()),
        ("absent(a) and b", ()),
    ],
)
def test_a_series_is_missed_only_where_the_condition_needs_it(
    query: str, absent: tuple[str, ...]
) -> None:
    series = [{"selector": "a", "samples": False}, {"selector": "b", "samples": True}]

    assert absent_series({"query": query, "series": series}) == absent
    unasked = [{"selector": "a", "samples": None}]
    assert absent_series({"query": query, "series": unasked}) == ()


def consistent(told: Told) -> None:
    """One word an expectation, and `caught` exactly when the checks say so too."""
    _, _, findings, verdicts = judged(told)
    assert len(verdicts) == len(told.expected)
    sound = all(
        f.outcome in (Outcome.PASS, Outcome.SKIP)
        for f in findings
        if f.validity and f.check != "run/alerts-quiet-before"
    )
    of = {check: [f for f in findings if f.check == check] for check in CHECKS}
    for index, verdict in enumerate(verdicts):
        passed = of["alert/fired"][index].outcome is Outcome.PASS
        if told.expected[index].receiver is not None:
            passed = passed and of["alert/delivered"][index].outcome is Outcome.PASS
        assert (verdict.verdict is AlertWord.CAUGHT) == (passed and sound), verdict
        if verdict.verdict is AlertWord.CAUGHT:
            assert verdict.evidence
            assert verdict.firing_after_ms is not None
        notes = {row.note for row in verdict.notes}
        if AlertNote.STUCK in notes or AlertNote.RESOLVED_EARLY in notes:
            assert of["alert/resolved"][index].outcome is not Outcome.PASS


CHECKS = ("alert/fired", "alert/delivered", "alert/resolved")
_SECONDS = st.integers(min_value=4, max_value=END_S - 2)


@st.composite
def _tellings(draw: st.DrawFn) -> Told:
    """Any run: firings, arrivals, silences, gaps, broken rules, lost lines, in any mixture."""
    series = []
    for _ in range(draw(st.integers(0, 2))):
        pending, firing, ended = sorted(draw(st.tuples(_SECONDS, _SECONDS, _SECONDS)))
        labels = draw(st.sampled_from([PAGE, {"severity": "ticket"}]))
        if pending < firing < ended:
            series.append((labels, pending, firing, ended))
    spoils = draw(
        st.lists(
            st.sampled_from(
                [
                    drop("alert.read"), drop("fault.inject"), drop("run.parts"),
                    drop("fault.revert", phase=Phase.OK), drop("load.window"),
                    drop("runbook.read"), change("run.parts", receiver=None),
                ]
            ),
            max_size=1,
        )
    )  # fmt: skip
    receivers = st.sampled_from(["pager", "chat"])
    expected = replace(PAYMENTS_SLOW, receiver=draw(st.sampled_from(["pager", None])))
    return Told(
        series=tuple(series),
        arrivals=tuple(draw(st.lists(st.tuples(receivers, _SECONDS), max_size=2))),
        held=draw(st.sampled_from([None, SILENCED, INHIBITED])),
        routed=draw(st.sampled_from([(), ("pager",), ("chat",)])),
        rules=draw(st.sampled_from([(), (RULE,), (ABSENT,), ({**RULE, "health": "err"},)])),
        gaps=draw(st.sampled_from([(), ((15.0, 17.0),), ((21.0, 40.0),)])),
        offset_ms=draw(st.sampled_from([0, 20, 30_000])),
        expected=(expected,),
        spoils=tuple(spoils),
        bite=draw(st.sampled_from([True, True, False])),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_tellings())
def test_any_run_gets_one_word_and_never_a_green_one_without_evidence(told: Told) -> None:
    consistent(told)


def test_without_a_fault_in_the_plan_nothing_is_known() -> None:
    setup = plan(expect=expectations(quiet=()), faults=(), alerting=BOTH)
    run = timeline(journal_of(Told()))

    (verdict,) = alert_verdicts(run_of(setup, run, ()))

    assert verdict.verdict is AlertWord.INCONCLUSIVE
    assert verdict.fault == ""


def test_another_fault_that_did_not_bite_spoils_only_its_own_alert() -> None:
    other = replace(LATENCY, id="other")
    two = (PAYMENTS_SLOW, replace(PAYMENTS_SLOW, fault="other", receiver=None))
    setup = plan(expect=expectations(alerts=two), faults=(LATENCY, other), alerting=BOTH)
    run = timeline(journal_of(Told()))
    found = alert_verdicts(run_of(setup, run, judge(setup, run).findings))

    assert [v.verdict for v in found] == [AlertWord.CAUGHT, AlertWord.INCONCLUSIVE]
