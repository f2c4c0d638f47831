"""Numbers of a quarter in words: k of n with the interval, medians that count their misses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gameday.model.quarter_report import Cell, Number, Quarter, Sheet, Trend
from gameday.model.units import format_ms, format_ratio
from gameday.report.page import Table

#: KPI -> what it is called.
NAMES = {
    "coverage": "Failure modes tested in 90 days",
    "top_tier_exercised": "Services of tier 0 and 1 exercised",
    "validity_rate": "Valid runs",
    "hypotheses_confirmed": "Hypotheses confirmed",
    "recall_in_time": "Caught by alert in time",
    "recall_eventual": "Caught at all",
    "detection_rate": "Faults detected",
    "precision": "Alerts that were expected",
    "noise_ratio": "Noise",
    "acked_in_5_min": "Acknowledged in 5 min",
    "acked_in_10_min": "Acknowledged in 10 min",
    "restored_unaided": "Restored with the fault still in",
    "criteria_held": "Criteria held under fault",
    "absorption": "Faults absorbed",
    "stop_rate": "Stopped",
    "clean_rate": "Clean at the end",
    "undo_success": "Faults undone",
    "safe_in_time": "Safe within 10 s of a stop",
    "run_hours": "Hours of runs",
    "false_pages": "Alerts in control runs",
    "runbook_coverage": "Runbook is there",
    "runbook_complete": "Runbook is complete",
    "runbook_validated": "Runbook proven in 180 days",
    "runbook_automated": "Runbook proven without people",
    "verified_on_time": "Fixes proven by their due date",
    "claimed_on_time": "Fixes claimed by their due date",
    "repeat_rate": "Findings seen before",
    "repeats_after_verified": "… again after a proven fix",
    "repeats_under_accepted_risk": "… again under an accepted risk",
    "repeats_while_open": "… again while open",
    "exposure": "Critical and high, not accepted",
    "findings_opened": "Opened",
    "findings_claimed": "Claimed fixed",
    "findings_verified": "Verified",
    "findings_regressed": "Regressed",
    "findings_open": "Open at the end",
    "open_age_median": "Age of what is open, median",
    "open_age_max": "Age of the oldest",
    "verification_lag_median": "From claim to proof, median",
    "incidents": "Incidents",
    "incidents_tested_before": "Incidents whose failure mode was tested before",
    "change_failure_rate": "Change failure rate",
    "restore_success": "Restore drills passed",
    "drills_held": "Restore drills held",
    "postmortems_on_time": "Postmortems within 5 business days",
    "debriefs_on_time": "Debriefs within 5 business days",
    "budget_spent": "Error budget spent by exercises",
    "after_effect_max": "Longest after-effect",
    "ttd_median": "Time to detect, median",
    "ttd_p90": "Time to detect, p90",
    "tta_median": "Time to acknowledge, median",
    "tta_p90": "Time to acknowledge, p90",
    "ttr_median": "Time to restore, median",
    "ttr_p90": "Time to restore, p90",
}
_TRENDS = {
    Trend.BETTER: "better",
    Trend.WORSE: "**worse**",
    Trend.NOT_SHOWN: "no change shown",
    Trend.TOO_FEW: "too few to say",
    Trend.NONE: "",
}
NOT_MEASURED = "❔ not measured"


def percent(share: float) -> str:
    """Whole percents: more would be more than so few cases say."""
    return f"{share * 100:.0f} %"


def value_text(number: Number) -> str:
    """The number with its n and interval; what is not measured is never 0."""
    if number.unit == "share":
        return _share(number)
    if number.state == "censored":
        ended = f"{number.k} of {number.n} ended"
        return f"not reached, > {_amount(number.beyond, number.unit)} ({ended})"
    if number.value is None:
        return NOT_MEASURED
    text = _amount(number.value, number.unit)
    if number.unit == "part":
        return f"{text} ({number.n} run{'' if number.n == 1 else 's'})"
    if number.k is None:
        return text
    bounds = ""
    if number.low is not None and number.low != number.value:
        high = "…" if number.high is None else _amount(number.high, number.unit)
        bounds = f"; 95 %: {_amount(number.low, number.unit)} to {high}"
    ended = f"{number.k} of {number.n} ended" if number.k != number.n else f"n = {number.n}"
    return f"{text} ({ended}{bounds})"


def _share(number: Number) -> str:
    if number.value is None or number.low is None or number.high is None:
        return NOT_MEASURED
    interval = f"95 %: {number.low * 100:.0f}–{number.high * 100:.0f} %"
    return f"{number.k} of {number.n} = {percent(number.value)} ({interval})"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "?"
    if unit == "ms":
        return format_ms(value)
    if unit == "part":
        return "< 0.01 %" if 0 < value < 0.0001 else format_ratio(value)
    text = f"{value:.1f}".removesuffix(".0")
    return text if unit in ("count", "") else f"{text} {'d' if unit == 'days' else 'h'}"


def before_text(number: Number) -> str:
    """The paired values, now and before; empty if nothing is in both quarters."""
    pair = number.paired
    if pair is None:
        return ""
    return f"{pair.before_k} of {pair.before_n} → {pair.now_k} of {pair.now_n}"


def trend_text(number: Number) -> str:
    """One word, or why there is none."""
    return "" if number.paired is None else _TRENDS[number.paired.trend]


def subject_text(number: Number) -> str:
    """Over what it is, and where."""
    place = f"{number.environment} {number.kind}".strip()
    subject = number.subject.partition(":")[2] if number.subject else ""
    return ", ".join(part for part in (subject, place) if part)


def number_table(
    name: str,
    caption: str,
    numbers: Iterable[Number],
    *,
    title: str = "",
    subject: str = "",
    places: bool = False,
    before: str = "last → this, same scenarios",
) -> Table:
    """One line a number. *subject* is the head of a column that says over what each is.

    With *places* the environment of each stands there too.
    """
    rows = []
    numbers = list(numbers)
    apart = places and any(one.environment for one in numbers)
    for one in numbers:
        what = [one.subject.partition(":")[2]]
        what += [one.environment or "where is not said"] if apart else []
        lead = [", ".join(filter(None, what)) or "all"] if subject else []
        label = f"{NAMES.get(one.name, one.name)}"
        rows.append([*lead, label, value_text(one), before_text(one), trend_text(one), one.target])
    lead_head = [subject] if subject else []
    head = [*lead_head, "", "this quarter", before, "change", "target"]
    keep = [i for i in range(len(head)) if i < 2 or any(row[i] for row in rows)]
    return Table(
        id=name,
        caption=caption,
        title=title,
        head=[head[i] for i in keep],
        rows=[[row[i] for i in keep] for row in rows],
    )


def sheet_table(sheet: Sheet, name: str, *, columns: Sequence[str] = (), limit: int = 0) -> Table:
    """A sheet, or some columns of it, for people; a longer one says how many lines are left out."""
    wanted = [sheet.columns.index(c) for c in columns] if columns else range(len(sheet.columns))
    rows = sheet.rows[:limit] if limit else sheet.rows
    left = len(sheet.rows) - len(rows)
    return Table(
        id=name,
        caption=sheet.title,
        head=[sheet.columns[i].replace("_", " ") for i in wanted],
        rows=[[cell_text(row[i]) for i in wanted] for row in rows],
        notes=[f"{left} more lines are in `{sheet.name}.csv`"] if left else [],
    )


def cell_text(cell: Cell) -> str:
    """A cell for people."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def sheet_of(quarter: Quarter, name: str) -> Sheet | None:
    """The sheet of that name; None where nothing of it was given."""
    return next((one for one in quarter.sheets if one.name == name), None)
