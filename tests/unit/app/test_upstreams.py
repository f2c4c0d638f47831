"""A target whose upstream is silent is told before anything begins, each as one problem."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ports_support import free_port

from gameday.adapters import listening
from gameday.adapters.listening import unheard
from gameday.app import upstreams
from gameday.app.admission import admit
from gameday.app.check import PlanRequest, make_plan
from gameday.app.doctor import look
from gameday.app.library import scenario_folder
from gameday.app.online import check_online
from gameday.app.policy_gate import PolicyRequest
from gameday.app.preflight import look_around
from gameday.app.upstreams import look_upstream
from gameday.errors import AdapterError
from gameday.model.plan import Plan

SHOP = f"127.0.0.1:{free_port()}"


class Ports:
    """Ports of this machine: some at which somebody listens, others that refuse."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def new(self, *, listens: bool, backlog: int = 16) -> str:
        held = socket.socket()
        self._held.append(held)
        held.bind(("127.0.0.1", 0))
        if listens:
            held.listen(backlog)
        return f"127.0.0.1:{held.getsockname()[1]}"

    def silent(self) -> str:
        """It listens, and accepts nobody any more."""
        address = self.new(listens=True, backlog=0)
        host, _, port = address.rpartition(":")
        for _ in range(4):
            one = socket.socket()
            self._held.append(one)
            one.setblocking(False)
            one.connect_ex((host, int(port)))
        return address

    def close(self) -> None:
        for held in self._held:
            held.close()


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports()
    try:
        yield made
    finally:
        made.close()


def planned(
    folder: Path, pay: str, *, shop: str | None = None, more: Mapping[str, Any] | None = None
) -> Path:
    """A scenario that breaks `pay`, which is proxied to *pay*; the load goes to `shop`."""
    folder.mkdir(exist_ok=True)
    front: dict[str, Any] = {"url": "http://127.0.0.1:9"}
    if shop is not None:
        front = {
            "url": f"http://{SHOP}", "proxy": "shop", "listen": SHOP, "upstream": shop,
        }  # fmt: skip
    targets: dict[str, Any] = {
        "shop": front,
        "pay": {"proxy": "pay", "listen": f"127.0.0.1:{free_port()}", "upstream": pay},
        "unused": {
            "proxy": "unused",
            "listen": f"127.0.0.1:{free_port()}",
            "upstream": "127.0.0.1:9",
        },
    }
    local: dict[str, Any] = {"targets": targets, **(more or {})}
    made = {
        "gameday": 1, "id": "x", "title": "x", "service": "shop", "owner": "team",
        "hypothesis": "It holds.",
        "load": {
            "target": "shop", "arrivals": "50/s", "journeys": {"look": {"steps": [{"get": "/"}]}},
        },
        "phases": {"baseline": "5s", "fault": "5s", "recovery": "5s"},
        "faults": [{"id": "down", "target": "pay", "down": True}],
        "expect": {"baseline": ["errors < 10%"], "fault": ["errors < 10%"]},
        "stop_when": ["errors > 90% for 5s"],
    }  # fmt: skip
    (folder / "gameday.yaml").write_text(
        yaml.safe_dump({"gameday": 1, "environments": {"local": local}})
    )
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def plan_of(path: Path) -> Plan:
    return make_plan(PlanRequest(path=path))


# --- connecting


def test_who_listens_is_told_from_who_refuses_and_who_is_silent(ports: Ports) -> None:
    there, gone, deaf = ports.new(listens=True), ports.new(listens=False), ports.silent()

    found = unheard([there, gone, deaf], within_s=0.5)

    assert found == {gone: "the connection is refused", deaf: "no answer within 0.5 s"}


