"""The deadline clock: business days, with weekends and holidays of the place where people work."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gameday.model.day import DebriefRule

#: A list of holidays that leaves nothing would never end.
_LOOKED_AT = 3_660


def after_workdays(day: date, count: int, rule: DebriefRule) -> date:
    """The *count*-th business day after *day*; *day* itself is never counted.

    Raises ValueError where ten years do not hold that many.
    """
    left = count
    for _ in range(_LOOKED_AT):
        if left <= 0:
            return day
        day += timedelta(days=1)
        left -= day.weekday() not in rule.weekend and day not in rule.holidays
    raise ValueError("there are no business days left: look at the weekend and the holidays")


def deadline(ended: datetime, rule: DebriefRule, *, hurt: bool) -> datetime:
    """The moment before which the debrief has to be published, in UTC.

    It is the end of the last business day, by the clock where those work who write it. *hurt*:
    users were hurt, or something critical was found.
    """
    zone = ZoneInfo(rule.timezone)
    count = rule.sooner_days if hurt else rule.within_days
    last = after_workdays(ended.astimezone(zone).date(), count, rule)
    midnight = datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    return midnight.astimezone(UTC)
