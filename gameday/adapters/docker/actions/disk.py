"""A volume or a tmpfs of a container filled, down to a floor that is kept.

A helper writes one file with the name of run and fault. A volume is mounted into the helper; a
tmpfs is reached through the process of the container that has it mounted. The root file system and
folders of the host are never filled. A volume outlives its container, and so does the debt.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.common import refuse_unless_running
from gameday.adapters.docker.engine import Answer, Engine, Found, NotThereError
from gameday.adapters.docker.helper_container import (
    NotStartedError,
    Place,
    image_again,
    image_of,
    last_words,
    run_beside,
    run_script,
    sweep,
)
from gameday.errors import AdapterError, CannotSeeError, NoEffectError

#: Folder and name of our file -> a shell script.
_Script = Callable[[str, str], str]
_MOUNTED = "/gameday-volume"
#: The floor on the disk on which the engine itself lives, with all its other containers.
SHARED_RESERVE = 1_000_000_000
#: A tmpfs is memory of the host: more than this share of it is not taken.
MEMORY_SHARE = 0.25
#: Filling has to end well before the call has to.
FILL_S = 5
#: How near to the floor the file has to come.
NEAR = 1_000_000
_FACTS = re.compile(r"^gameday (\w+) (\S+)$", re.MULTILINE)


def file_name(run: str, fault: str) -> str:
    """The name of the file. Raises `NoEffectError` for names that cannot be one."""
    for name in (run, fault):
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name):
            raise NoEffectError(f"`{name}` cannot be put into the name of a file")
    return f"gameday-{run}-{fault}.fill"


def where_of(container: Found, path: str) -> dict[str, Any]:
    """Which volume or tmpfs is mounted at *path*. Raises `NoEffectError` when neither is."""
    wanted = path.rstrip("/") or "/"
    mounts = {
        str(m.get("Destination", "")).rstrip("/"): m for m in container.attrs.get("Mounts") or []
    }
    tmpfs = {p.rstrip("/") for p in container.host.get("Tmpfs") or {}}
    found = mounts.get(wanted)
    kind = "tmpfs" if wanted in tmpfs else str(found.get("Type", "")) if found else ""
    if kind == "volume" and found:
        if not found.get("RW", True):
            raise NoEffectError(f"`path: {path}` is mounted read-only in `{container.name}`")
        return {"kind": "volume", "volume": str(found["Name"]), "path": wanted}
    if kind == "tmpfs":
        return {"kind": "tmpfs", "path": wanted}
    good = sorted({p for p, m in mounts.items() if m.get("Type") in ("volume", "tmpfs")} | tmpfs)
    what = "a folder of the host" if kind == "bind" else "no volume or tmpfs"
    raise NoEffectError(
        f"`path: {path}` is {what} in container `{container.name}`; these can be filled there: "
        + (", ".join(f"`{p}`" for p in good) or "none, it has no volume and no tmpfs")
    )


def problem_of(facts: Mapping[str, Any], options: Mapping[str, Any], mem_total: int) -> str | None:
    """Why it must not be filled down to the reserve, pure; None when it may.

    *facts* has `free` and `size` in bytes, `type` of the file system, `same_as_engine`.
    """
    reserve, free = int(options["reserve"]), int(facts["free"])
    path, fill = options["path"], int(facts["free"]) - int(options["reserve"])
    if fill < NEAR:
        return (
            f"`path: {path}` has {free} bytes free and `reserve` is {reserve} bytes: there is "
            "nothing to fill; lower `reserve`"
        )
    if facts["type"] == "tmpfs" and fill > mem_total * MEMORY_SHARE:
        return (
            f"`path: {path}` is memory, and filling it would take {fill} of the {mem_total} bytes "
            "of the engine's host; mount it with a `size`"
        )
    if facts["same_as_engine"] and reserve < SHARED_RESERVE:
        return (
            f"`path: {path}` lies on the disk of the Docker engine itself, which everything there "
            f"needs; give `reserve: {SHARED_RESERVE // 10**9}GB` or more, or use a volume with a "
            "size of its own"
        )
    return None


class Disk:
    """The action."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Where it is, how much is free, and that it may be filled."""
        where = where_of(container, str(options["path"]))
        image = image_of(engine)
        if where["kind"] == "tmpfs":
            _refuse_unreachable(container)
        mark, place = Mark(run="look", fault="disk"), _place(where, container.id)
        said = run_script(engine, look_script(_folder(where)), image=image, mark=mark, place=place)
        facts = _facts(said)
        if said.code != 0 or "free" not in facts:
            raise NoEffectError(
                f"`path: {options['path']}` of container `{container.name}` cannot be looked at: "
                f"{last_words(said.output)}"
            )
        if facts.get("mounted") == "no":
            raise NoEffectError(
                f"nothing is mounted at `path: {options['path']}` of container "
                f"`{container.name}` now"
            )
        seen = {
            "free": int(facts["free"]),
            "size": int(facts["size"]),
            "type": facts["type"],
            "same_as_engine": facts["device"] == facts["engine_device"],
        }
        problem = problem_of(seen, options, int(engine.info().get("MemTotal", 0)))
        if problem:
            raise NoEffectError(problem)
        return {"image": image, "where": where, "reserve": int(options["reserve"]), **seen}

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Fill it, never below the reserve, and read back what is free."""
        del options  # the reserve was recorded when it was looked at
        where, reserve = before["where"], int(before["reserve"])
        script = fill_script(_folder(where), file_name(mark.run, mark.fault), reserve)
        said = run_script(
            engine,
            script,
            image=image_of(engine),
            mark=mark,
            place=_place(where, container.id),
            within_s=FILL_S + 3.0,
        )
        facts = _facts(said)
        if said.code == _NOTHING_DONE:
            raise NoEffectError(
                f"`path: {where['path']}` of container `{container.name}` was not filled: "
                f"{last_words(said.output)}"
            )
        free = int(facts.get("free", -1))
        if said.code != 0 or free < 0 or free > reserve + NEAR:
            raise AdapterError(
                f"`path: {where['path']}` of container `{container.name}` has {free} bytes free "
                f"and should have {reserve}: {last_words(said.output)}"
            )
        return {
            "file": f"{where['path']}/{file_name(mark.run, mark.fault)}",
            "filled_bytes": int(facts["filled"]),
            "free_bytes": free,
            "free_bytes_before": before["free"],
        }

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Delete exactly our file; read back that it is gone, and what is free."""
        sweep(engine, Mark.of(part), container.id)  # a call that was given up ends here
        return _deleted(self._ask(engine, container, part, delete_script), part)

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether our file is there."""
        said = self._ask(engine, container, part, seen_script)
        return said is not None and _facts(said).get("there") == "yes"

    def revert_gone(self, engine: Engine, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same when the container is gone: its volume may not be."""
        sweep(engine, Mark.of(part), part["id"])
        there = _volume_there(engine, part)
        return _deleted(self._run(engine, part, delete_script) if there else None, part)

    def present_gone(self, engine: Engine, part: Mapping[str, Any]) -> bool:
        """The same when the container is gone."""
        if not _volume_there(engine, part):
            return False
        return _facts(self._run(engine, part, seen_script)).get("there") == "yes"

    def _ask(
        self, engine: Engine, container: Found, part: Mapping[str, Any], script: _Script
    ) -> Answer | None:
        """What a script says of our file; None when the tmpfs is gone with the process."""
        where = part["before"]["where"]
        if where["kind"] != "tmpfs":
            try:
                return self._run(engine, part, script)
            except NotStartedError as error:
                raise CannotSeeError(str(error)) from error
        words, place = script(_folder(where), _name(part)), _place(where, part["id"])
        said = run_beside(engine, container, part, words, place)
        return None if said is None else _seen(said, part)

    def _run(self, engine: Engine, part: Mapping[str, Any], script: _Script) -> Answer:
        where = part["before"]["where"]
        said = run_script(
            engine,
            script(_folder(where), _name(part)),
            image=image_again(engine, part["before"]),
            mark=Mark.of(part),
            place=_place(where, part["id"]),
        )
        return _seen(said, part)


