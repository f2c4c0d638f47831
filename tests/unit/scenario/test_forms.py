"""Every form that can be written becomes the value that it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.policy import Approvals, Freeze, Hours, Policy
from gameday.model.project import ContainerRef, Environment, ProcessRef
from gameday.model.scenario import FaultSpec, StopSignal
from gameday.model.secret import SecretRef
from gameday.model.toxics import TOXICS
from gameday.scenario.build import read_document, read_project
from gameday.scenario.lint import lint, scope_of
from gameday.scenario.load import load_text
from gameday.scenario.policies import fault_kinds, policy_defaults
from gameday.scenario.rules_places import HELPED
from tests.unit.scenario.forms import FORMS, PLACES, SMALL
from tests.unit.scenario.samples import a_project, a_scenario, changed, text_of, write_project


def faults() -> dict[str, FaultSpec]:
    return {fault.id: fault for fault in a_scenario(FORMS).faults}


def options(fault: str) -> Any:
    action = faults()[fault].action
    assert action is not None
    return action.options


def codes(data: dict[str, Any], path: str, value: Any) -> list[tuple[str, str]]:
    """What reading says of a changed form: code and summary."""
    found = read_document(load_text(text_of(changed(data, path, value)), "s.yaml")).diagnostics
    return [(one.code, one.summary) for one in found]


def project_codes(folder: Path, path: str, value: Any) -> list[tuple[str, str]]:
    _, _, found = read_project(write_project(folder, changed(PLACES, path, value)))
    return [(one.code, one.summary) for one in found]


def said(folder: Path, path: str, value: Any, places: dict[str, Any] | None = None) -> list[str]:
    """Codes that the rules give for the forms in the environment `local`."""
    project = a_project(folder, places or PLACES)
    reading = read_document(load_text(text_of(changed(FORMS, path, value)), "s.yaml"))
    assert reading.whole is not None, reading.diagnostics
    scope = scope_of(reading.whole, project, project.environments["local"], reading.marks)
    return [one.code for one in lint(scope)]


def test_options_are_in_the_units_of_the_table() -> None:
    assert options("lossy") == {"share": 0.05, "port": 80}
    assert options("late") == {"delay": 100, "rate": 100}
    assert options("ahead") == {"offset": 3_600_000}
    assert options("gone") == {"signal": "TERM"}
    assert options("full") == {"path": "/data"}  # defaults are the table's, not the file's
    kinds = [fault.kind for fault in faults().values()]
    assert kinds == [
        "latency", "container.cpu", "container.loss", "container.disk", "container.netem",
        "process.kill", "certificate.expired", "clock.skew", "command", "http", "python",
    ]  # fmt: skip


WRITTEN = {
    "ms": ("1s", 1_000),
    "signed ms": ("-5m", -300_000),
    "bytes": ("1GiB", 2**30),
    "KB/s": ("1MB/s", 1_000),
    "share": ("5%", 0.05),
    "count": (2, 2),
    "number": (0.5, 0.5),
}
TEXTS = {"peer": "10.0.0.1", "path": "/data", "network": "backend"}


@pytest.mark.parametrize(
    ("family", "kind"),
    [(f, kind) for f, kinds in FAMILIES.items() if f not in GENERIC for kind in kinds],
)
def test_every_action_of_the_table_can_be_written_with_all_its_options(
    family: str, kind: str
) -> None:
    written, meant = {}, {}
    for name, spec in FAMILIES[family][kind].options.items():
        text = spec.choices[-1] if spec.choices else TEXTS.get(name)
        written[name], meant[name] = WRITTEN.get(spec.unit, (text, text))
    fault = {"id": "x", "target": "payments", family: {"type": kind, **written}}
    action = a_scenario({**SMALL, "faults": [fault]}).faults[0].action
    assert action is not None
    assert (action.family, action.type, action.options) == (family, kind, meant)


def test_stages_are_full_strengths_behind_gates() -> None:
    after, when, gate = faults()["grows"].stages
    assert (after.after_ms, after.when, after.gate) == (10_000, None, None)
    assert when.when is not None
    assert when.when.text == "errors < 1% for 10s"
    assert gate.gate == "more"
    assert [stage.toxic and stage.toxic.attributes for stage in (after, when, gate)] == [
        {"latency": 300},
        {"latency": 600},
        {"latency": 800},
    ]
    (further,) = faults()["ahead"].stages
    assert further.action is not None
    assert further.action.options == {"offset": -2 * 86_400_000}


def test_a_command_becomes_a_call() -> None:
    calls = options("flag")
    assert calls["inject"] == {
        "run": ["./bin/flag.sh", "on"],
        "timeout_ms": 5_000,
        "exit": [0, 2],
        "env": {"TOKEN": {"env": "MY_TOKEN"}, "MODE": "x"},
        "cwd": "bin",
    }
    assert calls["revert"] == {"run": ["./bin/flag.sh", "off"], "timeout_ms": 5_000, "exit": [0]}
    assert calls["present"] == {
        "run": ["./bin/flag.sh"],
        "timeout_ms": 5_000,
        "stdout": "^on",
        "gone_exit": [3],
    }
    assert calls["effect"] == {"run": ["./bin/flag.sh", "see"], "timeout_ms": 5_000}


def test_a_request_becomes_a_call() -> None:
    calls, url = options("switch"), "http://127.0.0.1:9000/flags/slow"
    assert calls == {
        "inject": {
            "method": "POST",
            "url": url,
            "json": {"on": True},
            "headers": {"Authorization": {"env": "TOKEN", "prefix": "Bearer "}, "x-a": "b"},
            "timeout_ms": 5_000,
            "status": [200, 201],
        },
        "revert": {"method": "DELETE", "url": url, "timeout_ms": 5_000, "status": [204]},
        "present": {
            "method": "GET",
            "url": url,
            "timeout_ms": 2_000,
            "match": "on == `true`",
            "gone_status": [404],
        },
    }


def test_a_function_becomes_a_call() -> None:
    assert options("bridge")["inject"] == {
        "module": "chaostoxi.proxy.actions",
        "func": "disable",
        "arguments": {"name": "redis"},
        "configuration": {"host": "localhost"},
        "secrets": {"token": {"file": "secrets/token"}},
        "timeout_ms": 3_000,
    }
    assert options("bridge")["present"]["match"] == "@"


def test_bodies_and_slashes_are_sent_as_they_are_written() -> None:
    path = "faults.9.http.inject"
    data = changed(FORMS, path, {"post": "http://h/x/?a=1&b=2", "body": " a \n"})
    action = a_scenario(data).faults[9].action
    assert action is not None
    call = action.options["inject"]
    assert (call["url"], call["body"]) == ("http://h/x/?a=1&b=2", " a \n")
    empty = a_scenario(changed(FORMS, path, {"post": "http://h/x", "json": {}})).faults[9].action
    assert empty is not None
    assert empty.options["inject"]["json"] == {}


def test_stop_conditions_keep_their_places() -> None:
    scenario = a_scenario(FORMS)
    assert [one.text for one in scenario.stop_when] == ["errors > 50% for 10s"]
    http, promql, alert = scenario.stop_signals
    assert http == StopSignal(
        text="no answer from http://127.0.0.1:18801/healthz for 10 s",
        kind="http",
        url="http://127.0.0.1:18801/healthz",
        for_ms=10_000,
        every_ms=1_000,
    )
    assert (promql.kind, promql.op, promql.limit, promql.for_ms) == ("promql", ">", 0.5, 30_000)
    assert (alert.kind, alert.name, alert.labels) == ("alert", "DatabaseDown", {"severity": "page"})
    assert scenario.call_limit_ms == 8_000


def test_a_condition_behind_signals_is_named_at_its_own_place(tmp_path: Path) -> None:
    data = changed(FORMS, "stop_when.1", "nobody errors > 50% for 10s")
    reading = read_document(load_text(text_of(data), "s.yaml"))
    assert reading.whole is not None
    project = a_project(tmp_path, PLACES)
    found = lint(scope_of(reading.whole, project, project.environments["local"], reading.marks))
    (one,) = [one for one in found if one.code == "criterion/subject"]
    assert one.mark == reading.marks.at(("stop_when", 1))


def test_signals_alone_are_stop_conditions(tmp_path: Path) -> None:
    signal = {"http": "http://127.0.0.1:18801/healthz"}
    assert "scenario/no-stop-condition" not in said(tmp_path, "stop_when", [signal])
    assert "scenario/no-stop-condition" in said(tmp_path, "stop_when", [])


def test_texts_of_signals_are_told_apart() -> None:
    signal = {"http": "http://h/x"}
    data = changed(FORMS, "stop_when", [signal, {**signal, "every": "2s"}, "errors > 50%"])
    texts = [one.text for one in a_scenario(data).stop_signals]
    assert len(set(texts)) == 2


def test_the_forms_fit_the_places(tmp_path: Path) -> None:
    assert said(tmp_path, "call_limit", "9s") == []


def test_places_become_values(tmp_path: Path) -> None:
    local = a_project(tmp_path, PLACES).environments["local"]
    shop, payments, redis = (local.targets[name] for name in ("shop", "payments", "redis"))
    assert payments.container == ContainerRef(label="app=payments", pick="one")
    assert redis.container == ContainerRef(name="redis-1")
    assert payments.address == "127.0.0.1:18705"
    assert shop.process == ProcessRef(
        start=("./bin/shop",), restart=("./bin/shop", "again"), clock=True
    )
    assert shop.certificate is not None
    assert shop.certificate.ca_key == "certs/ca.key"
    assert (local.kind, local.lenient) == ("ci", True)
    assert local.docker.helper_image == "gameday-helper:1"
    assert local.docker.allow == ("redis-1",)
    assert local.commands == ("./bin/shop", "./bin/reload", "./bin/flag.sh")
    assert local.receiver_token == SecretRef(env="RECEIVER_TOKEN")


def test_a_policy_becomes_a_value(tmp_path: Path) -> None:
    policy = a_project(tmp_path, PLACES).environments["local"].policy
    assert policy.hours == Hours(
        days=(0, 1, 2, 3, 4), from_minute=540, to_minute=990, timezone="Europe/Berlin"
    )
    assert policy.freeze == (Freeze(first="2026-12-20", last="2027-01-02", why="holidays"),)
    assert policy.approvals == Approvals(needed=1, signers="allowed_signers", roles=("owner",))
    assert (policy.max_share, policy.max_duration_ms, policy.max_faults) == (0.5, 600_000, 2)
    assert policy.faults == ("latency", "container.*", "command")
    assert (policy.go, policy.change_id, policy.apart) == (True, False, True)


@pytest.mark.parametrize(
    ("days", "meant"),
    [("mon-fri", (0, 1, 2, 3, 4)), ("sat-mon", (0, 5, 6)), (["sun", "wed"], (2, 6)), ("tue", (1,))],
)
def test_days_of_the_week(tmp_path: Path, days: Any, meant: tuple[int, ...]) -> None:
    path = "environments.local.policy.hours.days"
    hours = a_project(tmp_path, changed(PLACES, path, days)).environments["local"].policy.hours
    assert hours is not None
    assert hours.days == meant


def environment(folder: Path, name: str, policy: dict[str, Any]) -> Environment:
    data = {"gameday": 1, "environments": {name: {"policy": policy}}}
    return a_project(folder, data).environments[name]


def test_what_a_kind_of_environment_asks_for_unless_told(tmp_path: Path) -> None:
    for name in ("local", "ci"):
        assert environment(tmp_path, name, {}).policy == Policy() == policy_defaults(name)
    assert environment(tmp_path, "europe", {}).policy == policy_defaults("staging")
    assert policy_defaults("staging") == Policy(go=True)
    prod = environment(tmp_path, "prod", {})
    assert prod.kind == "production"
    assert (prod.policy.go, prod.policy.change_id, prod.policy.apart) == (True, True, True)
    assert prod.policy.approvals.needed == 1
    assert environment(tmp_path, "staging", {"go": False}).policy == Policy()


@pytest.mark.parametrize(
    "policy",
    [
        {"go": False},
        {"change_id": False},
        {"apart": False},
        {"approvals": {"needed": 0, "signers": "x"}},
    ],
)
@pytest.mark.parametrize("place", [{"name": "live"}, {"name": "eu", "kind": "production"}])
def test_production_stays_guarded(
    tmp_path: Path, policy: dict[str, Any], place: dict[str, str]
) -> None:
    given = {key: value for key, value in place.items() if key != "name"}
    data = {"gameday": 1, "environments": {place["name"]: {**given, "policy": policy}}}
    project, _, found = read_project(write_project(tmp_path, data))
    assert project is None
    assert "policy/production" in {one.code for one in found}


@pytest.mark.parametrize(
    "path",
    [
        "targets.shop.certificate.cert",
        "targets.shop.certificate.ca_key",
        "targets.redis.process.clock_file",
        "policy.approvals.signers",
        "policy.approvals.folder",
    ],
)
@pytest.mark.parametrize("written", ["../x", "a/../../x", "/etc/x", ".."])
def test_paths_stay_in_the_project(tmp_path: Path, path: str, written: str) -> None:
    found = project_codes(tmp_path, f"environments.local.{path}", written)
    assert ("path/outside", f"`{written}` is outside of the project's folder") in found


def test_paths_in_the_project_may_be_written_in_full(tmp_path: Path) -> None:
    path = "environments.local.policy.approvals.signers"
    inside = str(tmp_path.resolve() / "allowed_signers")
    assert project_codes(tmp_path, path, inside) == []
    assert project_codes(tmp_path, "environments.local.targets.redis.process.pidfile", "/x") == []


@pytest.mark.parametrize("value", ["../x", "/x"])
def test_commands_are_run_in_the_project(tmp_path: Path, value: str) -> None:
    assert said(tmp_path, "faults.8.command.inject.cwd", value) == ["path/outside"]


@pytest.mark.parametrize("program", ["./bin/shop", "./bin/reload", "./bin/flag.sh"])
def test_programs_are_listed(tmp_path: Path, program: str) -> None:
    listed = [one for one in PLACES["environments"]["local"]["commands"] if one != program]
    places = changed(PLACES, "environments.local.commands", listed)
    assert set(said(tmp_path, "call_limit", "9s", places)) == {"command/not-allowed"}


def test_another_environment_may_run_less(tmp_path: Path) -> None:
    """Only the environment that is looked at has to allow a command."""
    places = changed(PLACES, "environments.prod.commands", [])
    assert said(tmp_path, "call_limit", "9s", places) == []


@pytest.mark.parametrize("kind", HELPED)
def test_helpers_have_an_image(tmp_path: Path, kind: str) -> None:
    assert kind in FAMILIES["container"]
    needed = {"stress": {"cpu": 1}, "loss": {"share": "5%"}, "netem": {"delay": "1ms"}}
    more = {"blackhole": {"peer": "10.0.0.1"}, "disk": {"path": "/data"}, **needed}.get(kind, {})
    fault = {"id": "x", "target": "payments", "container": {"type": kind, **more}}
    places = changed(PLACES, "environments.local.docker.helper_image", ...)
    found = said(tmp_path, "faults", [fault, FORMS["faults"][0]], places)
    assert found.count("docker/no-helper") == 1


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("faults.1.container.cpus", 0, "value/number"),
        ("faults.1.container.cpus", "0.5", "value/number"),
        ("faults.2.container.port", 70_000, "value/number"),
        ("faults.2.container.peer", "10.0.0.0/99", "fault/option"),
        ("faults.3.container.path", "data", "fault/option"),
        ("faults.3.container.reserve", "10KB", "fault/option"),
        ("faults.5.process.signal", "STOP", "value/choice"),
        ("faults.7.clock.offset", "1h", "value/duration"),
        ("faults.7.clock.offset", "+0s", "fault/option"),
        ("faults.7.clock.offset", "+9000d", "fault/option"),
        ("faults.8.command.inject.timeout", "61s", "value/duration"),
        ("faults.8.command.inject.timeout", 0, "value/duration"),
        ("faults.8.command.inject.run", "./bin/flag.sh on", "command/shell"),
        ("faults.8.command.inject.run", [], "value/empty"),
        ("faults.8.command.present.stdout", "(a", "value/regex"),
        ("faults.8.command.present.exit", 3, "fault/call"),
        ("faults.8.command.inject.env", {"A-B": "x"}, "value/name"),
        ("faults.9.http.inject.match", "a ==", "value/match"),
        ("faults.9.http.inject.match", "frobnicate(a)", "value/match"),
        ("faults.9.http.inject.post", "http://user:pw@h/x", "value/url"),
        ("faults.9.http.inject.get", "http://h/x", "fault/call"),
        ("faults.9.http.inject.body", "x", "fault/call"),
        ("faults.9.http.inject.headers.x-a", {"env": "A", "file": "b"}, "secret/place"),
        ("faults.10.python.inject.module", "a-b", "value/name"),
        ("faults.0.stages.0.when", "errors < 1%", "stage/gate"),
        ("faults.0.stages.0.after", "1500ms", "value/whole-seconds"),
        ("faults.0.stages.0.toxic", {"type": "timeout", "timeout": 0}, "stage/kind"),
        ("faults.0.stages.0.container", {"type": "cpu", "cpus": 1}, "stage/kind"),
        ("faults.1.stages.0.container", {"type": "memory", "limit": "10MiB"}, "stage/kind"),
        ("faults.2.stages", [{"gate": "x", "container": {"type": "pause"}}], "stage/kind"),
        ("faults.8.stages", [{"gate": "x", "command": {}}], "stage/kind"),
        ("stop_when.0.alert", "X", "stop/signal"),
        ("stop_when.0.labels", {"a": "b"}, "stop/signal"),
        ("stop_when.2.below", 1, "stop/signal"),
        ("stop_when.3.every", "1s", "stop/signal"),
        ("stop_when.0.every", "1ms", "value/duration"),
        ("call_limit", "400ms", "value/duration"),
        ("call_limit", "61s", "value/duration"),
    ],
)
def test_what_cannot_be_is_refused(path: str, value: Any, code: str) -> None:
    assert {found for found, _ in codes(FORMS, path, value)} == {code}


def test_all_problems_of_all_faults_are_told_at_once() -> None:
    data = changed(FORMS, "faults.8.command.inject.run", ["a", 5])
    data = changed(data, "faults.1.container.typ", "x")
    data = changed(data, "faults.9.http.revert.dilete", "http://h")
    data = changed(data, "faults.0.stages.0.after", "x")
    data = changed(data, "stop_when.2.abov", 1)
    data = changed(data, "load.target", 5)
    found = read_document(load_text(text_of(data), "s.yaml")).diagnostics
    assert {(one.code, one.summary.split("`")[1]) for one in found} == {
        ("document/wrong-type", "5"),
        ("document/unknown-key", "typ"),
        ("document/unknown-key", "dilete"),
        ("value/duration", "after: x"),
        ("document/unknown-key", "abov"),
        ("document/wrong-type", "target: 5"),
    }


@pytest.mark.parametrize("header", ["Authorization", "cookie", "X-Api-Key"])
def test_a_secret_in_a_file_is_named_and_not_shown(header: str) -> None:
    data = changed(FORMS, "faults.9.http.inject.headers", {header: "hunter2"})
    data = changed(data, "load.journeys.browse.steps.0.headers", {header: "hunter2"})
    reading = read_document(load_text(text_of(data), "s.yaml"))
    assert reading.whole is not None
    found = reading.diagnostics
    assert [one.code for one in found] == ["secret/in-file"] * 2
    assert "hunter2" not in "".join(f"{one.summary}{one.hint}{one.source_line}" for one in found)


def test_headers_of_the_load_may_be_secrets() -> None:
    path = "load.journeys.browse.steps.0.headers"
    data = changed(FORMS, path, {"Authorization": {"env": "TOKEN", "prefix": "Bearer "}})
    step = a_scenario(data).load.journeys[0].steps[0]
    assert step.headers == {"Authorization": SecretRef(env="TOKEN", prefix="Bearer ")}


def test_a_profile_may_change_the_new_forms() -> None:
    steps = [{"get": "/", "headers": {"Cookie": {"env": "C"}}}]
    profile = {
        "call_limit": "3s",
        "stop_when": [{"http": "http://h/x"}],
        "faults": [FORMS["faults"][1]],
        "load": {"journeys": {"browse": {"steps": steps}}},
    }
    data = {**FORMS, "profiles": {"other": profile}}
    data = changed(data, "expect.alerts.0.fault", "starved")
    scenario = a_scenario(data, "other")
    assert [fault.kind for fault in scenario.faults] == ["container.cpu"]
    assert (scenario.stop_when, len(scenario.stop_signals)) == ((), 1)
    assert scenario.call_limit_ms == 3_000


def test_policies_know_every_kind_of_fault() -> None:
    kinds = set(fault_kinds())
    assert set(TOXICS) | {"down", *GENERIC} <= kinds
    assert {f"{f}.{t}" for f, types in FAMILIES.items() if f not in GENERIC for t in types} <= kinds
    assert len(kinds) == len(fault_kinds())


def test_a_stop_on_an_expected_alert_with_other_labels_is_fine(tmp_path: Path) -> None:
    stop = ["errors > 50% for 10s", {"alert": "CheckoutSlow", "labels": {"severity": "page"}}]
    assert said(tmp_path, "stop_when", stop) == ["stop/expected-alert"]
    stop[1]["labels"] = {"severity": "ticket"}  # type: ignore[index]
    assert said(tmp_path, "stop_when", stop) == []


def test_alerts_without_a_prometheus_are_the_built_in_ones(tmp_path: Path) -> None:
    places = changed(PLACES, "environments.local.alerts", ...)
    places = changed(places, "environments.local.policy.budget", ...)
    places["alerts"]["DatabaseDown"] = {"when": "errors > 90%", "labels": {"severity": "page"}}
    assert said(tmp_path, "stop_when.2", {"http": "http://h/x"}, places) == []
    assert said(tmp_path, "stop_when.3.labels.severity", "low", places) == ["stop/unreadable"] * 2


def test_two_faults_of_one_target_need_their_own_parts(tmp_path: Path) -> None:
    faults = [
        *SMALL["faults"],
        {"id": "a", "target": "payments", "process": {"type": "stop"}},
        {"id": "b", "target": "nobody", "container": {"type": "pause"}},
        {"id": "c", "target": "payments", "certificate": {"type": "expired"}},
    ]
    data = changed(FORMS, "expect.alerts.0.fault", "a")
    reading = read_document(load_text(text_of({**data, "faults": faults}), "s.yaml"))
    project = a_project(tmp_path, PLACES)
    assert reading.whole is not None
    found = lint(scope_of(reading.whole, project, project.environments["local"], reading.marks))
    assert [one.code for one in found] == [
        "target/no-proxy",
        "target/no-process",
        "target/unknown",
        "target/no-certificate",
    ]
