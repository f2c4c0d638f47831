"""Who is let in: one-time links, shared secrets, sessions, and from which pages requests may come.

Nothing here knows the web server. Every comparison of something secret takes the same time whatever
was given: what is kept is a digest, and digests are compared with `hmac.compare_digest`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gameday.console.rights import ROLES
from gameday.errors import UsageError

LINK_LIVES_S = 12 * 3600
SESSION_LIVES_S = 18 * 3600
SESSIONS_MAX = 1_000
LINKS_MAX = 200
#: So many wrong tries in so many seconds, from anywhere, close the door for the rest of them.
WRONG_MAX, WRONG_WITHIN_S = 20, 60.0
SECRET_LEAST = 16
_DIGEST_BYTES = hashlib.sha256().digest_size
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class ShutError(Exception):
    """Too many wrong tries; the door is shut for a while."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One browser that was let in; `left` once it is not any more."""

    role: str
    until: float
    left: bool = False


@dataclass(slots=True)
class Door:
    """Lets browsers in. `secrets_of` maps a role to its shared secret; empty: links alone."""

    secrets_of: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    #: Is given who is in, as text for `restore`, whenever that changes.
    keep: Callable[[str], None] | None = None
    _links: dict[bytes, tuple[str, float]] = field(default_factory=dict)
    _sessions: dict[bytes, Session] = field(default_factory=dict)
    _wrong: deque[float] = field(default_factory=deque)

    def link(self, role: str) -> str:
        """A new token that lets one browser in, once, as *role*. Raises `UsageError`."""
        if role not in ROLES:
            raise UsageError(f"`{role[:40]}` is no role; roles: {', '.join(ROLES)}")
        now = self.clock()
        self._links = {k: v for k, v in self._links.items() if v[1] > now}
        if len(self._links) >= LINKS_MAX:
            raise UsageError(f"{LINKS_MAX} links wait to be used; use one of them first")
        token = secrets.token_urlsafe(32)
        self._links[_digest(token)] = (role, now + LINK_LIVES_S)
        return token

    def enter_by_link(self, token: str) -> tuple[str, Session] | None:
        """The cookie and the session of whoever holds *token*, which is used up. None: wrong."""
        self._refuse_if_shut()
        found = _match(self._links, token)
        role, until = self._links.pop(found) if found is not None else ("", 0.0)
        if until <= self.clock():
            self._wrong.append(self.clock())
            return None
        return self._session(role)

    def enter_by_secret(self, role: str, secret: str) -> tuple[str, Session] | None:
        """The same for whoever knows the secret of *role*."""
        self._refuse_if_shut()
        right = self.secrets_of.get(role, "")
        # compared even where there is none, so that the time does not tell which roles have one
        same = hmac.compare_digest(_digest(secret), _digest(right))
        if not right or not same:
            self._wrong.append(self.clock())
            return None
        return self._session(role)

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None if there is none, or it is over."""
        found = _match(self._sessions, cookie or "")
        if found is None:
            return None
        session = self._sessions[found]
        if session.until <= self.clock():
            del self._sessions[found]
            return None
        return session

    def leave(self, cookie: str | None) -> None:
        """End the session of a cookie."""
        found = _match(self._sessions, cookie or "")
        if found is not None:
            self._sessions.pop(found).left = True
            self._kept()

    def holds(self, session: Session) -> bool:
        """Whether a session is still one."""
        return not session.left and session.until > self.clock()

    def _session(self, role: str) -> tuple[str, Session]:
        now = self.clock()
        self._sessions = {k: s for k, s in self._sessions.items() if s.until > now}
        while len(self._sessions) >= SESSIONS_MAX:
            self._sessions.pop(next(iter(self._sessions))).left = True  # the oldest
        cookie = secrets.token_urlsafe(32)
        session = Session(role=role, until=now + SESSION_LIVES_S)
        self._sessions[_digest(cookie)] = session
        self._kept()
        return cookie, session

    def restore(self, text: str) -> None:
        """Let those in again whom an earlier console kept; whatever is no session is left out."""
        try:
            rows = [(bytes.fromhex(key), str(r), float(u)) for key, r, u in json.loads(text)]
        except (ValueError, TypeError):
            return
        now = self.clock()
        for key, role, until in rows[-SESSIONS_MAX:]:
            if len(key) == _DIGEST_BYTES and role in ROLES and now < until <= now + SESSION_LIVES_S:
                self._sessions[key] = Session(role=role, until=until)

    def shares(self, role: str, others: Collection[str]) -> bool:
        """Whether whoever knows the secret of one of *others* can be *role* too."""
        mine = self.secrets_of.get(role)
        return mine is not None and any(self.secrets_of.get(other) == mine for other in others)

    def _kept(self) -> None:
        """Digests alone: who reads them cannot enter."""
        if self.keep is not None:
            rows = [(key.hex(), s.role, s.until) for key, s in self._sessions.items()]
            self.keep(json.dumps(rows))

    def _refuse_if_shut(self) -> None:
        now = self.clock()
        while self._wrong and self._wrong[0] < now - WRONG_WITHIN_S:
            self._wrong.popleft()
        if len(self._wrong) >= WRONG_MAX:
            raise ShutError(f"too many wrong tries; wait {WRONG_WITHIN_S:.0f} s")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _match(known: Mapping[bytes, object], text: str) -> bytes | None:
    """The key that *text* is, looked for in all of them whichever it is."""
    wanted, found = _digest(text), None
    for key in known:
        if hmac.compare_digest(key, wanted):
            found = key
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Under which names the page is reached. Anything else is another site, or a rebound name."""

    hosts: frozenset[str]
    origins: frozenset[str]
    secure: bool  # only over https: the cookie says so
    #: Of this port any literal address is ours: without a name there is no rebinding.
    any_address: int | None = None

    def host_is_ours(self, host: str | None) -> bool:
        """Whether the `Host` of a request is one of ours."""
        host = (host or "").lower()
        return host in self.hosts or self._is_address(host)

    def origin_is_ours(self, origin: str | None) -> bool:
        """Whether the `Origin` of a request is one of ours; a missing one is not."""
        origin = (origin or "").lower()
        return origin in self.origins or (
            origin.startswith("http://") and self._is_address(origin.removeprefix("http://"))
        )

    def _is_address(self, host: str) -> bool:
        if self.any_address is None:
            return False
        try:
            parts = urlsplit(f"//{host}")
            ipaddress.ip_address(parts.hostname or "")
            port = parts.port or 80
        except ValueError:
            return False
        return port == self.any_address and not parts.path


