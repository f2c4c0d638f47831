"""Rules about the questions that are asked once the load has stopped."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.scope import Rule, Scope, rule
from gameday.scenario.suggest import did_you_mean


def something_asked(scope: Scope) -> Iterator[Diagnostic]:
    """A question without an answer that is right could not fail."""
    for asked in scope.scenario.expect.answers:
        if not asked.json:
            yield scope.marks.problem(
                "value/empty",
                ("expect", "answers", asked.name, "json"),
                "`json` names nothing that the answer must have",
                "write what must be so, for example `{lost: 0}`",
            )


def asked_targets(scope: Scope) -> Iterator[Diagnostic]:
    """Whoever is asked is a target of the environment, and has an address."""
    environment = scope.environment
    if environment is None:
        return
    for asked in scope.scenario.expect.answers:
        path = ("expect", "answers", asked.name, "target")
        if not scope.marks.has(path):
            continue  # it is that of the load, which has a rule of its own
        target = environment.targets.get(asked.target)
        if target is None:
            yield scope.marks.problem(
                "target/unknown",
                path,
                f"there is no target `{asked.target}` in the environment `{environment.name}`",
                did_you_mean(asked.target, environment.targets),
            )
        elif target.url is None:
            yield scope.marks.problem(
                "target/no-url",
                path,
                f"the target `{asked.target}` has no `url` that could be asked",
                "add `url: ...` to it in the project file",
            )


RULES: tuple[Rule, ...] = (
    rule(something_asked, "value/empty", needs=("expect.answers",)),
    rule(asked_targets, "target/unknown", "target/no-url", needs=("expect.answers",), linked=True),
)
