"""`demo`: the sample shop on this machine, broken on purpose, and who noticed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.app.check import PlanRequest, make_plan
from gameday.app.library import scenario_folder
from gameday.app.needs import missing_on_host
from gameday.app.run import RunRequest, RunResult, run_one
from gameday.errors import GamedayError, UsageError
from gameday.model.needs import CONTAINERS, LIBFAKETIME
from gameday.model.verdict import ExitCode

if TYPE_CHECKING:  # the shop needs the extra `demo`
    from gameday.demo.shop import Shop
    from gameday.demo.topology import Topology

EXTRA = ("asyncpg", "prometheus_client", "redis")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """What to show. With `real`, the servers on PATH take the place of the embedded parts."""

    naive: bool = False
    scenario: str = "payments-slow"
    real: bool = False
    profile: str = "smoke"
    reports: Path = Path("reports")
    docker: bool = False  # two parts in containers; also where the scenario needs one
    clock: bool = False  # one gateway under libfaketime; also where the scenario needs it


def demo_command(request: DemoRequest, *, serve: bool, as_json: bool) -> ExitCode:
    """Start the shop, run one scenario against it, say what was seen."""
    say = _quiet if as_json else _say
    if not serve:
        needs = needs_of(request.scenario)
        if why := missing_on_host(needs):
            return _skipped(request.scenario, why, as_json=as_json)
        request = replace(
            request,
            docker=request.docker or CONTAINERS in needs,
            clock=request.clock or LIBFAKETIME in needs,
        )
    with standing(request, say) as stand:
        if serve:
            return _serve(stand)
        for name, used in stand.shop.parts_used().items():
            say(f"{name}: {used}")
        say(f"running {request.scenario} ({request.profile})")
        result = run_demo(request, stand, as_json=as_json)
        if not as_json:
            sys.stdout.write(_books(stand))
            sys.stdout.write(_next(request, result))
        return result.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A running shop with its project directory."""

    directory: Path
    shop: Shop
    toxiproxy_url: str
    server_process: Mapping[str, Any] | None

    def scenario(self, name: str) -> Path:
        """The file of a scenario in the stand's own project."""
        path = self.directory / "scenarios" / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
            raise UsageError(f"the shop has no scenario `{name}`; there are {known}")
        return path


def run_demo(request: DemoRequest, stand: Stand, *, as_json: bool = False) -> RunResult:
    """Run the request's scenario against a shop that stands."""
    plan = make_plan(
        PlanRequest(
            path=stand.scenario(request.scenario),
            project=stand.directory / "gameday.yaml",
            profile=request.profile or None,
        )
    )
    run = RunRequest(
        scenario=PlanRequest(path=stand.scenario(request.scenario)),
        reports=request.reports,
        server_process=stand.server_process,
    )
    return run_one(run, plan, as_json=as_json)


@contextlib.contextmanager
def standing(request: DemoRequest, say: Callable[[str], None]) -> Iterator[Stand]:
    """The shop behind its proxies, and where asked real monitoring, until the block ends."""
    _check_extra()
    from gameday.adapters.toxiproxy.client import ToxiproxyClient
    from gameday.adapters.toxiproxy.server import choose_server
    from gameday.demo.engine import engine_url
    from gameday.demo.monitoring import MonitoringError
    from gameday.demo.project import STATE
    from gameday.demo.shop import Shop, ShopError
    from gameday.demo.topology import free_topology

    directory = _project_directory(request.reports)
    topology = free_topology()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_own_python())
        kind = "started" if request.real else "embedded"
        server = choose_server(None, log_dir=directory / "logs", force_kind=kind)
        stack.callback(server.stop)
        say(f"toxiproxy: {server.version}, at {server.url}")
        client = ToxiproxyClient(server.url)
        for name in topology.dependencies:
            client.create(
                name, listen=topology.via(name), upstream=topology.direct(name), enabled=True
            )
        docker = engine_url() if request.docker else ""
        shop = Shop(
            topology, directory / STATE, naive=request.naive, docker=docker, clock=request.clock
        )
        stack.callback(shop.stop)
        try:
            shop.start(say)
            real = _monitoring(directory, topology, stack) if request.real else None
        except (ShopError, MonitoringError) as error:
            raise UsageError(str(error)) from error
        if real is not None:
            say(f"prometheus at {real.prometheus_url}, alertmanager at {real.alertmanager_url}")
        text = _project_text(topology, server.url, real)
        (directory / "gameday.yaml").write_text(with_own_python(text), encoding="utf-8")
        yield Stand(
            directory=directory,
            shop=shop,
            toxiproxy_url=server.url,
            server_process=server.process,
        )


