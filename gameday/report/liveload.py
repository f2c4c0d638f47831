"""What the live view says of the load: its numbers, its generator, its objectives so far. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gameday.kpi.live import LiveCriterion
from gameday.kpi.seconds import WholeSeconds
from gameday.kpi.spans import MARK_LATE_MS
from gameday.kpi.stats import Stats, decide, stats
from gameday.model.criteria import Criterion, Steady
from gameday.model.histogram import add, count, merged, midpoint_us, quantile_ms
from gameday.model.plan import Plan
from gameday.model.units import format_ms
from gameday.model.window import Cell, Tick

OVER_S = 5
#: A start lag above this, in the live view, is worth a word.
LAG_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a stop condition is from tripping: its value now, and for how long it has held."""

    criterion: Criterion
    value: float | None
    held_ms: int

    @property
    def used(self) -> float | None:
        """How near it is: 1 is the limit, or the end of the time that it has to hold."""
        one = self.criterion
        if self.held_ms:
            return 1.0 + (self.held_ms / one.for_ms if one.for_ms else 0.0)
        if self.value is None:
            return None
        top, bottom = (self.value, one.limit) if one.op[0] == ">" else (one.limit, self.value)
        return min(1.0, top / bottom) if bottom > 0 else 1.0 if top > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One expectation of the phase so far: None as `holds` is not known yet, `said` says why."""

    text: str
    value: float | None = None
    holds: bool | None = None
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """How the load generator itself is, in its last second; of several workers the worst."""

    workers: int = 0
    users: int = 0
    lag_p99_ms: float | None = None
    loop_lag_ms: float = 0.0
    cpu_share: float = 0.0

    @property
    def late(self) -> bool:
        """Whether it is late enough to be worth a word."""
        return max(self.lag_p99_ms or 0.0, self.loop_lag_ms) > LAG_MS


@dataclass(slots=True, kw_only=True)
class Numbers:
    """The load over the last five whole seconds; None where nothing can be said."""

    asked_per_s: float | None = None
    served_per_s: float | None = None
    good_per_s: float | None = None
    error_ratio: float | None = None
    errors: dict[str, int] = field(default_factory=dict)  # by kind
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    in_flight: int = 0
    oldest_ms: int = 0
    queued: int = 0


@dataclass(slots=True, kw_only=True)
class Totals:
    """Since the start of the load; what only ever grows."""

    asked: int = 0
    served: int = 0
    good: int = 0
    good_ms: float = 0.0  # the response times of the good ones, added up
    errors: dict[str, int] = field(default_factory=dict)  # by kind


class LoadFold:
    """Takes in the ticks of all workers, and gives what a view shows of them."""

    def __init__(self, plan: Plan) -> None:
        scenario = plan.scenario
        overdue = max(1, scenario.load.timeout_ms // 2)  # as the run itself counts
        self.numbers, self.totals, self.generator = Numbers(), Totals(), Generator()
        self.margins = [Margin(criterion=c, value=None, held_ms=0) for c in scenario.stop_when]
        self._live = [LiveCriterion(c, overdue_ms=overdue) for c in scenario.stop_when]
        self._steady = [LiveCriterion(c, overdue_ms=overdue) for c in scenario.expect.baseline]
        self._steady_since: int | None = None
        self._expect = scenario.expect
        self._phase: Sequence[Criterion | Steady] = ()
        self._phase_second = 0
        self._fault_off_ms: int | None = None
        self._found: dict[str | None, Stats] = {}
        self._seconds = WholeSeconds()
        self._told: dict[str, Tick] = {}
        self._asked: deque[int] = deque(maxlen=OVER_S + 1)
        self._served: deque[int] = deque(maxlen=OVER_S + 1)
        self._last: deque[list[Tick]] = deque(maxlen=OVER_S)
        self._second = 0

    def phase(self, name: str, at_ms: int) -> None:
        """Another phase begins: its own objectives are counted from here."""
        whole, late = divmod(at_ms, 1000)
        self._phase_second = whole if late <= MARK_LATE_MS else whole + 1
        expect = self._expect
        phases = {"baseline": expect.baseline, "fault": expect.fault, "recovery": expect.recovery}
        self._phase = phases.get(name, ())
        self._found = {c.subject: Stats() for c in self._phase if isinstance(c, Criterion)}

    def fault_off(self, at_ms: int) -> None:
        """A fault is confirmed off: what has to be steady again is counted from the last one."""
        self._fault_off_ms, self._steady_since = at_ms, None

    def see(self, tick: Tick) -> None:
        """Take one tick in."""
        for second, ticks in self._seconds.feed(tick):
            self._whole(second, ticks)
        newest = self._seconds.now()
        self.numbers.in_flight = sum(t.in_flight for t in newest)
        self.numbers.oldest_ms = max(t.oldest_ms for t in newest)
        self.numbers.queued = sum(t.queued for t in newest)
        lags = [quantile_ms(t.start_lag, 0.99) for t in newest]
        self.generator = Generator(
            workers=len(newest),
            users=sum(t.users for t in newest),
            lag_p99_ms=max((lag for lag in lags if lag is not None), default=None),
            loop_lag_ms=max(t.loop_lag_ms for t in newest),
            cpu_share=max(t.cpu_share for t in newest),
        )

    def objectives(self) -> list[Objective]:
        """What the phase should hold, and holds so far."""
        return [
            self._steady_again(one) if isinstance(one, Steady) else self._objective(one)
            for one in self._phase
        ]

    def _objective(self, one: Criterion) -> Objective:
        decision = decide(one, self._found[one.subject])
        return Objective(
            text=one.text, value=decision.value, holds=decision.holds, said=decision.why
        )

    def _steady_again(self, one: Steady) -> Objective:
        if self._fault_off_ms is None:
            return Objective(text=one.text, said="counted from the last fault off")
        passed_ms = max(0, (self._second + 1) * 1000 - self._fault_off_ms)
        if self._steady_since is None:
            late = passed_ms > one.within_ms
            said = f"not steady, {_s(passed_ms)} after the fault"
            return Objective(text=one.text, holds=False if late else None, said=said)
        held = (self._second - self._steady_since + 1) * 1000
        after_ms = max(0, self._steady_since * 1000 - self._fault_off_ms)
        said = f"steady for {_s(held)}, from {_s(after_ms)} after the fault"
        return Objective(text=one.text, value=None, holds=after_ms <= one.within_ms, said=said)

    def _whole(self, second: int, ticks: list[Tick]) -> None:
        """A second of which every worker has told."""
        self._second = second
        self._last.append(ticks)
        readings = [live.feed(ticks, second) for live in self._live]
        self.margins = [
            Margin(criterion=live.criterion, value=reading.value, held_ms=reading.held_ms)
            for live, reading in zip(self._live, readings, strict=True)
        ]
        steady = [live.feed(ticks, second).true for live in self._steady]
        if self._fault_off_ms is None or not all(steady):
            self._steady_since = None
        elif self._steady_since is None and second * 1000 >= self._fault_off_ms:
            self._steady_since = second
        cells = [c for tick in ticks for c in tick.cells]
        self._count(cells)
        self._rates(ticks)
        inside = [c for c in cells if c.second >= self._phase_second]
        self._found = {
            subject: _both(before, stats(inside, subject))
            for subject, before in self._found.items()
        }

    def _count(self, cells: Iterable[Cell]) -> None:
        totals = self.totals
        for cell in cells:
            n = count(cell.response)
            if cell.edge:
                continue
            if cell.good:
                totals.good += n
                totals.good_ms += sum(midpoint_us(b) * k for b, k in cell.response.items()) / 1000
            else:
                totals.errors[cell.outcome] = totals.errors.get(cell.outcome, 0) + n

    def _rates(self, ticks: list[Tick]) -> None:
        self._told.update((t.worker, t) for t in ticks)
        self.totals.asked = sum(t.asked for t in self._told.values())
        self.totals.served = sum(t.started for t in self._told.values())
        self._asked.append(self.totals.asked)
        self._served.append(self.totals.served)
        found = stats(c for ticks in self._last for t in ticks for c in t.cells)
        self.numbers = replace(
            self.numbers,
            asked_per_s=_rate(self._asked),
            served_per_s=_rate(self._served),
            good_per_s=found.good / len(self._last),
            error_ratio=found.error_ratio,
            errors=dict(sorted(found.failures.items(), key=lambda kind: (-kind[1], kind[0]))),
            p50_ms=found.plain_percentile_ms(0.5),
            p95_ms=found.plain_percentile_ms(0.95),
            p99_ms=found.plain_percentile_ms(0.99),
        )


def _rate(totals: Iterable[int]) -> float | None:
    """How much a total grew in a second; None where it does not grow at all: a closed load."""
    steps = [after - before for before, after in pairwise(totals)]
    return sum(steps) / len(steps) if steps and sum(steps) else None


def _both(one: Stats, other: Stats) -> Stats:
    response, failures = dict(one.response), dict(one.failures)
    add(response, other.response)
    for kind, n in other.failures.items():
        failures[kind] = failures.get(kind, 0) + n
    return Stats(
        good=one.good + other.good,
        failures=failures,
        edge=one.edge + other.edge,
        response=response,
        service=merged((one.service, other.service)),
    )


def _s(ms: int) -> str:
    return format_ms(ms // 1000 * 1000) if ms >= 1000 else "0 s"
