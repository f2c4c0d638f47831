"""`readiness`: read what is known of a service, ask whether it is ready, and tell it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gameday import __version__
from gameday.app.admission import VERSION
from gameday.app.readiness_drills import drills_of
from gameday.app.readiness_findings import findings_of
from gameday.app.readiness_runs import runs_of
from gameday.errors import CannotSeeError, GamedayError, ScenarioError, UsageError
from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.model.project import Project
from gameday.model.readiness import Readiness, ReadyWord
from gameday.model.readiness_evidence import (
    BudgetNow,
    ReadyEvidence,
    ReadyService,
    RunbookNow,
    Waiver,
)
from gameday.model.readiness_policy import FailFrom, ReadyPolicy
from gameday.model.verdict import ExitCode
from gameday.scenario.readiness import ServiceRead

#: Where the files are, from the folder of the project file.
FOLDER = "readiness"
#: Grades of a runbook that has what is needed (docs/runbook-lint.md): from `kept` on.
_KEPT = ("L2", "L3", "L4", "L5")
_EXITS: Mapping[FailFrom, Mapping[ReadyWord, ExitCode]] = {
    FailFrom.NEVER: {},
    FailFrom.NO_GO: {ReadyWord.NO_GO: ExitCode.FAIL},
    FailFrom.EVIDENCE: {
        ReadyWord.NO_GO: ExitCode.FAIL,
        ReadyWord.NOT_ENOUGH: ExitCode.INCONCLUSIVE,
    },
    FailFrom.CONDITIONS: {
        ReadyWord.NO_GO: ExitCode.FAIL,
        ReadyWord.NOT_ENOUGH: ExitCode.INCONCLUSIVE,
        ReadyWord.CONDITIONS: ExitCode.FAIL,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessRequest:
    """Which service, which version, and where everything lies."""

    service: str
    version: str
    project: Path | None = None
    environment: str | None = None
    reports: Sequence[Path] = (Path("reports"),)
    policy: Path | None = None
    service_file: Path | None = None
    waivers: Path | None = None
    store: str | None = None
    html: Path | None = None
    markdown: Path | None = None
    fail_from: str | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The files of people, as they were read."""

    project: Project | None
    directory: Path
    policy: ReadyPolicy
    service: ServiceRead
    waivers: tuple[Waiver, ...]


def readiness_command(request: ReadinessRequest) -> ExitCode:
    """Assess, write and print; the exit code is that of the answer."""
    from gameday.report import readiness_page, readiness_text
    from gameday.report.json_ import as_text

    if VERSION.fullmatch(request.version) is None:
        raise UsageError(
            f"`--version {request.version}` is no version: "
            "write letters, digits and `. _ + - /`, such as `2.4.1` or a commit"
        )
    if request.fail_from is not None and request.fail_from not in {one.value for one in FailFrom}:
        words = ", ".join(f"`{one.value}`" for one in FailFrom)
        raise UsageError(f"`--fail-from {request.fail_from}` is not possible; write {words}")
    found, policy = assess(request, now=datetime.now(UTC))
    if request.html is not None:
        _write(request.html, readiness_page.render(found))
    if request.markdown is not None:
        _write(request.markdown, readiness_text.markdown(found))
    sys.stdout.write(as_text(found) if request.as_json else readiness_text.console(found))
    fail_from = FailFrom(request.fail_from) if request.fail_from else policy.fail_from
    return _EXITS[fail_from].get(found.answer, ExitCode.PASS)


def assess(request: ReadinessRequest, *, now: datetime) -> tuple[Readiness, ReadyPolicy]:
    """The answer, and the policy it was made by. Raises `GamedayError` for files with errors."""
    from gameday.programme import readiness

    read = _files(request)
    known = read.project.environments if read.project is not None else {}
    kinds = {name: one.kind for name, one in known.items()}
    drilled = drills_of(read.service.service, request.reports, kinds)
    service = replace(
        read.service.service, records=(*read.service.service.records, *drilled.records)
    )
    found = runs_of(service.name, request.reports)
    budget, budget_why = _budget(read, request.environment)
    findings, findings_why = findings_of(
        service.name,
        store=request.store,
        project=None if read.project is None else Path(read.project.file),
    )
    evidence = ReadyEvidence(
        version=request.version,
        now=now,
        runs=found.runs,
        runbooks=_runbooks(service, read, now),
        findings=findings,
        findings_why=findings_why,
        budget=budget,
        budget_why=budget_why,
        waivers=read.waivers,
        scenario_files=_scenario_files(read.directory),
        notes=(*found.notes, *drilled.notes),
    )
    made = readiness.assess(service, read.policy, evidence, gameday=__version__)
    return made, read.policy


