"""Certificates of a real TLS endpoint that reads them again on SIGHUP or on a command."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import signal
import socket
import ssl
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from host_support import (
    RUN,
    Host,
    action,
    elsewhere,
    files_below,
    full_disk,
    hosting,
    running,
    state,
    wait,
)

from gameday.adapters.host import certificate_undo
from gameday.adapters.host.certificate import CertificateFault
from gameday.adapters.host.lease import recover_target
from gameday.adapters.host.notes import TURN_S
from gameday.adapters.host.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.faults import FAMILIES
from gameday.model.project import CertificateRef, Target
from gameday.model.scenario import FaultSpec

#: Serves the certificate of cert.pem; reads it again on SIGHUP, unless `deaf` lies there.
SERVER = """
import os, signal, socket, ssl, sys
def read(*_):
    global context
    if os.path.exists("deaf"): return
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain("tls/cert.pem", sys.argv[1])
    context = made
read()
signal.signal(signal.SIGHUP, read)
server = socket.create_server(("127.0.0.1", 0))
open("server.pid.new", "w").write(str(os.getpid()))
os.replace("server.pid.new", "server.pid")
print(server.getsockname()[1], flush=True)
while True:
    one, _ = server.accept()
    one.settimeout(5)
    try:
        with one, context.wrap_socket(one, server_side=True) as secure: secure.recv(1)
    except OSError: pass
"""
RELOAD = "import os; os.kill(int(open('server.pid').read()), 1)"


class Endpoint:
    """A TLS server with a test authority, and the target that describes it."""

    def __init__(
        self,
        host: Host,
        *,
        names: tuple[str, ...] = ("shop.example.org", "127.0.0.1"),
        combined: bool = False,
        key_type: trustme.KeyType = trustme.KeyType.ECDSA,
    ) -> None:
        self.host, self.ca = host, trustme.CA()
        self.folder = host.directory / "tls"
        self.folder.mkdir()
        leaf = self.ca.issue_cert(*names, key_type=key_type)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        self.key = self.folder / ("cert.pem" if combined else "key.pem")
        self.cert = self.folder / "cert.pem"
        self.key.write_bytes(leaf.private_key_pem.bytes())
        self.key.chmod(0o600)
        if combined:
            chain = leaf.private_key_pem.bytes() + chain
        self.cert.write_bytes(chain)
        (self.folder / "ca.pem").write_bytes(self.ca.cert_pem.bytes())
        (self.folder / "ca.key").write_bytes(self.ca.private_key_pem.bytes())
        self.process = host.spawn(sys.executable, "-c", SERVER, f"tls/{self.key.name}")
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.ref = CertificateRef(
            cert="tls/cert.pem",
            key=f"tls/{self.key.name}",
            endpoint=f"127.0.0.1:{self.port}",
            ca="tls/ca.pem",
            ca_key="tls/ca.key",
            pidfile="server.pid",
        )

    def fault(self, spec: FaultSpec, **changes: Any) -> CertificateFault:
        target = Target(name="t", certificate=replace(self.ref, **changes))
        return CertificateFault(
            self.host.directory, RUN, target, spec, commands=(sys.executable, "sleep")
        )

    def client_says(self, name: str = "shop.example.org") -> str:
        """What a client that trusts the authority makes of the endpoint; empty if all is well."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                return ""
        except ssl.SSLCertVerificationError as error:
            return str(error.verify_message)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


@pytest.fixture
def endpoint(host: Host) -> Endpoint:
    return Endpoint(host)


def spec(kind: str) -> FaultSpec:
    return action("certificate", kind)


EXPIRED = spec("expired")


