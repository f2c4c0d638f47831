"""Journeys written out as a Locust file that does the same, with gameday and without.

Pure: text from values. `eject_text` has the parts that are always the same.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any

import gameday
from gameday.adapters.locust import eject_text as parts
from gameday.adapters.locust.eject_python import Code, assigned, call, text_literal
from gameday.errors import UsageError
from gameday.model.scenario import (
    Auth,
    Capture,
    Expect,
    Feeder,
    Journey,
    LoadSpec,
    RequestStep,
    Upload,
)
from gameday.model.secret import SECRET_HEADERS, SecretRef
from gameday.model.template import names_in, names_of

#: What is written out, or stays in the scenario. Anything else that is set is refused by name.
KNOWN: dict[type[Any], frozenset[str]] = {
    LoadSpec: frozenset(
        {"target", "arrivals_per_s", "shape", "spread", "breakpoint", "users", "think_ms"}
        | {"timeout_ms", "journeys", "locustfile", "classes", "data", "auth"}
        | {"processes", "workers"}
    ),
    Journey: frozenset({"name", "steps", "weight", "think_ms"}),
    RequestStep: frozenset(
        {"method", "path", "name", "json", "body", "form", "files", "headers", "expect", "capture"}
    ),
    Expect: frozenset({"status", "under_ms", "headers", "json", "text"}),
    Capture: frozenset({"json", "header", "regex"}),
    Feeder: frozenset({"csv", "column", "pick", "values"}),
    Auth: frozenset({"bearer", "user", "password"}),
    Upload: frozenset({"path", "content"}),
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the file is made from: names for its first lines, how to find the project, the seed.

    `up` is how many folders the project's folder is above the file; `args` is the load, shortened.
    """

    scenario: str
    file: str
    up: int = 0
    seed: int = 0
    arrivals: str = ""


def eject(spec: LoadSpec, origin: Origin) -> str:
    """The Locust file of *spec*. Raises `UsageError` naming what cannot be written as one."""
    _refuse_unknown(spec)
    _refuse_unequal(spec)
    _refuse_secrets(spec)
    maker = _Maker(spec, origin)
    top = "\n".join([maker.head(), maker.imports(), *maker.constants()])
    blocks = [top, *maker.before(), maker.visitor(), *maker.journeys(), *maker.below()]
    return "\n\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _refuse_unknown(spec: LoadSpec) -> None:
    """Whatever else a load may have some day is not dropped silently."""
    if spec.locustfile is not None:
        raise UsageError(f"the load of this scenario is a Locust file already: `{spec.locustfile}`")
    for where, value in _values(spec):
        for one in fields(value):
            if one.name in KNOWN[type(value)] or getattr(value, one.name) == _default(one):
                continue
            raise UsageError(
                f"`{one.name}` of {where} cannot be written as a Locust file; remove it, or keep "
                "the journeys in the scenario"
            )


def _refuse_unequal(spec: LoadSpec) -> None:
    """What would come out as something else."""
    if spec.users is not None and len(spec.journeys) > 1:
        raise UsageError(
            "`users` with several journeys cannot be written as a Locust file: here each user does "
            "the journeys in turn, there each has one of them; use `arrivals`, or one journey"
        )
    shared = spec.processes != 1 or spec.workers
    for name, feeder in spec.data.items():
        if shared and feeder.pick == "unique":
            raise UsageError(
                f"`pick: unique` of `{name}` cannot be written as a Locust file for several "
                "processes: each would begin with the first row; use one process"
            )


def _refuse_secrets(spec: LoadSpec) -> None:
    """A secret must not get into another file."""
    for where, step in _steps(spec):
        for header, value in step.headers.items():
            plain = isinstance(value, str) and not any(names_in(value))
            if plain and header.strip().lower() in SECRET_HEADERS:
                raise UsageError(
                    f"the header `{header}` of {where} is a secret that stands in the scenario; "
                    "write where it is, such as `{env: TOKEN}`: it must not get into another file"
                )


def _values(spec: LoadSpec) -> Iterator[tuple[str, Any]]:
    """Everything that is written out, with how it is called."""
    yield "`load`", spec
    for name, feeder in spec.data.items():
        yield f"`data` `{name}`", feeder
    if spec.auth is not None:
        yield "`auth`", spec.auth
    for journey in spec.journeys:
        yield f"the journey `{journey.name}`", journey
    for where, step in _steps(spec):
        yield where, step
        yield f"`expect` of {where}", step.expect
        for captured in step.capture.values():
            yield f"`capture` of {where}", captured
        for upload in step.files.values():
            yield f"`files` of {where}", upload


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _steps(spec: LoadSpec) -> Iterator[tuple[str, RequestStep]]:
    for journey in spec.journeys:
        for number, step in enumerate(journey.steps, 1):
            yield f"step {number} of `{journey.name}`", step


