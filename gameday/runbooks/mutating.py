"""Which commands change something, by their words: a table. What is not in it only looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_KUBE = frozenset(
    [
        "delete",
        "apply",
        "create",
        "replace",
        "patch",
        "edit",
        "scale",
        "autoscale",
        "set",
        "label",
        "annotate",
        "drain",
        "cordon",
        "uncordon",
        "taint",
    ]
)
#: program -> its options that take a value, which is no verb.
_VALUED: Mapping[str, frozenset[str]] = {
    program: frozenset(options.split())
    for program, options in {
        "kubectl": "-n --namespace --context --cluster --kubeconfig -s --server --as --as-group"
        " --user -l --selector -f --token --request-timeout -v",
        "docker": "-H --host -c --context --config -l --log-level -f --file -p --project-name"
        " --project-directory --profile --env-file",
        "helm": "-n --namespace --kube-context --kubeconfig",
        "git": "-C -c --git-dir --work-tree",
        "systemctl": "-H --host -M --machine -t --type -p --property -s --signal",
        "aws": "--profile --region --output --endpoint-url --query",
        "ip": "-n -netns",
        "tc": "-n -netns",
        "rabbitmqctl": "-n --node -t --timeout",
    }.items()
}
_SAME = {"oc": "kubectl", "podman": "docker", "docker-compose": "docker"}
#: program -> words directly after it (options left out) that change something.
_VERBS: Mapping[str, frozenset[str]] = {
    program: frozenset(verbs.split())
    for program, verbs in {
        "systemctl": "start stop restart try-restart reload reload-or-restart enable disable mask"
        " unmask kill daemon-reload isolate reboot poweroff",
        "docker": "rm rmi stop start restart kill pause unpause update rename prune",
        "podman": "rm rmi stop start restart kill pause unpause update rename prune",
        "docker-compose": "up down restart stop start rm kill",
        "helm": "install upgrade rollback uninstall delete",
        "terraform": "apply destroy import taint untaint",
        "apt": "install remove purge upgrade full-upgrade autoremove",
        "apt-get": "install remove purge upgrade dist-upgrade autoremove",
        "yum": "install remove update upgrade erase",
        "dnf": "install remove update upgrade erase",
        "git": "push reset revert commit merge rebase",
        "vault": "write delete",
        "etcdctl": "put del defrag compact compaction",
        "consul": "leave reload",
        "rabbitmqctl": "stop stop_app start_app reset force_reset purge_queue delete_queue",
        "ifconfig": "up down",
        "crontab": "-e -r",
        "nginx": "-s",
    }.items()
}
#: program -> pairs of words that change something.
_PAIRS: Mapping[str, Mapping[str, frozenset[str]]] = {
    program: {first: frozenset(second.split()) for first, second in pairs.items()}
    for program, pairs in {
        "docker": {
            "compose": "up down restart stop start rm kill",
            "container": "rm stop start restart kill pause unpause prune",
            "image": "rm prune",
            "network": "rm connect disconnect create prune",
            "volume": "rm create prune",
            "system": "prune",
            "service": "rm scale update rollback",
        },
        "kubectl": {
            "rollout": "restart undo pause resume",
            "certificate": "approve deny",
        },
        "oc": {
            "rollout": "restart undo pause resume latest",
            "adm": "drain cordon uncordon taint policy prune",
        },
        "ip": {
            "link": "set add del delete",
            "route": "add del delete replace change flush",
            "addr": "add del delete flush",
        },
        "tc": {"qdisc": "add del change replace", "filter": "add del", "class": "add del"},
        "consul": {"kv": "put delete"},
        "amtool": {"silence": "add expire update"},
    }.items()
}
#: Programs that do nothing else.
_ALWAYS = frozenset(
    [
        "rm",
        "rmdir",
        "mv",
        "dd",
        "truncate",
        "shred",
        "mkfs",
        "kill",
        "pkill",
        "killall",
        "reboot",
        "shutdown",
        "poweroff",
        "halt",
        "chmod",
        "chown",
        "ln",
    ]
)
_SQL_PROGRAMS = frozenset(
    ["psql", "mysql", "mariadb", "sqlite3", "cockroach", "clickhouse-client", "sqlcmd"]
)
_SQL = re.compile(
    r"(?:^|[;(]|\bas\b)\s*(insert\s+into|update\s+\S+\s+set|delete\s+from|drop\s+\w+|truncate\b"
    r"|alter\s+\w+|create\s+\w+|grant\s|revoke\s|vacuum\s+full|reindex\b)"
    r"|\b(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_promote)\s*\(",
    re.IGNORECASE,
)
_REDIS = frozenset(
    [
        "flushall",
        "flushdb",
        "del",
        "unlink",
        "set",
        "mset",
        "hset",
        "expire",
        "rename",
        "shutdown",
        "failover",
        "bgrewriteaof",
        "replicaof",
        "slaveof",
    ]
)
_HTTP = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Options that sound as if nothing were done, and do it.
_WET = frozenset({"none", "false", "f", "0"})
#: Short options of curl without a value, which others can follow in the same word.
_CURL_FLAGS = "-[#0-46aBfgGiIjJklLMnNOpqRsSvVZ]*"
_CURL_METHOD = re.compile(_CURL_FLAGS + "X(.*)")
#: Options of curl that send something, and those that make a GET of it again.
_CURL_SENDS = re.compile(_CURL_FLAGS + r"[dF].*|--(?:data(?:-\w+)?|json|form(?:-string)?)(?:=.*)?")
_CURL_PUTS = re.compile(_CURL_FLAGS + r"T.*|--upload-file(?:=.*)?")
_CURL_GET = re.compile(_CURL_FLAGS + r"[GI][a-zA-Z]*|--get|--head")
#: Where a POST only asks.
_QUESTIONS = re.compile(r"/(?:query|query_range|_search|_msearch|_count|graphql|series|labels)\b")
_AWS = re.compile(
    r"(?:delete|terminate|update|put|modify|create|reboot|stop|start|set|attach|detach|remove)-.+"
)
_CLOUD = frozenset(
    [
        "delete",
        "create",
        "update",
        "resize",
        "reset",
        "stop",
        "start",
        "restart",
        "deallocate",
        "patch",
    ]
)
_IPTABLES = frozenset(
    [
        "-A",
        "-I",
        "-D",
        "-R",
        "-F",
        "-X",
        "-P",
        "-N",
        "--append",
        "--insert",
        "--delete",
        "--flush",
        "--policy",
    ]
)


def mutates(words: Sequence[str]) -> str:
    """What of a command changes something, for people; empty when nothing does."""
    if not words:
        return ""
    program, args = words[0].rpartition("/")[2], list(words[1:])
    if any(a == "--help" or _is_dry(a) for a in args):
        return ""
    if program in _ALWAYS or program.startswith("mkfs."):
        return "" if _harmless(program, args) else program
    special = _SPECIAL.get(program)
    if special is not None and (what := special(program, args)):
        return what
    plain = _plain(program, args)
    first = args[0] if args else ""
    verbs = _VERBS.get(program, frozenset())
    if verbs & {first, *plain[:1]}:
        return f"{program} {next(a for a in (first, *plain[:1]) if a in verbs)}"
    if len(plain) > 1 and plain[1] in _PAIRS.get(program, {}).get(plain[0], ()):
        return f"{program} {plain[0]} {plain[1]}"
    return ""


def _is_dry(arg: str) -> bool:
    name, _, value = arg.partition("=")
    return name.startswith("--dry-run") and value.lower() not in _WET


def _plain(program: str, args: list[str]) -> list[str]:
    """The words up to `--` that are no options and no values of one."""
    valued = _VALUED.get(_SAME.get(program, program), frozenset())
    plain, skip = [], False
    for arg in args:
        if arg == "--":
            break
        if skip:
            skip = False
        elif arg.startswith("-"):
            skip = arg in valued
        else:
            plain.append(arg)
    return plain


def mutates_sql(text: str) -> str:
    """The statement in *text* that changes something."""
    match = _SQL.search(text.partition("--")[0] if text.lstrip().startswith("--") else text)
    return " ".join((match[1] or match[2]).split()).upper() if match else ""


def _harmless(program: str, args: list[str]) -> bool:
    """A signal 0, or files of one's own under /tmp."""
    files = [a for a in args if not a.startswith("-")]
    if program in ("rm", "rmdir"):
        return bool(files) and all(f.startswith("/tmp/") and ".." not in f for f in files)  # noqa: S108 - a word in a text
    return program == "kill" and args[:1] in (["-0"], ["-l"])


