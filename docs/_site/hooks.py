"""What the docs site needs beyond mkdocs itself: pages by folder, and links that leave the docs.

The same files are read on the site and in a repository browser, so they are written for the latter;
here they are fitted for the site.
"""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)\)")
#: Folders that pages link to as such: a repository browser lists their files, the site a page.
_LISTED = {
    "checks": "Checks",
    "faults": "Faults",
    "runbook-lint": "Rules for runbooks",
    "scenarios": "Scenarios",
    "sources": "Alert sources",
}


def expanded(nav: list[Any], paths: list[str]) -> list[Any]:
    """The navigation *nav* with each pattern (`faults/*.md`) replaced by the *paths* it matches.

    A page that is named elsewhere is left out of patterns; the list is sorted by path.
    """
    named = set(_leaves(nav))

    def entry(item: Any) -> list[Any]:
        if isinstance(item, dict):
            ((title, value),) = item.items()
            return [{title: expanded_list(value) if isinstance(value, list) else value}]
        if "*" not in item:
            return [item]
        return sorted(p for p in paths if _matches(p, item) and p not in named)

    def expanded_list(items: list[Any]) -> list[Any]:
        return [made for item in items for made in entry(item)]

    return expanded_list(nav)


def _matches(path: str, pattern: str) -> bool:
    """Whether *pattern* means *path*; `*` does not reach into folders."""
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def _leaves(nav: list[Any]) -> list[str]:
    found: list[str] = []
    for item in nav:
        value = next(iter(item.values())) if isinstance(item, dict) else item
        found += _leaves(value) if isinstance(value, list) else [value]
    return found


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Fill in the navigation, and add a page for each folder that has none."""
    for folder, title in _LISTED.items():
        names = sorted(p.src_uri for p in files if _matches(p.src_uri, f"{folder}/*.md"))
        if names and not {f"{folder}/index.md", f"{folder}/README.md"} & set(names):
            rows = [f"- [{posixpath.basename(n)[:-3]}]({posixpath.basename(n)})" for n in names]
            text = "\n".join([f"# {title}", "", *rows, ""])
            files.append(File.generated(config, f"{folder}/index.md", content=text))
    paths = [page.src_uri for page in files.documentation_pages()]
    config["nav"] = expanded(config["nav"], paths)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Links to folders lead to their list; what is not in the docs is named, without a link."""
    here = posixpath.dirname(page.file.src_uri)

    def fitted(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join(here, target))
        if path.startswith("../"):
            name = path.removeprefix("../")
            return link["text"] if f"`{name}`" == link["text"] else f"{link['text']} (`{name}`)"
        if path in _LISTED:
            first = (Path(config["docs_dir"]) / path / "README.md").exists()
            return f"[{link['text']}]({target.rstrip('/')}/{'README' if first else 'index'}.md)"
        return link[0]

    return _LINK.sub(fitted, markdown)