class _Maker:
    """Writes the parts of one file. The flags say which of them are needed."""

    def __init__(self, spec: LoadSpec, origin: Origin) -> None:
        self.spec, self.origin = spec, origin
        steps = [step for _, step in _steps(spec)]
        captures = [one for step in steps for one in step.capture.values()]
        self.files = any(step.files for step in steps)
        self.under = any(step.expect.under_ms is not None for step in steps)
        self.json = any(step.expect.json for step in steps) or any(
            one.json is not None for one in captures
        )
        self.think = any(any(journey.think_ms) for journey in spec.journeys)
        secrets = [value for step in steps for value in step.headers.values()]
        if spec.auth is not None:
            secrets += [spec.auth.bearer or "", spec.auth.password or ""]
        refs = [value for value in secrets if isinstance(value, SecretRef)]
        self.secret_files = any(ref.file for ref in refs)
        self.env = any(ref.env for ref in refs)
        self.basic = spec.auth is not None and spec.auth.bearer is None
        self.project = bool(spec.data) or self.files or self.secret_files

    def head(self) -> str:
        """What the file is, and what it is not."""
        origin = self.origin
        lines = [
            f'"""The load of the scenario `{origin.scenario}`, as a Locust file.',
            "",
            f"Written by `gameday load eject` of gameday {gameday.__version__} from",
            f"{_said(origin.file)}. To use it there, write `locustfile: …` instead of",
            "`journeys`, `data` and `auth`; each class is a journey, and keeps its name.",
            "Visitors keep their cookies for later visits, each journey its own visitors.",
            "Plain Locust runs it too:",
            "",
            "    locust -f FILE --headless --users 10 --run-time 1m --host http://…",
            "",
            "What gameday adds, and plain Locust does not have:",
            f"- {_said(origin.arrivals)}: plain Locust has users, who",
            "  wait for a slow service and ask less of it;",
            "- latency from the moment at which a request was due, exact percentiles, and",
            "  outcomes told apart;",
            "- a limit on each request as a whole, also where an answer drips; none is sent",
            "  again when the connection breaks;",
            "- exact shares of the journeys, and what is marked while a fault goes in or out.",
        ]
        if self.project:
            lines += [
                "",
                "Data, files and secrets are looked for in the folder of `gameday.yaml`,",
                "see `PROJECT`.",
            ]
        return "\n".join([*lines, '"""', ""])

    def imports(self) -> str:
        """Only what is used."""
        wanted = {
            "base64": self.basic, "csv": bool(self.spec.data), "json": True,
            "mimetypes": self.files, "os": self.env,
            "random": bool(self.spec.data) or self.think, "re": True, "uuid": self.files,
        }  # fmt: skip
        lines = [f"import {name}" for name, needed in wanted.items() if needed]
        lines += ["from pathlib import Path"] if self.project else []
        lines += ["from urllib.parse import quote, urlencode", ""]
        lines += ["import gevent"] if self.think else []
        if self.json:
            lines += ["import jmespath", "from jmespath.exceptions import JMESPathError"]
        lines += [
            "from locust import FastHttpUser, constant, task",
            "from locust.exception import RescheduleTask",
            "",
        ]
        return "\n".join(lines)

    def constants(self) -> Iterator[str]:
        """Where things are, and what is random."""
        if self.project:
            up = f".parents[{self.origin.up}]"
            yield f"PROJECT = Path(__file__).resolve(){up}  # the folder of gameday.yaml"
        if self.spec.data or self.think:
            yield f"SEED = {self.origin.seed}"
        if self.think:
            yield "PAUSES = random.Random(SEED)"
        if self.spec.data:
            data = {
                name: {"csv": one.csv, "column": one.column, "pick": one.pick}
                for name, one in self.spec.data.items()
            }
            yield assigned("DATA", data)

    def before(self) -> Iterator[str]:
        """What is needed when the file is read."""
        if self.secret_files:
            yield parts.FIRST_LINE
        if self.spec.auth is not None:
            yield "\n".join(self._authorization(self.spec.auth))
        if self.spec.data:
            yield parts.ROWS

    def below(self) -> Iterator[str]:
        """What the visitors call."""
        yield parts.VALUES
        if self.json:
            yield parts.JSON_HELPERS
        yield parts.TAKE_HEAD + (parts.TAKE_JSON if self.json else "") + parts.TAKE_REST
        if self.files:
            yield parts.MULTIPART

    def journeys(self) -> Iterator[str]:
        """A class for each."""
        names = _class_names(self.spec)
        for journey in self.spec.journeys:
            name = names[journey.name]
            yield self._journey(journey, name)
            if name != journey.name:
                yield assigned(f"{name}.__name__", journey.name)

    def _authorization(self, auth: Auth) -> Iterator[str]:
        if auth.bearer is not None:
            yield assigned("AUTHORIZATION", _secret(auth.bearer, "Bearer "))
            return
        yield assigned("PAIR", _secret(auth.password or "", f"{auth.user}:"))
        yield 'AUTHORIZATION = "Basic " + base64.b64encode(PAIR.encode()).decode()'

    def visitor(self) -> str:
        """The class that all journeys share."""
        data = bool(self.spec.data)
        filled_in = {
            "TIMEOUT": f"{self.spec.timeout_ms / 1000}",
            "AGENT": text_literal(f"gameday/{gameday.__version__}"),
            "WAIT": self._wait(),
            "NAMES_ARG": ", *names" if data else "",
            "BEGIN": parts.BEGIN_DATA if data else parts.BEGIN,
            "FILES_ARG": "        files=None,\n" if self.files else "",
            "AUTH_USE": parts.AUTH_USE if self.spec.auth else "",
            "FILES_USE": parts.FILES_USE if self.files else "",
            "UNDER_USE": parts.UNDER_USE if self.under else "",
            "JSON_USE": parts.JSON_USE if self.json else "",
            "THINK": (parts.LATE if self.under else "") + (parts.THINK if self.think else ""),
        }
        return re.sub(r"@([A-Z_]+)@", lambda found: filled_in[found[1]], parts.VISITOR)

    def _wait(self) -> str:
        if self.spec.users is not None:
            return f"    wait_time = constant({self.spec.think_ms / 1000})"
        return "    wait_time = constant(1)  # plain Locust's; in gameday visitors arrive"

    def _journey(self, journey: Journey, name: str) -> str:
        used = frozenset[str]().union(*(names_of(step) for step in journey.steps))
        lines = [
            f"class {name}(Visitor):",
            f'    """Journey `{_said(journey.name)}`."""',
            "",
            f"    weight = {journey.weight}",
            "",
            "    @task",
            "    def visit(self):",
            call("self.begin", [one for one in self.spec.data if one in used], {}, indent=8),
        ]
        for position, step in enumerate(journey.steps):
            if position and any(journey.think_ms):
                pause = ", ".join(str(ms / 1000) for ms in journey.think_ms)
                lines.append(f"        self.think({pause})")
            lines.append(call("self.step", [step.method, step.path], _step(step), indent=8))
        return "\n".join(lines)


