"""Packets of a container: `drop`, `reset`, `loss`, `dns` and `blackhole`, with rules of iptables.

The rules go into the network namespace of the container, through a helper container that shares it.
Each carries the comment `gameday:RUN:FAULT`, is put in front of all others, and is taken out by the
same words with which it was put in. No other rule is touched, nothing is ever flushed. When the
container is stopped or restarted its namespace is gone, and the rules with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.packets import (
    LIST_SCRIPT,
    Rule,
    checked_peer,
    comment_of,
    counted,
    delete_script,
    insert_script,
    marks,
    rules_of,
)
from gameday.adapters.docker.engine import Engine, Found
from gameday.adapters.docker.helper_container import (
    PACKETS,
    Place,
    image_of,
    last_words,
    run_beside,
    run_script,
    sweep,
)
from gameday.errors import AdapterError, CannotSeeError, NoEffectError


@dataclass(frozen=True, slots=True)
class PacketAction:
    """One of the faults on packets."""

    kind: str

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The rules it will be, the peers as addresses, and that rules can be listed there."""
        image = image_of(engine)
        refuse_other_network(container, self.kind)
        peers = self._peers(engine, container, options)
        if not peers:
            _refuse_ipv6(container, self.kind)
        mark = Mark(run="look", fault=self.kind)
        said = run_script(engine, LIST_SCRIPT, image=image, mark=mark, place=_place(container))
        if said.code != 0:
            raise NoEffectError(
                f"packet rules cannot be listed in the network of container `{container.name}` "
                f"with the helper image `{image}`: {last_words(said.output)}"
            )
        return {
            "image": image,
            "peers": peers,
            "rules": [list(rule) for rule in rules_of(self.kind, options, peers)],
            "marks": marks(said.output),
            "started_at": container.state.get("StartedAt"),
        }

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Put the rules in, all or none, and list them."""
        del options  # the rules were made of them when it was looked at
        comment, rules = _recorded(mark, before)
        _refuse_leftovers(container, before["marks"], mark)
        said = run_script(
            engine,
            insert_script(comment, rules),
            image=image_of(engine),
            mark=mark,
            place=_place(container),
        )
        found = counted(said.output, comment)
        if found.rules == len(rules) and said.code == 0:
            return {"rules": found.rules, "comment": comment, "peers": before["peers"]}
        text = (
            f"{found.rules} of {len(rules)} packet rules are in place in container "
            f"`{container.name}`: {last_words(_complaints(said.output))}"
        )
        raise NoEffectError(text) if said.code == 3 and not found.rules else AdapterError(text)

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Take the rules out; says what they matched until then."""
        mark, before = Mark.of(part), part["before"]
        comment, rules = _recorded(mark, before)
        sweep(engine, mark, container.id)  # a call that was given up ends here
        said = self._listed(engine, container, part, delete_script(comment, rules))
        if said is None:
            return {"rules": 0, "stopped": True}
        first, _, last = said.partition("\n==\n")
        was, left = counted(first, comment), counted(last, comment)
        if left.rules:
            raise AdapterError(
                f"{left.rules} packet rules with the comment `{comment}` are still in place in "
                f"container `{container.name}`: {last_words(_complaints(said))}"
            )
        restarted = container.state.get("StartedAt") != before.get("started_at")
        return {
            "rules": was.rules,
            "matched_packets": was.packets,
            "matched_bytes": was.bytes,
            **({"restarted": True} if restarted else {}),
        }

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether any rule with our comment is there; none is once the container was restarted."""
        mark = Mark.of(part)
        said = self._listed(engine, container, part, LIST_SCRIPT)
        return said is not None and counted(said, comment_of(mark.run, mark.fault)).rules > 0

    def _listed(
        self, engine: Engine, container: Found, part: Mapping[str, Any], script: str
    ) -> str | None:
        """What a script says in the container's network; None when that network is gone."""
        said = run_beside(engine, container, part, script, _place(container))
        if said is None:
            return None
        if said.code != 0:
            raise CannotSeeError(
                f"the packet rules in container `{container.name}` cannot be listed: "
                f"{last_words(_complaints(said.output))}"
            )
        return said.output

    def _peers(self, engine: Engine, container: Found, options: Mapping[str, Any]) -> list[str]:
        text = options.get("peer")
        if text is None:
            return []
        try:
            address = checked_peer(str(text))
        except ValueError as error:
            raise NoEffectError(str(error)) from None
        if address is not None:
            return [address]
        if self.kind != "blackhole":
            raise NoEffectError(
                f"`peer: {text}` is no IPv4 address or network; a container can be named as the "
                "peer of `blackhole` only"
            )
        return _addresses(engine, container, str(text))