DISK = Disk()
_NOTHING_DONE = 5


def look_script(folder: str) -> str:
    """Free and whole size, type and device of the file system there, and the engine's device."""
    return "\n".join([
        f"d={shlex.quote(folder)}",
        'stat -f -c "%a %b %S %T" "$d" >/dev/null || exit 4',
        _FREE,
        'set -- $(stat -f -c "%b %S %T" "$d")',
        'echo; echo "gameday size $(($1 * $2))"; echo "gameday type $3"',
        'echo "gameday free $(free)"',
        'echo "gameday device $(stat -c %d "$d")"',
        # The engine mounts this file from its own disk into every container.
        'echo "gameday engine_device $(stat -c %d /etc/hosts)"',
        'case "$d" in /proc/1/root/*) [ "$(stat -c %d "$d")" != "$(stat -c %d /proc/1/root/)" ] ||'
        ' echo "gameday mounted no";; esac',
    ])  # fmt: skip


def fill_script(folder: str, name: str, reserve: int) -> str:
    """Grow our file in steps, looking at what is free before each; give back what was too much.

    Ends with `_NOTHING_DONE` when it wrote nothing.
    """
    return "\n".join([
        f"d={shlex.quote(folder)}; f=\"$d\"/{shlex.quote(name)}; reserve={reserve}",
        _FREE,
        # The file is made anew, or is the plain one that an earlier call has made.
        '( set -C; umask 077; : >"$f" ) 2>/dev/null || { [ -f "$f" ] && [ ! -L "$f" ]; } || '
        f'{{ echo "$f cannot be made"; exit {_NOTHING_DONE}; }}',
        'size=$(stat -c %s "$f"); quick=yes; until=$(($(date +%s) + ' + str(FILL_S) + "))",
        'while [ "$(date +%s)" -lt "$until" ]; do',
        "  more=$(($(free) - reserve)); [ $more -ge 65536 ] || break",
        "  piece=$more; if [ $more -gt 268435456 ]; then piece=$((more / 2)); fi",
        '  if [ $quick = yes ] && fallocate -o $size -l $piece "$f" 2>/dev/null; then :; else',
        "    quick=no; if [ $piece -gt 67108864 ]; then piece=67108864; fi",
        '    dd if=/dev/zero bs=65536 count=$((piece / 65536)) >>"$f" 2>/dev/null || break',
        "  fi",
        '  size=$(stat -c %s "$f")',
        "done",
        "lack=$((reserve - $(free)))",
        'if [ $lack -gt 0 ]; then size=$((size - lack - 65536)); [ $size -gt 0 ] || size=0; '
        'truncate -s $size "$f"; fi',
        f'if [ ! -s "$f" ]; then rm -f "$f"; echo "nothing was written"; exit {_NOTHING_DONE}; fi',
        'echo; echo "gameday filled $size"; echo "gameday free $(free)"',
    ])  # fmt: skip


