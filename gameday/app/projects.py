"""The project file that a command is about: named by `--project`, or the nearest one."""

from __future__ import annotations

from pathlib import Path

from gameday.errors import ScenarioError, UsageError
from gameday.model.project import Project


def project_at(path: Path) -> Project:
    """The project of that file. Raises `ScenarioError` with everything that is wrong with it."""
    from gameday.scenario.build import read_project

    project, _, problems = read_project(path)
    if project is None:
        raise ScenarioError(problems)
    return project


def project_here(given: Path | None) -> tuple[Path, Project]:
    """File and project: the file that is *given*, or the nearest. `UsageError` where there is none.

    Raises `ScenarioError` as `project_at`.
    """
    from gameday.scenario.build import find_project

    path = given or find_project(Path.cwd())
    if path is None:
        raise UsageError("no `gameday.yaml` here or above; name one with `--project`")
    return path, project_at(path)
