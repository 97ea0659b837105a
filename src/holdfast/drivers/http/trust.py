"""Which certificates are believed: those of public authorities, of one CA file, or exactly one by its fingerprint."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from holdfast.core.errors import WorldError


@dataclass(frozen=True, slots=True)
class Trust:
    ca: str | None = None  # a file of certificates
    fingerprint: str | None = None  # sha256:HEX; colons and case do not count
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        if self.fingerprint is not None or not self.verify:
            return self._of_nobody()
        if self.ca is None:
            return _of_public_authorities()
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise WorldError(f"the CA file {self.ca} cannot be read: {error.strerror or error}", code="not_found") from None

    def _of_nobody(self) -> ssl.SSLContext:
        """No authority is asked: either exactly one certificate is believed, or every one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if self.fingerprint is not None:
            context.sslobject_class = _pinned(plain_fingerprint(self.fingerprint))
        return context


@cache
def _of_public_authorities() -> ssl.SSLContext:
    """One for all: reading the certificates of all authorities takes longer than most plans."""
    return ssl.create_default_context()


def plain_fingerprint(text: str) -> str:
    return text.lower().removeprefix("sha256:").replace(":", "").strip()


def _pinned(wanted: str) -> type[ssl.SSLObject]:
    """A TLS connection whose handshake fails unless the other side shows exactly this certificate."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            shown = sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if shown != wanted:
                raise ssl.SSLCertVerificationError(1, f"the certificate is sha256:{shown}, not the pinned one")

    return Pinned