def _step(step: RequestStep) -> dict[str, Any]:
    """The arguments of a step, without those that say nothing."""
    given: dict[str, Any] = {
        "name": step.name,
        "headers": {name: _secret(value) for name, value in step.headers.items()},
        "json": step.json,
        "body": step.body,
        "form": dict(step.form),
        "files": {name: one.path for name, one in step.files.items()},
        "expect": _given(
            status=step.expect.status,
            under_ms=step.expect.under_ms,
            header=dict(step.expect.headers),
            json=dict(step.expect.json),
            text=step.expect.text,
        ),
        "capture": {
            name: _given(json=one.json, header=one.header, regex=one.regex)
            for name, one in step.capture.items()
        },
    }
    empty = ("headers", "form", "files", "expect", "capture")
    return {k: v for k, v in given.items() if v is not None and (v or k not in empty)}


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != {}}


def _secret(value: SecretRef | str, prefix: str = "") -> str | Code:
    """Where a secret is read; never the secret."""
    if isinstance(value, str):
        return f"{prefix}{value}"
    prefix += value.prefix
    name = value.env or value.file or ""
    if _PLAIN.fullmatch(name) and prefix:
        where = f"os.environ['{name}']" if value.env else f"first_line_of('{name}')"
        head = text_literal(prefix.replace("{", "{{").replace("}", "}}"))
        return Code(f"f{head[:-1]}{{{where}}}{head[-1]}") if head[0] == '"' else Code(
            f"{text_literal(prefix)} + {where}"
        )  # fmt: skip
    where = (
        f"os.environ[{text_literal(name)}]" if value.env else f"first_line_of({text_literal(name)})"
    )
    return Code(f"{text_literal(prefix)} + {where}" if prefix else where)


def _class_names(spec: LoadSpec) -> dict[str, str]:
    """A name for the class of each journey: its own, where Python allows it."""
    names: dict[str, str] = {}
    taken = _names_in_the_file()
    for journey in spec.journeys:
        name = re.sub(r"[^A-Za-z0-9_]", "_", journey.name)
        if not name[:1].isalpha() or keyword.iskeyword(name):
            name = f"journey_{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        names[journey.name] = name
    return names


def _names_in_the_file() -> set[str]:
    """All words of the file's own parts: no class may be called like one of them."""
    texts = [value for name, value in vars(parts).items() if name.isupper()]
    own = "AUTHORIZATION DATA PAIR PAUSES Path csv gevent task"
    return set(_WORD.findall(" ".join([*texts, own])))


def _said(text: str) -> str:
    """Text for a docstring."""
    kept = "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)
    return " ".join(kept.split())