def test_prepare_changes_nothing(endpoint: Endpoint) -> None:
    before = files_below(endpoint.host.directory)
    undo = endpoint.fault(EXPIRED).prepare()
    assert files_below(endpoint.host.directory) == before
    assert json.loads(json.dumps(undo)) == undo
    assert not UNDOER.present(undo)
    assert "PRIVATE" not in json.dumps(undo)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "certificate has expired"),
        ("wrong_host", "Hostname mismatch"),
        ("untrusted", "unable to get local issuer"),
    ],
)
def test_clients_see_exactly_what_is_wrong_and_then_nothing(
    endpoint: Endpoint, kind: str, words: str
) -> None:
    assert endpoint.client_says() == ""
    before = files_below(endpoint.folder)
    fault = endpoint.fault(spec(kind))
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert (facts["read_back"], facts["certificate"]) == (True, kind)
    assert facts["served_sha256"] != undo["served_sha256"]
    assert words in endpoint.client_says()
    assert UNDOER.present(undo)
    reverted = UNDOER.revert(undo)
    assert reverted["served_sha256"] == undo["served_sha256"]
    assert not UNDOER.present(undo)
    assert endpoint.client_says() == ""
    assert files_below(endpoint.folder) == before
    assert endpoint.host.notes() == []


@pytest.mark.parametrize("key_type", list(trustme.KeyType))
def test_names_and_the_kind_of_key_are_those_of_the_present_one(
    host: Host, key_type: trustme.KeyType
) -> None:
    names = ("a.example.org", "*.b.example.org", "127.0.0.1", "::1")
    endpoint = Endpoint(host, names=names, key_type=key_type)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    kind = endpoint.key.read_bytes().splitlines()[0]
    fault.inject(undo)
    planted = x509.load_pem_x509_certificate(endpoint.cert.read_bytes())
    found = planted.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    got = [*found.get_values_for_type(x509.DNSName)]
    got += [str(a) for a in found.get_values_for_type(x509.IPAddress)]
    assert tuple(got) == names
    assert endpoint.key.read_bytes().splitlines()[0] == kind
    age = datetime.datetime.now(datetime.UTC) - planted.not_valid_after_utc
    assert datetime.timedelta(hours=23) < age < datetime.timedelta(hours=25)
    UNDOER.revert(undo)


def test_one_file_with_both_is_put_back_too(host: Host) -> None:
    endpoint = Endpoint(host, combined=True)
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    assert "expired" in endpoint.client_says()
    UNDOER.revert(undo)
    assert endpoint.client_says() == ""
    assert files_below(endpoint.folder) == before


def test_owner_and_mode_are_kept_and_no_planted_key_stays(endpoint: Endpoint) -> None:
    if os.geteuid() == 0:
        os.chown(endpoint.key, 12, 34)
    endpoint.key.chmod(0o640)
    before = endpoint.key.stat()
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    planted = endpoint.key.read_bytes()
    for path in (endpoint.key, Path(undo["files"]["key"]["backup"])):
        now = path.stat()
        assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (
            before.st_uid, before.st_gid, 0o640,
        )  # fmt: skip
    endpoint.folder.joinpath(".key.pem.1-2.gameday-draft").write_bytes(planted)  # cut off
    UNDOER.revert(undo)
    after = endpoint.key.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert planted not in files_below(endpoint.host.directory).values()


def test_reverting_twice_is_fine_and_reloads_once(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED, pidfile=None, reload=(sys.executable, "-c", COUNTED))
    undo = fault.prepare()
    fault.inject(undo)
    assert UNDOER.revert(undo)["restored"] == ["key", "cert"]
    assert UNDOER.revert(undo)["restored"] == []
    assert (endpoint.host.directory / "reloads").read_text() == "xx"


COUNTED = "open('reloads', 'a').write('x');" + RELOAD


def test_an_endpoint_that_hangs_since_prepare_gets_no_other_files(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    before = files_below(endpoint.folder)
    endpoint.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NoEffectError, match="shows no certificate"):
            fault.inject(undo)
    finally:
        endpoint.process.send_signal(signal.SIGCONT)
    assert files_below(endpoint.folder) == before
    assert endpoint.host.notes() == []
    assert not UNDOER.present(undo)


