"""A case of the contract for every fault of this host, and for every generic one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from every_kind_support import Bench, Builder, hung
from generic_support import Kit, command_kit, http_kit, python_kit
from host_support import KILL, SERVICE, STOP, files_below, hosting, running, state
from test_host_certificates import Endpoint
from test_host_certificates import spec as certificate
from test_host_started import Clock, skew

from gameday.model.faults import call_limit_ms
from gameday.testing.contract import Case


def files(directory: Path) -> dict[str, bytes]:
    """Of the project, with our notes; without the rest of our folder, and what programs write."""
    ours = str(directory.resolve() / ".gameday")
    return {
        path: data
        for path, data in files_below(directory.resolve()).items()
        if not (path.startswith(ours) and not path.endswith(".json"))
        and not path.endswith(("calls.log", ".pyc"))
    }


@contextmanager
def process_stop(bench: Bench) -> Iterator[Case]:
    with hosting(bench.directory) as host:
        pid = host.forking().pid
        host.write("service.py", SERVICE)
        yield Case(
            make=lambda: host.fault(STOP),
            snapshot=lambda: files(host.directory),
            broken=lambda: state(pid) == "T",
        )


@contextmanager
def process_kill(bench: Bench) -> Iterator[Case]:
    with hosting(bench.directory) as host:
        host.sleeper()
        host.write("service.py", SERVICE)

        def but_for_its_number() -> dict[str, bytes]:
            return {p: data for p, data in files(host.directory).items() if p != str(host.pidfile)}

        yield Case(
            make=lambda: host.fault(KILL),
            snapshot=but_for_its_number,
            untouched=lambda: files(host.directory),
            broken=lambda: not running(host.named()),
        )


#: Type of a certificate fault -> the words of a client.
CLIENT_SAYS = {
    "expired": "certificate has expired",
    "wrong_host": "Hostname mismatch",
    "untrusted": "unable to get local issuer",
}


def certificate_case(kind: str) -> Builder:
    @contextmanager
    def build(bench: Bench) -> Iterator[Case]:
        with hosting(bench.directory) as host:
            endpoint = Endpoint(host)
            yield Case(
                make=lambda: endpoint.fault(certificate(kind)),
                snapshot=lambda: files(host.directory),
                broken=lambda: CLIENT_SAYS[kind] in endpoint.client_says(),
                hang=lambda: hung(endpoint.process.pid),
            )

    return build


@contextmanager
def clock_skew(bench: Bench) -> Iterator[Case]:
    bench.fixture("faketime")
    with hosting(bench.directory) as host:
        clock = Clock(host)
        try:
            yield Case(
                make=lambda: host.clock(skew(3_600_000), clock.target),
                snapshot=lambda: files(host.directory),
                broken=lambda: clock.ahead_s() > 1_800,
            )
        finally:
            clock.close()


def generic_case(kit_in: Callable[[Path], AbstractContextManager[Kit]], timeout_ms: int) -> Builder:
    @contextmanager
    def build(bench: Bench) -> Iterator[Case]:
        bench.fixture("monkeypatch").setenv("FLAG_TOKEN_SECRET", "s3cr3t-of-the-flag")
        with kit_in(bench.directory) as kit:
            calls: dict[str, Any] = {n: {"timeout_ms": timeout_ms} for n in kit.calls}

            @contextmanager
            def hang() -> Iterator[None]:
                kit.mood("hang")
                try:
                    yield
                finally:
                    (kit.directory / "mood").unlink()

            yield Case(
                make=lambda: kit.fault(timeout_ms=timeout_ms),
                snapshot=lambda: files(kit.directory),
                broken=kit.switch.exists,
                hang=hang,
                limit_s=call_limit_ms(kit.family, kit.family, calls) / 1000,
            )

    return build


@contextmanager
def _command(directory: Path) -> Iterator[Kit]:
    yield command_kit(directory)


@contextmanager
def _python(directory: Path) -> Iterator[Kit]:
    yield python_kit(directory)


#: Kind -> its case.
HOST: Mapping[str, Builder] = {
    "process.stop": process_stop,
    "process.kill": process_kill,
    **{f"certificate.{kind}": certificate_case(kind) for kind in CLIENT_SAYS},
    "clock.skew": clock_skew,
    "command": generic_case(_command, 3_000),
    "http": generic_case(http_kit, 3_000),
    "python": generic_case(_python, 5_000),
}
