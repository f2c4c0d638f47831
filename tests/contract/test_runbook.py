"""Runbook references: what they lead to, what is found there, and where nobody looks."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from alert_fakes import Fake

from gameday.adapters.runbook import RunbookReader
from gameday.adapters.runbook_fetch import NotAllowedError, checked, forbidden
from gameday.adapters.runbook_text import read_html, read_markdown, slug
from gameday.errors import CannotSeeError

REAL_GETADDRINFO = socket.getaddrinfo
LONG = "Look at the error ratio of each dependency and find the one that rises."
GOOD = f"""# PaymentsSlow

## Meaning

Payments answers late.

## Impact

Checkouts take the deferred path.

## Diagnosis

{LONG}

## Mitigation

{LONG}
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "runbooks").mkdir(parents=True)
    (project / "runbooks" / "payments-slow.md").write_text(GOOD)
    (tmp_path / "outside.md").write_text(GOOD)
    return project


@pytest.fixture(name="web")
def _web() -> Iterator[Fake]:
    web = Fake()
    web.routes["/r/PaymentsSlow.md"] = (200, GOOD.encode(), {"Content-Type": "text/markdown"})
    yield web
    web.close()


# ---------------------------------------------------------------- reading


def test_a_runbook_of_four_sections_needs_no_edit() -> None:
    book = read_markdown(GOOD)
    assert book.title == "PaymentsSlow"
    assert [s.name for s in book.sections] == ["meaning", "impact", "diagnosis", "mitigation"]
    assert (book.missing, book.problems) == ((), ())
    assert book.absent == ("verify", "rollback", "escalation")
    assert book.sections[2].line == 11


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Summary", "meaning"),
        ("Diagnosis", "diagnosis"),
        ("🔍 Diagnose", "diagnosis"),
        ("2. Investigation steps", "diagnosis"),
        ("Troubleshooting", "diagnosis"),
        ("**Mitigation**", "mitigation"),
        ("Remediation", "mitigation"),
        ("Resolution:", "mitigation"),
        ("Fix", "mitigation"),
        ("`Verify`", "verify"),
        ("Validation", "verify"),
        ("Roll-back", "rollback"),
        ("Escalate to", "escalation"),
        ("Contact", "escalation"),
        ("Fixed costs", None),
        ("Background", None),
        ("Undiagnosed", None),
    ],
)
def test_sections_by_their_usual_names(heading: str, name: str | None) -> None:
    found = read_markdown(f"# T\n\n## {heading}\n\n{LONG}\n").sections
    assert [s.name for s in found] == ([name] if name else [])


def test_other_shapes_of_headings() -> None:
    setext = f"Title\n=====\n\nDiagnosis\n---------\n\n{LONG}\n\nMitigation\n---\n{LONG}\n"
    assert read_markdown(setext).problems == ()
    only_h1 = f"# Diagnosis\n{LONG}\n# Mitigation\n{LONG}\n"
    assert read_markdown(only_h1).problems == ()
    in_code = f"# T\n```\n## Diagnosis\n{LONG}\n## Mitigation\n{LONG}\n```\n"
    assert read_markdown(in_code).missing == ("diagnosis", "mitigation")
    deep = f"# T\n## Diagnosis\n### One\n{LONG}\n### Two\n{LONG}\n## Mitigation\n{LONG}"
    assert read_markdown(deep).sections[0].chars == 2 * len(LONG)


def test_a_title_is_no_section() -> None:
    book = read_markdown(f"# Fix the pool\n\n## Diagnosis\n\n{LONG}\n")
    assert book.missing == ("mitigation",)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "TODO",
        "TODO: write down what to do when the payments are slow, ask the team about the details",
        "tbd.",
        "<!-- describe here at length what the responder has to do to mitigate this -->",
        "N/A",
        "Restart it.",
        "- TODO\n- TODO\n- FIXME: find out more about this before the next review of the service",
        "Coming soon: a longer text about what should be done in this case, and by whom.",
        "```\n```",
    ],
)
def test_a_section_that_says_nothing_is_missing(body: str) -> None:
    book = read_markdown(f"# T\n## Diagnosis\n{LONG}\n## Mitigation\n{body}\n")
    assert book.missing == ("mitigation",)
    assert len(book.problems) == 1
    assert "Mitigation" in book.problems[0]


