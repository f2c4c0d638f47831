"""Of the configuration only the routes are kept, and odd ones are none."""

from __future__ import annotations

import pytest

from gameday.adapters.server_config import MAX_CHARS, MAX_CHARS_FOR_ROUTES, config_of, routes_of
from gameday.errors import CannotSeeError

GOOD = """
global: {slack_api_url: https://hooks.example.com/secret}
route: {receiver: pager, group_wait: 30s, routes: [{matchers: ['a="b"'], receiver: chat}]}
receivers: [{name: pager, webhook_configs: [{url: http://127.0.0.1/token}]}]
mute_time_intervals: [{name: old, time_intervals: [{years: ['2001']}]}]
time_intervals: [{name: new, time_intervals: [{}]}]
"""


def test_only_the_routes_and_the_time_intervals_are_kept() -> None:
    route, times = routes_of(GOOD)
    assert route == {
        "receiver": "pager",
        "group_wait": "30s",
        "routes": [{"matchers": ['a="b"'], "receiver": "chat"}],
    }
    assert times == {
        "mute_time_intervals": [{"name": "old", "time_intervals": [{"years": ["2001"]}]}],
        "time_intervals": [{"name": "new", "time_intervals": [{}]}],
    }
    assert routes_of("time_intervals: [2020-01-01]\nroute: {receiver: a}") == (
        {"receiver": "a"}, {},
    )  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        None, 7, "", "a: [", "route: 3", "[1]", "receivers: []", "x" * (MAX_CHARS_FOR_ROUTES + 1),
        "route: {at: 2020-01-01}", "route: {a: .nan}", "route: !!python/object:os.system {}",
        "[" * 5_000,
    ],
)  # fmt: skip
def test_what_is_odd_is_no_route(odd: object) -> None:
    assert routes_of(odd) == (None, {})


def test_a_configuration_is_read_or_it_is_said_that_it_cannot_be() -> None:
    assert config_of("a: 1") == {"a": 1}
    assert config_of(None) is None
    assert config_of("x" * (MAX_CHARS + 1)) is None
    for odd in ("a: [", "[" * 5_000, "a: !!python/object:os.system {}"):
        with pytest.raises(CannotSeeError, match="a configuration cannot be read"):
            config_of(odd)
