"""The parts of an ejected Locust file that are the same for every scenario; no code of gameday.

They do what `agent_steps`, `agent_answers` and `agent_feeds` do for journeys; the round trip in
`tests/contract/test_load_eject.py` holds the two together. `@NAME@` is filled in by `eject`.
"""

from __future__ import annotations

VISITOR = '''\
class Visitor(FastHttpUser):
    """What all journeys share: a visit ends at its first wrong answer."""

    abstract = True
    connection_timeout = network_timeout = @TIMEOUT@
    default_headers = {"User-Agent": @AGENT@}
@WAIT@

    def begin(self@NAMES_ARG@):
@BEGIN@

    def step(
        self,
        method,
        path,
        *,
        name,
        headers=None,
        json=None,
        body=None,
        form=None,
@FILES_ARG@        expect=None,
        capture=None,
    ):
        """One request, sent once; redirects are not followed.

        `{{ name }}` stands for a value. Without a `status` in `expect`, any below 400
        is right. What is captured from the answer is a value for later steps.
        """
        values = self.values
        headers = {
            key: " ".join(filled_text(value, values).splitlines())
            for key, value in (headers or {}).items()
        }
@AUTH_USE@        data = None if body is None else filled_text(body, values)
        if json is not None:
            data = dumps(filled(json, values))
            headers = with_type(headers, "application/json")
@FILES_USE@        elif form:
            data = urlencode(filled_fields(form, values))
            headers = with_type(headers, "application/x-www-form-urlencoded")
        in_path = {key: quote(as_text(value), safe="") for key, value in values.items()}
        with self.client.request(
            method,
            filled_text(path, in_path),
            name=name,
            data=data,
            headers=headers,
            catch_response=True,
            allow_redirects=False,
        ) as answer:
            right = self.judge(answer, self.expected(expect or {}), capture or {})
        if not right:
            raise RescheduleTask  # the visitor gives up

    def expected(self, expect):
        """What is expected, with the values of the visit."""
        made = dict(expect)
        if "text" in made:
            made["text"] = filled_text(made["text"], self.values)
        made["header"] = filled_fields(made.get("header", {}), self.values)
        made["json"] = filled(made.get("json", {}), self.values)
        return made

    def judge(self, answer, expect, capture):
        """Whether the answer is the right one; tells Locust, and keeps what is captured."""
        broken = answer.request_meta["exception"]
        if not answer.status_code or (broken and getattr(broken, "code", None) is None):
            return False  # nothing came, or not all of it: Locust reports that itself
        status = expect.get("status")
        if answer.status_code != status and (status or answer.status_code >= 400):
            wanted = f", not {status}" if status else ""
            problem = f"status {answer.status_code}{wanted}"
            failed = answer.status_code >= 400
            answer.failure(problem if failed else AssertionError(problem))
            return False
        problem = next(self.problems(answer, expect), None)
        if problem is None:
            taken = {key: take(answer, how) for key, how in capture.items()}
            missing = [key for key, value in taken.items() if value in (None, "")]
            problem = f"nothing to capture `{missing[0]}` from" if missing else None
            self.values.update(taken)
        if problem is not None:
            answer.failure(AssertionError(problem))
            return False
        answer.success()
        return True

    def problems(self, answer, expect):
        """What is wrong with an answer whose status is right."""
@UNDER_USE@        for key, value in expect["header"].items():
            found = answer.headers.get(key)
            if found != value:
                yield f"header `{key}` is {found}, not {value}"
        if "text" in expect and expect["text"] not in text_of(answer):
            yield f"the text `{expect['text']}` is not in it"
@JSON_USE@@THINK@'''

THINK = '''
    def think(self, least_s, most_s):
        """A pause between two steps. When the load ends, the visitor goes home."""
        pause_s = PAUSES.uniform(least_s, most_s)
        visit = getattr(self, "gameday_visit", None)  # None in plain Locust
        if visit is None:
            gevent.sleep(pause_s)
        elif visit.leaving.wait(pause_s):
            raise RescheduleTask
'''

UNDER_USE = """\
        if "under_ms" in expect:
            took_ms = answer.request_meta["response_time"] + self.late_ms()
            if int(took_ms * 1000) >= expect["under_ms"] * 1000:
                limit_ms = expect["under_ms"]
                yield f"answered after {took_ms:.0f} ms, not under {limit_ms} ms"
"""

LATE = '''
    def late_ms(self):
        """How long after its intended start the request was sent; plain Locust has none."""
        visit = getattr(self, "gameday_visit", None)
        if visit is None or visit.entry is None:
            return 0.0
        entry = visit.entry
        return max(0, entry.sent_ns - entry.intended_ns) / 1e6
'''

JSON_USE = """\
        if expect["json"]:
            try:
                found_in = loads(answer.content or b"")
            except (ValueError, RecursionError):
                yield "not JSON"
                return
            for path, value in expect["json"].items():
                found = search(path, found_in)
                if not same(found, value):
                    yield f"json `{path}` is {found}, not {value}"
"""

AUTH_USE = """\
        if not any(key.lower() == "authorization" for key in headers):
            headers = {**headers, "Authorization": AUTHORIZATION}
"""

