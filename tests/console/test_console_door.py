"""Who is let in, and what is refused: tokens, secrets, other sites, bodies, names."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_support import Browser, Server, console, listening

from gameday.console.access import (
    WRONG_MAX,
    WRONG_WITHIN_S,
    Door,
    ShutError,
    is_loopback,
    origins_of,
    secrets_from,
)
from gameday.console.rights import MAY, ROLES, refusal
from gameday.errors import UsageError

SECRETS = "".join(f"{role}: {role}-secret-of-today\n" for role in ROLES)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with console(cwd=tmp_path_factory.mktemp("day")) as made:
        yield made


@pytest.fixture(scope="module")
def coordinator(server: Server) -> Browser:
    return server.browser("coordinator")


def test_a_link_lets_one_browser_in_once(server: Server) -> None:
    token = server.links["observer"]
    first, second = Browser(server), Browser(server)

    entered = first.post("/api/enter", {"token": token})

    assert entered.json() == {"ok": True, "role": "observer"}
    cookie = entered.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {p.strip() for p in cookie.split(";")}
    assert second.post("/api/enter", {"token": token}).status == 403
    assert second.get("/events").status == 401
    assert first.get("/api/me").json()["role"] == "observer"


@pytest.mark.parametrize("token", ["", "x", "é" * 40, "A" * 43])
def test_a_wrong_token_is_refused(server: Server, token: str) -> None:
    browser = Browser(server)
    assert browser.post("/api/enter", {"token": token}).status == 403
    assert browser.cookie == ""


@pytest.mark.parametrize("path", ["/events", "/figure.json", "/chart.js"])
def test_nothing_is_told_to_whoever_did_not_enter(server: Server, path: str) -> None:
    for cookie in ("", f"gameday_console_{server.port}=wrong"):
        assert Browser(server, cookie).get(path).status == 401


def test_nothing_is_done_for_whoever_did_not_enter(server: Server) -> None:
    assert Browser(server).do("note", text="hello").status == 401


OTHER_SITES = {
    "no origin": {"Origin": ""},
    "another origin": {"Origin": "http://evil.example"},
    "no page at all": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "said by the browser": {"Sec-Fetch-Site": "cross-site"},
    "of the same site, another origin": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", OTHER_SITES.values(), ids=OTHER_SITES)
def test_requests_of_other_sites_are_refused(coordinator: Browser, headers: dict[str, str]) -> None:
    answer = coordinator.post("/api/do", {"do": "note", "text": "hello"}, **headers)
    assert (answer.status, "other sites" in answer.text) == (403, True)


def test_a_form_of_another_site_cannot_be_json(coordinator: Browser) -> None:
    form = {"Content-Type": "text/plain"}
    assert coordinator.post("/api/do", {"do": "note", "text": "x"}, **form).status == 415


@pytest.mark.parametrize("path", ["/events", "/figure.json", "/api/me"])
def test_what_is_told_is_not_told_to_other_sites(coordinator: Browser, path: str) -> None:
    assert coordinator.get(path, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert coordinator.get(path, Origin="http://evil.example").status == 403


def test_a_link_from_a_chat_may_open_the_page(server: Server) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert Browser(server).get("/", **headers).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "127.0.0.1:1", ""])
def test_a_name_that_was_rebound_is_refused(coordinator: Browser, host: str) -> None:
    answer = coordinator.get("/api/me", Host=host or "-")
    assert answer.status == 421


def test_bodies_have_a_limit(coordinator: Browser) -> None:
    large = coordinator.post("/api/do", {"do": "note", "text": "x" * 20_000})
    assert large.status == 413
    assert coordinator.get("/api/me").json()["role"] == "coordinator"


def test_a_body_without_a_length_has_a_limit_too(server: Server, coordinator: Browser) -> None:
    head = (
        f"POST /api/do HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {server.origin}\r\n"
        f"Cookie: {coordinator.cookie}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"4000\r\n" + b"x" * 0x4000 + b"\r\n" * 1)
        connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n0\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 9000, b"\xff"])
def test_what_is_no_request_is_refused(coordinator: Browser, body: bytes) -> None:
    assert coordinator.post("/api/do", body).status in (400, 403)


def test_the_page_asks_nothing_of_others_and_stands_in_no_frame(server: Server) -> None:
    headers = Browser(server).get("/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e%2fserver.py", "/x"])
def test_no_other_file_is_served(coordinator: Browser, path: str) -> None:
    assert coordinator.get(path).status == 404


@pytest.mark.parametrize(
    ("role", "what", "why"),
    [
        ("commander", "ack", "does not fix"),
        ("commander", "step", "does not fix"),
        ("coordinator", "ack", "does not respond"),
        ("coordinator", "opened", "does not respond"),
        ("scribe", "gate", "allowed: commander, coordinator"),
        ("observer", "decide", "does not prompt"),
        ("responder", "invite", "allowed: coordinator"),
        ("responder", "reveal", "allowed: coordinator"),
        ("coordinator", "root", "nothing that can be done"),
    ],
)
def test_a_role_does_what_is_its_own(role: str, what: str, why: str) -> None:
    assert why in str(refusal(role, what))


def test_everybody_may_stop_and_no_role_may_everything() -> None:
    assert all(refusal(role, "stop") is None for role in ROLES)
    assert all(any(refusal(role, what) for what in MAY) for role in ROLES)
    assert refusal("commander", "gate") is None
    assert "only those who know" in str(refusal("commander", "gate", blind=True))


def test_the_wrong_role_is_refused_with_the_reason(server: Server, coordinator: Browser) -> None:
    answer = coordinator.do("ack", text="CheckoutLate")
    assert answer.status == 403
    assert "does not respond" in answer.json()["error"]
    # the role is that of the session, whatever the request says
    assert coordinator.do("ack", text="CheckoutLate", role="responder").status == 403


def test_who_leaves_is_out_and_hears_nothing_more(server: Server, coordinator: Browser) -> None:
    scribe = server.more(coordinator, "scribe")
    with listening(scribe) as heard:
        heard.until("it is connected", lambda one: one.resets)
        assert scribe.post("/api/leave", {}).status == 200
        assert scribe.get("/events").status == 401
        coordinator.do("note", text="after the scribe left")
        heard._thread.join(10)
        assert not heard._thread.is_alive()
        assert not heard.saw("after the scribe left")


def test_too_many_wrong_tries_shut_the_door_for_a_while() -> None:
    now = [0.0]
    door = Door({"scribe": "a secret of today!"}, clock=lambda: now[0])
    for _ in range(WRONG_MAX):
        assert door.enter_by_secret("scribe", "wrong") is None
    with pytest.raises(ShutError):
        door.enter_by_secret("scribe", "a secret of today!")
    now[0] += WRONG_WITHIN_S + 1
    assert door.enter_by_secret("scribe", "a secret of today!") is not None


def test_links_and_sessions_end() -> None:
    now = [0.0]
    door = Door(clock=lambda: now[0])
    token = door.link("scribe")
    now[0] = 13 * 3600
    assert door.enter_by_link(token) is None
    entered = door.enter_by_link(door.link("scribe"))
    assert entered is not None
    cookie, session = entered
    assert door.session(cookie) is session
    now[0] += 19 * 3600
    assert door.session(cookie) is None
    assert not door.holds(session)


def test_opened_wider_it_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="needs a secret"), console(
        "--bind", "0.0.0.0", cwd=tmp_path
    ):  # fmt: skip
        pass


def test_a_file_of_secrets_that_others_read_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("a secret for everybody\n")
    secrets.chmod(0o644)
    with pytest.raises(AssertionError, match="chmod 600"), console(
        "--secret-file", str(secrets), cwd=tmp_path
    ):  # fmt: skip
        pass


def test_with_secrets_each_role_has_its_own(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.touch(stat.S_IRUSR | stat.S_IWUSR)
    secrets.write_text(SECRETS)
    with console("--secret-file", str(secrets), "--blind", cwd=tmp_path) as server:
        assert server.links == {}
        browser = Browser(server)
        assert browser.get("/api/me").json()["by_secret"] is True
        wrong = browser.post(
            "/api/enter", {"role": "observer", "secret": "responder-secret-of-today"}
        )
        assert wrong.status == 403
        right = browser.post(
            "/api/enter", {"role": "responder", "secret": "responder-secret-of-today"}
        )
        assert right.json()["role"] == "responder"
        assert browser.get("/api/me").json()["blind"] is True


def test_secrets_are_read_with_care() -> None:
    assert set(secrets_from("one secret for all\n", blind=())) == set(ROLES)
    assert secrets_from(SECRETS, blind=("responder", "commander"))["scribe"].startswith("scribe")
    for text, blind, why in (
        ("short", (), "at least 16"),
        ("", (), "at least 16"),
        ("one secret for all\n", ("responder", "commander"), "no other role"),
        ("nobody: a secret of nobody\nscribe: a secret of scribe", (), "line 1"),
        ("scribe: a secret of scribe\nscribe: a secret of scribe", (), "line 2"),
    ):
        with pytest.raises(UsageError, match=why):
            secrets_from(text, blind=blind)


def test_names_under_which_it_is_reached() -> None:
    local = origins_of("127.0.0.1", 8300, ())
    assert local.host_is_ours("localhost:8300")
    assert not local.host_is_ours("192.0.2.1:8300")
    assert not local.secure
    wide = origins_of("0.0.0.0", 8300, ("https://gameday.example",))
    assert wide.host_is_ours("192.0.2.1:8300")
    assert wide.host_is_ours("gameday.example")
    assert not wide.host_is_ours("other.example:8300")
    assert not wide.host_is_ours("192.0.2.1:8301")
    assert wide.origin_is_ours("https://gameday.example")
    assert wide.origin_is_ours("http://192.0.2.1:8300")
    assert not wide.origin_is_ours("http://gameday.example")
    assert not wide.origin_is_ours("http://192.0.2.1:8300/x")
    assert wide.secure
    with pytest.raises(UsageError, match="is no origin"):
        origins_of("127.0.0.1", 8300, ("gameday.example",))
    assert [is_loopback(b) for b in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "host")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_a_port_that_is_taken_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot listen"), console(
        "--port", str(server.port), cwd=tmp_path
    ):  # fmt: skip
        # the last `--port` counts, so the helper's own is given first
        pass


def test_it_goes_behind_the_run(server: Server) -> None:
    """The machine is the runner's first."""
    assert os.getpriority(os.PRIO_PROCESS, server.process.pid) >= 10
