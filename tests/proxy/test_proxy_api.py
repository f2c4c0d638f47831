"""The contract of the HTTP API, checked on our server and on the real one."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ports_support import free_port
from proxy_support import Server, Upstream, client, endpoint, round_trip_s, wait_for

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


def plain_proxy(server: Server, **more: Any) -> dict[str, Any]:
    body = {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9", **more}
    made = server.ok("POST", "/proxies", body)
    assert isinstance(made, dict)
    return made


def test_version_is_json_and_new_enough_for_patch(server: Server) -> None:
    reply = server.call("GET", "/version")
    assert (reply.status, reply.type) == (200, "application/json;charset=utf-8")
    assert reply.body.endswith(b"\n")
    version = reply.json()["version"]
    if server.kind == "embedded":
        assert version == "2.12.0"
    assert version == "git" or tuple(map(int, version.split("."))) >= (2, 6, 0)


@pytest.mark.parametrize(
    ("method", "path", "status", "type_", "body"),
    [
        ("GET", "/nothing", 404, TEXT, b"404 page not found\n"),
        ("GET", "/", 404, TEXT, b"404 page not found\n"),
        ("GET", "/proxies/", 404, TEXT, b"404 page not found\n"),
        ("GET", "/proxies/p/other", 404, TEXT, b"404 page not found\n"),
        ("GET", "/proxies/a%2Fb", 404, TEXT, b"404 page not found\n"),
        ("HEAD", "/version", 405, None, b""),
        ("OPTIONS", "/proxies", 405, None, b""),
        ("PUT", "/proxies", 405, None, b""),
        ("GET", "/reset", 405, None, b""),
        ("GET", "/populate", 405, None, b""),
        ("DELETE", "/proxies/p/toxics", 405, None, b""),
        ("GET", "//proxies", 301, None, b""),
        ("GET", "/proxies", 200, JSON, b"{}"),
        ("POST", "/reset", 204, None, b""),
    ],
)
def test_routes(  # noqa: PLR0917 -- a table
    server: Server, method: str, path: str, status: int, type_: str | None, body: bytes
) -> None:
    reply = server.call(method, path)
    assert (reply.status, reply.body) == (status, body)
    if type_ is not None:
        assert reply.type == type_
    if status == 301:
        assert reply.headers["location"] == "/proxies"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/proxies/none", None),
        ("PATCH", "/proxies/none", {}),
        ("POST", "/proxies/none", {}),
        ("DELETE", "/proxies/none", None),
        ("GET", "/proxies/none/toxics", None),
        ("POST", "/proxies/none/toxics", {}),
        ("GET", "/proxies/none/toxics/t", None),
        ("PATCH", "/proxies/none/toxics/t", {}),
        ("DELETE", "/proxies/none/toxics/t", None),
    ],
)
def test_unknown_proxy(server: Server, method: str, path: str, body: object) -> None:
    reply = server.call(method, path, body)
    assert (reply.status, reply.type) == (404, TEXT)
    assert reply.body == b'{"error":"proxy not found","status":404}\n'


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST", "DELETE"])
def test_unknown_toxic(server: Server, method: str) -> None:
    plain_proxy(server)
    reply = server.call(method, "/proxies/p/toxics/none", None if method == "GET" else {})
    assert (reply.status, reply.type) == (404, TEXT)
    assert reply.body == b'{"error":"toxic not found","status":404}\n'


def test_browsers_are_refused_on_routes_only(server: Server) -> None:
    browser = {"User-Agent": "Mozilla/5.0"}
    refused = server.call("GET", "/version", headers=browser)
    assert (refused.status, refused.type) == (403, TEXT)
    assert refused.body == b"User agent not allowed\n"
    assert server.call("GET", "/nothing", headers=browser).status == 404
    assert server.call("PUT", "/version", headers=browser).status == 405


def test_routes_carry_a_request_id_and_strangers_do_not(server: Server) -> None:
    ids = {server.call("GET", "/version").headers["x-toxiproxy-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(found) == 20 for found in ids)
    assert "x-toxiproxy-request-id" not in server.call("GET", "/nothing").headers


def test_only_ours_carries_our_header(server: Server) -> None:
    headers = server.call("GET", "/proxies").headers
    assert ("x-gameday-proxy" in headers) == (server.kind == "embedded")


# -- proxies ----------------------------------------------------------------------------------


def test_create_show_list_delete(server: Server) -> None:
    reply = server.call(
        "POST", "/proxies", {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}
    )
    assert (reply.status, reply.type) == (201, JSON)
    made = reply.json()
    assert made == {
        "name": "p",
        "listen": made["listen"],
        "upstream": "127.0.0.1:9",
        "enabled": True,
        "Logger": {},
        "toxics": [],
    }
    host, port = endpoint(made["listen"])
    assert (host, port > 0) == ("127.0.0.1", True)
    shown = server.call("GET", "/proxies/p")
    assert (shown.status, shown.type, shown.json()) == (200, JSON, made)
    assert server.ok("GET", "/proxies") == {"p": made}
    gone = server.call("DELETE", "/proxies/p")
    assert (gone.status, gone.body) == (204, b"")
    assert server.ok("GET", "/proxies") == {}


def test_keys_come_in_the_order_of_the_real_server(server: Server) -> None:
    plain_proxy(server)
    server.toxic("latency", latency=1)
    text = server.call("GET", "/proxies/p").body.decode()
    keys = ["name", "listen", "upstream", "enabled", "Logger", "toxics", "attributes", "latency"]
    positions = [text.index(f'"{key}"') for key in keys]
    assert positions == sorted(positions)
    assert " " not in text


def test_markup_in_names_is_escaped(server: Server) -> None:
    body = {"name": "<é&>", "upstream": "x", "enabled": False}
    assert '"name":"\\u003cé\\u0026\\u003e"' in server.call("POST", "/proxies", body).body.decode()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "bad request body: EOF"),
        (b"{", "bad request body: unexpected EOF"),
        (b'{"name":"e', "bad request body: unexpected EOF"),
        (b"nul", "bad request body: unexpected EOF"),
        (b"x", "bad request body: invalid character 'x' looking for beginning of value"),
        (
            b'{"name":"d",}',
            "bad request body: invalid character '}' looking for beginning of object key string",
        ),
        (
            b'{"name":"d" "x"}',
            "bad request body: invalid character '\"' after object key:value pair",
        ),
        (
            b'{"upstream":NaN}',
            "bad request body: invalid character 'N' looking for beginning of value",
        ),
        (
            b"5",
            "bad request body: json: cannot unmarshal number into Go value of type toxiproxy.Proxy",
        ),
        (
            b"[]",
            "bad request body: json: cannot unmarshal array into Go value of type toxiproxy.Proxy",
        ),
        (
            b'{"name":5}',
            "bad request body: json: cannot unmarshal number into "
            "Go struct field Proxy.name of type string",
        ),
        (
            b'{"name":"b","upstream":"x","enabled":"yes"}',
            "bad request body: json: cannot unmarshal string into "
            "Go struct field Proxy.enabled of type bool",
        ),
        (b"null", "missing required field: name"),
        (b"{}", "missing required field: name"),
        (b'{"name":"b"}', "missing required field: upstream"),
        (b'{"name":"b","upstream":null}', "missing required field: upstream"),
    ],
)
def test_bad_creation(server: Server, raw: bytes, message: str) -> None:
    reply = server.call("POST", "/proxies", raw=raw)
    assert (reply.status, reply.type) == (400, TEXT)
    assert reply.json() == {"error": message, "status": 400}
    assert server.ok("GET", "/proxies") == {}


def test_field_names_in_any_case_and_trailing_data(server: Server) -> None:
    raw = b'{"NAME":"c","Upstream":"x","enabled":false,"listen":"localhost:0"} trailing'
    made = server.ok("POST", "/proxies", raw=raw)
    assert (made["name"], made["listen"], made["enabled"]) == ("c", "localhost:0", False)


def test_name_taken(server: Server) -> None:
    plain_proxy(server)
    reply = server.call("POST", "/proxies", {"name": "p", "upstream": "x"})
    assert (reply.status, reply.type) == (409, TEXT)
    assert reply.body == b'{"error":"proxy already exists","status":409}\n'


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("foo", "listen tcp: address foo: missing port in address"),
        ("127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
        ("127.0.0.1:-1", "listen tcp: address -1: invalid port"),
        ("::1:80", "listen tcp: address ::1:80: too many colons in address"),
        ("[::1", "listen tcp: address [::1: missing ']' in address"),
        ("192.0.2.1:1", "listen tcp 192.0.2.1:1: bind: cannot assign requested address"),
    ],
)
def test_listen_that_cannot_be(server: Server, listen: str, message: str) -> None:
    reply = server.call("POST", "/proxies", {"name": "p", "upstream": "x", "listen": listen})
    assert (reply.status, reply.type) == (500, TEXT)
    assert reply.json() == {"error": message, "status": 500}
    assert server.ok("GET", "/proxies") == {}


def test_listen_that_is_taken(server: Server, upstream: Upstream) -> None:
    body = {"name": "p", "upstream": "x", "listen": f"localhost:{upstream.port}"}
    reply = server.call("POST", "/proxies", body)
    assert reply.status == 500
    address = f"127.0.0.1:{upstream.port}"
    assert reply.error == f"listen tcp {address}: bind: address already in use"


@pytest.mark.parametrize("listen", ["localhost:0", "127.0.0.1:0", "[::1]:0"])
def test_listen_shows_the_address_that_was_bound(server: Server, listen: str) -> None:
    shown = plain_proxy(server, listen=listen)["listen"]
    assert shown.startswith("[::1]:" if "::1" in listen else "127.0.0.1:")
    with socket.create_connection(endpoint(shown), timeout=5):
        pass


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_update_of_a_proxy(server: Server, method: str) -> None:
    with Upstream() as one, Upstream() as two:
        at = server.proxy(one)
        server.toxic("latency", latency=1)
        with client(at) as before:
            round_trip_s(before)
            moved = server.ok(method, "/proxies/p", {"upstream": two.address, "name": "other"})
            assert before.recv(1) == b""
        assert (moved["name"], moved["upstream"]) == ("p", two.address)
        assert [toxic["name"] for toxic in moved["toxics"]] == ["latency_downstream"]
        with client(at) as after:
            round_trip_s(after)
        assert (one.accepted, two.accepted) == (1, 1)


def test_update_without_change_keeps_connections(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock)
        shown = server.ok("PATCH", "/proxies/p", {})
        port = endpoint(shown["listen"])[1]
        server.ok("PATCH", "/proxies/p", {"listen": f"localhost:{port}", "enabled": True})
        round_trip_s(sock)


def test_off_and_on(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock)
        off = server.ok("PATCH", "/proxies/p", {"enabled": False})
        assert (off["enabled"], endpoint(off["listen"])) == (False, at)
        assert sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at, timeout=5)
    assert server.ok("PATCH", "/proxies/p", {"enabled": False})["enabled"] is False
    assert server.ok("PATCH", "/proxies/p", {"enabled": True})["enabled"] is True
    with client(at) as sock:
        round_trip_s(sock)


def test_created_off(server: Server, upstream: Upstream) -> None:
    body = {"name": "p", "listen": "127.0.0.1:0", "upstream": upstream.address, "enabled": False}
    made = server.ok("POST", "/proxies", body)
    assert (made["listen"], made["enabled"]) == ("127.0.0.1:0", False)
    server.toxic("latency", latency=0)
    on = server.ok("PATCH", "/proxies/p", {"enabled": True})
    with client(endpoint(on["listen"])) as sock:
        round_trip_s(sock)


def test_moving_to_a_taken_port_leaves_the_proxy_off(server: Server, upstream: Upstream) -> None:
    plain_proxy(server)
    listen = f"127.0.0.1:{upstream.port}"
    reply = server.call("PATCH", "/proxies/p", {"listen": listen})
    assert (reply.status, reply.error) == (
        500,
        f"listen tcp {listen}: bind: address already in use",
    )
    shown = server.ok("GET", "/proxies/p")
    assert (shown["enabled"], shown["listen"]) == (False, listen)


def test_bad_updates_of_a_proxy_change_nothing(server: Server) -> None:
    made = plain_proxy(server)
    assert server.call("PATCH", "/proxies/p", raw=b"").error == "bad request body: EOF"
    assert server.call("PATCH", "/proxies/p", {"enabled": 5}).status == 400
    reply = server.call("PATCH", "/proxies/p", {"listen": "foo"})
    assert (reply.status, reply.error) == (500, "address foo: missing port in address")
    assert server.ok("GET", "/proxies/p") == made


def test_deleted_proxy_can_be_created_again_at_once(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    for _ in range(5):
        with client(at) as sock:
            round_trip_s(sock)
            server.ok("DELETE", "/proxies/p")
            assert sock.recv(1) == b""
        assert server.proxy(upstream, listen=f"{at[0]}:{at[1]}") == at


# -- populate and reset -----------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"[]", b"null"])
def test_populating_with_nothing(server: Server, raw: bytes) -> None:
    reply = server.call("POST", "/populate", raw=raw)
    assert (reply.status, reply.type, reply.body) == (201, JSON, b'{"proxies":null}')


def test_populate(server: Server) -> None:
    port = free_port()
    entries = [
        {"name": "a", "listen": f"127.0.0.1:{port}", "upstream": "x:1"},
        {"name": "b", "listen": "localhost:0", "upstream": "x:2", "enabled": False},
    ]
    reply = server.call("POST", "/populate", entries)
    assert (reply.status, reply.type) == (201, JSON)
    made = reply.json()["proxies"]
    assert [(item["name"], item["enabled"]) for item in made] == [("a", True), ("b", False)]
    # the same addresses in other words: left alone, toxics and all, and not switched on again
    server.toxic("latency", proxy="a")
    server.ok("PATCH", "/proxies/a", {"enabled": False})
    again = [{"name": "a", "listen": f"localhost:{port}", "upstream": "x:1"}]
    kept = server.ok("POST", "/populate", again)["proxies"][0]
    assert (kept["enabled"], len(kept["toxics"])) == (False, 1)
    # another upstream: replaced, toxics lost
    other = [{"name": "a", "listen": f"localhost:{port}", "upstream": "x:3"}]
    replaced = server.ok("POST", "/populate", other)["proxies"][0]
    assert (replaced["enabled"], replaced["toxics"]) == (True, [])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "bad request body: EOF"),
        (b'[{"name":"a"}]', "missing required field: upstream at proxy 1"),
        (b'[{"name":"a","upstream":"x"},{}]', "missing required field: name at proxy 2"),
        (b"[null]", "missing required field: name at proxy 1"),
    ],
)
def test_bad_populate_creates_nothing(server: Server, raw: bytes, message: str) -> None:
    reply = server.call("POST", "/populate", raw=raw)
    assert (reply.status, reply.type) == (400, JSON)
    assert reply.json() == {"error": message, "status": 400, "proxies": None}
    assert server.ok("GET", "/proxies") == {}


def test_populate_stops_at_the_first_that_cannot_listen(server: Server, upstream: Upstream) -> None:
    taken = f"127.0.0.1:{upstream.port}"
    entries = [
        {"name": "a", "listen": "127.0.0.1:0", "upstream": "x:1"},
        {"name": "b", "listen": taken, "upstream": "x:1"},
        {"name": "c", "listen": "127.0.0.1:0", "upstream": "x:1"},
    ]
    reply = server.call("POST", "/populate", entries)
    assert (reply.status, reply.type) == (500, JSON)
    assert reply.json()["status"] == 500
    assert reply.error == f"listen tcp {taken}: bind: address already in use"
    assert [item["name"] for item in reply.json()["proxies"]] == ["a"]
    assert sorted(server.ok("GET", "/proxies")) == ["a"]


def test_reset_turns_on_and_takes_out(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("latency", latency=500)
    server.ok("PATCH", "/proxies/p", {"enabled": False})
    reply = server.call("POST", "/reset")
    assert (reply.status, reply.body) == (204, b"")
    shown = server.ok("GET", "/proxies/p")
    assert (shown["enabled"], shown["toxics"]) == (True, [])
    with client(at) as sock:
        round_trip_s(sock)


# -- toxics -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "given", "shown"),
    [
        ("latency", {"latency": 5, "JITTER": 2, "other": 1}, {"latency": 5, "jitter": 2}),
        ("latency", {}, {"latency": 0, "jitter": 0}),
        ("latency", None, {"latency": 0, "jitter": 0}),
        ("bandwidth", {"rate": 3}, {"rate": 3}),
        ("slow_close", {"delay": 3}, {"delay": 3}),
        ("timeout", {"timeout": 3}, {"timeout": 3}),
        ("reset_peer", {"timeout": 3}, {"timeout": 3}),
        (
            "slicer",
            {"average_size": 3, "size_variation": 1, "delay": 2},
            {"average_size": 3, "size_variation": 1, "delay": 2},
        ),
        ("limit_data", {"bytes": 3}, {"bytes": 3}),
        ("noop", {}, {}),
    ],
)
def test_every_toxic_can_be_created(
    server: Server, type_: str, given: object, shown: dict[str, int]
) -> None:
    plain_proxy(server)
    reply = server.call("POST", "/proxies/p/toxics", {"type": type_, "attributes": given})
    assert (reply.status, reply.type) == (200, JSON)  # 200, not 201
    wanted = {
        "attributes": shown,
        "name": f"{type_}_downstream",
        "type": type_,
        "stream": "downstream",
        "toxicity": 1,
    }
    assert reply.json() == wanted
    assert b'"toxicity":1}' in reply.body
    found = server.call("GET", f"/proxies/p/toxics/{type_}_downstream")
    assert (found.status, found.type, found.json()) == (200, JSON, wanted)
    gone = server.call("DELETE", f"/proxies/p/toxics/{type_}_downstream")
    assert (gone.status, gone.body) == (204, b"")
    assert server.ok("GET", "/proxies/p/toxics") == []


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "invalid toxic type"),
        ({"type": "nope"}, 400, "invalid toxic type"),
        (
            {"type": "latency", "stream": "x"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        (
            {"type": "noop", "stream": ""},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ({"type": "latency", "name": "taken"}, 409, "toxic already exists"),
        ({"type": "noop", "name": "taken", "stream": "upstream"}, 409, "toxic already exists"),
        (
            {"type": "timeout", "attributes": {"timeout": 1.5}},
            400,
            "bad request body: json: cannot unmarshal number 1.5 into "
            "Go struct field TimeoutToxic.attributes.timeout of type int64",
        ),
        (
            {"type": "timeout", "attributes": {"timeout": "10"}},
            400,
            "bad request body: json: cannot unmarshal string into "
            "Go struct field TimeoutToxic.attributes.timeout of type int64",
        ),
        (
            {"type": "timeout", "attributes": {"timeout": 99999999999999999999}},
            400,
            "bad request body: json: cannot unmarshal number 99999999999999999999 into "
            "Go struct field TimeoutToxic.attributes.timeout of type int64",
        ),
        (
            {"type": "timeout", "attributes": 5},
            400,
            "bad request body: json: cannot unmarshal number into "
            "Go struct field ToxicWrapper.attributes of type toxics.NoopToxic",
        ),
        (
            {"type": "timeout", "toxicity": "1"},
            400,
            "bad request body: json: cannot unmarshal string into "
            "Go struct field ToxicWrapper.toxicity of type float32",
        ),
        (
            {"type": 5},
            400,
            "bad request body: json: cannot unmarshal number into "
            "Go struct field ToxicWrapper.type of type string",
        ),
    ],
)
def test_bad_toxics(server: Server, body: object, status: int, message: str) -> None:
    plain_proxy(server)
    server.toxic("noop", name="taken")
    reply = server.call("POST", "/proxies/p/toxics", body)
    assert (reply.status, reply.type) == (status, TEXT)
    assert reply.json() == {"error": message, "status": status}
    assert [item["name"] for item in server.ok("GET", "/proxies/p/toxics")] == ["taken"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [(1, b"1"), (1.0, b"1"), (7, b"7"), (-1, b"-1"), (0.1, b"0.1"), (0.123456789, b"0.12345679")],
)
def test_toxicity_is_kept_as_a_short_number(server: Server, given: float, shown: bytes) -> None:
    plain_proxy(server)
    reply = server.call("POST", "/proxies/p/toxics", {"type": "noop", "toxicity": given})
    assert b'"toxicity":' + shown + b"}" in reply.body


def test_stream_is_echoed_and_upstream_ones_come_first(server: Server) -> None:
    plain_proxy(server)
    server.toxic("noop", name="down", stream="downstream")
    made = server.ok("POST", "/proxies/p/toxics", {"type": "latency", "stream": "UpStream"})
    assert (made["name"], made["stream"]) == ("latency_UpStream", "UpStream")
    names = [item["name"] for item in server.ok("GET", "/proxies/p/toxics")]
    assert names == ["latency_UpStream", "down"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_update_of_a_toxic(server: Server, method: str) -> None:
    plain_proxy(server)
    server.toxic("latency", latency=5, jitter=2)
    path = "/proxies/p/toxics/latency_downstream"
    reply = server.call(method, path, {"attributes": {"latency": 7}})
    assert (reply.status, reply.type) == (200, JSON)
    assert reply.json()["attributes"] == {"latency": 7, "jitter": 2}
    ignored = {"toxicity": 0.25, "name": "z", "type": "timeout", "stream": "upstream"}
    changed = server.ok(method, path, ignored)
    assert changed == {
        "attributes": {"latency": 7, "jitter": 2},
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 0.25,
    }
    for nothing in (b"{}", b"null", b'{"attributes":null}'):
        assert server.ok(method, path, raw=nothing) == changed
    for raw in (b"", b"[]", b'{"attributes":5}', b'{"attributes":{"latency":"x"}}'):
        assert server.call(method, path, raw=raw).status == 400
    assert server.ok("GET", path) == changed


def test_metrics_has_the_series_of_the_real_server(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock, b"hello")
    labels = f'listener="{at[0]}:{at[1]}",proxy="p",upstream="{upstream.address}"'
    wanted = {
        f'toxiproxy_proxy_{what}_bytes_total{{direction="{way}",{labels}}} 5'
        for what in ("received", "sent")
        for way in ("upstream", "downstream")
    }

    def complete() -> bool:
        return wanted <= set(server.call("GET", "/metrics").body.decode().splitlines())

    wait_for(complete, "all four counters stand at 5 bytes")
    assert str(server.call("GET", "/metrics").type).startswith("text/plain; version=0.0.4")
    assert server.call("POST", "/metrics").status == 200