FILES_USE = """\
        elif files:
            data, kind = multipart(filled_fields(form or {}, values), files)
            headers = {**headers, "Content-Type": kind}
"""

VALUES = '''\
HOLE = re.compile(r"\\{\\{\\s*([A-Za-z_][A-Za-z0-9_]{0,62})\\s*\\}\\}")


def as_text(value):
    """A value as it stands in a text: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)


def filled_text(text, values):
    """The text with the texts of the values in their places."""
    return HOLE.sub(lambda found: as_text(values[found[1]]), text)


def filled(value, values):
    """The same in JSON. A text that is nothing but `{{ name }}` becomes the value itself."""
    if isinstance(value, str):
        whole = HOLE.fullmatch(value)
        return values[whole[1]] if whole else filled_text(value, values)
    if isinstance(value, dict):
        return {key: filled(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, values) for part in value]
    return value


def filled_fields(form, values):
    """The fields of a form."""
    return {key: filled_text(text, values) for key, text in form.items()}


def with_type(headers, kind):
    """The headers with a content type, unless they have one."""
    if any(key.lower() == "content-type" for key in headers):
        return headers
    return {**headers, "Content-Type": kind}


def dumps(value, ensure_ascii=True):
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ensure_ascii)


def text_of(answer):
    """The body as text, by the character set that the answer names, or UTF-8."""
    kind = answer.headers.get("Content-Type") or ""
    named = re.search(r"charset=\\"?([A-Za-z0-9_.:-]+)", kind, re.IGNORECASE)
    content = answer.content or b""
    try:
        return content.decode(named[1] if named else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


'''

JSON_HELPERS = '''\
def loads(text):
    """JSON as data."""
    return json.loads(text)


def search(path, data):
    """What a JMESPath expression finds; None where it does not fit the data."""
    try:
        return jmespath.search(path, data)
    except (JMESPathError, RecursionError):
        return None


def same(a, b):
    """Whether two values are the same in JSON, where `true` is not 1 but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


'''

TAKE_HEAD = '''\
def take(answer, how):
    """A value from an answer; None where there is none."""
'''
TAKE_JSON = """\
    if "json" in how:
        try:
            return search(how["json"], loads(answer.content or b""))
        except (ValueError, RecursionError):
            return None
"""
TAKE_REST = """\
    if "header" in how:
        return answer.headers.get(how["header"])
    found = re.search(how["regex"], text_of(answer))
    return found and found[1 if found.re.groups else 0]


"""

MULTIPART = '''\
def multipart(form, files):
    """The fields and files of a form, and the content type that says where they end."""
    boundary, parts = uuid.uuid4().hex, []
    for name, text in form.items():
        parts.append((f'name="{quoted(name)}"', text.encode()))
    for name, file in files.items():
        path = PROJECT / file
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        head = f'name="{quoted(name)}"; filename="{quoted(path.name)}"'
        parts.append((f"{head}\\r\\nContent-Type: {kind}", path.read_bytes()))
    body = b"".join(
        f"--{boundary}\\r\\nContent-Disposition: form-data; {head}\\r\\n\\r\\n".encode()
        + content
        + b"\\r\\n"
        for head, content in parts
    )
    kind = f"multipart/form-data; boundary={boundary}"
    return body + f"--{boundary}--\\r\\n".encode(), kind


def quoted(name):
    """A name in the head of a part."""
    return name.replace('"', "%22").replace("\\r", "%0D").replace("\\n", "%0A")


'''

ROWS = '''\
class Rows:
    """The rows of a CSV file: `sequential` (and begins again), `random`, or `unique`."""

    def __init__(self, csv_file, pick):
        with (PROJECT / csv_file).open(encoding="utf-8-sig", newline="") as file:
            self.rows = list(csv.DictReader(file, strict=True))
        self.csv_file, self.pick, self.used = csv_file, pick, 0
        self.random = random.Random(f"{SEED}/{csv_file}")

    def next(self):
        """The next row. Ends the load when each was used once, and should be."""
        if self.pick == "random":
            return self.rows[self.random.randrange(len(self.rows))]
        if self.pick == "unique" and self.used == len(self.rows):
            used = f"all {self.used} rows of `{self.csv_file}`"
            raise SystemExit(f"{used} were used, each once")
        row, self.used = self.used % len(self.rows), self.used + 1
        return self.rows[row]


ROWS = {
    (one["csv"], one["pick"]): Rows(one["csv"], one["pick"]) for one in DATA.values()
}


'''

FIRST_LINE = '''\
def first_line_of(name):
    """The first line of a file of the project."""
    return (PROJECT / name).read_text(encoding="utf-8").partition("\\n")[0].strip()


'''

BEGIN = '''\
        """A new visit, which knows no values yet."""
        self.values = {}'''

BEGIN_DATA = '''\
        """A new visit, with a value for each name; those of one file are of one row."""
        sources = {(DATA[name]["csv"], DATA[name]["pick"]): None for name in names}
        rows = {source: ROWS[source].next() for source in sources}
        self.values = {
            name: rows[DATA[name]["csv"], DATA[name]["pick"]][DATA[name]["column"]]
            for name in names
        }'''
