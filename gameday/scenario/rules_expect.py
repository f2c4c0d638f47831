"""Rules about expectations and stop conditions: each can fail, can hold, and can be measured."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.criteria import Criterion, MetricKind, Steady
from gameday.model.diagnostics import Diagnostic
from gameday.model.units import format_ms, format_ratio
from gameday.scenario.rules_alerts import quiet_alerts, tolerated_alerts
from gameday.scenario.sample import fewest_requests, least_share, needed, requests, subjects
from gameday.scenario.scope import PHASES_OF_EXPECT, Scope, rule
from gameday.scenario.suggest import did_you_mean


def something_expected(scope: Scope) -> Iterator[Diagnostic]:
    """A run that could prove nothing is refused."""
    expect = scope.scenario.expect
    proving = (expect.fault, expect.recovery, expect.alerts, expect.quiet, expect.runbooks)
    if not (any(proving) or expect.answers):
        yield scope.marks.problem(
            "expect/none",
            ("expect",),
            "`expect` has nothing but a baseline, so the run could prove nothing",
            "add `fault: [errors < 1%]`, or the `alerts` that should catch it",
            key=True,
        )


def baseline_expected(scope: Scope) -> Iterator[Diagnostic]:
    """Nothing is injected into a service that is not well; the baseline says when it is."""
    if not scope.scenario.expect.baseline:
        yield scope.marks.problem(
            "expect/no-baseline",
            ("expect",),
            "no `baseline` of `expect`, so nothing says that the run began well",
            "add `baseline: [errors < 1%]`",
            key=True,
        )


def known_subjects(scope: Scope) -> Iterator[Diagnostic]:
    """A condition speaks of a journey or a request that the load has."""
    known = subjects(scope.scenario.load)
    if known is None:
        return
    conditions = [(path, c) for _, path, c in scope.all_conditions()]
    if "stop_when" not in scope.broken:
        conditions += [(("stop_when", i), c) for i, c in scope.stop_criteria()]
    if "faults" not in scope.broken:
        conditions += scope.stage_conditions()
    for path, condition in conditions:
        if condition.subject is not None and condition.subject not in known:
            yield scope.marks.problem(
                "criterion/subject",
                path,
                f"`{condition.subject}` is neither a journey nor a request of the load",
                did_you_mean(condition.subject, known),
            )


def names_are_clear(scope: Scope) -> Iterator[Diagnostic]:
    """A name stands for one journey, or for one request, but not for two things."""
    journeys = {journey.name for journey in scope.scenario.load.journeys}
    for journey in scope.scenario.load.journeys:
        for position, step in enumerate(journey.steps):
            if step.name in journeys - {journey.name}:
                yield scope.marks.problem(
                    "load/ambiguous-name",
                    ("load", "journeys", journey.name, "steps", position, "name"),
                    f"`{step.name}` is the name of this request and of another journey",
                    "give the request another name",
                )


def can_fail(scope: Scope) -> Iterator[Diagnostic]:
    """An expectation is of use only when a run could break it, and could meet it."""
    for _, path, condition in scope.all_conditions():
        if reason := _cannot_fail(condition, scope):
            yield scope.marks.problem(
                "expect/cannot-fail",
                path,
                f"`{condition.text}` cannot fail: {reason}",
                "write a limit that a bad run would break",
            )
        elif reason := _cannot_hold(condition):
            yield scope.marks.problem(
                "expect/cannot-hold",
                path,
                f"`{condition.text}` cannot hold: {reason}",
                "write a limit that a good run would meet",
            )


def measurable(scope: Scope) -> Iterator[Diagnostic]:
    """The phase has enough requests to measure what is expected in it."""
    for phase, path, condition in scope.all_conditions():
        if phase == "fault" and scope.scenario.load.breakpoint is not None:
            continue  # judged step by step
        load, from_ms = scope.scenario.load, scope.phase_start_ms(phase)
        seen = requests(load, condition.subject, scope.phase_ms(phase), from_ms=from_ms)
        need = needed(condition)
        if seen is not None and 0 < seen < need:  # 0: a subject that is not there
            yield scope.marks.problem(
                "expect/not-measurable",
                path,
                f"`{condition.text}` takes {need} requests to measure, "
                f"but the {phase} phase of {format_ms(scope.phase_ms(phase))} "
                f"has about {seen:.0f} of them",
                _more_requests(condition, f"lengthen `phases.{phase}`"),
            )


def recovery_is_seen(scope: Scope) -> Iterator[Diagnostic]:
    """What is expected of the recovery can be seen within its phase."""
    recovery_ms = scope.scenario.phases.recovery_ms
    longer = f"lengthen `phases.recovery` ({format_ms(recovery_ms)}), or expect it sooner"
    if "expect.recovery" not in scope.broken:
        for position, condition in enumerate(scope.scenario.expect.recovery):
            if isinstance(condition, Steady) and condition.within_ms > recovery_ms:
                yield scope.marks.problem(
                    "expect/steady-not-observable",
                    ("expect", "recovery", position),
                    f"`{condition.text}` is longer than the run looks",
                    longer,
                )
    if "expect.alerts" not in scope.broken:
        for position, alert in enumerate(scope.scenario.expect.alerts):
            within_ms = alert.resolves_within_ms
            if within_ms is not None and within_ms > recovery_ms:
                yield scope.marks.problem(
                    "expect/resolve-not-observable",
                    ("expect", "alerts", position, "resolves_within"),
                    f"`{alert.alert}` may take {format_ms(within_ms)} to resolve, "
                    "longer than the run looks",
                    longer,
                )


def expected_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """An expected alert belongs to a fault, and can fire while it is in."""
    faults: dict[str, int] = {}
    for position, fault in enumerate(scope.scenario.faults):
        faults.setdefault(fault.id, position)
    for position, alert in enumerate(scope.scenario.expect.alerts):
        path = ("expect", "alerts", position)
        if alert.fault is not None and alert.fault not in faults:
            yield scope.marks.problem(
                "alert/unknown-fault",
                (*path, "fault"),
                f"there is no fault `{alert.fault}`",
                did_you_mean(alert.fault, faults),
            )
        elif faults:
            which = faults[alert.fault] if alert.fault is not None else 0
            length_ms = scope.fault_length_ms(which)
            if 0 < length_ms < alert.fires_within_ms:
                yield scope.marks.problem(
                    "alert/fires-after-fault",
                    (*path, "fires_within"),
                    f"`{alert.alert}` may fire {format_ms(alert.fires_within_ms)} after the fault "
                    f"came, but the fault is in for {format_ms(length_ms)} only",
                    "lengthen the fault, or expect the alert sooner",
                )


def has_stop_condition(scope: Scope) -> Iterator[Diagnostic]:
    """No stop condition, no run."""
    if not scope.scenario.stop_when and not scope.scenario.stop_signals:
        yield scope.marks.problem(
            "scenario/no-stop-condition",
            ("stop_when",),
            "no stop condition: `stop_when` is missing or empty",
            "add `stop_when: [errors > 50% for 10s]`; without one gameday does not run",
            key=True,
        )


def stop_conditions(scope: Scope) -> Iterator[Diagnostic]:
    """A stop condition can trip, does not trip at once, and can be read."""
    for position, condition in scope.stop_criteria():
        path = ("stop_when", position)
        if reason := _cannot_hold(condition) or _slower_than_timeout(condition, scope):
            yield scope.marks.problem(
                "stop/cannot-trip",
                path,
                f"`{condition.text}` cannot trip: {reason}",
                "write a limit that a bad run would break, such as `errors > 50% for 10s`",
            )
        elif reason := _always(condition):
            yield scope.marks.problem(
                "stop/always-trips",
                path,
                f"`{condition.text}` trips at once: {reason}",
                "write a limit that a good run stays clear of, such as `errors > 50% for 10s`",
            )


def stop_is_measurable(scope: Scope) -> Iterator[Diagnostic]:
    """A stop condition's window has enough requests to read it."""
    for position, condition in scope.stop_criteria():
        load, phases = scope.scenario.load, scope.scenario.phases
        if load.shape and "phases" in scope.broken:
            continue
        begin_ms, end_ms = phases.warmup_ms, phases.played_ms
        seen = fewest_requests(
            load, condition.subject, condition.over_ms, from_ms=begin_ms, to_ms=end_ms
        )
        need = needed(condition)
        if seen is not None and 0 < seen < need:
            yield scope.marks.problem(
                "stop/not-measurable",
                ("stop_when", position),
                f"`{condition.text}` takes {need} requests to measure, "
                f"but its window of {format_ms(condition.over_ms)} has about {seen:.0f} of them",
                _more_requests(condition, "add a longer window such as `over 30s`"),
            )


