"""Which failure modes of which services were tested, when last, and how it went."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gameday.model.quarter import History, RunKind, RunSeen, Stratum
from gameday.model.quarter_report import CoverageMap, MapCell, Number, Paired
from gameday.model.verdict import Outcome
from gameday.programme.quarter_frame import Frame, days_since, moment, share, trend_of

#: A run older than this covers nothing any more.
FRESH_DAYS = 90
TOP_TIER = 1
LETTERS: Mapping[str, str] = {Outcome.PASS.value: "P", Outcome.FAIL.value: "F"}
UNTESTED_MODES = ("control",)

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The pairs that have to be covered; `given` says that somebody wrote them down."""

    pairs: frozenset[Pair]
    tiers: Mapping[str, int]
    given: bool


def scope_of(history: History, frame: Frame) -> Scope:
    """As imported; without that, every pair that a run, a finding or an incident has named."""
    tiers = {run.service: run.tier for run in frame.every if run.tier is not None}
    if history.scope is not None:
        tiers |= {one.service: one.tier for one in history.scope if one.tier is not None}
        pairs = {(one.service, one.mode) for one in history.scope}
        return Scope(pairs=frozenset(pairs), tiers=tiers, given=True)
    named = {run.pair for run in frame.every}
    named |= {(f.service, f.mode) for f in history.findings or () if _born(f.changes, frame)}
    named |= {(i.service, i.mode) for i in history.incidents or () if i.started <= frame.as_of}
    pairs = {(s, m) for s, m in named if s and m and m not in UNTESTED_MODES}
    return Scope(pairs=frozenset(pairs), tiers=tiers, given=False)


def _born(changes: Sequence[object], frame: Frame) -> bool:
    first = getattr(changes[0], "at", "") if changes else ""
    return bool(first) and moment(first) <= frame.as_of


def last_valid(runs: Iterable[RunSeen]) -> dict[Pair, RunSeen]:
    """The newest valid run of every pair; *runs* are oldest first."""
    return {run.pair: run for run in runs if run.valid}


def coverage_maps(frame: Frame, scope: Scope) -> tuple[CoverageMap, ...]:
    """One for each environment and kind of run that was ever there, control runs left out."""
    strata = sorted({run.stratum for run in frame.every if run.kind is not RunKind.CONTROL})
    return tuple(_map(frame, scope, stratum) for stratum in strata)


def _map(frame: Frame, scope: Scope, stratum: Stratum) -> CoverageMap:
    runs = [run for run in frame.every if run.stratum == stratum]
    valid = last_valid(runs)
    tried = {run.pair: run for run in runs}
    pairs = scope.pairs | set(tried)
    services = sorted({s for s, _ in pairs}, key=lambda s: (scope.tiers.get(s, 9), s))
    modes = sorted({m for _, m in pairs})
    return CoverageMap(
        environment=stratum.environment,
        kind=stratum.kind.value,
        services=tuple((name, scope.tiers.get(name)) for name in services),
        modes=tuple(modes),
        cells=tuple(
            _cell((s, m), valid.get((s, m)), tried.get((s, m)), frame, scope)
            for s in services
            for m in modes
        ),
    )


def _cell(
    pair: Pair, valid: RunSeen | None, tried: RunSeen | None, frame: Frame, scope: Scope
) -> MapCell:
    """An invalid run covers nothing: it is a question mark where no valid one ever was."""
    run = valid or tried
    needed = pair in scope.pairs
    if run is None:
        return MapCell(service=pair[0], mode=pair[1], needed=needed)
    age = days_since(run.ended, frame.as_of)
    return MapCell(
        service=pair[0],
        mode=pair[1],
        letter=LETTERS.get(run.outcome, "?") if run.valid else "?",
        age_days=age,
        run=run.run,
        fresh=run.valid and age <= FRESH_DAYS,
        needed=needed,
    )


def coverage_numbers(frame: Frame, scope: Scope) -> Iterator[Number]:
    """Pairs with a valid run in the last 90 days, of those in scope; now, and a quarter ago."""
    known = "in the imported scope" if scope.given else "that a run, finding or incident has named"
    for stratum in sorted({run.stratum for run in frame.every}):
        if stratum.kind is RunKind.CONTROL:
            continue
        fresh, earlier = _fresh(frame, stratum, frame.as_of), _before(frame, stratum)
        text = f"service and failure mode with a valid run in {FRESH_DAYS} days, of those {known}"
        yield share("coverage", len(fresh & scope.pairs), len(scope.pairs), stratum=stratum,
                    text=text, paired=_paired(fresh, earlier, scope.pairs))  # fmt: skip
        for tier in sorted({scope.tiers[s] for s, _ in scope.pairs if s in scope.tiers}):
            pairs = {pair for pair in scope.pairs if scope.tiers.get(pair[0]) == tier}
            yield share("coverage", len(fresh & pairs), len(pairs), stratum=stratum,
                        subject=f"tier:{tier}", text=text)  # fmt: skip
        top = {s for s, _ in scope.pairs if scope.tiers.get(s, 9) <= TOP_TIER}
        done = {run.service for run in frame.now if run.stratum == stratum and run.valid}
        yield share("top_tier_exercised", len(top & done), len(top), stratum=stratum,
                    target="100 %", text="services of tier 0 and 1 with a valid run")  # fmt: skip


def _fresh(frame: Frame, stratum: Stratum, at: datetime.datetime) -> set[Pair]:
    return {
        run.pair
        for run in frame.every
        if run.stratum == stratum and run.valid and 0 <= days_since(run.ended, at) <= FRESH_DAYS
    }


def _before(frame: Frame, stratum: Stratum) -> set[Pair]:
    """What was covered when the last quarter ended."""
    return _fresh(frame, stratum, frame.period.start - datetime.timedelta(seconds=1))


def _paired(now: set[Pair], before: set[Pair], pairs: frozenset[Pair]) -> Paired | None:
    """The same pairs then and now; None where nothing was tested before."""
    if not before & pairs:
        return None
    k, k_before, n = len(now & pairs), len(before & pairs), len(pairs)
    return Paired(pairs=n, now_k=k, now_n=n, before_k=k_before, before_n=n,
                  trend=trend_of((k, n), (k_before, n), up=True))  # fmt: skip
