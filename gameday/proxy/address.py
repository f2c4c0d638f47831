"""Addresses as Go writes them: `host:port`, `[::1]:port`, `:port`; resolving and binding them."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from dataclasses import dataclass

from gameday.proxy.errors import ListenError

RESOLVE_WITHIN_S = 3.0
"""The longest that looking up a name may take."""

_BACKLOG = 1024
_MAX_PORT = 65535
_BIND_REASONS = {
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: "cannot assign requested address",
    errno.EACCES: "permission denied",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An IP address and a port; `host` is empty for all interfaces."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """The socket family."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressError(ValueError):
    """An address that cannot be read or resolved; the text is Go's."""


def split(text: str) -> tuple[str, str]:
    """Return host and port of `text`, both as text."""
    if text.startswith("["):
        end = text.find("]")
        if end < 0:
            raise AddressError(f"address {text}: missing ']' in address")
        if text[end + 1 : end + 2] != ":":
            raise AddressError(f"address {text}: missing port in address")
        host, port = text[1:end], text[end + 2 :]
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            raise AddressError(f"address {text}: missing port in address")
    if ":" in port or (":" in host and not text.startswith("[")):
        raise AddressError(f"address {text}: too many colons in address")
    return host, port


def port_number(text: str) -> int:
    """Return the port for a number or a service name."""
    if not text:
        return 0
    digits = text.removeprefix("-").removeprefix("+")
    if digits.isascii() and digits.isdigit():
        if text.startswith("-") or len(digits) > len("65535") or int(digits) > _MAX_PORT:
            raise AddressError(f"address {text}: invalid port")
        return int(digits)
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError, UnicodeError):
        raise AddressError(f"lookup tcp/{text}: unknown port") from None


def literal(host: str) -> str | None:
    """Return `host` as a plain IP address, or None when it is a name that must be looked up."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


async def lookup(host: str) -> tuple[str, ...]:
    """Return the IP addresses of a name, IPv4 first; raises `AddressError` in bounded time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_WITHIN_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError, TimeoutError):
        raise AddressError(f"lookup {host}: no such host") from None
    hosts = list(dict.fromkeys(str(item[4][0]) for item in found))
    return tuple(sorted(hosts, key=lambda ip: ":" in ip))


async def resolve_listen(text: str) -> Address:
    """Return where a proxy with `listen` = `text` binds; an empty text is loopback, any port."""
    if not text:
        return Address(host="127.0.0.1", port=0)
    host, port_text = split(text)
    port = port_number(port_text)
    if not host:
        return Address(host="", port=port)
    ip = literal(host)
    if ip is None:
        ip = (await lookup(host))[0]
    return Address(host=ip, port=port)


def bind(address: Address) -> tuple[socket.socket, str]:
    """Return a listening socket and its address as Go shows it; raises `ListenError`."""
    everywhere = address.host in ("", "0.0.0.0", "::")  # noqa: S104 -- asked for
    shown = address
    try:
        if everywhere and socket.has_dualstack_ipv6():
            shown = Address(host="::", port=address.port)
            sock = _bound(socket.AF_INET6, "::", address.port, both=True)
        elif everywhere and ":" not in address.host:
            sock = _bound(socket.AF_INET, "0.0.0.0", address.port)  # noqa: S104 -- asked for
        else:
            sock = _bound(address.family, address.host, address.port)
    except OSError as error:
        reason = _BIND_REASONS.get(error.errno or 0) or os.strerror(error.errno or 0).lower()
        raise ListenError(f"listen tcp {address}: bind: {reason}") from None
    return sock, str(Address(host=shown.host, port=sock.getsockname()[1]))


def _bound(family: int, host: str, port: int, *, both: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except (OSError, OverflowError, UnicodeError):
        sock.close()
        raise
    return sock
