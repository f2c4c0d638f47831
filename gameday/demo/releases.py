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
    try:
        settings = read_settings((state_dir / "shop.json").resolve())
        address = settings.topology.direct(name)
    except (OSError, ValueError, KeyError):
        raise ReleaseError(f"no shop keeps its state in `{state_dir}`") from None
    host, port = address.rsplit(":", 1)
    connection = HTTPConnection(host, int(port), timeout=_WITHIN_S)
    try:
        if version is None:
            connection.request("GET", "/admin/release")
        else:
            body = json.dumps({"version": version})
            connection.request("POST", "/admin/release", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise ReleaseError(f"`{name}` does not answer: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise ReleaseError(f"`{name}` answered {answer.status}: {said.get('error', '')}")
    return str(said["version"])


class ReleaseError(Exception):
    """It could not be deployed, or asked for."""
