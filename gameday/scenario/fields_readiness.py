"""The kinds of values in the files of readiness."""

from __future__ import annotations

import math
from typing import Any

from gameday.model.project import ENVIRONMENT_KINDS
from gameday.model.readiness import ReadyItem
from gameday.model.readiness_policy import FailFrom, SameVersion
from gameday.model.units import UnitError, duration_ms
from gameday.scenario import fields as f
from gameday.scenario.validate import FieldError, Scalar, shown

_DAY_MS = 86_400_000
_MOST_DAYS = 3_650
_MOST_FACTOR = 100
_ROLE = r"[a-z0-9][a-z0-9_.-]{0,62}"
#: For an alert without a runbook.
NO_RUNBOOK = "none"


def _days(value: Any) -> int:
    hint = f"write whole days from `1d` to `{_MOST_DAYS}d`"
    try:
        ms = duration_ms(value)
    except UnitError as error:
        raise FieldError("value/duration", f.split_hint(str(error))[0], hint) from None
    if ms % _DAY_MS or not 1 <= ms // _DAY_MS <= _MOST_DAYS:
        raise FieldError("value/duration", f"`{shown(value)}` is not possible here", hint)
    return ms // _DAY_MS


def _factor(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 1 <= value <= _MOST_FACTOR:
        raise FieldError(
            "value/number",
            f"`{shown(value)}` is not a factor",
            f"write a number from 1 to {_MOST_FACTOR}, such as `1.5`",
        )
    return float(value)


def version(key: str) -> Scalar:
    """The version of a format, under its key."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or value != 1:
            summary = f"`{shown(value)}` is not a version of this format"
            raise FieldError("document/version", summary, f"write `{key}: 1`")
        return 1

    return Scalar(parse, {"const": 1})


DAYS = Scalar(_days, f.pattern(r"(?:[0-9]+d)+", examples=["90d"]))
FACTOR = Scalar(_factor, {"type": "number", "minimum": 1, "maximum": _MOST_FACTOR})
ROLE = Scalar(
    f.matching(
        _ROLE,
        "value/name",
        "a role",
        "write small letters, digits, `-`, `_` and `.`, such as `business-owner`; no name",
    ),
    f.pattern(_ROLE),
)
SAME = f.choice([one.value for one in SameVersion])
FAIL_FROM = f.choice([one.value for one in FailFrom])
SEVERITY = f.choice(["critical", "high", "medium", "low"])
KIND = f.choice(ENVIRONMENT_KINDS)
ITEM = f.choice([one.value for one in ReadyItem])
#: Items that may not apply to a service; objectives and findings always do.
LEFT_OUT = f.choice(
    [one.value for one in ReadyItem if one not in (ReadyItem.SLO, ReadyItem.FINDINGS)]
)
#: Items that people can show by a drill.
RECORDED = f.choice(
    [
        one.value
        for one in (
            ReadyItem.ROLLBACK,
            ReadyItem.RESTORE,
            ReadyItem.ESCALATION,
            ReadyItem.TABLETOP,
            ReadyItem.RUNBOOK_PROOF,
        )
    ]
)
#: Items that a drill or a tabletop of a day can show.
DRILLED = f.choice(
    [
        one.value
        for one in (
            ReadyItem.ROLLBACK,
            ReadyItem.RESTORE,
            ReadyItem.ESCALATION,
            ReadyItem.TABLETOP,
        )
    ]
)
_DAY_ITEM = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
DAY_ITEM = Scalar(
    f.matching(_DAY_ITEM, "value/name", "an item of a day", "write `shop-restore/restore-orders`"),
    f.pattern(_DAY_ITEM),
)
RESULT = f.choice(["passed", "failed"])
RUNBOOK = f.TEXT
