"""Secrets in files: written as the place where they are, and a warning where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gameday.model.diagnostics import Diagnostic
from gameday.model.secret import SECRET_HEADERS, SecretRef
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.node import Marks, Path


def is_secret(header: str) -> bool:
    """Whether a header of this name authenticates."""
    return header.strip().lower() in SECRET_HEADERS


def unclear(value: str | SecretDoc | None, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    """A secret is in one place."""
    if isinstance(value, SecretDoc) and (value.env is None) == (value.file is None):
        how = "both `env` and" if value.env is not None else "neither `env` nor"
        yield marks.problem(
            "secret/place",
            path,
            f"the secret has {how} `file`",
            "write `{env: MY_TOKEN}`, or `{file: path}`",
            key=True,
        )


def in_file(name: str, value: str, path: Path, marks: Marks) -> Diagnostic:
    """The warning about a secret that stands in the file itself; it does not show the secret."""
    variable = "".join(c if c.isalnum() else "_" for c in name.upper())
    found = marks.problem(
        "secret/in-file",
        path,
        f"the value of `{name}` stands in the file for everybody to read",
        f'write `{{env: {variable}}}`, with `prefix: "Bearer "` where one is needed',
        key=True,
    )
    return replace(found, source_line=found.source_line.replace(value, "***"))


def secret_ref(value: SecretDoc) -> SecretRef:
    """The reference in the form of the model."""
    return SecretRef(env=value.env, file=value.file, prefix=value.prefix)
