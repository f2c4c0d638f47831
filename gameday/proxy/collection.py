"""All proxies of one server, and what can be asked of them.

Only looking up a name in a listen address waits; every change happens in one step of the event
loop, so no lock exists that a slow client could make the control plane wait for.
"""

from __future__ import annotations

from dataclasses import dataclass

from gameday.proxy import body
from gameday.proxy.address import Address, AddressError, resolve_listen
from gameday.proxy.errors import (
    ApiError,
    ListenError,
    bad_body,
    missing_field,
    proxy_exists,
    proxy_not_found,
    toxic_not_found,
)
from gameday.proxy.proxy import Proxy, Shared
from gameday.proxy.toxic import Toxic, parse_new, parse_update

_ENTRY_TYPE = 'struct { toxiproxy.Proxy; Enabled *bool "json:\\"enabled\\"" }'


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A proxy as a request describes it."""

    name: str
    listen: str
    upstream: str
    enabled: bool


def _wanted(value: object, go_type: str, default: Wanted) -> Wanted:
    fields = body.as_object(value, go_type)
    return Wanted(
        name=body.text_field(fields, "Proxy", "name", default.name),
        listen=body.text_field(fields, "Proxy", "listen", default.listen),
        upstream=body.text_field(fields, "Proxy", "upstream", default.upstream),
        enabled=body.flag_field(fields, "Proxy", "enabled", default=default.enabled),
    )


_NEW = Wanted(name="", listen="", upstream="", enabled=True)


async def _address(listen: str, prefix: str = "listen tcp: ") -> Address:
    try:
        return await resolve_listen(listen)
    except AddressError as error:
        raise ListenError(f"{prefix}{error}") from None


class Collection:
    """The proxies by name, in the order of their creation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._proxies: dict[str, Proxy] = {}

    def all(self) -> list[Proxy]:
        """Return every proxy."""
        return list(self._proxies.values())

    def get(self, name: str) -> Proxy:
        """Return a proxy; raises `ApiError` 404."""
        proxy = self._proxies.get(name)
        if proxy is None:
            raise proxy_not_found()
        return proxy

    def get_toxic(self, name: str, toxic: str) -> tuple[Proxy, Toxic]:
        """Return a proxy and one of its toxics; raises `ApiError` 404."""
        proxy = self.get(name)
        found = proxy.toxic(toxic)
        if found is None:
            raise toxic_not_found()
        return proxy, found

    async def create(self, raw: bytes) -> Proxy:
        """Create the proxy that a body asks for."""
        wanted = _wanted(body.decode(raw), "toxiproxy.Proxy", _NEW)
        if not wanted.name:
            raise missing_field("name")
        if not wanted.upstream:
            raise missing_field("upstream")
        self._check_free(wanted.name)
        address = await _address(wanted.listen) if wanted.enabled else None
        self._check_free(wanted.name)  # the lookup took time
        return self._put(wanted, address)

    def _check_free(self, name: str) -> None:
        if name in self._proxies:
            raise proxy_exists()

    def _put(self, wanted: Wanted, address: Address | None) -> Proxy:
        proxy = Proxy(
            self._shared, name=wanted.name, listen=wanted.listen, upstream=wanted.upstream
        )
        if address is not None:
            proxy.start(address)
        self._proxies[proxy.name] = proxy
        return proxy

    async def update(self, name: str, raw: bytes) -> Proxy:
        """Change listen, upstream or enabled of a proxy; a changed address drops connections."""
        proxy = self.get(name)
        now = Wanted(
            name=proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled
        )
        wanted = _wanted(body.decode(raw), "toxiproxy.Proxy", now)
        address = await _address(wanted.listen, "")
        if self._proxies.get(name) is not proxy:  # the lookup took time
            raise proxy_not_found()
        if _differs(proxy, wanted, address):
            proxy.stop()
            proxy.move(listen=wanted.listen, upstream=wanted.upstream)
        if wanted.enabled and not proxy.enabled:
            proxy.start(address)
        elif not wanted.enabled:
            proxy.stop()
        return proxy

    def delete(self, name: str) -> None:
        """Close a proxy, its listener and its connections, and forget it."""
        self.get(name).stop()
        del self._proxies[name]

    def clear(self) -> None:
        """Delete every proxy."""
        for proxy in self.all():
            self.delete(proxy.name)

    async def populate(self, raw: bytes, done: list[Proxy]) -> None:
        """Create or replace the proxies of a list, adding to `done` those that are in place.

        A proxy that exists with the same addresses is left as it is. Stops at the first that cannot
        listen; raises `ApiError`.
        """
        for wanted in _wanted_list(body.decode(raw)):
            existing = self._proxies.get(wanted.name)
            if existing is None and not wanted.enabled:
                done.append(self._put(wanted, None))
                continue
            address = await _address(wanted.listen, "listen tcp: " if existing is None else "")
            existing = self._proxies.get(wanted.name)  # the lookup took time
            if existing is not None:
                if not _differs(existing, wanted, address):
                    done.append(existing)
                    continue
                existing.stop()
            done.append(self._put(wanted, address if wanted.enabled else None))

    async def reset(self) -> None:
        """Take every toxic out and turn every proxy on.

        All proxies are done even when one cannot listen; then the first `ListenError` is raised.
        """
        failed: ApiError | None = None
        for proxy in self.all():
            for name in proxy.toxic_names():
                proxy.remove_toxic(name)
        for proxy in self.all():
            try:
                address = await _address(proxy.listen)
                if not proxy.enabled and self._proxies.get(proxy.name) is proxy:
                    proxy.start(address)
            except ApiError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def add_toxic(self, name: str, raw: bytes) -> Toxic:
        """Add the toxic that a body asks for."""
        proxy = self.get(name)
        toxic = parse_new(raw, proxy.toxic_names())
        proxy.add_toxic(toxic)
        return toxic

    def update_toxic(self, name: str, toxic_name: str, raw: bytes) -> Toxic:
        """Change attributes or toxicity of a toxic."""
        proxy, before = self.get_toxic(name, toxic_name)
        toxic = parse_update(raw, before)
        proxy.update_toxic(toxic)
        return toxic

    def remove_toxic(self, name: str, toxic_name: str) -> None:
        """Take a toxic out."""
        proxy, toxic = self.get_toxic(name, toxic_name)
        proxy.remove_toxic(toxic.name)


def _differs(proxy: Proxy, wanted: Wanted, address: Address) -> bool:
    same = wanted.listen == proxy.listen or str(address) == proxy.listen
    return not same or wanted.upstream != proxy.upstream


def _wanted_list(value: object) -> list[Wanted]:
    if value is None:
        return []
    if not isinstance(value, list):
        kind = body.kind(value)
        raise bad_body(f"json: cannot unmarshal {kind} into Go value of type []{_ENTRY_TYPE}")
    wanted = [_wanted(item, _ENTRY_TYPE, _NEW) for item in value]
    for number, item in enumerate(wanted, 1):
        if not item.name:
            raise missing_field(f"name at proxy {number}")
        if not item.upstream:
            raise missing_field(f"upstream at proxy {number}")
    return wanted
