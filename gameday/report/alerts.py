"""The verdicts of alerts in words: for the terminal and for `report.md`."""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.alerting import AlertVerdict, AlertWord, OtherEpisode, OtherWord
from gameday.model.report import Report
from gameday.model.units import format_ms, format_ratio

MARKS = {
    AlertWord.CAUGHT: "✅ caught",
    AlertWord.INCONCLUSIVE: "❔ inconclusive",
    AlertWord.ALREADY_FIRING: "❔ already firing",
    AlertWord.TOO_EARLY: "❔ too early",
}
#: The order in which other firings are told: what matters first.
_ORDER = (OtherWord.FORBIDDEN, OtherWord.UNEXPECTED, OtherWord.TOLERATED, OtherWord.BASELINE)


def word_of(verdict: AlertVerdict) -> str:
    """`caught`, `missed (pending only)`, `wrong target`."""
    why = f" ({verdict.missed.value.replace('_', ' ')})" if verdict.missed else ""
    return verdict.verdict.text + why


def lines(report: Report) -> Iterable[tuple[str, str]]:
    """For the terminal: a line for each expected alert and each note, with its indent."""
    for one in report.alerts:
        yield "", f"{word_of(one)}: {one.name}: {one.reason}"
        yield from (("  ", f"{row.note.text}: {row.text}") for row in one.notes)
    count = {word: sum(o.word is word for o in report.other_alerts) for word in _ORDER}
    told = [f"{n} {word.value}" for word, n in count.items() if n]
    if told:
        yield "", f"other firings: {', '.join(told)}"


def rows(report: Report) -> list[tuple[str, ...]]:
    """For the table in `report.md`: verdict, alert, why, notes."""
    return [
        (
            MARKS.get(one.verdict, f"❌ **{word_of(one)}**"),
            f"`{one.name}`",
            one.reason,
            "; ".join(f"**{row.note.text}**: {row.text}" for row in one.notes),
        )
        for one in report.alerts
    ]


def other_rows(report: Report) -> list[tuple[str, ...]]:
    """For the table in `report.md`: what it was, alert, from, to, notifications."""
    found = sorted(report.other_alerts, key=lambda o: (_ORDER.index(o.word), o.firing_ms))
    return [
        (
            f"**{one.word.value}**" if one.word is OtherWord.FORBIDDEN else one.word.value,
            f"`{_name(one)}`",
            _at(one.firing_ms),
            "still firing" if one.ended_ms is None else _at(one.ended_ms),
            f"{one.delivered}",
        )
        for one in found
    ]


def number_rows(report: Report) -> list[tuple[str, ...]]:
    """For the table in `report.md`: name, value, n, interval, what was counted."""
    return [
        (
            one.name.replace("_", " ").replace("ttd", "TTD").replace("tta", "TTA"),
            _value(one.value, one.unit),
            f"{one.n}",
            "-"
            if one.low is None
            else f"{_value(one.low, one.unit)} to {_value(one.high, one.unit)}",
            one.text,
        )
        for one in report.alert_numbers
    ]


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "ms":
        return format_ms(round(value)) if value >= 0 else f"-{format_ms(round(-value))}"
    return format_ratio(value) if unit == "share" else f"{value:.3g}"


def _name(one: OtherEpisode) -> str:
    inside = ", ".join(f"{k}={v}" for k, v in sorted(one.labels.items()) if k != "alertname")
    return f"{one.alert}{{{inside}}}" if inside else one.alert


def _at(ms: int) -> str:
    return format_ms(ms) if ms >= 0 else "before the run"
