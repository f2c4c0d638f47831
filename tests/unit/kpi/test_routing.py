"""Alertmanager's routing tree, followed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.kpi.routing import (
    Matcher,
    RoutingError,
    matchers_of,
    matching_silences,
    routing_of,
)

TAP = {"receiver": "tap", "matchers": ['alertname=~".+"'], "continue": True}
PAGER = {
    "receiver": "pager",
    "matchers": ['severity="page"'],
    "group_wait": "10s",
    "mute_time_intervals": ["nights"],
}


def config(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"route": {"receiver": "root", "routes": list(routes), **more}, "receivers": []}


PAGE = {"alertname": "A", "severity": "page"}
TICKET = {"alertname": "A", "severity": "ticket"}


def test_the_first_that_takes_it_unless_it_goes_on() -> None:
    made = routing_of(config(PAGER))
    assert made.reached(PAGE) == ("pager",)
    assert made.reached(TICKET) == ("root",)
    assert made.root.labels_used() == {"severity"}


def test_a_tap_takes_alerts_away_from_the_root() -> None:
    made = routing_of(config(TAP, PAGER))
    assert made.reached(PAGE) == ("tap", "pager")
    assert made.reached(TICKET) == ("tap",)
    repaired = routing_of(config(TAP, PAGER, {"receiver": "root"}))
    assert repaired.reached(TICKET) == ("tap", "root")


def test_what_is_taken_over_from_above() -> None:
    inner = {"matchers": ["team=a"], "group_by": ["..."]}
    made = routing_of(
        config(PAGER | {"routes": [inner]}, group_by=["service"], group_interval="1m30s")
    )
    (node,) = made.root.follow({"severity": "page", "team": "a"})
    assert node.receiver == "pager"
    assert (node.group_wait_ms, node.group_interval_ms) == (10_000, 90_000)
    assert node.group_by == ("...",)
    assert node.mute == ()  # that is not
    (node,) = made.root.follow(PAGE)
    assert node.mute == ("nights",)
    assert node.group_by == ("service",)


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('a="b"', [("a", "=", "b")]),
        ("a = b", [("a", "=", "b")]),
        ('{a="b,}", c=~"x|y" , d!=e}', [("a", "=", "b,}"), ("c", "=~", "x|y"), ("d", "!=", "e")]),
        (r'a!~"\"q\""', [("a", "!~", '"q"')]),
        ("a=", [("a", "=", "")]),
    ],
)
def test_how_matchers_are_written(text: str, matchers: list[tuple[str, str, str]]) -> None:
    assert matchers_of(text) == tuple(Matcher(name=n, op=o, value=v) for n, o, v in matchers)


def test_expressions_match_the_whole_and_no_label_is_an_empty_one() -> None:
    assert not Matcher(name="a", op="=~", value="x|y").matches({"a": "xy"})
    assert Matcher(name="a", op="=~", value="x?").matches({})
    assert Matcher(name="a", op="!=", value="x").matches({})
    with pytest.raises(RoutingError, match="cannot be followed"):
        Matcher(name="a", op="=~", value="(").matches({})


@pytest.mark.parametrize("raw", [None, {}, {"route": {"receiver": "a", "routes": ["x"]}}])
def test_what_is_no_configuration(raw: object) -> None:
    with pytest.raises(RoutingError):
        routing_of(raw)


def test_inhibition() -> None:
    rule = {
        "source_matchers": ["alertname=Down"],
        "target_matchers": ["severity=page"],
        "equal": ["service"],
    }
    (made,) = routing_of(config() | {"inhibit_rules": [rule]}).inhibit
    down = {"alertname": "Down", "service": "shop"}
    assert made.holds_back(down, PAGE | {"service": "shop"})
    assert not made.holds_back(down, PAGE | {"service": "other"})
    assert not made.holds_back(PAGE, PAGE)
    both = {"source_match": {"severity": "page"}, "target_match_re": {"severity": "page|ticket"}}
    (made,) = routing_of(config() | {"inhibit_rules": [both]}).inhibit
    assert made.holds_back(PAGE, TICKET)
    assert not made.holds_back(PAGE, PAGE)


def test_silences() -> None:
    def silence(state: str, **matcher: Any) -> dict[str, Any]:
        base = {"name": "severity", "value": "page", "isRegex": False, "isEqual": True}
        return {"id": f"{state}{matcher}", "status": {"state": state}, "matchers": [base | matcher]}

    there = [silence("active"), silence("pending"), silence("expired")]
    assert matching_silences(there, PAGE) == ["active{}", "pending{}"]
    assert matching_silences([silence("active", isEqual=False)], PAGE) == []
    assert matching_silences([silence("active", value="p.*", isRegex=True)], PAGE) != []


def test_a_receiver_that_is_one_webhook_and_nothing_else() -> None:
    hook = {"webhook_configs": [{"url": "http://127.0.0.1:1/x"}]}
    made = config() | {
        "receivers": [
            {"name": "ours", **hook},
            {"name": "more", **hook, "email_configs": [{"to": "a"}]},
            {"name": "two", "webhook_configs": [*hook["webhook_configs"]] * 2},
        ]
    }
    routing = routing_of(made)
    assert routing.only_webhook("ours") == "http://127.0.0.1:1/x"
    assert routing.only_webhook("more") is None
    assert routing.only_webhook("two") is None
    assert routing.only_webhook("none") is None
