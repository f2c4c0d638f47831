"""The Docker engine as the rest of this package sees it: few calls, each with an end, clear errors.

The SDK is used only here. Its high-level objects are not: they look things up behind one's back,
and some of its calls (an attached exec, `wait`) have no timeout, or one that is a foreign error.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import docker
import docker.errors
import docker.utils

from gameday.adapters.docker.errors import (
    AbsentError,
    ConflictError,
    EngineError,
    NotThereError,
    SilentError,
)
from gameday.adapters.docker.execs import read_exec
from gameday.adapters.docker.files import pack, unpack
from gameday.adapters.docker.values import Answer, Found
from gameday.errors import AdapterError, CannotSeeError

__all__ = [
    "Answer",
    "ConflictError",
    "Engine",
    "EngineError",
    "Found",
    "NotThereError",
    "SilentError",
]

T = TypeVar("T")
DEFAULT_URL = "unix:///var/run/docker.sock"
#: One call to the engine, unless told otherwise.
TIMEOUT_S = 5.0
_SHORTEST_S = 0.05
_POLL_S = 0.03


class Engine:
    """One Docker engine. Nothing is asked before the first call. Use it in a `with`, or `close` it.

    *url* None means DOCKER_HOST or the usual socket. *timeout_s* bounds each call, *within_s* all
    of them together. *helper_image* is carried for the actions that need a helper container.
    Raises `NotThereError`, `ConflictError`, `EngineError` (it said no) and `SilentError`.
    """

    def __init__(
        self,
        url: str | None,
        timeout_s: float = TIMEOUT_S,
        *,
        within_s: float | None = None,
        helper_image: str | None = None,
    ) -> None:
        self.url = url or os.environ.get("DOCKER_HOST") or DEFAULT_URL
        self.helper_image = helper_image
        self._timeout_s = timeout_s
        self._deadline = None if within_s is None else time.monotonic() + within_s
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. It may be used again afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def left_s(self, at_most_s: float) -> float:
        """How long something may still take: *at_most_s*, or what is left of `within_s`."""
        if self._deadline is None:
            return at_most_s
        return max(_SHORTEST_S, min(at_most_s, self._deadline - time.monotonic()))

    # looking

    def info(self) -> Mapping[str, Any]:
        """What the engine says of itself: MemTotal, CgroupVersion, CgroupDriver and so on."""
        found: Mapping[str, Any] = self._do("asking for its facts", lambda api: api.info())
        return found

    def containers(
        self, *, every: bool = False, labels: Sequence[str] = ()
    ) -> list[Mapping[str, Any]]:
        """The running containers, or every one, with all these labels (`key` or `key=value`).

        Each has Id, Names (with a slash), Labels, State, Created.
        """
        filters = {"label": list(labels)} if labels else None
        found: list[Mapping[str, Any]] = self._do(
            "listing containers", lambda api: api.containers(all=every, filters=filters)
        )
        return found

    def inspect(self, container: str) -> Found:
        """One container, by id or name. Raises `NotThereError`."""
        attrs = self._do(
            f"looking at container `{container}`", lambda api: api.inspect_container(container)
        )
        return Found(id=attrs["Id"], name=str(attrs.get("Name", "")).lstrip("/"), attrs=attrs)

    def find(self, container: str) -> Found | None:
        """One container, or None when there is none."""
        try:
            return self.inspect(container)
        except NotThereError:
            return None

    def network(self, name: str) -> Mapping[str, Any]:
        """What `docker network inspect` shows. Raises `NotThereError`."""
        found: Mapping[str, Any] = self._do(
            f"looking at network `{name}`", lambda api: api.inspect_network(name)
        )
        return found

    def has_image(self, name: str) -> bool:
        """Whether an image is on the engine. Nothing is ever pulled."""
        try:
            self._do(f"looking at image `{name}`", lambda api: api.inspect_image(name))
        except NotThereError:
            return False
        return True

    def stats(self, container: str) -> Mapping[str, Any]:
        """One sample of the counters of a container: `networks`, `cpu_stats` and so on."""

        def ask(api: Any) -> Any:
            new = docker.utils.version_gte(api.api_version, "1.41")
            return api.stats(container, stream=False, **({"one_shot": True} if new else {}))

        found: Mapping[str, Any] = self._do(f"counters of container `{container}`", ask)
        return found

    def traffic_bytes(self, container: str) -> int:
        """Bytes that came and went on all networks of a container since it was started."""
        networks = self.stats(container).get("networks") or {}
        return sum(int(n.get("rx_bytes", 0)) + int(n.get("tx_bytes", 0)) for n in networks.values())

    # changing the state of a container

    def kill(self, container: str, signal: str = "KILL") -> None:
        """Send its main process a signal. Raises `ConflictError` when it does not run."""
        self._do(f"killing `{container}`", lambda api: api.kill(container, f"SIG{signal}"))

    def stop(self, container: str, grace_s: float) -> None:
        """Stop it; what still runs after *grace_s* (whole seconds, rounded up) is killed."""
        whole = math.ceil(grace_s)
        self._do(f"stopping `{container}`", lambda api: api.stop(container, timeout=whole))

    def start(self, container: str) -> None:
        """Start it; a container that runs is left alone."""
        self._do(f"starting `{container}`", lambda api: api.start(container))

    def restart(self, container: str, grace_s: float) -> None:
        """Stop it as `stop` does, and start it."""
        whole = math.ceil(grace_s)
        self._do(f"restarting `{container}`", lambda api: api.restart(container, timeout=whole))

    def pause(self, container: str) -> None:
        """Freeze it. Raises `EngineError` when it is frozen, or does not run."""
        self._do(f"pausing `{container}`", lambda api: api.pause(container))

    def unpause(self, container: str) -> None:
        """Thaw it. Raises `EngineError` when it is not frozen."""
        self._do(f"unpausing `{container}`", lambda api: api.unpause(container))

    def update(self, container: str, limits: Mapping[str, Any]) -> None:
        """Change limits of a container, by the names of the API (`NanoCpus`, `Memory`, …)."""

        def send(api: Any) -> None:
            url = api._url("/containers/{0}/update", container)
            # `update_container` of the SDK knows no NanoCpus, and without it a container that was
            # started with `--cpus` cannot be changed at all.
            api._result(api._post_json(url, data=dict(limits)), json=True)

        self._do(f"changing the limits of `{container}`", send)

    def disconnect(self, network: str, container: str) -> None:
        """Take it off a network. Raises `EngineError` when it is not on it."""
        self._do(
            f"taking `{container}` off network `{network}`",
            lambda api: api.disconnect_container_from_network(container, network),
        )

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        """Put it on a network with this EndpointConfig (Aliases, Links, IPAMConfig, …)."""

        def send(api: Any) -> None:
            url = api._url("/networks/{0}/connect", network)
            data = {"Container": container, "EndpointConfig": dict(endpoint)}
            api._raise_for_status(api._post_json(url, data=data))

        self._do(f"putting `{container}` on network `{network}`", send)

    # containers of our own

    def create(self, name: str | None, config: Mapping[str, Any]) -> str:
        """Create a container from the JSON of the API, do not start it; returns its id.

        Raises `ConflictError` when the name is taken, `NotThereError` when there is no such image.
        """
        made = self._do(
            f"creating container `{name}`",
            lambda api: api.create_container_from_config(dict(config), name),
        )
        return str(made["Id"])

    def remove(self, container: str) -> bool:
        """End and remove it with its own volumes; False when it was not there."""
        try:
            self._do(
                f"removing `{container}`",
                lambda api: api.remove_container(container, force=True, v=True),
            )
        except NotThereError:
            return False
        except ConflictError:  # somebody else is at it: in a moment it is gone
            return True
        return True

    def wait_exit(self, container: str, within_s: float) -> int:
        """Its exit code, as soon as it has ended. Raises `CannotSeeError` if it runs on."""
        deadline = time.monotonic() + self.left_s(within_s)
        while True:
            state = self.inspect(container).state
            if state.get("Status") in ("exited", "dead"):
                return int(state.get("ExitCode", -1))
            if time.monotonic() > deadline:
                raise CannotSeeError(f"container `{container}` still runs after {within_s:g} s")
            time.sleep(_POLL_S)

    def logs(self, container: str, *, tail: int = 200) -> str:
        """What it said last, on both streams."""
        text: bytes = self._do(
            f"reading the output of `{container}`", lambda api: api.logs(container, tail=tail)
        )
        return text.decode("utf-8", "replace")

    def exec(self, container: str, command: Sequence[str], *, within_s: float = 5.0) -> Answer:
        """Run a program in a container. A program that is not there ends with 126 or 127.

        Raises `ConflictError` when the container is paused or does not run, `CannotSeeError` when
        the program does not end in time (it then runs on: the engine cannot end it).
        """
        what = f"`{command[0]}` in container `{container}`"
        until = time.monotonic() + self.left_s(within_s)
        made = self._do(what, lambda api: api.exec_create(container, list(command)))["Id"]
        output = self._do(what, lambda api: read_exec(api, made, until, what))
        while True:
            code = self._do(what, lambda api: api.exec_inspect(made)).get("ExitCode")
            if code is not None:
                return Answer(code=int(code), output=output)
            if time.monotonic() > until:
                raise CannotSeeError(f"{what} did not end within {within_s:g} s")
            time.sleep(_POLL_S)

    # files

    def put_files(self, container: str, files: Mapping[str, bytes]) -> None:
        """Write files (paths without the first slash) into a container, also one never started."""
        data = pack(files)
        self._do(
            f"writing into container `{container}`",
            lambda api: api.put_archive(container, "/", data),
        )

    def get_files(self, container: str, folder: str) -> dict[str, bytes]:
        """The files below a folder: path below it -> content. Empty without such a folder."""

        def read(api: Any) -> bytes:
            stream, _ = api.get_archive(container, folder)
            return b"".join(stream)

        try:
            return unpack(self._do(f"reading from container `{container}`", read))
        except NotThereError:
            self.inspect(container)  # the container itself has to be there
            return {}

    def _do(self, what: str, call: Callable[[Any], T]) -> T:
        try:
            self._knock()
            api = self._connected()
            api.timeout = self.left_s(self._timeout_s)
            return call(api)
        except docker.errors.APIError as error:
            raise self._refused(what, error) from error
        except AdapterError:
            raise
        except (docker.errors.DockerException, OSError, ValueError) as error:
            kind = AbsentError if _nobody_there(error) else SilentError
            raise kind(self._why_silent(what, error)) from error

    def _knock(self) -> None:
        """See that somebody listens: the SDK leaves a socket open when nobody does."""
        if self.url.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(self.left_s(self._timeout_s))
                probe.connect(self.url.removeprefix("unix://"))

    def _connected(self) -> Any:
        if self._client is None:
            # The environment also says with which certificates a TCP engine is to be asked.
            settings = docker.utils.kwargs_from_env({**os.environ, "DOCKER_HOST": self.url})
            timeout: Any = self.left_s(self._timeout_s)  # the stubs know whole seconds only
            self._client = docker.APIClient(version="auto", timeout=timeout, **settings)
        return self._client

    def _refused(self, what: str, error: docker.errors.APIError) -> EngineError:
        status = int(error.response.status_code) if error.response is not None else 500
        said = " ".join(str(error.explanation or error).split()).rstrip(".")
        text = f"the Docker engine at {self.url} refused {what}: {said}"
        kind = {404: NotThereError, 409: ConflictError}.get(status, EngineError)
        return kind(text, status=status)

    def _why_silent(self, what: str, error: BaseException) -> str:
        said = str(error)
        if "Permission denied" in said:
            return (
                f"no permission to use the Docker engine at {self.url} ({what}); run as root, or "
                "as a member of the group that owns its socket"
            )
        if "No such file" in said or "Connection refused" in said:
            return (
                f"no Docker engine answers at {self.url} ({what}); start it, or correct "
                "`docker: url` of the environment or DOCKER_HOST"
            )
        if "timed out" in said.lower():
            return f"the Docker engine at {self.url} did not answer in time ({what})"
        if "Connection aborted" in said or "Connection reset" in said or "Broken pipe" in said:
            return f"the Docker engine at {self.url} went away in the middle ({what})"
        return f"the Docker engine at {self.url} gave no usable answer ({what}): {said}"


def _nobody_there(error: BaseException) -> bool:
    """Whether no engine can have heard the call. The SDK hides the reason in its text."""
    said = str(error)
    return any(one in said for one in ("No such file", "Connection refused", "Permission denied"))
