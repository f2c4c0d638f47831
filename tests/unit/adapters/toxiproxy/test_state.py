"""Addresses, names, notes and comparisons."""

from __future__ import annotations

import pytest

from gameday.adapters.probe import _done, _host_port, _whole
from gameday.adapters.toxiproxy.change import same_address
from gameday.adapters.toxiproxy.client import address_of, checked_name
from gameday.adapters.toxiproxy.state import (
    LEASE,
    Note,
    ProxyState,
    Snapshot,
    ToxicState,
    note_of,
)
from gameday.errors import UsageError
from gameday.processes import Life, life_of, own_identity


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8474", "http://127.0.0.1:8474"),
        ("http://127.0.0.1:8474/", "http://127.0.0.1:8474"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("localhost", "http://localhost:8474"),
        ("http://[::1]:8474", "http://[::1]:8474"),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert str(address_of(url)) == shown


@pytest.mark.parametrize(
    "url",
    ["https://x:1", "http://x:port", "http://x/api", "ftp://x", "", "http://u:p@x:1", "http://x?q"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError):
        address_of(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        address_of("http://user:secret@host:1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "a%b", "", " ", "..", "ä"])
def test_names_that_cannot_be_asked_for_again(name: str) -> None:
    with pytest.raises(UsageError):
        checked_name(name)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("localhost:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "[::]:80", True),
        (":80", "0.0.0.0:80", True),
        ("db:80", "10.0.0.1:80", True),  # a name that the server has looked up
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "10.0.0.1:80", False),
        ("[::1]:80", "127.0.0.1:80", False),
    ],
)
def test_same_address(one: str, other: str, *, same: bool) -> None:
    assert same_address(one, other) is same
    assert same_address(other, one) is same


def proxy(name: str, upstream: str = "127.0.0.1:1", *toxics: ToxicState) -> ProxyState:
    return ProxyState(name=name, listen="127.0.0.1:2", upstream=upstream, toxics=toxics)


def test_a_note_survives_the_server() -> None:
    note = Note(name=LEASE, data={"mode": "lease", "run": "r", "text": 'ü "quoted"'})
    found = note_of(proxy(LEASE, note.text))
    assert found is not None
    assert (found.mode, found.run) == ("lease", "r")
    assert found.data["text"] == 'ü "quoted"'


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("gameday-web", "127.0.0.1:80"),  # somebody's proxy with an unlucky name
        ("gameday-x", "{broken"),
        ("gameday-x", '{"other": 1}'),
        ("web", '{"gameday": 1}'),
    ],
)
def test_what_is_no_note_is_left_alone(name: str, upstream: str) -> None:
    assert note_of(proxy(name, upstream)) is None
    assert set(Snapshot({name: proxy(name, upstream)}).proxies) == {name}


def test_a_proxy_being_replaced_is_what_its_backup_says() -> None:
    before = proxy("web", "127.0.0.1:1", ToxicState(name="theirs", type="latency"))
    note = Note(name="gameday-backup-r-web", data={"mode": "backup", "proxy": before.to_json()})
    half = proxy("web")
    snapshot = Snapshot({"web": half, note.name: proxy(note.name, note.text)})
    assert snapshot.trusted("web") == before
    assert Snapshot({"web": half}).trusted("web") == half
    assert Snapshot({}).trusted("web") is None


def test_toxics_compare_as_servers_round() -> None:
    one = ToxicState(name="a", type="latency", toxicity=0.1, attributes={"latency": 1})
    rounded = ToxicState(
        name="a",
        type="latency",
        stream="DOWNSTREAM",
        toxicity=0.10000000149,
        attributes={"latency": 1, "jitter": 0},
    )
    assert one.same_as(rounded)
    assert not one.same_as(ToxicState(name="a", type="latency", attributes={"latency": 2}))


def test_who_lives() -> None:
    me = own_identity()
    assert life_of(me) is Life.ALIVE
    assert life_of({**me, "start_ticks": 1}) is Life.GONE
    assert life_of({**me, "boot": "another"}) is Life.GONE
    assert life_of({**me, "host": "another"}) is Life.UNKNOWN
    assert life_of({**me, "pid_space": "another"}) is Life.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "whole", "done"),
    [
        (b"", False, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", True, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", False, False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nab", True, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", True, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", False, False),
        (b"HTTP/1.1 200 OK\r\n\r\nanything", True, False),
    ],
)
def test_when_an_http_answer_is_whole(answer: bytes, *, whole: bool, done: bool) -> None:
    assert (_whole(answer), _done(answer)) == (whole, done)


def test_where_a_probe_looks() -> None:
    assert _host_port("0.0.0.0:80") == ("127.0.0.1", 80)
    assert _host_port("[::1]:80") == ("::1", 80)
    assert _host_port("db.local:5432") == ("db.local", 5432)