@pytest.mark.parametrize(
    "body",
    [
        LONG,
        "```bash\nkubectl rollout undo deployment/payments --namespace shop\n```",
        f"TODO: more detail.\n\n{LONG}",
        "1. open the [dashboard](http://x/y)\n2. switch the `payments` breaker to forced open",
        "| what | how |\n|---|---|\n| slow payments | force the breaker open in the console |",
    ],
)
def test_a_section_that_says_something(body: str) -> None:
    book = read_markdown(f"# T\n## Diagnosis\n{LONG}\n## Mitigation\n{body}\n")
    assert book.problems == ()


def test_front_matter() -> None:
    text = f"---\ntitle: Slow\nowner: team-a\nalerts: [A, B]\nsecret: x\n---\n{GOOD}"
    book = read_markdown(text)
    assert book.front_matter == {"title": "Slow", "owner": "team-a", "alerts": ["A", "B"]}
    assert book.title == "Slow"
    assert book.sections[0].line == 3 + 6
    json.dumps(dict(book.front_matter))


@pytest.mark.parametrize(
    "front",
    [
        "a: [",
        "a: &x [1]\nb: *x",
        "x: " + "y" * 20_000,
        "!!python/object/apply:os.system [echo]",
        "a: 2020-99-99",
    ],
)
def test_front_matter_that_cannot_be_read_is_a_note(front: str) -> None:
    book = read_markdown(f"---\n{front}\n---\n{GOOD}")
    assert book.problems == ()
    assert len(book.notes) <= 1
    assert book.notes or front == "a: 2020-99-99"


def test_dates_in_front_matter_are_text() -> None:
    assert read_markdown(f"---\nlast_validated: 2026-10-01\n---\n{GOOD}").front_matter == {
        "last_validated": "2026-10-01"
    }


def test_anchors() -> None:
    text = GOOD + '\n## Mitigation\n\n<a id="by-hand"></a>more\n'
    assert read_markdown(text, "mitigation").anchor_found
    assert read_markdown(text, "mitigation-1").anchor_found
    assert read_markdown(text, "by-hand").anchor_found
    assert read_markdown(text, "nowhere").anchor_found is False
    assert read_markdown(text).anchor_found is None
    assert slug("What's up, Doc? (2.0)") == "whats-up-doc-20"


def test_an_anchor_names_one_of_several_runbooks_on_a_page() -> None:
    page = (
        f"# All\n## Slow\n### Diagnosis\n{LONG}\n### Mitigation\n{LONG}\n"
        f"## Down\n### Diagnosis\n{LONG}\n"
    )
    assert read_markdown(page, "slow").missing == ()
    down = read_markdown(page, "down")
    assert down.missing == ("mitigation",)
    assert down.title == "Down"


def test_a_page_of_html() -> None:
    page = f"""<html><head><title>Slow | Wiki</title><script>var fix = "x";</script></head><body>
    <nav><h2>Diagnosis</h2></nav><h1>Payments slow</h1>
    <h2 id="diag">Diagnosis<a href="#diag">¶</a></h2><p>{LONG}</p>
    <h2>Mitigation</h2><pre>{LONG}</pre></body></html>"""
    book = read_html(page, "diag")
    assert book.title == "Payments slow"
    assert book.problems == ()
    assert book.anchor_found
    assert [s.commands for s in book.sections] == [0, 1]
    assert read_html("<p>sign in</p>").missing == ("diagnosis", "mitigation")


@pytest.mark.parametrize(
    "text", ["", "\x00", "---\n", "---\n---\n", "#", "<", "[" * 5_000, "> " * 500]
)
def test_anything_can_be_read(text: str) -> None:
    assert read_markdown(text).missing == ("diagnosis", "mitigation")
    assert read_html(text).missing == ("diagnosis", "mitigation")


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    "ref",
    [
        "runbooks/payments-slow.md",
        "payments-slow.md",
        "./runbooks/../runbooks/payments-slow.md",
        " runbooks/payments-slow.md ",
        "runbooks/payments-slow.md#mitigation",
    ],
)
def test_a_path_of_the_project(project: Path, ref: str) -> None:
    found = RunbookReader(project).read(ref)
    assert found["resolved"]
    assert found["valid"]
    assert found["how"] == "file"
    assert found["where"] == "runbooks/payments-slow.md"
    assert found["sha256"] == hashlib.sha256(GOOD.encode()).hexdigest()
    assert found["title"] == "PaymentsSlow"
    json.dumps(found)


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("", "empty"),
        ("#mitigation", "empty"),
        ("runbooks/nothing.md", "no file"),
        ("runbooks", "no file"),
        ("../outside.md", "outside"),
        ("runbooks/../../outside.md", "outside"),
        ("/etc/passwd", "not a path"),
        ("runbooks/payments-slow.md#nowhere", "anchor"),
        ("a\0b", "not a path"),
    ],
)
def test_a_path_that_leads_nowhere(project: Path, ref: str, says: str) -> None:
    found = RunbookReader(project).read(ref)
    assert not found["resolved"]
    assert not found["valid"]
    assert says in found["problems"][0]
    json.dumps(found)


