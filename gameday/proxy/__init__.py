"""The embedded Toxiproxy-compatible server: a process of its own, `python -m gameday.proxy`.

It speaks the HTTP API of Toxiproxy 2.12 and gives every toxic the same meaning, so that a machine
without `toxiproxy-server` can still do the main job. `docs/proxy.md` lists what differs, and why.
This module stays light: nothing here imports the event loop or the HTTP library.
"""

from __future__ import annotations

TOXIPROXY_VERSION = "2.12.0"
"""The Toxiproxy version whose API is spoken; `GET /version` answers it."""

MARK_HEADER = "X-Gameday-Proxy"
"""Response header that only the embedded server sends; its value is gameday's version."""

HEALTH_PATH = "/gameday/health"
"""The one route that the real server does not have."""

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 8474

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "HEALTH_PATH", "MARK_HEADER", "TOXIPROXY_VERSION"]
