"""Of the configuration only the routes are kept, and odd ones are none."""

from __future__ import annotations

import pytest

from gameday.adapters.alertmanager_config import MAX_CHARS, route_of

GOOD = """
global: {slack_api_url: https://hooks.example.com/secret}
route: {receiver: pager, group_wait: 30s, routes: [{matchers: ['a="b"'], receiver: chat}]}
receivers: [{name: pager, webhook_configs: [{url: http://127.0.0.1/token}]}]
"""


def test_only_the_routes_are_kept() -> None:
    assert route_of(GOOD) == {
        "receiver": "pager",
        "group_wait": "30s",
        "routes": [{"matchers": ['a="b"'], "receiver": "chat"}],
    }


@pytest.mark.parametrize(
    "odd",
    [
        None, 7, "", "a: [", "route: 3", "[1]", "receivers: []", "x" * (MAX_CHARS + 1),
        "route: {at: 2020-01-01}", "route: {a: .nan}", "route: !!python/object:os.system {}",
        "[" * 5_000,
    ],
)  # fmt: skip
def test_what_is_odd_is_no_route(odd: object) -> None:
    assert route_of(odd) is None
