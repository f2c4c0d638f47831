"""Rules about the text: placeholders, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gameday.model.runbook import Document, Finding
from gameday.runbooks.rules import found

MASK = "***"

_PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b")
_PHRASE = re.compile(
    r"\b(lorem ipsum|coming soon|to be (?:written|done|defined)|replace this|"
    r"insert (?:text|link) here|placeholder text)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"`[^`]*`")

#: Tokens that are known by their form.
_TOKENS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
        ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})"),
        ("a GitLab token", r"\bglpat-[\w-]{20,}"),
        ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a Slack webhook", r"hooks\.slack\.com/services/T\w+/B\w+/\w{8,}"),
        ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
        ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
        ("a Grafana token", r"\bgls[ab]_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
        ("a New Relic key", r"\bNRAK-[A-Z0-9]{27}\b"),
        ("a signed token (JWT)", r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{5,1000}"),
    )
)
_IN_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"`]{0,200}:([^\s/@'\"`]{1,200})@", re.IGNORECASE
)
_BEARER = re.compile(r"\b(?:Bearer|GenieKey|token)[ =]([A-Za-z0-9+/_.=-]{20,})")
_ASSIGNED = re.compile(
    r"(?:password|passwd|pgpassword|mysql_pwd|secret|token|api[_-]?key|access[_-]?key|"
    r"routing[_-]?key|private[_-]?key)[\"']?\s*[:=]\s*[\"']?([^\s\"'`,;|&<>]+)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"[$<{(*%/]|^\.|x{3,}|\.{3}|…|^(?:your|my|the|example|changeme|redacted|password|secret|token)\b",
    re.IGNORECASE,
)


def text_rules(document: Document) -> Iterator[Finding]:
    """What should not be in the text."""
    yield from _placeholders(document)
    for line, column, what, _ in secrets_in(document):
        yield found(
            "secret/literal",
            document,
            line,
            f"this looks like {what}: {MASK}",
            "take it out and have it changed; read it from the environment instead",
            column=column,
        )


def secrets_in(document: Document) -> Iterator[tuple[int, int, str, str]]:
    """Every secret: line, column, what it is, and the secret itself (never to be shown)."""
    for number, text in enumerate(document.text.split("\n"), start=1):
        seen: list[tuple[int, int]] = []
        for what, start, value in _secrets(text):
            end = start + len(value)
            if not any(start < b and a < end for a, b in seen):
                seen.append((start, end))
                yield number, start + 1, what, value


def _secrets(text: str) -> Iterator[tuple[str, int, str]]:
    for what, pattern in _TOKENS:
        for match in pattern.finditer(text):
            yield what, match.start(), match[0]
    for match in _IN_URL.finditer(text):
        if not _NO_SECRET.search(match[1]):
            yield "a password in a URL", match.start(1), match[1]
    for what, pattern in (("a token", _BEARER), ("a password or key", _ASSIGNED)):
        for match in pattern.finditer(text):
            if len(match[1]) >= 8 and _mixed(match[1]) and not _NO_SECRET.search(match[1]):
                yield what, match.start(1), match[1]


def _mixed(value: str) -> bool:
    """Letters and digits both: words of the language have no digits."""
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _placeholders(document: Document) -> Iterator[Finding]:
    comments = [
        (block.body_line + n, line)
        for block in document.blocks
        for n, line in enumerate(block.body.split("\n"))
        if line.lstrip().startswith(("#", "--", "//"))
    ]
    for number, text in sorted([*document.prose, *comments]):
        bare = _CODE.sub(lambda m: " " * len(m[0]), text)
        match = _PLACEHOLDER.search(bare) or _PHRASE.search(bare)
        if match:
            yield found(
                "text/placeholder",
                document,
                number,
                f"`{match[0]}` was meant to be replaced",
                "write what is meant, or take it out",
                column=match.start() + 1,
            )
