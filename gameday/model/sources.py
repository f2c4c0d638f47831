"""Alert sources that are asked over HTTP and answer with JSON, as data.

A source is written in full in the project file, or by the name of a preset (`source_presets`) with
what differs. What a source cannot say is derived here from what is read out of its answers, so
that an expectation which needs it is never taken as met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.model.secret import SecretRef

#: All that a source may be able to say of an alert.
CAPABILITIES = (
    "firing", "pending", "ended", "delivered", "acknowledged", "labels", "annotations", "rules",
)  # fmt: skip
#: What is read out of each alert of an answer, each by a JMESPath expression.
FIELDS = (
    "id", "name", "state", "started", "pending", "ended", "acknowledged", "labels", "annotations",
    "severity", "url", "acknowledged_after", "ended_after",
)  # fmt: skip
#: What is read out of each rule of an answer.
RULE_FIELDS = ("name", "health", "error", "labels", "annotations", "interval")
#: The states that the states of a source are translated to.
STATES = ("firing", "pending", "ended", "ignored")
#: How one page leads to the next.
PAGINGS = ("none", "next", "cursor", "offset", "page")
#: `history`: alerts that are over are listed too. `live`: only what is there now, so it is polled.
#: `changes`: each entry is a change of the state of one alert, at `started`.
KEEPS = ("history", "live", "changes")
#: The values of the window that texts of a request may hold, besides the options.
WINDOW = tuple(f"{edge}_{form}" for edge in ("since", "until") for form in ("ms", "s", "iso"))
#: Names that other sources have.
TAKEN_NAMES = ("prometheus", "alertmanager", "builtin", "receiver")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAuth:
    """How requests authenticate: at most one of `bearer`, `user` with `password`, and AWS keys.

    `headers` are sent as well. With `access_key` and `secret_key` requests are signed (SigV4).
    """

    bearer: SecretRef | None = None
    user: str | None = None
    password: SecretRef | None = None
    headers: Mapping[str, str | SecretRef] = field(default_factory=dict)
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    session_token: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """What is asked. Texts may hold `{{ since_ms }}` and the like, and `{{ option }}`s."""

    method: str = "GET"
    path: str = ""
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePaging:
    """How one page leads to the next, until nothing more comes.

    `next` and `cursor` read the next address or mark out of the answer with `read`; a cursor, an
    offset and a page number are sent as `param`, in the query or (`in_body`) in the body. `more`
    is an expression that says whether there is more; otherwise a page shorter than `size` ends it.
    """

    kind: str = "none"
    read: str = ""
    param: str = ""
    in_body: bool = False
    size: int = 100
    first: int = 0
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """One source. Durations are in ms.

    `rows` gives the alerts of an answer, `map` reads each of them; `states` translates its states.
    `name_pattern` takes the alert's name (its first group) out of a title. `rules` and `rule_map`
    do the same for rules. `problem` is true of an answer with status 200 that is none. Times
    without a zone are in `zone`. `lookback_ms` is how far before the run is asked, so that what
    was firing already is seen; `delay_ms` how late the source lists what has happened; `error_ms`
    how much earlier an alert may really have begun than it says.
    """

    name: str
    preset: str = ""
    url: str
    auth: SourceAuth = SourceAuth()
    request: SourceRequest = SourceRequest()
    paging: SourcePaging = SourcePaging()
    rows: str = ""
    map: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    name_pattern: str | None = None
    rules: str = ""
    rule_map: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    zone: str = "UTC"
    keeps: str = "history"
    delivered: bool = False
    every_ms: int = 5_000
    lookback_ms: int = 86_400_000
    delay_ms: int = 0
    error_ms: int = 1_000
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def can(self) -> tuple[str, ...]:
        """What it can say, in the order of `CAPABILITIES`."""
        live = self.keeps == "live"
        there = {
            "firing": live or "started" in self.map,
            "pending": "pending" in self.map or "pending" in self.states.values(),
            "ended": self.keeps in ("live", "changes")
            or bool({"ended", "ended_after"} & set(self.map)),
            "delivered": self.delivered,
            "acknowledged": bool({"acknowledged", "acknowledged_after"} & set(self.map)),
            "labels": "labels" in self.map,
            "annotations": "annotations" in self.map,
            "rules": bool(self.rules),
        }
        return tuple(name for name in CAPABILITIES if there[name])


def judging(sources: Iterable[SourceSpec]) -> SourceSpec | None:
    """The source that says when alerts fire, where there is no Prometheus: the first that can."""
    return next((source for source in sources if "firing" in source.can), None)
