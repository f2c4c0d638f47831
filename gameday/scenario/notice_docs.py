"""The part of the project file about notices, and what can be wrong in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from typing import Annotated

from gameday.model.diagnostics import Diagnostic
from gameday.model.notices import DETAILS, NoticeMoment, NoticeSpec
from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.secret_rules import secret_ref, unclear
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import Either, about, document

Text = Annotated[str, f.TEXT]
Name = Annotated[str, f.NAME]


@document
class NoticeDoc:
    """An address that is told when exercises begin, are stopped, are dirty, and are over."""

    url: Annotated[
        str | SecretDoc,
        Either(SecretDoc, c.AS_WRITTEN, schema=False),
        about("where the Apprise URL of the address is; it holds tokens"),
    ]
    environments: Annotated[list[Name], about("it is told of runs in these environments only")]
    at: Annotated[
        list[Annotated[str, f.choice(tuple(NoticeMoment))]],
        about("when: `start`, `stop`, `dirty` and `clear`; all of them unless given"),
    ] = field(default_factory=lambda: [one.value for one in NoticeMoment])
    detail: Annotated[
        str,
        f.choice(DETAILS),
        about("`brief` says neither scenario nor faults, so that nobody learns of them; or `full`"),
    ] = "brief"


def notices_of(
    docs: Mapping[str, NoticeDoc], environments: Collection[str], marks: Marks
) -> tuple[tuple[NoticeSpec, ...], list[Diagnostic]]:
    """The values, and what is wrong."""
    found: list[Diagnostic] = []
    specs = []
    for name, doc in docs.items():
        path: Path = ("notices", name)
        found.extend(_wrong_notice(name, doc, environments, path, marks))
        if isinstance(doc.url, SecretDoc):
            specs.append(
                NoticeSpec(
                    name=name,
                    url=secret_ref(doc.url),
                    environments=tuple(dict.fromkeys(doc.environments)),
                    at=tuple(dict.fromkeys(doc.at)),
                    detail=doc.detail,
                )
            )
    return tuple(specs), found


def _wrong_notice(
    name: str, doc: NoticeDoc, environments: Collection[str], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    if isinstance(doc.url, str):
        yield _in_the_open(name, doc.url, (*path, "url"), marks)
    else:
        yield from unclear(doc.url, (*path, "url"), marks)
    for part in ("environments", "at"):
        if not getattr(doc, part):
            yield marks.problem(
                "value/empty",
                (*path, part),
                f"`{part}` is empty, so that `{name}` is never told",
                "name one, or remove the notice",
            )
    for position, one in enumerate(doc.environments):
        if one not in environments:
            yield marks.problem(
                "notice/environment",
                (*path, "environments", position),
                f"there is no environment `{one}`",
                did_you_mean(one, environments, what="the environments are"),
            )


def _in_the_open(name: str, value: str, path: Path, marks: Marks) -> Diagnostic:
    """The error about an address that everybody can read. It does not show it."""
    variable = re.sub(r"[^A-Z0-9]", "_", f"GAMEDAY_NOTICE_{name.upper()}")
    found = marks.problem(
        "notice/url",
        path,
        f"the address of `{name}` stands in the file, and such addresses hold tokens",
        f"write `url: {{env: {variable}}}`, and put the address there",
        key=True,
    )
    return replace(found, source_line=found.source_line.replace(value, "***") if value else "")
