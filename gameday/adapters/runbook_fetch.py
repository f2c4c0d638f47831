"""Fetching the page that an alert links to, from hosts that the project allows, and no others.

What an alert links to is somebody else's text. So: only listed hosts; the address is checked once
and then used (a name cannot answer differently the second time); never link-local, cloud metadata
or multicast addresses, listed or not; loopback only if the listed host is loopback itself; bounded
in time and size; redirects only within the host.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from gameday.adapters.http import Answer, Http, shown
from gameday.errors import CannotSeeError

MAX_BYTES = 2 * 1024 * 1024
TOTAL_S = 5.0
MAX_REDIRECTS = 2

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Where clouds answer questions about the machine, credentials among them.
_METADATA = frozenset(
    ipaddress.ip_address(a)
    for a in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "fd00:ec2::254",
        "168.63.129.16",
    )
)


class NotAllowedError(CannotSeeError):
    """The link points where gameday does not look. Says what to list, if listing would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was fetched. A status other than 200 is an answer too: a dead link."""

    url: str
    status: int
    html: bool
    body: bytes


def fetch(url: str, allowed_hosts: Collection[str]) -> Page:
    """Fetch *url*. Raises NotAllowedError where it may not, CannotSeeError where it cannot."""
    here = url
    for _ in range(MAX_REDIRECTS + 1):
        parts = checked(here, allowed_hosts)
        answer = _ask(parts)
        if answer.status not in (301, 302, 303, 307, 308):
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            html = kind in ("text/html", "application/xhtml+xml")
            return Page(url=shown(here), status=answer.status, html=html, body=answer.body)
        there = urljoin(here, answer.headers.get("Location", ""))
        if urlsplit(there).hostname != parts.hostname:
            host = urlsplit(there).hostname
            raise NotAllowedError(
                f"{shown(url)} redirects to another host, `{host}` (a login page?); "
                "link to the page itself"
            )
        here = there
    raise CannotSeeError(f"{shown(url)} redirects more than {MAX_REDIRECTS} times")


def checked(url: str, allowed_hosts: Collection[str]) -> SplitResult:
    """The parts of *url*, if it may be fetched at all. Raises NotAllowedError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotAllowedError(f"`{url[:200]}` is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise NotAllowedError(f"`{shown(url)}` is no http or https link")
    if parts.username or parts.password:
        raise NotAllowedError(f"`{shown(url)}` carries a password; take it out of the link")
    listed = {entry.lower() for entry in allowed_hosts}
    bracketed = f"[{host}]" if ":" in host else host
    if not {host, bracketed, f"{bracketed}:{port}"} & listed:
        raise NotAllowedError(
            f"host `{host}` is not in `runbook_hosts`, so {shown(url)} was not looked at; "
            "list the host, or keep a file of the same name in a runbook folder"
        )
    return parts


def forbidden(address: _Address, host: str) -> str:
    """Why *address* is never asked although *host* is listed; empty if it may be."""
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address in _METADATA:
        return "a cloud metadata address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_loopback:
        return "" if _is_loopback_name(host) else "a loopback address"
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return "no address of a server"
    return ""


def _is_loopback_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ask(parts: SplitResult) -> Answer:
    """Ask the address that was checked, under the name that was listed."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolved(host, port)
    literal = f"[{address}]" if address.version == 6 else str(address)
    base = urlunsplit((parts.scheme, f"{literal}:{port}", "", "", ""))
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    what = f"the runbook link {shown(urlunsplit(parts))}"
    with Http(base, what=what, total_s=TOTAL_S, max_bytes=MAX_BYTES, quiet=True) as http:
        http.speak_for(host, parts.port)
        return http.get(path)


def _resolved(host: str, port: int) -> _Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CannotSeeError(f"the runbook host `{host}` cannot be resolved") from None
    addresses = [ipaddress.ip_address(str(f[4][0]).partition("%")[0]) for f in found]
    for address in addresses:
        why = forbidden(address, host)
        if why:
            raise NotAllowedError(
                f"the runbook host `{host}` is {address}, {why}, which is never asked"
            )
    return addresses[0]
