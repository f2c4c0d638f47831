"""The report of a quarter as plain values; writers only put them into a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Cell: TypeAlias = str | int | float | bool | None
#: The version of `quarter.json`.
SCHEMA = 1


class Trend(StrEnum):
    """What became of a share since the last quarter, over the scenarios that both have."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "no_change_shown"
    TOO_FEW = "too_few"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The same number over what was measured in both quarters: `k` of `n`, now and before."""

    pairs: int
    now_k: int
    now_n: int
    before_k: int
    before_n: int
    trend: Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One KPI of one environment and kind of run, over one subject.

    `unit` is share, ms, days, hours or count. Of a share `k` of `n` is given; of a median the
    `value` is None when it was not reached (`state` censored: longer than `beyond`). `kind` and
    `environment` are empty where runs play no part, `subject` where it is over everything.
    """

    name: str
    subject: str
    environment: str
    kind: str
    unit: str
    state: str
    value: float | None
    n: int
    k: int | None = None
    low: float | None = None
    high: float | None = None
    beyond: float | None = None
    target: str = ""
    text: str = ""
    paired: Paired | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table: also one file of comma-separated values. A cell that is not known is None."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCell:
    """One service and failure mode. `letter`: P, F, ?, or empty for never; `age_days` of it."""

    service: str
    mode: str
    letter: str = ""
    age_days: int | None = None
    run: str = ""
    fresh: bool = False
    needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageMap:
    """The last valid run of every pair, of one environment and one kind of run."""

    environment: str
    kind: str
    services: tuple[tuple[str, int | None], ...]
    modes: tuple[str, ...]
    cells: tuple[MapCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One detection: when a fault was noticed, or (not `seen`) how long it was not."""

    group: str
    scenario: str
    run: str
    ms: int
    seen: bool
    within_ms: int
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One open finding of those that weigh most."""

    id: str
    title: str
    service: str
    tier: int | None
    severity: str
    owner: str
    due: str
    overdue: bool
    age_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """All that is said about one quarter.

    `headline` are the four numbers of the first page, each with its name for people; `sheets` are
    every table, in order; `flow` is the cumulative count of findings by day and step.
    """

    schema: int = SCHEMA
    period: str
    before: str
    start: str
    end: str
    as_of: str
    running: bool
    sentences: tuple[str, ...]
    headline: tuple[tuple[str, Number], ...]
    exposures: tuple[Exposure, ...]
    decisions: tuple[str, ...]
    numbers: tuple[Number, ...]
    maps: tuple[CoverageMap, ...]
    dots: tuple[Dot, ...]
    flow: tuple[tuple[str, str, int], ...]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]
    pages: Mapping[str, str] = field(default_factory=dict)  # run -> where its report is
