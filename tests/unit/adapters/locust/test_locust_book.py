from __future__ import annotations

from gameday.adapters.locust.agent_book import MAX_NAMES, OTHER_NAME, Book
from gameday.model.histogram import bucket_of, count, merged
from gameday.model.window import Tick, tick_from_json, tick_to_json

MS = 1_000_000
S = 1_000 * MS


def cut(book: Book, second: int = 0, at_ns: int = S, **more: object) -> Tick:
    tick = book.cut(second=second, now_ns=at_ns, **more)  # type: ignore[arg-type]
    assert tick_from_json(tick_to_json(tick)) == tick
    return tick


def test_latency_counts_from_the_intended_start_and_so_does_the_second() -> None:
    book = Book(origin_ns=10 * S)
    entry = book.open(journey="buy", name="pay", intended_ns=11 * S + 900 * MS, now_ns=14 * S)
    book.close(entry, outcome="ok", service_us=5_000)
    (cell,) = cut(book).cells
    assert (cell.second, cell.journey, cell.name, cell.outcome) == (1, "buy", "pay", "ok")
    assert cell.response == {bucket_of(2_105_000): 1}
    assert cell.service == {bucket_of(5_000): 1}


def test_a_request_before_the_origin_belongs_to_a_negative_second() -> None:
    book = Book(origin_ns=10 * S)
    entry = book.open(journey="", name="a", intended_ns=10 * S - 1, now_ns=10 * S)
    book.close(entry, outcome="ok", service_us=1)
    assert cut(book).cells[0].second == -1


def test_what_is_under_way_has_an_age_until_it_is_answered() -> None:
    book = Book()
    first = book.open(journey="j", name="a", intended_ns=0, now_ns=100 * MS)
    book.open(journey="j", name="a", intended_ns=700 * MS, now_ns=700 * MS)
    tick = cut(book, waiting=[("j", "b", 200 * MS)])
    assert (tick.in_flight, tick.queued, tick.oldest_ms) == (2, 1, 1000)
    ages = {o.name: o.ages for o in tick.open}
    assert ages == {
        "a": {bucket_of(1_000_000): 1, bucket_of(300_000): 1},
        "b": {bucket_of(800_000): 1},
    }
    first.answered = True  # not reported yet, but no longer waited for
    tick = cut(book)
    assert (tick.in_flight, tick.oldest_ms, tick.cells) == (1, 300, ())


def test_each_request_ends_in_exactly_one_cell() -> None:
    book = Book()
    one, two, three = (
        book.open(journey="j", name=n, intended_ns=0, now_ns=0) for n in ("a", "b", "c")
    )
    book.close(one, outcome="http_5xx", service_us=10)
    book.close(one, outcome="ok", service_us=20)
    two.answered = True
    book.give_up(2 * S)
    book.give_up(3 * S)
    book.close(three, outcome="ok", service_us=1)
    cells = cut(book).cells
    assert {(c.name, c.outcome): count(c.response) for c in cells} == {
        ("a", "http_5xx"): 1, ("b", "other"): 1, ("c", "timeout"): 1,
    }  # fmt: skip
    assert cells[2].response == {bucket_of(2_000_000): 1}
    assert cut(book, 1).cells == ()


def test_an_edge_marks_what_is_under_way_at_any_time_of_it() -> None:
    book = Book()
    before = book.open(journey="", name="before", intended_ns=0, now_ns=0)
    early = book.open(journey="", name="under way", intended_ns=0, now_ns=0)
    book.close(before, outcome="ok", service_us=1)
    assert book.edge(opening=True) == 1
    during = book.open(journey="", name="begun in it", intended_ns=0, now_ns=0)
    book.edge(opening=True)
    book.edge(opening=False)
    still = book.open(journey="", name="still in it", intended_ns=0, now_ns=0)
    book.edge(opening=False)
    book.edge(opening=False)  # one too many is no edge of negative depth
    after = book.open(journey="", name="after", intended_ns=0, now_ns=0)
    for entry in (early, during, still, after):
        book.close(entry, outcome="connection", service_us=1)
    assert {c.name: c.edge for c in cut(book).cells} == {
        "before": False, "under way": True, "begun in it": True, "still in it": True,
        "after": False,
    }  # fmt: skip


def test_names_are_bounded_and_nothing_is_dropped() -> None:
    book = Book()
    for n in range(MAX_NAMES + 50):
        entry = book.open(journey="", name=f"/item/{n}", intended_ns=0, now_ns=0)
        book.close(entry, outcome="ok", service_us=1)
    cells = cut(book).cells
    assert len(cells) == MAX_NAMES + 1
    assert count(merged(c.response for c in cells)) == MAX_NAMES + 50
    assert next(count(c.response) for c in cells if c.name == OTHER_NAME) == 50


def test_start_lag_and_totals() -> None:
    book = Book()
    book.asked = 2
    book.taken(1 * MS)
    book.taken(-5)
    tick = cut(book)
    assert (tick.asked, tick.started) == (2, 2)
    assert tick.start_lag == {0: 1, bucket_of(1000): 1}
    assert cut(book, 1).start_lag == {}