def test_all_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is answered only once all of them are asked."""
    together = threading.Barrier(3, timeout=60)

    def connect(address: object, timeout: float) -> socket.socket:
        together.wait()
        raise ConnectionRefusedError

    monkeypatch.setattr(listening.socket, "create_connection", connect)

    assert len(unheard(["a:1", "b:1", "c:1", "a:1"])) == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name cannot be resolved"),
        (OSError(113, "No route to host"), "it cannot be reached: No route to host"),
    ],
)
def test_a_place_that_is_not_there_says_why(
    monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def connect(*_: object, **__: object) -> socket.socket:
        raise error

    monkeypatch.setattr(listening.socket, "create_connection", connect)
    assert unheard(["shop.example:80"]) == {"shop.example:80": said}


# --- what a run is told


def test_each_silent_upstream_is_one_problem_and_nothing_is_refused_for_good(
    tmp_path: Path, ports: Ports
) -> None:
    pay, shop = ports.new(listens=False), ports.new(listens=False)
    plan = plan_of(planned(tmp_path, pay, shop=shop))

    found = look_around(plan, reports=tmp_path / "reports")

    assert [line for line in found.problems if "upstream" in line] == [
        f"target {name}: nothing listens at its upstream `{address}`: the connection is refused; "
        f"start it, or correct `upstream` of `{name}` in the project file"
        for name, address in (("pay", pay), ("shop", shop))
    ]
    assert not found.refused, "as for every server that does not answer"
    with pytest.raises(AdapterError) as refused:
        admit(plan, PolicyRequest(go=True), reports=tmp_path / "reports")
    assert refused.value.exit_code == 3


def test_one_that_listens_is_no_problem_and_was_looked_at(tmp_path: Path, ports: Ports) -> None:
    pay = ports.new(listens=True)

    found = look_around(plan_of(planned(tmp_path, pay)), reports=tmp_path / "reports")

    assert not found.problems
    assert f"target pay: `{pay}` listens" in found.looked_at


def test_a_proxy_that_is_not_ours_may_be_in_another_network(tmp_path: Path, ports: Ports) -> None:
    pay = ports.new(listens=False)
    theirs = {"toxiproxy": {"url": "http://127.0.0.1:9"}}
    given = plan_of(planned(tmp_path / "given", pay, more=theirs))
    plain = plan_of(planned(tmp_path / "plain", pay))

    assert not look_upstream(given).silent
    assert not look_upstream(plain, "http://127.0.0.1:9").silent
    assert not look_upstream(plain, "127.0.0.1:9").silent
    assert not look_upstream(given, "").silent
    assert set(look_upstream(given, "embedded").silent) == {"pay"}
    assert set(look_upstream(plain, "started").silent) == {"pay"}


def test_a_server_that_is_named_without_a_scheme_is_looked_at_and_no_proxy_of_ours(
    tmp_path: Path, ports: Ports
) -> None:
    """Its proxies may listen already; and one that is not there is told before the run."""
    pay, reports = ports.new(listens=True), tmp_path / "reports"
    plan = plan_of(planned(tmp_path, pay))

    found = look_around(plan, toxiproxy="127.0.0.1:9", reports=reports)
    none = look_around(plan, toxiproxy="given", reports=reports)

    assert [line for line in found.problems if line.startswith("toxiproxy: ")]
    assert not [line for line in found.looked_at if line.startswith("proxy of ")]
    assert (
        "toxiproxy: no Toxiproxy is given: the environment has no address of one" in none.problems
    )


def test_a_control_run_needs_its_upstreams_too(tmp_path: Path, ports: Ports) -> None:
    path = planned(tmp_path, ports.new(listens=False))

    assert set(look_upstream(make_plan(PlanRequest(path=path, control=True))).silent) == {"pay"}


def test_what_the_run_opens_itself_is_not_asked_for(tmp_path: Path) -> None:
    """One proxy behind another: it listens only once the run has begun."""
    plan = plan_of(planned(tmp_path, SHOP, shop="127.0.0.1:9"))

    assert set(look_upstream(plan).silent) == {"shop"}


def test_where_the_run_starts_a_process_silence_is_a_warning(tmp_path: Path, ports: Ports) -> None:
    pay, own = ports.new(listens=False), ports.new(listens=False)
    path = planned(tmp_path, pay, shop=own, more={"commands": ["python3"]})
    project = yaml.safe_load((tmp_path / "gameday.yaml").read_text())
    targets = project["environments"]["local"]["targets"]
    targets["shop"]["process"] = {"start": ["python3", "-m", "http.server"]}
    (tmp_path / "gameday.yaml").write_text(yaml.safe_dump(project))

    found = look_around(plan_of(path), reports=tmp_path / "reports")

    assert not [line for line in found.problems if "upstream" in line]
    (warned,) = [line for line in found.warnings if "upstream" in line]
    assert warned.startswith("target pay: nothing listens")
    assert warned.endswith("unless the run itself starts it")


def test_only_the_sample_shop_is_told_how_to_start_the_sample_shop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstreams, "unheard", lambda places: dict.fromkeys(places, "refused"))
    said = look_upstream(plan_of(scenario_folder() / "payments-slow.yaml")).silent
    assert set(said) == {"shop", "payments"}
    for why in said.values():
        assert "start it (the sample shop: `gameday demo --serve`, which says what to run)" in why


# --- the other commands that look


def test_check_online_says_the_same_and_ends_with_3(tmp_path: Path, ports: Ports) -> None:
    path = planned(tmp_path, ports.new(listens=False))

    for as_json in (True, False):
        out = io.StringIO()
        code = check_online([path], PlanRequest(path=path), out, as_json=as_json)
        assert code == 3
        (why,) = look_upstream(plan_of(path)).silent.values()
        assert why in out.getvalue()
        if as_json:
            assert json.loads(out.getvalue())["upstreams"] == {"pay": why}
    out = io.StringIO()
    there = planned(tmp_path, ports.new(listens=True))
    assert check_online([there], PlanRequest(path=there), out, as_json=True) == 0
    assert json.loads(out.getvalue())["upstreams"] == {}


def test_doctor_says_it_before_it_sends_anything(tmp_path: Path, ports: Ports) -> None:
    path = planned(tmp_path, ports.new(listens=False))

    lines = look([path], project=None, environment=None)
    found = next(line for line in lines if "upstream" in line.text)

    assert (found.subject, found.ok) == ("pay", False)
