"""`load check`: each journey once against the target, and every answer. Nothing is injected."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gameday.app.check import PlanRequest, load_of, make_plan
from gameday.app.places import needs_toxiproxy
from gameday.errors import GamedayError
from gameday.model.plan import Plan
from gameday.model.scenario import Expect, LoadSpec, RequestStep
from gameday.model.units import format_ms
from gameday.model.verdict import ExitCode
from gameday.secrets import masked

#: Characters of a body that are shown of a good answer, and of a wrong one.
SHORT, OF_A_WRONG_ONE = 100, 400
#: The time for everything, in seconds: at least, at most, and what a locustfile gets.
LEAST_S, MOST_S, OF_A_FILE_S = 10.0, 300.0, 60.0


class Answered(Protocol):
    """What came back to one request; `gameday.adapters.locust.protocol.Answer` is one."""

    @property
    def journey(self) -> str: ...  # noqa: D102
    @property
    def request(self) -> str: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def body(self) -> str: ...  # noqa: D102
    @property
    def ms(self) -> float: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has come so far. `told` counts the answers of each journey."""

    spec: LoadSpec
    told: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    answered: int = 0

    def facts(self, answer: Answered) -> dict[str, Any]:
        """One answer, counted, with its place in its journey; secrets are masked."""
        self.told[answer.journey] += 1
        self.outcomes[answer.outcome] += 1
        self.answered += bool(answer.status)
        number = self.told[answer.journey]
        step = self._step(answer.journey, number)
        return {
            "journey": answer.journey,
            "step": number,
            "name": answer.request,
            "method": answer.method,
            "path": masked(answer.path),
            "status": answer.status or None,
            "ms": round(answer.ms, 1),
            "outcome": answer.outcome,
            "expected": expected(step.expect) if step is not None else None,
            "error": masked(answer.error) or None,
            "body": masked(answer.body),
        }

    def unsent(self) -> Iterator[str]:
        """What was never asked, in words."""
        for journey in self.spec.journeys:
            left = len(journey.steps) - self.told[journey.name]
            if left > 0 and self.told[journey.name]:
                yield f"journey `{journey.name}` ended at its first failed step; {left} not sent"
            elif left > 0:
                yield f"journey `{journey.name}` was not begun: no time was left"

    @property
    def code(self) -> ExitCode:
        """1 if an answer was wrong; 3 if one is missing, or there is none at all."""
        wrong = self.outcomes.total() - self.outcomes["ok"]
        unanswered = self.outcomes.total() - self.answered
        if wrong > unanswered:
            return ExitCode.FAIL
        complete = self.outcomes.total() and not unanswered and not list(self.unsent())
        return ExitCode.PASS if complete else ExitCode.INCONCLUSIVE

    def _step(self, journey: str, number: int) -> RequestStep | None:
        steps = next((j.steps for j in self.spec.journeys if j.name == journey), ())
        return steps[number - 1] if number <= len(steps) else None


def load_check_command(
    request: PlanRequest, *, toxiproxy: str | None, whole: bool, as_json: bool
) -> ExitCode:
    """Send each journey once and print what came back; 1 for a wrong answer, 3 for none."""
    plan = make_plan(request)
    spec = load_of(plan)
    target = plan.environment.targets[spec.target]
    tally = Tally(spec=spec)
    shown = _Json() if as_json else _Text(whole=whole)
    around = sys.stderr if as_json else sys.stdout
    around.write(
        f"{spec.target} at {target.url} (environment {plan.environment.name}): {_what(spec)} once; "
        "nothing is injected\n"
    )
    around.flush()
    _send(plan, spec, toxiproxy, tally, shown)
    around.write("\n")
    for line in tally.unsent():
        around.write(f"{line}\n")
    around.write(_summary(tally, str(target.url)))
    return tally.code


def expected(expect: Expect) -> str:
    """What an answer must look like, in one line."""
    parts = ["a status below 400" if expect.status is None else f"status {expect.status}"]
    if expect.under_ms is not None:
        parts.append(f"under {format_ms(expect.under_ms)}")
    parts += [f"header {name}: {value}" for name, value in expect.headers.items()]
    parts += [f"json {path} = {_as_json(value)}" for path, value in expect.json.items()]
    if expect.text is not None:
        parts.append(f"text {_as_json(expect.text)}")
    return masked(", ".join(parts))


