"""The act `answer.ask`: what a scenario asks of a service once the load has stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.generic.answers import ask_until_right
from gameday.model.plan import Plan, Step


def ask_answer(plan: Plan, step: Step) -> Mapping[str, Any]:
    """The question that *step* names. Raises CannotSeeError when no answer was to be had."""
    asked = next(one for one in plan.scenario.expect.answers if one.name == step.subject)
    url = plan.environment.targets[asked.target].url
    if url is None:
        raise RuntimeError(f"target `{asked.target}` has no `url`")  # the rules refuse it
    return ask_until_right(url.rstrip("/"), asked.path, asked.json, within_s=asked.within_ms / 1000)
