"""Rules about when: hours of the week, and freezes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from gameday.model.policy import Hours
from gameday.policy.values import Case, Refusal

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MINUTE = timedelta(minutes=1)
#: Hours repeat every week: a run longer than this has met all of them.


_LOOKED_AT = timedelta(days=8)


def hours(case: Case) -> Iterator[Refusal]:
    """The run begins and ends within the hours."""
    hours = case.policy.hours
    if hours is None:
        return
    allowed = f"allowed is {show_hours(hours)}"
    zone = case.zone
    if zone is None:
        yield Refusal(
            rule="policy.hours",
            text=f"the time zone `{hours.timezone}` is not known on this machine",
            hint="install its time zone data (the system's `tzdata`), or correct the name",
        )
    elif not within_hours(hours, zone, case.now, case.now):
        yield Refusal(
            rule="policy.hours", text=f"it is {_local(case.now, zone)} there", hint=allowed
        )
    elif not within_hours(hours, zone, case.now, case.end):
        yield Refusal(
            rule="policy.hours",
            text=f"the run would end at {_local(case.end, zone)}, outside the hours",
            hint=f"it has to begin and end within them: {allowed}",
        )


def freeze(case: Case) -> Iterator[Refusal]:
    """No day of the run is frozen."""
    if not case.policy.freeze:
        return
    zone = case.zone or UTC  # an unknown zone is refused by the rule for hours
    first = case.now.astimezone(zone).date()
    last = max(first, (case.end - timedelta(microseconds=1)).astimezone(zone).date())
    for freeze in case.policy.freeze:
        try:
            frozen = date.fromisoformat(freeze.first), date.fromisoformat(freeze.last)
        except ValueError:
            text = f"the freeze from `{freeze.first}` to `{freeze.last}` cannot be read"
            hint = "write its dates as `2026-12-20`"
        else:
            if first > frozen[1] or last < frozen[0]:
                continue
            why = f" ({freeze.why})" if freeze.why else ""
            text = f"nothing is run from {freeze.first} to {freeze.last}{why}"
            hint = f"run it after {freeze.last}"
        yield Refusal(rule="policy.freeze", text=text, hint=hint)


def within_hours(hours: Hours, zone: tzinfo, start: datetime, end: datetime) -> bool:
    """Whether every moment of [start, end) is allowed by the clock on the wall in *zone*.

    Hours and the offsets of zones begin on whole minutes, so looking at the start and at each
    minute that begins before the end is exact, also when clocks are changed in between.
    """
    moment, last = start.astimezone(UTC), min(end, start + _LOOKED_AT).astimezone(UTC)
    if not _open_at(hours, moment.astimezone(zone)):
        return False
    moment = moment.replace(second=0, microsecond=0) + _MINUTE
    while moment < last:
        if not _open_at(hours, moment.astimezone(zone)):
            return False
        moment += _MINUTE
    return True


def show_hours(hours: Hours) -> str:
    """`Mon, Tue 09:00 to 16:00 (Europe/Berlin)`."""
    days = ", ".join(_DAYS[day] for day in sorted(set(hours.days))) or "no day"
    return f"{days} {_clock(hours.from_minute)} to {_clock(hours.to_minute)} ({hours.timezone})"


def _open_at(hours: Hours, local: datetime) -> bool:
    """Hours that run over midnight belong to the day on which they begin."""
    minute, day = local.hour * 60 + local.minute, local.weekday()
    if hours.from_minute < hours.to_minute:
        return day in hours.days and hours.from_minute <= minute < hours.to_minute
    if minute >= hours.from_minute:
        return day in hours.days
    return minute < hours.to_minute and (day - 1) % 7 in hours.days


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _local(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")