def one_line(text: str, length: int) -> str:
    """The beginning of *text* on one line, with nothing in it that a terminal would obey."""
    short = printable(" ".join(text[: 4 * length].split()))
    cut = len(short) > length or len(text) > 4 * length
    return short[:length] + "…" if cut else short


def printable(text: str) -> str:
    """*text* with everything that a terminal would obey written as an escape."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


class _Json:
    def __call__(self, facts: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        sys.stdout.flush()


class _Text:
    def __init__(self, *, whole: bool) -> None:
        self._whole, self._journey = whole, ""

    def __call__(self, facts: Mapping[str, Any]) -> None:
        lines = []
        if facts["journey"] != self._journey:
            self._journey = facts["journey"]
            lines.append(f"\n{one_line(self._journey, 200) or '(no journey)'}")
        lines += self._lines(facts)
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _lines(self, facts: Mapping[str, Any]) -> Iterator[str]:
        good = facts["outcome"] == "ok"
        what = f"{facts['method']} {facts['path']}"
        named = facts["name"] not in (what, facts["path"])
        name = f" ({one_line(facts['name'], 100)})" if named else ""
        yield (
            f"  {facts['step']}. {one_line(what, 200)}"
            f"{name}: "
            f"{facts['status'] or 'no answer'} after {facts['ms']:.1f} ms, {facts['outcome']}"
        )
        if not good:
            if facts["expected"]:
                yield f"     expected: {one_line(facts['expected'], 300)}"
            if facts["error"]:
                yield f"     but:      {one_line(facts['error'], 300)}"
        if not facts["body"]:
            return
        if self._whole:
            yield from (f"     | {line}" for line in printable(facts["body"]).splitlines())
        else:
            yield f"     body:     {one_line(facts['body'], SHORT if good else OF_A_WRONG_ONE)}"


def _send(
    plan: Plan, spec: LoadSpec, toxiproxy: str | None, tally: Tally, shown: _Json | _Text
) -> None:
    from gameday.adapters.locust.once import once
    from gameday.app.traffic import proxies_open

    url = plan.environment.targets[spec.target].url or ""
    with contextlib.ExitStack() as stack:
        if needs_toxiproxy(plan):
            missing = stack.enter_context(proxies_open(plan, toxiproxy=toxiproxy))
            if missing:
                names = ", ".join(f"`{name}`" for name in missing)
                sys.stderr.write(
                    f"the proxies of {names} are not there yet; a run would create them\n"
                )
        # what is shown must not end the thread that listens to the load
        once(spec, url, limit_s=_limit_s(spec), told=lambda a: _told(shown, tally.facts(a)))


def _told(shown: _Json | _Text, facts: Mapping[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, GamedayError):
        shown(facts)


def _limit_s(spec: LoadSpec) -> float:
    if spec.locustfile is not None:
        return max(OF_A_FILE_S, 2 * spec.timeout_ms / 1000)
    steps = sum(len(journey.steps) for journey in spec.journeys)
    return min(MOST_S, LEAST_S + steps * spec.timeout_ms / 1000)


def _what(spec: LoadSpec) -> str:
    if spec.locustfile is not None:
        return "each task of each user class"
    return "the journey" if len(spec.journeys) == 1 else f"each of {len(spec.journeys)} journeys"


def _summary(tally: Tally, url: str) -> str:
    total, good = tally.outcomes.total(), tally.outcomes["ok"]
    if not total:
        return "no request was sent; nothing was injected\n"
    if not tally.answered:
        return f"nothing answered at {url}: is it up, is the address right? nothing was injected\n"
    bad = ", ".join(f"{n} {name}" for name, n in tally.outcomes.items() if name != "ok")
    said = f", {bad}" if bad else ""
    return f"{total} request{'' if total == 1 else 's'}: {good} ok{said}; nothing was injected\n"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
