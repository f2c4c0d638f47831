"""Reading the answers of sources: times, labels, states, names; and what is refused."""

from __future__ import annotations

import zoneinfo
from dataclasses import replace
from typing import Any

import pytest

from gameday.adapters.http import Answer
from gameday.adapters.sources.asking import MAX_PAGES, _Page, retry_after_s
from gameday.adapters.sources.rows import labels_of, rows_of, wall_ms_of
from gameday.errors import CannotSeeError
from gameday.model.sources import SourcePaging, SourceRequest, SourceSpec

AT = 1_795_345_342_000  # 2026-11-22T11:02:22Z
SPEC = SourceSpec(
    name="ours",
    url="http://127.0.0.1:1/api",
    rows="alerts",
    map={"name": "title", "state": "status", "started": "since", "labels": "tags"},
    states={"open": "firing", "closed": "ended", "muted": "ignored"},
)


@pytest.mark.parametrize(
    ("said", "ms"),
    [
        ("2026-11-22T11:02:22Z", AT),
        ("2026-11-22T11:02:22.5Z", AT + 500),
        ("2026-11-22T11:02:22.123456789Z", AT + 123),
        ("2026-11-22T12:02:22+01:00", AT),
        ("2026-11-22T05:02:22-0600", AT),
        ("2026-11-22 12:02:22", AT),  # without a zone: that of the source, Berlin
        (AT // 1000, AT),
        (AT / 1000 + 0.25, AT + 250),
        (AT, AT),
        (str(AT), AT),
        (str(AT // 1000), AT),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
        ("", None),
        (0, None),
    ],
)
def test_times(said: Any, ms: int | None) -> None:
    assert wall_ms_of(said, zoneinfo.ZoneInfo("Europe/Berlin")) == ms


@pytest.mark.parametrize("said", ["yesterday", "2026-13-01T00:00:00Z", [], {}, "11:02"])
def test_what_is_no_time_is_not_guessed(said: Any) -> None:
    with pytest.raises(CannotSeeError, match="time"):
        wall_ms_of(said)


@pytest.mark.parametrize(
    "said",
    [
        {"team": "shop", "n": 1, "up": True, "gone": None},
        ["team:shop", "n:1", "up:true"],
        ["team=shop", "n=1", "up"],
        [
            {"name": "team", "value": "shop"},
            {"key": "n", "value": 1},
            {"Key": "up", "Value": True},
        ],
    ],
)
def test_labels(said: Any) -> None:
    assert labels_of(said) == {"team": "shop", "n": "1", "up": "true"}


def answer(**more: Any) -> dict[str, Any]:
    return {"alerts": [{"title": "A", "status": "open", "since": AT, "tags": {}} | more]}


def test_a_title_gives_the_name() -> None:
    spec = replace(SPEC, name_pattern=r"^\[FIRING:\d+\] (\S+)")
    [row] = rows_of(spec, answer(title="[FIRING:1] Slow (x)"))
    assert (row.name, row.labels) == ("Slow", {"alertname": "Slow"})
    assert rows_of(spec, answer(title="another"))[0].name == "another"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "a list of alerts"),
        ({"alerts": {}}, "a list of alerts"),
        (answer(status="odd"), "`odd`, which `states` does not know"),
        (answer(title=None), "without a name"),
        (answer(since="soon"), "`soon` in `started` is not a time"),
    ],
)
def test_an_answer_that_cannot_be_read_is_none(raw: Any, said: str) -> None:
    with pytest.raises(CannotSeeError, match=said):
        rows_of(SPEC, raw)


def page(paging: SourcePaging) -> _Page:
    spec = replace(SPEC, paging=paging, request=SourceRequest(path="/alerts"))
    return _Page(spec, {}, "http://127.0.0.1:1", "/api")


def test_the_next_page_is_on_the_same_server() -> None:
    one = page(SourcePaging(kind="next", read="next"))
    assert one.turn({"next": "http://127.0.0.1:1/api/alerts?p=2"}, 1)
    assert one.target == "/api/alerts?p=2"
    for url in ("http://127.0.0.1:2/x", "https://127.0.0.1:1/x", "http://me@127.0.0.1:1/x"):
        with pytest.raises(CannotSeeError, match="another server"):
            page(SourcePaging(kind="next", read="next")).turn({"next": url}, 1)


def test_pages_do_not_go_in_a_circle() -> None:
    one = page(SourcePaging(kind="cursor", read="next", param="after"))
    assert one.turn({"next": "x"}, 1)
    assert one.target == "/api/alerts?after=x"
    with pytest.raises(CannotSeeError, match="in a circle"):
        one.turn({"next": "x"}, 1)


@pytest.mark.parametrize("kind", ["offset", "page"])
@pytest.mark.parametrize(
    ("raw", "count", "goes_on"),
    [
        ({"more": True}, 2, True),
        ({"more": False}, 2, False),
        ({"more": True}, 1, True),
        ({}, 2, True),
        ({"more": None}, 2, True),
        ({}, 1, False),
    ],
)
def test_whether_there_are_more_pages(kind: str, raw: Any, count: int, goes_on: bool) -> None:
    """An answer that does not say so is the last one only if it is not full."""
    one = page(SourcePaging(kind=kind, param="at", size=2, more="more"))
    assert one.turn(raw, count) is goes_on


def test_there_are_not_more_pages_than_allowed() -> None:
    one = page(SourcePaging(kind="page", param="page", size=1))
    for _ in range(MAX_PAGES - 1):
        assert one.turn({}, 1)
    with pytest.raises(CannotSeeError, match=f"more than {MAX_PAGES} pages"):
        one.turn({}, 1)


@pytest.mark.parametrize(
    ("said", "s"),
    [("3", 3.0), ("0", 0.1), ("Sun, 22 Nov 2026 11:02:32 GMT", 10.0), ("soon", 2.0), ("", 2.0)],
)
def test_when_to_come_back(said: str, s: float) -> None:
    headers = {"retry-after": said} if said else {}
    one = Answer(status=429, headers=headers, body=b"", asked_wall_ms=AT, answered_wall_ms=AT)
    assert retry_after_s(one) == s
