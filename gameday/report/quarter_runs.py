"""The sections of a quarter's page that runs give, one environment and kind of run at a time."""

from __future__ import annotations

from gameday.model.quarter_report import Quarter
from gameday.report.quarter_figure import slug
from gameday.report.quarter_parts import Block, Section, fold, groups, numbers_of, times
from gameday.report.quarter_text import number_table, sheet_of, sheet_table


def coverage(quarter: Quarter) -> Section:
    """What was tested, when last, and how it went."""
    blocks = []
    for place, one in enumerate(quarter.maps):
        name = f"{one.environment} {one.kind}"
        numbers = numbers_of(quarter, (one.environment, one.kind), "coverage", "top_tier_exercised")
        tiers = numbers_of(quarter, (one.environment, one.kind), "coverage", prefix="tier")
        table = number_table(
            f"coverage-{slug(name)}",
            f"coverage, {name}",
            [*numbers, *tiers],
            subject="tier",
            before="last → this quarter",
        )
        blocks.append(Block(title=name, map=one, tables=(table,), fold=fold(place, name)))
    return Section(
        id="coverage",
        title="Coverage",
        blocks=blocks,
        lead="Last valid run of each service and failure mode, with its age in days: P passed, "
        "F failed, ? could not tell; grey was never tested, a dashed frame is older than "
        "90 days, and a dot says that nobody asked for it",
    )


def detection(quarter: Quarter) -> Section:
    """How long it took until something was noticed."""
    blocks = []
    for place, (environment, kind) in enumerate(groups(quarter)):
        name = f"{environment} {kind}"
        rows = numbers_of(
            quarter,
            (environment, kind),
            "detection_rate",
            "ttd_median",
            "ttd_p90",
            prefix="scenario",
        )
        if not rows:
            continue
        table = times(
            f"detection-{slug(name)}",
            f"detection by scenario, {name}",
            rows,
            "detection_rate",
            "ttd_median",
            "ttd_p90",
        )
        blocks.append(
            Block(
                title=name,
                figure=f"strip-{slug(name)}",
                tables=(table,),
                fold=fold(place, name),
                caption="each dot is a fault in a run; a tick is the time allowed; a miss is "
                "hollow at the right edge; last quarter is lighter and above",
            )
        )
    return Section(
        id="detection",
        title="Detection",
        blocks=blocks,
        lead="How long it took until the first expected alert fired",
    )


_ALERTS = (
    "recall_in_time",
    "recall_eventual",
    "detection_rate",
    "precision",
    "noise_ratio",
    "acked_in_5_min",
    "acked_in_10_min",
    "false_pages",
)


def alerts(quarter: Quarter) -> Section:
    """What became of alerts."""
    blocks = []
    for place, group in enumerate(groups(quarter)):
        name = " ".join(group)
        found = numbers_of(quarter, group, *_ALERTS)
        if not found:
            continue
        modes = numbers_of(
            quarter, group, "recall_in_time", "precision", "tta_median", prefix="mode"
        )
        tables = [
            number_table(f"alerts-{slug(name)}", f"alerts, {name}", found),
            times(
                f"alert-modes-{slug(name)}",
                f"alerts by failure mode, {name}",
                modes,
                "recall_in_time",
                "precision",
                "tta_median",
            ),
        ]
        blocks.append(
            Block(
                title=name,
                figure=f"alerts-{slug(name)}",
                tables=tables,
                fold=fold(place, name),
                caption="by service; missed are all that did not come in order",
            )
        )
    return Section(
        id="alerts",
        title="Alert outcomes",
        blocks=blocks,
        lead="What became of the alerts that were expected, and what came besides",
    )


def restored(quarter: Quarter) -> Section:
    """How users were well again."""
    blocks = []
    for place, group in enumerate(groups(quarter)):
        name = " ".join(group)
        found = numbers_of(quarter, group, "restored_unaided")
        if not found:
            continue
        modes = numbers_of(
            quarter,
            group,
            "restored_unaided",
            "ttr_median",
            "ttr_p90",
            "after_effect_max",
            prefix="mode",
        )
        tables = [
            number_table(f"restored-{slug(name)}", f"restored, {name}", found),
            times(
                f"restored-modes-{slug(name)}",
                f"restored by failure mode, {name}",
                modes,
                "restored_unaided",
                "ttr_median",
                "ttr_p90",
                "after_effect_max",
            ),
        ]
        blocks.append(
            Block(
                title=name, figure=f"restored-{slug(name)}", tables=tables, fold=fold(place, name)
            )
        )
    return Section(
        id="restored",
        title="Restored how",
        blocks=blocks,
        lead="Well again because gameday took the fault out is no restoration: such a time counts "
        "as longer than the fault was in",
    )


def runbooks(quarter: Quarter) -> Section:
    """How far runbooks have come."""
    names = ("runbook_coverage", "runbook_complete", "runbook_validated", "runbook_automated")
    blocks = []
    for place, group in enumerate(groups(quarter)):
        if found := numbers_of(quarter, group, *names):
            name = " ".join(group)
            table = number_table(f"runbooks-{slug(name)}", f"runbooks, {name}", found)
            blocks.append(Block(title=name, tables=(table,), fold=fold(place, name)))
    for sheet, title, limit in (("runbook_funnel", "Funnel", 0), ("runbooks_stale", "Stale", 15)):
        found_sheet = sheet_of(quarter, sheet)
        if found_sheet is not None:
            table = sheet_table(found_sheet, f"table-{slug(sheet)}", limit=limit)
            blocks.append(Block(title=title, tables=(table,)))
    return Section(
        id="runbooks",
        title="Runbooks",
        blocks=blocks,
        lead="Of the alerts that scenarios expect: how far their runbooks have come",
    )


def slo(quarter: Quarter) -> Section:
    """Whether objectives held under fault."""
    blocks = []
    for place, group in enumerate(groups(quarter)):
        name = " ".join(group)
        found = numbers_of(quarter, group, "criteria_held", "absorption", "hypotheses_confirmed")
        if not found:
            continue
        services = numbers_of(
            quarter, group, "criteria_held", "absorption", "hypotheses_confirmed", prefix="service"
        )
        tables = [
            number_table(f"slo-{slug(name)}", f"objectives, {name}", found),
            times(
                f"slo-services-{slug(name)}",
                f"objectives by service, {name}",
                services,
                "criteria_held",
                "absorption",
                "hypotheses_confirmed",
            ),
        ]
        spent = numbers_of(quarter, group, "budget_spent", prefix="slo")
        if spent:
            what = f"of the quarter's error budget, spent by exercises, {name}"
            tables.append(times(f"budgets-{slug(name)}", what, spent, "budget_spent"))
        blocks.append(Block(title=name, tables=tables, fold=fold(place, name)))
    sheet = sheet_of(quarter, "budgets")
    if sheet is not None and sheet.rows:
        table = sheet_table(sheet, "table-budgets", limit=20)
        blocks.append(Block(tables=(table,), fold="error budgets, and what they are made of"))
    return Section(
        id="objectives",
        title="Objectives",
        blocks=blocks,
        lead="Criteria of the fault phases, and what all runs spent of the error budgets; outside "
        "production that is what they would have spent there",
    )
