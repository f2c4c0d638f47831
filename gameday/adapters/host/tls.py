"""Certificates: issued for a test, and the names they are for."""

from __future__ import annotations

import datetime
import hashlib
import re

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from gameday.errors import NoEffectError

WRONG_HOST = "wrong-host.gameday.invalid"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def token_of(run: str, fault: str) -> str:
    """What a planted certificate carries in its subject, to be known wherever it is seen."""
    return f"gameday-{hashlib.sha256(f'{run}/{fault}'.encode()).hexdigest()[:24]}"


def issue(kind: str, present: bytes, ca: bytes, ca_key: bytes, token: str) -> tuple[bytes, bytes]:
    """A certificate (PEM, with what followed the present one) and its key (PEM).

    *kind* is `expired`, `wrong_host` or `untrusted`; *present* the PEM of the one that is served
    now: names and kind of key are taken from it. Raises `NoEffectError` when that cannot be done.
    """
    try:
        leaf = x509.load_pem_x509_certificate(present)
        names, common_name = _names(leaf)
        if kind == "wrong_host":
            names, common_name = [WRONG_HOST], None
        issuer = trustme.CA() if kind == "untrusted" else _authority(leaf, ca, ca_key)
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        made = issuer.issue_cert(
            *names,
            common_name=common_name,
            organization_unit_name=token,
            not_after=yesterday if kind == "expired" else None,
            key_type=(
                trustme.KeyType.RSA
                if isinstance(leaf.public_key(), rsa.RSAPublicKey)
                else trustme.KeyType.ECDSA
            ),
        )
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise NoEffectError(
            f"no `{kind}` certificate can be made from the present one: {error}"
        ) from error
    rest = b"" if kind == "untrusted" else b"".join(_PEM.findall(present)[1:])
    key = made.private_key_pem.bytes() + f"# {token}\n".encode()  # what it is, without a note
    return made.cert_chain_pems[0].bytes() + rest, key


def server_name(pem: bytes) -> str | None:
    """A name to ask for in the handshake: the first of the certificate that is no pattern."""
    try:
        names, _ = _names(x509.load_pem_x509_certificate(pem))
    except (ValueError, TypeError):
        return None
    plain = (name for name in names if not name.startswith("*") and not _is_address(name))
    return next((name for name in plain if "@" not in name), None)


def _authority(leaf: x509.Certificate, ca: bytes, ca_key: bytes) -> trustme.CA:
    issuer = x509.load_pem_x509_certificate(ca)
    try:
        leaf.verify_directly_issued_by(issuer)
    except Exception as error:
        raise ValueError(
            "the certificate that is there was not issued by the `ca` that is named, so a new one "
            "of that authority would be wrong in more than one way"
        ) from error
    return trustme.CA.from_pem(ca, ca_key)


def _names(leaf: x509.Certificate) -> tuple[list[str], str | None]:
    """The names it is for, and its common name."""
    common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    common_name = str(common[0].value) if common else None
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ([common_name] if common_name else []), common_name
    names = [
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
        *found.get_values_for_type(x509.RFC822Name),
    ]
    return names, common_name


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
