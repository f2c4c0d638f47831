"""Rules about links: to files, to anchors, to pages elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from urllib.parse import unquote

from gameday.model.runbook import Around, Document, Finding, Link
from gameday.runbooks.rules import found

MARKDOWN = (".md", ".markdown")

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
_TEMPLATE = re.compile(r"\{\{|\{%|<[^>]+>|\$\{")
_LINES = re.compile(r"L\d+(?:-L?\d+)?|:~:.*")


def link_rules(
    document: Document, around: Around, pages: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    """For each link. *pages* has the anchors of Markdown files by their absolute path."""
    unseen: dict[str, list[Link]] = {}
    for link in document.links:
        if link.target in around.unseen:
            unseen.setdefault(around.unseen[link.target], []).append(link)
        elif is_remote(link.target):
            yield from _remote(document, link, around.remote.get(link.target, ""))
        elif is_local(link.target):
            yield from _local(document, link, around, pages)
    for why, links in unseen.items():
        more = f" and {len(links) - 1} more" if len(links) > 1 else ""
        yield found(
            "link/unseen",
            document,
            links[0].line,
            f"`{_shown(links[0].target)}`{more} not looked at: {why}",
            column=links[0].column,
        )


def is_remote(target: str) -> bool:
    """Whether a link leads to a page that could be asked for."""
    return target.lower().startswith(("http://", "https://")) and not _TEMPLATE.search(target)


def is_local(target: str) -> bool:
    """Whether a link leads to a file or an anchor here, and says which."""
    return not _SCHEME.match(target) and not _TEMPLATE.search(unquote(target))


def split(target: str) -> tuple[str, str]:
    """The path and the anchor of a local link."""
    path, _, anchor = target.partition("#")
    return unquote(path.partition("?")[0]), unquote(anchor)


def resolved(document_at: str, path: str) -> str:
    """The absolute path of a relative link in the file *document_at*."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(document_at), path))


def _remote(document: Document, link: Link, dead: str) -> Iterator[Finding]:
    if dead:
        yield found(
            "link/remote",
            document,
            link.line,
            f"`{_shown(link.target)}` leads nowhere: {dead}",
            "correct the link, or take it out",
            column=link.column,
        )


def _local(
    document: Document, link: Link, around: Around, pages: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    path, anchor = split(link.target)
    why = around.there.get((document.at, path), "") if path else ""
    if why:
        yield found(
            "link/file",
            document,
            link.line,
            f"`{link.target}` leads nowhere: {why}",
            "correct the path; it starts from the folder of this file",
            column=link.column,
        )
        return
    anchors = document.anchors if not path else pages.get(resolved(document.at, path))
    if anchor and anchors is not None and not has_anchor(anchors, anchor):
        page = f"`{path}`" if path else "this page"
        yield found(
            "link/anchor",
            document,
            link.line,
            f"{page} has no anchor `#{anchor}`",
            _near(anchors, anchor),
            column=link.column,
        )


def has_anchor(anchors: frozenset[str], anchor: str) -> bool:
    """Whether one of *anchors* is meant; sites differ in how they treat hyphens in a row."""
    wanted = anchor.lower()
    if wanted in anchors or wanted == "top" or _LINES.fullmatch(anchor):
        return True
    return _plain(wanted) in _all_plain(anchors)


@lru_cache(maxsize=64)
def _all_plain(anchors: frozenset[str]) -> frozenset[str]:
    return frozenset(_plain(one) for one in anchors)


def _plain(anchor: str) -> str:
    return re.sub(r"-+", "-", anchor).strip("-")


def _near(anchors: frozenset[str], anchor: str) -> str:
    near = get_close_matches(anchor[:100].lower(), sorted(anchors)[:500], n=1)
    return f"did you mean `#{near[0]}`?" if near else "name a heading that is there"


def _shown(target: str) -> str:
    """A link without a password, and not too long."""
    text = re.sub(r"(?<=//)[^/@]*@", "", target)
    return text if len(text) <= 100 else text[:99] + "…"
