"""The inputs of a run as they are stored: everything that judging needs, and no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gameday.model.faults import GENERIC
from gameday.model.plan import Plan
from gameday.model.project import AlertingSpec
from gameday.model.scenario import FaultSpec, RequestStep
from gameday.model.secret import SECRET_HEADERS
from gameday.model.sources import SourceSpec

MASK = "***"
_SECRET_LINE = re.compile(
    rf"""(?i)(?P<name>["']?\b(?:{"|".join(SECRET_HEADERS)})["']?\s*:\s*+)"""
    r"""(?!\{\s*["']?(?:env|file|prefix)\b|(?:env|file|prefix)\s*:)"""  # where it is may be told
    r"""(?:"[^"\n]*"|'[^'\n]*'|[^,}\n]+)"""
)


def without_secrets(plan: Plan) -> Plan:
    """*plan* without the receiver's token and without headers that authenticate."""
    environment = plan.environment
    load = plan.scenario.load
    load = load.with_steps(_step)
    faults = tuple(_fault(fault) for fault in plan.scenario.faults)
    return replace(
        plan,
        environment=replace(
            environment,
            receiver_token=MASK if environment.receiver_token else None,
            alerting=_alerting(environment.alerting),
        ),
        scenario=replace(plan.scenario, load=load, faults=faults),
    )


def _alerting(alerting: AlertingSpec) -> AlertingSpec:
    """Without what authenticates at a source and stands in the file; references stay."""
    return replace(alerting, http_json=tuple(_source(source) for source in alerting.http_json))


def _source(source: SourceSpec) -> SourceSpec:
    headers = {
        name: MASK if isinstance(value, str) else value
        for name, value in source.auth.headers.items()
    }
    return replace(source, auth=replace(source.auth, headers=headers))


def text_without_secrets(text: str) -> str:
    """The text of a scenario file without the values of headers that authenticate."""
    return _SECRET_LINE.sub(lambda found: f'{found["name"]}"{MASK}"', text)


def _step(step: RequestStep) -> RequestStep:
    headers = {
        name: MASK if _is_secret(name) and isinstance(value, str) else value
        for name, value in step.headers.items()
    }
    return replace(step, headers=headers)


def _fault(fault: FaultSpec) -> FaultSpec:
    """Without what stands in the calls of a generic fault; references to secrets stay."""
    action = fault.action
    if action is None or action.family not in GENERIC:
        return fault
    options = {name: _call(call) for name, call in action.options.items()}
    return replace(fault, action=replace(action, options=options))


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    masked = dict(call)
    for part in ("headers", "secrets"):
        if part in call:
            masked[part] = {
                name: MASK
                if isinstance(value, str) and (part == "secrets" or _is_secret(name))
                else value
                for name, value in call[part].items()
            }
    return masked


def _is_secret(header: str) -> bool:
    return header.strip().lower() in SECRET_HEADERS
