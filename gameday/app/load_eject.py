"""`load eject`: the journeys of a scenario as a Locust file that sends the same."""

from __future__ import annotations

import sys
from pathlib import Path

from gameday.app.check import PlanRequest, make_plan
from gameday.errors import UsageError
from gameday.model.plan import Plan
from gameday.model.scenario import LoadSpec
from gameday.model.verdict import ExitCode


def load_eject_command(request: PlanRequest, out: Path | None, *, force: bool) -> ExitCode:
    """Write the file, or print it without *out*. Nothing is sent."""
    from gameday.adapters.locust.eject import Origin, eject

    plan = make_plan(request)
    spec = plan.scenario.load
    origin = Origin(
        scenario=plan.scenario.id,
        file=request.path.name,
        up=_up(plan, out) if _needs_project(spec) else 0,
        seed=request.seed,
        arrivals=_arrivals(spec),
    )
    text = eject(spec, origin)
    if out is None:
        sys.stdout.write(text)
        return ExitCode.PASS
    write_new(out, text, force=force)
    sys.stdout.write(f"wrote {out}\n{_next(plan, out)}")
    return ExitCode.PASS


def write_new(out: Path, text: str, *, force: bool) -> None:
    """Write a file that is not there yet, or with *force* in any case. Raises `UsageError`."""
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"`{out}` is there already; choose another name, or overwrite it with `--force`"
        ) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"`{out}` cannot be written: {reason}") from None


def _up(plan: Plan, out: Path | None) -> int:
    """How many folders the project's folder is above the file."""
    if out is None:
        return 0
    project = Path(plan.directory).resolve()
    folder = out.resolve().parent
    if not folder.is_relative_to(project):
        raise UsageError(
            f"`{out}` is not in the project's folder, where its data, files and secrets are found; "
            f"write it below `{plan.directory}`"
        )
    return len(folder.relative_to(project).parts)


def _needs_project(spec: LoadSpec) -> bool:
    from gameday.model.secret import SecretRef

    steps = [step for journey in spec.journeys for step in journey.steps]
    secrets = [value for step in steps for value in step.headers.values()]
    if spec.auth is not None:
        secrets += [spec.auth.bearer or "", spec.auth.password or ""]
    in_files = any(isinstance(value, SecretRef) and value.file for value in secrets)
    return bool(spec.data) or in_files or any(step.files for step in steps)


def _arrivals(spec: LoadSpec) -> str:
    if spec.users is not None:
        return f"{spec.users} users who stop when the run does"
    if spec.arrivals_per_s is not None:
        return f"{spec.arrivals_per_s:g} arrivals a second, however slow the service is"
    return "arrivals at the rates of the scenario, however slow the service is"


def _next(plan: Plan, out: Path) -> str:
    project = Path(plan.directory).resolve()
    file = out.resolve()
    if not file.is_relative_to(project):
        return f"to use it in the scenario, put it into `{plan.directory}`\n"
    load = plan.scenario.load
    gone = ["`journeys`", *(["`data`"] if load.data else []), *(["`auth`"] if load.auth else [])]
    shown = file.relative_to(project)
    return f"to use it, write `locustfile: {shown}` in `load`, and remove {', '.join(gone)}\n"