def test_revert_before_inject_changes_nothing(endpoint: Endpoint) -> None:
    undo = endpoint.fault(EXPIRED).prepare()
    before = files_below(endpoint.folder)
    UNDOER.revert(undo)
    assert files_below(endpoint.folder) == before


def test_revert_works_from_the_record_in_another_process(endpoint: Endpoint) -> None:
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    program = "assert r.present(u); r.revert(u); assert not r.present(u); "
    program += "assert not {'trustme', 'cryptography'} & set(sys.modules)"  # nothing to import
    elsewhere(undo, program, endpoint.host.directory)
    assert files_below(endpoint.folder) == before


@pytest.mark.parametrize("with_note", [True, False])
@pytest.mark.parametrize("writes", range(9))
def test_an_inject_cut_off_anywhere_is_seen_and_undone(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, writes: int, with_note: bool
) -> None:
    """After 0, 1, 2 ... files were put in place: as if the runner had died there."""
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    done = []

    def dying(real: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if len(done) >= writes:
                raise RuntimeError("the runner died here")
            done.append(args)
            return real(*args, **more)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying(Path.replace))
        patched.setattr(os, "link", dying(os.link))
        patched.setattr(signal, "pidfd_send_signal", dying(signal.pidfd_send_signal))
        try:
            fault.inject(undo)
        except RuntimeError:
            assert len(done) == writes
    if not with_note:
        for path in (endpoint.host.directory / ".gameday").glob("host/*.json"):
            path.unlink()
    planted = {k: v for k, v in files_below(endpoint.folder).items() if ".gameday-" not in k}
    assert UNDOER.present(undo) is (planted != before)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert endpoint.client_says() == ""
    assert files_below(endpoint.folder) == before


