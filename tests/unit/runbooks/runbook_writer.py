"""Writes runbooks in the styles that are found in public collections, with planted defects.

Every line is written together with what the lint must say of it, so that what is planted is known
exactly: rule by rule, line by line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

#: Alerts of the rule file; each leads to a runbook of its name.
LINKED = 120
#: Alerts that have no runbook, and that lead to one that is gone.
BARE, DEAD = ("NoRunbookAtAll", "NothingEither"), ("LeadsToNothing", "LeadsAstray")
SECRET = "hunter2Hunter2"


@dataclass(slots=True, kw_only=True)
class Page:
    """A runbook under construction, and what is to be found in it: (line, rule)."""

    name: str
    style: str
    lines: list[str] = field(default_factory=list)
    planted: list[tuple[int, str]] = field(default_factory=list)

    @property
    def number(self) -> int:
        return int(self.name.removeprefix("Alert"))

    def add(self, text: str, *rules: str) -> int:
        """One line, with the rules that it breaks."""
        self.lines.append(text)
        self.planted += [(len(self.lines), rule) for rule in rules]
        return len(self.lines)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(slots=True, kw_only=True)
class Folder:
    """All runbooks, and a rule file."""

    pages: list[Page]
    rules: str
    rules_planted: list[tuple[int, str]]

    def expected(self) -> list[tuple[str, int, str]]:
        """What the lint must find: file, line, rule; in order."""
        found = [(f"{p.name}.md", line, rule) for p in self.pages for line, rule in p.planted]
        found += [("rules.yml", line, rule) for line, rule in self.rules_planted]
        return sorted(found)


def write(seed: int, count: int) -> Folder:
    """*count* runbooks, the same for the same seed."""
    dice = Random(seed)
    styles = list(STYLES)
    pages = []
    for number in range(count):
        page = Page(name=f"Alert{number:03d}", style=styles[number % len(styles)])
        STYLES[page.style](page, dice)
        pages.append(page)
    linked = [page.name for page in pages[:LINKED]]
    rules, planted = _rules(linked)
    return Folder(pages=pages, rules=rules, rules_planted=planted)


def _rules(linked: list[str]) -> tuple[str, list[tuple[int, str]]]:
    lines = ["groups:", "  - name: shop", "    rules:"]
    planted: list[tuple[int, str]] = []
    for name in (*linked, *BARE, *DEAD):
        lines.append(f"      - alert: {name}")
        if name in BARE:
            planted.append((len(lines), "alert/no-runbook"))
        if name in DEAD:
            planted.append((len(lines), "alert/dead-runbook"))
        lines.append("        expr: up == 0")
        if name not in BARE:
            target = "gone" if name in DEAD else name
            lines.append(f"        annotations: {{runbook_url: runbooks/{target}.md}}")
    return "\n".join(lines) + "\n", planted


# ---------------------------------------------------------------- sections


def sentence(dice: Random) -> str:
    who = dice.choice(["The gateway", "Payments", "The queue", "A replica", "The scheduler"])
    what = dice.choice(["answers late", "refuses work", "restarts often", "falls behind"])
    why = dice.choice(["when memory is short", "after a deployment", "under load", "at night"])
    return f"{who} {what} {why}, and that is seen in the usual dashboards."


def prose(page: Page, dice: Random) -> None:
    """A paragraph, perhaps with a defect of text or links."""
    page.add(sentence(dice))
    defect = dice.choice([*TEXT, None, None, None, None])
    if defect is not None:
        defect(page)
    page.add("")


def dead_link(page: Page) -> None:
    page.add(f"See [the other page](gone-{page.name}.md).", "link/file")


def dead_anchor(page: Page) -> None:
    page.add("See [further down](#no-such-heading).", "link/anchor")


def dead_far_anchor(page: Page) -> None:
    page.add("See [how to restart](pages/ops.md#restrt).", "link/anchor")


def live_links(page: Page) -> None:
    page.add("See [how](pages/ops.md#restart), [ops](pages/ops) and <mailto:ops@shop.example>.")


def far_link(page: Page) -> None:
    host = f"h{len(page.lines)}.example.org"
    page.add(f"See <https://{host}/a> and [b](https://{host}/b).", "link/unseen")


def placeholder(page: Page) -> None:
    page.add("Ask TBD for access.", "text/placeholder")


def hidden_placeholder(page: Page) -> None:
    page.add("<!-- TODO: a picture --> The label is `TODO`.")


def silenced(page: Page) -> None:
    page.add("Ask TBD for access. <!-- gameday-lint: ignore text/placeholder: a team -->")


def silenced_for_nothing(page: Page) -> None:
    page.add("All is well here. <!-- gameday-lint: ignore text/placeholder -->", "ignore/unused")


def secret(page: Page) -> None:
    page.add(f"The address is postgresql://shop:{SECRET}@db/shop.", "secret/literal")


TEXT: tuple[Callable[[Page], None], ...] = (
    dead_link, dead_anchor, dead_far_anchor, live_links, far_link, placeholder, hidden_placeholder,
    silenced, silenced_for_nothing, secret,
)  # fmt: skip

#: A command for the diagnosis, with the rules that it breaks.
LOOKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("kubectl get pods", ()),
    ("kubectl -n shop describe pod payments-0 | grep -i restart", ()),
    ("sudo journalctl -u payments --since -5m", ()),
    ("curl -fsS http://localhost:8080/metrics | awk '/^errors/ {n += $2} END {print n}'", ()),
    ("kubectl exec payments-0 -- df -h", ()),
    ("timeout 5 kubectl logs -f deploy/payments", ()),
    ("kubectl delete pod payments-0", ("mutation/diagnosis",)),
    ("kubectl -n shop rollout restart deploy/payments", ("mutation/diagnosis",)),
    ("sudo systemctl restart payments", ("mutation/diagnosis",)),
    ("kubectl exec payments-0 -- rm -rf /data", ("mutation/diagnosis",)),
    ("ssh db1 'sudo systemctl stop postgresql'", ("mutation/diagnosis",)),
    ("PGOPTIONS='-c statement_timeout=5s' psql -c 'drop table orders'", ("mutation/diagnosis",)),
    ("kubectl logs -f deploy/payments", ("command/hangs",)),
    ("tail -F /var/log/syslog", ("command/hangs",)),
    ("watch kubectl get pods", ("command/hangs",)),
    ("psql -c 'select 1'", ("command/hangs",)),
    ("kubectl logs <the pod> --tail 5", ("command/unbound",)),
    ("kubectl -n $NAMESPACE_OF_IT get pods", ("command/unbound",)),
    ("kubectl get pod {{ pod_name }}", ("command/unbound",)),
    ("kubectl get pods | (grep Crash", ("command/syntax",)),
    ("kubctl get pods", ("command/unknown",)),
)
CHANGES = (
    "kubectl scale deploy/payments --replicas 5",
    "kubectl -n shop delete pod payments-0",
    "sudo systemctl restart payments",
    "curl -X POST http://localhost:8080/admin/reload",
)


def fence(
    page: Page, dice: Random, command: str, rules: tuple[str, ...], *, indent: str = ""
) -> None:
    """A block with one command, in one of the usual forms."""
    form = dice.choice(["bash", "console", "sh", "runme"])
    info = {"runme": "sh { name=look interactive=false }"}.get(form, form)
    page.add(f"{indent}```{info}")
    late = "command/syntax" in rules
    prompt = "$ " if form == "console" else ""
    page.add(f"{indent}{prompt}{command}", *(() if late else rules))
    # bash sees an open parenthesis at the end of what it reads
    page.add(f"{indent}```", *(rules if late and form != "console" else ()))
    if late and form == "console":
        page.planted.append((len(page.lines), "command/syntax"))


def diagnosis(page: Page, dice: Random) -> None:
    """Commands with what they show; sometimes without."""
    page.add("One of these shows what it is; they take a minute together.")
    page.add("")
    told: set[str] = set()
    for number in range(dice.randint(1, 3)):
        command, rules = dice.choice(LOOKS)
        if "command/unknown" in rules and "kubctl" in told:
            rules = ()  # once a file
        told.add(command.split(maxsplit=1)[0])
        silent = dice.random() < 0.2
        as_item = dice.random() < 0.4
        page.add(f"{number + 1}. Look here first:" if as_item else "Look here first:")
        page.add("")
        indent = "   " if as_item else ""
        if silent:
            page.planted.append((len(page.lines) + 1, "step/no-observation"))
        fence(page, dice, command, rules, indent=indent)
        page.add("")
        if not silent:
            page.add(f"{indent}A pod that restarts again and again is the cause.")
            page.add("")
        if not as_item:
            page.add("Then go on." if not silent else "#### Next")
            page.add("")


def mitigation(page: Page, dice: Random, *, rollback: bool) -> None:
    page.add("Give it more room, and tell the team that owns it what you did.")
    page.add("")
    if dice.random() < 0.6:
        page.add("```bash")
        page.add(dice.choice(CHANGES), *(() if rollback else ("rollback/missing",)))
        page.add("```")
        page.add("")


# ---------------------------------------------------------------- styles


def _four(page: Page, dice: Random, heads: tuple[str, str, str, str], title_line: int) -> None:
    """Meaning, impact, diagnosis, mitigation, with defects of sections."""
    meaning, impact, look, act = heads
    for missing in ("verify", "rollback", "escalation"):
        page.planted.append((title_line, "section/absent"))
        assert missing
    kind = dice.choice(["whole"] * 6 + ["no meaning", "no diagnosis", "empty", "todo"])
    if kind == "no meaning":
        page.planted.append((title_line, "section/absent"))
    else:
        _head(page, meaning)
        prose(page, dice)
    _head(page, impact)
    prose(page, dice)
    if kind == "no diagnosis":
        page.planted.append((title_line, "section/needed"))
    else:
        _head(page, look)
        diagnosis(page, dice)
    _head(page, act, *(("section/empty",) if kind in ("empty", "todo") else ()))
    if kind == "todo":
        page.add("TODO", "text/placeholder")
    elif kind == "empty":
        page.add("Restart it.")
    else:
        mitigation(page, dice, rollback=False)
    page.add("")


def _head(page: Page, text: str, *rules: str) -> None:
    if page.style == "underlined":
        page.add(text, *rules)
        page.add("-" * len(text))
    else:
        page.add(text, *rules)
    page.add("")


def _nobody(page: Page) -> None:
    """No front matter of ours: nobody owns it, and nobody looked."""
    page.planted += [(1, "owner/missing"), (1, "fresh/never")]
    if page.number >= LINKED:
        page.planted.append((1, "alert/orphan"))


def prometheus_operator(page: Page, dice: Random) -> None:
    page.add("---")
    page.add(f"title: {page.name}")
    page.add("weight: 20")
    page.add("---")
    page.add("")
    _nobody(page)
    title = page.add(f"# {page.name}")
    page.add("")
    _four(page, dice, ("## Meaning", "## Impact", "## Diagnosis", "## Mitigation"), title)


def openshift(page: Page, dice: Random) -> None:
    _nobody(page)
    title = page.add(f"# {page.name}")
    page.add("")
    _four(page, dice, ("## Meaning", "## Impact", "## Diagnosis", "## Mitigation"), title)


def numbered(page: Page, dice: Random) -> None:
    """Headings with numbers and other names, on the third level, without a title."""
    _nobody(page)
    page.add(f"This is about {page.name}.")
    page.add("")
    names = (
        "### 1. Summary", "### 2. Impact on customers", "### 3. Troubleshooting steps",
        "### 4. Remediation",
    )  # fmt: skip
    _four(page, dice, names, 1)


def underlined(page: Page, dice: Random) -> None:
    _nobody(page)
    title = page.add(page.name)
    page.add("=" * len(page.name))
    page.add("")
    _four(page, dice, ("Overview", "Impact", "Investigation", "Resolution"), title)


def collection(page: Page, dice: Random) -> None:
    """One page for several alerts."""
    _nobody(page)
    page.add("# Runbooks of the shop")
    page.add("")
    for number in range(dice.randint(2, 4)):
        part = page.add(f"## {page.name if number == 0 else f'Part{number}'}")
        page.add("")
        page.planted += [(part, "section/absent")] * 5
        page.add("### Diagnosis")
        page.add("")
        fence(page, dice, "kubectl get pods", ())
        page.add("")
        page.add("A pod that restarts again and again is the cause.")
        page.add("")
        thin = dice.random() < 0.2
        page.add("### Mitigation", *(("section/empty",) if thin else ()))
        page.add("")
        if thin:
            page.add("Wait.")
        else:
            mitigation(page, dice, rollback=False)
        page.add("")


def gameday_own(page: Page, dice: Random) -> None:
    """Front matter and steps, all that gameday knows, with defects of both."""
    _front(page, dice)
    page.add(f"# {page.name}")
    page.add("")
    for name in ("Meaning", "Impact"):
        page.add(f"## {name}")
        page.add("")
        prose(page, dice)
    page.add("## Diagnosis")
    page.add("")
    page.add("Errors grow:")
    page.add("")
    _step(page, dice, "diagnose", 'curl -fsS "http://$EDGE/errors"')
    page.add("## Mitigation")
    page.add("")
    page.add("Take the dependency that fails out of the path, and tell its owner.")
    page.add("")
    declared = dice.random() < 0.8
    page.add(f"```bash {{name=out phase=mitigate timeout=5s{' mutates=true' if declared else ''}}}")
    page.add(
        'curl -fsS -X POST "http://$EDGE/out"', *(() if declared else ("step/undeclared-change",))
    )
    page.add("```")
    page.add("")
    page.add("## Verify")
    page.add("")
    _step(page, dice, "verify", 'curl -fsS "http://${SHOP:-localhost}/ok"')
    page.add("## Rollback")
    page.add("")
    page.add("Nothing to undo.")


def _front(page: Page, dice: Random) -> None:
    odd = dice.choice(["", "", "", "ownr", "alerts", "stale", "future", "never", "unknown alert"])
    page.add("---")
    page.add("gameday_runbook: 1")
    if odd == "ownr":
        page.add("ownr: team-shop", "front/key")
        page.planted.append((1, "owner/missing"))
    else:
        page.add("owner: team-shop")
    _alerts(page, odd)
    dates = {"stale": "2025-06-01", "future": "2027-06-01"}
    if odd == "never":
        page.planted.append((1, "fresh/never"))
    else:
        rules = [f"fresh/{odd}"] if odd in dates else []
        page.add(f"last_validated: {dates.get(odd, '2026-05-01')}", *rules)
    page.add("review_every: 90d")
    page.add("escalation: {to: team-lead, after: 15m}")
    page.add('params: {EDGE: {default: "localhost:8080"}}')
    page.add("---")
    page.add("")


def _alerts(page: Page, odd: str) -> None:
    if odd == "alerts":
        page.add("alerts: Alert", "front/value")
        if page.number >= LINKED:
            page.planted.append((1, "alert/orphan"))
    elif odd == "unknown alert":
        page.add("alerts: [NoSuchAlert]", "alert/unknown")
    elif page.number < LINKED:
        page.add(f"alerts: [{page.name}]")
    else:
        page.add("alerts: [Alert000]", "alert/not-linked")


def _step(page: Page, dice: Random, phase: str, command: str) -> None:
    odd = dice.choice(["", "", "", "timeout", "asserts", "attribute", "unbound", "syntax"])
    words = [f"name={phase}-it", f"phase={phase}"]
    rules: list[str] = []
    if odd == "timeout":
        rules.append("step/no-timeout")
    elif odd == "attribute":
        words.append("timeout=5")
        rules.append("step/attribute")
    else:
        words.append("timeout=5s")
    if odd == "asserts":
        rules.append("step/asserts-nothing")
    else:
        words.append('expect_stdout="errors: [1-9]"')
    page.add(f"```bash {{{' '.join(words)}}}", *rules)
    page.add(command)
    if odd == "unbound":
        page.add('echo "$NOT_A_PARAM"', "step/unbound")
    if odd == "syntax":
        page.add("echo ) b", "step/syntax")
    page.add("```")
    page.add("")


STYLES: dict[str, Callable[[Page, Random], None]] = {
    "prometheus-operator": prometheus_operator,
    "openshift": openshift,
    "numbered": numbered,
    "underlined": underlined,
    "collection": collection,
    "gameday": gameday_own,
}
