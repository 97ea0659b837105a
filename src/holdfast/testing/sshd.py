"""Real OpenSSH servers for tests: on loopback, with host keys, a configuration and authorized keys of their own.

    with Sshd() as server:
        address = server.address()

An ordinary user's server lets that user in. One started by root lets others in as well: `account` makes one for the time
of a block, where `may_make_accounts()`. A server's files lie in a directory of its own below /tmp, because the user who
comes in must be able to read the authorized keys; it is gone when the block ends, and so is every session.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from holdfast.ssh.address import NO_CONFIG, Address

START_S: Final = 10.0
LISTEN_MAX: Final = 16  # addresses that one sshd takes
UMASK: Final = 0o022  # of its sessions, whatever ours is
SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "/usr/sbin/sshd"

_SETTINGS: Final = {
    "PidFile": "none",
    "AuthorizedKeysFile": "{directory}/authorized_keys",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "UsePAM": "no",
    "StrictModes": "no",  # temporary directories lie below ones that anybody may write
    "PrintMotd": "no",
    "MaxStartups": "200",
    "LogLevel": "VERBOSE",
    "Subsystem": "sftp internal-sftp",
}
# A bash that sshd starts reads the profile of its user, unless it believes to run in another shell. What a profile does may
# take longer than any test, and is none of theirs.
_WITHOUT_PROFILE: Final = "SHLVL=1"


class Sshd:
    """One server. `settings` are lines of sshd_config that replace the ones above."""

    def __init__(self, *, user: str = "", listen: Sequence[str] = ("127.0.0.1",), **settings: str) -> None:
        self.directory = Path("/nonexistent")
        self.key = Path("/nonexistent")
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        self.listen = tuple(listen)
        self.settings = {**_SETTINGS, **settings, "SetEnv": f"{_WITHOUT_PROFILE} {settings.get('SetEnv', '')}"}
        self.port = 0
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Sshd:
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-sshd-"))
        self.directory.chmod(0o755)
        self.make_host_key()
        self.key = make_key(self.directory / "id_ed25519")
        authorized = self.directory / "authorized_keys"
        authorized.write_text(Path(f"{self.key}.pub").read_text())
        authorized.chmod(0o644)  # it is read by whoever comes in
        self.port = self.port or free_port()
        self.write_known_hosts()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def address(self, **changes: Any) -> Address:
        """The way in, with the key that is authorized and the host key that is known."""
        given: dict[str, Any] = {
            "host": self.listen[0],
            "port": self.port,
            "user": self.user,
            "identity": (str(self.key),),
            "known_hosts": str(self.known_hosts),
            "config": NO_CONFIG,
        }
        return Address(**{**given, **changes})

    def make_host_key(self) -> None:
        """A new one takes the place of the old."""
        for name in ("host_key", "host_key.pub"):
            (self.directory / name).unlink(missing_ok=True)
        make_key(self.directory / "host_key")

    def write_known_hosts(self) -> None:
        words = (self.directory / "host_key.pub").read_text().split()
        lines = [f"[{host}]:{self.port} {words[0]} {words[1]}\n" for host in self.listen]
        self.known_hosts.write_text("".join(lines))

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it confines what it does before anybody is let in
        for first in range(0, len(self.listen), LISTEN_MAX):
            self._start(f"sshd_config.{first}", self.listen[first : first + LISTEN_MAX])
        self._wait_until_it_listens()

    def _start(self, name: str, addresses: Sequence[str]) -> None:
        lines = [f"{word} {value.format(directory=self.directory)}" for word, value in self.settings.items()]
        where = [f"ListenAddress {host}" for host in addresses]
        file = self.directory / name
        file.write_text("\n".join([f"Port {self.port}", *where, f"HostKey {self.directory}/host_key", *lines, ""]))
        with (self.directory / "log").open("ab") as log:
            command = [SSHD, "-D", "-e", "-f", str(file)]
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=UMASK))

    def stop(self) -> None:
        """The listener and every session of it."""
        for process in self.processes:
            for pid in (process.pid, *descendants(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        self.processes = []

    def cut(self) -> None:
        """Kill the sessions, so that their connections break; the listener stays."""
        for pid in (child for process in self.processes for child in descendants(process.pid)):
            with suppress(OSError):  # it may be gone already
                if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_S
        waiting = list(self.listen)
        while waiting and time.monotonic() < deadline and all(process.poll() is None for process in self.processes):
            with suppress(OSError), socket.create_connection((waiting[-1], self.port), timeout=1):
                waiting.pop()
                continue
            time.sleep(0.01)
        if waiting:
            raise RuntimeError(f"sshd does not listen on port {self.port}:\n{self.log[-2000:]}")


@contextmanager
def account(name: str, *, password: str = "", sudo: str = "", shell: str = "/bin/sh") -> Iterator[str]:
    """A user of this machine, with a home, for the time of the block. `sudo`: what a rule of sudoers grants to it."""
    rule = Path("/etc/sudoers.d") / name
    _as_root("useradd", "--create-home", "--shell", shell, "--password", "*", name)
    try:
        if password:
            _as_root("chpasswd", said=f"{name}:{password}\n")
        if sudo:
            _as_root("sh", "-c", 'umask 227; cat >"$0"', str(rule), said=f"{name} {sudo}\n")
        yield name
    finally:
        _as_root("rm", "-f", str(rule))
        subprocess.run([*_ROOT, "pkill", "-KILL", "-u", name], check=False)
        _as_root("userdel", "--force", "--remove", name, quiet=True)


_BUSY: Final = (1, 10)  # of useradd, userdel and chpasswd: a file cannot be locked or changed
_TRIES_MAX: Final = 20
_ROOT: Final = [] if os.geteuid() == 0 else ["sudo", "-n"]


def may_make_accounts() -> bool:
    """Are we root, or may we become it without being asked?"""
    return os.geteuid() == 0 or not subprocess.run([*_ROOT, "true"], check=False, capture_output=True).returncode


def _as_root(*command: str, said: str = "", quiet: bool = False) -> None:
    """The files of users are locked by who changes them, and others make users as well: that is worth some patience."""
    for _ in range(_TRIES_MAX):
        found = subprocess.run(
            [*_ROOT, *command], input=said.encode(), check=False, stderr=subprocess.DEVNULL if quiet else None
        )
        if found.returncode not in _BUSY:
            return found.check_returncode()
        time.sleep(0.2)
    found.check_returncode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def make_key(path: Path, *words: str) -> Path:
    """A key pair without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", *words, "-f", str(path)]
    if not path.exists():
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def descendants(pid: int) -> list[int]:
    """Children first come first."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                child = int(entry.parent.name)
                found += [child, *descendants(child)]
    return found
