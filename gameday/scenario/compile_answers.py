"""The steps of a plan that ask the service something once the load has stopped."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.plan import Step, When
from gameday.model.scenario import Scenario

#: What a question may take beyond its own time before it is given up.
MARGIN_MS = 10_000


def answer_steps(scenario: Scenario, when: tuple[When, ...]) -> Iterator[Step]:
    """One step a question, due at *when*; asked also after a stop: then more than ever."""
    for asked in scenario.expect.answers:
        yield Step(
            id=f"answer.ask:{asked.name}",
            verb="answer.ask",
            subject=asked.name,
            lane="answer",
            when=when,
            limit_ms=asked.within_ms + MARGIN_MS,
            always=True,
        )


def answers_ms(scenario: Scenario) -> int:
    """How long all questions may take, one after the other."""
    return sum(asked.within_ms + MARGIN_MS for asked in scenario.expect.answers)