@contextlib.contextmanager
def _own_python() -> Iterator[None]:
    """Within: `python3` of a runbook's commands is the interpreter that has gameday."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def with_own_python(text: str) -> str:
    """*text* of a project or scenario file of the shop, its commands run by this interpreter.

    Who runs it later, from another terminal or to recover, may have no environment active; a part
    of the shop that its command cannot start again would stay broken.
    """
    own = json.dumps(sys.executable)
    text = text.replace("[python3, -m, gameday.demo", f"[{own}, -m, gameday.demo")
    return text.replace("commands: [python3]", f"commands: [{own}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Real:
    """Prometheus and Alertmanager of PATH, and where they deliver to."""

    prometheus_url: str
    alertmanager_url: str
    receiver: str
    receiver_token: str


def _monitoring(directory: Path, topology: Topology, stack: contextlib.ExitStack) -> _Real:
    from gameday.demo.monitoring import Monitoring
    from gameday.demo.topology import free_ports

    receiver, token = f"127.0.0.1:{free_ports(1)[0]}", secrets.token_hex(18)
    monitoring = Monitoring(directory / "monitoring", topology, f"http://{receiver}/v1/in/{token}")
    monitoring.start()
    stack.callback(monitoring.stop)
    return _Real(
        prometheus_url=monitoring.prometheus_url,
        alertmanager_url=monitoring.alertmanager_url,
        receiver=receiver,
        receiver_token=token,
    )


def _project_text(topology: Topology, toxiproxy_url: str, real: _Real | None) -> str:
    from gameday.demo.project import project_yaml

    if real is None:
        return project_yaml(topology, toxiproxy_url=toxiproxy_url)
    return project_yaml(
        topology,
        toxiproxy_url=toxiproxy_url,
        prometheus_url=real.prometheus_url,
        alertmanager_url=real.alertmanager_url,
        receiver=real.receiver,
        receiver_token=real.receiver_token,
    )


def _project_directory(reports: Path) -> Path:
    """A fresh `demo` directory with the shop's scenarios and runbooks."""
    directory = reports / "demo"
    try:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(
            scenario_folder(),
            directory / "scenarios",
            ignore=shutil.ignore_patterns("gameday.yaml"),
        )
        (directory / "scenarios" / "runbooks").rename(directory / "runbooks")
        for file in directory.rglob("*.yaml"):
            file.write_text(with_own_python(file.read_text("utf-8")), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"`{directory}` cannot be written: {error.strerror}; choose another `--reports`"
        ) from None
    return directory.resolve()


def _check_extra() -> None:
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the sample shop needs {', '.join(missing)}; install gameday with its extra `demo`: "
            "pip install 'gameday[demo]' (in a clone: pip install -e '.[demo]')"
        )


def _serve(stand: Stand) -> ExitCode:
    _say(f"the shop answers at {stand.shop.url}; its Toxiproxy at {stand.toxiproxy_url}")
    name = "gameday" if shutil.which("gameday") else shlex.quote(sys.argv[0])
    _say(f"try: {name} run {stand.scenario('payments-slow')} --profile smoke")
    _say("Ctrl-C ends it")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    return ExitCode.PASS


def needs_of(name: str) -> tuple[str, ...]:
    """What a scenario of the shop needs; nothing where there is none of that name."""
    from gameday.scenario.build import read_scenario

    path = scenario_folder() / f"{name}.yaml"
    scenario = read_scenario(path)[0] if path.is_file() else None
    return scenario.needs if scenario is not None else ()


def _skipped(name: str, why: str, *, as_json: bool) -> ExitCode:
    """Nothing was run, so nothing was shown."""
    value = {"t": "skipped", "scenario": name, "reason": why}
    sys.stdout.write(f"{json.dumps(value)}\n" if as_json else f"SKIPPED    {name}: {why}\n")
    return ExitCode.INCONCLUSIVE


def _books(stand: Stand) -> str:
    """What the shop's ledger says: the one thing that latency and errors cannot show."""
    from gameday.demo.shop import ShopError

    try:
        report = stand.shop.ledger(5.0)
    except (ShopError, GamedayError) as error:
        return f"books      could not be read: {error}\n"
    return (
        f"books      {report.total} orders, {report.lost} lost, {report.duplicate} duplicate, "
        f"{report.pending} payments still to come\n"
    )


def _next(request: DemoRequest, result: RunResult) -> str:
    """What to try now."""
    if request.naive:
        return "next       `gameday demo` runs the same against the shop with its resilience on\n"
    if result.exit_code is ExitCode.PASS:
        return "next       `gameday demo --naive` breaks the same shop without its resilience\n"
    return ""


def _say(text: str) -> None:
    sys.stdout.write(f"- {text}\n")
    sys.stdout.flush()


def _quiet(_text: str) -> None:
    pass
