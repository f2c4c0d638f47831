"""What is read of a runbook: parts, sections, blocks, attributes, comments; and its grade."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gameday.adapters.runbook_document import read_document
from gameday.adapters.runbook_shell import read_script, syntax_errors
from gameday.model.runbook import Around, Document
from gameday.runbooks.grade import grade_of
from gameday.runbooks.lint import lint
from gameday.runbooks.rules import RULES
from gameday.runbooks.seal import content_sha256

TODAY = date(2026, 6, 1)
FOUR = """# PaymentsSlow

## Meaning

Payments answers late.

## Impact

Checkouts are slow.

## Diagnosis

Look at the error ratio of each dependency and find the one that rises.

```console
$ kubectl get pods \\
>   -n shop
NAME  READY
```

## Mitigation

Take the dependency that fails out of the path, then tell its team.
"""
WHOLE = """---
gameday_runbook: 1
owner: team-checkout
alerts: [PaymentsSlow]
last_validated: 2026-05-01
escalation: {to: team-payments, after: 15m}
---
# Payments is slow

## Meaning

Payments answers late.

## Impact

Checkouts are slow.

## Diagnosis

Timeouts grow, errors do not:

```bash {name=look phase=diagnose timeout=5s expect_stdout="timeouts [1-9]"}
curl -fsS http://localhost:8080/metrics
```

## Mitigation

Take payments out of the path; orders are charged later.

```bash {name=out phase=mitigate timeout=5s mutates=true}
curl -fsS -X POST http://localhost:8080/out
```

## Verify

```bash {name=fine phase=verify timeout=5s expect_exit=0}
curl -fsS http://localhost:8080/ok
```

## Rollback

