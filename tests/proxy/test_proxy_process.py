"""The server as a process: how it starts, says that it is ready, refuses and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ports_support import free_port
from proxy_support import WITHIN_S, Server, Upstream, client, start_embedded, wait_for


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; standard input is empty, which ends a server that should not have started."""
    return subprocess.run(
        [sys.executable, "-m", "gameday.proxy", "--die-with-fd", "0", *arguments],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_ready_line() -> None:
    server = start_embedded()
    try:
        assert server.ready.items() >= {
            "ready": True, "host": "127.0.0.1", "version": "2.12.0", "seed": 7,
            "pid": server.process.pid,
        }.items()  # fmt: skip
        assert server.ready["port"] > 0
    finally:
        server.end()
    assert server.process.returncode == 0


def test_ready_fd_gets_the_same_line() -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gameday.proxy", "--host", "127.0.0.1", "--port", "0"),
            *("--ready-fd", str(writing), "--die-with-fd", "0"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[writing],
    )
    os.close(writing)
    with process, os.fdopen(reading) as stream:
        line = stream.read()
        assert process.stdout is not None
        assert process.stdout.readline().decode() == line
        assert json.loads(line)["ready"] is True
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WITHIN_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number: signal.Signals, upstream: Upstream) -> None:
    server = start_embedded()
    at = server.proxy(upstream)
    with client(at) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        server.process.send_signal(number)
        assert sock.recv(1) == b""
    assert server.process.wait(WITHIN_S) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at, timeout=2)
    server.end()


def test_it_dies_with_the_pipe(upstream: Upstream) -> None:
    server = start_embedded()
    with client(server.proxy(upstream)) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert sock.recv(1) == b""
    assert server.process.wait(WITHIN_S) == 0
    server.end()


def test_default_host_serves_both_families() -> None:
    server = start_embedded(host="localhost")
    try:
        assert server.host == "127.0.0.1"
        for host in ("127.0.0.1", "::1"):
            other = Server(kind="embedded", host=host, port=server.port, process=server.process)
            assert other.call("GET", "/version").status == 200
    finally:
        server.end()


def test_port_in_use(upstream: Upstream) -> None:
    done = run("--host", "127.0.0.1", "--port", str(upstream.port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"gameday proxy: port {upstream.port} on `127.0.0.1` is in use, end the server that "
        "runs there or choose another with `--port` (0 takes a free one)\n"
    )


def test_port_in_use_on_ipv6_alone() -> None:
    with Upstream(host="::1") as six:
        done = run("--port", str(six.port))
        assert done.returncode == 2
        assert done.stderr.startswith(f"gameday proxy: port {six.port} on `[::1]` is in use")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "nosuch.invalid"), "host `nosuch.invalid` is not known on this machine"),
        (("--host", "192.0.2.1"), "cannot listen on `192.0.2.1` port 8474: cannot assign"),
        (("--port", "0", "--config", "/nonexistent.json"), "config file `/nonexistent.json`"),
        (("--port", "0", "--die-with-fd", "77"), "`--die-with-fd 77` is no open pipe"),
        (("--port", "99999"), "argument --port: invalid _port value: '99999'"),
        (("--port", "x"), "argument --port"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_config_file(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "proxies.json"
    entries = [{"name": "a", "listen": f"localhost:{port}", "upstream": "x:1"}]
    config.write_text(json.dumps(entries))
    server = start_embedded("--config", str(config))
    try:
        shown = server.ok("GET", "/proxies")
        assert shown["a"]["listen"] == f"127.0.0.1:{port}"
    finally:
        server.end()


def test_bad_config_file(tmp_path: Path) -> None:
    config = tmp_path / "proxies.json"
    config.write_text('[{"name": "a"}]')
    done = run("--port", "0", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr == (
        f"gameday proxy: config file `{config}`: missing required field: upstream at proxy 1\n"
    )


def test_out_of_descriptors_it_still_answers(upstream: Upstream) -> None:
    script = 'ulimit -n 256 && exec "$0" "$@"'
    process = subprocess.Popen(
        [
            *("/bin/sh", "-c", script, sys.executable, "-m", "gameday.proxy"),
            *("--host", "127.0.0.1", "--port", "0", "--die-with-fd", "0"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    server = Server(kind="embedded", host="127.0.0.1", port=ready["port"], process=process)
    try:
        at = server.proxy(upstream)
        socks = [socket.create_connection(at, timeout=5) for _ in range(120)]
        try:
            wait_for(
                lambda: server.health()["proxies"]["p"]["turned_away"] > 0,
                "clients beyond the limit are turned away and counted",
            )
            assert server.call("GET", "/proxies").status == 200
        finally:
            for sock in socks:
                sock.close()
        wait_for(lambda: server.health()["connections"] == 0, "all are gone")
        with client(at) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        assert server.health()["internal_errors"] == 0
    finally:
        server.end()
