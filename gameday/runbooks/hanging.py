"""Which commands may never end, by their words: they follow something, or wait for a lock.

What opens a prompt or an editor is not meant: whoever opens it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_SQL_LIMIT = re.compile(r"statement_timeout|lock_timeout|max_execution_time|max_statement_time")


def hangs(words: Sequence[str], body: str) -> str:
    """What of a command may not end, for people; empty when nothing is known to.

    *body* is the whole block: a limit may be set on another line.
    """
    if not words:
        return ""
    program, args = words[0].rpartition("/")[2], list(words[1:])
    if program in _ALWAYS:
        return program
    if program in _SQL:
        return "" if _SQL_LIMIT.search(body) or "-l" in args or "--version" in args else program
    look = _LOOK.get(program)
    return look(program, args) if look else ""


def _short(args: list[str], letter: str) -> bool:
    """Whether a one-letter option is given, alone or among others (`-it`)."""
    return any(re.fullmatch(rf"-[A-Za-z]*{letter}[A-Za-z0-9]*", a) for a in args)


def _follows(program: str, args: list[str]) -> str:
    if _short(args, "f") or _short(args, "F") or any(a.startswith("--follow") for a in args):
        return f"{program} -f"
    return ""


def _kube(program: str, args: list[str]) -> str:
    before = args[: args.index("--")] if "--" in args else args
    verb = next((a for a in before if a in _KUBE), "")
    if verb in ("port-forward", "proxy", "attach"):
        return f"{program} {verb}"
    if verb == "logs" and ("-f" in before or "--follow" in before):
        return f"{program} logs -f"
    if verb == "get" and {"-w", "--watch", "--watch=true"} & set(before):
        return f"{program} get -w"
    if verb == "rollout" and "status" in before:
        limited = any(a.startswith(("--timeout", "--watch=false")) for a in before)
        return "" if limited else f"{program} rollout status"
    return ""


_KUBE = frozenset({"get", "logs", "exec", "port-forward", "proxy", "attach", "rollout", "describe"})


def _docker(program: str, args: list[str]) -> str:
    rest = args[1:] if args[:1] in (["compose"], ["container"]) else args
    verb = rest[0] if rest else ""
    if verb == "logs":
        return _follows(f"{program} logs", rest)
    if verb in ("attach", "events"):
        return "" if "--until" in rest else f"{program} {verb}"
    if verb == "stats":
        return "" if "--no-stream" in rest else f"{program} stats"
    return ""


def _without(*limits: str) -> Callable[[str, list[str]], str]:
    """A program that goes on unless one of these options limits it."""

    def look(program: str, args: list[str]) -> str:
        given = any(re.fullmatch(rf"{re.escape(m)}(?:[=\d].*)?", a) for a in args for m in limits)
        among = any(_short(args, limit[1]) for limit in limits if len(limit) == 2)
        return "" if given or among else program

    return look


def _every(program: str, args: list[str]) -> str:
    """`vmstat 1` goes on, `vmstat 1 5` does not."""
    numbers = [a for a in args if a.isdigit()]
    return f"{program} {numbers[0]}" if len(numbers) == 1 else ""


def _redis(program: str, args: list[str]) -> str:
    plain = {a.lower() for a in args}
    hit = plain & {"monitor", "subscribe", "psubscribe", "--latency", "--stat"}
    return f"{program} {min(hit)}" if hit else ""


def _sleep(program: str, args: list[str]) -> str:
    return "sleep infinity" if args[:1] in (["infinity"], ["inf"]) else ""


def _top(program: str, args: list[str]) -> str:
    return "" if _short(args, "n") and _short(args, "b") else program


_ALWAYS = frozenset({"watch", "htop", "k9s"})
_SQL = frozenset({"psql", "mysql", "mariadb"})
_LOOK: Mapping[str, Callable[[str, list[str]], str]] = {
    "tail": _follows,
    "journalctl": _follows,
    "stern": lambda program, args: "" if "--no-follow" in args else program,
    "kubectl": _kube,
    "oc": _kube,
    "docker": _docker,
    "podman": _docker,
    "top": _top,
    "ping": _without("-c", "-w"),
    "ping6": _without("-c", "-w"),
    "tcpdump": _without("-c", "-r"),
    "mtr": _without("-r", "-c", "--report"),
    "dmesg": lambda program, args: f"{program} -w" if {"-w", "--follow"} & set(args) else "",
    "vmstat": _every,
    "iostat": _every,
    "mpstat": _every,
    "sar": _every,
    "nc": lambda program, args: f"{program} -l" if _short(args, "l") else "",
    "redis-cli": _redis,
    "valkey-cli": _redis,
    "sleep": _sleep,
    "kafka-console-consumer": _without("--timeout-ms", "--max-messages"),
    "kafka-console-consumer.sh": _without("--timeout-ms", "--max-messages"),
}
