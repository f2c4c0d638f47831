"""Rules of iptables as values: which ones a fault is made of, their scripts and their listing.

No I/O. Every rule carries the comment `gameday:RUN:FAULT`; whatever has another one is not ours.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

#: One rule: the chain, then its words without the comment.
Rule = tuple[str, ...]
#: The resolver that Docker puts into containers on networks of users. Its port 53 is translated to
#: another one before the chain OUTPUT sees a packet, so the rules go by the address alone.
DOCKER_RESOLVER = "127.0.0.11"
_COUNTED = re.compile(r"^\[(\d+):(\d+)\] -A (\S+) (.*)$")
_IPTABLES = "iptables -w 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Rules with our comment as they were listed: how many there are, and what they matched."""

    rules: int = 0
    packets: int = 0
    bytes: int = 0


def comment_of(run: str, fault: str) -> str:
    """What the rules of one fault carry. Raises `ValueError` for a name that cannot be one."""
    for name in (run, fault):
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name):
            raise ValueError(f"`{name}` cannot be put into the comment of a packet rule")
    return f"gameday:{run}:{fault}"


def rules_of(kind: str, options: Mapping[str, Any], peers: Sequence[str] = ()) -> list[Rule]:
    """The rules of a fault, pure. *peers* are the addresses or networks it is limited to."""
    if kind == "dns":
        return _dns(str(options["how"]))
    verdict: Rule = ("-j", "DROP")
    match: Rule = ()
    protocol: Rule = ()
    if kind == "reset":
        verdict = ("-j", "REJECT", "--reject-with", "tcp-reset")
        protocol = ("-p", "tcp")
        match = ("-m", "tcp", "!", "--tcp-flags", "RST", "RST")  # resets themselves get through
    if kind == "loss":
        share = float(options["share"])
        match = ("-m", "statistic", "--mode", "random", "--probability", f"{share:.9f}")
    sides = {"in": ("INPUT",), "out": ("OUTPUT",)}.get(
        str(options.get("direction")), ("INPUT", "OUTPUT")
    )
    found = []
    for chain in sides:
        for peer in peers or (None,):
            for port in _ports(options.get("port"), protocol):
                found.append(
                    (chain, *_outside(chain), *_peer(chain, peer), *port, *match, *verdict)
                )
    return found


def _outside(chain: str) -> Rule:
    """Not what the container says to itself, such as a health check or Docker's resolver."""
    return ("!", "-i", "lo") if chain == "INPUT" else ("!", "-o", "lo")


def _peer(chain: str, peer: str | None) -> Rule:
    if peer is None:
        return ()
    return ("-s" if chain == "INPUT" else "-d", peer)


def _ports(port: int | None, protocol: Rule) -> tuple[Rule, ...]:
    if port is None:
        return (protocol,)
    return (("-p", "tcp", "--dport", str(port)), ("-p", "tcp", "--sport", str(port)))


def _dns(how: str) -> list[Rule]:
    """`refuse` stops the question as it leaves; `drop` loses the answer, so that somebody waits.

    A question that is dropped on its way out makes the sender fail at once ("operation not
    permitted"), so that only a lost answer looks like a resolver that is silent.
    """
    rules: list[Rule] = []
    for protocol in ("udp", "tcp"):
        if how == "refuse":
            saying = "icmp-port-unreachable" if protocol == "udp" else "tcp-reset"
            verdict: Rule = ("-j", "REJECT", "--reject-with", saying)
            rules.append(("OUTPUT", "-d", DOCKER_RESOLVER, "-p", protocol, *verdict))
            rules.append(("OUTPUT", "-p", protocol, "--dport", "53", *verdict))
        else:
            rules.append(("INPUT", "-s", DOCKER_RESOLVER, "-p", protocol, "-j", "DROP"))
            rules.append(("INPUT", "-p", protocol, "--sport", "53", "-j", "DROP"))
    return rules


def checked_peer(text: str) -> str | None:
    """The address or network as iptables says it; None when the text is neither.

    Raises `ValueError` for one that would be everything, or that is IPv6.
    """
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if network.version != 4:
        raise ValueError(f"`peer: {text}` is IPv6; only IPv4 addresses and networks can be given")
    if network.prefixlen == 0:
        raise ValueError(f"`peer: {text}` is everybody; leave `peer` out to say that")
    return str(network)


def insert_script(comment: str, rules: Iterable[Rule]) -> str:
    """A shell script that puts the rules in, all or none, and lists them."""
    rules = list(rules)
    lines = ["undo() {", *_deletions(comment, rules), LIST_SCRIPT, "exit 3", "}"]
    for rule in rules:
        there = _command("-C", comment, rule)
        lines.append(f"{there} 2>/dev/null || {_command('-I', comment, rule)} || undo")
    return "\n".join([*lines, LIST_SCRIPT])


def delete_script(comment: str, rules: Iterable[Rule]) -> str:
    """A shell script that lists the rules with what they matched, takes them out, lists again."""
    return "\n".join([LIST_SCRIPT, *_deletions(comment, list(rules)), "echo ==", LIST_SCRIPT])


LIST_SCRIPT = "iptables-save -c -t filter || exit 4"


def _command(how: str, comment: str, rule: Rule) -> str:
    chain, *words = rule
    where = [chain, "1"] if how == "-I" else [chain]
    verdict = words.index("-j")
    tagged = [*words[:verdict], "-m", "comment", "--comment", comment, *words[verdict:]]
    return f"{_IPTABLES} {how} {shlex.join([*where, *tagged])}"


def _deletions(comment: str, rules: list[Rule]) -> list[str]:
    """Each rule as often as it is there (twice at most: a call that was given up may land late)."""
    lines = []
    for rule in rules:
        there, gone = _command("-C", comment, rule), _command("-D", comment, rule)
        lines.append(f"for turn in 1 2; do {there} 2>/dev/null && {gone}; done")
    return lines


def counted(listing: str, comment: str) -> Counted:
    """The rules with exactly this comment in what `iptables-save -c` said."""
    rules = packets = size = 0
    for line in listing.splitlines():
        match = _COUNTED.match(line.strip())
        if match and comment in _comments(match[4]):
            rules, packets, size = rules + 1, packets + int(match[1]), size + int(match[2])
    return Counted(rules=rules, packets=packets, bytes=size)


def _comments(words: str) -> list[str]:
    try:
        said = shlex.split(words)
    except ValueError:
        return []
    return [after for word, after in pairwise(said) if word == "--comment"]


def marks(listing: str) -> list[str]:
    """The comments of gameday (`gameday:RUN:FAULT`) in a listing."""
    lines = (_COUNTED.match(line.strip()) for line in listing.splitlines())
    found = {text for m in lines if m for text in _comments(m[4]) if text.startswith("gameday:")}
    return sorted(found)
