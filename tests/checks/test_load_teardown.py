"""load/teardown: a warning that is never silent, and no part of the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checks_support import change, drop, good_run, plan, timeline

from gameday.checks import judge, load_teardown
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.plan import Plan
from gameday.model.scenario import RequestStep
from gameday.model.verdict import Outcome


def with_teardown() -> Plan:
    usual = plan()
    step = RequestStep(method="DELETE", path="/x", name="DELETE /x")
    load = replace(usual.scenario.load, teardown=(step,))
    return replace(usual, scenario=replace(usual.scenario, load=load))


def ended(code: int, *, forced: bool = False) -> object:
    more = {"forced": True} if forced else {}
    return change("load.stop", phase=Phase.OK, exit_code=code, asked=1, started=1, **more)


ROWS = {
    "done": (True, "was done", None, ended(0)),
    "failed": (False, "WARNING: status 500; what the setup made may still be there",
               {"state": "untidy", "why": "status 500"}, ended(0)),
    "something else of a worker": (True, "was done", {"state": "clock", "why": ""}, ended(0)),
    "a worker lost": (False, "worker of the load was lost", {"state": "lost", "why": ""}, ended(0)),
    "ended by force": (False, "did not end by itself", None, ended(0, forced=True)),
    "ended badly": (False, "did not end by itself", None, ended(-9)),
    "never ended": (False, "did not end by itself", None, drop("load.stop", phase=Phase.OK)),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_teardown(name: str) -> None:
    done, words, note, spoil = ROWS[name]
    journal = good_run()
    if note is not None:
        journal.note(48_010, "load.worker", "0", **note)

    found = list(load_teardown.check(Case(with_teardown(), timeline(journal, spoil))))  # type: ignore[arg-type]

    assert [f.outcome for f in found] == [Outcome.SKIP]
    assert words in found[0].summary
    assert found[0].facts["done"] is done


def test_a_load_without_one_is_not_asked_and_the_verdict_does_not_rest_on_it() -> None:
    assert list(load_teardown.check(Case(plan(), timeline(good_run())))) == []
    journal = good_run()
    journal.note(48_010, "load.worker", "0", state="untidy", why="status 500")
    verdict = judge(with_teardown(), timeline(journal))
    assert verdict.outcome is Outcome.PASS
    assert any("WARNING" in f.summary for f in verdict.findings)
