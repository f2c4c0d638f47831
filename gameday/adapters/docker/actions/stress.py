"""Processor, memory and disk work beside a container, in its own control group.

stress-ng runs in a helper whose control group is made inside that of the container, so that limits
and accounting of the container hold for both together, and the container needs no tools. Neither a
restart nor the removal of the container ends the helper: the undo removes it whatever became of the
container, and it ends by itself after an hour.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
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
#: Name and control groups of each process of the helper, one a line.
_LIST = (
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
    """Whether all controllers in one line of the listing of processes are below that group."""
    found = {name: path for path, names in _groups(line.replace(" ", "\n")) for name in names}
    return all(found.get(name, "").startswith(f"{group}/") for name in _CONTROLLERS)


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
        place = Place(target=container.id, cgroup_parent=before["group"], host_cgroups=True)
        made = start_long(engine, before["words"], image=image_of(engine), mark=mark, place=place)
        wanted = workers_of(options)
        deadline = time.monotonic() + engine.left_s(_SEEN_S)
        while True:
            seen, astray = self._workers(engine, made, before["group"])
            if astray:
                engine.remove(made)
                raise NoEffectError(
                    f"stress-ng did not come into the control group of `{container.name}` but into "
                    f"another one ({last_words(astray)}); it was ended"
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
        return self.revert_gone(engine, {**part, "id": container.id})

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether the helper is there."""
        return self.present_gone(engine, {**part, "id": container.id})

    def revert_gone(self, engine: Engine, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same when the container is gone: the helper is not."""
        mark = Mark(run=part["run"], fault=part["fault"])
        ran = sum(one.get("State") == "running" for one in helpers(engine, mark, part["id"]))
        return {"helpers": sweep(engine, mark, part["id"]), "ran_until_now": ran > 0}

    def present_gone(self, engine: Engine, part: Mapping[str, Any]) -> bool:
        """The same when the container is gone."""
        mark = Mark(run=part["run"], fault=part["fault"])
        found = helpers(engine, mark, part["id"])
        return any(one.get("State") not in _ENDED for one in found)

    def _workers(self, engine: Engine, helper: str, group: str) -> tuple[dict[str, int], str]:
        """Workers by name, and the first that is in another control group."""
        said = engine.exec(helper, ["/bin/sh", "-c", _LIST])
        if said.code != 0:
            raise CannotSeeError(f"the workers cannot be listed: {last_words(said.output)}")
        seen: dict[str, int] = {}
        for line in said.output.splitlines():
            name, _, groups = line.partition(" ")
            if name.startswith("stress-ng-"):
                seen[name] = seen.get(name, 0) + 1
                if not inside(groups, group):
                    return seen, line
        return seen, ""


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
    if not container.running or container.state.get("Restarting"):
        raise NoEffectError(f"container `{container.name}` does not run; start it first")
    if container.host.get("PidMode"):
        raise NoEffectError(
            f"container `{container.name}` shares its process numbers with "
            f"`{container.host['PidMode']}`, so that its control group cannot be told"
        )
