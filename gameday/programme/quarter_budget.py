"""Error budgets that exercises spent, from what the reports of runs tell of them.

A run's report says of each objective how many of its requests were bad, and how long a full outage
would do as much harm (`gameday.kpi.budget`). Outages add up, and over the outage that the objective
allows in the whole quarter they are the share of its budget that was spent, as if the load of the
runs were the traffic. In production it was spent; elsewhere it would have been.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gameday.kpi.burn import LEAST_BUDGET
from gameday.model.quarter import BudgetSeen, RunSeen, Stratum
from gameday.model.quarter_report import Number, Sheet
from gameday.programme.quarter_frame import Frame, plain
from gameday.programme.quarter_period import Period

_TOLD = re.compile(
    r"error budget of (?P<slo>.+) \((?P<percent>[0-9.]+) %\): (?P<bad>[0-9]+) of (?P<n>[0-9]+) "
    r"requests were bad, where .+; as much harm as (?P<outage>[0-9a-z. ]+) of full outage"
)
_PART = re.compile(r"(?P<n>[0-9.]+) (?P<unit>ms|s|min)")
_UNIT_MS = {"ms": 1.0, "s": 1_000.0, "min": 60_000.0}
PRODUCTION = "production"


def budgets_told(notes: Iterable[object], objectives: Mapping[str, float]) -> Iterator[BudgetSeen]:
    """What the notes of a run's report tell of budgets.

    *objectives* are the shares by name, as the plan has them: a note rounds them. Runs without a
    request tell nothing.
    """
    for note in notes:
        found = _TOLD.match(str(note))
        if found is None:
            continue
        told = round(float(found["percent"]) / 100, 12)
        yield BudgetSeen(
            slo=found["slo"],
            objective=objectives.get(found["slo"], told),
            n=int(found["n"]),
            bad=int(found["bad"]),
            outage_ms=sum(
                float(part["n"]) * _UNIT_MS[part["unit"]]
                for part in _PART.finditer(found["outage"])
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the runs of one environment and kind spent of one objective of a service."""

    stratum: Stratum
    in_production: bool
    service: str
    slo: str
    runs: int
    n: int
    bad: int
    allowed: float
    outage_ms: float
    budget_ms: float

    @property
    def part(self) -> float:
        """Of the budget of the whole quarter; more than 1 is more than all of it."""
        return self.outage_ms / self.budget_ms


def spending(frame: Frame) -> tuple[Spending, ...]:
    """Of every run that was begun in the quarter, valid or not: users feel all of them."""
    found: dict[tuple[Stratum, str, str], list[tuple[RunSeen, BudgetSeen]]] = {}
    for run in frame.now:
        for one in run.budgets:
            if one.n:
                found.setdefault((run.stratum, run.service, one.name), []).append((run, one))
    return tuple(
        _spending(*key, of, frame.period) for key, of in sorted(found.items(), key=lambda x: x[0])
    )


def _spending(
    stratum: Stratum,
    service: str,
    slo: str,
    of: list[tuple[RunSeen, BudgetSeen]],
    period: Period,
) -> Spending:
    share = max(1 - of[0][1].objective, LEAST_BUDGET)
    n = sum(one.n for _, one in of)
    return Spending(
        stratum=stratum,
        in_production=any(run.environment_kind == PRODUCTION for run, _ in of),
        service=service,
        slo=slo,
        runs=len(of),
        n=n,
        bad=sum(one.bad for _, one in of),
        allowed=n * share,
        outage_ms=sum(one.outage_ms for _, one in of),
        budget_ms=share * (period.end - period.start).total_seconds() * 1000,
    )


def budget_numbers(found: Iterable[Spending]) -> Iterator[Number]:
    """The share of the quarter's budget, of each service and objective."""
    for one in found:
        word = "spent" if one.in_production else "that would have been spent in production"
        yield plain(
            "budget_spent", one.part, one.runs, "part", stratum=one.stratum,
            subject=f"slo:{one.service} {one.slo}",
            text=f"of the error budget of the quarter, {word} by exercises",
        )  # fmt: skip


def budget_sheet(found: Iterable[Spending]) -> Sheet:
    """The same, with what it is made of."""
    columns = ("environment", "kind", "service", "objective", "runs", "requests", "bad", "allowed",
               "outage_s", "budget_s", "part_of_quarter", "spent_by_exercises")  # fmt: skip
    rows = tuple(
        (one.stratum.environment, one.stratum.kind.value, one.service, one.slo, one.runs, one.n,
         one.bad, round(one.allowed, 3), round(one.outage_ms / 1000, 3),
         round(one.budget_ms / 1000, 3), round(one.part, 6),
         "spent" if one.in_production else "would have been spent")
        for one in found
    )  # fmt: skip
    return Sheet(name="budgets", title="Error budgets spent by exercises", columns=columns,
                 rows=rows)  # fmt: skip