Put it back.
"""


def findings(text: str, **around: object) -> list[tuple[int, str]]:
    document = read_document(text, file="a.md")
    found = lint([document], Around(today=TODAY, **around))  # type: ignore[arg-type]
    return [(f.line, f.rule) for f in found.findings]


def test_four_sections_need_no_edit() -> None:
    """Nothing is an error; what is missing is said."""
    assert findings(FOUR) == [
        (1, "fresh/never"), (1, "owner/missing"), (1, "section/absent"), (1, "section/absent"),
        (1, "section/absent"),
    ]  # fmt: skip


def test_windows_line_ends_and_a_mark_of_bytes_change_nothing() -> None:
    assert findings(FOUR.replace("\n", "\r\n")) == findings(FOUR)


def test_only_what_was_typed_is_read_of_a_session() -> None:
    document = read_document(FOUR, file="a.md")
    (block,) = document.blocks
    assert block.script is not None
    assert [(c.words, c.line) for c in block.script.commands] == [
        (("kubectl", "get", "pods", "-n", "shop"), 16)
    ]
    assert (block.shows_output, block.section, block.attributes) == (True, "diagnosis", None)


@pytest.mark.parametrize(
    ("info", "attributes"),
    [
        ("bash", None),
        ("bash { name=look interactive=false }", None),  # runme's
        ('sh {"name": "look"}', None),
        ("bash {linenos=true hl_lines=3}", None),  # Hugo's
        ("bash {phase=verify}", {"phase": "verify"}),
        ('bash {retry=1s expect_stdout="a \\"b\\""}', {"retry": "1s", "expect_stdout": 'a "b"'}),
        ("bash {name=x mutates}", {"name": "x", "mutates": "true"}),
    ],
)  # fmt: skip
def test_what_makes_a_step(info: str, attributes: dict[str, str] | None) -> None:
    document = read_document(f"## Verify\n\n```{info}\ntrue\n```\n", file="a.md")
    assert document.blocks[0].attributes == attributes


def test_a_page_of_several_runbooks() -> None:
    one = f"### Diagnosis\n\n{'Look at it. ' * 5}\n\n### Mitigation\n\nX.\n\n"
    text = f"# All\n\n## PaymentsSlow\n\n{one}## Background\n\nWords.\n\n## InventoryDown\n\n{one}"
    document = read_document(text, file="a.md")
    assert [(p.title, p.line, p.last_line) for p in document.parts] == [
        ("PaymentsSlow", 3, 12), ("InventoryDown", 17, 27),
    ]  # fmt: skip
    assert [f for f in findings(text) if f[1] == "section/empty"] == [
        (9, "section/empty"), (23, "section/empty"),
    ]  # fmt: skip


def test_a_fix_below_some_other_heading_makes_no_collection() -> None:
    text = FOUR + "\n## Background\n\n### Fix in March\n\nWords.\n\n### Impact then\n\nWords.\n"
    assert not read_document(text, file="a.md").collection


def test_a_heading_may_name_two_sections() -> None:
    code = "```bash\nkubectl delete pod a\n```\n"
    text = f"# T\n\n## Diagnosis and mitigation\n\n{'Look at it. ' * 5}\n\n{code}"
    found = findings(text)
    assert not [rule for _, rule in found if rule.startswith(("section/needed", "mutation"))]
    assert (8, "rollback/missing") in found


@pytest.mark.parametrize(
    "body",
    [
        "sum by (code) (rate(http_requests_total[5m]))",
        "(sum(rate(errors_total[5m])))",
        "topk(5,\n  rate(x[5m]))",
        'up{job="x"} == 0',
        "a * on (b) group_left() c",
    ],
)
def test_promql_in_a_block_of_shell_is_left_alone(body: str) -> None:
    document = read_document(f"## Diagnosis\n\n```bash\n{body}\n```\n", file="a.md")
    assert document.blocks[0].script is None


def test_a_table_that_a_command_printed_is_no_command() -> None:
    text = "kubectl get pods\nNAME    READY   STATUS\nno-such-a  1/1  (Running\n"
    document = read_document(f"## Diagnosis\n\n```bash\n{text}```\n", file="a.md")
    block = document.blocks[0]
    assert block.shows_output
    assert block.script is not None
    assert (block.script.text, len(block.script.commands)) == ("kubectl get pods", 1)


def test_words_to_fill_in_and_variables() -> None:
    script = read_script(
        "A=1\nfor b in x; do echo $A $b <the pod> {{ $labels.x }} ${C:-d} ${E} '$F'; done\n"
        "cat <in >out; curl -w '%{code} {{.State}}' '<title>' | read -r G; echo $G $1 $?\n", 10
    )  # fmt: skip
    unbound = {u.shown for u in script.uses if u.name not in script.assigned}
    assert unbound == {"<the pod>", "{{ $labels.x }}", "${E}"}
    assert {u.shown: u.line for u in script.uses}["$G"] == 12


def test_bash_is_asked_and_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    scripts = [f"touch {mark}", f"touch {mark}\nif true; then\n", "echo )", "case x in\nesac", ""]
    found = syntax_errors(scripts)
    assert found is not None
    assert {script: line for script, (line, _) in found.items()} == {scripts[1]: 3, scripts[2]: 1}
    assert not mark.exists()


def test_the_environment_of_bash_is_our_own(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A BASH_ENV would be executed even by `bash -n`."""
    (tmp_path / "env").write_text(f"touch {tmp_path}/mark\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "env"))
    assert syntax_errors(["true"]) == {}
    assert not (tmp_path / "mark").exists()


def grade(text: str) -> tuple[str, tuple[str, ...]]:
    document = read_document(text, file="a.md")
    found = lint([document], Around(today=TODAY)).grades["a.md"]
    return found.grade, found.missing


def test_the_ladder_of_grades() -> None:
    assert grade("# T\n")[0] == "L0"
    assert grade("")[0] == "L0"
    assert grade(FOUR) == ("L1", ("an owner", "whom to escalate to"))
    front = "---\nowner: a\nescalation: {to: b}\n---\n"
    assert grade(front + FOUR)[0] == "L2"
    assert grade(front + FOUR + "\n## Verify\n\nX.\n\n## Rollback\n\nX.\n")[0] == "L3"
    assert grade(WHOLE) == ("L4", ("a run that validated it",))
    sealed = WHOLE.replace(
        "last_validated",
        f"validated_run: 20260501-x\nvalidated_sha256: {content_sha256(WHOLE)}\nlast_validated",
    )
    assert grade(sealed) == ("L5", ())
    assert grade(sealed.replace("Put it back", "Put it in")) == (
        "L4", ("a run that validated it as it stands: it was changed since",)
    )  # fmt: skip
    assert grade(sealed.replace("2026-05-01", "2025-05-01")) == (
        "L4", ("a validation that is not too long ago",)
    )  # fmt: skip


def test_the_grade_is_by_all_rules_whichever_are_asked_for() -> None:
    document = read_document(WHOLE.replace("timeout=5s", ""), file="a.md")
    found = lint([document], Around(today=TODAY), rules=frozenset({"link/file"}))
    assert (found.findings, found.grades["a.md"].grade) == ((), "L2")


def test_a_seal_is_about_all_but_itself() -> None:
    sealed = WHOLE.replace("owner:", "validated_run: x\nvalidated_sha256: y\nowner:")
    assert content_sha256(sealed) == content_sha256(WHOLE)
    assert content_sha256(WHOLE.replace("\n", "\r\n")) == content_sha256(WHOLE)
    assert content_sha256(WHOLE + "validated_run: in the text\n") != content_sha256(WHOLE)


def document(text: str) -> Document:
    return read_document(text, file="a.md")


def test_comments_that_silence() -> None:
    text = (
        "<!-- gameday-lint: ignore-file owner, fresh/never -->\n# T\n\n"
        "<!-- gameday-lint: ignore command/hangs: we watch it together -->\n"
        "```bash\ntail -f x\ntail -f y\n```\n\n```bash\ntail -f z\n```\n\n"
        "Ask TBD. <!-- gameday-lint: ignore text -->\nAsk TBD again.\n"
    )
    found = [f for f in findings(text) if not f[1].startswith("section")]
    assert found == [(11, "command/hangs"), (15, "text/placeholder")]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("text/placeholder", True),
        ("owner", False),  # it silences owner/missing
        ("rollback", True),
        ("no/such", True),
        ("alert/orphan", False),  # no rules were given: it may be needed where they are
        ("command/unknown", False),
        ("fresh/stale", False),
        ("link", False),
    ],
)
def test_comments_that_silence_nothing(name: str, told: bool) -> None:
    found = findings(f"# T\n\n<!-- gameday-lint: ignore-file {name} -->\n")
    assert ((3, "ignore/unused") in found) is told


