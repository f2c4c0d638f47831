"""What the answers of a source say: from JSON to rows with our names and wall times. Pure.

The only module here that knows JMESPath. A row that cannot be read fails the whole answer: half a
list of alerts would look like quiet.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from gameday.errors import CannotSeeError
from gameday.model.sources import RULE_FIELDS, SourceSpec

#: Labels of one alert that are kept.
MAX_LABELS = 64
#: A number above this is milliseconds, below it seconds (1e11 s is the year 5138).
_MS_FROM = 1e11
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?\s*(Z|UTC|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One alert of one answer. Times are wall ms on the clock of the source."""

    id: str
    name: str
    state: str  # firing, pending or ended
    said: str  # the state in the source's own word
    started_wall_ms: int | None = None
    pending_wall_ms: int | None = None
    ended_wall_ms: int | None = None
    acknowledged_wall_ms: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


def picked(expression: str, raw: Any, what: str) -> Any:
    """What *expression* finds in *raw*; CannotSeeError when it does not fit."""
    try:
        return jmespath.search(expression, raw)
    except (JMESPathError, RecursionError) as error:
        first = str(error).strip().splitlines()[0]
        raise CannotSeeError(f"`{what}` cannot be read out of the answer: {first}") from None


def rows_of(spec: SourceSpec, raw: Any) -> list[Row]:
    """The alerts of one answer. Raises CannotSeeError."""
    if spec.problem and (said := picked(spec.problem, raw, "problem")):
        raise CannotSeeError(f"`{spec.name}` answered with an error: {str(said)[:200]}")
    found = picked(spec.rows, raw, "rows")
    if not isinstance(found, list):
        raise CannotSeeError(f"`{spec.name}` did not answer with a list of alerts at `{spec.rows}`")
    return [_row(spec, one) for one in found if one is not None]


def rules_of(spec: SourceSpec, raw: Any) -> list[dict[str, Any]]:
    """The rules of one answer, as far as they are listed there."""
    found = picked(spec.rules, raw, "rules") if spec.rules else None
    rows = []
    for one in found if isinstance(found, list) else ():
        row = {
            name: picked(spec.rule_map[name], one, f"rule_map.{name}")
            for name in RULE_FIELDS
            if name in spec.rule_map
        }
        health = str(row.get("health") or "unknown")
        rows.append(
            {
                "name": str(row.get("name") or ""),
                "health": "err" if health in ("error", "err", "nodata") else health,
                "lastError": str(row.get("error") or "")[:500],
                "labels": labels_of(row.get("labels")),
                "annotations": labels_of(row.get("annotations")),
                "interval": row.get("interval"),
            }
        )
    return rows


def _row(spec: SourceSpec, one: Any) -> Row:
    got = {name: picked(text, one, f"map.{name}") for name, text in spec.map.items()}
    zone = zone_of(spec.zone)
    times = {name: wall_ms_of(got.get(name), zone, name) for name in _TIMES}
    for part in ("ended", "acknowledged"):
        times[part] = times[part] or _after(times["started"], got.get(f"{part}_after"))
    name = _name(spec, got.get("name"))
    state, said = _state(spec, got.get("state"), times)
    labels = labels_of(got.get("labels"))
    if got.get("severity") is not None:
        labels.setdefault("severity", str(got["severity"]))
    identity = got.get("id")
    return Row(
        id=str(identity) if identity is not None else f"{name} {sorted(labels.items())}",
        name=name,
        state=state,
        said=said,
        started_wall_ms=times["started"],
        pending_wall_ms=times["pending"],
        ended_wall_ms=times["ended"],
        acknowledged_wall_ms=times["acknowledged"],
        labels={"alertname": name, **labels},
        annotations=labels_of(got.get("annotations")),
        url=str(got.get("url") or ""),
    )


_TIMES = ("started", "pending", "ended", "acknowledged")


def _after(started_ms: int | None, ms: Any) -> int | None:
    """A time that is told as ms after the beginning."""
    number = isinstance(ms, (int, float)) and not isinstance(ms, bool)
    return round(started_ms + ms) if number and started_ms is not None else None


def _name(spec: SourceSpec, value: Any) -> str:
    if value is None or value == "":
        raise CannotSeeError(f"`{spec.name}` lists an alert without a name at `{spec.map['name']}`")
    title = str(value)
    found = re.search(spec.name_pattern, title) if spec.name_pattern else None
    if found is None:
        return title
    return next((group for group in found.groups() if group), found[0])


def _state(spec: SourceSpec, value: Any, times: Mapping[str, int | None]) -> tuple[str, str]:
    """Our word for the state. Where none is read, an alert with an end has ended."""
    if "state" not in spec.map:
        return ("ended" if times["ended"] is not None else "firing"), ""
    said = "" if value is None else str(value).strip()
    plain = said.partition(" (")[0]  # Grafana: `Alerting (NoData)`
    for word in (said, plain):
        if word in spec.states:
            return spec.states[word], said
    raise CannotSeeError(
        f"`{spec.name}` lists an alert in the state `{said[:60]}`, which `states` does not know"
    )


def labels_of(raw: Any) -> dict[str, str]:
    """Labels from a mapping, from `name:value` or `name=value` texts, or from name/value pairs."""
    if isinstance(raw, Mapping):
        pairs = [(str(k), v) for k, v in raw.items()]
    else:
        pairs = [pair for one in raw or () for pair in _pair(one)] if _is_list(raw) else []
    return {name: _plain(value) for name, value in pairs[:MAX_LABELS] if value is not None and name}


def _is_list(raw: Any) -> bool:
    return isinstance(raw, (list, tuple))


def _pair(one: Any) -> list[tuple[str, Any]]:
    if isinstance(one, str):
        found = re.match(r"([^:=]+)[:=](.*)", one, re.DOTALL)
        return [(found[1].strip(), found[2].strip())] if found else [(one, "true")]
    if isinstance(one, Mapping):
        name = one.get("name", one.get("key", one.get("Name", one.get("Key"))))
        return [(str(name), one.get("value", one.get("Value")))] if name is not None else []
    return []


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_list(value):
        return ",".join(_plain(one) for one in value)
    return str(value)


def zone_of(name: str) -> tzinfo:
    """The zone of times that do not say theirs."""
    try:
        return UTC if name == "UTC" else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise CannotSeeError(f"the time zone `{name}` is not known here") from None


def wall_ms_of(value: Any, zone: tzinfo = UTC, what: str = "time") -> int | None:
    """Wall ms of a time: ISO 8601 with or without a zone, or epoch in s or ms. None for no time.

    Raises CannotSeeError for what is no time: a time that is guessed would be a false fact.
    """
    if value is None or value == "" or isinstance(value, bool) or value == 0:
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value.strip()):
        value = float(value) if "." in value else int(value)
    if isinstance(value, (int, float)):
        ms = value if abs(value) >= _MS_FROM else value * 1000
        return round(ms) if ms > 0 else None
    found = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise CannotSeeError(f"`{str(value)[:60]}` in `{what}` is not a time")
    try:
        return _iso_ms(found, zone)
    except (ValueError, OverflowError):
        raise CannotSeeError(f"`{value}` in `{what}` is not a time of the calendar") from None


def _iso_ms(found: re.Match[str], zone: tzinfo) -> int | None:
    said = (found[4] or "").replace("UTC", "Z").replace("Z", "+00:00")
    at = datetime.fromisoformat(f"{found[1]}T{found[2]}{said}")
    if at.year <= 1:  # Go's zero time
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return round(at.timestamp()) * 1000 + int((found[3] or "0").ljust(9, "0")[:3])