def stop_spares_good_runs(scope: Scope) -> Iterator[Diagnostic]:
    """A stop condition does not trip while all expectations hold."""
    for position, stop in scope.stop_criteria():
        floor = _as_bad_share(stop)
        if stop.op not in _WORSE[stop.metric == "goodput"] or _always(stop):
            continue
        for phase in PHASES_OF_EXPECT:
            bounds = [
                (_as_bad_share(c), c)
                for _, c in scope.conditions(phase)
                if _bounds(c, stop) and not _cannot_fail(c, scope)
            ]
            if not bounds:
                continue
            limit, tightest = min(bounds, key=lambda pair: pair[0])
            if limit > floor:
                yield scope.marks.problem(
                    "stop/trips-while-expectations-hold",
                    ("stop_when", position),
                    f"`{stop.text}` can trip while `{tightest.text}` still holds",
                    f"stop beyond what `expect.{phase}` allows",
                )
            elif "phases" not in scope.broken and limit > _burst_share(stop, scope, phase):
                yield scope.marks.problem(
                    "stop/trips-on-a-burst",
                    ("stop_when", position),
                    f"`{stop.text}` can trip on a burst after which `{tightest.text}` "
                    f"still holds over {format_ms(scope.phase_ms(phase))}",
                    "give it a longer `for`, or a higher limit",
                )


