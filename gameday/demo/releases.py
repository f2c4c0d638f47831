"""Which release a gateway runs: `good`, or `broken`, a build in which nobody can buy.

The gateway has both, and `POST /admin/release` chooses.
`python -m gameday.demo release NAME VERSION`
is the deployment of this shop, `released NAME` says what runs.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from gameday.demo.settings import read_settings
from gameday.demo.web import BadRequest, Call, Reply

GOOD, BROKEN = "good", "broken"
VERSIONS = (GOOD, BROKEN)
_WITHIN_S = 5.0


class Release:
    """What one gateway runs."""

    def __init__(self) -> None:
        self.version = GOOD

    async def set(self, call: Call) -> Reply:
        """Take `{"version": "broken"}`."""
        version = call.json().get("version")
        if version not in VERSIONS:
            raise BadRequest(f"`version` is one of {', '.join(VERSIONS)}")
        self.version = str(version)
        return await self.show(call)

    async def show(self, _: Call) -> Reply:
        """`GET /admin/release`."""
        return Reply(data={"version": self.version})

    def check(self) -> None:
        """Called by every checkout. Raises what nobody thought of, in the broken release."""
        if self.version == BROKEN:
            raise ZeroDivisionError("price per piece: there are 0 pieces")


def release(state_dir: Path, name: str, version: str | None) -> str:
    """Deploy *version* to the gateway *name*, or none; what runs there. Raises ReleaseError."""
    data = None if version is None else {"version": version}
    return str(_asked(state_dir, name, "/admin/release", data)["version"])


def watch(state_dir: Path, on: bool | None) -> str:
    """Have the balancer look at the gateways, or not; whether it does. Raises ReleaseError."""
    data = None if on is None else {"on": on}
    return str(_asked(state_dir, "shop", "/admin/watch", data)["watch"])


def buy(state_dir: Path, name: str) -> str:
    """Order something at the gateway *name* itself; the status. Raises ReleaseError."""
    return str(_exchange(state_dir, name, "/checkout", {"sku": "A1"})[0])


def _asked(state_dir: Path, name: str, path: str, data: Any) -> dict[str, Any]:
    status, said = _exchange(state_dir, name, path, data)
    if status != 200:
        raise ReleaseError(f"`{name}` answered {status}: {said.get('error', '')}")
    return said


def _exchange(state_dir: Path, name: str, path: str, data: Any) -> tuple[int, dict[str, Any]]:
    try:
        settings = read_settings((state_dir / "shop.json").resolve())
        address = settings.topology.direct(name)
    except (OSError, ValueError, KeyError):
        raise ReleaseError(f"no shop keeps its state in `{state_dir}`") from None
    host, port = address.rsplit(":", 1)
    connection = HTTPConnection(host, int(port), timeout=_WITHIN_S)
    try:
        if data is None:
            connection.request("GET", path)
        else:
            head = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(data), head)
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise ReleaseError(f"`{name}` does not answer: {error or type(error).__name__}") from None
    finally:
        connection.close()
    return answer.status, said


class ReleaseError(Exception):
    """It could not be deployed, or asked for."""