DROP = PacketAction("drop")
RESET = PacketAction("reset")
LOSS = PacketAction("loss")
DNS = PacketAction("dns")
BLACKHOLE = PacketAction("blackhole")


def refuse_other_network(container: Found, kind: str) -> None:
    """Only a container that runs, with a network of its own, may be broken in this way."""
    if not container.running or container.state.get("Restarting"):
        raise NoEffectError(
            f"container `{container.name}` does not run; `{kind}` needs its network, start it first"
        )
    mode = str(container.host.get("NetworkMode", ""))
    if mode == "host":
        raise NoEffectError(
            f"container `{container.name}` uses the network of the host: `{kind}` would break the "
            "host itself; give the container a network of its own"
        )
    if mode == "none":
        raise NoEffectError(
            f"container `{container.name}` has no network, so `{kind}` would change nothing"
        )
    if mode.startswith("container:"):
        raise NoEffectError(
            f"container `{container.name}` uses the network of container "
            f"`{mode.partition(':')[2][:64]}`; name that one as the target of `{kind}`"
        )


def _place(container: Found) -> Place:
    return Place(target=container.id, network=True, capabilities=PACKETS)


def _recorded(mark: Mark, before: Mapping[str, Any]) -> tuple[str, list[Rule]]:
    try:
        comment = comment_of(mark.run, mark.fault)
    except ValueError as error:
        raise NoEffectError(str(error)) from None
    return comment, [tuple(str(word) for word in rule) for rule in before["rules"]]


def _refuse_leftovers(container: Found, found: Iterable[str], mark: Mark) -> None:
    others = sorted({text.split(":")[1] for text in found} - {mark.run})
    if others:
        raise NoEffectError(
            f"container `{container.name}` still has packet rules of run `{others[0]}`; clean up "
            "first with `gameday recover`"
        )


def _refuse_ipv6(container: Found, kind: str) -> None:
    with_ipv6 = [name for name, e in container.networks.items() if e.get("GlobalIPv6Address")]
    if with_ipv6:
        raise NoEffectError(
            f"container `{container.name}` has an IPv6 address on network `{with_ipv6[0]}`, and "
            f"`{kind}` has rules for IPv4 only, so that a part would get through; limit it to an "
            "IPv4 `peer`, or use a network without IPv6"
        )


def _addresses(engine: Engine, container: Found, peer: str) -> list[str]:
    """The addresses of a container on the networks that it shares with the target."""
    other = engine.find(peer)
    if other is None:
        raise NoEffectError(
            f"`peer: {peer}` is neither an IPv4 address or network nor a container on the Docker "
            f"engine at {engine.url}"
        )
    shared = {e.get("NetworkID") for e in container.networks.values()} - {None, ""}
    ends = [e for e in other.networks.values() if e.get("NetworkID") in shared]
    found = sorted({f"{e['IPAddress']}/32" for e in ends if e.get("IPAddress")})
    if not found:
        raise NoEffectError(
            f"container `{peer}` has no IPv4 address on a network that it shares with "
            f"`{container.name}`; both have to run and to be on one network"
        )
    return found


def _complaints(output: str) -> str:
    """What was said beside the listing, and beside warnings."""
    noise = ("[", ":", "*", "#", "COMMIT", "==")
    return "\n".join(line for line in output.splitlines() if not line.startswith(noise))
