"""`check`, `plan`, `schema`, `init`: everything that reads files and touches nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gameday.errors import GamedayError, RefusedError, ScenarioError, UsageError
from gameday.model.diagnostics import Diagnostic, has_errors, in_order
from gameday.model.plan import Plan
from gameday.model.scenario import Auth, LoadSpec, RequestStep
from gameday.model.verdict import ExitCode
from gameday.secrets import basic_credentials, masked, remember, resolve

if TYPE_CHECKING:
    from gameday.scenario.api import CheckResult

#: How `check` can tell what it found.
FORMS = ("text", "json", "github", "sarif")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Which scenario, where, and how."""

    path: Path
    project: Path | None = None
    environment: str | None = None
    profile: str | None = None
    seed: int = 0
    run_runbooks: bool = False
    control: bool = False  # the same without its faults


def make_plan(request: PlanRequest) -> Plan:
    """Read, check and compile. Raises `ScenarioError` with every problem, or `UsageError`."""
    from gameday.app.runbook_proof import proofs_for
    from gameday.scenario.api import plan_for

    return plan_for(
        request.path,
        project=request.project,
        environment=request.environment,
        profile=request.profile,
        seed=request.seed,
        proofs=proofs_for,
        run_runbooks=request.run_runbooks,
        control=request.control,
    )


def load_of(plan: Plan) -> LoadSpec:
    """The load, with its secrets, and its locustfile found from the folder of the project file.

    Raises `RefusedError` when a secret, or a file, is not where it should be.
    """
    base = Path(plan.directory)
    load = replace(plan.scenario.load, breakpoint=None)  # whoever makes the load needs no reason
    load = load.with_steps(lambda step: _with_secrets(step, base))
    load = _with_files(replace(load, auth=_auth(load, base)), base)
    if load.locustfile is None:
        return load
    return replace(load, locustfile=str(Path(base, load.locustfile).resolve()))


def _with_files(load: LoadSpec, base: Path) -> LoadSpec:
    """With the columns of `data`, and the files that steps send."""
    if not load.data and not any(step.files for step in load.steps):
        return load
    from gameday.scenario.feeders import FeederError, fed, uploaded

    try:
        return replace(uploaded(load, base), data=fed(load.data, base))
    except FeederError as error:
        raise RefusedError(f"{error}: {error.hint}") from None


def _auth(load: LoadSpec, base: Path) -> Auth | None:
    """How requests authenticate, with the secrets; masked in every form in which they are sent."""
    auth = load.auth
    if auth is None:
        return None
    if auth.bearer is not None:
        return Auth(bearer=resolve(auth.bearer, base=base))
    password = resolve(auth.password or "", base=base)
    remember(basic_credentials(auth.user or "", password))
    return Auth(user=auth.user, password=password)


def _with_secrets(step: RequestStep, base: Path) -> RequestStep:
    """A request whose headers are what is sent."""
    return replace(
        step, headers={name: resolve(value, base=base) for name, value in step.headers.items()}
    )


def render_diagnostics(diagnostics: Iterable[Diagnostic]) -> str:
    """The text for people."""
    from gameday.scenario.render import render

    return render(tuple(diagnostics))


def error_text(error: GamedayError) -> str:
    """How an error looks in the terminal: the whole message, no traceback."""
    if isinstance(error, ScenarioError):
        return render_diagnostics(error.diagnostics)
    return f"gameday: {masked(str(error))}\n"


def check_command(
    paths: Sequence[Path],
    *,
    project: Path | None,
    environment: str | None,
    profile: str | None,
    form: str,
) -> int:
    """Check files; 0 without errors, 2 with."""
    from gameday.scenario.api import check

    if form not in FORMS:
        raise UsageError(f"`{form}` is no format; write {', '.join(f'`{f}`' for f in FORMS)}")
    result = check(list(paths), project=project, environment=environment, profile=profile)
    if form == "text":
        sys.stderr.write(render_diagnostics(result.diagnostics))
    else:
        sys.stdout.write(_for_machines(result.diagnostics, form))
    if has_errors(result.diagnostics):
        return int(ExitCode.USAGE)
    if form in ("text", "github"):
        sys.stdout.write(f"{_what_was_checked(result)} checked, no errors\n")
    return int(ExitCode.PASS)


