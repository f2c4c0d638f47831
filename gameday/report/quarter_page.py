"""What stands on the page of a quarter, section by section; the same for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gameday.model.quarter_report import CoverageMap, MapCell, Number, Quarter
from gameday.report.page import Table
from gameday.report.quarter_figure import slug
from gameday.report.quarter_parts import Block, Section, numbers_of, times
from gameday.report.quarter_runs import alerts, coverage, detection, restored, runbooks, slo
from gameday.report.quarter_text import (
    NOT_MEASURED,
    before_text,
    number_table,
    percent,
    sheet_of,
    sheet_table,
    trend_text,
)

TONES = {"P": "pass", "F": "fail", "?": "unknown"}
WORDS = {"P": "passed", "F": "failed", "?": "could not tell"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One of the four numbers of the first page."""

    title: str
    value: str
    detail: str
    before: str
    measured: bool


def cards(quarter: Quarter) -> tuple[Card, ...]:
    """The four numbers, in the words of those who pay."""
    return tuple(_card(title, number) for title, number in quarter.headline)


def _card(title: str, number: Number) -> Card:
    if number.value is None or number.low is None or number.high is None:
        return Card(
            title=title, value="not measured", detail=number.text, before="", measured=False
        )
    where = f"{number.environment} {number.kind}".strip()
    interval = f"95 %: {number.low * 100:.0f}–{number.high * 100:.0f} %"
    before = before_text(number)
    if before:
        before = f"last → this quarter: {before}, {trend_text(number).replace('*', '')}"
    return Card(
        title=title,
        value=percent(number.value),
        detail=f"{number.k} of {number.n} ({interval})" + (f", {where}" if where else ""),
        before=before or "last quarter: nothing to compare",
        measured=True,
    )


def sections(quarter: Quarter) -> tuple[Section, ...]:
    """All sections in order."""
    makers: Sequence[Callable[[Quarter], Section]] = (
        coverage,
        detection,
        alerts,
        restored,
        runbooks,
        _findings,
        slo,
        _drills,
        _programme,
        _next,
        _method,
        _appendix,
    )
    return tuple(make(quarter) for make in makers)


_OF_FINDINGS = (
    "id", "title", "service", "severity", "state", "owner", "due", "overdue", "age_days",
)  # fmt: skip


def _findings(quarter: Quarter) -> Section:
    sheet = sheet_of(quarter, "findings")
    if sheet is None:
        return Section(
            id="findings",
            title="Findings",
            blocks=(),
            lead="❔ not measured: no findings register was given",
        )
    overall = [n for n in quarter.numbers if not n.environment and not n.subject]
    first = [n for n in overall if n.name.startswith(("findings_", "exposure"))]
    sla = [n for n in overall if n.name in ("verified_on_time", "claimed_on_time")]
    later = [n for n in overall if n.name.startswith(("repeat", "verification"))]
    ages = [n for n in quarter.numbers if n.name.startswith("open_age")]
    severe = [
        n
        for n in quarter.numbers
        if n.name in ("verified_on_time", "claimed_on_time") and n.subject
    ]
    tables = [
        number_table("findings-flow", "findings in the quarter", first),
        number_table(
            "findings-sla",
            "due dates",
            [*sla, *later],
            title="Due dates and repeats",
            before="last → this quarter",
        ),
        times(
            "findings-ages",
            "findings by severity",
            [*ages, *severe],
            "open_age_median",
            "open_age_max",
            "verified_on_time",
            "claimed_on_time",
        ),
        sheet_table(
            sheet,
            "table-findings",
            limit=15,
            columns=_OF_FINDINGS,
        ),
    ]
    block = Block(figure="flow", tables=tables, caption="cumulative since the quarter began")
    return Section(
        id="findings",
        title="Findings",
        blocks=(block,),
        lead="A fix counts as proven only when a later run has verified it",
    )


_MISSING = {
    "drills": "no drills were imported, and no day held one; `--drills FILE.csv` imports them",
    "postmortems": "no incidents were imported; `--incidents FILE.csv` does it",
    "days": "there is no day below the reports that is over",
}


#: Of wide tables; the files have everything.
_SHOWN = {
    "drills": (
        "id", "held", "service", "environment", "tries", "rto_s", "rto_target_s", "rpo_s",
        "rpo_target_s", "integrity", "passed",
    ),
}  # fmt: skip