@pytest.mark.parametrize("writes", range(4))
def test_a_revert_cut_off_anywhere_is_repeated(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    done = []
    real = Path.replace

    def dying(self: Path, other: Path) -> Path:
        if len(done) >= writes:
            raise RuntimeError("the runner died here")
        done.append(other)
        return real(self, other)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        if writes < 2:
            with pytest.raises(RuntimeError):
                UNDOER.revert(undo)
            assert UNDOER.present(undo)
        else:
            UNDOER.revert(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert files_below(endpoint.folder) == before


def test_on_a_full_disk_it_goes_out_all_the_same_and_none_goes_in(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    with monkeypatch.context() as patched:
        full_disk(patched)
        with pytest.raises(NoEffectError, match="No space left"):
            fault.inject(undo)
    assert files_below(endpoint.folder) == before
    fault.inject(undo)
    with monkeypatch.context() as patched:
        full_disk(patched)
        UNDOER.revert(undo)
        assert not UNDOER.present(undo)
    assert files_below(endpoint.folder) == before
    assert endpoint.client_says() == ""


def test_recovery_needs_only_the_project(endpoint: Endpoint) -> None:
    before = files_below(endpoint.folder)
    fault = endpoint.fault(spec("untrusted"))
    fault.inject(fault.prepare())
    assert recover_target(endpoint.host.directory).clean
    assert files_below(endpoint.folder) == before
    assert endpoint.client_says() == ""


def test_an_endpoint_that_does_not_read_again_leaves_it_in_doubt(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.host.certificate.SERVED_S", 0.2)
    monkeypatch.setattr(certificate_undo, "SERVED_S", 0.2)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    deaf = endpoint.host.directory / "deaf"
    deaf.touch()
    with pytest.raises(AdapterError, match="has not followed") as caught:
        fault.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert UNDOER.present(undo)
    UNDOER.revert(undo)  # it never served another one
    assert not UNDOER.present(undo)
    deaf.unlink()
    fault.inject(undo)
    deaf.touch()
    with pytest.raises(AdapterError, match="has not followed"):
        UNDOER.revert(undo)
    assert UNDOER.present(undo)  # the files are back, but the planted one is served
    deaf.unlink()
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


def test_an_endpoint_that_has_ended_is_no_debt_once_its_files_are_back(
    endpoint: Endpoint,
) -> None:
    before = files_below(endpoint.folder)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    endpoint.process.kill()
    endpoint.process.wait()
    assert UNDOER.present(undo)  # whoever starts it again would serve the planted one
    assert UNDOER.revert(undo)["gone"]
    assert not UNDOER.present(undo)
    assert files_below(endpoint.folder) == before


def test_an_endpoint_that_hangs_cannot_be_seen_and_bounds_every_call(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate_undo, "HANDSHAKE_S", 0.2)
    monkeypatch.setattr(certificate_undo, "SERVED_S", 0.2)
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    os.kill(endpoint.process.pid, signal.SIGSTOP)
    wait(lambda: state(endpoint.process.pid) == "T")
    with pytest.raises(CannotSeeError, match="cannot be seen"):
        UNDOER.present(undo)
    with pytest.raises(AdapterError, match="timed out"):
        UNDOER.revert(undo)
    with pytest.raises(NoEffectError, match="shows no certificate"):
        endpoint.fault(EXPIRED).prepare()


def test_the_limits_of_the_calls_fit_into_the_engines() -> None:
    c = certificate_undo
    revert = TURN_S + c.HANDSHAKE_S + c.RELOAD_S + c.SERVED_S + c.HANDSHAKE_S
    assert revert + c.HANDSHAKE_S < 10
    assert c.RELOAD_S + c.SERVED_S + c.HANDSHAKE_S < 8


@pytest.mark.parametrize("with_note", [True, False])
def test_a_certificate_that_was_renewed_meanwhile_is_left_as_it_is(
    endpoint: Endpoint, with_note: bool
) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    renewed = endpoint.ca.issue_cert("shop.example.org")
    endpoint.cert.write_bytes(renewed.cert_chain_pems[0].bytes())
    endpoint.key.write_bytes(renewed.private_key_pem.bytes())
    endpoint.process.send_signal(signal.SIGHUP)
    wait(lambda: endpoint.client_says() == "")
    if not with_note:
        for path in (endpoint.host.directory / ".gameday").glob("host/*.json"):
            path.unlink()
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo)["replaced_by_others"] == ["key", "cert"]
    assert endpoint.key.read_bytes() == renewed.private_key_pem.bytes()
    assert endpoint.client_says() == ""
    assert list(endpoint.folder.glob("*.gameday-*")) == []


def test_a_backup_that_is_missing_or_changed_is_said(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    backup = Path(undo["files"]["cert"]["backup"])
    original = backup.read_bytes()
    backup.write_bytes(b"something else")
    with pytest.raises(AdapterError, match="is missing or was changed"):
        UNDOER.revert(undo)
    assert UNDOER.present(undo)
    backup.write_bytes(original)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


def test_a_pidfile_that_means_another_process_gets_no_signal(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    bystander = endpoint.host.spawn("sleep", "120")
    endpoint.process.kill()
    endpoint.process.wait()
    pidfile = endpoint.host.directory / "server.pid"
    pidfile.write_text(str(bystander.pid))
    os.utime(pidfile, (1, 1))
    UNDOER.revert(undo)
    assert running(bystander.pid)  # SIGHUP would have ended it


# -- refusing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cert": "/etc/ssl/cert.pem"}, "outside of the project"),
        ({"key": "../key.pem"}, "outside of the project"),
        ({"cert": "tls/none.pem"}, "cannot be read"),
        ({"ca": "/etc/hostname"}, "outside of the project"),
        ({"ca": None}, "needs the `ca` and `ca_key`"),
        ({"ca_key": "tls/none.key"}, "the test authority cannot be read"),
        ({"ca_key": "tls/cert.pem"}, "no `expired` certificate can be made"),
        ({"ca": "tls/cert.pem"}, "was not issued by the `ca`"),
        ({"cert": "tls/ca.key"}, "no `expired` certificate can be made"),
        ({"cert": "tls/copy.pem"}, "serves another certificate than"),
        ({"endpoint": "127.0.0.1:1"}, "nobody listens"),
        ({"endpoint": "nonsense"}, "shows no certificate"),
        ({"reload": ("ls",)}, "which is not allowed"),
        ({"pidfile": "none.pid"}, "cannot be read"),
    ],
)
def test_what_cannot_be_put_back_or_seen_is_refused(
    endpoint: Endpoint, changes: dict[str, Any], words: str
) -> None:
    other = endpoint.ca.issue_cert("other.example.org")
    (endpoint.folder / "copy.pem").write_bytes(other.cert_chain_pems[0].bytes())
    before = files_below(endpoint.host.directory)
    with pytest.raises(NoEffectError, match=words):
        endpoint.fault(EXPIRED, **changes).prepare()
    assert files_below(endpoint.host.directory) == before


def test_a_link_out_of_the_project_is_refused(endpoint: Endpoint) -> None:
    (endpoint.folder / "link.pem").symlink_to("/etc/hostname")
    with pytest.raises(NoEffectError, match="outside of the project"):
        endpoint.fault(EXPIRED, cert="tls/link.pem").prepare()


def test_a_link_inside_stays_a_link(host: Host) -> None:
    endpoint = Endpoint(host)
    (endpoint.folder / "live.pem").symlink_to("cert.pem")
    fault = endpoint.fault(EXPIRED, cert="tls/live.pem")
    undo = fault.prepare()
    fault.inject(undo)
    assert "expired" in endpoint.client_says()
    UNDOER.revert(undo)
    assert (endpoint.folder / "live.pem").is_symlink()
    assert endpoint.client_says() == ""


def test_untrusted_needs_no_authority(endpoint: Endpoint) -> None:
    fault = endpoint.fault(spec("untrusted"), ca=None, ca_key=None)
    undo = fault.prepare()
    fault.inject(undo)
    assert endpoint.client_says() != ""
    UNDOER.revert(undo)


def test_what_another_fault_left_is_refused(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    fault.inject(undo)
    with pytest.raises(NoEffectError, match="gameday recover --target"):
        endpoint.fault(action("certificate", "expired", fault="other")).prepare()
    UNDOER.revert(undo)


def test_files_changed_since_prepare_are_not_touched(endpoint: Endpoint) -> None:
    fault = endpoint.fault(EXPIRED)
    undo = fault.prepare()
    endpoint.key.write_bytes(endpoint.key.read_bytes() + b"\n")
    before = files_below(endpoint.folder)
    with pytest.raises(NoEffectError, match="was changed since"):
        fault.inject(undo)
    assert files_below(endpoint.folder) == before
    assert endpoint.host.notes() == []


def test_a_reload_that_fails_or_hangs_is_said(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.host.certificate.SERVED_S", 0.2)
    monkeypatch.setattr(certificate_undo, "SERVED_S", 0.2)
    monkeypatch.setattr(certificate_undo, "RELOAD_S", 0.3)
    for command, words in (
        ((sys.executable, "-c", "raise SystemExit('bad syntax')"), "ended with 1: bad syntax"),
        (("sleep", "60"), "took longer than"),
    ):
        fault = endpoint.fault(EXPIRED, reload=command, pidfile=None)
        undo = fault.prepare()
        with pytest.raises(AdapterError, match=words):
            fault.inject(undo)
        UNDOER.revert(undo)
        assert not UNDOER.present(undo)


def test_the_served_certificate_is_the_one_of_the_record(endpoint: Endpoint) -> None:
    undo = endpoint.fault(EXPIRED).prepare()
    der = ssl.PEM_cert_to_DER_cert(endpoint.cert.read_text())
    assert undo["served_sha256"] == hashlib.sha256(der).hexdigest()
    assert undo["files"]["cert"]["sha256"] == hashlib.sha256(endpoint.cert.read_bytes()).hexdigest()


def test_every_kind_of_the_table_is_tried_here() -> None:
    assert set(FAMILIES["certificate"]) == {"expired", "wrong_host", "untrusted"}
