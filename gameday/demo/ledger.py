"""Whether what customers were told, the orders stored and the money moved agree.

Run as `python -m gameday.demo.ledger SETTINGS` it prints its report as JSON, so that whoever asks
needs neither an event loop nor a database driver.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gameday.demo.settings import Settings, read_settings

#: How many examples a report names.
_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """The shop's books compared. All numbers count orders.

    `lost`: a customer was told of an order that is not stored, or an order counts as paid that
    nobody was charged for, or money was taken for an order that does not exist. `duplicate`:
    charged more than once, or stored twice for one idempotency key. `pending`: accepted, payment
    still to come (neither lost nor duplicate).
    """

    total: int  # stored
    acknowledged: int
    paid: int
    pending: int
    lost: int
    duplicate: int
    examples: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing double."""
        return not self.lost and not self.duplicate


Entries = Iterable[Mapping[str, Any]]


def compare(
    *, acknowledged: Entries, orders: Entries, charges: Entries, charges_before: Entries
) -> LedgerReport:
    """The report on three journals, read while the shop goes on. Pure.

    An order is stored before it is charged, and charged before it counts as paid. So what
    *acknowledged* and *charges_before*, read before *orders*, name must be found there; and what
    counts as paid there must be found in *charges*, read after them.
    """
    early = {entry["order"] for entry in charges_before}
    stored = {row["id"]: row["status"] for row in orders}
    told = {entry["order"]: entry["status"] for entry in acknowledged if entry["order"]}
    charged = Counter(entry["order"] for entry in charges)
    lost = {
        **{order: "acknowledged, but not stored" for order in told if order not in stored},
        **{order: "charged, but there is no such order" for order in early - stored.keys()},
        **{
            order: "counts as paid, but was never charged"
            for order, status in stored.items()
            if status == "paid" and not charged[order]
        },
    }
    duplicate = {
        order: f"charged {times} times" for order, times in charged.items() if times > 1
    } | _same_key(orders)
    return LedgerReport(
        total=len(stored),
        acknowledged=len(told),
        paid=sum(status == "paid" for status in stored.values()),
        pending=sum(status in ("new", "payment_pending") for status in stored.values()),
        lost=len(lost),
        duplicate=len(duplicate),
        examples=tuple(
            f"{order}: {what}"
            for problems in (lost, duplicate)
            for order, what in sorted(problems.items())[:_EXAMPLES]
        ),
    )


def _same_key(orders: Entries) -> dict[str, str]:
    first: dict[str, str] = {}
    found = {}
    for row in orders:
        key = row["idempotency_key"]
        if key and first.setdefault(key, row["id"]) != row["id"]:
            found[row["id"]] = f"same idempotency key as {first[key]}"
    return found


def read_entries(file: Path) -> list[dict[str, Any]]:
    """Whole lines of a journal; a last line without its end is still being written."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def read_ledger(settings: Settings) -> LedgerReport:
    """Compare the books of a running shop. Raises `database.DatabaseFailed`."""
    from gameday.demo.database import Address, read_orders  # noqa: PLC0415 - only here a driver

    host, port = settings.topology.direct("postgres").rsplit(":", 1)
    address = Address(host=host, port=int(port), secret=settings.secret)
    acknowledged, before = read_entries(settings.acknowledged), read_entries(settings.charges)
    orders = asyncio.run(read_orders(address))
    return compare(
        acknowledged=acknowledged,
        orders=orders,
        charges=read_entries(settings.charges),
        charges_before=before,
    )


def ledger_or_why(settings: Settings) -> LedgerReport | str:
    """The report, or why there is none."""
    from gameday.demo.database import DatabaseFailed  # noqa: PLC0415 - only here a driver

    try:
        return read_ledger(settings)
    except DatabaseFailed as error:
        return f"the orders cannot be read: {error}"


def main(arguments: list[str]) -> int:
    """Print the report; 1 when the database cannot be read."""
    report = ledger_or_why(read_settings(Path(arguments[0])))
    if isinstance(report, str):
        print(report, file=sys.stderr)  # noqa: T201
        return 1
    print(json.dumps(asdict(report)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