#: The operators with which a value gets worse: by whether the metric is goodput.
_WORSE = {False: (">", ">="), True: ("<", "<=")}


def _as_bad_share(condition: Criterion) -> float:
    """The limit so that more is worse: goodput turned into errors."""
    return 1 - condition.limit if condition.metric == "goodput" else condition.limit


def _bounds(expected: Criterion, stop: Criterion) -> bool:
    """Whether *expected* limits from above the value on which *stop* trips."""
    if expected.subject != stop.subject or expected.kind is not stop.kind:
        return False
    if expected.op in _WORSE[expected.metric == "goodput"]:
        return False
    # a higher percentile bounds a lower one
    return (expected.quantile or 0) >= (stop.quantile or 0)


def _burst_share(stop: Criterion, scope: Scope, phase: str) -> float:
    """The smallest share of bad requests in a phase with which a stop condition can trip.

    It has to stand above its limit in as many whole windows as fit into `for`, and one more.
    """
    if stop.kind is MetricKind.LATENCY:
        return float("inf")  # a percentile of a phase says little about that of a short window
    windows = stop.for_ms // max(1, stop.over_ms) + 1
    from_ms, phase_ms = scope.phase_start_ms(phase), scope.phase_ms(phase)
    share = least_share(scope.scenario.load, windows * stop.over_ms, phase_ms, from_ms=from_ms)
    return _as_bad_share(stop) * share