def _kube(program: str, args: list[str]) -> str:
    plain = _plain(program, args)
    if plain[:2] == ["create", "token"]:
        return ""  # it is printed, and runs out
    if plain and plain[0] in _KUBE:
        return f"{program} {plain[0]}"
    if plain[:2] == ["adm", "upgrade"] and any(a.startswith("--to") for a in args):
        return f"{program} adm upgrade"
    if len(plain) > 1 and plain[1] in _PAIRS[program].get(plain[0], ()):
        return f"{program} {plain[0]} {plain[1]}"
    return ""


def _curl(program: str, args: list[str]) -> str:
    method = ""
    for arg, after in zip(args, [*args[1:], ""], strict=True):
        short = _CURL_METHOD.fullmatch(arg)
        if arg == "--request" or (short and not short[1]):
            method = after.upper()
        elif short:
            method = short[1].upper()
        elif arg.startswith("--request="):
            method = arg.partition("=")[2].upper()
    sent = next((how for a in args if (how := _sends(a))), "") if not method else ""
    if sent and not any(_CURL_GET.fullmatch(a) for a in args):
        method = sent
    if method == "POST" and any(_QUESTIONS.search(a) for a in args):
        return ""
    return f"{program} -X {method}" if method in _HTTP else ""


def _sends(arg: str) -> str:
    """The method that an option of curl means by what it sends."""
    if _CURL_SENDS.fullmatch(arg):
        return "POST"
    return "PUT" if _CURL_PUTS.fullmatch(arg) else ""


