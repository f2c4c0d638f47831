"""What a service has to show before it is launched, by tier; the usual policy is here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from gameday.model.project import ENVIRONMENT_KINDS
from gameday.model.readiness import ReadyItem as Item

#: Severities of findings that stand against a launch.
SEVERE = ("critical", "high")
_MAJOR = re.compile(r"v?(?P<major>[0-9]+)(?:[.+-].*)?")


class SameVersion(StrEnum):
    """Of which version evidence has to be."""

    SAME = "same"
    MAJOR = "major"  # the same major version: 2.4.1 and 2.5.0
    ANY = "any"

    def counts(self, asked: str, told: str) -> bool | None:
        """Whether evidence of *told* counts for *asked*; None if it was not told."""
        if self is SameVersion.ANY:
            return True
        if not told:
            return None
        if self is SameVersion.MAJOR:
            wanted, had = _MAJOR.fullmatch(asked), _MAJOR.fullmatch(told)
            if wanted is not None and had is not None:
                return int(wanted["major"]) == int(had["major"])
        return asked.removeprefix("v") == told.removeprefix("v")


class FailFrom(StrEnum):
    """From which answer on the command does not end with 0."""

    CONDITIONS = "conditions"
    EVIDENCE = "evidence"
    NO_GO = "no-go"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRule:
    """What is asked of one item. What an item has no use for is None or empty.

    `fresh_days`: older evidence does not count. `at_least`: a share, of what has to be met or left.
    `factor` and `headroom` belong to capacity, `modes` to scenarios and alerts (the failure modes
    that are required), `severities` to findings, `within_ms` to the rollback.
    """

    required: bool = True
    fresh_days: int | None = None
    version: SameVersion = SameVersion.ANY
    smoke: bool = False
    waivable: bool = True
    at_least: float | None = None
    factor: float | None = None
    headroom: float | None = None
    within_ms: int | None = None
    modes: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()


Rules = Mapping[Item, ReadyRule]
#: Failure modes by tier, in the words of the service file; each tier has those before it too.
MODES_2 = ("dependency-slow", "dependency-down")
MODES_1 = (
    *MODES_2,
    "slow-response",
    "connection-resets",
    "retry-storm",
    "pool-exhaustion",
    "partial-outage",
    "database-restart",
    "instance-frozen",
    "traffic-spike",
)
MODES_0 = (*MODES_1, "instance-killed")


def _evidence(days: int, **more: object) -> ReadyRule:
    return ReadyRule(fresh_days=days, version=SameVersion.MAJOR, **more)  # type: ignore[arg-type]


_OFF = ReadyRule(required=False)


def _tier(modes: tuple[str, ...], *, runbooks: float, proven: float, headroom: float) -> Rules:
    return {
        Item.SLO: _evidence(30),
        Item.ALERTS: _evidence(90, modes=modes),
        Item.RUNBOOK_COVERAGE: ReadyRule(at_least=runbooks),
        Item.RUNBOOK_PROOF: ReadyRule(fresh_days=180, at_least=proven),
        Item.SCENARIOS: _evidence(90, modes=modes),
        Item.CAPACITY: _evidence(30, factor=1.5, headroom=headroom),
        Item.ROLLBACK: _evidence(90),
        Item.RESTORE: ReadyRule(fresh_days=90),
        Item.ESCALATION: ReadyRule(fresh_days=90),
        Item.FINDINGS: ReadyRule(severities=SEVERE),
        Item.BUDGET: ReadyRule(fresh_days=1, at_least=0.25),
        Item.TABLETOP: _OFF,
    }


_TIER_1 = _tier(MODES_1, runbooks=0.9, proven=0.5, headroom=0.2)
_TIER_0 = {
    **_tier(MODES_0, runbooks=1.0, proven=0.8, headroom=0.4),
    Item.FINDINGS: ReadyRule(severities=SEVERE, waivable=False),
    Item.TABLETOP: ReadyRule(fresh_days=365),
}
_TIER_2 = {
    **_TIER_1,
    Item.RUNBOOK_COVERAGE: ReadyRule(at_least=0.6),
    Item.SCENARIOS: _evidence(90, modes=MODES_2, smoke=True),
    **dict.fromkeys(
        (
            Item.ALERTS, Item.RUNBOOK_PROOF, Item.CAPACITY, Item.RESTORE,
            Item.ESCALATION, Item.BUDGET,
        ),
        _OFF,
    ),
}  # fmt: skip
#: The least important tier that has rules of its own; they hold for all after it.
LAST_TIER = 2
USUAL_TIERS: Mapping[int, Rules] = MappingProxyType({0: _TIER_0, 1: _TIER_1, 2: _TIER_2})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPolicy:
    """The whole policy. Runs in environments of other kinds than `environments` say nothing here.

    `approvers` are the roles whose waivers count.
    """

    tiers: Mapping[int, Rules] = field(default_factory=lambda: USUAL_TIERS)
    environments: tuple[str, ...] = ENVIRONMENT_KINDS
    approvers: tuple[str, ...] = ("approver", "business-owner")
    fail_from: FailFrom = FailFrom.EVIDENCE
    file: str = ""

    def rules(self, tier: int) -> Rules:
        """Those of a tier."""
        return self.tiers[min(tier, LAST_TIER)]
