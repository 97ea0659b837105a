"""Which host keys are believed: those in known_hosts, or the one that was pinned. Never simply the one that is shown.

With `accept_new` the key of a host that nobody knows is written down and believed from then on, and said aloud;
a key that changed is refused all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.library import asyncssh

SSH_PORT: Final = 22
_SYSTEM: Final = "/etc/ssh/ssh_known_hosts"
_NOBODY: Final[tuple[list[Any], ...]] = ([], [], [])

Files = tuple[str, ...]


class HostKeys:
    """What is known of hosts, read once per file and state of that file."""

    def __init__(self) -> None:
        self._read: dict[Files, tuple[tuple[tuple[int, int], ...], asyncssh.SSHKnownHosts]] = {}

    def known(self, files: Files) -> asyncssh.SSHKnownHosts:
        stamp = tuple(_stamp(file) for file in files)
        kept = self._read.get(files)
        if kept is None or kept[0] != stamp:
            present = [file for file, (_, size) in zip(files, stamp, strict=True) if size >= 0]
            text = "\n".join(Path(file).read_text(errors="replace") for file in present)
            kept = self._read[files] = (stamp, asyncssh.import_known_hosts(text))
        return kept[1]


class Judge(asyncssh.SSHClient):
    """Decides about one key of one host, and hears when its connection ends."""

    def __init__(self, address: Address, known: asyncssh.SSHKnownHosts, files: Files, accepted: Callable[[str], None]) -> None:
        self.address = address
        self.refusal: WorldError | None = None
        self.lost = False
        self._known = known
        self._files = files
        self._accepted = accepted

    def trusted(self, host: str, addr: str, port: int | None) -> Sequence[Any]:
        """What asyncssh asks for: keys, authorities, revoked keys."""
        pin = self.address.host_key
        if not pin:
            return self._known.match(host, addr, port)
        return _NOBODY if pin.startswith("SHA256:") else ([asyncssh.import_public_key(pin)], [], [])

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Asked about a key that is not among the trusted ones."""
        shown, pin = key.get_fingerprint("sha256"), self.address.host_key
        if pin:
            if pin.rstrip("=") == shown.rstrip("="):
                return True
            self.refusal = self._refused(f"its host key {shown} is not the pinned one")
            return False
        keys, authorities, *_ = self._known.match(host, addr, None if port == SSH_PORT else port)
        if keys or authorities:
            self.refusal = self._refused(
                f"its host key changed: it shows {shown}", "find out why before you believe the new one"
            )
            return False
        if self.address.accept_new:
            self._write_down(host, port, key, shown)
            return True
        hint = "compare it with the host's own, then add it to known_hosts or pass --accept-new"
        self.refusal = self._refused(f"its host key {shown} is not known", hint)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def _write_down(self, host: str, port: int, key: asyncssh.SSHKey, shown: str) -> None:
        name = host if port == SSH_PORT else f"[{host}]:{port}"
        line = f"{name} {key.export_public_key('openssh').decode().strip()}\n"
        file = self._files[0]
        os.makedirs(os.path.dirname(file) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(descriptor, "rb+", buffering=0) as known:
            end = known.seek(0, os.SEEK_END)
            known.seek(max(0, end - 1))
            torn = end > 0 and known.read(1) != b"\n"
            known.write((b"\n" if torn else b"") + line.encode())
            os.fsync(descriptor)
        self._accepted(f"{self.address}: accepted its host key {shown} and wrote it to {file}")

    def _refused(self, why: str, hint: str = "") -> WorldError:
        return WorldError(f"{self.address}: {why}", code="host_key_mismatch", hint=hint)


def files_of(address: Address, configured: Any) -> Files:
    """Where keys are looked for; the first is where new ones are written. A config that asks for no checks is not obeyed."""
    if address.known_hosts:
        return (os.path.expanduser(address.known_hosts),)
    named = [os.path.expanduser(str(file)) for file in configured or () if str(file) not in ("", "/dev/null")]
    return tuple(named) or (os.path.expanduser("~/.ssh/known_hosts"), _SYSTEM)


def _stamp(file: str) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, -1)
    return (found.st_mtime_ns, found.st_size)
