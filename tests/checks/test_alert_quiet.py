"""alert/quiet: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    ORIGIN,
    RECOVERY_S,
    Spoil,
    alert,
    change,
    cut,
    drop,
    expectations,
    good_run,
    plan,
    timeline,
)

from gameday.checks.alert_quiet import check
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.verdict import Outcome

PAGE = {"severity": "page"}
TICKET = {"severity": "ticket"}
#: name, labels, from second, to second
Noise = tuple[str, Mapping[str, str], int, int | None]

ROWS: dict[str, tuple[str, str, Mapping[str, str], list[Noise], tuple[Spoil, ...]]] = {
    "quiet": ("pass", "no other alert fired", PAGE, [], ()),
    "another page": (
        "fail", "InventoryDown{severity=page} fired too, 7 s after", PAGE,
        [("InventoryDown", PAGE, 20, 25)], (),
    ),
    "another page in recovery": (
        "fail", "Disk{severity=page} fired too", PAGE, [("Disk", PAGE, RECOVERY_S + 5, None)], (),
    ),
    "a ticket is no page": ("pass", "no other", PAGE, [("Disk", TICKET, 20, 25)], ()),
    "a page that came and went before": ("pass", "no other", PAGE, [("Disk", PAGE, 4, 8)], ()),
    "a page that was there before": (
        "inconclusive", "Disk was firing already", PAGE, [("Disk", PAGE, 4, 20)], (),
    ),
    "one from before and a new one": (
        "fail", "Cpu", PAGE, [("Disk", PAGE, 4, 20), ("Cpu", PAGE, 21, 22)], (),
    ),
    "the expected name on another service": (
        "fail", "PaymentsSlow{severity=ticket}", {"alertname": "PaymentsSlow"},
        [("PaymentsSlow", TICKET, 20, 25)], (),
    ),
    "anything by pattern": (
        "fail", "Disk", {"severity": "=~page|ticket"}, [("Disk", TICKET, 20, 25)], (),
    ),
    "patterns are anchored": (
        "pass", "no other", {"severity": "=~tick"}, [("Disk", TICKET, 20, 25)], (),
    ),
    "anything but": (
        "pass", "no other", {"severity": "!=ticket"}, [("Disk", TICKET, 20, 25)], (),
    ),
    "blind": (
        "inconclusive", "never read", PAGE, [], (drop("alert.read"),),
    ),
    "blind, and noise was seen all the same": (
        "fail", "Disk", PAGE, [("Disk", PAGE, 20, 25)], (drop("alert.read"),),
    ),
    "not seen to the end": (
        "inconclusive", "`builtin` was not seen to the end", PAGE, [],
        (change("alert.read", phase=Phase.OK, until_wall_ms=ORIGIN + RECOVERY_S * 1000),),
    ),
    "noise is noise, though not seen to the end": (
        "fail", "Disk", PAGE, [("Disk", PAGE, 20, 25)],
        (change("alert.read", phase=Phase.OK, until_wall_ms=ORIGIN + RECOVERY_S * 1000),),
    ),
    "no fault": ("inconclusive", "did not go through", PAGE, [], (drop("fault.inject"),)),
    "cut before recovery": (
        "inconclusive", "did not go through", PAGE, [], (cut(FAULT_S * 1000 + 5_000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, matcher, noise, spoils = row
    journal = good_run()
    for name, labels, first, last in noise:
        alert(journal, "alert.firing", first * 1000, name, labels)
        if last is not None:
            alert(journal, "alert.resolved", last * 1000, name, labels)

    (finding,) = check(
        Case(plan(expect=expectations(quiet=(matcher,))), timeline(journal, *spoils))
    )

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_a_gap_makes_silence_unknown() -> None:
    gaps = [[ORIGIN + 20_000, ORIGIN + 22_000]]
    journal = good_run(read={"rules": [], "gaps": gaps})

    (finding,) = check(Case(plan(), timeline(journal)))

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "20.0 s to 22.0 s" in finding.summary
