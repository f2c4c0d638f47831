"""Putting faults in: proxies that a run creates, toxics, and proxies that refuse connections."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gameday.adapters.toxiproxy.change import (
    drop_quietly,
    look,
    note_name,
    put_note,
    replace_proxy,
    same_address,
)
from gameday.adapters.toxiproxy.client import (
    ToxiproxyClient,
    ToxiproxyRefusedError,
    checked_name,
)
from gameday.adapters.toxiproxy.state import PREFIX, Note, ProxyState, Snapshot, ToxicState
from gameday.errors import AdapterError, GamedayError, NoEffectError
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec
from gameday.model.toxics import embedded_only, problems_of, with_defaults
from gameday.ports import Undo

#: All calls of one prepare, open or inject together; less than the engine's limit of a call.
CALLS_S = 8.0


class TargetProxy:
    """The proxy of a target: the one that is there, or one that the run creates and removes."""

    def __init__(
        self, url: str, run_id: str, target: Target, *, server: Mapping[str, Any] | None = None
    ) -> None:
        self._client = ToxiproxyClient(url)
        self._run, self._target, self._server = run_id, target, server

    def prepare(self) -> Undo:
        """Look which of both it is. Raises `NoEffectError` when the proxy must not be used."""
        name = _proxy_name(self._target)
        _checked(self._run)
        snapshot = _look(self._client)
        found = snapshot.trusted(name)
        created = snapshot.notes.get(note_name("created", self._run, self._target.name))
        if found is not None and created is None:
            _refuse_other_definition(self._client, self._target, found)
            _refuse_leftovers(self._client, snapshot, found, self._run)
            if not found.enabled and not snapshot.faults_on(name):
                raise NoEffectError(
                    f"the proxy `{name}` on {self._client.url} is disabled, nothing gets through "
                    "it; enable it first"
                )
            mode, proxy = "kept", found.without_ours()
        else:
            mode, proxy = "created", self._wanted(name)
        return {
            "kind": "toxiproxy",
            "url": self._client.url,
            "run": self._run,
            "server": self._server,
            "mode": mode,
            "target": self._target.name,
            "proxy": proxy.to_json(),
            "toxic": None,
        }

    def open(self, undo: Undo) -> Mapping[str, Any]:
        """Create the proxy if the undo record says so, and read back that it listens."""
        proxy = ProxyState.from_json(undo["proxy"])
        facts = {"proxy": proxy.name, "listen": proxy.listen, "upstream": proxy.upstream}
        if undo["mode"] == "kept":
            return {**facts, "created": False}
        client = self._client.within(CALLS_S)
        note = Note(name=note_name("created", self._run, self._target.name), data=dict(undo))
        put_note(client, note)
        try:
            client.create(proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=True)
        except ToxiproxyRefusedError as error:
            found = client.proxy(proxy.name) if error.status == 409 else None
            if found is None or not _same_definition(found, proxy):
                drop_quietly(client, note.name)
                raise NoEffectError(
                    f"the proxy `{proxy.name}` cannot be created on {client.url}: {error.message}; "
                    f"`listen: {proxy.listen}` of target `{self._target.name}` has to be a free "
                    "address of the machine on which the Toxiproxy runs"
                ) from error
        found = client.proxy(proxy.name)
        if found is None or not found.enabled:
            raise AdapterError(f"the proxy `{proxy.name}` was created but is not there")
        return {**facts, "listen": found.listen, "created": True}

    def _wanted(self, name: str) -> ProxyState:
        target = self._target
        if not target.listen or not target.upstream:
            raise NoEffectError(
                f"there is no proxy `{name}` on {self._client.url}, and target `{target.name}` has "
                "no `listen` and `upstream` with which to create it; add both to the project file"
            )
        if target.listen.rpartition(":")[2] in ("", "0"):
            raise NoEffectError(
                f"`listen: {target.listen}` of target `{target.name}` has no port; "
                "the traffic has to know where the proxy is"
            )
        return ProxyState(name=name, listen=target.listen, upstream=target.upstream)


class ToxiproxyFault:
    """One toxic, or `down`, on the proxy of a target."""

    def __init__(
        self,
        url: str,
        run_id: str,
        target: Target,
        spec: FaultSpec,
        *,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = ToxiproxyClient(url)
        self._run, self._target, self._spec, self._server = run_id, target, spec, server

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        name = _proxy_name(self._target)
        _checked(self._run)
        _checked(self._spec.id)
        toxic = self._toxic()
        snapshot = _look(self._client)
        if toxic is not None:
            _refuse_unknown_type(self._client, toxic.type)
        base, created = self._base(name, snapshot)
        return {
            "kind": "toxiproxy",
            "url": self._client.url,
            "run": self._run,
            "server": self._server,
            "mode": "toxic" if toxic else "down",
            "fault": self._spec.id,
            "target": self._target.name,
            "proxy": base.to_json(),
            "toxic": toxic.name if toxic else None,
            "created": created,
        }

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Replace the proxy by one with the fault, and read back that it is in place.

        Raises `NoEffectError` as long as nothing was changed; anything else leaves it in doubt.
        """
        began = time.monotonic()
        client = self._client.within(CALLS_S)
        base, toxic = ProxyState.from_json(undo["proxy"]), self._toxic()
        snapshot = _look(client)
        now = snapshot.trusted(base.name)
        if now is None:
            raise NoEffectError(f"the proxy `{base.name}` is not on {client.url} any more")
        if not _same_definition(now, base):
            raise NoEffectError(
                f"the proxy `{base.name}` on {client.url} was changed since the run looked at it: "
                f"it now leads from {now.listen} to {now.upstream}"
            )
        note = Note(name=note_name(undo["mode"], self._run, self._spec.id), data=dict(undo))
        put_note(client, note)
        down = toxic is None or snapshot.held_down(base.name, but=note.name)
        toxics = [t for t in now.toxics if toxic is None or t.name != toxic.name]
        wanted = replace(
            now,
            enabled=base.enabled and not down,
            toxics=(*toxics, toxic) if toxic else tuple(toxics),
        )
        replace_proxy(client, snapshot, wanted, self._run)
        return {
            "proxy": base.name,
            "read_back": True,
            "took_ms": round((time.monotonic() - began) * 1000),
            **({"toxic": toxic.to_json()} if toxic else {"down": True}),
        }

    def _toxic(self) -> ToxicState | None:
        spec = self._spec.toxic
        if spec is None:
            return None
        problems = problems_of(spec.type, spec.attributes, spec.toxicity, spec.stream)
        if problems:
            raise NoEffectError(f"fault `{self._spec.id}`: {'; '.join(problems)}")
        return ToxicState(
            name=f"{PREFIX}{self._run}-{self._spec.id}",
            type=spec.type,
            stream=spec.stream,
            toxicity=spec.toxicity,
            attributes=with_defaults(spec.type, spec.attributes),
        )

    def _base(self, name: str, snapshot: Snapshot) -> tuple[ProxyState, bool]:
        """The proxy as it has to be after the run's faults, and whether the run created it."""
        mine = next((n for n in snapshot.faults_on(name) if n.run == self._run), None)
        if mine is not None:  # another fault of this run is in place: it has seen what was before
            return ProxyState.from_json(mine.data["proxy"]), bool(mine.data.get("created"))
        target_note = snapshot.notes.get(note_name("created", self._run, self._target.name))
        found = snapshot.trusted(name)
        if found is None:
            listen, upstream = self._target.listen, self._target.upstream
            if not listen or not upstream:
                raise NoEffectError(
                    f"there is no proxy `{name}` on {self._client.url}; "
                    f"create it, or give target `{self._target.name}` `listen` and `upstream`"
                )
            return ProxyState(name=name, listen=listen, upstream=upstream), True
        _refuse_other_definition(self._client, self._target, found)
        _refuse_leftovers(self._client, snapshot, found, self._run)
        if not found.enabled:
            raise NoEffectError(
                f"the proxy `{name}` on {self._client.url} is disabled: nothing gets through it, "
                "so no fault can be told from that; enable it first"
            )
        return found.without_ours(), target_note is not None


