"""The inputs of a run as they are stored: everything that judging needs, and no secret."""

from __future__ import annotations

import re
from dataclasses import replace

from gameday.model.plan import Plan
from gameday.model.scenario import Journey, RequestStep
from gameday.model.secret import SECRET_HEADERS

MASK = "***"
_SECRET_LINE = re.compile(
    rf"""(?i)(?P<name>["']?\b(?:{"|".join(SECRET_HEADERS)})["']?\s*:\s*)"""
    r"""(?:"[^"\n]*"|'[^'\n]*'|[^,}\n]+)"""
)


def without_secrets(plan: Plan) -> Plan:
    """*plan* without the receiver's token and without headers that authenticate."""
    environment = plan.environment
    load = plan.scenario.load
    load = replace(load, journeys=tuple(_journey(journey) for journey in load.journeys))
    return replace(
        plan,
        environment=replace(
            environment, receiver_token=MASK if environment.receiver_token else None
        ),
        scenario=replace(plan.scenario, load=load),
    )


def text_without_secrets(text: str) -> str:
    """The text of a scenario file without the values of headers that authenticate."""
    return _SECRET_LINE.sub(lambda found: f'{found["name"]}"{MASK}"', text)


def _journey(journey: Journey) -> Journey:
    return replace(journey, steps=tuple(_step(step) for step in journey.steps))


def _step(step: RequestStep) -> RequestStep:
    headers = {
        name: MASK if name.lower() in SECRET_HEADERS else value
        for name, value in step.headers.items()
    }
    return replace(step, headers=headers)