def _files(request: ReadinessRequest) -> _Read:
    """Everything that people wrote. Raises ScenarioError with all that is wrong with it."""
    from gameday.scenario.build import find_project, read_project
    from gameday.scenario.readiness import read_policy, read_service, read_waivers

    path = request.project or find_project(Path.cwd())
    project, problems = None, list[Diagnostic]()
    if path is not None:
        project, _, problems = read_project(path)
    directory = Path.cwd() if path is None else path.resolve().parent
    folder = directory / FOLDER
    policy: ReadyPolicy | None = ReadyPolicy()
    named = _named(request.policy, folder / "policy.yaml")
    if named is not None:
        policy, wrong = read_policy(named, shown=_shown(named))
        problems += wrong
    service_path = request.service_file or folder / "services" / f"{request.service}.yaml"
    if not service_path.is_file():
        raise UsageError(_no_service(request.service, service_path))
    broken = path is not None and project is None
    service, wrong = read_service(
        service_path, shown=_shown(service_path), project=project, broken=broken
    )
    problems += wrong
    waivers: Mapping[str, tuple[Waiver, ...]] = {}
    named = _named(request.waivers, folder / "waivers.yaml")
    if named is not None:
        waivers, wrong = read_waivers(named, shown=_shown(named))
        problems += wrong
    if has_errors(problems) or policy is None or service is None:
        raise ScenarioError(problems)
    if service.service.name != request.service:
        raise UsageError(
            f"`{_shown(service_path)}` is about `{service.service.name}`, "
            f"not about `{request.service}`"
        )
    return _Read(
        project=project,
        directory=directory,
        policy=policy,
        service=service,
        waivers=waivers.get(request.service, ()),
    )


def _named(given: Path | None, usual: Path) -> Path | None:
    """A file that was named has to be there; the usual one need not."""
    if given is not None:
        return given
    return usual if usual.exists() else None


def _no_service(service: str, path: Path) -> str:
    known = sorted(one.stem for one in path.parent.glob("*.yaml"))
    there = f"; there are {', '.join(f'`{name}`' for name in known)}" if known else ""
    return (
        f"there is no service file for `{service}`: `{_shown(path)}`{there}; "
        "write one (docs/readiness.md), or name it with `--service-file`"
    )


def _budget(read: _Read, environment: str | None) -> tuple[BudgetNow | None, str]:
    """What is left, or why that is not known."""
    from gameday.adapters.budget import read_budget

    source = read.service.budget
    if source is None:
        return None, ""
    known = read.project.environments if read.project is not None else {}
    if environment is not None and environment not in known:
        names = ", ".join(f"`{name}`" for name in known) or "none"
        raise UsageError(f"there is no environment `{environment}`; there are {names}")
    urls = [
        one.alerting.prometheus_url
        for name, one in known.items()
        if environment in (None, name) and one.alerting.prometheus_url
    ]
    if source.query is not None and len(set(urls)) != 1:
        why = "several environments have" if urls else "no environment has"
        return None, f"the budget is a query, and {why} a Prometheus; name one with `--env`"
    try:
        left, where = read_budget(source, urls[0] if urls else None, read.directory)
        at = datetime.now(UTC)
        if source.file is not None:
            stamp = (read.directory / source.file).stat().st_mtime
            at = datetime.fromtimestamp(stamp, UTC)
    except (CannotSeeError, OSError) as error:
        return None, str(error)
    return BudgetNow(left=left, where=where, at=at), ""


def _runbooks(service: ReadyService, read: _Read, now: datetime) -> dict[str, RunbookNow]:
    """Each runbook of an alert that pages, as its lint finds it now; nothing of it is run."""
    from gameday.app.runbook_lint import LintRequest, run_lint
    from gameday.runbooks.seal import content_sha256

    found: dict[str, RunbookNow] = {}
    for name in dict.fromkeys(path for path in service.alerts.values() if path):
        path = read.directory / name
        if not path.is_file():
            continue
        file = Path(read.project.file) if read.project is not None else None
        request = LintRequest(paths=[path], project=file, offline=True)
        try:
            linted = run_lint(request, today=now.date())
        except GamedayError as error:
            found[name] = RunbookNow(path=name, problem=str(error))
            continue
        grade = next(iter(linted.grades.values()))
        problem = ""
        if grade.grade not in _KEPT:
            problem = f"it is {grade.grade}, and lacks {'; '.join(grade.missing[:2])}"
        text = path.read_text(encoding="utf-8", errors="replace")
        found[name] = RunbookNow(path=name, problem=problem, content_sha256=content_sha256(text))
    return found


def _scenario_files(directory: Path) -> dict[str, str]:
    """The file of each scenario of the project, by id, as it can be named from here."""
    from gameday.scenario.api import scenario_files
    from gameday.scenario.load import load_file

    found: dict[str, str] = {}
    for path in scenario_files([directory]):
        root = load_file(path).root
        node = root.child("id") if root is not None else None
        if node is not None and isinstance(node.value, str):
            found.setdefault(node.value, _shown(path))
    return found


def _shown(path: Path) -> str:
    """A path as people know it: relative to where they are, when it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"`{path}` cannot be written: {why}") from None