def origins_of(bind: str, port: int, named: Sequence[str]) -> Origins:
    """Where a page on *bind*:*port* is reached; *named* are further URLs. Raises `UsageError`."""
    hosts = {f"{name}:{port}" for name in _LOOPBACK_NAMES}
    shown = f"[{bind}]" if ":" in bind else bind
    hosts.add(f"{shown}:{port}".lower())
    origins = {f"http://{host}" for host in hosts}
    for url in named:
        parts = urlsplit(url.strip().lower().rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path:
            raise UsageError(f"`{url}` is no origin; write it as `https://gameday.example:8443`")
        hosts.add(parts.netloc)
        origins.add(f"{parts.scheme}://{parts.netloc}")
    secure = bool(named) and all(url.strip().lower().startswith("https://") for url in named)
    wild = bind in ("0.0.0.0", "::")  # noqa: S104 - looked at, not bound
    return Origins(
        hosts=frozenset(hosts),
        origins=frozenset(origins),
        secure=secure,
        any_address=port if wild else None,
    )


def is_loopback(bind: str) -> bool:
    """Whether only this machine reaches what listens on *bind*."""
    if bind == "localhost":
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def secrets_from(text: str, *, blind: Sequence[str]) -> dict[str, str]:
    """The secret of each role: one line for all, or lines `role: secret`. Raises `UsageError`.

    *blind* are the roles that must not know the fault: they need secrets of their own, for whoever
    knows the secret of a role can be that role.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and lines[0].partition(":")[0].strip() not in ROLES:
        found = dict.fromkeys(ROLES, lines[0])
    else:
        found = {}
        for number, line in enumerate(lines, start=1):
            role, colon, secret = (part.strip() for part in line.partition(":"))
            if not colon or role not in ROLES or role in found:
                raise UsageError(
                    f"line {number} of the secrets is no `role: secret`, each role once; "
                    f"roles: {', '.join(ROLES)}"
                )
            found[role] = secret
    if not found or any(len(secret) < SECRET_LEAST for secret in found.values()):
        raise UsageError(f"a secret has at least {SECRET_LEAST} characters")
    shared = {found[r] for r in found if r in blind} & {found[r] for r in found if r not in blind}
    if shared:
        raise UsageError(
            f"in blind mode {' and '.join(blind)} need a secret that no other role has: "
            "write a line `role: secret` for each role"
        )
    return found