def _wget(program: str, args: list[str]) -> str:
    hit = next((a for a in args if a.startswith(("--post-", "--body-"))), "")
    if hit:
        return f"{program} {hit.partition('=')[0]}"
    methods = (a.partition("=")[2].upper() for a in args if a.startswith("--method="))
    method = next((m for m in methods if m in _HTTP), "")
    return f"{program} --method={method}" if method else ""


def _httpie(program: str, args: list[str]) -> str:
    method = next((a for a in args if a in _HTTP), "")
    return f"{program} {method}" if method else ""


def _sql(program: str, args: list[str]) -> str:
    what = next((w for a in args if (w := mutates_sql(a))), "")
    return f"{program}: {what}" if what else ""


def _redis(program: str, args: list[str]) -> str:
    plain = [a.lower() for a in args]
    configured = "config" in plain and "set" in plain
    hit = "config set" if configured else next((a for a in plain if a in _REDIS), "")
    return f"{program} {hit.upper()}" if hit else ""


def _aws(program: str, args: list[str]) -> str:
    plain = _plain(program, args)
    verb = next((a for a in plain[1:3] if _AWS.fullmatch(a)), "")
    return f"{program} {plain[0]} {verb}" if verb else ""


def _cloud(program: str, args: list[str]) -> str:
    plain = [a for a in args if not a.startswith("-")]
    verb = next((a for a in plain[1:5] if a in _CLOUD), "")
    return f"{program} … {verb}" if verb else ""


def _service(program: str, args: list[str]) -> str:
    verb = next((a for a in args[1:] if a in ("start", "stop", "restart", "reload")), "")
    return f"{program} … {verb}" if verb else ""


def _options(*given: str) -> Callable[[str, list[str]], str]:
    """A program that changes something with one of these options."""

    def look(program: str, args: list[str]) -> str:
        hit = next((a for a in args if a in given), "")
        return f"{program} {hit}" if hit else ""

    return look


def _in_place(program: str, args: list[str]) -> str:
    """Files are written with `-i` of sed and perl, also after other letters, before an ending."""
    hit = any(re.fullmatch(r"-[pnlawrEsuz0-9]*i.*|--in-place(?:=.*)?", a) for a in args)
    return f"{program} -i" if hit else ""


def _sysctl(program: str, args: list[str]) -> str:
    hit = next((a for a in args if a in ("-w", "--write", "-p") or "=" in a), "")
    return f"{program} {hit}" if hit else ""


_SPECIAL: Mapping[str, Callable[[str, list[str]], str]] = {
    "kubectl": _kube,
    "oc": _kube,
    "curl": _curl,
    "wget": _wget,
    "http": _httpie,
    "https": _httpie,
    "redis-cli": _redis,
    "valkey-cli": _redis,
    "aws": _aws,
    "gcloud": _cloud,
    "az": _cloud,
    "service": _service,
    "sed": _in_place,
    "perl": _in_place,
    "sysctl": _sysctl,
    "find": _options("-delete"),
    "iptables": _options(*sorted(_IPTABLES)),
    "ip6tables": _options(*sorted(_IPTABLES)),
    "kafka-topics.sh": _options("--delete", "--alter", "--create"),
    "kafka-topics": _options("--delete", "--alter", "--create"),
    "kafka-consumer-groups.sh": _options("--reset-offsets", "--delete"),
    "kafka-consumer-groups": _options("--reset-offsets", "--delete"),
    **dict.fromkeys(_SQL_PROGRAMS, _sql),
}
