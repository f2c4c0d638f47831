"""The comparison with earlier runs: made from what the report says, and put into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gameday.kpi.compare import History, Seen, compare, not_compared
from gameday.model.report import Change, Compared, Comparison, PhaseRow
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Outcome, RunStatus, Verdict

#: A larger change of p95 is not shown in numbers.
_FOLD_MAX = 10.0


def compared_with(
    rows: Sequence[PhaseRow], history: History | None, verdict: Verdict
) -> Comparison:
    """A run against its *history*; not compared where one of the two is missing or unfit."""
    known = verdict.outcome in (Outcome.PASS, Outcome.FAIL)
    if not known or verdict.status is not RunStatus.COMPLETED or verdict.dirty:
        return not_compared("this run proves nothing")
    if history is None:
        return not_compared("no earlier runs were stored with this run")
    return compare([seen_of(row) for row in rows], history)


def seen_of(row: PhaseRow) -> Seen:
    """The numbers of one row that are compared."""
    return Seen(
        phase=row.phase,
        subject=row.subject,
        complete=row.complete,
        n=row.n,
        bad=row.n - row.good,
        p95_ms=row.p95_ms,
        p95_low_ms=row.p95_low_ms,
        p95_high_ms=row.p95_high_ms,
    )


def comparison_text(comparison: Comparison) -> str:
    """One sentence: what comparing showed."""
    runs = f"{len(comparison.runs)} earlier runs"
    if comparison.change is Change.NOT_COMPARED:
        return f"not compared with earlier runs: {comparison.why}"
    more = f"; {comparison.why}" if comparison.why else ""
    found = [row for row in comparison.numbers if row.change is comparison.change]
    if comparison.change is Change.NOT_SHOWN:
        return f"no change shown against {runs}{more}"
    told = "; ".join(row_text(row) for row in found[:3])
    told += f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{comparison.change.value} than {runs}: {told}{more}"


def row_text(row: Compared) -> str:
    """`fault checkout p95: +34 % (+18 % to +52 %)`."""
    return f"{row.phase} {row.subject} {row.metric} {by_text(row)} ({interval_text(row)})"


def by_text(row: Compared) -> str:
    """The change: `+34 %` of p95, `+2.1 points` of errors."""
    return _by(row.metric, row.by)


def interval_text(row: Compared) -> str:
    """Its interval: `+18 % to +52 %`."""
    return f"{_by(row.metric, row.by_low)} to {_by(row.metric, row.by_high)}"


def value_text(row: Compared, value: float | None) -> str:
    """A value in its unit."""
    if value is None:
        return "-"
    return format_ratio(value) if row.metric == "errors" else format_ms(value)


def compared_rows(comparison: Comparison) -> Iterable[Compared]:
    """Rows that were compared, what is worse first."""
    order = (Change.WORSE, Change.BETTER, Change.NOT_SHOWN)
    for change in order:
        yield from (row for row in comparison.numbers if row.change is change)


def _by(metric: str, by: float | None) -> str:
    if by is None:
        return "-"
    if metric == "errors":
        return f"{by * 100:+.2f} points"
    return f"{by * 100:+.0f} %" if by <= _FOLD_MAX else f"over +{_FOLD_MAX * 100:.0f} %"
