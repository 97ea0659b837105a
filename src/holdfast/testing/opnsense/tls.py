"""A certificate for an appliance that nobody has given one, made by openssl for the time it is needed."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_KIND = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
_NAMES = ("-subj", "/CN=opnsense-sim", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


@dataclass(frozen=True)
class Certificate:
    """`pem` is what a client trusts; `fingerprint` what it pins."""

    pem: str
    fingerprint: str
    server: ssl.SSLContext

    @classmethod
    def self_signed(cls) -> Certificate:
        with tempfile.TemporaryDirectory() as directory:
            certificate, key = Path(directory, "certificate.pem"), Path(directory, "key.pem")
            command = ["openssl", "req", "-x509", *_KIND, *_NAMES, "-keyout", str(key), "-out", str(certificate)]
            subprocess.run(command, check=True, capture_output=True)
            return cls.given(certificate, key)

    @classmethod
    def given(cls, certificate: Path, key: Path) -> Certificate:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        pem = certificate.read_text()
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        return cls(pem, f"sha256:{digest}", server)
