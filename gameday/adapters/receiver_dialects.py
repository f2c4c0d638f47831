"""Webhooks of PagerDuty (both ways), of SNS with CloudWatch, and CloudEvents. Pure.

What is sent is told from the payload and its headers. A payload that no known sender would send is
malformed; one that is known and says nothing of an alert (a ping) is none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gameday.adapters.prometheus_answers import time_wall_ms
from gameday.adapters.receiver_payloads import Delivery, MalformedError, deliveries, masked
from gameday.model.source_presets import TITLE

#: The header with which PagerDuty signs its V3 webhooks.
SIGNATURE = "x-pagerduty-signature"
_TITLE = re.compile(TITLE)
#: How Alertmanager lists labels and annotations in a text.
_BLOCKS = re.compile(r"^Labels:$", re.MULTILINE)
_LINE = re.compile(r"^ - (\S+) = (.*)$", re.MULTILINE)
_PD_STATES = {
    "incident.triggered": "firing",
    "incident.reopened": "firing",
    "incident.resolved": "resolved",
    "incident.acknowledged": "acknowledged",
}
_CLOUD = {"ALARM": "firing", "OK": "resolved", "INSUFFICIENT_DATA": "resolved"}
_CE_WORDS = {
    "firing": "firing", "triggered": "firing", "opened": "firing", "alarm": "firing",
    "resolved": "resolved", "closed": "resolved", "ok": "resolved",
    "acknowledged": "acknowledged",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One payload, understood: what it delivers, and how its sender is to be answered."""

    deliveries: tuple[Delivery, ...]
    body: Any  # as it is stored, secrets masked
    status: int = 200
    reply: bytes = b""
    note: str = ""  # what a person has to know of it
    signed: bool = False  # its sender signs what it sends


def understood(raw: Any, headers: Mapping[str, str], *, receiver: str = "") -> Push:
    """What *raw* (JSON) says. Header names are lower case. Raises MalformedError."""
    if not isinstance(raw, dict):
        raise MalformedError("the payload is no mapping")
    if "ce-specversion" in headers or "specversion" in raw:
        return _cloud_event(raw, headers, receiver)
    if "event_action" in raw:
        return _pagerduty_event(raw, receiver)
    if isinstance(raw.get("event"), dict) and "event_type" in raw["event"]:
        found = _pagerduty_hook(raw["event"], receiver)
        return Push(deliveries=found, body=masked(raw), signed=True)
    if raw.get("Type") in ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"):
        return _sns(raw, receiver)
    body = masked(raw)
    return Push(deliveries=deliveries(body, receiver=receiver), body=body)


def signature_fits(secret: str, body: bytes, header: str) -> bool:
    """Whether one of the signatures in *header* (`v1=…,v1=…`) is that of *body* with *secret*."""
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = [part.strip().partition("=") for part in header.split(",")]
    return any(
        version == "v1" and hmac.compare_digest(said.encode(), right.encode())
        for version, _, said in given
    )


def _pagerduty_event(raw: Mapping[str, Any], receiver: str) -> Push:
    """An event of PagerDuty's Events API v2, as monitoring tools send it there."""
    action, payload = raw["event_action"], raw.get("payload") or {}
    if action not in ("trigger", "acknowledge", "resolve"):
        raise MalformedError(f"`event_action` is `{str(action)[:40]}`; known is trigger, …")
    if not raw.get("routing_key") or not isinstance(payload, dict):
        raise MalformedError("an event for PagerDuty needs a `routing_key`, and a `payload`")
    if action == "trigger" and not payload.get("summary"):
        raise MalformedError("an event that triggers needs a `summary` in its `payload`")
    key = str(raw.get("dedup_key") or hashlib.sha256(repr(sorted(raw)).encode()).hexdigest()[:32])
    body = masked(raw)
    details = payload.get("custom_details")
    found = _listed(details, receiver, key) if action != "acknowledge" else ()
    found = found or (
        _one(
            _texts(details, "labels").get("alertname") or _name(str(payload.get("summary") or key)),
            {"trigger": "firing", "resolve": "resolved"}.get(action, "acknowledged"),
            receiver or "pagerduty",
            "pagerduty-events",
            labels=_own_labels(payload),
            fingerprint=key,
            starts=time_wall_ms(payload.get("timestamp")),
        ),
    )
    reply = {"status": "success", "message": "Event processed", "dedup_key": key}
    return Push(deliveries=found, body=body, status=202, reply=json.dumps(reply).encode())


def _own_labels(payload: Mapping[str, Any]) -> dict[str, str]:
    """The labels that a tool adds, and PagerDuty's own fields where they are no labels already."""
    fields = ("severity", "source", "component", "group", "class")
    own = {name: str(payload[name]) for name in fields if payload.get(name)}
    return own | _texts(payload.get("custom_details"), "labels")


def _listed(details: Any, receiver: str, key: str) -> tuple[Delivery, ...]:
    """The alerts of a group as Alertmanager lists them in the details, each by its own status."""
    found = []
    for status in ("firing", "resolved"):
        text = details.get(status) if isinstance(details, dict) else None
        blocks = _BLOCKS.split(text)[1:] if isinstance(text, str) else []
        for block in blocks:
            own, _, rest = block.partition("\nAnnotations:")
            labels, annotations = dict(_LINE.findall(own)), dict(_LINE.findall(rest))
            if labels.get("alertname"):
                one = _one(
                    labels["alertname"],
                    status,
                    receiver or "pagerduty",
                    "pagerduty-events",
                    labels=labels,
                    fingerprint=key,
                )
                found.append(replace(one, annotations=annotations))
    return tuple(found)


