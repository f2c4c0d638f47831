"""What every fault of the Toxiproxy adapter keeps to, on both servers."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from ports_support import free_port
from toxiproxy_support import (
    FOREIGN,
    RUN,
    Impatient,
    Lab,
    chunky_service,
    down,
    server_process,
    toxic,
)

from gameday.adapters.probe import Sample, probe_once
from gameday.adapters.toxiproxy.client import ToxiproxyClient, ToxiproxyRefusedError
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.adapters.toxiproxy.state import ProxyState
from gameday.adapters.toxiproxy.undo import UNDOER
from gameday.errors import CannotSeeError, NoEffectError
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec

SLOW = toxic("slow", "latency", latency=300)
ALL = [
    SLOW,
    toxic("narrow", "bandwidth", rate=5),
    toxic("linger", "slow_close", delay=400),
    toxic("mute", "timeout", timeout=0),
    toxic("cut", "reset_peer", timeout=0),
    toxic("sliced", "slicer", average_size=50, delay=5_000),
    toxic("short", "limit_data", bytes=500),
    toxic("asked-late", "latency", "upstream", latency=300),
    toxic("asked-short", "limit_data", "upstream", bytes=10),
    down("dead"),
]
CUT = ("closed", "reset")
#: What a small probe sees of a fault: so many ms at least, of every answer, or one of these errors.
#: A busy machine makes an answer late too, but seldom every one, and gives none of these errors.
SEEN: dict[str, float | tuple[str, ...]] = {
    "slow": 280,
    "narrow": 500,
    "linger": 380,
    "mute": CUT,
    "cut": CUT,
    "sliced": 250,
    "short": CUT,
    "asked-late": 280,
    "asked-short": CUT,
    "dead": ("refused",),
    "status": ("bad answer",),
    "held": 280,
    "cut-body": CUT,
    "late": 280,
    "thin": 500,
}


def look(lab: Lab) -> Sample:
    """One probe, with time enough for a busy machine."""
    return probe_once("http:/", "127.0.0.1", lab.port, timeout_s=20)


def assert_seen(lab: Lab, spec: FaultSpec) -> None:
    """The fault shows in what a client gets."""
    found, seen = [look(lab) for _ in range(2)], SEEN[spec.id]
    if isinstance(seen, tuple):
        assert all(sample.error in seen for sample in found), found
    else:
        assert all(sample.ok and sample.ms >= seen for sample in found), found


def test_prepare_changes_nothing(lab: Lab) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    undo = lab.fault(SLOW).prepare()
    assert lab.client.proxies() == before
    assert not UNDOER.present(undo)
    assert json.loads(json.dumps(undo)) == undo


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.id)
def test_every_fault_bites_and_leaves_the_proxy_as_it_was(lab: Lab, spec: FaultSpec) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    assert look(lab).ok
    fault = lab.fault(spec)
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert facts["read_back"]
    assert UNDOER.present(undo)
    assert_seen(lab, spec)
    assert UNDOER.revert(undo)["replaced"]
    assert not UNDOER.present(undo)
    assert lab.client.proxies() == before
    assert look(lab).ok


OURS = [
    toxic("status", "http_status", status=503, method="GET", path="/*"),
    toxic("held", "http_delay", delay=300),
    toxic("cut-body", "http_truncate", bytes=100),
    toxic("changed", "http_corrupt", portion=0.5),
    toxic("no-header", "http_header", remove="Connection"),
    toxic("lossy", "stall", loss=0.9, pause=400),
    toxic("late", "slow_connect", delay=300),
    toxic("thin", "proxy_bandwidth", rate=5),
]


@pytest.mark.parametrize("spec", OURS, ids=lambda s: s.id)
def test_faults_of_the_embedded_server_bite_and_leave_the_proxy_as_it_was(
    lab: Lab, spec: FaultSpec
) -> None:
    if lab.server.kind != "embedded":
        before = lab.client.proxies()
        assert spec.toxic is not None
        with pytest.raises(NoEffectError, match=f"`{spec.toxic.type}`.*--toxiproxy embedded"):
            lab.fault(spec).prepare()
        assert lab.client.proxies() == before
        return
    lab.create(FOREIGN)
    before = lab.client.proxies()
    assert look(lab).ok
    fault = lab.fault(spec)
    undo = fault.prepare()
    assert lab.client.proxies() == before
    assert json.loads(json.dumps(undo)) == undo
    assert fault.inject(undo)["read_back"]
    assert UNDOER.present(undo)
    if spec.id in SEEN:
        assert_seen(lab, spec)
    assert UNDOER.revert(json.loads(json.dumps(undo)))["replaced"]
    assert UNDOER.revert(undo)["replaced"] is False
    assert not UNDOER.present(undo)
    assert lab.client.proxies() == before
    assert look(lab).ok


def test_a_fault_with_text_stays_when_another_is_taken_out(lab: Lab) -> None:
    if lab.server.kind != "embedded":
        pytest.skip("the real server has no such toxic")
    lab.create()
    text = toxic("status", "http_status", status=503, body='{"no": "é"}', share=0.25, path="/x*")
    one, other = lab.fault(text), lab.fault(SLOW)
    undo_one, undo_other = one.prepare(), other.prepare()
    one.inject(undo_one)
    other.inject(undo_other)
    UNDOER.revert(undo_other)
    found = lab.payments()
    assert found is not None
    (there,) = found.toxics
    assert there.attributes == {
        "status": 503, "body": '{"no": "é"}', "share": 0.25, "path": "/x*", "method": ""
    }  # fmt: skip
    assert UNDOER.present(undo_one)
    UNDOER.revert(undo_one)
    assert not UNDOER.present(undo_one)


def test_toxicity_and_stream_arrive(lab: Lab) -> None:
    lab.create()
    spec = toxic("some", "latency", "upstream", latency=5, jitter=1)
    assert spec.toxic is not None
    fault = lab.fault(replace(spec, toxic=replace(spec.toxic, toxicity=0.25)))
    fault.inject(fault.prepare())
    found = lab.payments()
    assert found is not None
    (there,) = found.toxics
    assert (there.name, there.stream, there.toxicity) == (f"gameday-{RUN}-some", "upstream", 0.25)
    assert there.attributes == {"latency": 5, "jitter": 1}


def test_reverting_twice_is_fine_and_cuts_no_connection(lab: Lab) -> None:
    lab.create()
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    fault.inject(undo)
    UNDOER.revert(undo)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=5) as connection:
        assert UNDOER.revert(undo)["replaced"] is False
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_revert_before_inject_changes_nothing(lab: Lab) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    UNDOER.revert(lab.fault(down("dead")).prepare())
    assert lab.client.proxies() == before


def test_revert_works_from_the_record_in_another_process(lab: Lab, tmp_path: Path) -> None:
    lab.create(FOREIGN)
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    fault.inject(undo)
    record = tmp_path / "undo.json"
    record.write_text(json.dumps(undo))
    code = (
        "import json, sys; from gameday import registry;"
        "u = json.load(open(sys.argv[1])); r = registry.undoer(u['kind']);"
        "assert r.present(u); r.revert(u); assert not r.present(u)"
    )
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code, str(record)]
    subprocess.run(command, check=True, timeout=30)
    found = lab.payments()
    assert found is not None
    assert found.toxics == (FOREIGN,)


def test_a_proxy_that_is_away_counts_as_broken_and_is_created_again(lab: Lab) -> None:
    lab.create(FOREIGN)
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    fault.inject(undo)
    lab.client.delete("payments")
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    found = lab.payments()
    assert found is not None
    assert found.enabled
    assert found.toxics == (FOREIGN,)


@pytest.mark.parametrize("calls", range(9))
def test_an_inject_cut_off_anywhere_is_seen_and_undone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """After 0, 1, 2 ... calls that change something: as if the runner had died there."""
    lab.create(FOREIGN)
    before = lab.client.proxies()
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    with monkeypatch.context() as patched:
        reached = _die_after(patched, calls)
        try:
            fault.inject(undo)
        except RuntimeError:
            assert reached.is_set()
    touched = lab.client.proxies() != before
    assert UNDOER.present(undo) is touched
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert lab.client.proxies() == before


def _die_after(patched: pytest.MonkeyPatch, calls: int) -> threading.Event:
    counter, reached = itertools.count(), threading.Event()
    send = ToxiproxyClient._send

    def dying(self: ToxiproxyClient, verb: str, path: str, body: object) -> object:
        if verb != "GET" and next(counter) >= calls:
            reached.set()
            raise RuntimeError("the runner died here")
        return send(self, verb, path, body)  # type: ignore[arg-type]

    patched.setattr(ToxiproxyClient, "_send", dying)
    return reached


@pytest.mark.parametrize("calls", range(8))
def test_a_revert_cut_off_anywhere_is_repeated(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    fault, other = lab.fault(SLOW), lab.fault(toxic("narrow", "bandwidth", rate=500))
    undo, undo_other = fault.prepare(), other.prepare()
    fault.inject(undo)
    other.inject(undo_other)
    with monkeypatch.context() as patched:
        _die_after(patched, calls)
        with pytest.raises(RuntimeError):
            UNDOER.revert(undo)
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert UNDOER.present(undo_other)
    UNDOER.revert(undo_other)
    assert lab.client.proxies() == before


def test_inject_is_atomic(lab: Lab) -> None:
    """At no moment does the proxy serve with a part of what it should have."""
    lab.create(FOREIGN)
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    seen: list[ProxyState | None] = []
    over = threading.Event()

    def watch() -> None:
        client = lab.client
        while not over.is_set():
            seen.append(client.proxy("payments"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        for _ in range(5):
            fault.inject(undo)
            UNDOER.revert(undo)
    finally:
        over.set()
        watcher.join(5)
    serving = {tuple(t.name for t in state.toxics) for state in seen if state and state.enabled}
    assert serving <= {("theirs",), ("theirs", f"gameday-{RUN}-slow")}
    assert len(seen) > 5


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_faults_on_one_proxy_overlap(lab: Lab, order: tuple[int, ...]) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    specs = (SLOW, toxic("narrow", "bandwidth", rate=500), down("dead"))
    faults = [lab.fault(spec) for spec in specs]
    undos = [fault.prepare() for fault in faults]
    for fault, undo in zip(faults, undos, strict=True):
        fault.inject(undo)
    left = set(range(3))
    for number in order:
        UNDOER.revert(undos[number])
        left.discard(number)
        assert [UNDOER.present(undo) for undo in undos] == [n in left for n in range(3)]
        found = lab.payments()
        assert found is not None
        expected = {"theirs"} | {undos[n]["toxic"] for n in left if undos[n]["toxic"]}
        assert {t.name for t in found.toxics} == expected
        assert found.enabled is (2 not in left)
    assert lab.client.proxies() == before


def test_a_fault_prepared_while_another_is_in_place_knows_what_was_before(lab: Lab) -> None:
    lab.create(FOREIGN)
    first = lab.fault(down("dead"))
    undo = first.prepare()
    first.inject(undo)
    second = lab.fault(SLOW)
    undo_second = second.prepare()
    assert undo_second["proxy"] == undo["proxy"]
    second.inject(undo_second)
    UNDOER.revert(undo)
    UNDOER.revert(undo_second)
    found = lab.payments()
    assert found is not None
    assert (found.enabled, found.toxics) == (True, (FOREIGN,))


def test_foreign_proxies_are_never_touched(lab: Lab) -> None:
    lab.create()
    foreign, lookalike = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    upstream = f"127.0.0.1:{lab.upstream}"
    lab.client.create("theirs", listen=foreign, upstream=upstream, enabled=True)
    lab.client.create("gameday-web", listen=lookalike, upstream=upstream, enabled=True)
    lab.client.add_toxic("theirs", FOREIGN)
    before = {n: p for n, p in lab.client.proxies().items() if n != "payments"}
    port = int(foreign.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        fault = lab.fault(SLOW)
        undo = fault.prepare()
        fault.inject(undo)
        UNDOER.revert(undo)
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    after = {n: p for n, p in lab.client.proxies().items() if n != "payments"}
    assert after == before


def test_toxics_that_others_add_meanwhile_stay(lab: Lab) -> None:
    lab.create()
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    fault.inject(undo)
    lab.client.add_toxic("payments", FOREIGN)
    UNDOER.revert(undo)
    found = lab.payments()
    assert found is not None
    assert found.toxics == (FOREIGN,)


@pytest.mark.parametrize("repetition", range(2))
def test_under_load_that_goes_away_nothing_hangs(lab: Lab, repetition: int) -> None:
    """The load under which deleting the toxic hangs the real server for good."""
    with chunky_service() as upstream:
        assert lab.target.listen
        listen = lab.target.listen
        lab.client.create("payments", listen=listen, upstream=f"127.0.0.1:{upstream}", enabled=True)
        target = replace(lab.target, upstream=f"127.0.0.1:{upstream}")
        fault = replace(lab, target=target).fault(
            toxic("slow", "latency", latency=1500, jitter=300)
        )
        with Impatient(lab.port):
            undo = fault.prepare()
            fault.inject(undo)
            threading.Event().wait(1.0)  # let abandoned connections pile up
            UNDOER.revert(undo)
            assert not UNDOER.present(undo)
            assert lab.client.alive()
        found = lab.payments()
        assert found is not None
        assert (found.enabled, found.toxics) == (True, ())


# -- refusing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (toxic("bad", "bandwidth", rate=-1), "`bandwidth.rate` is -1 KB/s"),
        (toxic("bad", "slicer"), "`slicer` needs the attribute `average_size`"),
        (toxic("bad", "fog"), "`fog` is not a toxic"),
        (toxic("b/d", "latency", latency=1), "`b/d` cannot be the name"),
    ],
)
def test_what_would_end_the_server_is_never_sent(lab: Lab, spec: FaultSpec, words: str) -> None:
    lab.create()
    with pytest.raises(NoEffectError, match=words):
        lab.fault(spec).prepare()
    assert lab.client.alive()


def test_a_proxy_of_that_name_that_leads_elsewhere_is_refused(lab: Lab) -> None:
    assert lab.target.listen
    lab.client.create("payments", listen=lab.target.listen, upstream="127.0.0.1:1", enabled=True)
    before = lab.client.proxies()
    for prepare in (lab.fault(SLOW).prepare, lab.proxy().prepare):
        with pytest.raises(NoEffectError, match="belongs to somebody else"):
            prepare()
    assert lab.client.proxies() == before


def test_a_disabled_proxy_is_refused(lab: Lab) -> None:
    lab.create(enabled=False)
    for prepare in (lab.fault(SLOW).prepare, lab.proxy().prepare):
        with pytest.raises(NoEffectError, match="is disabled"):
            prepare()


def test_what_another_run_left_is_refused(lab: Lab) -> None:
    lab.create()
    fault = lab.fault(SLOW, run="other")
    fault.inject(fault.prepare())
    for prepare in (lab.fault(SLOW).prepare, lab.proxy().prepare):
        with pytest.raises(NoEffectError, match="gameday recover --target"):
            prepare()


def test_a_proxy_changed_since_prepare_is_not_touched(lab: Lab) -> None:
    lab.create()
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    lab.client.set_upstream("payments", "127.0.0.1:1")
    before = lab.client.proxies()
    with pytest.raises(NoEffectError, match="was changed since"):
        fault.inject(undo)
    assert lab.client.proxies() == before


# -- proxies of the run -----------------------------------------------------------------------


def test_a_proxy_that_is_not_there_is_created_and_removed(lab: Lab) -> None:
    proxy = lab.proxy()
    undo = proxy.prepare()
    assert undo["mode"] == "created"
    assert lab.client.proxies() == {}
    assert proxy.open(undo)["created"]
    assert UNDOER.present(undo)
    assert look(lab).ok
    fault = lab.fault(SLOW)
    undo_fault = fault.prepare()
    fault.inject(undo_fault)
    UNDOER.revert(undo_fault)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert not UNDOER.present(undo_fault)  # nobody is owed a proxy that was the run's own
    assert lab.client.proxies() == {}


def test_a_proxy_that_is_there_is_kept(lab: Lab) -> None:
    lab.create(FOREIGN)
    before = lab.client.proxies()
    proxy = lab.proxy()
    undo = proxy.prepare()
    assert undo["mode"] == "kept"
    assert proxy.open(undo)["created"] is False
    assert not UNDOER.present(undo)
    UNDOER.revert(undo)
    assert lab.client.proxies() == before


def test_a_port_that_is_taken_is_an_error_that_changed_nothing(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", lab.port)):
        proxy = lab.proxy()
        undo = proxy.prepare()
        with pytest.raises(NoEffectError, match="address already in use"):
            proxy.open(undo)
    assert lab.client.proxies() == {}
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(name="pay"), "has no `proxy`"),
        (Target(name="pay", proxy="payments"), "no `listen` and `upstream`"),
        (
            Target(name="pay", proxy="payments", listen="127.0.0.1:0", upstream="127.0.0.1:1"),
            "has no port",
        ),
        (Target(name="pay", proxy="gameday-x"), "reserved"),
        (Target(name="pay", proxy="a/b"), "cannot be the name"),
    ],
)
def test_a_target_without_a_usable_proxy_is_refused(lab: Lab, target: Target, words: str) -> None:
    with pytest.raises(NoEffectError, match=words):
        replace(lab, target=target).proxy().prepare()


# -- the server goes away ---------------------------------------------------------------------


def test_a_server_of_the_runs_own_takes_its_faults_with_it(
    server: ServerChoice, tmp_path: Path
) -> None:
    own = choose_server(None, log_dir=tmp_path, force_kind=server.kind)
    try:
        target = Target(
            name="pay", proxy="p", listen=f"127.0.0.1:{free_port()}", upstream="127.0.0.1:1"
        )
        lab = Lab(server=own, target=target, upstream=1)
        given = lab.proxy()
        undo = dict(given.prepare())
        given.open(undo)
    finally:
        own.stop()
    with pytest.raises(CannotSeeError, match="no Toxiproxy answers"):
        UNDOER.present(undo)
    known = {**undo, "server": own.process}
    assert not UNDOER.present(known)
    assert UNDOER.revert(known) == {"server_gone": True}


def test_a_server_restarted_in_the_middle_gets_the_proxy_back(
    server: ServerChoice, tmp_path: Path
) -> None:
    port = free_port()
    target = Target(
        name="pay", proxy="p", listen=f"127.0.0.1:{free_port()}", upstream="127.0.0.1:1"
    )
    with _server_at(server.kind, port, tmp_path) as url:
        client = ToxiproxyClient(url)
        assert target.listen
        client.create("p", listen=target.listen, upstream="127.0.0.1:1", enabled=True)
        there = ServerChoice(kind="given", url=url, version="")
        lab = Lab(server=there, target=target, upstream=1)
        fault = lab.fault(SLOW)
        undo = fault.prepare()
        fault.inject(undo)
    with pytest.raises(CannotSeeError):
        UNDOER.present(undo)
    with _server_at(server.kind, port, tmp_path) as url:
        assert UNDOER.present(undo)
        UNDOER.revert(undo)
        assert not UNDOER.present(undo)
        found = ToxiproxyClient(url).proxies()
        assert set(found) == {"p"}
        assert found["p"].enabled


def _server_at(kind: str, port: int, tmp_path: Path) -> AbstractContextManager[str]:
    commands = {
        "embedded": [sys.executable, "-m", "gameday.proxy", "--host", "127.0.0.1", "--port"],
        "started": ["toxiproxy-server", "-host", "127.0.0.1", "-port"],
    }
    return server_process([*commands[kind], str(port)], port, tmp_path / "server.log")


def test_refusals_carry_the_servers_own_words(lab: Lab) -> None:
    lab.create()
    with pytest.raises(ToxiproxyRefusedError, match="proxy already exists") as caught:
        lab.create()
    assert caught.value.status == 409
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        lab.client.create("busy", listen=listen, upstream="127.0.0.1:1", enabled=False)
        with pytest.raises(ToxiproxyRefusedError, match="address already in use") as caught:
            lab.client.enable("busy", True)
    assert caught.value.status == 500
