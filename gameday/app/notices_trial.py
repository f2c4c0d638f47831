"""`gameday notices test`: what would be sent where, and one real message to each if asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gameday.app.projects import project_here
from gameday.errors import RefusedError, UsageError
from gameday.model.notices import NoticeMoment, NoticeSpec, trial_message
from gameday.model.verdict import ExitCode
from gameday.telling import Sending, Sent


def trial_command(name: str | None, *, project: Path | None, send: bool, as_json: bool) -> ExitCode:
    """Say what would be sent where; with *send* really send one message to each.

    0: all of it is right. 3: something would not be sent, or was not.
    """
    notices, directory = _notices(project, name)
    rows = [_looked_at(one, directory) for one in notices]
    if send:
        ready = [one for one, row in zip(notices, rows, strict=True) if not row["error"]]
        sent = {one.to: one for one in _send_trial(ready, directory)}
        for row in rows:
            if row["name"] in sent:
                one = sent[row["name"]]
                row.update(error=one.error, sent=not one.error, ms=one.ms)
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n" if as_json else _row_text(row, send=send))
    if not as_json and not send:
        sys.stdout.write("nothing was sent; `--send` sends one message to each\n")
    return ExitCode.INCONCLUSIVE if any(row["error"] for row in rows) else ExitCode.PASS


def _notices(project: Path | None, name: str | None) -> tuple[tuple[NoticeSpec, ...], str]:
    """Those that are asked for, and the project's folder. Raises where there is none."""
    path, read = project_here(project)
    if not read.notices:
        raise UsageError(f"`{path}` has no `notices`, so nobody is told of a run")
    chosen = tuple(one for one in read.notices if name in (None, one.name))
    if not chosen:
        names = ", ".join(one.name for one in read.notices)
        raise UsageError(f"there is no notice `{name}`; there are {names}")
    return chosen, read.directory


def _looked_at(notice: NoticeSpec, directory: str) -> dict[str, Any]:
    """One address, without a look at its server."""
    from gameday.adapters.notices.apprise_sender import check, scheme_of
    from gameday.secrets import resolve

    row: dict[str, Any] = {
        "name": notice.name, "scheme": "", "from": notice.url.where, "at": list(notice.at),
        "environments": list(notice.environments), "detail": notice.detail, "error": "",
        "sent": False,
    }  # fmt: skip
    try:
        url = resolve(notice.url, base=Path(directory))
        row["scheme"] = scheme_of(url)
        check(url)
    except RefusedError as error:
        row["error"] = str(error)
    message = trial_message()
    return {**row, "title": message.title, "body": message.body}


def _send_trial(notices: list[NoticeSpec], directory: str) -> tuple[Sent, ...]:
    if not notices:
        return ()
    messages = [trial_message() for _ in notices]
    return Sending(notices, messages, NoticeMoment.START.value, base=directory).results()


def _row_text(row: dict[str, Any], *, send: bool) -> str:
    """One address for people."""
    if row["error"]:
        word = f"{'NOT SENT' if send else 'would NOT be sent'}: {row['error']}"
    else:
        word = f"sent in {row['ms']} ms" if row["sent"] else "would be sent"
    where = ", ".join(row["environments"])
    return (
        f"{row['name']} ({row['scheme'] or 'not known'}, from {row['from']}): {word}\n"
        f"  told of {', '.join(row['at'])} in {where}; {row['detail']}\n"
        f"  {row['title']}\n  {row['body']}\n"
    )
