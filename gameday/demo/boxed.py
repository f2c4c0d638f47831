"""A part of the shop in a container: `python -m gameday.demo.boxed NAME SETTINGS`.

The container has an almost empty root. It sees, read-only and at their own places, the system's
libraries and this Python with all that it imports, and the folder of the shop's state; it has the
network and the process numbers of the machine, the user of the shop, and no capability. So it runs
the same code as the other parts, and no image has to be pulled.

The database keeps its data on a volume of a fixed size there. As root it needs the rights to start
its server as somebody else.

This process keeps it. It holds a lock for as long as it lives, and the part ends when it gets that
lock: nothing runs on when this process is killed. It removes the container when it is told to end,
or its owner is gone. One that was left all the same is removed by the next start.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import gameday
from gameday.demo.engine import IMAGE, Engine, EngineError, root_links, small_root
from gameday.demo.lifeline import LOCK_VARIABLE, signal_on_owner_death, watch_owner
from gameday.demo.postgres import DATA_VARIABLE
from gameday.demo.settings import Settings, read_settings, read_status
from gameday.demo.tools import tools
from gameday.demo.topology import BOXES, container_name
from gameday.demo.wishes import wished

LABEL = "gameday.shop"
#: Where the database has its data, and how much room there is.
DATA, DATA_BYTES = "/gameday-data", 128 * 2**20
_SCRATCH = "/gameday-scratch"
#: It looks itself up there.
_USERS = ("/etc/passwd", "/etc/group")
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/nix")
_POLL_S = 0.2
_CREATE_TRIES = 3


def main(arguments: list[str]) -> int:
    """Keep the container until SIGTERM, or until the owner is gone. Returns an exit code."""
    name, settings = arguments[0], read_settings(Path(arguments[1]))
    assert name in BOXES  # noqa: S101 - nobody else calls this
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    signal_on_owner_death(signal.SIGTERM)
    watch_owner(over.set)
    engine = Engine(settings.docker)
    lock = settings.state_dir / "run" / f"{name}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        return _kept(engine, settings, name, lock, over)


def _kept(engine: Engine, settings: Settings, name: str, lock: Path, over: threading.Event) -> int:
    box = container_name(settings.topology, name)
    try:
        _clean(engine)
        with (settings.state_dir / "run" / "image.lock").open("w") as one:
            fcntl.flock(one, fcntl.LOCK_EX)  # or each of two would make it
            _create(engine, box, _config(settings, name, lock))
        engine.start(box)
        return _watched(engine, settings, name, over)
    except EngineError as error:
        print(error, flush=True)  # noqa: T201 - its log
        return 1
    finally:
        _gone(engine, box)


def _watched(engine: Engine, settings: Settings, name: str, over: threading.Event) -> int:
    """Until the end: started again on a wish; ended before it was ever ready is a failure."""
    ready, box = False, container_name(settings.topology, name)
    while not over.wait(_POLL_S):
        ready = ready or bool(read_status(settings, name).get("ready"))
        if ready and not settings.wish(name).exists():
            continue
        running = engine.state(box).get("Running")
        if not running and not ready:
            print(engine.logs(box), flush=True)  # noqa: T201 - its log
            return 1
        if not running and wished(settings, name):
            engine.start(box)
    return 0


def _gone(engine: Engine, box: str) -> None:
    try:
        engine.remove(box)
        engine.remove_image(IMAGE)  # stays while another container is made of it
    except EngineError as error:
        print(error, flush=True)  # noqa: T201 - its log


def _clean(engine: Engine) -> None:
    """Remove containers and volumes of shops that are gone: nobody holds their lock."""
    for found in engine.listed(LABEL):
        if _free(Path(str(found["Labels"][LABEL]))):
            engine.remove(str(found["Id"]))
    for found in engine.unused_volumes(LABEL):  # a helper may have held it when its container went
        if _free(Path(str(found["Labels"][LABEL]))):
            engine.remove_volume(str(found["Name"]))


def _free(lock: Path) -> bool:
    try:
        with lock.open("r") as file:
            return _taken(file)
    except OSError:
        return True


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create(engine: Engine, box: str, config: dict[str, Any]) -> None:
    """The image and the container. Another shop may remove an image that nothing is made of yet."""
    for tries_left in reversed(range(_CREATE_TRIES)):
        _make_image(engine)
        try:
            engine.create(box, config)
        except EngineError as error:
            if error.status != HTTPStatus.NOT_FOUND or not tries_left:
                raise
        else:
            return


def _make_image(engine: Engine) -> None:
    """The layout of this machine's root, and a few of its programs as they are now.

    One that is left of a shop that was killed, perhaps of an older version, is made anew. While
    anything is made of it, it stays.
    """
    engine.remove_image(IMAGE)
    if not engine.has_image(IMAGE):
        repository, tag = IMAGE.split(":")
        engine.import_image(repository, tag, small_root(root_links(), tools()))


def _config(settings: Settings, name: str, lock: Path) -> dict[str, Any]:
    state = str(settings.state_dir)
    passed = {key: os.environ[key] for key in ("PATH", "LANG", "PYTHONPATH") if key in os.environ}
    environment = {**passed, "HOME": state, "PYTHONUNBUFFERED": "1", LOCK_VARIABLE: str(lock)}
    host: dict[str, Any] = {
        "Binds": [*(f"{place}:{place}:ro" for place in _places()), f"{state}:{state}:rw"],
        "NetworkMode": "host",
        "PidMode": "host",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
    }
    if name == "postgres":
        environment |= {DATA_VARIABLE: DATA, "TMPDIR": _SCRATCH}
        host |= _for_the_database(lock)
        host["Binds"] = [*(f"{one}:{one}:ro" for one in _USERS), *host["Binds"]]
    return {
        "Image": IMAGE,
        "Cmd": [sys.executable, "-P", "-m", "gameday.demo.part", name, str(settings.file)],
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "User": f"{os.getuid()}:{os.getgid()}",
        "WorkingDir": state,
        "Labels": {LABEL: str(lock)},
        "Tty": True,
        "HostConfig": host,
    }


def _for_the_database(lock: Path) -> dict[str, Any]:
    """A volume that goes with the container, room for all else, and the rights to be another."""
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={DATA_BYTES},mode=1777"}
    driver = {"Name": "local", "Options": options}
    volume = {"NoCopy": True, "DriverConfig": driver, "Labels": {LABEL: str(lock)}}
    return {
        "Mounts": [{"Type": "volume", "Target": DATA, "VolumeOptions": volume}],
        "Tmpfs": {_SCRATCH: "mode=1777,exec"},
        "CapAdd": [] if os.getuid() else ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"],
    }


def _places() -> list[str]:
    """What has to be seen to run this Python: folders, none of them within another."""
    python = Path(sys.executable)
    own = [sys.prefix, sys.base_prefix, str(Path(gameday.__file__).parents[1]), *sys.path]
    places = {Path(place) for place in (*_SYSTEM, *own) if place}
    places |= {python.parent, python.resolve().parents[1]}
    there = {place.resolve() for place in places if place.exists()}
    # A link is seen by its own name too, but for those in the root, which the image has.
    there |= {p for p in places if p.exists() and p != p.resolve() and len(p.parts) > 2}
    return _outermost(there)


def _outermost(places: Iterable[Path]) -> list[str]:
    found: list[Path] = []
    for place in sorted(places, key=lambda one: len(one.parts)):
        if not any(place.is_relative_to(other) for other in found):
            found.append(place)
    return [str(place) for place in found]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
