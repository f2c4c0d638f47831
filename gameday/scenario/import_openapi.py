"""Journeys from an OpenAPI document (3.0, 3.1, Swagger 2.0). Pure but for the reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gameday.model.secret import SECRET_HEADERS
from gameday.scenario.import_parts import Part, read_document
from gameday.scenario.import_schema import Samples
from gameday.scenario.import_yaml import (
    MAX_STEPS,
    Imported,
    ImportedStep,
    fits,
    one_line,
    tame,
    text_of,
)

READING, CHANGING = ("get", "head"), ("post", "put", "patch", "delete")
_HOLE = re.compile(r"\{([^{}/]+)\}")


def from_openapi(path: Path, *, writes: bool = False, by: str = "tag") -> Imported:
    """One journey for each tag (or first part of the path). Raises `UsageError`."""
    root = read_document(path)
    version = root.child("openapi").text() or root.child("swagger").text()
    if not re.match(r"(3\.[01]|2\.0)(\.|$)", version):
        said = f"has the version `{one_line(version, 20)}`" if version else "names no version"
        root.wrong(f"{said}; OpenAPI 3.0 and 3.1, and Swagger 2.0 can be imported")
    maker = _Maker(root, path, old=version.startswith("2"))
    return maker.imported(READING + CHANGING if writes else READING, by)


class _LeftOutError(Exception):
    """An operation that a step cannot do; `str()` says why."""


class _Maker:
    def __init__(self, root: Part, path: Path, *, old: bool) -> None:
        self.root, self.old = root, old
        self.samples = Samples(root)
        self.base, origin = self._server()
        title = one_line(root.child("info").child("title").text("no title"), 60)
        self.made = Imported(source=f"{path.name} ({title})", origin=origin)

    def imported(self, methods: tuple[str, ...], by: str) -> Imported:
        """All operations of these methods."""
        skipped = 0
        for template, item in self.root.child("paths").items():
            if template.startswith("x-"):
                continue
            if not template.startswith("/"):
                item.wrong("is no path: it must begin with `/`")
            described = item.resolved(self.root)
            for method, operation in described.items():
                if method in methods:
                    self._add(method, template, described, operation, by)
                skipped += method in CHANGING and method not in methods
        if skipped:
            self.made.note(
                f"{skipped} operations that may change something are left out; `--writes`"
            )
        if not self.made.size:
            hint = "; `--writes` takes in those that may change something" if skipped else ""
            self.root.child("paths").wrong(f"has no operation that can be a step{hint}")
        return self.made

    def _add(self, method: str, template: str, item: Part, operation: Part, by: str) -> None:
        if self.made.size >= MAX_STEPS:
            self.made.note(f"only the first {MAX_STEPS} operations are here")
            return
        name = f"{method.upper()} {self.base}{template}"
        try:
            step = self._step(method, template, item, operation)
        except _LeftOutError as why:
            self.made.note(f"{one_line(name, 100)} is left out: {why}")
            return
        self._secure(operation, step)
        self.made.journeys.setdefault(_group(template, operation, by), []).append(step)

    def _step(self, method: str, template: str, item: Part, operation: Part) -> ImportedStep:
        parameters = {
            (one.child("name").text(), one.child("in").text()): one
            for part in (item, operation)
            for one in self._parameters(part)
        }
        step = ImportedStep(
            method=method,
            path=self.base + self._filled(template, parameters),
            name=one_line(text_of(f"{method.upper()} {self.base}{template}")),
            status=_status(operation),
        )
        query = [
            f"{quote(name, safe='')}={self._text(name, one)}"
            for (name, where), one in parameters.items()
            if where == "query" and one.child("required").value is True
        ]
        step.path += f"?{'&'.join(query)}" if query else ""
        for (name, where), one in parameters.items():
            if where == "header" and one.child("required").value is True and is_header(name):
                step.headers[name] = self._header(name, one)
        self._body(operation, parameters, step)
        return step

    def _parameters(self, part: Part) -> Iterator[Part]:
        for one in part.child("parameters").parts():
            yield one.resolved(self.root)

    def _filled(self, template: str, parameters: dict[tuple[str, str], Part]) -> str:
        """The path with a value, or the place of one, for each parameter."""
        made, end = "", 0
        for hole in _HOLE.finditer(template):
            known = parameters.get((hole[1], "path"), Part(value=None, file=self.root.file))
            made += _escaped(template[end : hole.start()]) + self._text(hole[1], known)
            end = hole.end()
        return made + _escaped(template[end:])

    def _text(self, name: str, parameter: Part) -> str:
        """The value of a parameter in a path or a query, or the place of one."""
        value = self._given(parameter)
        if isinstance(value, list) and value and not isinstance(value[0], dict | list):
            value = value[0]
        if value is None or isinstance(value, dict | list) or value == "":
            return f"{{{{ {value_name(name)} }}}}"
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return quote(shown.encode("utf-8", "replace"), safe="")

    def _header(self, name: str, parameter: Part) -> Any:
        if name.strip().lower() in SECRET_HEADERS:
            return {"env": variable(name)}
        value = self._given(parameter)
        if value is None or isinstance(value, dict | list):
            return f"{{{{ {value_name(name)} }}}}"
        return " ".join(text_of(str(value)).split()) or "-"

    def _given(self, parameter: Part) -> Any:
        value = self.samples.given(parameter)
        if value is None:
            value = self.samples.given(parameter.child("schema").resolved(self.root))
        return value

    def _body(
        self, operation: Part, parameters: dict[tuple[str, str], Part], step: ImportedStep
    ) -> None:
        if self.old:
            self._old_body(parameters, step)
            return
        body = operation.child("requestBody").resolved(self.root)
        kinds = dict(body.child("content").items())
        if not kinds:
            return
        kind = next((k for k in kinds if _is_json(k)), None)
        if kind is not None:
            self._json(self._of_body(kinds[kind]), step)
        elif (form := kinds.get("application/x-www-form-urlencoded")) is not None:
            self._form(self._of_body(form), step)
        else:
            kind, content = next(iter(kinds.items()))
            value = self.samples.given(content)
            if not kind.startswith("text/") or not isinstance(value, str) or not value.strip():
                raise _LeftOutError(f"no body of the kind `{one_line(kind, 60)}` can be made")
            step.body, step.headers["Content-Type"] = text_of(value), one_line(kind, 60)

    def _of_body(self, content: Part) -> Any:
        value = self.samples.given(content)
        return self.samples.of(content.child("schema")) if value is None else value

    def _old_body(self, parameters: dict[tuple[str, str], Part], step: ImportedStep) -> None:
        form: dict[str, Any] = {}
        for (name, where), one in parameters.items():
            if where == "body":
                self._json(self.samples.of(one.child("schema")), step)
            elif where == "formData" and one.child("type").value == "file":
                raise _LeftOutError(f"it sends the file `{one_line(name, 60)}`; write it by hand")
            elif where == "formData":
                form[name] = self.samples.of(one)
        if form:
            self._form(form, step)

    def _json(self, value: Any, step: ImportedStep) -> None:
        value = tame({} if value is None else value)
        if not fits(value):
            raise _LeftOutError("its body is too large")
        step.json = value

    def _form(self, value: Any, step: ImportedStep) -> None:
        if not isinstance(value, dict) or not value or not fits(value):
            raise _LeftOutError("its form has no fields that can be told")
        step.form = {
            text_of(name) or "-": text_of(part if isinstance(part, str) else _json_text(part))
            for name, part in value.items()
        }

    def _secure(self, operation: Part, step: ImportedStep) -> None:
        """How the operation authenticates: by a secret whose place is to be filled in."""
        wanted = operation.child("security") or self.root.child("security")
        known = self.root.child("components").child("securitySchemes")
        known = self.root.child("securityDefinitions") if self.old else known
        for choice in wanted.parts():
            for name, _ in choice.items():
                self._scheme(known.child(name).resolved(self.root), name, step)
            return  # the first way is enough

    def _scheme(self, scheme: Part, name: str, step: ImportedStep) -> None:
        kind, place = scheme.child("type").text(), scheme.child("in").text()
        way = scheme.child("scheme").text().lower()
        header = scheme.child("name").text("X-API-Key")
        if kind == "apiKey" and place == "header" and is_header(header):
            step.headers[header] = {"env": variable(name)}
        elif kind == "basic" or way == "basic":
            self.made.auth = {"basic": {"user": "USER", "password": {"env": variable(name)}}}
        elif kind in ("oauth2", "openIdConnect") or way == "bearer":
            self.made.auth = {"bearer": {"env": variable(name)}}
        elif kind:
            self.made.note(f"how `{one_line(name, 60)}` authenticates cannot be written here")

    def _server(self) -> tuple[str, str]:
        """The path that all paths begin with, and the address before it."""
        if self.old:
            base = self.root.child("basePath").text()
            host = self.root.child("host").text()
            scheme = next((one.text() for one in self.root.child("schemes").parts()), "https")
            return _escaped(_below(base)), one_line(f"{scheme}://{host}", 100) if host else ""
        server = next(self.root.child("servers").parts(), None)
        if server is None:
            return "", ""
        url = server.child("url").text()
        for name, one in server.child("variables").items():
            url = url.replace(f"{{{name}}}", one.child("default").text())
        try:
            parts = urlsplit(url)
        except ValueError:
            server.wrong("has a `url` that is none")
        origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
        return _escaped(_below(parts.path)), one_line(origin, 100)


def value_name(name: str) -> str:
    """A name for a value that is called like this elsewhere."""
    made = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:60].strip("_") or "value"
    return made if not made[0].isdigit() else f"_{made}"


def variable(name: str) -> str:
    """A name for the environment variable of a secret."""
    return value_name(name).upper()


def is_header(name: str) -> bool:
    """Whether a header can have this name."""
    return re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) is not None


def _below(path: str) -> str:
    path = path.rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


def _escaped(path: str) -> str:
    """A path without blanks, and without what would be the place of a value."""
    kept = quote(path.encode("utf-8", "replace"), safe="/:@!$&'()*+,;=~%{}-._")
    return kept.replace("{", "%7B").replace("}", "%7D")


def _group(template: str, operation: Part, by: str) -> str:
    tag = next((one.text() for one in operation.child("tags").parts()), "") if by == "tag" else ""
    if not tag:
        tag = next((p for p in template.split("/") if p and not p.startswith("{")), "root")
    name = re.sub(r"[^a-z0-9_.-]+", "-", tag.lower()).strip("-.")[:60]
    return name or "journey"


def _status(operation: Part) -> int | None:
    """The status of a good answer: the first of 2xx, else of 3xx."""
    codes = [code for code, _ in operation.child("responses").items()]
    numbers = sorted(int(code) for code in codes if re.fullmatch("[23][0-9][0-9]", code))
    return numbers[0] if numbers else None


def _is_json(kind: str) -> bool:
    plain = kind.partition(";")[0].strip().lower()
    return plain in ("application/json", "*/*", "application/*") or plain.endswith("+json")


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
