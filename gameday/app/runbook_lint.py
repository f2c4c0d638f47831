"""`runbook lint`: reads runbooks, looks up what the rules need, and shows what they found.

Nothing of a runbook is run. Pages elsewhere are asked for only on hosts that the project lists.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from gameday import __version__
from gameday.app.projects import project_at
from gameday.errors import UsageError
from gameday.model.project import Project
from gameday.model.runbook import Around, Document, Finding, Level
from gameday.model.verdict import ExitCode
from gameday.report.annotations import Problem, github, sarif
from gameday.runbooks import show
from gameday.runbooks.links import MARKDOWN
from gameday.runbooks.lint import Linted, lint
from gameday.runbooks.rules import RULES, chosen

#: Pages of a folder of runbooks that are none.
NOT_RUNBOOKS = frozenset({"readme", "index", "_index", "contributing", "changelog", "template"})
MAX_FILES = 5_000


def as_github(linted: Linted, shown: tuple[Finding, ...]) -> Iterator[str]:
    """An annotation a finding, then how many there are."""
    yield from github(map(_problem, shown))
    yield show.summary(linted)


def as_sarif(_linted: Linted, shown: tuple[Finding, ...]) -> Iterator[str]:
    """One SARIF log."""
    rules = {name: rule.what for name, rule in RULES.items()}
    problems = list(map(_problem, shown))
    yield sarif(problems, rules, tool="gameday runbook lint", version=__version__).rstrip("\n")


FORMATS: dict[str, Callable[[Linted, tuple[Finding, ...]], Iterator[str]]] = {
    "text": show.as_text,
    "json": show.as_json,
    "github": as_github,
    "sarif": as_sarif,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRequest:
    """What to lint, against which alerts, and how to show it."""

    paths: Sequence[Path] = ()
    project: Path | None = None
    prometheus: str | None = None
    rules: Sequence[Path] = ()
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    allow: Sequence[str] = ()
    format: str = "text"
    level: str = "note"
    fail_on: str = "error"
    offline: bool = False


def runbook_lint_command(request: LintRequest) -> ExitCode:
    """Lint, and print; 1 when a finding weighs as much as `fail_on`, or more."""
    if request.format not in FORMATS:
        raise UsageError(f"`{request.format}` is no format; write {_of(FORMATS)}")
    fail_on = None if request.fail_on == "never" else _level(request.fail_on, "--fail-on")
    level = _level(request.level, "--level")
    linted = run_lint(request, today=datetime.now(UTC).date())
    for line in FORMATS[request.format](linted, show.at_least(linted, level)):
        sys.stdout.write(line + "\n")
    if fail_on is not None and show.at_least(linted, fail_on):
        return ExitCode.FAIL
    return ExitCode.PASS


def run_lint(request: LintRequest, *, today: date) -> Linted:
    """What is found in the runbooks of *request*.

    Raises `UsageError` for a path or rule that is none, `CannotSeeError` when the alerts cannot be
    read.
    """
    from gameday.adapters.runbook_document import load_document

    rules = chosen(request.select, request.ignore)
    project, directory = _project(request)
    files = list(_files(request.paths, project, directory))
    documents = [load_document(path, _shown(path)) for path in files]
    around, pages = _around(request, documents, project, directory, today)
    return lint(documents, around, rules=rules, pages=pages)


def _around(
    request: LintRequest,
    documents: Sequence[Document],
    project: Project,
    directory: Path,
    today: date,
) -> tuple[Around, dict[str, frozenset[str]]]:
    from gameday.adapters.runbook_shell import syntax_errors
    from gameday.app.runbook_around import alert_links, local_links, remote_links, which

    syntax = syntax_errors(
        block.script.text
        for document in documents
        for block in document.blocks
        if block.script is not None and block.script.text.strip()
    )
    if syntax is None:
        sys.stderr.write("there is no bash on the PATH: whether commands parse is not said\n")
    local = local_links(documents, directory)
    hosts = () if request.offline else project.runbook_hosts
    remote, unseen = remote_links(documents, hosts, offline=request.offline)
    folders = [*project.runbooks, *_below(request.paths, directory)]
    around = Around(
        today=today,
        there=local.there,
        remote=remote,
        unseen={**unseen, **local.unseen},
        programs=which(documents, {*project.runbook_commands, *request.allow}),
        syntax=syntax or {},
        alerts=alert_links(
            documents,
            directory,
            folders,
            hosts,
            prometheus=request.prometheus,
            files=[(path, _shown(path)) for path in request.rules],
        ),
    )
    return around, local.pages


def _project(request: LintRequest) -> tuple[Project, Path]:
    """The project, and the folder that its paths start from; without a file, an empty one here."""
    from gameday.scenario.build import find_project

    start = next((p for p in request.paths if p.exists()), Path())
    path = request.project or find_project(start if start.is_dir() else start.parent)
    if path is None:
        return Project(), Path.cwd()
    project = project_at(path)
    return project, Path(project.directory)


def _files(paths: Sequence[Path], project: Project, directory: Path) -> Iterator[Path]:
    """Files as they were named, and the Markdown of folders. Raises UsageError if there is none."""
    given = list(paths) or [directory / folder for folder in project.runbooks]
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            found |= dict.fromkeys(_markdown_below(path))
        elif path.is_file():
            found[path] = None
        else:
            hint = "" if paths else "; name a folder, or set `runbooks` in `gameday.yaml`"
            raise UsageError(f"there is no file or folder `{_shown(path)}`{hint}")
    if not found:
        raise UsageError(
            f"no runbook in {_of(_shown(p) for p in given)}; a runbook is a Markdown file (`.md`)"
        )
    if len(found) > MAX_FILES:
        raise UsageError(f"{len(found)} files are more than {MAX_FILES}; name a smaller folder")
    yield from found


def _markdown_below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "node_modules")
        for name in sorted(names):
            path = Path(here, name)
            if path.suffix.lower() in MARKDOWN and path.stem.lower() not in NOT_RUNBOOKS:
                yield path


def _below(paths: Sequence[Path], directory: Path) -> list[str]:
    """The named folders, from the folder of the project, where they lie in it."""
    folders = [p.resolve() for p in paths if p.is_dir()]
    root = directory.resolve()
    return [f.relative_to(root).as_posix() for f in folders if f.is_relative_to(root)]


def _shown(path: Path) -> str:
    """A path as people know it: from where they are."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _problem(found: Finding) -> Problem:
    return Problem(
        rule=found.rule,
        level=found.level.value,
        message=found.message,
        hint=found.hint,
        file=found.file,
        line=found.line,
        column=found.column,
    )


def _level(text: str, option: str) -> Level:
    if text not in [level.value for level in Level]:
        never = ", `never`" if option == "--fail-on" else ""
        raise UsageError(f"`{option} {text}`: write `error`, `warning`, `note`{never}")
    return Level(text)


def _of(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