def _pagerduty_hook(event: Mapping[str, Any], receiver: str) -> tuple[Delivery, ...]:
    """An event of PagerDuty's V3 webhooks; some are about no state of an incident."""
    status, data = _PD_STATES.get(str(event["event_type"])), event.get("data")
    if status is None:
        return ()
    if not isinstance(data, dict) or not data.get("title"):
        raise MalformedError("an event of PagerDuty without its incident")
    service = data.get("service") or {}
    labels = {"service": str(service.get("summary") or ""), "urgency": str(data.get("urgency", ""))}
    at = time_wall_ms(event.get("occurred_at"))
    return (
        _one(
            _name(str(data["title"])),
            status,
            receiver or "pagerduty",
            "pagerduty",
            labels={name: value for name, value in labels.items() if value},
            fingerprint=str(data.get("id", "")),
            starts=time_wall_ms(data.get("created_at")),
            ends=at if status == "resolved" else None,
            acknowledged=at if status == "acknowledged" else None,
        ),
    )


def _sns(raw: Mapping[str, Any], receiver: str) -> Push:
    """A message of SNS. A confirmation is never followed: the address in it is only told."""
    text = raw.get("Message")
    if not isinstance(text, str):
        raise MalformedError("a message of SNS without `Message`")
    if raw["Type"] != "Notification":
        topic = str(raw.get("TopicArn", ""))[:200]
        note = (
            f"SNS asks to confirm the topic `{topic}`; gameday follows no link: confirm it "
            "yourself, with `aws sns confirm-subscription`"
        )
        return Push(deliveries=(), body=masked(raw), note=note)
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedError("a message of SNS that holds no JSON") from None
    body = masked({**raw, "Message": inner})
    if not isinstance(inner, dict) or inner.get("NewStateValue") not in _CLOUD:
        raise MalformedError("a message of SNS that is no alarm of CloudWatch")
    status = _CLOUD[inner["NewStateValue"]]
    at = time_wall_ms(inner.get("StateChangeTime"))
    labels = {"region": str(inner.get("Region", "")), "account": str(inner.get("AWSAccountId", ""))}
    one = _one(
        str(inner.get("AlarmName", "")),
        status,
        receiver or str(raw.get("TopicArn", "")).rpartition(":")[2] or "sns",
        "cloudwatch",
        labels={name: value for name, value in labels.items() if value},
        fingerprint=str(inner.get("AlarmArn", "")),
        starts=at if status == "firing" else None,
        ends=at if status == "resolved" else None,
    )
    return Push(deliveries=(one,), body=body)


def _cloud_event(raw: Mapping[str, Any], headers: Mapping[str, str], receiver: str) -> Push:
    """A CloudEvent in either mode: another known payload inside, or what its attributes say."""
    binary = "ce-specversion" in headers
    attributes: Mapping[str, Any] = raw
    if binary:
        named = headers.items()
        attributes = {name.removeprefix("ce-"): v for name, v in named if name.startswith("ce-")}
    missing = [name for name in ("id", "source", "type") if not attributes.get(name)]
    if missing or not str(attributes.get("specversion", "")).startswith("1."):
        raise MalformedError(f"a CloudEvent without {', '.join(missing) or 'a known version'}")
    data = raw if binary else raw.get("data")
    if isinstance(data, dict) and ({"alerts", "event_action", "event", "Type"} & set(data)):
        inner = understood(data, {}, receiver=receiver)
        stored = inner.body if binary else {**masked(raw), "data": inner.body}
        return replace(inner, body=stored, status=200, reply=b"")
    kind = str(attributes["type"])
    status = _CE_WORDS.get(re.split(r"[./:_-]", kind.lower())[-1])
    fields = data if isinstance(data, dict) else {}
    labels = _texts(fields, "labels")
    name = labels.get("alertname") or str(attributes.get("subject") or "")
    if status is None or not name:
        raise MalformedError(
            f"a CloudEvent of the type `{kind[:60]}` does not say which alert fires or resolves: "
            "its type has to end with `.firing`, `.resolved` or `.acknowledged`, its `subject` is "
            "the alert"
        )
    at = time_wall_ms(attributes.get("time"))
    one = _one(
        name,
        status,
        receiver or "cloudevents",
        "cloudevents",
        labels=labels,
        fingerprint=str(attributes["id"]),
        starts=at if status == "firing" else None,
        ends=at if status == "resolved" else None,
        acknowledged=at if status == "acknowledged" else None,
    )
    return Push(deliveries=(one,), body=masked(raw))


def _one(
    alert: str,
    status: str,
    receiver: str,
    dialect: str,
    *,
    labels: Mapping[str, str],
    fingerprint: str,
    starts: int | None = None,
    ends: int | None = None,
    acknowledged: int | None = None,
) -> Delivery:
    if not alert:
        raise MalformedError("the payload names no alert")
    return Delivery(
        alert=alert,
        status=status,
        receiver=receiver,
        labels={"alertname": alert, **labels},
        annotations={},
        starts_wall_ms=starts,
        ends_wall_ms=ends,
        fingerprint=fingerprint,
        group="",
        dialect=dialect,
        acknowledged_wall_ms=acknowledged,
    )


def _name(title: str) -> str:
    found = _TITLE.match(title)
    return found[1] if found else title


def _texts(raw: Any, part: str) -> dict[str, str]:
    """The mapping *part* of *raw* as texts, if there is one."""
    raw = raw.get(part) if isinstance(raw, dict) else None
    return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, dict) else {}
