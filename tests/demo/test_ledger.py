"""The books: planted losses and duplicates are found, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.demo.ledger import compare, read_entries


def order(number: str, status: str = "paid", key: str | None = None) -> dict[str, Any]:
    return {"id": number, "idempotency_key": key, "status": status}


def told(number: str | None, status: str = "paid") -> dict[str, Any]:
    return {"order": number, "status": status}


def charge(number: str) -> dict[str, Any]:
    return {"order": number}


@pytest.mark.parametrize(
    ("acknowledged", "orders", "charges", "lost", "duplicate", "example"),
    [
        ([], [], [], 0, 0, ""),
        ([told("a")], [order("a")], [charge("a")], 0, 0, ""),
        ([told("a", "deferred")], [order("a", "payment_pending")], [], 0, 0, ""),
        ([], [order("a", "cancelled")], [], 0, 0, ""),
        ([told(None)], [], [], 0, 0, ""),  # an answer that named no order
        ([], [order("a", "new")], [charge("a")], 0, 0, ""),  # between charge and note
        ([told("a")], [], [], 1, 0, "a: acknowledged, but not stored"),
        ([], [], [charge("a")], 1, 0, "a: charged, but there is no such order"),
        ([told("a")], [order("a")], [], 1, 0, "a: counts as paid, but was never charged"),
        ([], [order("a")], [charge("a")] * 2, 0, 1, "a: charged 2 times"),
        (
            [],
            [order("a", key="k"), order("b", key="k")],
            [charge("a"), charge("b")],
            0,
            1,
            "b: same idempotency key as a",
        ),
        ([], [order("a"), order("b")], [charge("a"), charge("b")], 0, 0, ""),  # no keys at all
        ([told("a")], [], [charge("b")] * 3, 2, 1, "b: charged 3 times"),
    ],
)
def test_compare(
    *,
    acknowledged: list[dict[str, Any]],
    orders: list[dict[str, Any]],
    charges: list[dict[str, Any]],
    lost: int,
    duplicate: int,
    example: str,
) -> None:
    report = compare(
        acknowledged=acknowledged, orders=orders, charges=charges, charges_before=charges
    )
    assert (report.lost, report.duplicate) == (lost, duplicate)
    assert report.clean is (not lost and not duplicate)
    if example:
        assert example in report.examples
    else:
        assert report.examples == ()
    assert report.total == len(orders)


def test_what_happened_while_reading_is_not_a_loss() -> None:
    """Between the two looks at the charges, `a` was paid and `b` was stored and charged."""
    report = compare(
        acknowledged=[],
        orders=[order("a")],
        charges=[charge("a"), charge("b")],
        charges_before=[],
    )
    assert report.clean


def test_pending_orders_are_counted_apart() -> None:
    orders = [order("a", "new"), order("b", "payment_pending"), order("c")]
    report = compare(
        acknowledged=[], orders=orders, charges=[charge("c")], charges_before=[charge("c")]
    )
    assert (report.pending, report.paid, report.total) == (2, 1, 3)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "charges.jsonl"
    assert read_entries(file) == []
    file.write_text(json.dumps(charge("a")) + '\n{"order": "b', "utf-8")
    assert read_entries(file) == [charge("a")]