def delete_script(folder: str, name: str) -> str:
    """Delete our file, and no other; say whether it was there, is there, and what is free."""
    return "\n".join([
        f"d={shlex.quote(folder)}; f=\"$d\"/{shlex.quote(name)}",
        _FREE,
        'if [ -e "$f" ] || [ -L "$f" ]; then echo "gameday was yes"; fi',
        'rm -f "$f"',
        _THERE,
        'echo "gameday free $(free)"',
    ])  # fmt: skip


def seen_script(folder: str, name: str) -> str:
    """Say whether our file is there."""
    return f'd={shlex.quote(folder)}; f="$d"/{shlex.quote(name)}\n{_THERE}'


_FREE = 'free() { set -- $(stat -f -c "%a %S" "$d"); echo $(($1 * $2)); }'
_THERE = (
    'if [ ! -d "$d" ]; then exit 4; fi\n'
    'if [ -e "$f" ] || [ -L "$f" ]; then echo "gameday there yes"; else echo "gameday there no"; fi'
)


def _facts(said: Answer) -> dict[str, str]:
    return dict(_FACTS.findall(said.output))


def _seen(said: Answer, part: Mapping[str, Any]) -> Answer:
    if said.code != 0 or "there" not in _facts(said):
        raise CannotSeeError(
            f"`{part['before']['where']['path']}` of container `{part['name']}` cannot be looked "
            f"at: {last_words(said.output)}"
        )
    return said


def _deleted(said: Answer | None, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts of a deletion that was read back; None: there is nothing to delete from any more."""
    if said is None:
        return {"deleted": False, "unmounted": True}
    facts = _facts(said)
    if facts["there"] != "no":
        raise AdapterError(
            f"`{_name(part)}` in `{part['before']['where']['path']}` of container `{part['name']}` "
            f"cannot be deleted: {last_words(said.output)}"
        )
    return {"deleted": facts.get("was") == "yes", "free_bytes": int(facts.get("free", -1))}


def _volume_there(engine: Engine, part: Mapping[str, Any]) -> bool:
    """Whether it is a volume, and on the engine: mounting one that is not would make it anew."""
    where = part["before"]["where"]
    if where["kind"] != "volume":
        return False
    name = str(where["volume"])
    try:
        engine._do(f"looking at volume `{name}`", lambda api: api.inspect_volume(name))
    except NotThereError:
        return False
    return True


def _name(part: Mapping[str, Any]) -> str:
    return file_name(part["run"], part["fault"])


def _folder(where: Mapping[str, Any]) -> str:
    return _MOUNTED if where["kind"] == "volume" else f"/proc/1/root{where['path']}"


def _place(where: Mapping[str, Any], target: str) -> Place:
    """A helper that sees the volume; or the files of the container's first process."""
    if where["kind"] == "volume":
        volumes = {str(where["volume"]): _MOUNTED}
        return Place(target=target, volumes=volumes, capabilities=("DAC_OVERRIDE",))
    return Place(target=target, pids=True, capabilities=("DAC_OVERRIDE", "SYS_PTRACE"))


def _refuse_unreachable(container: Found) -> None:
    refuse_unless_running(container, paused_is_fine=True)
    if container.host.get("PidMode"):
        raise NoEffectError(
            f"container `{container.name}` shares its process numbers with "
            f"`{container.host['PidMode']}`, so that its tmpfs cannot be reached"
        )
