"""A real PostgreSQL for the tests of the findings register, with a database for each test."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from ports_support import free_port

from gameday.demo.postgres import choose_owner, initialise

_OPTIONS = ("fsync=off", "shared_buffers=16MB", "unix_socket_directories=", "autovacuum=off")


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a server on loopback, without the database."""
    home = Path(tempfile.mkdtemp(prefix="gameday-findings-"))
    owner = choose_owner()
    password = home / "password"
    secret = secrets.token_hex(8)
    password.write_text(secret)
    for path in (home, password):
        if owner.uid is not None and owner.gid is not None:
            os.chown(path, owner.uid, owner.gid)
    server = None
    try:
        install, data = initialise(owner, home, password)
        port = free_port()
        options = ("listen_addresses=127.0.0.1", f"port={port}", *_OPTIONS)
        server = subprocess.Popen(
            [install.bin / "postgres", "-D", data, *(f"--{one}" for one in options)],
            cwd=home,
            user=owner.uid,
            group=owner.gid,
            extra_groups=[] if owner.uid is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"postgresql://shop:{secret}@127.0.0.1:{port}"
        _wait(f"{url}/postgres", server)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)
            server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _wait(url: str, server: subprocess.Popen[bytes], within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.Error as error:
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"no PostgreSQL within {within_s} s: {error}") from None
            time.sleep(0.05)
        else:
            return


def database(url: str) -> str:
    """The URL of a new, empty database."""
    name = f"t{secrets.token_hex(4)}"
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return f"{url}/{name}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `--store` takes."""
    if request.param == "postgresql":
        return database(request.getfixturevalue("server"))
    return {"folder": str(tmp_path / "findings"), "sqlite": f"sqlite:{tmp_path / 'f.db'}"}[
        request.param
    ]
