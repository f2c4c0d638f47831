"""The deadline clock counts business days where people work."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gameday.kpi.workdays import after_workdays, deadline
from gameday.model.day import DebriefRule

FRI_SAT = (4, 5)
XMAS = (date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1))


@pytest.mark.parametrize(
    ("day", "count", "weekend", "holidays", "expected"),
    [
        ("2026-10-01", 5, (5, 6), (), "2026-10-08"),  # a Thursday
        ("2026-10-01", 3, (5, 6), (), "2026-10-06"),
        ("2026-10-02", 1, (5, 6), (), "2026-10-05"),  # a Friday
        ("2026-10-03", 1, (5, 6), (), "2026-10-05"),  # from the weekend on
        ("2026-10-04", 5, (5, 6), (), "2026-10-09"),
        ("2026-10-01", 1, FRI_SAT, (), "2026-10-04"),  # where Sunday is a day of work
        ("2026-10-01", 1, (), (), "2026-10-02"),  # where every day is one
        ("2026-10-02", 1, (), (), "2026-10-03"),
        ("2026-12-23", 3, (5, 6), XMAS, "2026-12-29"),
        ("2026-12-24", 5, (5, 6), XMAS, "2027-01-04"),
        ("2026-12-25", 1, (5, 6), XMAS, "2026-12-28"),  # a holiday, and the weekend after it
        ("2028-02-28", 1, (5, 6), (), "2028-02-29"),
        ("2026-10-01", 0, (5, 6), (), "2026-10-01"),
    ],
)
def test_business_days(
    day: str, count: int, weekend: tuple[int, ...], holidays: tuple[date, ...], expected: str
) -> None:
    rule = DebriefRule(weekend=weekend, holidays=holidays)

    assert after_workdays(date.fromisoformat(day), count, rule) == date.fromisoformat(expected)


def test_no_business_days_at_all_is_an_error_and_no_endless_search() -> None:
    with pytest.raises(ValueError, match="no business days"):
        after_workdays(date(2026, 10, 1), 1, DebriefRule(weekend=(0, 1, 2, 3, 4, 5, 6)))


@pytest.mark.parametrize(
    ("ended", "zone", "hurt", "expected"),
    [
        ("2026-10-01T15:00", "UTC", False, "2026-10-09T00:00"),
        ("2026-10-01T15:00", "UTC", True, "2026-10-07T00:00"),
        # 23:30 UTC on Thursday is Friday in Berlin, so the days are counted from Friday
        ("2026-10-01T23:30", "Europe/Berlin", True, "2026-10-07T22:00"),
        # the clocks are put back between the day and the deadline
        ("2026-10-23T12:00", "Europe/Berlin", True, "2026-10-28T23:00"),
        ("2026-10-01T15:00", "America/New_York", False, "2026-10-09T04:00"),
    ],
)
def test_the_deadline_is_the_end_of_the_last_day_there(
    ended: str, zone: str, hurt: bool, expected: str
) -> None:
    moment = datetime.fromisoformat(ended).replace(tzinfo=UTC)

    found = deadline(moment, DebriefRule(timezone=zone), hurt=hurt)

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
