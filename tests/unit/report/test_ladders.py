"""The detection ladder: measured, censored or not measured, and never dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    PAYMENTS_SLOW,
    RECOVERY_S,
    Spoil,
    alert,
    cell,
    change,
    cut,
    drop,
    expectations,
    good_run,
    plan,
    tick,
    timeline,
)

from gameday.kpi.timings import ladders
from gameday.model.project import Service, Slo
from gameday.model.report import Rung, State
from gameday.model.window import Tick

PAGE = {"severity": "page"}


def test_every_rung_of_a_good_run_is_measured_from_the_confirmed_fault() -> None:
    found = rungs(good_run())

    assert {name: (r.since_ms, r.error_ms) for name, r in found.items()} == {
        "on": (0, 35),
        "impact": (960, 1_000),
        "pending": (1_960, 1_000),
        "firing": (5_960, 1_000),
        "delivered": (6_110, 0),
        "resolved": (23_960, 1_000),
        "off": (20_000, 35),
        "steady": (20_960, 1_000),
        "acknowledged": (None, None),
        "runbook_opened": (None, None),
        "mitigated": (19_965, None),
    }
    people = ("acknowledged", "runbook_opened", "mitigated")
    others = {r.state for name, r in found.items() if name not in people}
    assert others == {State.MEASURED}
    assert found["mitigated"].state is State.CENSORED
    assert [r.name for r in found.values() if r.slowest] == ["firing"]


def test_somebody_who_acknowledges_is_a_rung() -> None:
    journal = good_run()
    journal.note((FAULT_S + 9) * 1000, "human.ack", "responder", text="mine")

    found = rungs(journal)["acknowledged"]
    assert (found.since_ms, found.source) == (8_960, "by hand")
    assert found.what == "responder, who named no alert"


def test_a_runbook_that_somebody_opened_is_a_rung() -> None:
    journal = good_run()
    path = "runbooks/payments-slow.md"
    journal.note((FAULT_S - 1) * 1000, "runbook.opened", path, role="scribe", how="said")
    journal.note((FAULT_S + 8) * 1000, "runbook.opened", "runbooks/other.md", role="scribe")
    journal.note((FAULT_S + 9) * 1000, "human.ack", "responder", text="PaymentsSlow")
    journal.note((FAULT_S + 12) * 1000, "runbook.opened", path, role="responder", how="step")

    found = rungs(journal)["runbook_opened"]
    assert (found.since_ms, found.gap_ms, found.after) == (11_960, 3_000, "acknowledged")
    assert found.what == f"`{path}`, responder: a step was looked at"


def test_a_runbook_that_nobody_opened_was_not_measured() -> None:
    assert rungs(good_run())["runbook_opened"].why.startswith("nobody told gameday")
    setup = plan(expect=expectations(alerts=(replace(PAYMENTS_SLOW, runbook=None),)))
    (ladder,) = ladders(setup, timeline(good_run()))
    found = {rung.name: rung for rung in ladder.rungs}["runbook_opened"]
    assert (found.state, found.why) == (State.NOT_MEASURED, "no runbook is named for it")


def test_users_who_are_well_while_the_fault_is_in_were_cured() -> None:
    def cured(second: int) -> Tick:
        return tick(second) if second < FAULT_S + 10 else calm(second)

    found = rungs(good_run(ticks=cured))["mitigated"]
    assert found.state is State.MEASURED
    assert 9_960 - 1_000 <= (found.since_ms or 0) <= 9_960  # one slow second in 20 is within p95


def test_the_alert_is_compared_with_the_burn_rate_of_the_objectives() -> None:
    def failing(second: int) -> Tick:
        bad = FAULT_S + 1 <= second < RECOVERY_S
        cells = [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 35)]
        lost = [cell(second, "checkout", 100, 30, "http")] if bad else []
        return tick(second, [*cells, *lost])

    setup = replace(plan(), service=Service(name="shop", slos=(Slo(name="good", share=0.99),)))
    (found,) = ladders(setup, timeline(good_run(ticks=failing)))

    # 2 of 18 s fail half of all requests: 14.4 times 1 % over all that was seen
    assert found.reference == "SLOFastBurnAvailability{slo=good}"
    assert found.reference_ms is not None
    assert 960 <= found.reference_ms <= 9_960
    assert found.behind_reference_ms == 5_960 - found.reference_ms
    assert "later than" in found.compared or "earlier than" in found.compared


def test_the_for_of_a_builtin_alert_counts_the_second_in_which_it_became_true() -> None:
    """It holds for 3 s when the third second ends, two after the one that made it pending."""
    rules = [{"name": "PaymentsSlow", "duration": 3.0, "interval": 1}]
    (found,) = ladders(plan(), timeline(good_run(read={"rules": rules, "gaps": []})))

    assert found.floor_ms == 2_000
    assert found.floor.startswith("cannot be faster than 2 s: 2 s `for`")


def test_without_an_objective_there_is_nothing_to_compare_with() -> None:
    (found,) = ladders(plan(), timeline(good_run()))

    assert (found.reference, found.reference_ms, found.behind_reference_ms) == ("", None, None)
    assert "the service has no objective" in found.compared


def test_what_did_not_come_is_censored_with_how_long_we_looked() -> None:
    found = rungs(good_run(alerts=False))

    assert found["firing"].state is State.CENSORED
    assert found["firing"].since_ms == 35_060
    assert found["delivered"].state is State.CENSORED
    assert found["resolved"].state is State.NOT_MEASURED


def test_pending_alone_is_measured_and_firing_censored() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.pending", (FAULT_S + 3) * 1000, "PaymentsSlow", PAGE)
    found = rungs(journal)

    assert (found["pending"].since_ms, found["firing"].state) == (2_960, State.CENSORED)


def calm(second: int) -> Tick:
    return tick(second, [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 35)])


def broken_to_the_end(second: int) -> Tick:
    return tick(second, [cell(second, "browse", 100, 900)]) if second > FAULT_S else tick(second)


#: rung, state, words of why, journal, spoils
ROWS: dict[str, tuple[str, State, str, Any, tuple[Spoil, ...]]] = {
    "absorbed": (
        "impact", State.CENSORED, "no criterion of the baseline broke", good_run(ticks=calm), (),
    ),
    "never steady": (
        "steady", State.CENSORED, "did not hold", good_run(ticks=broken_to_the_end), (),
    ),
    "no load, no steadiness": (
        "steady", State.NOT_MEASURED, "no requests", good_run(), (drop("load.window"),),
    ),
    "blind": (
        "firing", State.NOT_MEASURED, "never read", good_run(alerts=False), (drop("alert.read"),),
    ),
    "no receiver": (
        "delivered", State.NOT_MEASURED, "no receiver", good_run(alerts=False),
        (change("run.parts", receiver=None),),
    ),
    "no fault": ("on", State.NOT_MEASURED, "never confirmed", good_run(), (drop("fault.inject"),)),
    "never off": ("off", State.NOT_MEASURED, "never", good_run(), (drop("fault.revert"),)),
    "cut before recovery": (
        "steady", State.NOT_MEASURED, "no fault came and went", good_run(),
        (cut(RECOVERY_S * 1000 - 2_000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_not_measured_says_why(row: Any) -> None:
    name, state, words, journal, spoils = row
    found = rungs(journal, *spoils)[name]

    assert found.state is state
    assert words in found.why


def test_an_alert_that_fired_before_the_fault_has_no_times() -> None:
    journal = good_run(alerts=False)
    alert(journal, "alert.firing", 9_000, "PaymentsSlow", PAGE)
    found = rungs(journal)

    assert {found[n].state for n in ("pending", "firing", "delivered", "resolved")} == {
        State.NOT_MEASURED
    }


def test_a_single_bad_request_is_no_impact() -> None:
    """One second may be bad by chance; users feel it when five seconds are."""

    def ticks(second: int) -> Tick:
        slip = [cell(second, "browse", 98, 12), cell(second, "browse", 2, 12, "other")]
        return tick(second, slip) if second == FAULT_S + 3 else calm(second)

    assert rungs(good_run(ticks=ticks))["impact"].state is State.CENSORED


def test_a_fault_without_an_expected_alert_has_a_ladder_too() -> None:
    (ladder,) = ladders(plan(expect=expectations(alerts=())), timeline(good_run()))

    assert (ladder.alert, [r.name for r in ladder.rungs]) == (
        "",
        ["on", "impact", "mitigated", "off", "steady"],
    )


def test_each_alert_has_a_ladder_of_its_own_fault() -> None:
    second = replace(plan().scenario.faults[0], id="other")
    alerts = (PAYMENTS_SLOW, replace(PAYMENTS_SLOW, alert="Other", fault="other"))
    setup = plan(expect=expectations(alerts=alerts), faults=(plan().scenario.faults[0], second))

    found = ladders(setup, timeline(good_run()))

    assert [(ladder.fault, ladder.alert) for ladder in found] == [
        ("slow", "PaymentsSlow"),
        ("other", "Other"),
    ]


def rungs(journal: Any, *spoils: Spoil) -> dict[str, Rung]:
    (ladder,) = ladders(plan(), timeline(journal, *spoils))
    return {rung.name: rung for rung in ladder.rungs}