def test_a_link_out_of_the_project_is_outside(project: Path, tmp_path: Path) -> None:
    (project / "runbooks" / "sly.md").symlink_to(tmp_path / "outside.md")
    found = RunbookReader(project).read("runbooks/sly.md")
    assert not found["resolved"]
    assert "outside" in found["problems"][0]
    inside = project / "runbooks" / "alias.md"
    inside.symlink_to(project / "runbooks" / "payments-slow.md")
    assert RunbookReader(project).read("runbooks/alias.md")["valid"]


def test_files_that_are_none(project: Path) -> None:
    os.mkfifo(project / "runbooks" / "pipe.md")
    assert not RunbookReader(project).read("runbooks/pipe.md")["resolved"]
    (project / "runbooks" / "big.md").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(CannotSeeError, match="larger"):
        RunbookReader(project).read("runbooks/big.md")
    (project / "runbooks" / "latin.md").write_bytes(b"\xff\xfe\xfd")
    assert "UTF-8" in RunbookReader(project).read("runbooks/latin.md")["problems"][0]


def test_a_runbook_that_lacks_something_resolves_and_is_not_valid(project: Path) -> None:
    (project / "runbooks" / "half.md").write_text(f"# Half\n## Diagnosis\n{LONG}\n")
    found = RunbookReader(project).read("half.md")
    assert found["resolved"]
    assert not found["valid"]
    assert found["missing"] == ["mitigation"]
    assert "`mitigation`" in found["problems"][0]


# ---------------------------------------------------------------- links


def test_a_link_to_a_listed_host(project: Path, web: Fake) -> None:
    for listed in ("127.0.0.1", web.host):
        found = RunbookReader(project, allowed_hosts=[listed]).read(f"{web.url}/r/PaymentsSlow.md")
        assert (found["valid"], found["how"]) == (True, "url")
        assert found["where"] == f"{web.url}/r/PaymentsSlow.md"
        assert web.headers[-1]["Host"] == web.host
    # A name is looked up once, its address is asked, and the name is told.
    named = web.url.replace("127.0.0.1", "localhost")
    reader = RunbookReader(project, allowed_hosts=["localhost"])
    if socket.gethostbyname("localhost") == "127.0.0.1" and _only_v4("localhost"):
        assert reader.read(f"{named}/r/PaymentsSlow.md#diagnosis")["valid"]
        assert web.headers[-1]["Host"] == web.host.replace("127.0.0.1", "localhost")


def _only_v4(host: str) -> bool:
    return {f[0] for f in socket.getaddrinfo(host, 80)} == {socket.AF_INET}


def test_a_dead_link_is_an_answer(project: Path, web: Fake) -> None:
    reader = RunbookReader(project, allowed_hosts=["127.0.0.1"])
    found = reader.read(f"{web.url}/r/gone.md")
    assert not found["resolved"]
    assert "404" in found["problems"][0]


@pytest.mark.parametrize("mode", ["401", "500", "cut"])
def test_a_link_that_cannot_be_followed_is_no_answer(project: Path, web: Fake, mode: str) -> None:
    web.mode = mode
    with pytest.raises(CannotSeeError):
        RunbookReader(project, allowed_hosts=["127.0.0.1"]).read(f"{web.url}/r/PaymentsSlow.md")


