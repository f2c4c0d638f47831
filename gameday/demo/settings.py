"""What the parts of one shop are told: one JSON file, readable by its owner alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.demo.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Configuration of a running shop. `secret` is the password of the database and the cache.

    `docker` is the engine in which the parts of `BOXES` live, as `unix://…`; empty: none does.
    """

    topology: Topology
    state_dir: Path
    naive: bool
    proxied: bool
    secret: str
    docker: str = ""

    @property
    def file(self) -> Path:
        """Where these settings are stored."""
        return self.state_dir / "shop.json"

    @property
    def charges(self) -> Path:
        """The journal of money that payments moved, one JSON object a line."""
        return self.state_dir / "charges.jsonl"

    @property
    def acknowledged(self) -> Path:
        """The edge's journal of orders that a customer was told of, one JSON object a line."""
        return self.state_dir / "acknowledged.jsonl"

    @property
    def tls(self) -> Path:
        """Where the certificate of the TLS endpoint and its test authority are."""
        return self.state_dir / "tls"

    def log(self, name: str) -> Path:
        """Where the part *name* writes its output."""
        return self.state_dir / "log" / f"{name}.log"

    def status(self, name: str) -> Path:
        """Where the part *name* says how far it is."""
        return self.state_dir / "run" / f"{name}.json"

    def pidfile(self, name: str) -> Path:
        """Where the number of its process is while it works; of database and cache the server's."""
        return self.state_dir / "run" / f"{name}.pid"

    def clock_file(self, name: str) -> Path:
        """What the clock of the part *name* follows, where it was started that way."""
        return self.state_dir / "run" / f"{name}.faketime"

    def wish(self, name: str) -> Path:
        """The file that asks for the part *name* to be started again."""
        return self.state_dir / "run" / f"{name}.wish"

    def address(self, name: str) -> str:
        """`host:port` under which parts reach *name*: through its proxy if there are proxies."""
        return self.topology.via(name) if self.proxied else self.topology.direct(name)

    def url(self, name: str) -> str:
        """The HTTP address under which parts reach *name*."""
        return f"http://{self.address(name)}"

    def write(self) -> None:
        """Store, with the directories that the parts write to."""
        for directory in ("log", "run"):
            (self.state_dir / directory).mkdir(parents=True, exist_ok=True)
        write_private(
            self.file,
            json.dumps(
                {
                    "topology": self.topology.to_json(),
                    "naive": self.naive,
                    "proxied": self.proxied,
                    "secret": self.secret,
                    "docker": self.docker,
                }
            ),
        )


def read_settings(file: Path) -> Settings:
    """The inverse of `Settings.write`."""
    data = json.loads(file.read_text("utf-8"))
    return Settings(
        topology=Topology.from_json(data["topology"]),
        state_dir=file.parent,
        naive=data["naive"],
        proxied=data["proxied"],
        secret=data["secret"],
        docker=data["docker"],
    )


def write_private(file: Path, text: str) -> None:
    """Write *file* whole or not at all, readable by its owner alone."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)


def report_status(settings: Settings, name: str, **facts: Any) -> None:
    """Say how far the part is: `ready` (bool), `pid`, `version`, or what it is `waiting` for."""
    told = {"pid": os.getpid(), **facts}
    if told.get("ready"):
        write_private(settings.pidfile(name), f"{told['pid']}\n")
    write_private(settings.status(name), json.dumps(told))


def read_status(settings: Settings, name: str) -> dict[str, Any]:
    """What the part last said; empty before it said anything."""
    try:
        found: dict[str, Any] = json.loads(settings.status(name).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found
