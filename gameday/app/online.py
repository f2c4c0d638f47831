"""`check --online`: what the live rules and routes say of the alerts that a scenario expects."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from gameday.app.check import PlanRequest, check_command, expand, make_plan
from gameday.app.upstreams import look_upstream
from gameday.errors import CannotSeeError, UsageError
from gameday.kpi.foresee import Interval
from gameday.kpi.outlook import (
    Ahead,
    Live,
    Outlook,
    look_ahead,
    rehearsed_otherwise,
    rule_of,
)
from gameday.kpi.outlook_words import Level, span_words
from gameday.kpi.promql import PromqlError
from gameday.kpi.shares import UnpredictableError
from gameday.model.diagnostics import has_errors
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms
from gameday.model.verdict import ExitCode
from gameday.scenario.sample import requests


def outlooks(plan: Plan) -> tuple[Outlook, ...]:
    """What is to be expected of each expected alert, by the servers of the environment.

    Nothing where no Prometheus is named. Raises CannotSeeError when one does not answer.
    """
    live = _ask(plan)
    if live is None:
        return ()
    return tuple(look_ahead(a, _ahead(plan, a), live) for a in plan.scenario.expect.alerts)


def _ask(plan: Plan) -> Live | None:
    from gameday.adapters.live_servers import ask_alertmanager, ask_prometheus

    alerting, expected = plan.environment.alerting, plan.scenario.expect.alerts
    if alerting.prometheus_url is None or not expected:
        return None
    return Live(
        prometheus=ask_prometheus(alerting.prometheus_url, {one.alert for one in expected}),
        alertmanager=(
            ask_alertmanager(alerting.alertmanager_url) if alerting.alertmanager_url else None
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An outlook, and where promtool is on PATH when it says that the rule fires."""

    outlook: Outlook
    rehearsed_ms: float | None = None


def looked(plan: Plan) -> tuple[Looked, ...]:
    """Each expected alert, rehearsed too. Raises CannotSeeError."""
    live, promtool = _ask(plan), shutil.which("promtool")
    if live is None:
        return ()
    found: list[Looked] = []
    for alert in plan.scenario.expect.alerts:
        ahead = _ahead(plan, alert)
        one = Looked(outlook=look_ahead(alert, ahead, live))
        found.append(_rehearsed(promtool, one, ahead, live) if promtool else one)
    return tuple(found)


def _rehearsed(promtool: str, one: Looked, ahead: Ahead, live: Live) -> Looked:
    """By Prometheus' own code; as it was if it cannot be rehearsed, or several rules are meant."""
    from gameday.adapters.rehearsal import rehearse

    outlook = one.outlook
    rows = [row for row in live.prometheus.rows if row["name"] == outlook.alert]
    if outlook.firing is None or len(rows) != 1:
        return one
    try:
        rule, _ = rule_of(rows[0], live.prometheus, per_s=ahead.per_s)
        at_ms = rehearse(
            promtool,
            rows[0],
            live.prometheus.records,
            rule,
            outlook.effect,
            within_ms=outlook.firing.latest_ms + rule.evaluation_ms,
        )
    except (PromqlError, UnpredictableError):
        return one
    other = rehearsed_otherwise(outlook.firing, at_ms)
    if other is not None:
        outlook = replace(outlook, findings=(*outlook.findings, other))
    return Looked(outlook=outlook, rehearsed_ms=at_ms)


def _ahead(plan: Plan, alert: AlertExpectation) -> Ahead:
    """The fault that is meant, and the load before it."""
    scenario = plan.scenario
    faults = scenario.faults
    fault = next((f for f in faults if f.id == alert.fault), faults[0] if faults else None)
    start = 0 if fault is None else fault.start_ms
    end = scenario.phases.fault_ms if fault is None else fault.end_ms(scenario.phases.fault_ms)
    before = scenario.phases.fault_start_ms + start
    return Ahead(
        fault_ms=end - start,
        before_ms=before,
        per_s=requests(scenario.load, None, 1_000, from_ms=before),
        run_ms=scenario.phases.played_ms,
    )


def checked(
    paths: Sequence[Path],
    *,
    project: Path | None,
    env: str | None,
    profile: str | None,
    form: str,
    online: bool,
) -> int:
    """Check files, and where there is no error in them, with *online* what the servers say."""
    if online and form in ("github", "sarif"):
        raise UsageError(
            f"`--online` asks servers, which have no place in a file: it has no `--format {form}`; "
            "check twice, or write `--format text` or `json`"
        )
    as_json = form == "json"
    if online and as_json:
        code = _files_as_json(paths, project=project, env=env, profile=profile)
    else:
        code = check_command(paths, project=project, environment=env, profile=profile, form=form)
    if code or not online:
        return code
    request = PlanRequest(path=paths[0], project=project, environment=env, profile=profile)
    return check_online(expand(paths), request, sys.stdout, as_json=as_json)


def _files_as_json(
    paths: Sequence[Path], *, project: Path | None, env: str | None, profile: str | None
) -> int:
    """The problems of the files as one object on a line, as what follows is."""
    from gameday.scenario.api import check
    from gameday.scenario.render import to_json

    result = check(list(paths), project=project, environment=env, profile=profile)
    value = {"diagnostics": json.loads(to_json(result.diagnostics))}
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    return int(ExitCode.USAGE if has_errors(result.diagnostics) else ExitCode.PASS)


