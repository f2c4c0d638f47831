"""The few calls of a local Docker engine that the shop needs to keep a part in a container."""

from __future__ import annotations

import io
import json
import os
import socket
import tarfile
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

DEFAULT_URL = "unix:///var/run/docker.sock"
#: What the shop's containers are made of, and the helpers beside them.
IMAGE = "gameday-shop:1"
_WITHIN_S = 20.0


class EngineError(Exception):
    """The engine does not answer, or refuses; `status` is that of HTTP, 0 without an answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Engine:
    """A Docker engine behind a unix socket: the container has to see the files of this machine."""

    def __init__(self, url: str) -> None:
        if not url.startswith("unix://"):
            raise EngineError(
                f"the shop can use a Docker engine of this machine only, at a unix socket: `{url}`"
            )
        self.url = url

    def check(self) -> None:
        """Raise EngineError if it does not answer."""
        self._ask("GET", "/_ping")

    def has_image(self, image: str) -> bool:
        """Whether an image is there."""
        try:
            self._ask("GET", f"/images/{image}/json")
        except EngineError as error:
            if error.status == 404:
                return False
            raise
        return True

    def import_image(self, repository: str, tag: str, content: bytes) -> None:
        """Make an image of one layer from a tar archive. No registry is asked."""
        query = f"fromSrc=-&repo={quote(repository)}&tag={quote(tag)}"
        said = self._ask("POST", f"/images/create?{query}", content, "application/x-tar")
        if b'"error"' in said:
            raise EngineError(f"the engine at {self.url} took no image: {_short(said)}")

    def remove_image(self, image: str) -> None:
        """Remove an image unless something uses it, or it is gone."""
        self._ask("DELETE", f"/images/{image}", fine=(404, 409))

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        """Create a container from the JSON of the API."""
        body = json.dumps(config).encode()
        self._ask("POST", f"/containers/create?name={quote(name)}", body)

    def start(self, name: str) -> None:
        """Start a container; one that runs is left alone."""
        self._ask("POST", f"/containers/{quote(name)}/start", fine=(304,))

    def remove(self, name: str) -> None:
        """End and remove a container; one that is gone is fine."""
        self._ask("DELETE", f"/containers/{quote(name)}?force=1&v=1", fine=(404, 409))

    def state(self, name: str) -> dict[str, Any]:
        """`State` of a container; empty when it is gone."""
        said = self._ask("GET", f"/containers/{quote(name)}/json", fine=(404,))
        found: dict[str, Any] = json.loads(said).get("State", {})
        return found

    def listed(self, label: str) -> list[dict[str, Any]]:
        """All containers with a label, also those that do not run: Names, Labels, State."""
        chosen = quote(json.dumps({"label": [label]}))
        found: list[dict[str, Any]] = json.loads(
            self._ask("GET", f"/containers/json?all=1&filters={chosen}")
        )
        return found

    def unused_volumes(self, label: str) -> list[dict[str, Any]]:
        """All volumes with a label that no container has: Name, Labels."""
        chosen = quote(json.dumps({"label": [label], "dangling": ["true"]}))
        said: dict[str, Any] = json.loads(self._ask("GET", f"/volumes?filters={chosen}"))
        return said["Volumes"] or []

    def remove_volume(self, name: str) -> None:
        """Remove a volume unless something uses it, or it is gone."""
        self._ask("DELETE", f"/volumes/{quote(name)}", fine=(404, 409))

    def logs(self, name: str) -> str:
        """What a container with a terminal said last."""
        path = f"/containers/{quote(name)}/logs?stdout=1&stderr=1&tail=50"
        return self._ask("GET", path, fine=(404,)).decode("utf-8", "replace")

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "application/json",
        *,
        fine: Sequence[int] = (),
    ) -> bytes:
        connection = _UnixConnection(self.url.removeprefix("unix://"))
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as error:
            why = error or type(error).__name__
            raise EngineError(f"no Docker engine answers at {self.url}: {why}") from None
        finally:
            connection.close()
        if answer.status >= 300 and answer.status not in fine:
            raise EngineError(
                f"the Docker engine at {self.url} refused `{method} {path.partition('?')[0]}` "
                f"with {answer.status}: {_short(said)}",
                answer.status,
            )
        return said


def engine_url() -> str:
    """Where the Docker engine is: DOCKER_HOST, else the usual socket."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_URL


def small_root(links: Mapping[str, str], programs: Mapping[str, bytes]) -> bytes:
    """A root file system with symbolic links and a few programs, as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, target in sorted({"proc": "", "dev": "", "sys": "", **links}.items()):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.SYMTYPE if target else tarfile.DIRTYPE
            entry.linkname, entry.mode = target, 0o755
            archive.addfile(entry)
        for name, content in sorted(programs.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def root_links() -> dict[str, str]:
    """The symbolic links in the root of this machine, such as `lib` to `usr/lib`."""
    return {p.name: str(p.readlink()) for p in Path("/").iterdir() if p.is_symlink()}


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _short(said: bytes) -> str:
    return " ".join(said.decode("utf-8", "replace").split())[:300]
