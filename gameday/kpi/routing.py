"""Where Alertmanager would send an alert, and what would hold it back: its rules, followed here.

Nothing is asked and nothing is changed: the configuration, the silences and the firing alerts are
given as Alertmanager tells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gameday.kpi.durations import prometheus_ms

GROUP_WAIT_MS = 30_000
GROUP_INTERVAL_MS = 300_000
#: Groups by every label.
ALL_LABELS = "..."

_MATCHER = re.compile(
    r"""\s*(?P<name>"(?:[^"\\]|\\.)*"|[^\s=!~,{}"]+)\s*(?P<op>=~|!~|!=|=)\s*
    (?P<value>"(?:[^"\\]|\\.)*"|[^,{}"]*?)\s*(?:,|$)""",
    re.VERBOSE,
)


class RoutingError(ValueError):
    """A configuration that cannot be followed; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on a label; a label that is not there is empty. Expressions match the whole."""

    name: str
    op: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether *labels* satisfy it."""
        value = labels.get(self.name, "")
        if self.op in ("=", "!="):
            return (value == self.value) == (self.op == "=")
        try:
            found = re.fullmatch(f"(?:{self.value})", value, re.DOTALL) is not None
        except re.error as error:
            raise RoutingError(
                f"the expression `{self.value}` cannot be followed: {error}"
            ) from None
        return found == (self.op == "=~")

    @property
    def text(self) -> str:
        """As Alertmanager writes it."""
        return f'{self.name}{self.op}"{self.value}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNode:
    """One route, with what it takes over from those above it."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait_ms: int = GROUP_WAIT_MS
    group_interval_ms: int = GROUP_INTERVAL_MS
    goes_on: bool = False  # `continue`
    mute: tuple[str, ...] = ()  # names of time intervals
    active: tuple[str, ...] = ()
    routes: tuple[RouteNode, ...] = ()
    is_root: bool = False

    def follow(self, labels: Mapping[str, str]) -> tuple[RouteNode, ...]:
        """The routes that take an alert with *labels*, in order."""
        if not all(m.matches(labels) for m in self.matchers):
            return ()
        found: list[RouteNode] = []
        for child in self.routes:
            taken = child.follow(labels)
            found += taken
            if taken and not child.goes_on:
                break
        return tuple(found) or (self,)

    def labels_used(self) -> frozenset[str]:
        """The labels on which the way through the tree depends."""
        below = (name for child in self.routes for name in child.labels_used())
        return frozenset({*(m.name for m in self.matchers), *below})

    @property
    def text(self) -> str:
        """Which route it is."""
        if self.is_root:
            return f"the root route, to `{self.receiver}`"
        conditions = ", ".join(m.text for m in self.matchers) or "everything"
        return f"the route of {conditions} to `{self.receiver}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """An alert that matches `source` holds back those that match `target`, with `equal` labels."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def holds_back(self, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
        """Whether an alert with the labels *source* holds back one with those of *target*."""
        if not _all(self.source, source) or not _all(self.target, target):
            return False
        if _all(self.source, target) and _all(self.target, source):
            return False  # both sides on both: it would hold back itself
        return all(source.get(name, "") == target.get(name, "") for name in self.equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """A whole configuration. `receivers` are as they are written, by name."""

    root: RouteNode
    inhibit: tuple[InhibitRule, ...] = ()
    receivers: Mapping[str, Mapping[str, Any]]

    def reached(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The receivers of an alert with *labels*, each once."""
        return tuple(dict.fromkeys(node.receiver for node in self.root.follow(labels)))

    def only_webhook(self, receiver: str) -> str | None:
        """The one address to which *receiver* sends, if it is a webhook and nothing else is.

        Empty where it is not shown (a file has it); since 0.26 Alertmanager shows `<secret>`.
        """
        parts = {
            key: value
            for key, value in self.receivers.get(receiver, {}).items()
            if key.endswith("_configs") and value
        }
        if set(parts) != {"webhook_configs"} or len(parts["webhook_configs"]) != 1:
            return None
        url = parts["webhook_configs"][0].get("url")
        return url if isinstance(url, str) else ""


def routing_of(config: Any) -> Routing:
    """The routing of a configuration that was read from YAML. Raises `RoutingError`."""
    if not isinstance(config, Mapping) or not isinstance(config.get("route"), Mapping):
        raise RoutingError("the configuration has no `route`")
    top = RouteNode(receiver=str(config["route"].get("receiver") or ""))
    receivers = {
        str(one.get("name")): one for one in config.get("receivers") or () if isinstance(one, dict)
    }
    return Routing(
        root=_node(config["route"], top, is_root=True),
        inhibit=tuple(_inhibit(one) for one in config.get("inhibit_rules") or ()),
        receivers=receivers,
    )


def matching_silences(
    silences: Iterable[Mapping[str, Any]], labels: Mapping[str, str]
) -> list[str]:
    """The ids of silences (`/api/v2/silences`), active or to come, that an alert would meet."""
    return [
        str(one.get("id"))
        for one in silences
        if (one.get("status") or {}).get("state") in ("active", "pending")
        and one.get("matchers")
        and _all([_of_silence(m) for m in one["matchers"]], labels)
    ]


def matchers_of(text: str) -> tuple[Matcher, ...]:
    """Conditions as they are written in a configuration: `{a="b", c=~d}`. Raises RoutingError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    found: list[Matcher] = []
    at = 0
    while inner[at:].strip():
        one = _MATCHER.match(inner, at)
        if one is None or one.end() == at:
            raise RoutingError(f"the matcher `{text}` cannot be read")
        found.append(
            Matcher(name=_bare(one["name"]), op=one["op"], value=_bare(one["value"].strip()))
        )
        at = one.end()
    return tuple(found)


def duration_ms(raw: object, default: int) -> int:
    """Milliseconds of a duration of Alertmanager, or *default* where there is none."""
    if raw is None or raw == "":
        return default
    if raw in ("0", 0):
        return 0
    found = prometheus_ms(raw)
    if found is None:
        raise RoutingError(f"`{raw}` is no duration")
    return found


def _node(raw: Any, above: RouteNode, *, is_root: bool = False) -> RouteNode:
    if not isinstance(raw, Mapping):
        raise RoutingError("a route is no mapping")
    group_by = raw.get("group_by")
    here = RouteNode(
        receiver=str(raw.get("receiver") or above.receiver),
        matchers=() if is_root else tuple(_conditions(raw, "")),
        group_by=tuple(map(str, group_by)) if group_by else above.group_by,
        group_wait_ms=duration_ms(raw.get("group_wait"), above.group_wait_ms),
        group_interval_ms=duration_ms(raw.get("group_interval"), above.group_interval_ms),
        goes_on=raw.get("continue") is True,
        mute=tuple(map(str, raw.get("mute_time_intervals") or ())),
        active=tuple(map(str, raw.get("active_time_intervals") or ())),
        is_root=is_root,
    )
    children: Sequence[Any] = raw.get("routes") or ()
    return replace(here, routes=tuple(_node(child, here) for child in children))


def _conditions(raw: Mapping[str, Any], prefix: str) -> Iterator[Matcher]:
    """The three ways in which conditions are written; *prefix* is `source_`, `target_` or none."""
    for key, op in (("match", "="), ("match_re", "=~")):
        for name, value in (raw.get(f"{prefix}{key}") or {}).items():
            yield Matcher(name=str(name), op=op, value=str(value))
    written = raw.get(f"{prefix}matchers") or ()
    for text in [written] if isinstance(written, str) else written:
        yield from matchers_of(str(text))


def _inhibit(raw: Any) -> InhibitRule:
    if not isinstance(raw, Mapping):
        raise RoutingError("an inhibit rule is no mapping")
    return InhibitRule(
        source=tuple(_conditions(raw, "source_")),
        target=tuple(_conditions(raw, "target_")),
        equal=tuple(map(str, raw.get("equal") or ())),
    )


def _of_silence(raw: Mapping[str, Any]) -> Matcher:
    op = "=~" if raw.get("isRegex") else "="
    if raw.get("isEqual") is False:
        op = {"=": "!=", "=~": "!~"}[op]
    return Matcher(name=str(raw.get("name")), op=op, value=str(raw.get("value")))


def _all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(m.matches(labels) for m in matchers)


def _bare(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text[1:-1])
    return text
