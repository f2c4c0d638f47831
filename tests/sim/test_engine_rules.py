"""The engine keeps its rules whatever the world does, and whenever it is stopped.

The normal run tries some hundred runs of each kind; `GAMEDAY_SIM_EXAMPLES=20000` tries more.
"""

from __future__ import annotations

import os

import engine_rules
import pytest
from engine_rules import Engine, limits, one_fault
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from gameday.engine.core import begin, decide, observe
from gameday.model.event import OPENER_OF, Phase
from gameday.model.plan import Limits, Step
from gameday.model.verdict import RunStatus
from gameday.testing.simulate import Answer, simulate

REAL = Engine(simulate=simulate, answer=Answer, begin=begin, observe=observe, decide=decide)
EXAMPLES = int(os.environ.get("GAMEDAY_SIM_EXAMPLES", "0"))


def many(normally: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=EXAMPLES or normally, deadline=None, suppress_health_check=checks)


@many(800)
@given(data=st.data())
def test_every_rule_holds_in_any_world(data: st.DataObject) -> None:
    engine_rules.rules(REAL, data.draw)


@pytest.mark.slow
@many(20_000)
@given(data=st.data())
def test_every_rule_holds_in_very_many_worlds(data: st.DataObject) -> None:
    engine_rules.rules(REAL, data.draw)


@many(150)
@given(data=st.data())
def test_a_world_in_which_all_goes_well_is_clean(data: st.DataObject) -> None:
    engine_rules.a_good_world_is_clean(REAL, data.draw)


@many(150)
@given(data=st.data())
def test_a_world_that_heals_is_clean(data: st.DataObject) -> None:
    engine_rules.a_world_that_heals_is_clean(REAL, data.draw)


@pytest.mark.parametrize("refusal", [Phase.FAILED, Phase.UNKNOWN])
@pytest.mark.parametrize("down_ms", [1_000, 20_000, 45_000])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_server_that_restarts_does_not_leave_the_run_dirty(
    refusal: Phase, down_ms: int, stopped: bool
) -> None:
    engine_rules.a_restarting_server_is_clean(
        REAL, down_ms=down_ms, refusal=refusal, stopped=stopped
    )


def test_a_server_that_stays_away_leaves_the_run_dirty_after_a_minute() -> None:
    schedule = one_fault(Limits(deadline_ms=200_000))

    def world(step: Step, _now_ms: int) -> Answer:
        gone = step.verb in OPENER_OF
        return Answer(phase=Phase.UNKNOWN, took_ms=3) if gone else Answer(took_ms=20)

    played = simulate(schedule, world)

    assert set(played.done.dirty) == {"payments", "slow"}
    assert played.done.status is RunStatus.INVALID
    assert "slow" in played.done.reason
    assert 62_000 <= played.timeline.end_ms <= 72_000


@many(50)
@given(hang_ms=st.none() | st.integers(500, 60_000))
def test_a_hung_call_on_one_target_does_not_delay_another(hang_ms: int | None) -> None:
    engine_rules.a_hung_call_delays_no_other_target(REAL, hang_ms)


def test_an_inject_that_lands_during_its_revert_is_taken_out() -> None:
    engine_rules.an_inject_that_lands_during_its_revert_is_taken_out(REAL)


def test_the_random_limits_reach_both_ends() -> None:
    """Else the rules above prove little."""
    assert find(limits(), lambda found: found.revert_for_ms < found.call_ms)
    assert find(limits(), lambda found: found.revert_for_ms > 5 * found.call_ms)


def test_what_is_always_done_waits_for_the_faults() -> None:
    engine_rules.what_is_always_done_waits_for_the_faults(REAL)


def test_an_inject_that_is_never_heard_of_again_is_dirty() -> None:
    engine_rules.an_inject_that_is_never_heard_of_again_is_dirty(REAL)


def test_of_two_faults_on_a_target_the_newer_goes_first() -> None:
    engine_rules.of_two_faults_on_a_target_the_newer_goes_first(REAL)


def test_a_required_step_that_fails_ends_the_run() -> None:
    engine_rules.a_required_step_that_fails_ends_the_run(REAL)


def test_stages_are_one_debt_and_end_with_their_revert() -> None:
    engine_rules.stages_are_one_debt_and_end_with_their_revert(REAL)
