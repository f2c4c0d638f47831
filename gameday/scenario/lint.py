"""All rules about what the parts of a scenario say about each other and about the project."""

from __future__ import annotations

from gameday.model.diagnostics import Diagnostic, in_order
from gameday.model.project import Environment, Project
from gameday.model.scenario import Scenario
from gameday.scenario import (
    feeders,
    rules_answers,
    rules_breakpoint,
    rules_closed,
    rules_expect,
    rules_faults,
    rules_load,
    rules_places,
    rules_project,
    rules_runbooks,
    rules_stops,
    shapes,
)
from gameday.scenario.node import Marks
from gameday.scenario.rules_project import alert_servers_of, project_runbooks
from gameday.scenario.scope import Rule, Scope
from gameday.scenario.suggest import did_you_mean

#: The table of rules; one function each.
RULES: tuple[Rule, ...] = (
    *rules_faults.RULES,
    *rules_expect.RULES,
    *rules_answers.RULES,
    *rules_project.RULES,
    *feeders.RULES,
    *rules_places.RULES,
    *rules_stops.RULES,
    *shapes.RULES,
    *rules_breakpoint.RULES,
    *rules_closed.RULES,
    *rules_load.RULES,
    *rules_runbooks.RULES,
)


def lint(scope: Scope) -> tuple[Diagnostic, ...]:
    """What all rules say that can be asked: their parts could be read, their project is there."""
    linked = scope.project is not None and scope.environment is not None
    return in_order(
        found
        for row in RULES
        if not (row.needs & scope.broken) and (linked or not row.linked)
        for found in row.check(scope)
    )


def lint_project(project: Project, marks: Marks) -> tuple[Diagnostic, ...]:
    """What the rules say about a project file by itself."""
    return in_order((*project_runbooks(project, marks), *alert_servers_of(project, marks)))


def scope_of(
    scenario: Scenario, project: Project, environment: Environment, marks: Marks | None = None
) -> Scope:
    """The scope of a scenario that was read whole. Without *marks*, places are the file's top."""
    return Scope(
        scenario=scenario,
        marks=marks or Marks(file=scenario.file),
        project=project,
        environment=environment,
    )


def unknown_environment(name: str, project: Project, marks: Marks) -> Diagnostic:
    """The diagnostic for an environment that the project does not have."""
    return marks.problem(
        "project/unknown-environment",
        ("environments",),
        f"there is no environment `{name}`",
        did_you_mean(name, project.environments),
        key=True,
    )