def _what_was_checked(result: CheckResult) -> str:
    """`2 scenarios, 1 plan of a day and 3 files of readiness`."""
    n, days, ready = len(result.scenarios), result.days, result.ready
    parts = [f"{n} scenario{'' if n == 1 else 's'}"]
    parts += [f"{days} plan{'' if days == 1 else 's'} of a day"] if days else []
    parts += [f"{ready} file{'' if ready == 1 else 's'} of readiness"] if ready else []
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _for_machines(diagnostics: Sequence[Diagnostic], form: str) -> str:
    """The problems as JSON, as annotations for GitHub, or as SARIF."""
    from gameday import __version__
    from gameday.report.annotations import Problem, github, sarif
    from gameday.scenario.codes import CODES
    from gameday.scenario.render import to_json

    if form == "json":
        return to_json(diagnostics) + "\n"
    problems = [
        Problem(
            rule=one.code,
            level=one.severity.value,
            message=one.summary,
            hint=one.hint,
            file=one.mark.file if one.mark else "",
            line=one.mark.line if one.mark else 1,
            column=one.mark.column if one.mark else 1,
            length=one.mark.length if one.mark else 0,
        )
        for one in in_order(diagnostics)
    ]
    if form == "github":
        return "".join(f"{line}\n" for line in github(problems))
    rules = {code: row.what for code, row in CODES.items()}
    return sarif(problems, rules, tool="gameday check", version=__version__)


def plan_command(request: PlanRequest, *, as_json: bool) -> int:
    """Print the plan and stop."""
    from gameday.app.planview import show_plan
    from gameday.scenario.planfile import dump_plan

    made = make_plan(request)
    if as_json:
        sys.stdout.write(dump_plan(made) + "\n")
        return int(ExitCode.PASS)
    from gameday.app.policy_gate import PolicyRequest, check_policy
    from gameday.app.preflight import look_around

    looked = look_around(made, reports=Path("reports"))
    looked.problems += check_policy(made, PolicyRequest(go=True)).lines
    sys.stdout.write(show_plan(made, looked))
    return int(ExitCode.PASS)


def schema_command(which: str) -> int:
    """Print one JSON Schema."""
    from gameday.report.schema import json_schema, readiness_schema
    from gameday.scenario.schema import day_schema, project_schema, scenario_schema

    made = {
        "scenario": scenario_schema,
        "project": project_schema,
        "day": day_schema,
        "result": json_schema,
        "readiness": readiness_schema,
    }
    if which not in made:
        raise UsageError(f"`{which}` has no schema; write {', '.join(f'`{one}`' for one in made)}")
    sys.stdout.write(json.dumps(made[which](), indent=2, ensure_ascii=False) + "\n")
    return int(ExitCode.PASS)


def init_command(directory: Path, *, templates: bool = False) -> int:
    """Write the starter project; nothing that exists is overwritten.

    With *templates* also those of days; in a project that is there already, only those.
    """
    from gameday.app.day_templates import template_files, with_commands
    from gameday.scenario.starter import starter_files

    files = dict(starter_files())
    known = templates and (directory / "gameday.yaml").exists()
    if templates:
        files["gameday.yaml"] = with_commands(files["gameday.yaml"])
        files = {**({} if known else files), **template_files()}
    there = [name for name in files if (directory / name).exists()]
    if there:
        raise UsageError(
            f"{', '.join(f'`{name}`' for name in there)} exists in `{directory}` already; "
            "choose an empty directory"
        )
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")
    if templates:
        sys.stdout.write(f"\nnext: `gameday check {directory / 'days'}`, and docs/templates.md\n")
    if known:
        return int(ExitCode.PASS)
    first = next(name for name in files if name.startswith("scenarios/"))
    sys.stdout.write(
        f"\nnext: write your addresses into {directory / 'gameday.yaml'}, then\n"
        f"  gameday check {directory / first}\n  gameday doctor {directory / first}\n"
        f"  gameday run {directory / first}\n"
    )
    return int(ExitCode.PASS)


def expand(paths: Sequence[Path]) -> list[Path]:
    """Scenario files of *paths*, directories searched; raises `UsageError` if there is none."""
    from gameday.scenario.api import scenario_files
    from gameday.scenario.sniff import is_day_file

    found = scenario_files(list(paths))
    for path in found:
        if is_day_file(path):
            raise UsageError(
                f"`{path}` is the plan of a day, not a scenario; begin it with `gameday day start`"
            )
    if not found:
        raise UsageError(
            f"no scenario file in {', '.join(f'`{p}`' for p in paths)}; "
            "a scenario is a .yaml file with `gameday: 1` and an `id`"
        )
    return found
