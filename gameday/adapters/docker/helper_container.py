"""Helper containers: a program of ours beside a container, in its namespaces or its control group.

The target needs no tools. The image is named in the project file and is never pulled. A helper gets
the few capabilities that it is asked for and no others, never all of them. It ends by itself, is
removed by whoever started it, and carries labels by which it is found when nobody did.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.engine import Answer, Engine, EngineError, Found, SilentError
from gameday.errors import AdapterError, CannotSeeError, NoEffectError

#: The id of the container that a helper stands beside.
TARGET_LABEL = "gameday.target"
#: A helper that was forgotten ends by itself after this time.
LONGEST_S = 20
#: What a script is waited for, unless told otherwise.
SCRIPT_S = 5.0
#: What iptables needs, in both of its makes.
PACKETS = ("NET_ADMIN", "NET_RAW")
#: Marks the end of what a script says: without it the rest was lost.
_END = "== gameday: all said =="
_LINES = 5_000
_PIDS = 256


class NotStartedError(NoEffectError):
    """The engine refused to start a helper: what it was to do was not done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a helper stands. By default alone: namespaces of its own, no network, nothing mounted.

    `target` is the id of the container that it is for. With `network` and `pids` it shares that
    namespace of it; `cgroup_parent` is the control group in which its own is made; `volumes` are
    named volumes and where it sees them.
    """

    target: str
    network: bool = False
    pids: bool = False
    cgroup_parent: str | None = None
    host_cgroups: bool = False  # it sees the names of control groups as the host does
    capabilities: tuple[str, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)


def image_of(engine: Engine) -> str:
    """The image of helpers, looked up on the engine. Raises `NoEffectError` with what to do."""
    image = engine.helper_image
    if not image:
        raise NoEffectError(
            "this fault needs a helper container, and the environment names no image for it; add "
            "`docker: {helper_image: NAME}` to it, an image with sh, timeout, iptables, tc and "
            "stress-ng"
        )
    if not engine.has_image(image):
        raise NoEffectError(
            f"the helper image `{image}` is not on the Docker engine at {engine.url}, and gameday "
            f"pulls nothing; get it with `docker -H {engine.url} pull {image}`"
        )
    return image


def image_again(engine: Engine, before: Mapping[str, Any]) -> str:
    """The image with which a fault was put in, to take it out. Raises `CannotSeeError`."""
    image = str(before.get("image") or engine.helper_image)
    if not engine.has_image(image):
        raise CannotSeeError(
            f"the helper image `{image}`, with which the fault was put in, is not on the Docker "
            f"engine at {engine.url} any more; get it back with "
            f"`docker -H {engine.url} pull {image}`"
        )
    return image


def run_script(
    engine: Engine, script: str, *, image: str, mark: Mark, place: Place, within_s: float = SCRIPT_S
) -> Answer:
    """Run a shell script in a helper to its end, and remove the helper.

    The exit code is the script's. Raises `CannotSeeError` when it does not end in time, or when
    what it said was lost.
    """
    wrapped = f"trap 'code=$?; echo; echo \"{_END}\"; exit $code' EXIT\nexec 2>&1\n{script}\n"
    # By its whole path: the `timeout` of some busybox takes `sh` for itself, and with it `tc`.
    command = ["timeout", str(LONGEST_S), "/bin/sh", "-c", wrapped]
    made = _started(engine, command, image=image, mark=mark, place=place)
    try:
        code = engine.wait_exit(made, within_s)
        said = engine.logs(made, tail=_LINES)
    finally:
        _remove_quietly(engine, made)
    body, end, _ = said.rpartition(_END)
    if not end or said.count("\n") >= _LINES:
        raise CannotSeeError(
            f"a helper container for fault `{mark.fault}` ended with {code} before it had said "
            f"all: {last_words(said)}"
        )
    return Answer(code=code, output=body)


def start_long(
    engine: Engine, command: Sequence[str], *, image: str, mark: Mark, place: Place
) -> str:
    """Start a helper that goes on until its program ends (bound it), and is removed then.

    Returns its id. Nothing is left when the start fails.
    """
    return _started(engine, command, image=image, mark=mark, place=place, passing=True)


def helpers(engine: Engine, mark: Mark, target: str) -> list[Mapping[str, Any]]:
    """The helpers of one fault for one container, also those that do not run."""
    labels = [f"{key}={value}" for key, value in {**mark.labels, TARGET_LABEL: target}.items()]
    return engine.containers(every=True, labels=labels)


def sweep(engine: Engine, mark: Mark, target: str) -> int:
    """Remove every helper of one fault for one container; returns how many there were."""
    found = helpers(engine, mark, target)
    for one in found:
        engine.remove(str(one["Id"]))
    return len(found)


def run_beside(
    engine: Engine, container: Found, part: Mapping[str, Any], script: str, place: Place
) -> Answer | None:
    """Run a script where a container runs, to look at or mend what *part* of an undo record says.

    None when it does not run any more, and what was done to it is gone with it. Raises
    `CannotSeeError` when it runs, and the helper could not join it for another reason.
    """
    if not container.running:
        return None
    image, mark = image_again(engine, part["before"]), Mark.of(part)
    try:
        return run_script(engine, script, image=image, mark=mark, place=place)
    except NotStartedError as error:
        now = engine.find(container.id)
        if now is None or not now.running:
            return None
        raise CannotSeeError(str(error)) from error


def last_words(text: str) -> str:
    """The end of what a program said, in one line, for an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-400:] or "nothing was said"


def _config(
    command: Sequence[str], image: str, mark: Mark, place: Place, *, passing: bool
) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": f"container:{place.target}" if place.network else "none",
        "PidMode": f"container:{place.target}" if place.pids else "",
        "CapDrop": ["ALL"],
        "CapAdd": list(place.capabilities),
        "Privileged": False,
        "SecurityOpt": ["no-new-privileges"],
        "AutoRemove": passing,
        "Init": passing and not place.pids,
        "PidsLimit": _PIDS,
        "RestartPolicy": {"Name": "no"},
        # What it says has to be readable, whatever the engine does with the output of others.
        "LogConfig": {"Type": "json-file", "Config": {}},
        "Mounts": [
            {"Type": "volume", "Source": name, "Target": at, "VolumeOptions": {"NoCopy": True}}
            for name, at in place.volumes.items()
        ],
    }
    if place.cgroup_parent:
        host["CgroupParent"] = place.cgroup_parent
    if place.host_cgroups:
        host["CgroupnsMode"] = "host"
    return {
        "Image": image,
        "Entrypoint": [],
        "Cmd": list(command),
        "User": "0",
        "WorkingDir": "/",
        "Labels": {**mark.labels, TARGET_LABEL: place.target},
        "HostConfig": host,
    }


def _started(
    engine: Engine,
    command: Sequence[str],
    *,
    image: str,
    mark: Mark,
    place: Place,
    passing: bool = False,
) -> str:
    """Create and start; with *passing* the engine removes it when it ends. Nothing stays behind."""
    name = f"gameday-helper-{mark.run}-{mark.fault}-{secrets.token_hex(4)}"
    try:
        made = engine.create(name, _config(command, image, mark, place, passing=passing))
        engine.start(made)
    except EngineError as error:
        _remove_quietly(engine, name)
        raise NotStartedError(f"a helper container cannot be started: {error}") from error
    except SilentError:
        _remove_quietly(engine, name)  # it may have been made all the same
        raise
    return made


def _remove_quietly(engine: Engine, name: str) -> None:
    """On ways out; what cannot be removed now is swept by its labels later."""
    with suppress(AdapterError):
        engine.remove(name)
