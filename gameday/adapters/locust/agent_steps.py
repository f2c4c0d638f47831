"""The steps of generated journeys: made ready once, and filled with values for each request."""

from __future__ import annotations

import base64
import json
import mimetypes
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode

from gameday.adapters.locust.agent_answers import Wanted
from gameday.adapters.locust.agent_hooks import WANTED
from gameday.model.scenario import Auth, RequestStep
from gameday.model.template import as_text, filled, filled_text, names_in
from gameday.secrets import basic_credentials


class Prepared:
    """One step."""

    def __init__(self, step: RequestStep, auth: Auth | None = None) -> None:
        if auth is not None and not _has(step.headers, "Authorization"):
            step = replace(step, headers={**step.headers, "Authorization": _credentials(auth)})
        self._step = step
        self._wanted = Wanted(step.expect, step.capture)
        sent = [step.path, step.json, step.body, step.form, list(step.headers.values())]
        self._fixed = None if any(names_in(sent)) else _arguments(step)

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the client's `request` is called with, when these values are known."""
        made = self._fixed or _arguments(_with_values(self._step, values))
        return {**made, "context": {WANTED: self._wanted.filled(values)}}


def _with_values(step: RequestStep, values: Mapping[str, Any]) -> RequestStep:
    """*step* with its values. In the path they are escaped, in a header they are one line."""
    in_path = {name: quote(as_text(value), safe="") for name, value in values.items()}
    return replace(
        step,
        path=filled_text(step.path, in_path),
        json=filled(step.json, values),
        body=None if step.body is None else filled_text(step.body, values),
        form={name: filled_text(text, values) for name, text in step.form.items()},
        headers={
            name: " ".join(filled_text(str(value), values).splitlines())
            for name, value in step.headers.items()
        },
    )


def _arguments(step: RequestStep) -> dict[str, Any]:
    headers = dict(step.headers)
    data: str | bytes | None = step.body
    if step.json is not None:
        data = json.dumps(step.json, separators=(",", ":"))
        if not _has(headers, "Content-Type"):
            headers["Content-Type"] = "application/json"
    elif step.files:
        data, headers["Content-Type"] = _multipart(step)
    elif step.form:
        data = urlencode(step.form)
        if not _has(headers, "Content-Type"):
            headers["Content-Type"] = "application/x-www-form-urlencoded"
    return {
        "method": step.method.upper(),
        "url": step.path,
        "name": step.name,
        "data": data,
        "headers": headers,
    }


def _multipart(step: RequestStep) -> tuple[bytes, str]:
    """The fields and files of a form, and the content type that says where they end."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, text in step.form.items():
        parts.append((f'name="{_quoted(name)}"', text.encode()))
    for name, file in step.files.items():
        filename = PurePosixPath(file.path).name
        kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        head = f'name="{_quoted(name)}"; filename="{_quoted(filename)}"\r\nContent-Type: {kind}'
        parts.append((head, base64.b64decode(file.content)))
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, content in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _has(headers: Mapping[str, Any], name: str) -> bool:
    return any(one.lower() == name.lower() for one in headers)


def _credentials(auth: Auth) -> str:
    if auth.bearer is not None:
        return f"Bearer {auth.bearer}"
    return f"Basic {basic_credentials(auth.user or '', str(auth.password))}"
