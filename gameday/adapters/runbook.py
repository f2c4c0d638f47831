"""Following a runbook reference: a path of the project, or the link of an alert that fired."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gameday.adapters.runbook_fetch import NotAllowedError, fetch
from gameday.adapters.runbook_text import NEEDED, read_html, read_markdown
from gameday.errors import CannotSeeError

MAX_BYTES = 1024 * 1024

_LINK = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


class RunbookReader:
    """Reads runbooks for `runbook.read`. Looks inside the project, and at listed hosts."""

    def __init__(
        self,
        project_dir: Path | str,
        folders: Sequence[str] = ("runbooks",),
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._project = Path(project_dir).resolve()
        self._folders = tuple(folders)
        self._hosts = tuple(allowed_hosts)

    def read(self, ref: str) -> Mapping[str, Any]:
        """What *ref* leads to, for the journal: see docs/runbooks.md for the fields.

        A reference that leads nowhere is an answer (`resolved` false, `problems` says why). Raises
        CannotSeeError when it could not be followed, or may not be.
        """
        target, _, anchor = ref.strip().partition("#")
        if not target:
            return _nowhere("the runbook reference is empty")
        if _LINK.match(target) or target.startswith("//"):
            return self._by_link(target, unquote(anchor))
        return self._by_path(target, unquote(anchor))

    def _by_path(self, target: str, anchor: str) -> Mapping[str, Any]:
        if Path(target).is_absolute() or "\0" in target:
            return _nowhere(f"`{target}` is not a path relative to the project; write one")
        for base in (self._project, *(self._project / f for f in self._folders)):
            found = (base / target).resolve()
            if not found.is_file():
                continue
            if not found.is_relative_to(self._project):
                return _nowhere(f"`{target}` lies outside of the project")
            return self._file(found, anchor, "file")
        folders = ", ".join(f"`{f}`" for f in self._folders) or "none"
        return _nowhere(f"there is no file `{target}` in the project or its folders {folders}")

    def _by_link(self, target: str, anchor: str) -> Mapping[str, Any]:
        try:
            page = fetch(target, self._hosts)
        except NotAllowedError as error:
            local = self._by_name(target)
            if local is None:
                raise
            found = dict(self._file(local, anchor, "by-name"))
            found["notes"] = [*found["notes"], str(error)]
            return found
        if page.status in (404, 410):
            return _nowhere(f"{page.url} answered {page.status}: nothing is there", how="url")
        if page.status != 200:
            raise CannotSeeError(f"{page.url} answered {page.status}")
        return _found(page.body, anchor, how="url", where=page.url, html=page.html)

    def _by_name(self, target: str) -> Path | None:
        """A file of the runbook folders that is called like the last part of a link."""
        try:
            name = unquote(urlsplit(target).path.rstrip("/").rpartition("/")[2])
        except ValueError:
            return None
        if not name or name in (".", "..") or "/" in name or "\0" in name:
            return None
        stem = name.removesuffix(".html").removesuffix(".htm")
        for folder in self._folders:
            for candidate in (name, f"{stem}.md"):
                found = (self._project / folder / candidate).resolve()
                if found.is_file() and found.is_relative_to(self._project):
                    return found
        return None

    def _file(self, path: Path, anchor: str, how: str) -> Mapping[str, Any]:
        where = path.relative_to(self._project).as_posix()
        try:
            with path.open("rb") as file:
                body = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CannotSeeError(f"`{where}` cannot be read: {error.strerror}") from None
        if len(body) > MAX_BYTES:
            raise CannotSeeError(f"`{where}` is larger than {MAX_BYTES} bytes")
        html = path.suffix.lower() in (".html", ".htm")
        return _found(body, anchor, how=how, where=where, html=html)


def _found(body: bytes, anchor: str, *, how: str, where: str, html: bool) -> Mapping[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _nowhere(f"{where} is not UTF-8 text", how=how) | {"sha256": digest}
    book = read_html(text, anchor) if html else read_markdown(text, anchor)
    problems = list(book.problems)
    if book.anchor_found is False:
        problems.insert(0, f"{where} has no anchor `#{anchor}`")
    return {
        "resolved": book.anchor_found is not False,
        "valid": not problems,
        "how": how,
        "where": where,
        "title": book.title,
        "sections": [asdict(section) for section in book.sections],
        "missing": list(book.missing),
        "absent": list(book.absent),
        "problems": problems,
        "notes": list(book.notes),
        "front_matter": dict(book.front_matter),
        "sha256": digest,
    }


def _nowhere(problem: str, how: str = "") -> dict[str, Any]:
    return {
        "resolved": False,
        "valid": False,
        "how": how,
        "where": "",
        "title": "",
        "sections": [],
        "missing": list(NEEDED),
        "absent": [],
        "problems": [problem],
        "notes": [],
        "front_matter": {},
        "sha256": "",
    }
