"""A year of history: what the report says, against a second calculation from the raw results.

Nothing of the programme is used here to calculate: shares are counted in the raw documents, the
interval is the root of a quadratic, and survival is multiplied up by hand.
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from quarter_support import NOW, Year, make_year, write_runs

from gameday.adapters.run_index import RunIndex
from gameday.app.quarter_days import days_known
from gameday.app.run_index import bring_up
from gameday.model.quarter import History
from gameday.model.quarter_report import Number, Quarter
from gameday.programme.quarter_build import quarter_of
from gameday.programme.quarter_days import joined
from gameday.programme.quarter_imports import read_deployments, read_drills, read_incidents
from gameday.programme.quarter_period import Period
from gameday.programme.quarter_register import finding_seen

Json = dict[str, Any]
Key = tuple[str, str, str, str]
FIRST, LAST = "2026-10-01T00:00:00Z", "2026-12-31T23:59:59Z"
PERIOD = Period(year=2026, quarter=4)


@pytest.fixture(scope="module")
def year() -> Year:
    return make_year()


@pytest.fixture(scope="module")
def history(year: Year, tmp_path_factory: pytest.TempPathFactory) -> History:
    reports = tmp_path_factory.mktemp("year") / "reports"
    write_runs(year, reports)
    known = bring_up(RunIndex.sqlite(reports / "index.sqlite"), reports)
    assert known.read == 500
    assert not known.unread
    days = days_known(reports, None)
    assert not days.unread
    return History(
        runs=known.runs,
        findings=tuple(finding_seen(one) for one in year.findings),
        incidents=read_incidents(year.incidents, "incidents.csv"),
        deployments=read_deployments(year.deployments, "deployments.csv"),
        drills=joined(read_drills(year.drills, "drills.csv"), days.drills),
        days=days.days,
    )


@pytest.fixture(scope="module")
def quarter(history: History) -> Quarter:
    return quarter_of(history, PERIOD, NOW)


@pytest.fixture(scope="module")
def numbers(quarter: Quarter) -> dict[Key, Number]:
    found = {(n.name, n.environment, n.kind, n.subject): n for n in quarter.numbers}
    assert len(found) == len(quarter.numbers), "no number is told twice"
    return found


# --- the second calculation -----------------------------------------------------------------------


def ended(result: Json) -> str:
    at = datetime.datetime.fromisoformat(result["started"])
    return f"{at + datetime.timedelta(milliseconds=result['duration_ms']):%Y-%m-%dT%H:%M:%SZ}"


def kind(result: Json, plan: Json) -> str:
    if result["control"]:
        return "control"
    small = result["scenario"]["profile"] == "smoke" or plan["environment"]["kind"] == "ci"
    return "smoke" if small else "gameday"


def mode(result: Json) -> str:
    if result["control"]:
        return "control"
    fault = result["faults"][0]
    return f"{fault['target']}.{fault['what'].split()[0]}"


def fit(result: Json) -> bool:
    fine = all(v["outcome"] == "pass" for v in result["validity"])
    return fine and result["verdict"]["clean"]


def rung(result: Json, name: str) -> Json:
    return next(r for r in result["ladders"][0]["rungs"] if r["name"] == name)


def wilson(k: int, n: int) -> tuple[float, float]:
    """Both roots p of (k/n - p)² = z² p (1 - p) / n."""
    z2, share = 1.96**2, k / n
    a, b, c = 1 + z2 / n, -(2 * share + z2 / n), share * share
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def survivors(points: list[tuple[float, bool]], at: float) -> float:
    """The share that lasts longer than *at*."""
    left = 1.0
    for time in sorted({v for v, ends in points if ends and v <= at}):
        risk = sum(v >= time for v, _ in points)
        left *= 1 - sum(v == time and ends for v, ends in points) / risk
    return left


def quantile(points: list[tuple[float, bool]], q: float) -> float | None:
    times = sorted({v for v, ends in points if ends})
    return next((t for t in times if survivors(points, t) <= 1 - q + 1e-9), None)


def in_quarter(year: Year) -> Iterator[tuple[Json, str, str]]:
    for result, plan in zip(year.results, year.plans, strict=True):
        if FIRST <= ended(result) <= LAST:
            yield result, result["environment"], kind(result, plan)


def subjects(result: Json) -> tuple[str, ...]:
    scenario = result["scenario"]
    drill = f"{scenario['id']} ({scenario['profile']})" if scenario["profile"] else scenario["id"]
    return ("", f"mode:{mode(result)}", f"service:{scenario['service']}", f"scenario:{drill}")


UNKNOWN = ("inconclusive", "already_firing", "too_early")


def counts(result: Json) -> Iterator[tuple[str, int, int]]:
    """Name, k and n of every share of one run."""
    alert = result["alerts"][0]
    word = alert["verdict"]
    known, caught, came = word not in UNKNOWN, word == "caught", word in ("caught", "late")
    noise = (word == "too_early") + sum(
        o["word"] in ("unexpected", "forbidden") for o in result["other_alerts"]
    )
    again = alert["firings"] - 1 if came else 0
    yield "recall_in_time", caught, known
    yield "recall_eventual", came, known
    yield "precision", came, came + noise
    yield "noise_ratio", noise + again, came + noise + again
    yield "detection_rate", known and alert["firing_after_ms"] is not None, known
    criteria = [e["outcome"] for e in result["expectations"] if e["check"] == "slo/criterion"]
    passed, failed = criteria.count("pass"), criteria.count("fail")
    yield "criteria_held", passed, passed + failed
    yield "absorption", passed > 0 and failed == 0, passed + failed > 0
    outcome = result["verdict"]["outcome"]
    yield "hypotheses_confirmed", outcome == "pass", outcome in ("pass", "fail")
    well = rung(result, "mitigated")["state"]
    felt = rung(result, "impact")["state"] == "measured"
    yield "restored_unaided", felt and well == "measured", felt and well != "not_measured"


def times(result: Json) -> Iterator[tuple[str, float, bool]]:
    """Name, duration and whether it ended."""
    alert = result["alerts"][0]
    word, fired = alert["verdict"], alert["firing_after_ms"]
    if word not in UNKNOWN:
        yield (
            "ttd",
            rung(result, "firing")["since_ms"] if fired is None else fired,
            fired is not None,
        )
    if word in ("caught", "late"):
        acked, arrived = alert["acknowledged_after_ms"], alert["delivered_after_ms"]
        told = rung(result, "acknowledged")
        if acked is not None:
            yield "tta", acked - arrived, True
        elif told["state"] == "censored":
            yield "tta", max(0, told["since_ms"] - arrived), False
    well = rung(result, "mitigated")
    if word not in UNKNOWN and fired is not None and well["state"] != "not_measured":
        yield "ttr", max(0, well["since_ms"] - fired), well["state"] == "measured"


def test_every_share_of_runs_is_what_counting_gives(year: Year, numbers: dict[Key, Number]) -> None:
    expected: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for result, environment, what in in_quarter(year):
        if what == "control" or not fit(result):
            continue
        for name, k, n in counts(result):
            for subject in subjects(result):
                expected[name, environment, what, subject][0] += k
                expected[name, environment, what, subject][1] += n
    names = {name for name, *_ in expected}
    told = {key for key in numbers if key[0] in names}
    assert told == {key for key, (_, n) in expected.items() if n or not key[3]}
    assert len(told) > 500
    for key in told:
        k, n = expected[key]
        number = numbers[key]
        assert (number.k, number.n) == (k, n), key
        if n:
            assert number.value == pytest.approx(k / n)
            assert (number.low, number.high) == pytest.approx(wilson(k, n), abs=1e-9), key
        else:
            assert number.state == "not_measured"
            assert number.value is None


def test_every_median_is_what_multiplying_up_gives(year: Year, numbers: dict[Key, Number]) -> None:
    points: dict[Key, list[tuple[float, bool]]] = defaultdict(list)
    for result, environment, what in in_quarter(year):
        if what == "control" or not fit(result):
            continue
        for name, value, ends in times(result):
            for subject in subjects(result):
                if subject.startswith(("mode:", "scenario:")):
                    points[name, environment, what, subject].append((float(value), ends))
    told = {key: n for key, n in numbers.items() if key[0].startswith(("ttd_", "tta_", "ttr_"))}
    medians = {(f"{name}_median", *rest) for name, *rest in points}
    assert {key for key in told if key[0].endswith("_median")} == medians
    assert len(medians) > 200
    censored = 0
    for (name, *rest), number in told.items():
        base, _, which = name.partition("_")
        seen = points[(base, *rest)]  # type: ignore[index]
        assert number.n == len(seen)
        assert number.k == sum(ends for _, ends in seen)
        expected = quantile(seen, 0.5 if which == "median" else 0.9)
        assert number.value == expected, name
        if expected is None:
            censored += 1
            assert number.state == "censored"
            assert number.beyond == max(v for v, _ in seen)
    assert censored > 20, "misses are in it, and are not left out"
    assert not any(name.endswith("_p90") and n.n < 10 for (name, *_), n in told.items())


def test_validity_and_safety_count_every_run_that_was_begun(
    year: Year, numbers: dict[Key, Number]
) -> None:
    groups: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for result, environment, what in in_quarter(year):
        groups[environment, what].append(result)
    assert len(groups) >= 5
    for (environment, what), results in groups.items():
        place = (environment, what, "")
        valid = sum(fit(r) for r in results)
        stops = sum(r["verdict"]["status"] == "stopped" for r in results)
        undone = [u["state"] == "measured" for r in results for u in r["safety"]["undos"]]
        safe = [r["safety"] for r in results if r["safety"]["time_to_safe_ms"] is not None]
        quick = sum(s["state"] == "measured" and s["time_to_safe_ms"] <= 10_000 for s in safe)
        hours = sum(r["duration_ms"] for r in results) / 3_600_000
        for name, k, n in (
            ("validity_rate", valid, len(results)),
            ("stop_rate", stops, len(results)),
            ("undo_success", sum(undone), len(undone)),
            ("safe_in_time", quick, len(safe)),
        ):
            assert (numbers[(name, *place)].k, numbers[(name, *place)].n) == (k, n), (name, place)
        assert numbers[("run_hours", *place)].value == pytest.approx(hours)


def test_the_same_scenarios_are_compared_with_themselves(
    year: Year, numbers: dict[Key, Number]
) -> None:
    sides: list[dict[Any, list[int]]] = []
    for first, last in ((FIRST, LAST), ("2026-07-01T00:00:00Z", "2026-09-30T23:59:59Z")):
        side: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        for result, plan in zip(year.results, year.plans, strict=True):
            what = kind(result, plan)
            if first <= ended(result) <= last and what != "control" and fit(result):
                word = result["alerts"][0]["verdict"]
                cell = side[result["environment"], what, subjects(result)[3]]
                cell[0] += word == "caught"
                cell[1] += word not in UNKNOWN
        sides.append(side)
    compared = 0
    for (name, environment, what, subject), number in numbers.items():
        if name != "recall_in_time" or subject or what == "control":
            continue
        both = [
            key for key, (_, n) in sides[0].items()
            if key[:2] == (environment, what) and n and sides[1].get(key, [0, 0])[1]
        ]  # fmt: skip
        pair = number.paired
        if not both:
            assert pair is None
            continue
        compared += 1
        assert pair is not None
        assert pair.pairs == len(both)
        assert (pair.now_k, pair.now_n) == tuple(sum(sides[0][k][i] for k in both) for i in (0, 1))
        assert (pair.before_k, pair.before_n) == tuple(
            sum(sides[1][k][i] for k in both) for i in (0, 1)
        )
    assert compared >= 3


def test_coverage_is_the_newest_valid_run_of_each_pair(
    year: Year, quarter: Quarter, numbers: dict[Key, Number]
) -> None:
    scope = {(r["scenario"]["service"], mode(r)) for r in year.results if ended(r) <= LAST}
    scope |= {(f.service, f.failure_mode) for f in year.findings if f.raised_at <= LAST}
    for line in year.incidents.splitlines()[1:]:
        cells = line.split(",")
        scope |= {(cells[2], cells[5])} if cells[5] and cells[1] <= LAST else set()
    scope = {pair for pair in scope if pair[1] != "control"}
    end = datetime.datetime.fromisoformat(LAST)
    assert len(quarter.maps) >= 4
    for one in quarter.maps:
        newest: dict[tuple[str, str], Json] = {}
        for result, plan in zip(year.results, year.plans, strict=True):
            same = (result["environment"], kind(result, plan)) == (one.environment, one.kind)
            pair = (result["scenario"]["service"], mode(result))
            if not same or not fit(result) or ended(result) > LAST:
                continue
            if pair not in newest or ended(newest[pair]) < ended(result):
                newest[pair] = result
        ages = {
            pair: (end - datetime.datetime.fromisoformat(ended(r))).days
            for pair, r in newest.items()
        }
        cells = {(c.service, c.mode): c for c in one.cells}
        letters = {"pass": "P", "fail": "F"}
        for pair, result in newest.items():
            assert cells[pair].run == result["run_id"]
            assert cells[pair].letter == letters[result["verdict"]["outcome"]]
            assert cells[pair].age_days == ages[pair]
            assert cells[pair].fresh == (ages[pair] <= 90)
        number = numbers["coverage", one.environment, one.kind, ""]
        fresh = sum(age <= 90 for pair, age in ages.items() if pair in scope)
        assert (number.k, number.n) == (fresh, len(scope))


def test_findings_are_what_their_entries_say(year: Year, numbers: dict[Key, Number]) -> None:
    steps = {"raised": "opened", "claimed": "claimed", "verified": "verified",
             "regressed": "regressed"}  # fmt: skip
    seen: dict[str, int] = defaultdict(int)
    opened: dict[str, list[int]] = defaultdict(list)
    repeats = failed = 0
    day = datetime.date(2026, 12, 31)
    for finding in year.findings:
        entries = [e for e in finding.entries if e.at <= LAST]
        now = [e for e in entries if e.at >= FIRST]
        for entry in now:
            seen[steps.get(entry.what.value, "")] += 1
        again = any(e.what.value in ("seen_again", "regressed", "refuted") for e in now)
        failed += again or any(e.what.value == "raised" for e in now)
        repeats += again
        if not entries:
            continue
        state = entries[-1].state.value
        until = next((e.until for e in reversed(entries) if e.until), None)
        over = state == "risk_accepted" and until is not None and until < day.isoformat()
        if state in ("open", "assigned", "in_progress", "fix_claimed") or over:
            begun = ("raised", "regressed")
            since = [e.at for e in entries if e.state.value == "open" and e.what.value in begun][-1]
            gone = datetime.datetime.fromisoformat(LAST) - datetime.datetime.fromisoformat(since)
            opened[finding.severity.value].append(gone.days)
    for name in ("opened", "claimed", "verified", "regressed"):
        assert numbers[f"findings_{name}", "", "", ""].value == seen[name]
    assert numbers["findings_open", "", "", ""].value == sum(map(len, opened.values()))
    assert numbers["exposure", "", "", ""].value == len(opened["critical"]) + len(opened["high"])
    rate = numbers["repeat_rate", "", "", ""]
    assert (rate.k, rate.n) == (repeats, failed)
    for severity, ages in opened.items():
        assert numbers["open_age_max", "", "", f"severity:{severity}"].value == max(ages)
        middle = numbers["open_age_median", "", "", f"severity:{severity}"]
        assert middle.value == sorted(ages)[math.ceil(len(ages) / 2) - 1]


def test_due_dates_are_kept_when_a_run_proved_the_fix_by_then(
    year: Year, numbers: dict[Key, Number]
) -> None:
    verified = claimed = due = 0
    for finding in year.findings:
        for day in {
            e.due for e in finding.entries if e.due and "2026-10-01" <= e.due <= "2026-12-31"
        }:
            by_then = [e for e in finding.entries if e.at[:10] <= day]
            if not by_then or [e.due for e in by_then if e.due][-1] != day:
                continue
            state = by_then[-1].state.value
            until = next((e.until for e in reversed(by_then) if e.until), None)
            if state == "risk_accepted" and until is not None and until < day:
                state = "open"
            if state not in ("risk_accepted", "superseded", "wont_fix"):
                due += 1
                verified += state == "verified"
                claimed += state in ("verified", "fix_claimed")
    assert due > 5
    number = numbers["verified_on_time", "", "", ""]
    assert (number.k, number.n) == (verified, due)
    number = numbers["claimed_on_time", "", "", ""]
    assert (number.k, number.n) == (claimed, due)


def test_what_was_imported_is_counted_by_itself(year: Year, numbers: dict[Key, Number]) -> None:
    rows = [line.split(",") for line in year.deployments.splitlines()[1:]]
    now = [row for row in rows if FIRST <= row[1] <= LAST]
    number = numbers["change_failure_rate", "prod", "", ""]
    assert (number.k, number.n) == (sum(row[3] != "ok" for row in now), len(now))
    for name in {row[2] for row in now}:
        of = [row for row in now if row[2] == name]
        number = numbers["change_failure_rate", "prod", "", f"service:{name}"]
        assert (number.k, number.n) == (sum(row[3] != "ok" for row in of), len(of))
    drills = [line.split(",") for line in year.drills.splitlines()[1:]]
    due = [d for d in drills if "2026-10-01" <= d[1] <= "2026-12-31"]
    passed = [d for d in due if d[3] and int(d[4]) <= int(d[5]) and int(d[6]) <= int(d[7])]
    number = numbers["restore_success", "", "", ""]
    assert (number.k, number.n) == (len(passed), len(due))
    incidents = [line.split(",") for line in year.incidents.splitlines()[1:]]
    sev1 = sum(FIRST <= i[1] <= LAST and i[3] == "sev1" for i in incidents)
    assert numbers["incidents", "", "", "severity:sev1"].value == sev1


def test_budgets_are_what_the_bad_requests_of_every_run_add_up_to(
    year: Year, quarter: Quarter, numbers: dict[Key, Number]
) -> None:
    expected: dict[Key, list[float]] = defaultdict(lambda: [0, 0, 0, 0])
    allowed_ms: dict[Key, float] = {}
    plans = {r["run_id"]: p for r, p in zip(year.results, year.plans, strict=True)}
    quarter_ms = 92 * 24 * 3_600_000
    for result, environment, what in in_quarter(year):
        shares = {s["name"]: s["share"] for s in plans[result["run_id"]]["service"]["slos"]}
        for name, (n, bad, outage_ms) in year.budgets[result["run_id"]].items():
            percent = {0.999: "99.9 %", 0.9995: "99.95 %", 0.99: "99 %"}[shares[name]]
            subject = f"slo:{result['scenario']['service']} {name} {percent}"
            key = ("budget_spent", environment, what, subject)
            for place, more in enumerate((1, n, bad, outage_ms)):
                expected[key][place] += more
            allowed_ms[key] = (1 - shares[name]) * quarter_ms
    assert {key for key in numbers if key[0] == "budget_spent"} == set(expected)
    assert len(expected) > 50
    sheet = next(one for one in quarter.sheets if one.name == "budgets")
    rows = {(row[0], row[1], f"slo:{row[2]} {row[3]}"): row for row in sheet.rows}
    assert len(rows) == len(sheet.rows) == len(expected)
    for key, (runs, n, bad, outage_ms) in expected.items():
        assert numbers[key].n == runs
        assert numbers[key].value == pytest.approx(outage_ms / allowed_ms[key])
        row = rows[key[1:]]
        assert row[4:7] == (runs, n, bad)
        assert row[7] == pytest.approx(n * allowed_ms[key] / quarter_ms, abs=1e-3)
        assert row[8] == pytest.approx(outage_ms / 1000, abs=1e-3)
        assert (row[11] == "spent") == (key[1] == "prod")


def fifth_business_day(
    ended: str, zone: str = "UTC", holidays: Iterable[str] = ()
) -> datetime.datetime:
    """The midnight that ends it, by the clock of *zone*."""
    place = zoneinfo.ZoneInfo(zone)
    day = datetime.datetime.fromisoformat(ended).astimezone(place).date()
    left = 5
    while left:
        day += datetime.timedelta(days=1)
        left -= day.isoweekday() <= 5 and day.isoformat() not in holidays
    next_day = day + datetime.timedelta(days=1)
    return datetime.datetime(next_day.year, next_day.month, next_day.day, tzinfo=place)


def due_in_quarter(due: datetime.datetime) -> bool:
    first, last = map(datetime.datetime.fromisoformat, (FIRST, LAST))
    return first < due <= last + datetime.timedelta(seconds=1)


def in_time(published: str, due: datetime.datetime) -> bool:
    return bool(published) and datetime.datetime.fromisoformat(published) < due


def test_postmortems_are_in_time_within_five_business_days(
    year: Year, quarter: Quarter, numbers: dict[Key, Number]
) -> None:
    found = {}
    for line in year.incidents.splitlines()[1:]:
        name, _, _, _, resolved, _, written = line.split(",")
        due = fifth_business_day(resolved) if resolved else None
        if due is not None and written != "not_needed" and due_in_quarter(due):
            found[name] = in_time(written, due)
    assert len(found) > 5
    assert set(found.values()) == {True, False}
    number = numbers["postmortems_on_time", "", "", ""]
    assert (number.k, number.n) == (sum(found.values()), len(found))
    assert (number.low, number.high) == pytest.approx(wilson(sum(found.values()), len(found)))
    sheet = next(one for one in quarter.sheets if one.name == "postmortems")
    assert {row[0]: row[5] for row in sheet.rows} == found


def test_debriefs_are_in_time_within_five_business_days_of_their_plan(
    year: Year, quarter: Quarter, numbers: dict[Key, Number]
) -> None:
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for day in year.days:
        if day["ended"]:
            due = fifth_business_day(day["ended"], day["timezone"], day["holidays"])
            if due_in_quarter(due):
                found[day["environment"]][day["name"]] = in_time(day["published"], due)
    told = {key[1] for key in numbers if key[0] == "debriefs_on_time"}
    assert told == set(found) == {"staging", "prod"}
    for environment, of in found.items():
        number = numbers["debriefs_on_time", environment, "", ""]
        assert (number.k, number.n) == (sum(of.values()), len(of))
        assert (number.low, number.high) == pytest.approx(wilson(sum(of.values()), len(of)))
    sheet = next(one for one in quarter.sheets if one.name == "days")
    assert {row[0]: row[6] for row in sheet.rows} == {**found["staging"], **found["prod"]}


def test_drills_that_days_held_stand_beside_the_imported_ones(
    year: Year, quarter: Quarter, numbers: dict[Key, Number]
) -> None:
    found: dict[str, list[bool]] = defaultdict(list)
    for day in year.days:
        last = day["tries"][-1]
        if FIRST <= last["at"] <= LAST:
            found[day["environment"]].append(last["outcome"] == "pass")
    assert sum(map(len, found.values())) > 5
    for environment, of in found.items():
        number = numbers["restore_success", environment, "", ""]
        assert (number.k, number.n) == (sum(of), len(of))
    sheet = next(one for one in quarter.sheets if one.name == "drills")
    imported = numbers["restore_success", "", "", ""].n
    assert len(sheet.rows) == imported + sum(map(len, found.values()))


def test_alerts_and_restorations_add_up_to_the_valid_runs(year: Year, quarter: Quarter) -> None:
    sheets = {sheet.name: sheet for sheet in quarter.sheets}
    valid = [r for r, _, what in in_quarter(year) if fit(r) and what != "control"]
    alerts = sum(sum(row[i] for i in (4, 5, 6, 8)) for row in sheets["alerts"].rows)  # type: ignore[misc]
    assert alerts == len(valid)
    assert sum(int(row[3] or 0) for row in sheets["restored"].rows) == len(valid)
    assert len(sheets["runs"].rows) == sum(1 for _ in in_quarter(year))
    misses = sum(d.current and not d.seen for d in quarter.dots)
    assert misses == sum(r["alerts"][0]["verdict"] == "missed" for r in valid)


def columns(rows: Iterable[tuple[Any, ...]], place: int) -> list[Any]:
    return [row[place] for row in rows]


def test_the_list_of_what_is_next_has_its_reasons(quarter: Quarter) -> None:
    rows = next(sheet for sheet in quarter.sheets if sheet.name == "next").rows
    points = columns(rows, 4)
    assert points == sorted(points, reverse=True)
    for row in rows:
        told = sum(int(part.rpartition("(+")[2].rstrip(")")) for part in str(row[5]).split("; ")
                   if "(+" in part)  # fmt: skip
        assert told == row[4], "every point has its reason"
