"""The users: generated from journeys, or read from a locustfile."""

from __future__ import annotations

import hashlib
import os
import random
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from locust import events
from locust.contrib.fasthttp import FastHttpUser
from locust.user.users import HttpUser, User
from locust.util.load_locustfile import load_locustfile

import gameday
from gameday.adapters.locust.agent_feeds import Feeds, OutOfDataError
from gameday.adapters.locust.agent_steps import Prepared
from gameday.adapters.locust.hosts import FILE_VAR
from gameday.adapters.locust.pacing import Turns
from gameday.model.scenario import Journey, LoadSpec
from gameday.model.template import names_of

#: The class of all generated users, which is also their lane.
VISITOR = "Visitor"


class UserCodeError(Exception):
    """The locustfile cannot be used; `str()` is a sentence for its author."""


def generated(
    spec: LoadSpec,
    feeds: Feeds,
    rng: random.Random,
    cannot: Callable[[BaseException], None],
    shared: Mapping[str, Any],
) -> list[type[User]]:
    """One user class that serves any of the journeys, so that shares are exact.

    An arrival says which journey it is for; a closed user takes turns by weight. A journey ends at
    its first failed step, as a visitor would. Redirects are not followed: one step, one request.
    Pauses are drawn from *rng*; when the load ends, nobody thinks on. *cannot* is told when there
    is no data for a visit. All visits have the *shared* values.
    """
    journeys = [
        (j, [Prepared(step, spec.auth) for step in j.steps], drawn_by(j, spec.data))
        for j in spec.journeys
    ]
    turns = Turns([j.weight for j in spec.journeys])

    def visit(user: Any) -> None:
        current = user.gameday_visit
        which = turns.next() if current.arrival is None else current.arrival.journey
        journey, steps, names = journeys[which]
        current.journey = journey.name
        values = dict(shared)
        try:
            rows = None if current.arrival is None else current.arrival.rows
            values.update(feeds.draw(names, rows))
        except OutOfDataError as error:
            cannot(UserCodeError(str(error)))
            return
        for position, step in enumerate(steps):
            if position and any(journey.think_ms):
                pause_ms = rng.uniform(*journey.think_ms)
                if current.leaving.wait(pause_ms / 1000):
                    return
            user.client.request(**step.arguments(values))
            if current.failed:
                return
            values.update(current.entry.captured)

    def wait(_: Any) -> float:
        return spec.think_ms / 1000

    def on_start(user: Any) -> None:
        user.client.client.redirect_response_codes = frozenset()

    agent = f"gameday/{gameday.__version__}"
    body = {
        "tasks": [visit],
        "wait_time": wait,
        "on_start": on_start,
        "default_headers": {"User-Agent": agent},
    }
    meta: Any = type(FastHttpUser)
    return [meta(VISITOR, (FastHttpUser,), body)]


def drawn_by(journey: Journey, data: Collection[str]) -> list[str]:
    """The values of *data* that a visit needs, in a fixed order."""
    used = frozenset[str]().union(*(names_of(step) for step in journey.steps))
    return [name for name in data if name in used]


def labels(spec: LoadSpec, classes: list[type[User]]) -> list[tuple[str, str]]:
    """Journey and request name of an arrival that waits or was never served."""
    if spec.locustfile:
        return [(cls.__name__, "(not begun)") for cls in classes]
    return [(journey.name, _first(journey)) for journey in spec.journeys]


def with_own_file(spec: LoadSpec, sha256: str) -> LoadSpec:
    """The specification with this host's own copy of the locustfile, if it is another host.

    Raises UserCodeError where there is none, or another one.
    """
    own = os.environ.get(FILE_VAR)
    if own is None or spec.locustfile is None:
        return spec
    name = Path(spec.locustfile).name
    if not own:
        raise UserCodeError(
            f"this load needs the locustfile `{name}`, and the worker was started without one: "
            "start it with `--locustfile` and a copy of the file"
        )
    if not Path(own).is_file():
        raise UserCodeError(f"there is no locustfile `{own}`")
    if hashlib.sha256(Path(own).read_bytes()).hexdigest() != sha256:
        raise UserCodeError(
            f"the locustfile `{own}` is not the `{name}` of the run: copy the file to this host"
        )
    return replace(spec, locustfile=str(Path(own).resolve()))


def from_file(path: str, wanted: tuple[str, ...]) -> list[type[User]]:
    """The user classes of a locustfile, or those of them that are *wanted*, by name."""
    if not Path(path).is_file():
        raise UserCodeError(f"there is no locustfile `{path}`")
    sys.path.insert(0, str(Path(path).parent))
    try:
        found: Mapping[str, type[User]] = load_locustfile(path)[0]
    except SyntaxError as error:
        where = f"{error.filename or path}:{error.lineno or 1}"
        raise UserCodeError(f"{where}: syntax error: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise UserCodeError(blame(error, path)) from error
    names = sorted(found)
    if not names:
        raise UserCodeError(f"`{path}` has no user class; write one, a subclass of `HttpUser`")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UserCodeError(f"`{path}` has no class `{missing[0]}`; it has {', '.join(names)}")
    classes = [found[name] for name in (wanted or names)]
    classes = [cls for cls in classes if cls.weight > 0 or cls.fixed_count > 0]
    if not classes:
        raise UserCodeError(f"every user class in `{path}` has weight 0")
    if idle := [c.__name__ for c in classes if not c.tasks and not hasattr(c, "functions")]:
        raise UserCodeError(f"class `{idle[0]}` in `{path}` has no task; mark one with `@task`")
    return classes


def blame(error: BaseException, path: str) -> str:
    """`file:line: what happened`, at the innermost line of the user's own file."""
    line = next(
        (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__))
         if f.filename == path),
        None,
    )  # fmt: skip
    where = path if line is None else f"{path}:{line}"
    hint = ""
    if isinstance(error, FileNotFoundError):
        hint = "; the load runs in a directory of its own, so open files next to `__file__`"
    return f"{where}: {type(error).__name__}: {error}{hint}"


def is_http(cls: type[User]) -> bool:
    """Whether a class uses one of the two clients whose requests are seen while under way."""
    return issubclass(cls, HttpUser | FastHttpUser)


def all_events() -> Any:
    """Locust's global events, to which locustfiles attach their listeners."""
    return events


def _first(journey: Journey) -> str:
    return journey.steps[0].name if journey.steps else ""