def _cannot_fail(condition: Criterion, scope: Scope) -> str:
    if reason := _always(condition):
        return reason
    if condition.kind is MetricKind.RATIO:
        nearly = {("errors", "<"): 1.0, ("goodput", ">"): 0.0}
        if nearly.get((condition.metric, condition.op)) == condition.limit:
            return "it holds unless every single request fails"
        return ""
    if "load" in scope.broken or condition.op in (">", ">="):
        return ""
    timeout_ms = scope.scenario.load.timeout_ms
    if condition.limit >= timeout_ms:
        return f"a request that takes longer than the timeout of {format_ms(timeout_ms)} has failed"
    return ""


def _always(condition: Criterion) -> str:
    """Why the condition is true of every value, or an empty text."""
    ratio = condition.kind is MetricKind.RATIO
    if condition.op == ">=" and condition.limit == 0:
        return f"no value is below {format_ratio(0) if ratio else format_ms(0)}"
    if condition.op == "<=" and ratio and condition.limit == 1:
        return f"no share is above {format_ratio(1)}"
    if condition.op == ">" and condition.limit == 0 and not ratio:
        return f"every answer takes more than {format_ms(0)}"
    return ""


def _cannot_hold(condition: Criterion) -> str:
    """Why the condition is true of no value, or an empty text."""
    ratio = condition.kind is MetricKind.RATIO
    if condition.op == "<" and condition.limit == 0:
        return f"no value is below {format_ratio(0) if ratio else format_ms(0)}"
    if condition.op == "<=" and condition.limit == 0 and not ratio:
        return f"every answer takes more than {format_ms(0)}"
    if condition.op == ">" and ratio and condition.limit == 1:
        return f"no share is above {format_ratio(1)}"
    return ""


def _slower_than_timeout(condition: Criterion, scope: Scope) -> str:
    timeout_ms = scope.scenario.load.timeout_ms
    if (
        "load" in scope.broken
        or condition.kind is MetricKind.RATIO
        or condition.op in ("<", "<=")
        or condition.limit < timeout_ms
    ):
        return ""
    return f"a request that takes longer than the timeout of {format_ms(timeout_ms)} has failed"


def _more_requests(condition: Criterion, longer: str) -> str:
    other = "a lower percentile" if condition.quantile is not None else "a wider limit"
    return f"{longer}, raise the load, or use {other}"


_PARTS = tuple(
    f"expect.{part}"
    for part in (*PHASES_OF_EXPECT, "alerts", "quiet", "tolerate", "runbooks", "answers")
)

RULES = (
    rule(something_expected, "expect/none", needs=_PARTS),
    rule(baseline_expected, "expect/no-baseline", needs=("expect.baseline",)),
    rule(known_subjects, "criterion/subject", needs=("load",)),
    rule(names_are_clear, "load/ambiguous-name", needs=("load",)),
    rule(can_fail, "expect/cannot-fail", "expect/cannot-hold"),
    rule(measurable, "expect/not-measurable", needs=("load", "phases")),
    rule(
        recovery_is_seen,
        "expect/steady-not-observable",
        "expect/resolve-not-observable",
        needs=("phases",),
    ),
    rule(
        expected_alerts,
        "alert/unknown-fault",
        "alert/fires-after-fault",
        needs=("expect.alerts", "faults", "phases"),
    ),
    rule(
        quiet_alerts,
        "alert/quiet-expected",
        "value/empty",
        needs=("expect.alerts", "expect.quiet"),
    ),
    rule(tolerated_alerts, "value/empty", needs=("expect.tolerate",)),
    rule(has_stop_condition, "scenario/no-stop-condition", needs=("stop_when",)),
    rule(stop_conditions, "stop/cannot-trip", "stop/always-trips", needs=("stop_when",)),
    rule(stop_is_measurable, "stop/not-measurable", needs=("stop_when", "load")),
    rule(
        stop_spares_good_runs,
        "stop/trips-while-expectations-hold",
        "stop/trips-on-a-burst",
        needs=("stop_when",),
    ),
)
