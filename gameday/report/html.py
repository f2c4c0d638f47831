"""`report.html` and the page of all runs: templates filled in. The one module that knows Jinja.

A page is one file that asks nothing of a network, and says so to the browser: only the scripts
whose hashes stand in it may run. Text from outside is escaped wherever it stands, also inside the
JSON of the figure; it can become neither markup nor script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from gameday.model.quarter_report import Quarter
from gameday.report import quarter_page
from gameday.report.figure import Figure
from gameday.report.figure_tables import events_table, numbers_table
from gameday.report.json_ import plain
from gameday.report.page import RAW, Page, Table
from gameday.report.text import encodable, printable

_PROSE = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*")
_TONES = {"✅": "pass", "❌": "fail", "❔": "unknown", "➖": "skip"}
#: What a string of JSON must not hold where HTML is around it.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the page shows as its figure; `why` says why it cannot, if there is no script."""

    figure: Figure | None
    script: str = ""
    why: str = ""


def render(page: Page, drawn: Drawn, files: Sequence[str]) -> str:
    """The whole file. *files* are the names of those beside it, which it may lead to."""
    own = _file("report.js")
    live = drawn.figure is not None and bool(drawn.script)
    scripts = [drawn.script, own] if live else [own]
    tables: list[Table] = []
    spec = ""
    if drawn.figure is not None:
        tables = [events_table(drawn.figure), *numbers_table(drawn.figure)]
        spec = json_in_html(drawn.figure.spec) if live else ""
    return (
        _environment()
        .get_template("report.html")
        .render(
            page=page,
            report=page.report,
            figure=drawn.figure,
            figure_why=printable(drawn.why),
            figure_tables=tables,
            spec=Markup(spec),  # noqa: S704 - escaped by json_in_html
            style=Markup(_file("style.css")),  # noqa: S704 - our own file
            scripts=[Markup(text) for text in scripts],  # noqa: S704 - our own, and the library's
            policy=policy(scripts),
            raw=[(name, what) for name, what in RAW if name in files],
        )
    )


def render_index(rows: Sequence[Mapping[str, str]], scenarios: Sequence[str]) -> str:
    """The page of all runs, newest first."""
    own = _file("index.js")
    return (
        _environment()
        .get_template("index.html")
        .render(
            rows=rows,
            scenarios=scenarios,
            style=Markup(_file("style.css")),  # noqa: S704 - our own file
            scripts=[Markup(own)],  # noqa: S704 - our own file
            policy=policy([own]),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A figure that lives in its page: its definition, and the chart library."""

    spec: Mapping[str, Any]
    script: str


def filled(template: str, live: Live | None = None, /, **values: Any) -> str:
    """A page of ours: *template* with its style, and no network; no script without a figure."""
    scripts = [] if live is None else [live.script, _file("report.js")]
    spec = "" if live is None else json_in_html(live.spec)
    return (
        _environment()
        .get_template(template)
        .render(
            spec=Markup(spec),  # noqa: S704 - escaped by json_in_html
            style=Markup(_file("style.css")),  # noqa: S704 - our own file
            scripts=[Markup(text) for text in scripts],  # noqa: S704 - our own, and the library's
            policy=policy(scripts),
            **values,
        )
    )


def render_quarter(
    quarter: Quarter, drawn_figures: Mapping[str, str], why: str, files: Sequence[str]
) -> str:
    """The page of a quarter. *drawn_figures* are SVG of our own making; *why* some are missing."""
    own = _file("quarter.js")
    return (
        _environment()
        .get_template("quarter.html")
        .render(
            quarter=quarter,
            cards=quarter_page.cards(quarter),
            sections=quarter_page.sections(quarter),
            map_rows=quarter_page.map_rows,
            tones=quarter_page.TONES,
            words=quarter_page.WORDS,
            pictures={name: Markup(svg) for name, svg in drawn_figures.items()},  # noqa: S704 - ours
            why=printable(why),
            files=files,
            style=Markup(_file("style.css") + _file("quarter.css")),  # noqa: S704 - our own files
            scripts=[Markup(own)],  # noqa: S704 - our own file
            policy=policy([own]),
        )
    )


def json_in_html(value: Any) -> str:
    """*value* as JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = re.sub("[<>&\u2028\u2029]", lambda m: _UNSAFE[m[0]], text)
    return text.encode("utf-8", "replace").decode("utf-8")


def policy(scripts: Sequence[str]) -> str:
    """The content security policy: no network at all, and only these scripts."""
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def prose(text: str) -> Markup:
    """Escaped, with `code` and **weight** as elements of their own."""
    text = printable(" ".join(str(text).split()))
    parts, end = [], 0
    for found in _PROSE.finditer(text):
        parts.append(escape(text[end : found.start()]))
        if found[1] is not None:
            parts.append(Markup("<code>{}</code>").format(_words(found[1])))
        else:
            parts.append(Markup("<strong>{}</strong>").format(found[2]))
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _words(command: str) -> Markup:
    """Escaped; an option such as `--profile` is not broken after its dashes."""
    words = (
        Markup('<span class="word">{}</span>').format(word) if word.startswith("--") else word
        for word in command.split(" ")
    )
    return Markup(" ").join(words)


def badge(text: str) -> Markup:
    """The same; an answer at its start becomes a mark with its colour and its word."""
    for mark, tone in _TONES.items():
        if text.startswith(mark):
            word = prose(text.removeprefix(mark).replace("**", ""))
            return Markup('<span class="badge {}">{}</span>').format(tone, word)
    return prose(text)


def sentence(text: str) -> Markup:
    """The same with a capital and a full stop, unless it starts with a name."""
    text = printable(" ".join(str(text).split()))
    if text[:1].isalpha() and not text[1:2].isdigit():
        text = text[:1].upper() + text[1:]
    return prose(text if text.endswith((".", "!", "?")) else f"{text}.")


def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        prose=prose, badge=badge, sentence=sentence, printable=printable, pretty=_pretty
    )
    return made


def _pretty(value: Any) -> str:
    """Plain data as JSON for people."""
    return encodable(json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False))


def _file(name: str) -> str:
    return resources.files("gameday.report").joinpath("templates", name).read_text("utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