def check_online(paths: Sequence[Path], request: PlanRequest, out: TextIO, *, as_json: bool) -> int:
    """Ask for each scenario; 0 without errors, 2 with, 3 when a server does not answer."""
    codes: list[ExitCode] = []
    for path in paths:
        one = PlanRequest(
            path=path,
            project=request.project,
            environment=request.environment,
            profile=request.profile,
        )
        codes.append(_check(make_plan(one), out, as_json=as_json))
    return int(next((c for c in (ExitCode.USAGE, ExitCode.INCONCLUSIVE) if c in codes), 0))


def _check(plan: Plan, out: TextIO, *, as_json: bool) -> ExitCode:
    upstreams, error = look_upstream(plan), _unasked(plan)
    found: tuple[Looked, ...] = ()
    if not error:
        try:
            found = looked(plan)
        except CannotSeeError as unseen:
            error = str(unseen)
    _tell(out, plan, found, upstreams.silent, error=error, as_json=as_json)
    if _has_errors(found):
        return ExitCode.USAGE
    deaf = bool(upstreams.silent) and upstreams.certain
    return ExitCode.INCONCLUSIVE if error or deaf else ExitCode.PASS


def _unasked(plan: Plan) -> str:
    """Why nothing can be said of alerts that are expected; empty if they can be asked for.

    Built-in alerts have no live rules: the file says all there is of them.
    """
    alerting = plan.environment.alerting
    if alerting.prometheus_url or not alerting.names or not plan.scenario.expect.alerts:
        return ""
    names = ", ".join(f"`{name}`" for name in alerting.names)
    return f"no Prometheus is named, and {names} does not tell the rules as `--online` needs them"


def _has_errors(found: Sequence[Looked]) -> bool:
    """Whether an expectation cannot be met."""
    return any(f.level is Level.ERROR for one in found for f in one.outlook.findings)


def _tell(
    out: TextIO,
    plan: Plan,
    found: Sequence[Looked],
    silent: Mapping[str, str],
    *,
    as_json: bool,
    error: str,
) -> None:
    if as_json:
        value = {
            "scenario": plan.scenario.id,
            "environment": plan.environment.name,
            "error": error or None,
            "alerts": [_json(one) for one in found],
            "upstreams": dict(silent),
        }
        out.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    deaf = [f"  target {name}: {why}" for name, why in silent.items()]
    out.write("\n".join([_head(plan, error), *deaf, *_lines(found)]) + "\n")


def _head(plan: Plan, error: str) -> str:
    head = f"{plan.scenario.id} in {plan.environment.name}"
    if error:
        return f"{head}: cannot be told: {error}"
    if plan.environment.alerting.prometheus_url is None:
        return f"{head}: no Prometheus is named, so there are no live rules to ask"
    if not plan.scenario.expect.alerts:
        return f"{head}: no alert is expected"
    return head


def _lines(found: Sequence[Looked]) -> Iterator[str]:
    for each in found:
        one = each.outlook
        yield f"  {one.alert} within {format_ms(one.within_ms)}"
        under = (
            "at the earliest, if every request fails at once"
            if one.assumed
            else (f"under `{one.effect.text}`")
        )
        if one.firing is not None:
            yield f"    fires {span_words(one.firing)} {under}"
        if each.rehearsed_ms is not None:
            at = format_ms(round(each.rehearsed_ms))
            yield f"    rehearsed with promtool: {at} after the fault"
        if one.delivered is not None:
            yield f"    delivered {span_words(one.delivered)} {under}"
        if one.receivers:
            yield f"    goes to {', '.join(one.receivers)}"
        for finding in one.findings:
            yield f"    {finding.level.value}: {finding.text} ({finding.code})"
        if not one.findings:
            yield "    can catch it in time"


def _json(each: Looked) -> dict[str, Any]:
    """One outlook as plain data; times in ms since the fault."""
    one = each.outlook
    return {
        "alert": one.alert,
        "within_ms": one.within_ms,
        "effect": one.effect.text,
        "assumed": one.assumed,
        "firing_ms": _pair(one.firing),
        "rehearsed_ms": each.rehearsed_ms,
        "delivered_ms": _pair(one.delivered),
        "receivers": list(one.receivers),
        "findings": [
            {
                "code": finding.code,
                "level": finding.level.value,
                "text": finding.text,
                "certain": finding.certain,
                "wait_ms": finding.wait_ms,
            }
            for finding in one.findings
        ],
    }


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.earliest_ms, interval.latest_ms]


def online_lines(plan: Plan) -> tuple[list[str], list[str]]:
    """Refusals and warnings of a run that is about to begin, one line each.

    Only what is certain refuses it. Raises CannotSeeError when a server does not answer.
    """
    refused: list[str] = []
    warned: list[str] = []
    for one in outlooks(plan):
        for finding in one.findings:
            line = f"{one.alert}: {finding.text}"
            if finding.level is Level.ERROR and finding.certain:
                refused.append(line)
            elif finding.level is not Level.NOTE and finding.code not in ("no-rule", "rule-error"):
                warned.append(line)
    return refused, warned
