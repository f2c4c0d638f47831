"""From the documents of alert sources over HTTP to the values of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.model.secret import SecretRef
from gameday.model.source_presets import PRESETS, Preset
from gameday.model.sources import (
    FIELDS,
    RULE_FIELDS,
    TAKEN_NAMES,
    WINDOW,
    SourceAuth,
    SourcePaging,
    SourceRequest,
    SourceSpec,
)
from gameday.model.template import malformed_in, names_in
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.secret_rules import in_file, secret_ref, unclear
from gameday.scenario.source_docs import (
    HttpSourceDoc,
    SourceAuthDoc,
    SourceMapDoc,
    SourcePagingDoc,
    SourceRequestDoc,
    SourceRuleMapDoc,
)
from gameday.scenario.suggest import did_you_mean

#: Keys of the document that have the same name and meaning in the model.
_SAME = (
    "rows", "states", "name_pattern", "rules", "problem", "zone", "keeps",
)  # fmt: skip
_TIMES = ("every", "lookback", "delay", "error")


def source_of(name: str, doc: HttpSourceDoc) -> SourceSpec:
    """The source: its preset, and over that what is written."""
    preset = PRESETS.get(doc.preset or "")
    base = preset.spec if preset is not None else SourceSpec(name=name, url="")
    given: dict[str, Any] = {key: v for key in _SAME if (v := getattr(doc, key))}
    if doc.delivered is not None:
        given["delivered"] = doc.delivered
    given |= {f"{key}_ms": v for key in _TIMES if (v := getattr(doc, key)) is not None}
    given["map"] = {**base.map, **_mapped(doc.map, FIELDS)}
    given["rule_map"] = {**base.rule_map, **_mapped(doc.rule_map, RULE_FIELDS)}
    if doc.request is not None:
        given["request"] = _request(doc.request, base.request)
    if doc.paging is not None:
        given["paging"] = _paging(doc.paging)
    usual = {k: v for k, v in preset.options.items() if v is not None} if preset else {}
    return replace(
        base,
        name=name,
        preset=doc.preset or "",
        url=doc.url or base.url,
        auth=_auth(doc.auth),
        options={**usual, **doc.options},
        **given,
    )


def wrong_source(name: str, doc: HttpSourceDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    """What is wrong with one source."""
    spec, preset = source_of(name, doc), PRESETS.get(doc.preset or "")
    if name in TAKEN_NAMES:
        yield marks.problem(
            "alerting/name",
            path,
            f"`{name}` is the name of another source of gameday",
            "give it another name",
            key=True,
        )
    yield from _missing(spec, doc, path, marks)
    yield from _wrong_auth(doc.auth, (*path, "auth"), marks)
    if preset is not None:
        yield from _preset_needs(spec, preset, path, marks)
    yield from _wrong_paging(doc.paging, (*path, "paging"), marks)
    request = spec.request
    yield from _holes(
        [request.path, *_texts(request.query.values()), *request.headers.values(), request.body],
        {*WINDOW, *spec.options},
        path,
        marks,
    )


def _missing(
    spec: SourceSpec, doc: HttpSourceDoc, path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    hints = {
        "url": 'write `url: "https://…"`',
        "rows": "write where the alerts are, such as `rows: data[]`",
        "name": "write `map: {name: …, started: …}`, or name a `preset`",
    }
    there = {"url": spec.url, "rows": spec.rows, "name": spec.map.get("name")}
    for part in (part for part, value in there.items() if not value):
        yield marks.problem(
            "alerting/incomplete",
            path,
            f"the source `{spec.name}` has no `{'map.name' if part == 'name' else part}`",
            hints[part],
            key=True,
        )
    if "state" in spec.map and not spec.states:
        yield marks.problem(
            "alerting/incomplete",
            (*path, "map", "state"),
            f"the source `{spec.name}` maps a `state`, and has no `states`",
            "write `states: {open: firing, closed: ended}`, with its own words",
            key=True,
        )
    if spec.keeps == "changes" and not {"state", "started", "id"} <= set(spec.map):
        yield marks.problem(
            "alerting/incomplete",
            (*path, "keeps") if doc.keeps else path,
            "changes of states need `id`, `state` and `started` in `map`",
            "add them",
            key=True,
        )
    if doc.request is not None and doc.request.get is not None and doc.request.post is not None:
        yield marks.problem(
            "alerting/incomplete",
            (*path, "request", "post"),
            "this request has `get` and `post`",
            "keep one",
            key=True,
        )


def _wrong_auth(doc: SourceAuthDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    given = [way for way in ("bearer", "basic", "aws") if getattr(doc, way) is not None]
    if len(given) > 1:
        yield marks.problem(
            "alerting/auth",
            (*path, given[1]),
            f"`auth` has {' and '.join(f'`{way}`' for way in given)}",
            "keep one of `bearer`, `basic` and `aws`",
            key=True,
        )
    yield from unclear(doc.bearer, (*path, "bearer"), marks)
    if doc.basic is not None:
        yield from unclear(doc.basic.password, (*path, "basic", "password"), marks)
    for part in ("access_key", "secret_key", "session_token"):
        value = getattr(doc.aws, part, None)
        yield from unclear(value, (*path, "aws", part), marks)
    for name, value in doc.headers.items():
        at = (*path, "headers", name)
        yield from unclear(value, at, marks)
        if isinstance(value, str):
            yield in_file(name, value, at, marks)


def _preset_needs(
    spec: SourceSpec, preset: Preset, path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    auth = spec.auth
    there = {name.lower() for name in auth.headers}
    if auth.bearer is not None or auth.password is not None:
        there.add("authorization")
    if auth.access_key is not None:
        there.add("aws")
    for need in (need for need in preset.needs if need.lower() not in there):
        aws = "aws: {access_key: {env: AWS_ACCESS_KEY_ID}, …}"
        how = aws if need == "aws" else f"headers: {{{need}: {{env: MY_KEY}}}}"
        yield marks.problem(
            "alerting/auth",
            path,
            f"{preset.title} wants `{need}` to authenticate",
            f"add `auth: {{{how}}}`; its page in docs/sources says how",
            key=True,
        )
    for name in (n for n, usual in preset.options.items() if usual is None):
        if name not in spec.options:
            yield marks.problem(
                "alerting/incomplete",
                path,
                f"{preset.title} needs the option `{name}`",
                f"add `options: {{{name}: …}}`",
                key=True,
            )


def _wrong_paging(doc: SourcePagingDoc | None, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if doc is None:
        return
    needs = {
        "next": ("read",), "cursor": ("read", "param"), "offset": ("param",), "page": ("param",),
    }  # fmt: skip
    for part in needs.get(doc.kind, ()):
        if not getattr(doc, part):
            yield marks.problem(
                "alerting/incomplete",
                (*path, "kind"),
                f"paging by `{doc.kind}` needs `{part}`",
                "add it",
            )


def _holes(values: Any, known: Iterable[str], path: Path, marks: Marks) -> Iterator[Diagnostic]:
    names = sorted(known)
    for name in dict.fromkeys(names_in(values)):
        if name not in names:
            yield marks.problem(
                "alerting/value",
                path,
                f"nothing gives `{{{{ {name} }}}}` in the request a value",
                did_you_mean(name, names),
                key=True,
            )
    for text in malformed_in(values):
        yield marks.problem(
            "alerting/value", path, f"`{text}` is not the place of a value", key=True
        )


def _mapped(doc: SourceMapDoc | SourceRuleMapDoc, names: Iterable[str]) -> dict[str, str]:
    return {name: value for name in names if (value := getattr(doc, name)) is not None}


def _texts(values: Iterable[Any]) -> list[Any]:
    return [list(value) if isinstance(value, tuple) else value for value in values]


def _auth(doc: SourceAuthDoc) -> SourceAuth:
    basic, aws = doc.basic, doc.aws
    return SourceAuth(
        bearer=_ref(doc.bearer),
        user=basic.user if basic else None,
        password=_ref(basic.password) if basic else None,
        headers={
            name: secret_ref(value) if isinstance(value, SecretDoc) else value
            for name, value in doc.headers.items()
        },
        access_key=_ref(aws.access_key) if aws else None,
        secret_key=_ref(aws.secret_key) if aws else None,
        session_token=_ref(aws.session_token) if aws else None,
    )


def _ref(doc: SecretDoc | None) -> SecretRef | None:
    return None if doc is None else secret_ref(doc)


def _request(doc: SourceRequestDoc, base: SourceRequest) -> SourceRequest:
    """What is written goes over the preset's request; its queries and headers are added to it."""
    method, path = base.method, base.path
    if doc.get is not None:
        method, path = "GET", doc.get
    elif doc.post is not None:
        method, path = "POST", doc.post
    query = {k: tuple(v) if isinstance(v, list) else v for k, v in doc.query.items()}
    return SourceRequest(
        method=method,
        path=path if path.startswith("/") or not path else f"/{path}",
        query={**base.query, **query},
        headers={**base.headers, **doc.headers},
        body=base.body if doc.json is None else doc.json,
    )


def _paging(doc: SourcePagingDoc) -> SourcePaging:
    return SourcePaging(
        kind=doc.kind,
        read=doc.read,
        param=doc.param,
        in_body=doc.in_body,
        size=doc.size,
        first=doc.first,
        more=doc.more,
    )
