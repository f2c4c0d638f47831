"""Processor, memory and disk work beside a container, in its own control group.

stress-ng runs in a helper whose control group is made inside that of the container, so that limits
and accounting of the container hold for both together, and the container needs no tools. The helper
shares the container's process numbers, too: when the first process of the container ends, the
kernel ends the helper with it, so that nothing outlives a container that is restarted or removed.
Whatever happens, it ends by itself after an hour.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.common import refuse_unless_running
from gameday.adapters.docker.engine import Engine, Found
from gameday.adapters.docker.helper_container import (
    Place,
    helpers,
    image_of,
    last_words,
    run_script,
    start_long,
    sweep,
)
from gameday.errors import AdapterError, CannotSeeError, NoEffectError

#: stress-ng ends by itself after this time, whoever forgot it.
LONGEST_S = 3_600
_SEEN_S = 4.0
_POLL_S = 0.1
#: Controllers of version 1 whose groups have to be the container's.
_CONTROLLERS = ("cpu", "memory")
_ENDED = ("exited", "dead", "removing")
#: Name and control groups of the helper itself (`self`), and of each process that it can see: those
#: of the container too.
_LIST = (
    'printf "self "; tr "\\n" " " </proc/self/cgroup; echo; '
    'for p in /proc/[0-9]*; do printf "%s " "$(cat $p/comm 2>/dev/null)"; '
    'tr "\\n" " " <$p/cgroup 2>/dev/null; echo; done'
)


def words_of(options: Mapping[str, Any]) -> list[str]:
    """What stress-ng is told, pure. Raises `ValueError` when there is nothing to do.

    `cpu` and `io` are numbers of workers, `memory` bytes.
    """
    cpu, memory, io = options.get("cpu"), options.get("memory"), options.get("io")
    words: list[str] = []
    if cpu:
        words += ["--cpu", str(int(cpu))]
    if memory:
        words += ["--vm", "1", "--vm-bytes", f"{int(memory)}b", "--vm-keep"]
    if io:
        words += ["--io", str(int(io))]
    if not words:
        raise ValueError("`stress` needs `cpu`, `memory` or `io`")
    return ["stress-ng", "--timeout", f"{LONGEST_S}s", "--temp-path", "/tmp", *words]  # noqa: S108


def workers_of(options: Mapping[str, Any]) -> dict[str, int]:
    """Name of a worker -> how many there have to be at least."""
    memory = 1 if options.get("memory") else 0
    asked = {"cpu": options.get("cpu") or 0, "vm": memory, "io": options.get("io") or 0}
    return {f"stress-ng-{name}": int(count) for name, count in asked.items() if count}


def group_of(listing: str) -> str | None:
    """The control group in what `/proc/PID/cgroup` says (version 1); None when they differ."""
    groups = {name: path for path, names in _groups(listing) for name in names}
    found = {groups.get(name) for name in _CONTROLLERS}
    return found.pop() if len(found) == 1 else None


def inside(line: str, group: str) -> bool:
    """Whether processor and memory in one line of the listing are of that group."""
    found = {name: path for path, names in _groups(line.replace(" ", "\n")) for name in names}
    return all(found.get(name) == group for name in _CONTROLLERS)


def _groups(listing: str) -> list[tuple[str, list[str]]]:
    """Path and controllers of each hierarchy."""
    parts = (line.strip().split(":", 2) for line in listing.splitlines())
    return [(part[2], part[1].split(",")) for part in parts if len(part) == 3]


class Stress:
    """The action."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Where the control group of the container is, and that a group can be made in it."""
        try:
            words = words_of(options)
        except ValueError as error:
            raise NoEffectError(str(error)) from None
        image = image_of(engine)
        _refuse_groups(engine.info(), engine.url)
        _refuse_container(container)
        place = Place(target=container.id, pids=True, host_cgroups=True)
        mark = Mark(run="look", fault="stress")
        said = run_script(
            engine, "cat /proc/1/cgroup; stress-ng --version", image=image, mark=mark, place=place
        )
        group = group_of(said.output)
        if said.code != 0:
            raise NoEffectError(
                f"the helper image `{image}` cannot be used: {last_words(said.output)}"
            )
        if group is None or container.id not in group:
            raise NoEffectError(
                f"the control group of container `{container.name}` cannot be told: it is "
                f"`{group}`, and should have the container's id in it"
            )
        return {"image": image, "group": group, "words": words}

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Start the workers, and see each of them in the control group of the container."""
        place = Place(
            target=container.id, pids=True, cgroup_parent=before["group"], host_cgroups=True
        )
        made = start_long(engine, before["words"], image=image_of(engine), mark=mark, place=place)
        wanted, own = workers_of(options), f"{before['group']}/{made}"
        deadline = time.monotonic() + engine.left_s(_SEEN_S)
        while True:
            seen = self._workers(engine, made, own)
            if seen is None:
                engine.remove(made)
                raise NoEffectError(
                    f"stress-ng did not come into the control group of `{container.name}` but "
                    "into another one; it was ended"
                )
            if all(seen.get(name, 0) >= count for name, count in wanted.items()):
                return {"workers": seen, "group": before["group"], "helper": made[:12]}
            if time.monotonic() > deadline:
                raise AdapterError(
                    f"of the stress workers {wanted} for container `{container.name}` only "
                    f"{seen} were seen within {_SEEN_S:g} s"
                )
            time.sleep(_POLL_S)

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """End the workers; says whether they still ran until then."""
        mark = Mark.of(part)
        found = helpers(engine, mark, container.id)
        ran = any(one.get("State") == "running" for one in found)
        return {"helpers": sweep(engine, mark, container.id), "ran_until_now": ran}

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether the helper is there."""
        found = helpers(engine, Mark.of(part), container.id)
        return any(one.get("State") not in _ENDED for one in found)

    def _workers(self, engine: Engine, helper: str, group: str) -> dict[str, int] | None:
        """Workers in the helper's control group by name; None when the helper is in another one."""
        said = engine.exec(helper, ["/bin/sh", "-c", _LIST])
        lines = [line.partition(" ") for line in said.output.splitlines()]
        if said.code != 0 or not lines or lines[0][0] != "self":
            raise CannotSeeError(f"the workers cannot be listed: {last_words(said.output)}")
        if not inside(lines[0][2], group):
            return None
        seen: dict[str, int] = {}
        for name, _, groups in lines:
            if name.startswith("stress-ng-") and inside(groups, group):
                seen[name] = seen.get(name, 0) + 1
        return seen


STRESS = Stress()


def _refuse_groups(info: Mapping[str, Any], url: str) -> None:
    version, driver = str(info.get("CgroupVersion", "1")), str(info.get("CgroupDriver", ""))
    if version != "1":
        raise NoEffectError(
            f"the Docker engine at {url} uses control groups of version {version}: there no group "
            "can be made inside that of a container, which has processes of its own; limit the "
            "container instead with `cpu` or `memory`"
        )
    if driver != "cgroupfs":
        raise NoEffectError(
            f"the Docker engine at {url} uses the control group driver `{driver}`, with which no "
            "group can be made inside that of a container (`cgroupfs` can); limit the container "
            "instead with `cpu` or `memory`"
        )


def _refuse_container(container: Found) -> None:
    refuse_unless_running(container, paused_is_fine=True)
    if container.host.get("PidMode"):
        raise NoEffectError(
            f"container `{container.name}` shares its process numbers with "
            f"`{container.host['PidMode']}`, so that its control group cannot be told"
        )
