"""The TLS endpoint of the edge: its test certificate, and whether clients would take it.

Partners come to it. The authority is made at each start and known to the shop alone; its key lies
beside the certificate, so that a scenario can issue one that clients must refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import trustme

from gameday.demo.settings import Settings, write_private
from gameday.demo.topology import HOST

#: The name that clients ask for.
NAME = "shop.test"
_WITHIN_S = 1.0


class Endpoint:
    """The certificate that is served, and a look at it as clients have."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.tls
        self._port = settings.topology.tls_port
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.problem = ""
        self.reload()

    def reload(self) -> None:
        """Serve what lies in the files from now on; where they do not fit, what was before."""
        with contextlib.suppress(OSError, ssl.SSLError):
            self.server.load_cert_chain(self._folder / "shop.pem", self._folder / "shop.key")

    async def look(self) -> bool:
        """A handshake of our own, with verification. Says in `problem` what a client would."""
        client = ssl.create_default_context(cafile=str(self._folder / "ca.pem"))
        try:
            async with asyncio.timeout(_WITHIN_S):
                _, writer = await asyncio.open_connection(
                    HOST, self._port, ssl=client, server_hostname=NAME
                )
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            self.problem = ""
        except ssl.SSLCertVerificationError as error:
            self.problem = error.verify_message
        except (OSError, TimeoutError) as error:
            self.problem = str(error) or "no handshake in time"
        return not self.problem


def make_certificates(settings: Settings) -> None:
    """A fresh authority and a certificate of it, in the folder `tls` of the shop's state."""
    settings.tls.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert(NAME, HOST)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    for name, content in (
        ("ca.pem", authority.cert_pem.bytes()),
        ("ca.key", authority.private_key_pem.bytes()),
        ("shop.pem", chain),
        ("shop.key", issued.private_key_pem.bytes()),
    ):
        write_private(Path(settings.tls / name), content.decode())
