"""The commands. Each is a thin wrapper: arguments in, one call of `gameday.app`, exit code out.

Exit codes are ours alone (docs/exit-codes.md): no default of a library may stand for one of them.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.compare import compare
from gameday.cli.console import console
from gameday.cli.day import day_app
from gameday.cli.evidence import evidence_app
from gameday.cli.findings import findings_app
from gameday.cli.load import load_app
from gameday.cli.notices import notices_app
from gameday.cli.options import (
    Change,
    Control,
    Env,
    Json,
    OtlpEndpoint,
    Profile,
    Project,
    Reports,
    RunRunbooks,
    Seed,
)
from gameday.cli.quarter import quarter
from gameday.cli.readiness import readiness
from gameday.cli.runbook import runbook_app
from gameday.cli.running import check, run_command
from gameday.cli.scenarios import scenarios_app
from gameday.cli.talk import ack, decide, gate, handoff, note, opened, step, stop
from gameday.errors import GamedayError
from gameday.model.verdict import ExitCode

app = typer.Typer(
    name="gameday",
    help="Break things on purpose, and see whether alerts and runbooks caught it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
proxy_app = typer.Typer(help="The embedded Toxiproxy-compatible server.", no_args_is_help=True)
app.add_typer(proxy_app, name="proxy")
app.add_typer(findings_app, name="findings")
app.add_typer(day_app, name="day")
app.add_typer(load_app, name="load")
app.add_typer(notices_app, name="notices")
app.add_typer(evidence_app, name="evidence")
app.add_typer(runbook_app, name="runbook")
app.add_typer(scenarios_app, name="scenarios")
for _command in (note, ack, decide, handoff, stop, gate, opened, step, console):
    app.command()(_command)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        result = app(arguments, standalone_mode=False, prog_name="gameday")
    except GamedayError as error:
        from gameday.app.check import error_text

        sys.stderr.write(error_text(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        return int(ExitCode.INTERNAL)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback's exit code 1
        return _library_exit(error)
    return int(result) if isinstance(result, int) else int(ExitCode.PASS)


def _library_exit(error: Exception) -> int:
    """The exit code for what the command-line library raised, or for a bug of ours."""
    name = type(error).__name__
    if name == "Exit":
        return int(getattr(error, "exit_code", 0))
    if name == "Abort":
        sys.stderr.write("interrupted\n")
        return int(ExitCode.INTERRUPTED)
    show = getattr(error, "show", None)
    if callable(show) and hasattr(error, "format_message"):
        show()
        return int(ExitCode.USAGE)
    traceback.print_exception(error)
    sys.stderr.write(
        f"\ngameday: this is a bug of gameday, not of your scenario: {name}: {error}\n"
        "Please report it with the lines above. Faults of a run are taken out by its sentinel; "
        "`gameday recover` does it by hand.\n"
    )
    return int(ExitCode.INTERNAL)


def _version(value: bool) -> None:
    if value:
        from gameday import __version__

        typer.echo(f"gameday {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _show_version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Break things on purpose, and see whether alerts and runbooks caught it."""


app.command()(check)


@app.command()
def plan(
    path: Annotated[Path, typer.Argument(help="A scenario file; `quarter`: what to test next.")],
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    seed: Seed = 0,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Store the plan in a file, to be approved.")
    ] = None,
    run_runbooks: RunRunbooks = False,
    control: Control = False,
) -> int:
    """Print what a run would do, in order, and stop."""
    if str(path) == "quarter" and not path.exists():
        return quarter("plan", project=project, env=env, json=json)
    from gameday.app.check import PlanRequest, plan_command

    request = PlanRequest(
        path=path,
        project=project,
        environment=env,
        profile=profile,
        seed=seed,
        run_runbooks=run_runbooks,
        control=control,
    )
    if out is not None:
        from gameday.app.approve import write_plan

        return write_plan(request, out)
    return plan_command(request, as_json=json)


app.command("run")(run_command)


@app.command()
def approve(
    path: Annotated[Path, typer.Argument(help="A scenario file, or a plan stored by `plan`.")],
    role: Annotated[str, typer.Option("--role", help="As what you approve, e.g. `safety`.")],
    approver: Annotated[str, typer.Option("--as", help="Who you are, as in the allowed signers.")],
    key: Annotated[Path, typer.Option("--key", help="Your SSH key, or its .pub for the agent.")],
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    seed: Seed = 0,
    change: Change = None,
    author: Annotated[
        str | None, typer.Option("--author", help="Who wrote it, where git does not know.")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="How long it is valid.")] = "8h",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    run_runbooks: RunRunbooks = False,
) -> int:
    """Sign that a run may do exactly what its plan says."""
    from gameday.app.approve import ApproveRequest, approve_command
    from gameday.app.check import PlanRequest

    request = ApproveRequest(
        scenario=PlanRequest(
            path=path,
            project=project,
            environment=env,
            profile=profile,
            seed=seed,
            run_runbooks=run_runbooks,
        ),
        role=role,
        approver=approver,
        key=key,
        change_id=change,
        author=author,
        expires=expires,
        yes=yes,
    )
    return approve_command(request)