def test_a_page_that_is_too_large_or_too_slow(
    project: Path, web: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = RunbookReader(project, allowed_hosts=["127.0.0.1"])
    web.routes["/big"] = b"x" * (2 * 1024 * 1024 + 1)
    with pytest.raises(CannotSeeError, match="more than"):
        reader.read(f"{web.url}/big")
    monkeypatch.setattr("gameday.adapters.runbook_fetch.TOTAL_S", 0.3)
    web.mode = "drip"
    with pytest.raises(CannotSeeError, match="did not finish"):
        reader.read(f"{web.url}/r/PaymentsSlow.md")


def test_redirects_only_within_the_host(project: Path, web: Fake) -> None:
    reader = RunbookReader(project, allowed_hosts=["127.0.0.1", "localhost"])
    web.routes["/here"] = (302, b"", {"Location": "/r/PaymentsSlow.md"})
    assert reader.read(f"{web.url}/here")["valid"]
    web.routes["/login"] = (302, b"", {"Location": web.url.replace("127.0.0.1", "localhost")})
    with pytest.raises(NotAllowedError, match="another host"):
        reader.read(f"{web.url}/login")
    web.routes["/loop"] = (302, b"", {"Location": "/loop"})
    with pytest.raises(CannotSeeError, match="redirects more than"):
        reader.read(f"{web.url}/loop")


def test_a_host_that_is_not_listed_is_not_asked(project: Path, web: Fake) -> None:
    with pytest.raises(NotAllowedError, match="runbook_hosts"):
        RunbookReader(project).read(f"{web.url}/r/other.md")
    assert not web.asked


@pytest.mark.parametrize("last", ["payments-slow.md", "payments-slow", "payments-slow/"])
def test_a_file_of_the_same_name_stands_for_it(project: Path, last: str) -> None:
    found = RunbookReader(project).read(f"https://wiki.example.org/r/{last}#mitigation")
    assert (found["valid"], found["how"]) == (True, "by-name")
    assert found["where"] == "runbooks/payments-slow.md"
    assert "not looked at" in found["notes"][0]


@pytest.mark.parametrize("last", ["..%2F..%2Foutside.md", "..", "%2e%2e", "", "sly.md", "a%00b"])
def test_no_name_leads_out_of_the_folders(project: Path, tmp_path: Path, last: str) -> None:
    (project / "runbooks" / "sly.md").symlink_to(tmp_path / "outside.md")
    with pytest.raises(NotAllowedError):
        RunbookReader(project).read(f"https://wiki.example.org/r/{last}")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://wiki.example.org/x",
        "javascript:alert(1)",
        "//wiki.example.org/x",
        "http://",
        "http://user:hunter2@wiki.example.org/x",
        "http://wiki.example.org.evil.example/x",
        "http://evil.example/wiki.example.org",
        "http://wiki.example.org@evil.example/",
        "http://[::1/x",
        "http://wiki.example.org:99999/x",
        "http://wiki.example.org:8080/x",
    ],
)
def test_links_that_are_refused(url: str) -> None:
    with pytest.raises(NotAllowedError) as caught:
        checked(url, ["wiki.example.org:443", "evil.example.org"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "host", "refused"),
    [
        ("93.184.216.34", "wiki.example.org", False),
        ("10.1.2.3", "wiki.corp.example", False),  # the project lists its own wiki by name
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "localhost", False),
        ("::1", "::1", False),
        ("127.0.0.1", "wiki.example.org", True),  # a name that was bent to this machine
        ("::1", "wiki.example.org", True),
        ("::ffff:127.0.0.1", "wiki.example.org", True),
        ("169.254.169.254", "169.254.169.254", True),  # never, even if it is listed
        ("::ffff:169.254.169.254", "metadata.example.org", True),
        ("169.254.7.7", "x.example.org", True),
        ("fe80::1", "x.example.org", True),
        ("fd00:ec2::254", "x.example.org", True),
        ("100.100.100.200", "x.example.org", True),
        ("0.0.0.0", "0.0.0.0", True),
        ("224.0.0.1", "x.example.org", True),
        ("255.255.255.255", "x.example.org", True),
    ],
)
def test_addresses(address: str, host: str, refused: bool) -> None:
    assert bool(forbidden(ipaddress.ip_address(address), host)) is refused


def test_a_name_that_points_at_metadata_is_not_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bent(*args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", bent)
    with pytest.raises(NotAllowedError, match="metadata"):
        RunbookReader(project, allowed_hosts=["wiki.example.org"]).read(
            "http://wiki.example.org/latest"
        )


@pytest.mark.parametrize(("name", "trusted"), [("localhost", True), ("other.example", False)])
def test_the_certificate_is_checked_for_the_name_though_the_address_is_asked(
    web: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "ca.pem"))
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *a, **k: (
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
            if a[0] == "localhost"
            else REAL_GETADDRINFO(*a, **k)
        ),
    )
    reader = RunbookReader(tmp_path, allowed_hosts=["localhost"])
    url = f"https://localhost:{web.server.server_address[1]}/r/PaymentsSlow.md"
    if trusted:
        assert reader.read(url)["valid"]
    else:
        with pytest.raises(CannotSeeError, match="certificate"):
            reader.read(url)
