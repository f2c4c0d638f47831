"""Which containers a target means, and whether they may be broken."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import RUN_LABEL
from gameday.adapters.docker.engine import Engine, Found
from gameday.errors import NoEffectError
from gameday.model.project import ContainerRef, DockerSpec, Target

ALLOW_LABEL = "gameday.allow"
LEASE_PREFIX = "gameday-lease-"


def resolve(engine: Engine, target: Target, docker: DockerSpec, seed: int) -> tuple[Found, ...]:
    """The containers of *target*, in the order of their names. All of them run.

    The seed chooses where several match and one is to be picked. Raises `NoEffectError` when there
    is none, when one must not be touched, or when a label means every container of the engine.
    """
    ref = target.container
    if ref is None or not (ref.name or ref.label):
        raise NoEffectError(
            f"target `{target.name}` has no `container`; give it a `name` or a `label`"
        )
    if ref.name:
        return (_named(engine, ref.name, target),)
    return _labelled(engine, ref, target, docker, seed)


def absent(engine: Engine, target: Target) -> str:
    """Why there is no container of *target*, in words; empty where there is one.

    One that may not be broken, or does not run, is there: `resolve` says what is wrong with it.
    """
    ref = target.container
    if ref is not None and ref.name:
        return "" if engine.find(ref.name) else _no_container(engine, ref.name, target)
    label = ref.label if ref is not None else None
    if label is None or engine.containers(every=True, labels=[label]):
        return ""
    return _no_label(engine, label, target)


def is_ours(name: str, labels: Mapping[str, str]) -> bool:
    """Whether gameday itself made a container: a lease or a helper. Those are never broken."""
    return RUN_LABEL in labels or name.startswith(LEASE_PREFIX)


def opted_in(name: str, labels: Mapping[str, str], docker: DockerSpec) -> bool:
    """Whether a container that was found by its label may be broken."""
    return labels.get(ALLOW_LABEL) == "true" or name in docker.allow


def _named(engine: Engine, name: str, target: Target) -> Found:
    """The container of that name. That the project file names it opts it in."""
    found = engine.find(name)
    if found is None or found.name != name:  # the engine also takes ids, and their beginnings
        raise NoEffectError(_no_container(engine, name, target))
    if is_ours(found.name, found.labels):
        raise NoEffectError(f"container `{name}` is gameday's own; choose another one")
    return _running(found)


def _labelled(
    engine: Engine, ref: ContainerRef, target: Target, docker: DockerSpec, seed: int
) -> tuple[Found, ...]:
    running = {_name_of(c): c for c in engine.containers() if not _ours(c)}
    matches = {_name_of(c): c for c in engine.containers(labels=[str(ref.label)]) if not _ours(c)}
    if not matches:
        raise NoEffectError(_no_label(engine, str(ref.label), target))
    if len(matches) > 1 and len(matches) >= len(running):
        raise NoEffectError(
            f"the label `{ref.label}` of target `{target.name}` is on every one of the "
            f"{len(running)} containers that run on the Docker engine at {engine.url}; choose a "
            "label that only some of them carry"
        )
    allowed = sorted(n for n, c in matches.items() if opted_in(n, c.get("Labels") or {}, docker))
    barred = sorted(set(matches) - set(allowed))
    if not allowed or (ref.pick == "all" and barred):
        raise NoEffectError(
            f"{_list(barred)} of target `{target.name}` may not be broken: label it "
            f"`{ALLOW_LABEL}=true`, or list it under `docker: allow` of the environment"
        )
    if ref.pick == "one" and len(allowed) > 1:
        # The name of the target goes in, so that two targets do not always fall on the same one.
        allowed = [random.Random(f"{seed}:{target.name}").choice(allowed)]  # noqa: S311
    return tuple(_running(engine.inspect(str(matches[name]["Id"]))) for name in allowed)


def _no_container(engine: Engine, name: str, target: Target) -> str:
    return (
        f"no container `{name}` of target `{target.name}` on the Docker engine at "
        f"{engine.url}; start it, or correct `container: name`"
    )


def _no_label(engine: Engine, label: str, target: Target) -> str:
    return (
        f"no running container with the label `{label}` of target `{target.name}` on the "
        f"Docker engine at {engine.url}; start one, or correct `container: label`"
    )


def _running(found: Found) -> Found:
    if not found.running or found.state.get("Restarting"):
        raise NoEffectError(
            f"container `{found.name}` does not run (it is {found.state.get('Status', '?')}); "
            "start it first"
        )
    return found


def _ours(container: Mapping[str, Any]) -> bool:
    return is_ours(_name_of(container), container.get("Labels") or {})


def _name_of(container: Mapping[str, Any]) -> str:
    """Its name; the others in the list are those of legacy links and have a second slash."""
    names = [str(n).lstrip("/") for n in container.get("Names") or () if str(n).count("/") == 1]
    return names[0] if names else str(container["Id"])


def _list(names: list[str]) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"container{'s' if len(names) > 1 else ''} {shown}{more}"
