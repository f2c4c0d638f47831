"""The time to safe, and how long each undo took; what never came off is censored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))

from checks_support import LATENCY, Journal, good_run, plan, timeline

from gameday.kpi.safety import safety_of
from gameday.model.event import Phase, Timeline
from gameday.model.report import Safety, State
from gameday.model.scenario import FaultSpec

SLOW, CUT = LATENCY, FaultSpec(id="cut", target="db", down=True)
MEASURED, CENSORED, NOT = State.MEASURED, State.CENSORED, State.NOT_MEASURED


class Run:
    """Writes the part of a journal that counts here."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.journal.note(0, "run.opened", "r", origin_wall_ms=0)

    def on(self, at_ms: int, fault: str, **more: Any) -> Run:
        self.journal.act(at_ms, "fault.inject", fault, begin={"undo": {}}, **more)
        return self

    def off(self, at_ms: int, fault: str, took_ms: int = 100, **more: Any) -> Run:
        data = {"read_back": True, "confirmed_ms": at_ms + took_ms - 10, **more}
        self.journal.act(at_ms, "fault.revert", fault, took_ms=took_ms, **data)
        return self

    def fails(self, at_ms: int, fault: str, phase: Phase = Phase.FAILED) -> Run:
        self.journal.act(at_ms, "fault.revert", fault, took_ms=50, phase=phase, error="no")
        return self

    def stop(self, at_ms: int, subject: str = "errors > 50%") -> Run:
        self.journal.note(at_ms, "stop.tripped", subject, reason="why", status="stopped")
        return self

    def end(self, at_ms: int) -> Timeline:
        self.journal.note(at_ms, "run.closed", "r", status="stopped", dirty=[])
        return Timeline(self.journal.events())


def told(run: Timeline) -> Safety:
    return safety_of(plan(faults=(SLOW, CUT)), run)


def test_a_stop_counts_until_the_last_fault_is_confirmed_off() -> None:
    run = Run().on(1_000, "slow").on(1_500, "cut").stop(9_000)
    found = told(run.off(9_010, "slow", 200).off(9_010, "cut", 1_500).end(11_000))

    assert (found.stopped_by, found.reason, found.stopped_ms) == ("errors > 50%", "why", 9_000)
    assert (found.in_place, found.n) == (("slow", "cut"), 2)
    assert (found.state, found.time_to_safe_ms, found.why) == (MEASURED, 1_500, "")
    assert [(u.fault, u.state, u.took_ms, u.tries) for u in found.undos] == [
        ("slow", MEASURED, 190, 1),
        ("cut", MEASURED, 1_490, 1),
    ]


def test_the_operator_counts_from_his_signal_and_tries_are_counted() -> None:
    run = Run().on(1_000, "slow").stop(5_000, "operator")
    run.fails(5_010, "slow").fails(5_300, "slow", Phase.UNKNOWN)
    found = told(run.off(6_000, "slow").end(7_000))

    assert (found.stopped_by, found.time_to_safe_ms) == ("operator", 1_090)
    slow, cut = found.undos
    assert (slow.state, slow.took_ms, slow.tries) == (MEASURED, 1_080, 3)
    assert (cut.state, cut.took_ms, cut.why) == (NOT, None, "it was never put in")


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.UNKNOWN])
def test_one_that_never_came_off_is_censored_with_a_lower_bound(phase: Phase) -> None:
    run = Run().on(1_000, "slow").on(1_000, "cut").stop(5_000)
    found = told(run.off(5_010, "slow").fails(5_010, "cut", phase).end(65_000))

    assert (found.state, found.time_to_safe_ms) == (CENSORED, 60_000)
    assert found.why == "`cut` was never confirmed off"
    assert [u.state for u in found.undos] == [MEASURED, CENSORED]
    assert found.undos[1].took_ms == 59_990


def test_a_revert_that_was_not_read_back_is_none() -> None:
    found = told(Run().on(1_000, "slow").stop(5_000).off(5_010, "slow", read_back=False).end(9_000))

    assert (found.state, found.time_to_safe_ms) == (CENSORED, 4_000)


def test_a_fault_that_was_taken_out_before_the_stop_is_not_in_place() -> None:
    run = Run().on(1_000, "slow").on(2_000, "cut").off(4_000, "slow").stop(5_000)
    found = told(run.off(5_010, "cut").end(9_000))

    assert (found.in_place, found.time_to_safe_ms) == (("cut",), 100)


def test_an_inject_that_was_under_way_at_the_stop_counts() -> None:
    run = Run().on(4_980, "slow", took_ms=40, phase=Phase.UNKNOWN, error="timeout").stop(5_000)

    assert told(run.off(5_100, "slow").end(9_000)).in_place == ("slow",)


def test_one_that_was_given_up_and_never_heard_from_is_censored() -> None:
    run = Run().on(1_000, "slow", phase=Phase.UNKNOWN, given_up=True).stop(5_000)
    found = told(run.off(5_010, "slow").end(9_000))

    assert (found.in_place, found.state) == (("slow",), CENSORED)
    assert found.undos[0].state is CENSORED


def test_without_a_fault_in_place_it_does_not_apply() -> None:
    found = told(Run().stop(5_000).end(6_000))

    assert (found.n, found.state, found.time_to_safe_ms) == (0, NOT, None)
    assert found.why == "no fault was in place when the run was stopped"


def test_a_run_that_ends_well_tells_how_long_the_undo_took() -> None:
    found = safety_of(plan(), timeline(good_run()))

    assert (found.stopped_by, found.state, found.why) == ("", NOT, "the run was not stopped")
    assert [(u.fault, u.took_ms, u.tries) for u in found.undos] == [("slow", 35, 1)]


def test_only_the_last_inject_and_what_came_after_it_counts() -> None:
    run = Run().on(1_000, "slow").off(2_000, "slow").on(3_000, "slow").stop(5_000)
    found = told(run.off(5_200, "slow", 300).end(9_000))

    assert found.time_to_safe_ms == 490
    assert (found.undos[0].took_ms, found.undos[0].tries) == (290, 1)


def test_the_first_stop_is_the_breach() -> None:
    run = Run().on(1_000, "slow").stop(5_000).stop(5_500, "operator")
    found = told(run.off(6_000, "slow").end(9_000))

    assert (found.stopped_by, found.time_to_safe_ms) == ("errors > 50%", 1_090)
