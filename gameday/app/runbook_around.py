"""What the rules about runbooks need to know of the world: files, programs, pages, alerts."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gameday.errors import CannotSeeError
from gameday.model.runbook import AlertLink, Document
from gameday.runbooks.commands import wanted_programs
from gameday.runbooks.links import MARKDOWN, is_local, is_remote, resolved, split

#: At most so many pages are asked for, so many at a time, for so long in all.
MAX_ASKED = 500
AT_ONCE = 8
ASKED_S = 60.0
#: At most so many other files are read for their anchors.
MAX_PAGES = 2_000

_ALERTNAME = re.compile(r"\{\{\s*\$labels\.alertname\s*\}\}")


@dataclass(slots=True, kw_only=True)
class Local:
    """What relative links lead to; `pages` are the anchors of Markdown files that are linked."""

    there: dict[tuple[str, str], str] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)
    pages: dict[str, frozenset[str]] = field(default_factory=dict)


def which(documents: Sequence[Document], allowed: Collection[str]) -> dict[str, bool]:
    """For each program that a runbook runs, whether it is on the PATH or allowed."""
    names = {name for document in documents for name in wanted_programs(document)}
    return {name: name in allowed or shutil.which(name) is not None for name in names}


def local_links(documents: Sequence[Document], root: Path) -> Local:
    """Look at every relative link; one that begins with `/` starts from *root*, or is a site's."""
    from gameday.adapters.runbook_document import load_document

    local = Local()
    known = {document.at for document in documents}
    for document in documents:
        for link in document.links:
            if not is_local(link.target):
                continue
            path, anchor = split(link.target)
            if not path or "\0" in path or (document.at, path) in local.there:
                continue
            found = _find(document, path, root)
            if found is None and path.startswith("/"):
                local.unseen[link.target] = "a path from the top of a site"
                continue
            local.there[document.at, path] = "" if found else "there is no such file"
            if found is None:
                continue
            at, markdown = resolved(document.at, path), found.suffix.lower() in MARKDOWN
            if anchor and markdown and at not in known and len(local.pages) < MAX_PAGES:
                local.pages[at] = load_document(found, path).anchors
    return local


def _find(document: Document, path: str, root: Path) -> Path | None:
    """The file or folder that a link means; sites leave `.md` out."""
    here = (
        Path(root, path.lstrip("/")) if path.startswith("/") else Path(resolved(document.at, path))
    )
    for candidate in (here, here.with_name(here.name + ".md") if here.name else here):
        try:
            if candidate.exists():
                return candidate
        except (OSError, ValueError):
            continue
    return None


def remote_links(
    documents: Sequence[Document], hosts: Collection[str], *, offline: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """What pages elsewhere answered ("" or why they are dead), and why others were not asked."""
    from gameday.adapters.runbook_fetch import NotAllowedError, checked

    remote: dict[str, str] = {}
    unseen: dict[str, str] = {}
    asked: dict[str, list[str]] = {}
    for target in sorted({k.target for d in documents for k in d.links if is_remote(k.target)}):
        try:
            checked(target, hosts)
        except NotAllowedError:
            unseen[target] = "`--offline`" if offline else _not_listed(target)
            continue
        asked.setdefault(target.partition("#")[0], []).append(target)
    for url, (dead, why) in _answers(list(asked), hosts).items():
        for target in asked[url]:
            if why:
                unseen[target] = why
            else:
                remote[target] = dead
    return remote, unseen


def _not_listed(target: str) -> str:
    try:
        host = urlsplit(target).hostname
    except ValueError:
        return "it is no URL"
    return f"`{host}` is not in `runbook_hosts`"


def _answers(urls: Sequence[str], hosts: Collection[str]) -> dict[str, tuple[str, str]]:
    """For each URL why it is dead, and why nobody knows; both empty when it is there."""
    from gameday.adapters.runbook_fetch import fetch

    until = time.monotonic() + ASKED_S

    def ask(url: str) -> tuple[str, str]:
        if time.monotonic() > until:
            return "", f"the {ASKED_S:.0f} s for links were over"
        try:
            page = fetch(url, hosts)
        except CannotSeeError as error:
            return "", str(error)
        if page.status in (404, 410):
            return f"it answered {page.status}", ""
        return "", "" if page.status == 200 else f"it answered {page.status}"

    over = dict.fromkeys(urls[MAX_ASKED:], ("", f"more than {MAX_ASKED} links"))
    first = urls[:MAX_ASKED]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip(first, pool.map(ask, first), strict=True)) | over


def alert_links(
    documents: Sequence[Document],
    directory: Path,
    folders: Sequence[str],
    hosts: Collection[str],
    *,
    prometheus: str | None,
    files: Iterable[tuple[Path, str]],
) -> tuple[AlertLink, ...] | None:
    """The alerts with what they lead to; None when no rules were named. Raises CannotSeeError."""
    from gameday.adapters.runbook_rules import rules_in_file, rules_of_server

    found = [link for path, shown in files for link in rules_in_file(path, shown)]
    named = bool(found)
    if prometheus is not None:
        found += rules_of_server(prometheus)
        named = True
    if not named:
        return None
    distinct = {(a.name, a.runbook, a.file): a for a in reversed(found)}
    refs = sorted({_ref(a) for a in distinct.values() if a.runbook})
    answers = _followed(refs, directory, folders, hosts)
    return tuple(
        _with(alert, answers, documents, directory)
        for alert in found
        if distinct.pop((alert.name, alert.runbook, alert.file), None) is not None
    )


def _ref(alert: AlertLink) -> str:
    return _ALERTNAME.sub(lambda _: alert.name, alert.runbook)


def _followed(
    refs: Sequence[str], directory: Path, folders: Sequence[str], hosts: Collection[str]
) -> dict[str, Any]:
    from gameday.adapters.runbook import RunbookReader

    reader = RunbookReader(directory, list(dict.fromkeys(folders)), hosts)
    until = time.monotonic() + ASKED_S

    def follow(ref: str) -> Any:
        if "{{" in ref:
            return "it is a template"
        if time.monotonic() > until:
            return f"the {ASKED_S:.0f} s for links were over"
        try:
            return reader.read(ref)
        except CannotSeeError as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip(refs, pool.map(follow, refs), strict=True))


def _with(
    alert: AlertLink, answers: dict[str, Any], documents: Sequence[Document], directory: Path
) -> AlertLink:
    """The alert with what its link leads to."""
    if not alert.runbook:
        return alert
    answer = answers[_ref(alert)]
    if isinstance(answer, str):
        return replace(alert, unseen=answer)
    if not answer["resolved"]:
        return replace(alert, dead=answer["problems"][0])
    if answer["how"] == "url":
        return replace(alert, leads_to=_same_name(_ref(alert), documents))
    at = Path(directory, answer["where"]).resolve()
    same = (d.at for d in documents if Path(d.at).resolve() == at)
    return replace(alert, leads_to=next(same, at.as_posix()))


def _same_name(url: str, documents: Sequence[Document]) -> str:
    """The file that is called like the last part of a link: what is published from it."""
    name = Path(urlsplit(url).path.rstrip("/")).stem.lower()
    return next((d.at for d in documents if Path(d.at).stem.lower() == name), "")
