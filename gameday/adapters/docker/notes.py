"""What gameday leaves on an engine for whoever has to clean up there without a journal.

Beside a container `x` stands a container `gameday-lease-x`, made from the same image and never
started. Its labels say which run holds `x`. In it lie files: `gameday/lease.json` (until when, and
which process renews it) and `gameday/notes/FAULT.json` (the undo record of each fault on `x`).
A file in a container cannot be removed through the engine: one that counts no more holds `null`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.adapters.docker.actions import ROLE_LABEL, RUN_LABEL
from gameday.adapters.docker.engine import ConflictError, Engine, Found, NotThereError
from gameday.adapters.docker.resolve import LEASE_PREFIX
from gameday.errors import AdapterError, NoEffectError
from gameday.ports import Undo

LEASE_ROLE = "lease"
#: The container that is held; and the lease as it was first taken: labels come with the creation.
CONTAINER_LABEL, TAKEN_LABEL = "gameday.container", "gameday.lease"
_FOLDER = "gameday"
_LEASE = f"{_FOLDER}/lease.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A lease container with what lies in it."""

    id: str
    container: str
    run: str
    lease: Mapping[str, Any] | None = None  # None: given back, or only notes were left here
    notes: Mapping[str, Undo] = field(default_factory=dict)  # fault -> undo record


def lease_name(container: str) -> str:
    """The name of the lease container of a container."""
    return f"{LEASE_PREFIX}{container}"


def place_of(engine: Engine, container: str) -> Place | None:
    """What was left beside a container; None when there is nothing."""
    found = engine.find(lease_name(container))
    return None if found is None else read_place(engine, found)


def places(engine: Engine) -> list[Place]:
    """Everything that was left on the engine, by the names of the containers."""
    found = engine.containers(every=True, labels=[f"{ROLE_LABEL}={LEASE_ROLE}"])
    made = []
    for each in found:
        there = engine.find(str(each["Id"]))
        if there is not None:
            made.append(read_place(engine, there))
    return sorted(made, key=lambda place: place.container)


def read_place(engine: Engine, found: Found) -> Place:
    """The files in a lease container. What cannot be read counts as a lease of an unknown owner."""
    files = engine.get_files(found.id, f"/{_FOLDER}")
    container = found.labels.get(CONTAINER_LABEL) or found.name.removeprefix(LEASE_PREFIX)
    lease = _json(files["lease.json"]) if "lease.json" in files else None
    if "lease.json" not in files:
        lease = _json(found.labels.get(TAKEN_LABEL, "null").encode())
    notes = {
        name.removeprefix("notes/").removesuffix(".json"): note
        for name, content in files.items()
        if name.startswith("notes/") and (note := _json(content))
    }
    run = found.labels.get(RUN_LABEL, "?")
    return Place(id=found.id, container=container, run=run, lease=lease, notes=notes)


def make_place(engine: Engine, container: str, run: str, lease: Mapping[str, Any] | None) -> str:
    """Make the lease container of a container, all at once; returns its id.

    Raises `ConflictError` when there is one, and `AdapterError` when none can be made.
    """
    target = engine.inspect(container)
    labels = {RUN_LABEL: run, ROLE_LABEL: LEASE_ROLE, CONTAINER_LABEL: target.name}
    if lease is not None:
        labels[TAKEN_LABEL] = json.dumps(lease)
    config = {
        "Image": target.image,
        "Entrypoint": ["gameday-lease-is-never-started"],
        "Cmd": [],
        "Labels": labels,
        "NetworkDisabled": True,
        "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": "no"}},
    }
    try:
        return engine.create(lease_name(target.name), config)
    except NotThereError as error:
        raise AdapterError(
            f"container `{container}` cannot be held: its image {target.image} is not on the "
            "engine any more, so that no lease container can be made from it; bring the image "
            "back, or start the container anew"
        ) from error


def put_lease(engine: Engine, place_id: str, lease: Mapping[str, Any] | None) -> None:
    """Write who holds it; None: nobody does."""
    engine.put_files(place_id, {_LEASE: json.dumps(lease).encode()})


def put_note(engine: Engine, container: str, run: str, fault: str, undo: Undo) -> None:
    """Leave the undo record of a fault beside a container, before anything is broken.

    Raises `NoEffectError` if another run holds the container.
    """
    file = {_note(fault): json.dumps(dict(undo)).encode()}
    found = engine.find(lease_name(container))
    if found is None:
        try:
            engine.put_files(make_place(engine, container, run, None), file)
        except ConflictError:
            found = engine.inspect(lease_name(container))
        else:
            return
    if found.labels.get(RUN_LABEL) != run:
        raise NoEffectError(
            f"container `{container}` is held by run `{found.labels.get(RUN_LABEL, '?')}`; "
            f"clean up with `gameday recover --target {engine.url}` if that run is dead"
        )
    engine.put_files(found.id, file)


def drop_note(engine: Engine, container: str, run: str, fault: str) -> None:
    """Take the note of a fault away; the lease container too when nothing else needs it."""
    place = place_of(engine, container)
    if place is None or place.run != run:
        return
    left = set(place.notes) - {fault}
    if place.lease is None and not left:
        engine.remove(place.id)
    elif fault in place.notes:
        engine.put_files(place.id, {_note(fault): b"null"})


def _note(fault: str) -> str:
    return f"{_FOLDER}/notes/{fault}.json"


def _json(content: bytes) -> dict[str, Any] | None:
    """A JSON object; None for `null`; an empty one for what is no JSON, as of an unknown owner."""
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else None
