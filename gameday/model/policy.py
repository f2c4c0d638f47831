"""What an environment allows: who, what, how much, when. None or empty means: no limit here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When runs may take place: weekdays (0 is Monday), minutes of the day, in a time zone."""

    days: tuple[int, ...]
    from_minute: int
    to_minute: int
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Days on which nothing is run: ISO dates, both inclusive, in the time zone of the hours."""

    first: str
    last: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSource:
    """The error budget: at least the share `floor` of it must be left, or no run.

    The share that is left is the answer of the Prometheus `query`, or the number in `file`.
    """

    floor: float
    query: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """`needed` signed approvals; `signers` is the allowed-signers file of `ssh-keygen -Y verify`.

    With `roles`, one of each of them is needed. `folder` is where approvals lie.
    """

    needed: int = 0
    signers: str | None = None
    roles: tuple[str, ...] = ()
    folder: str = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one environment.

    `faults` are kinds (`latency`, `container.pause`, `container.*`). `max_share` is the largest
    toxicity or share of a fault, `max_duration_ms` the longest time that one may be in,
    `max_faults` how many may be in at once. `go` means that nothing is run without `--go`;
    `change_id` that a change must be named; `apart` that author, approver and operator differ.
    """

    targets: tuple[str, ...] | None = None
    faults: tuple[str, ...] | None = None
    max_share: float | None = None
    max_duration_ms: int | None = None
    max_faults: int | None = None
    hours: Hours | None = None
    freeze: tuple[Freeze, ...] = ()
    budget: BudgetSource | None = None
    approvals: Approvals = Approvals()
    go: bool = False
    change_id: bool = False
    apart: bool = False
