"""The KPIs that runs give, of each environment and kind of run, and never over two of them.

Shares are added up over the expectations of one environment and kind, and told for each failure
mode and service too. Durations are never added up over failure modes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gameday.kpi.survival import Watched
from gameday.model.alerting import AlertWord, OtherWord
from gameday.model.quarter import AlertSeen, FaultSeen, Restored, RunKind, RunSeen, Stratum
from gameday.model.quarter_report import Number
from gameday.model.verdict import Outcome, RunStatus
from gameday.programme.quarter_frame import (
    Counted,
    Frame,
    Timed,
    counted,
    grouped,
    lasting,
    of_stratum,
    paired,
    plain,
    share,
    timed,
)

#: What was not known counts neither for nor against an alert.
NOT_KNOWN = (AlertWord.INCONCLUSIVE, AlertWord.ALREADY_FIRING, AlertWord.TOO_EARLY)
_CAME = (AlertWord.CAUGHT, AlertWord.LATE)
_NOISE = (OtherWord.UNEXPECTED, OtherWord.FORBIDDEN)
ACK_WITHIN_MS = (300_000, 600_000)
SAFE_WITHIN_MS = 10_000
HOUR_MS = 3_600_000
#: The median, and from so many durations on the 90th percentile too.
QUANTILES, P90_LEAST = (0.5, 0.9), 10


def run_numbers(frame: Frame) -> tuple[Number, ...]:
    """All of them, of every environment and kind."""
    return tuple(number for stratum in frame.strata for number in _of(frame, stratum))


def _of(frame: Frame, stratum: Stratum) -> Iterator[Number]:
    started = [run for run in frame.now if run.stratum == stratum]
    now, before = of_stratum(frame.now, stratum), of_stratum(frame.before, stratum)
    yield from _programme(started, stratum)
    if stratum.kind is RunKind.CONTROL:
        pages = sum(sum(run.others.values()) for run in now)
        yield plain(
            "false_pages", float(pages), len(now), "count", stratum=stratum, target="0",
            text="alerts in control runs, in which nothing was broken",
        )  # fmt: skip
        return
    for name, count, target, text in _SHARES:
        k, n = counted(now, count)
        pair = paired(now, before, count, up=name != "noise_ratio")
        yield share(name, k, n, stratum=stratum, target=target, text=text, paired=pair)
    for label, runs in _subjects(now):
        for name, count, target, text in _SHARES:
            k, n = counted(runs, count)
            if n:
                yield share(name, k, n, stratum=stratum, subject=label, target=target, text=text)
    yield from _durations(now, stratum)


def _subjects(runs: Sequence[RunSeen]) -> Iterator[tuple[str, tuple[RunSeen, ...]]]:
    for prefix, name in (("mode", _mode), ("service", _service), ("scenario", _drill)):
        for found, of in grouped(runs, name):
            yield f"{prefix}:{found}", of


def _durations(runs: Sequence[RunSeen], stratum: Stratum) -> Iterator[Number]:
    """Over one failure mode, or one scenario, at a time."""
    for prefix, name in (("mode", _mode), ("scenario", _drill)):
        for found, of in grouped(runs, name):
            subject = f"{prefix}:{found}"
            for kpi, durations, text in _TIMES:
                seen = timed(of, durations)
                if not seen:
                    continue
                for q in QUANTILES if len(seen) >= P90_LEAST else QUANTILES[:1]:
                    name_of = f"{kpi}_median" if q == QUANTILES[0] else f"{kpi}_p90"
                    yield lasting(name_of, seen, q, stratum=stratum, subject=subject, text=text)
            after = timed(of, after_effect)
            if after:
                worst = max(after, key=lambda one: (not one.ended, one.value))
                yield plain(
                    "after_effect_max", worst.value if worst.ended else None, len(after), "ms",
                    stratum=stratum, subject=subject, target="60 s",
                    text="longest from the fault off to steady again"
                    + ("" if worst.ended else f"; one was not steady {worst.value / 1000:g} s on"),
                )  # fmt: skip


def _programme(started: Sequence[RunSeen], stratum: Stratum) -> Iterator[Number]:
    n = len(started)
    yield share(
        "validity_rate", sum(run.valid for run in started), n, stratum=stratum, target="≥ 90 %",
        text="runs that could have shown something and left nothing behind, of those begun",
    )  # fmt: skip
    stopped = sum(run.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED) for run in started)
    yield share("stop_rate", stopped, n, stratum=stratum,
                text="runs that a stop condition or the operator stopped")  # fmt: skip
    clean = sum(run.clean for run in started)
    yield share("clean_rate", clean, n, stratum=stratum, target="100 %",
                text="runs after which every fault was shown to be gone")  # fmt: skip
    yield share(
        "undo_success", sum(run.undone for run in started), sum(run.undos for run in started),
        stratum=stratum, target="100 %", text="faults that were in and were read back as gone",
    )  # fmt: skip
    safe = [run for run in started if run.safe_ms is not None]
    quick = sum(run.safe_ended and (run.safe_ms or 0) <= SAFE_WITHIN_MS for run in safe)
    yield share("safe_in_time", quick, len(safe), stratum=stratum, target="100 %",
                text="stops after which all was safe within 10 s")  # fmt: skip
    yield plain("run_hours", sum(run.duration_ms for run in started) / HOUR_MS, n, "hours",
                stratum=stratum, text="time of runs, begun to ended")  # fmt: skip


def known_alerts(run: RunSeen) -> list[AlertSeen]:
    """The expected alerts of which something is known."""
    return [one for one in run.alerts if one.verdict not in NOT_KNOWN]


def _in_time(run: RunSeen) -> tuple[int, int]:
    known = known_alerts(run)
    return sum(one.verdict == AlertWord.CAUGHT for one in known), len(known)


def came(run: RunSeen) -> int:
    """How many expected alerts came, in time or late."""
    return sum(one.verdict in _CAME for one in run.alerts)


def noise(run: RunSeen) -> int:
    """Alerts that nobody expected, and expected ones before their fault."""
    early = sum(one.verdict == AlertWord.TOO_EARLY for one in run.alerts)
    return early + sum(run.others.get(word, 0) for word in _NOISE)


def _eventual(run: RunSeen) -> tuple[int, int]:
    return came(run), len(known_alerts(run))


def _precision(run: RunSeen) -> tuple[int, int]:
    return came(run), came(run) + noise(run)


def _noise_ratio(run: RunSeen) -> tuple[int, int]:
    again = sum(max(0, one.firings - 1) for one in run.alerts if one.verdict in _CAME)
    return noise(run) + again, came(run) + noise(run) + again


def detection(run: RunSeen, fault: FaultSeen) -> Watched | None:
    """When the first of the alerts that must fire did; None if that cannot be said."""
    known = [one for one in known_alerts(run) if one.fault == fault.id]
    fired = [one.firing_ms for one in known if one.firing_ms is not None]
    if fired:
        return Watched(value=float(min(fired)), ended=True)
    watched = [one.watched_ms for one in known if one.watched_ms is not None]
    return Watched(value=float(max(watched)), ended=False) if watched else None


def _detections(run: RunSeen) -> list[Watched]:
    found = (detection(run, fault) for fault in run.faults)
    return [one for one in found if one is not None]


def _detected(run: RunSeen) -> tuple[int, int]:
    found = _detections(run)
    return sum(one.ended for one in found), len(found)


def acknowledgements(run: RunSeen) -> Iterator[Watched]:
    """From the arrival of each alert to its acknowledgement."""
    for one in run.alerts:
        if one.delivered_ms is None or one.verdict not in _CAME:
            continue
        if one.acked_ms is not None and one.acked_ms >= one.delivered_ms:
            yield Watched(value=float(one.acked_ms - one.delivered_ms), ended=True)
        elif one.acked_ms is None and one.ack_watched_ms is not None:
            left = max(0, one.ack_watched_ms - one.delivered_ms)
            yield Watched(value=float(left), ended=False)


def _acked_within(limit_ms: int) -> Counted:
    """Not acknowledged and not watched for so long is neither."""

    def count(run: RunSeen) -> tuple[int, int]:
        known = [a for a in acknowledgements(run) if a.ended or a.value >= limit_ms]
        return sum(a.ended and a.value <= limit_ms for a in known), len(known)

    return count


def restorations(run: RunSeen) -> Iterator[Watched]:
    """From noticing a fault to well again with the fault in; taken out by us: not ended."""
    for fault in run.faults:
        noticed = detection(run, fault)
        if noticed is None or not noticed.ended or fault.mitigated_ms is None:
            continue
        if fault.restored in _UNAIDED:
            yield Watched(value=max(0.0, fault.mitigated_ms - noticed.value), ended=True)
        elif fault.restored in (Restored.RUNNER, Restored.NEVER):
            yield Watched(value=max(0.0, fault.mitigated_ms - noticed.value), ended=False)


_UNAIDED = (Restored.SELF, Restored.RUNBOOK, Restored.RESPONDER)


def _unaided(run: RunSeen) -> tuple[int, int]:
    known = [f for f in run.faults if f.restored not in (Restored.ABSORBED, Restored.UNKNOWN)]
    return sum(f.restored in _UNAIDED for f in known), len(known)


def after_effect(run: RunSeen) -> Iterator[Watched]:
    """From each fault off to steady again."""
    for fault in run.faults:
        if fault.after_ms is not None:
            yield Watched(value=float(fault.after_ms), ended=fault.after_ended)


def _criteria(run: RunSeen) -> tuple[int, int]:
    known = [one for one in run.criteria if one in (Outcome.PASS, Outcome.FAIL)]
    return sum(one == Outcome.PASS for one in known), len(known)


def _absorbed(run: RunSeen) -> tuple[int, int]:
    """One a run: every criterion of its fault phase held."""
    known = [one for one in run.criteria if one in (Outcome.PASS, Outcome.FAIL)]
    return int(bool(known) and len(known) == sum(o == Outcome.PASS for o in known)), int(
        bool(known)
    )


def _hypotheses(run: RunSeen) -> tuple[int, int]:
    return int(run.outcome == Outcome.PASS), int(run.outcome in (Outcome.PASS, Outcome.FAIL))


def _mode(run: RunSeen) -> str:
    return run.mode


def _service(run: RunSeen) -> str:
    return run.service


def _drill(run: RunSeen) -> str:
    return run.drill


_SHARES: Sequence[tuple[str, Counted, str, str]] = (
    ("recall_in_time", _in_time, "≥ 90 %", "expected alerts that were caught in time"),
    ("recall_eventual", _eventual, "", "expected alerts that came at all"),
    ("detection_rate", _detected, "≥ 90 %", "faults that an expected alert fired for"),
    ("precision", _precision, "", "alerts that were expected"),
    ("noise_ratio", _noise_ratio, "< 30 %", "alerts that were noise, or the same again"),
    ("acked_in_5_min", _acked_within(ACK_WITHIN_MS[0]), "", "arrived alerts acknowledged in 5 min"),
    ("acked_in_10_min", _acked_within(ACK_WITHIN_MS[1]), "", "the same in 10 min"),
    ("restored_unaided", _unaided, "", "felt faults after which users were well with it still in"),
    ("criteria_held", _criteria, "", "criteria of fault phases that held"),
    ("absorption", _absorbed, "", "runs in which every criterion of the fault phase held"),
    ("hypotheses_confirmed", _hypotheses, "", "hypotheses that were confirmed; no target"),
)
_TIMES: Sequence[tuple[str, Timed, str]] = (
    ("ttd", _detections, "from the fault on to the first expected alert firing"),
    ("tta", acknowledgements, "from an alert's arrival to its acknowledgement"),
    ("ttr", restorations, "from noticed to well again with the fault still in"),
)


def alert_words(run: RunSeen) -> Iterable[str]:
    """One word for every alert of a run: what was expected, and what came besides."""
    for one in run.alerts:
        word = AlertWord(one.verdict)
        if word is AlertWord.CAUGHT:
            yield "detected"
        elif word is AlertWord.LATE:
            yield "late"
        elif word in NOT_KNOWN:
            yield "not known"
        else:
            yield "missed"
    yield from ["unexpected"] * sum(run.others.get(word, 0) for word in _NOISE)
