"""What the rules of a policy look at, and what they answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from gameday.model.plan import Plan
from gameday.model.policy import Policy
from gameday.model.project import Environment, kind_of_environment
from gameday.policy.spans import planned_ms

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+@-]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One rule that says no: its name (`policy.max_duration`), why, and what would be allowed."""

    rule: str
    text: str
    hint: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.rule}: {self.text}; {self.hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval whose signature was proven. Times are wall milliseconds since the epoch.

    `plan_sha256` is `gameday.app.policy_gate.approved_sha256` of the plan that was looked at.
    `sha256` is that of the approval file, `file` its name.
    """

    plan_sha256: str
    scenario: str
    environment: str
    role: str
    approver: str
    author: str | None
    change_id: str | None
    not_before_wall_ms: int
    expires_wall_ms: int
    file: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run brings with it beside its plan.

    `unproven` says why files that should approve this plan were not accepted. `budget_left` is a
    share (negative when overspent), None when it is not known (`budget_error` says why).
    `beside_plan` are options that change what is run without being in the plan.
    """

    plan_sha256: str = ""
    go: bool = False
    change_id: str | None = None
    operator: str | None = None
    author: str | None = None
    approvals: tuple[Approval, ...] = ()
    unproven: tuple[str, ...] = ()
    budget_left: float | None = None
    budget_error: str = ""
    beside_plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What every rule looks at."""

    plan: Plan
    policy: Policy
    now: datetime
    asked: Asked

    @property
    def end(self) -> datetime:
        """When the run ends if it begins now and goes as planned."""
        return self.now + timedelta(milliseconds=planned_ms(self.plan))

    @property
    def zone(self) -> tzinfo | None:
        """The zone of the hours; None if this machine does not know it."""
        return _zone(self.policy.hours.timezone if self.policy.hours else "UTC")


def in_force(environment: Environment) -> Policy:
    """The policy, with what holds in production whatever the file says.

    Production, by kind or by name, needs `--go`, a signed approval, a change id, and three
    different people. Where roles are asked for, there are as many approvals.
    """
    policy = environment.policy
    production = "production" in (environment.kind, kind_of_environment(environment.name))
    approvals = policy.approvals
    needed = max(approvals.needed, len(set(approvals.roles)), int(production))
    return replace(
        policy,
        approvals=replace(approvals, needed=needed),
        go=policy.go or production,
        change_id=policy.change_id or production,
        apart=policy.apart or production,
    )


def names(found: tuple[str, ...]) -> str:
    """`a`, `b` for a message."""
    return ", ".join(f"`{name}`" for name in found) or "none"


def is_person(text: str) -> bool:
    """Whether this names one person as approvals do: an address or a login, nothing around it."""
    return _PERSON.fullmatch(text) is not None


def _zone(name: str) -> tzinfo | None:
    if name.upper() == "UTC":  # also where there is no time zone data
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, or a folder
        return None
