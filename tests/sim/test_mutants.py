"""Engines that were broken on purpose. The rules must catch each, or the rules are worthless.

A mutant is a change of the source text of one module. The modules that decide are loaded again, one
of them changed, beside the real ones.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import engine_rules
import pytest
from engine_rules import Engine
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st

from gameday.model.event import Phase

DEBTS = "gameday.model.debts"
STATE = "gameday.engine.state"
CORE = "gameday.engine.core"
SIMULATE = "gameday.testing.simulate"
RELOADED = (DEBTS, STATE, CORE, SIMULATE)

MUTANTS: dict[str, tuple[str, str, str]] = {
    "a failed inject owes nothing": (
        DEBTS,
        "    started = tuple(e for e in ledger.started if e.seq != event.cause)\n"
        "    ledger = replace(ledger, started=started)\n",
        "    started = tuple(e for e in ledger.started if e.seq != event.cause)\n"
        "    ledger = replace(ledger, started=started)\n"
        "    if event.phase is not Phase.OK:\n"
        "        return replace(ledger, owed=tuple(d for d in ledger.owed"
        " if d.subject != event.subject))\n",
    ),
    "an older revert pays": (DEBTS, "closer.cause > debt.since", "closer.cause >= 0"),
    "a failed revert pays": (
        DEBTS,
        "    if event.phase is Phase.OK:\n        newer",
        "    if event.phase is not Phase.UNKNOWN:\n        newer",
    ),
    "late news of an inject is ignored": (
        DEBTS,
        "    if late:  # given up",
        "    if late and 0:  #",
    ),
    "what is lost is clean": (DEBTS, " + [e.subject for e in self.lost]", ""),
    "a heard inject stays lost": (
        DEBTS,
        "        lost = tuple(e for e in ledger.lost if e.seq != event.cause)",
        "        lost = ledger.lost",
    ),
    "injects go on after a stop": (
        CORE,
        "    if state.stop is not None:\n        return _wind_down(state, now_ms)",
        "    if state.stop is not None and not _next_step(state, now_ms):\n"
        "        return _wind_down(state, now_ms)",
    ),
    "no deadline": (CORE, "    if now_ms < limits.deadline_ms:", "    if now_ms < 10**9:"),
    "oldest first": (CORE, "newest = debts[::-1]", "newest = debts"),
    "targets are closed under faults": (
        CORE,
        '    if debt.kind == "fault.inject":\n        return False',
        "    return False",
    ),
    "no pause between tries": (
        STATE,
        "next_ms=max(before.next_ms, event.at_ms + pause_ms)",
        "next_ms=event.at_ms",
    ),
    "pauses do not grow": (STATE, "<< min(before.count - 1, 30)", "<< 0"),
    "one try is enough": (
        CORE,
        "tries.first_ms + state.book.schedule.limits.revert_for_ms",
        "tries.first_ms",
    ),
    "reverts are tried for ever": (
        CORE,
        "    return tries.next_ms > tries.first_ms",
        "    return tries.next_ms < 0 * tries.first_ms",
    ),
    "targets wait for each other": (CORE, "        if lane in lanes or ", "        if lanes or "),
    "nobody waits for lost injects": (
        CORE,
        "        yield _patience_ms(state, lost.at_ms",
        "        yield -_patience_ms(state, lost.at_ms",
    ),
    "two calls on one lane": (CORE, "    if state.busy(step.lane):", "    if False:"),
    "hung calls are never given up": (
        CORE,
        "        if call.until_ms <= now_ms:",
        "        if call.until_ms < 0:",
    ),
    "required means nothing": (CORE, "    if state.broken is not None:", "    if False:"),
    "always steps are forgotten": (
        CORE,
        "        if step.always and not over:",
        "        if over:",
    ),
    "always steps run while faults are in": (
        CORE,
        "    if any(True for _ in _to_pay(state, now_ms, state.ledger.owed)):",
        "    if False:",
    ),
    "a revert that failed is not tried again while the method runs": (
        STATE,
        "debt.since in self.tries or debt.opened in self.spoiled",
        "debt.opened in self.spoiled",
    ),
    "the last stop counts": (
        STATE,
        'event.kind == "stop.tripped" and state.stop is None',
        'event.kind == "stop.tripped"',
    ),
    "debts are forgotten at the end": (
        CORE,
        "    action = _pay(state, now_ms, state.ledger.owed) or ",
        "    action = ",
    ),
    "a revert knows only the last stage": (
        CORE,
        "    openers = state.book.openers.get(revert.id, ())\n    return frozenset",
        "    openers = state.book.openers.get(revert.id, ())[-1:]\n    return frozenset",
    ),
    "a stage may come after its revert": (
        CORE,
        "    if any(t in state.seen for t in step.unless):",
        "    if step.verb not in UNDO_OF and any(t in state.seen for t in step.unless):",
    ),
    "a stage does not wait for the one before": (
        STATE,
        "    for trigger in (any_step, replace(any_step, step=_step_id(state, event))):",
        "    for trigger in [t for t in state.book.triggers"
        ' if replace(t, step="") == any_step or t.kind == "fault.inject"]:',
    ),
    "steps begin too early": (CORE, "at_ms <= now_ms and step.id not in", "step.id not in"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name: str, engines: Callable[..., Engine]) -> None:
    engine = engines(*MUTANTS[name])

    with pytest.raises((AssertionError, ValueError, KeyError, TypeError)):
        judge(engine)


def test_the_real_engine_is_not_caught(engines: Callable[..., Engine]) -> None:
    judge(engines(CORE, "def decide(", "def decide("))


#: The same random runs each time: a mutant is caught or not, and does not flicker.
SEED = 11


def judge(engine: Engine) -> None:
    """All rules, with few examples, the same ones each time."""
    for down_ms in (20_000, 45_000):
        for stopped in (False, True):
            engine_rules.a_restarting_server_is_clean(
                engine, down_ms=down_ms, refusal=Phase.FAILED, stopped=stopped
            )
    engine_rules.a_hung_call_delays_no_other_target(engine, 7_000)
    engine_rules.an_inject_that_lands_during_its_revert_is_taken_out(engine)
    engine_rules.an_inject_that_is_never_heard_of_again_is_dirty(engine)
    engine_rules.of_two_faults_on_a_target_the_newer_goes_first(engine)
    engine_rules.what_is_always_done_waits_for_the_faults(engine)
    engine_rules.a_required_step_that_fails_ends_the_run(engine)
    engine_rules.stages_are_one_debt_and_end_with_their_revert(engine)
    few = settings(
        max_examples=250,
        deadline=None,
        database=None,
        phases=[Stage.generate],
        suppress_health_check=list(HealthCheck),
    )

    @seed(SEED)
    @few
    @given(data=st.data())
    def all_rules(data: st.DataObject) -> None:
        engine_rules.rules(engine, data.draw)

    @seed(SEED)
    @few
    @given(data=st.data())
    def clean(data: st.DataObject) -> None:
        engine_rules.a_good_world_is_clean(engine, data.draw)
        engine_rules.a_world_that_heals_is_clean(engine, data.draw)

    all_rules()
    clean()


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    """Makes engines of changed source text; afterwards everything is as it was."""
    before = {name: sys.modules.get(name) for name in RELOADED}
    yield load
    for name, module in before.items():
        if module is not None:
            install(name, module)


def load(changed: str, old: str, new: str) -> Engine:
    for name in RELOADED:
        real = importlib.import_module(name)
        source = Path(str(real.__file__)).read_text(encoding="utf-8")
        if name == changed:
            assert source.count(old) == 1, f"the mutant no longer fits: {old!r}"
            source = source.replace(old, new)
        module = types.ModuleType(name)
        module.__file__ = real.__file__
        install(name, module)
        exec(compile(source, str(real.__file__), "exec"), module.__dict__)
    core, simulate = sys.modules[CORE], sys.modules[SIMULATE]
    return Engine(
        simulate=simulate.simulate,
        answer=simulate.Answer,
        begin=core.begin,
        observe=core.observe,
        decide=core.decide,
    )


def install(name: str, module: types.ModuleType) -> None:
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)