@app.command()
def judge(
    run: Annotated[str, typer.Argument(help="A run id, a run directory, or `last`.")] = "last",
    reports: Reports = Path("reports"),
    json: Json = False,
) -> int:
    """Judge a run again from its directory, and end with its exit code."""
    from gameday.app.judge import judge_command

    return int(judge_command(run, reports=reports, as_json=json))


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run id, a run directory, or `last`.")] = "last",
    reports: Reports = Path("reports"),
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    index: Annotated[
        bool, typer.Option("--index", help="Only the page of all runs, `reports/index.html`.")
    ] = False,
    otlp: Annotated[
        Path | None, typer.Option("--otlp", help="Only the run as a trace (OTLP, JSON), to a file.")
    ] = None,
    otlp_endpoint: OtlpEndpoint = None,
) -> int:
    """Write the reports of a run again, byte for byte, from its directory."""
    if otlp is not None or otlp_endpoint is not None:
        from gameday.app.exports import trace_command

        return int(trace_command(run, reports=reports, file=otlp, endpoint=otlp_endpoint))
    from gameday.app.judge import report_command

    return int(report_command(run, reports=reports, open_it=open_, index_only=index))


app.command()(compare)
app.command()(quarter)
app.command()(readiness)


@app.command()
def recover(
    run: Annotated[str | None, typer.Argument(help="A run id, a run directory, or `last`.")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Clean a place without a journal: the URL of a Toxiproxy, `docker` or the "
            "address of an engine, or `host`.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="With --target: even if a run's lease has not expired."),
    ] = False,
    reports: Reports = Path("reports"),
) -> int:
    """Take out what a dead run left in place, and read back that it is gone."""
    from gameday.app.recover import recover_command

    return int(recover_command(run, target=target, force=force, reports=reports))


@app.command()
def schema(
    which: Annotated[
        str, typer.Argument(help="`scenario`, `project`, `day`, `result` or `readiness`.")
    ] = "scenario",
) -> int:
    """Print the JSON Schema of a file, for editors and for those who read `result.json`."""
    from gameday.app.check import schema_command

    return schema_command(which)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    more: Annotated[
        str | None,
        typer.Option("--with", help="`templates`: also plans of days, and texts for people."),
    ] = None,
) -> int:
    """Write a commented starter project that passes `gameday check`."""
    from gameday.app.check import init_command
    from gameday.errors import UsageError

    if more not in (None, "templates"):
        raise UsageError(f"`--with {more}`: there is `templates`")
    return init_command(directory, templates=more is not None)


@app.command()
def doctor(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="A scenario, to prove that its load passes the proxies."),
    ] = None,
    project: Project = None,
    env: Env = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Only look at this alert source of the project."),
    ] = None,
    json: Json = False,
) -> int:
    """Say what is reachable, which versions, and what a run would use."""
    from gameday.app.doctor import doctor_command

    return int(
        doctor_command(paths or [], project=project, environment=env, as_json=json, source=source)
    )


@app.command()
def demo(
    naive: Annotated[
        bool, typer.Option("--naive", help="The shop without timeouts, breaker or fallback.")
    ] = False,
    scenario: Annotated[
        str, typer.Option("--scenario", help="Which of the shop's scenarios.")
    ] = "payments-slow",
    real: Annotated[
        bool,
        typer.Option("--real", help="With toxiproxy-server, Prometheus and Alertmanager of PATH."),
    ] = False,
    profile: Annotated[str, typer.Option("--profile", "-p", help="The profile.")] = "smoke",
    serve: Annotated[
        bool, typer.Option("--serve", help="Only start the shop, for your own experiments.")
    ] = False,
    docker: Annotated[
        bool, typer.Option("--docker", help="A gateway and the database live in containers.")
    ] = False,
    clock: Annotated[
        bool, typer.Option("--clock", help="One gateway runs under libfaketime.")
    ] = False,
    reports: Reports = Path("reports"),
    json: Json = False,
) -> int:
    """Start the sample shop, break it, and see who noticed. Nothing else is needed."""
    from gameday.app.demo import DemoRequest, demo_command

    request = DemoRequest(
        naive=naive,
        scenario=scenario,
        real=real,
        profile=profile,
        reports=reports,
        docker=docker,
        clock=clock,
    )
    return int(demo_command(request, serve=serve, as_json=json))


@proxy_app.command("serve")
def proxy_serve(
    host: Annotated[str, typer.Option("--host", help="Where the API listens.")] = "localhost",
    port: Annotated[int, typer.Option("--port", help="Port of the API; 0 picks one.")] = 8474,
    seed: Annotated[int, typer.Option("--seed", help="Seed of toxicity and jitter.")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", help="Proxies to create at start (JSON).")
    ] = None,
) -> int:
    """Serve the Toxiproxy API until stopped."""
    from gameday.app.proxy import proxy_serve_command

    return proxy_serve_command(host=host, port=port, seed=seed, config=config)
