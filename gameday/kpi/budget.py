"""What a run spent of the error budget of its service, from the load alone. Pure.

The error budget of an objective is the share of requests that may be bad: `1 - objective` (Google,
*The Site Reliability Workbook*, chapter 2, "Implementing SLOs"). How many requests the service gets
in the whole window of the objective is not known from a run, so two things are stated that are:

- bad requests over the bad ones that the run's own requests allow, `bad / (n * (1 - objective))`:
  the mean burn rate of the run, 1 is exactly as fast as allowed (chapter 5, "Alerting on SLOs");
- the time of full outage that did the same harm, the sum over seconds of `bad / n` (time-based
  availability, chapter 2). Over `(1 - objective) * window` it is the share of the whole window's
  budget, if the run's load is to the rest of the window as real traffic is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gameday.kpi.burn import LEAST_BUDGET
from gameday.model.histogram import Histogram, count, midpoint_us
from gameday.model.project import Slo
from gameday.model.units import format_ms, format_ratio
from gameday.model.window import Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the run's requests did to one objective, warm-up included: users feel that too.

    `spent` is None without requests. `outage_ms` is the time of full outage that does as much harm.
    `of_window` is the share of the budget of the objective's window, None if none was named. `edge`
    requests were under way while a connection was cut by gameday: counted here, never as bad.
    """

    slo: str
    objective: float
    n: int
    bad: int
    edge: int
    spent: float | None
    outage_ms: int
    of_window: float | None

    @property
    def text(self) -> str:
        """One line for people."""
        if self.spent is None:
            return f"error budget of {self.slo}: no requests, so nothing is known"
        allowed = self.n * (1 - self.objective)
        line = (
            f"error budget of {self.slo} ({format_ratio(self.objective)}): {self.bad} of {self.n} "
            f"requests were bad, where {allowed:.4g} would be allowed ({self.spent:.3g} times the "
            f"budget of this traffic); as much harm as {format_ms(self.outage_ms)} of full outage"
        )
        if self.of_window is not None:
            line += f", {format_ratio(self.of_window)} of the budget of the window"
        return line


def budget_spent(
    slos: Iterable[Slo], ticks: Iterable[Tick], *, window_ms: int | None = None
) -> tuple[Spent, ...]:
    """What the requests in *ticks* (all of a run's) spent of each objective.

    A request is bad if it failed, or for an objective with a latency came later than that.
    *window_ms* is the window of the objectives, such as 30 days.
    """
    seen = list(ticks)
    return tuple(_spent(slo, seen, window_ms) for slo in slos)


def _spent(slo: Slo, ticks: list[Tick], window_ms: int | None) -> Spent:
    by_second: dict[int, list[int]] = {}  # n, bad
    edge = 0
    for cell in (cell for tick in ticks for cell in tick.cells):
        n = count(cell.response)
        if cell.edge:
            edge += n
            continue
        second = by_second.setdefault(cell.second, [0, 0])
        second[0] += n
        second[1] += n - (_in_time(cell.response, slo) if cell.good else 0)
    n, bad = (sum(found[i] for found in by_second.values()) for i in (0, 1))
    allowed = max(1 - slo.share, LEAST_BUDGET)
    outage_s = sum(bad / n for n, bad in by_second.values() if n)
    return Spent(
        slo=slo.name,
        objective=slo.share,
        n=n,
        bad=bad,
        edge=edge,
        spent=bad / (n * allowed) if n else None,
        outage_ms=round(outage_s * 1000),
        of_window=None if window_ms is None or not n else outage_s * 1000 / (allowed * window_ms),
    )


def _in_time(response: Histogram, slo: Slo) -> int:
    if slo.latency_ms is None:
        return count(response)
    return sum(n for bucket, n in response.items() if midpoint_us(bucket) <= slo.latency_ms * 1000)