def test_a_secret_is_shown_by_no_rule() -> None:
    key = "hunter2Hunter2"
    step = f"```bash {{timeout={key} phase={key}}}\ntoken={key}\n```\n"
    text = f"# T\n\n[x](http://u:{key}@h/x)\n\n{step}"
    found = lint([document(text)], Around(today=TODAY, unseen={f"http://u:{key}@h/x": f"no {key}"}))
    assert {"secret/literal", "link/unseen", "step/attribute"} <= {f.rule for f in found.findings}
    assert not [f for f in found.findings if key in f.message + f.hint]


@pytest.mark.parametrize(
    "line",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "glpat-" + "a1b2" * 5,
        "xoxb-1234567890-abc",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password: hunter2hunter",
        'api_key = "a1b2c3d4e5f6"',
        "https://hooks.slack.com/services/T0A1/B0C2/abcdefgh1",
        "export PGPASSWORD=s3cretpass1",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh",
        "Authorization: GenieKey " + "a1" * 12,
    ],
)
def test_what_looks_like_a_secret(line: str) -> None:
    assert (3, "secret/literal") in findings(f"# T\n\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "password: $PASSWORD",
        "token=<your-token-1>",
        "password=${DB_PASSWORD1}",
        "secret: vault/path/1",
        "the password is in the vault",
        "api_key: {{ key1 }}",
        "PASSWORD=xxxxxxxx1",
        "token: your-token-123",
        "http://user:$PASS@host/",
        "http://user:password@host/",
        "sha256: a1b2c3d4e5f6a1b2",
        "tokens: 12345678",
        "Bearer $TOKEN_OF_THE_SERVICE_1",
        "password=...",
        "https://host:8443/path@v1",
    ],
)
def test_what_does_not(line: str) -> None:
    assert (3, "secret/literal") not in findings(f"# T\n\n{line}\n")


def test_every_rule_has_words_for_people() -> None:
    for rule, row in RULES.items():
        assert row.what, rule
        assert not row.what.endswith(".")


def test_a_grade_needs_no_findings_of_other_files() -> None:
    other = document(FOUR)
    assert grade_of(other, [], TODAY).grade == "L1"