def _proxy_name(target: Target) -> str:
    if not target.proxy:
        raise NoEffectError(
            f"target `{target.name}` has no `proxy`; a network fault needs one, "
            "with `listen` and `upstream`"
        )
    if target.proxy.startswith(PREFIX):
        raise NoEffectError(f"`{target.proxy}`: names that begin with `{PREFIX}` are reserved")
    return _checked(target.proxy)


def _checked(name: str) -> str:
    try:
        return checked_name(name)
    except GamedayError as error:
        raise NoEffectError(str(error)) from None


def _look(client: ToxiproxyClient) -> Snapshot:
    """The first look of an action: if it fails, nothing has changed."""
    try:
        return look(client.within(CALLS_S))
    except AdapterError as error:
        raise NoEffectError(str(error)) from error


def _same_definition(one: ProxyState, other: ProxyState) -> bool:
    return same_address(one.listen, other.listen) and same_address(one.upstream, other.upstream)


def _refuse_unknown_type(client: ToxiproxyClient, kind: str) -> None:
    """Some kinds of toxics only gameday's own server has."""
    if not embedded_only(kind):
        return
    try:
        software = client.within(CALLS_S).software()
    except AdapterError as error:
        raise NoEffectError(str(error)) from error
    if not software.startswith("embedded"):
        raise NoEffectError(
            f"`{kind}` is a toxic of gameday's embedded server alone, and at {client.url} is "
            f"{software}; run with `--toxiproxy embedded`, or start `gameday proxy serve` there"
        )


def _refuse_other_definition(client: ToxiproxyClient, target: Target, found: ProxyState) -> None:
    for what, there, wanted in (
        ("listen", found.listen, target.listen),
        ("upstream", found.upstream, target.upstream),
    ):
        if wanted and not same_address(there, wanted):
            raise NoEffectError(
                f"the proxy `{found.name}` on {client.url} has `{what}: {there}`, but target "
                f"`{target.name}` says `{what}: {wanted}`; it belongs to somebody else: "
                "correct the project file, or choose another proxy name"
            )


def _refuse_leftovers(
    client: ToxiproxyClient, snapshot: Snapshot, found: ProxyState, run: str
) -> None:
    strangers = [n for n in snapshot.faults_on(found.name) if n.run != run]
    ours = [t.name for t in found.toxics if t.ours and not t.name.startswith(f"{PREFIX}{run}-")]
    backup = snapshot.backup_of(found.name)
    if strangers or ours or (backup is not None and backup.run != run):
        raise NoEffectError(
            f"another run left a fault on the proxy `{found.name}`; "
            f"take it out with `gameday recover --target {client.url}`"
        )