def _missing(sheet: str) -> str:
    return _MISSING.get(sheet, f"no {sheet} were imported; `--{sheet} FILE.csv` does it")


def _drills(quarter: Quarter) -> Section:
    blocks = []
    for names, sheet, title in (
        (("restore_success", "drills_held"), "drills", "Restore and fail-over"),
        (("change_failure_rate",), "deployments", "Deployments"),
        (("incidents", "incidents_tested_before"), "incidents", "Incidents"),
        (("postmortems_on_time",), "postmortems", "Postmortems"),
        (("debriefs_on_time",), "days", "Days and their debriefs"),
    ):
        found = sheet_of(quarter, sheet)
        numbers = [
            n for n in quarter.numbers if n.name in names and not n.subject.startswith("service:")
        ]
        if found is None or not (found.rows or numbers):
            note = Table(
                id=f"table-{sheet}",
                caption=title,
                head=[""],
                rows=[[NOT_MEASURED]],
                title=title,
                notes=[_missing(sheet) if found is None else "there was none in the quarter"],
            )
            blocks.append(Block(tables=(note,)))
            continue
        tables = [
            number_table(
                f"{sheet}-numbers",
                title,
                numbers,
                subject="of",
                places=True,
                before="last → this quarter",
            ),
            sheet_table(found, f"table-{sheet}", limit=20, columns=_SHOWN.get(sheet, ())),
        ]
        blocks.append(Block(title=title, tables=tables))
    return Section(
        id="drills",
        title="Drills, deployments and incidents",
        blocks=blocks,
        lead="As imported, and as days held them; nothing of it is inferred from runs",
    )


_PROGRAMME = (
    "validity_rate",
    "stop_rate",
    "clean_rate",
    "undo_success",
    "safe_in_time",
    "run_hours",
    "false_pages",
)


def _programme(quarter: Quarter) -> Section:
    groups = dict.fromkeys((n.environment, n.kind) for n in quarter.numbers if n.kind)
    blocks = []
    for group in groups:
        if found := numbers_of(quarter, group, *_PROGRAMME):
            name = " ".join(group)
            table = number_table(f"programme-{slug(name)}", f"programme, {name}", found)
            blocks.append(Block(title=name, tables=(table,)))
    return Section(
        id="programme",
        title="Programme and safety",
        blocks=blocks,
        lead="Every run that was begun, valid or not",
    )


def _next(quarter: Quarter) -> Section:
    sheet = sheet_of(quarter, "next")
    tables = (
        ()
        if sheet is None
        else (
            sheet_table(
                sheet,
                "table-next",
                limit=10,
                columns=("place", "service", "tier", "failure_mode", "points", "why"),
            ),
        )
    )
    return Section(
        id="next",
        title="What to test next",
        blocks=(Block(tables=tables),),
        lead="Points only put the list in an order; they are no score of a service",
    )


def _method(quarter: Quarter) -> Section:
    table = Table(
        id="limits", caption="method, exclusions and limits", head=[], rows=[], notes=quarter.notes
    )
    return Section(
        id="method",
        title="Method and limits",
        blocks=(Block(tables=(table,)),),
        lead=f"As of {quarter.as_of}",
    )


def _appendix(quarter: Quarter) -> Section:
    sheet = sheet_of(quarter, "runs")
    blocks = (
        []
        if sheet is None
        else [
            Block(
                fold=f"every run of the quarter ({len(sheet.rows)})",
                tables=(
                    sheet_table(
                        sheet,
                        "table-runs",
                        columns=(
                            "run",
                            "ended",
                            "environment",
                            "kind",
                            "outcome",
                            "status",
                            "valid",
                            "reason",
                        ),
                    ),
                ),
            ),
        ]
    )
    return Section(
        id="appendix",
        title="Appendix",
        blocks=blocks,
        lead="Every table is a file of comma-separated values beside this page",
    )


def map_rows(one: CoverageMap) -> Iterator[tuple[str, list[MapCell]]]:
    """The cells of each service, in order of the failure modes."""
    width = len(one.modes)
    for place, (service, tier) in enumerate(one.services):
        name = service if tier is None else f"{service} (tier {tier})"
        yield name, list(one.cells[place * width : (place + 1) * width])
